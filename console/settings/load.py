"""Finding and reading the settings' files."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connectors.errors import PlumblineError
from console.settings import connections, document, schema, sections
from console.settings.document import Document
from console.settings.model import Settings, demo_mark
from console.settings.reading import Ledger

CONFIG: Final = "plumbline.toml"
SECRETS: Final = (".streamlit/secrets.toml", "secrets.toml")


def home_folder(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Path:
    """PLUMBLINE_HOME, or the platform's folder for a user's data. It may not be there yet."""
    named = (os.environ if environ is None else environ).get("PLUMBLINE_HOME", "")
    if not named:
        from platformdirs import user_data_dir

        return Path(user_data_dir("plumbline", appauthor=False))
    home = ((cwd or Path.cwd()) / Path(named).expanduser()).absolute()
    if home.exists() and not home.is_dir():
        raise PlumblineError("settings", "`PLUMBLINE_HOME` is not a folder.", where="PLUMBLINE_HOME")
    return home


def load(
    config: str | None = None,
    secrets: str | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Read the settings. `config` and `secrets` name the files; else they are looked for.

    Raises `settings` with the file, the line and the key; never with a value.
    """
    environ = os.environ if environ is None else environ
    cwd = cwd or Path.cwd()
    ledger = Ledger()
    home = home_folder(environ, cwd)
    _variables(environ)
    ledger.put(
        ("home",),
        str(home),
        "PLUMBLINE_HOME" if environ.get("PLUMBLINE_HOME") else "default",
        schema.Key(lambda value, folder: value),
    )
    plain_doc = _find(config, (cwd / CONFIG, home / CONFIG), cwd)
    secret_doc = _find(secrets, (cwd / SECRETS[0], *(home / name for name in SECRETS)), cwd)
    plain = sections.read(plain_doc, ledger)
    found = connections.read(secret_doc, environ, cwd, home, ledger)
    store_url = sections.url(plain_doc, secret_doc, environ, ("store", "url"), ledger)
    database_url = sections.url(plain_doc, secret_doc, environ, ("jobs", "database_url"), ledger)
    if secret_doc is not None:
        ledger.notes.extend(_of_secrets(secret_doc))
    ledger.notes.extend(
        f"collections: {address} names a connection that is not configured."
        for address in plain.collections
        if address.connection not in found and address.connection != "demo"
    )
    ledger.notes.extend(
        f"images.roots: {root} is not a folder." for root in plain.images.roots if not root.is_dir()
    )
    return Settings(
        home=home,
        connections=found,
        encoders=plain.encoders,
        collections=plain.collections,
        images=plain.images,
        policy=plain.policy,
        accepted=plain.accepted,
        gate=plain.gate,
        store_url=store_url,
        retention=plain.retention,
        database_url=database_url,
        entries=tuple(ledger.entries),
        notes=tuple(ledger.notes),
        files=tuple(doc.path for doc in (plain_doc, secret_doc) if doc is not None),
        config=config,
        secrets_file=secrets,
    )


def fingerprint(
    config: str | None = None,
    secrets: str | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Changes whenever the settings may have: the files' times and sizes, the variables, the demo."""
    environ = os.environ if environ is None else environ
    cwd = cwd or Path.cwd()
    home = home_folder(environ, cwd)
    places = [cwd / config] if config else [cwd / CONFIG, home / CONFIG]
    places += [cwd / secrets] if secrets else [cwd / SECRETS[0], *(home / name for name in SECRETS)]
    places.append(demo_mark(home))
    variables = tuple(sorted((k, v) for k, v in environ.items() if k.startswith("PLUMBLINE_")))
    seen = (variables, *(_stamp(place) for place in places))
    return hashlib.sha256(repr(seen).encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _find(named: str | None, places: tuple[Path, ...], cwd: Path) -> Document | None:
    if named is not None:
        if not named:
            raise PlumblineError("settings", "The name of the file is empty.", where="--config, --secrets")
        return document.read((cwd / Path(named).expanduser()).absolute(), named)
    for place in places:
        try:
            there = place.exists()
        except OSError:
            there = True
        if there:
            return document.read(place, _shown(place, cwd))
    return None


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _variables(environ: Mapping[str, str]) -> None:
    for name in sorted(environ):
        if not name.startswith("PLUMBLINE_") or name.startswith(schema.CONNECTION_VARIABLE):
            continue
        if name not in schema.VARIABLES:
            known = (*schema.VARIABLES, f"{schema.CONNECTION_VARIABLE}NAME__KEY")
            raise PlumblineError(
                "settings", f"`{name}` is not a setting.", where=name, hint=schema.nearest(name, known)
            )


def _of_secrets(doc: Document) -> list[str]:
    ours = ("connections", "store", "jobs")
    notes = [
        f"{doc.at((name,))}: {name} is not read. {hint}"
        for name in doc.data
        if name not in ours and (hint := schema.nearest(name, ours)).startswith("Did")
    ]
    try:
        mode = doc.path.stat().st_mode
    except OSError:
        return notes
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        notes.append(f"{doc.shown} can be read by every user of this machine: chmod 600 {doc.shown}")
    return notes

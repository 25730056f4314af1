"""docs/settings.md and the schema hold each other to what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from console.settings import load, schema

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
TEXT = DOCS.read_text("utf-8")


def documented() -> dict[str, dict[str, str]]:
    """Section -> key -> its row."""
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in TEXT.splitlines():
        if heading := re.match(r"##+ (.*)", line):
            section = heading[1]
        elif section and (row := re.match(r"\| `([a-z_.-]+)` \|", line)):
            found.setdefault(section, {})[row[1]] = line
    return found


def place(section: str) -> str:
    return {
        "collections.ADDRESS": '`[collections."CONNECTION/COLLECTION"]`',
        "accepted": "`[[accepted]]`",
    }.get(section, f"`[{section}]`")


def test_every_setting_has_its_place_and_every_place_is_a_setting() -> None:
    expected: dict[str, set[str]] = {}
    for section, keys in schema.SECTIONS.items():
        expected.setdefault(place(section), set()).update(keys)
    assert {section: set(rows) for section, rows in documented().items()} == expected


def test_every_default_is_said() -> None:
    for section, keys in schema.SECTIONS.items():
        for name, key in keys.items():
            if key.default in (None, ()):
                continue
            row = documented()[place(section)][name]
            shown = f"{key.default:g}" if isinstance(key.default, float) else str(key.default).lower()
            assert f"{shown} |" in row.replace("`", ""), row


def test_what_has_no_effect_yet_is_said() -> None:
    for section in ("connections.NAME", "collections.ADDRESS"):
        for name, key in schema.SECTIONS[section].items():
            assert ("has no effect yet" in documented()[place(section)][name]) is not key.used


def test_secret_settings_are_called_secret() -> None:
    for name, key in schema.CONNECTION.items():
        assert (
            documented()["`[connections.NAME]`"][name].split("|")[2].strip().startswith("secret")
            is key.secret
        )


def test_every_variable_has_its_place() -> None:
    named = set(re.findall(r"^\| `(PLUMBLINE_[A-Z_]+)` \|", TEXT, re.MULTILINE))
    assert named == {*schema.VARIABLES, f"{schema.CONNECTION_VARIABLE}NAME__KEY"}


def test_the_examples_are_read(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    plain = "\n".join(b for b in blocks if "connections" not in b)
    secret = "\n".join(b for b in blocks if "connections" in b).replace("…", "abcd")
    tomllib.loads(plain)
    (tmp_path / "plumbline.toml").write_text(plain)
    (tmp_path / "secrets.toml").write_text(secret)
    settings = load(environ={"PLUMBLINE_HOME": str(tmp_path)}, cwd=tmp_path)
    assert set(settings.connections) == {"prod", "docs"}
    assert settings.of_collection("prod", "pictures", "thumbnail").encoder == "scenes-v2"

"""Golden sets where they are kept: the draft that is edited, the versions that stay, the pictures of their queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from connectors.errors import PlumblineError
from console.search import uploads
from console.search.golden import editing
from console.search.golden.form import check, check_name, content_hash, digest, from_json, to_json
from console.search.golden.model import GoldenQuery, GoldenSet
from console.search.request import Upload
from console.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from console.store import GoldenSets
    from console.store.golden_sets import Document, Kept
    from console.store.store import Configured

DRAFT: Final = "draft"


def reference(text: str) -> tuple[str, int | Literal["draft"] | None]:
    """The name, and the version where one is named: `NAME`, `NAME@3`, `NAME@draft`. Raises `usage`."""
    name, at, wanted = text.partition("@")
    check_name(name)
    if not at:
        return name, None
    if wanted == DRAFT:
        return name, "draft"
    if not (wanted.isascii() and wanted.isdigit() and 0 < len(wanted) < 9 and int(wanted)):
        raise PlumblineError(
            "usage",
            f"{wanted[:40]!r} is no version.",
            where=name,
            hint=f"It is {name}@3, say, or {name}@{DRAFT}.",
        )
    return name, int(wanted)


def find(ws: Configured | Settings, text: str) -> GoldenSet:
    """`NAME` (the newest version, else the draft), `NAME@3`, `NAME@draft`. Raises `usage`, `not-found`, `damaged`."""
    name, wanted = reference(text)
    sets = _sets(ws)
    if wanted is None:
        return _read(sets.get(name, sets.newest(name)))
    return _read(sets.get(name, None if wanted == DRAFT else wanted))


def heads(ws: Configured | Settings, name: str | None = None) -> Sequence[dict[str, Any]]:
    """Every set's versions and draft, see `GoldenSets.heads`; `changed`: the draft is not its newest version's equal."""
    held = [dict(head) for head in _sets(ws).heads(name)]
    newest = {h["name"]: h["hash"] for h in held if h["version"] is not None}
    for head in held:
        head["changed"] = head["version"] is None and newest.get(head["name"]) not in (None, head["hash"])
    return held


def unfrozen(ws: Configured | Settings, golden: GoldenSet) -> bool:
    """Whether a version's draft has gone on since."""
    if golden.version is None:
        return False
    return any(h["version"] is None and h["hash"] != content_hash(golden) for h in heads(ws, golden.name))


def edit(
    ws: Configured | Settings,
    name: str,
    change: Callable[[GoldenSet], GoldenSet],
    pictures: Mapping[str, bytes] | None = None,
    *,
    there: bool = False,
) -> GoldenSet:
    """The draft after `change`; a set that is not there begins empty. Two editors at once lose nothing.

    Args:
        there: a set that is not there is `not-found`, and none begins.
        pictures: bytes of new queries' pictures by SHA-256; others are taken from the uploads, and kept
            for as long as a set shows them.

    Raises:
        PlumblineError: what `change` raises; `usage` for what a set can't hold; `not-found` for a picture
            that is no longer there.
    """
    check_name(name)
    home = (ws if isinstance(ws, Settings) else ws.settings).home

    made = GoldenSet(name)

    def changed(held: Kept | None) -> Document:
        nonlocal made
        if held is None and there:
            raise _missing(name)
        before = GoldenSet(name) if held is None else _read(held)
        made = check(change(before).but(name=name, version=None), before)
        return document(made, home, pictures)

    _sets(ws).edit(name, changed)
    return made


def judge(
    ws: Configured | Settings, name: str, query: GoldenQuery | str, key: str, grade: int | None
) -> GoldenSet:
    """A thumb: one key's grade for a query in the draft, see `editing.judged`. Taking one back makes no set."""
    return edit(ws, name, lambda draft: editing.judged(draft, query, key, grade), there=grade is None)


def put(
    ws: Configured | Settings, golden: GoldenSet, pictures: Mapping[str, bytes] | None = None
) -> GoldenSet:
    """This set in place of the draft of its name."""
    return edit(ws, golden.name, lambda _: golden, pictures)


def freeze(ws: Configured | Settings, name: str, expected: str | None = None) -> tuple[GoldenSet, bool]:
    """The draft as a version that stays as it is, and whether it is new; see `GoldenSets.freeze`."""
    sets = _sets(ws)
    if not _read(sets.get(check_name(name))).queries:
        raise PlumblineError("usage", "The draft has no query yet.", where=name)
    kept, new = sets.freeze(name, expected)
    return _read(kept), new


def remove(ws: Configured | Settings, name: str) -> None:
    """The draft and every version. Raises `not-found`."""
    _sets(ws).remove(check_name(name))


def picture(ws: Configured | Settings, image: Upload) -> bytes:
    """The bytes of a golden query's picture. Raises `not-found`."""
    held = _sets(ws).picture(image.sha256)
    if held is not None:
        return held
    return uploads.find((ws if isinstance(ws, Settings) else ws.settings).home, image)


def document(golden: GoldenSet, home: Path, pictures: Mapping[str, bytes] | None = None) -> Document:
    """What the store keeps of a set."""
    from console.store.golden_sets import Document

    said = to_json(golden)
    return Document(
        said,
        digest(said),
        {
            "queries": len(golden.queries),
            "judgements": len(golden.judgements),
            "rules": len(golden.rules),
            "smoke": sum(1 for q in golden.queries if q.must or q.must_not),
            "cohorts": list(golden.cohort_fields),
            "key_field": golden.key_field,
            "note": golden.note,
        },
        {q.image.sha256: _bytes(q.image, home, pictures or {}) for q in golden.queries if q.image},
    )


def _sets(ws: Configured | Settings) -> GoldenSets:
    from console.store import GoldenSets

    return GoldenSets.open(ws)


def _missing(name: str) -> PlumblineError:
    from console.store.golden_sets import missing

    return missing(name, None)


def _bytes(image: Upload, home: Path, pictures: Mapping[str, bytes]) -> bytes | None:
    given = pictures.get(image.sha256)
    if given is not None:
        return given
    try:
        return uploads.find(home, image)
    except PlumblineError:
        return None


def _read(kept: Kept) -> GoldenSet:
    golden = from_json(kept.name, kept.version, kept.data)
    try:
        fine = digest(kept.data) == kept.hash
    except (KeyError, TypeError):
        fine = False
    if not fine:
        raise PlumblineError("damaged", "The stored golden set is not what was kept.", where=golden.label)
    return golden

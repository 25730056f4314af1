"""`plumbline compare`, `comparisons` and `comparison`: an old side and a new one, side by side."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from connectors.errors import PlumblineError
from console.cli import output
from console.cli.checking import Meter
from console.cli.context import Context
from console.cli.output import columns, table
from console.settings import readable

if TYPE_CHECKING:
    from console.compare.request import CompareRequest
    from console.workspace import Workspace

LARGEST: Final = 4 * 1024 * 1024
_FORMS: Final = 'Give a text a line, or JSON Lines with {"text": …} or {"image": FILE}.'


def compare(args: Namespace, context: Context) -> int:
    """Compare two sides, keep the comparison, print it."""
    from console.compare.run import compare as examine
    from console.store import Comparisons

    ws = context.workspace
    asked = request(args, ws)
    try:
        made = examine(ws, asked, tell=Meter(context, f"{readable(asked.left)} {readable(asked.right)}"))
    finally:
        context.out.status("")
    try:
        Comparisons.open(ws).save(made)
    except PlumblineError as fault:
        context.out.note(f"The comparison could not be kept: {output.sentence(fault.to_json())}")
    show(made.data, context)
    return 0


def comparison(args: Namespace, context: Context) -> int:
    """One comparison that was kept, in any format."""
    from console.store import Comparisons

    show(Comparisons.open(context.workspace).get(args.id), context)
    return 0


def comparisons(args: Namespace, context: Context) -> int:
    """The comparisons that were kept, newest first; of one address, those that it is a side of."""
    from console.store import Comparisons

    ws = context.workspace
    address = None if args.address is None else ws.address(args.address)
    held = Comparisons.open(ws).list(args.limit, address)

    def lines() -> list[str]:
        if not held:
            return ["There is no comparison yet: `plumbline compare LEFT RIGHT` makes one."]
        rows = [
            (
                h["id"],
                str(h["at"])[:16].replace("T", " "),
                readable(str(h["left"])),
                readable(str(h["right"])),
                h["queries"],
                None if h["overlap"] is None else round(float(h["overlap"]), 3),
                None if h["share"] is None else round(float(h["share"]), 3),
            )
            for h in held
        ]
        return table(("Comparison", "At", "Old", "New", "Queries", "Overlap", "Matched"), rows, whole=[0, 1])

    context.out.show({"comparisons": [dict(h) for h in held]}, lines)
    return 0


def show(data: Mapping[str, Any], context: Context) -> None:
    """A comparison in the format that was asked for."""
    from console.compare import render

    form = context.out.form
    if form == "json":
        output.write_json(data)
    elif form == "markdown":
        output.write_line(render.to_markdown(data))
    elif form == "html":
        output.write_markup(render.to_html(data))
    else:
        for line in render.to_table(data, columns(), verbose=context.out.verbose):
            output.write_line(line)


def request(args: Namespace, ws: Workspace) -> CompareRequest:
    """The comparison that the options ask for. Raises `usage`, `not-found`."""
    from connectors import filters
    from console.compare.request import QUERIES, CompareRequest
    from console.search.request import Upload

    texts, images = list(args.text), [_picture(i, ws) for i in args.image]
    sources = [
        args.queries is not None,
        args.queries_file is not None,
        args.golden is not None,
        bool(texts or images),
    ]
    if sum(sources) > 1:
        raise PlumblineError(
            "usage",
            "Queries come from one place: --queries, --queries-file, --golden, or --text and --image.",
            where="plumbline compare",
        )
    if args.queries_file is not None:
        more, pictures = _from_file(Path(args.queries_file), ws)
        texts, images = texts + more, images + pictures
    found = CompareRequest(
        left=args.left,
        right=args.right,
        queries=QUERIES if args.queries is None else args.queries,
        golden=args.golden,
        texts=tuple(texts),
        images=cast("tuple[Upload, ...]", tuple(images)),
        k=args.k,
        match_on=args.match_on,
        cohorts=tuple(args.cohort),
        threshold=args.threshold,
        population=args.population,
        filter=None if args.filter is None else filters.parse(args.filter),
        query_filter=None if args.query_filter is None else filters.parse(args.query_filter),
        rows=args.rows,
        seed=args.seed,
    )
    return found.check()


def _picture(name: str, ws: Workspace) -> Any:
    """A picture file as an upload, or one that is kept already. Raises `not-found`, `image-refused`."""
    from console.encoders import images
    from console.search import Upload, uploads
    from console.search.encoding import read_image_file

    if (held := Upload.parse(name)) is not None:
        return held
    limits = ws.settings.images.limits
    data = read_image_file(Path(name), ws.home, limits.bytes)
    images.decode(data, limits, name)
    return uploads.keep(ws.home, data)


def _from_file(path: Path, ws: Workspace) -> tuple[list[str], list[Any]]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise PlumblineError("not-found", "There is no such file.", where=str(path)) from None
    except OSError as fault:
        raise PlumblineError(
            "usage", f"The file can't be read ({fault.strerror}).", where=str(path)
        ) from None
    if len(data) > LARGEST:
        raise PlumblineError(
            "usage", f"The file has more than {LARGEST:,} bytes.", where=str(path), hint=_FORMS
        )
    try:
        lines = [line.removesuffix("\r") for line in data.decode("utf-8-sig").split("\n")]
    except UnicodeDecodeError:
        raise PlumblineError("usage", "The file is not UTF-8 text.", where=str(path), hint=_FORMS) from None
    texts: list[str] = []
    pictures: list[Any] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not line.lstrip().startswith("{"):
            texts.append(line.strip())
            continue
        where = f"{path}, line {number}"
        try:
            held: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise PlumblineError("usage", "The line is not JSON.", where=where, hint=_FORMS) from None
        if isinstance(held.get("text"), str):
            texts.append(str(held["text"]))
        elif isinstance(held.get("image"), str):
            pictures.append(_picture(str(path.parent / held["image"]), ws))
        else:
            raise PlumblineError(
                "usage", "The line has neither `text` nor `image`.", where=where, hint=_FORMS
            )
    if not texts and not pictures:
        raise PlumblineError("usage", "The file holds no query.", where=str(path), hint=_FORMS)
    return texts, pictures

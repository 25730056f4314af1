"""A comparison as one HTML file: nothing is fetched, nothing runs, everything is escaped; light and dark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from console.compare.render import reading
from console.compare.render.reading import Data
from console.health.render.html import LAYOUT
from console.health.wording import plain

_HASH: Final = base64.b64encode(hashlib.sha256(LAYOUT.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"


def to_html(data: Data) -> str:
    """The whole comparison with every query, the most changed first."""
    parts = [
        f"<h1>Compared: {_e(reading.title(data))}</h1>",
        f'<p class="lead">{_e(data["summary"])}</p>',
        f"<p>{_e(reading.basis(data))}</p>",
        f'<p class="quiet">Comparison <span class="mono">{_e(data["id"])}</span>, {_e(data["at"])}</p>',
        _pairs(reading.sides(data)),
        "<h2>Neighbours</h2>",
        _pairs(reading.figures(data)),
    ]
    if held := reading.quality(data):
        parts += ["<h2>Judged</h2>", _table(("metric", "old", "new", "difference"), held)]
    if held := reading.translations(data):
        parts += ["<h2>Threshold</h2>", f"<ul>{''.join(f'<li>{_e(said)}</li>' for said in held)}</ul>"]
    if held := reading.cohorts(data):
        parts += ["<h2>By cohort, worst first</h2>", _table(("cohort", "queries", "overlap", "nDCG"), held)]
    every = reading.changed(data, len(data["changed"]))
    parts += [
        "<h2>Queries, the most changed first</h2>",
        _table(("query", "overlap", "lost", "gained"), every),
    ]
    if said := reading.remarks(data):
        parts.append(f"<ul>{''.join(f'<li>{_e(one)}</li>' for one in said)}</ul>")
    if data["not_measured"]:
        parts += ["<h2>Not measured</h2>", _pairs([(h["what"], h["why"]) for h in data["not_measured"]])]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_e(reading.title(data))}</title>",
            f"<style>{LAYOUT}</style></head><body><main>",
            *parts,
            "</main></body></html>",
        ]
    )


def _e(text: object) -> str:
    return escape(plain(str(text), 2000), quote=True)


def _pairs(held: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{_e(name)}</dt><dd>{_e(said)}</dd>' for name, said in held)}</dl>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{_e(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{_e(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"

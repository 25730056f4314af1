"""Reports as one HTML file: nothing is fetched, nothing runs, everything is escaped; light and dark."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final, cast

from console.health.render import pictures, reading
from console.health.render.reading import Data
from console.health.wording import plain

LAYOUT: Final = """
:root { color-scheme: light dark; --text: #16232a; --quiet: #54656e; --ground: #ffffff; --panel: #f4f6f7;
  --line: #d9e0e3; --red: #b3261e; --orange: #8f4a00; --green: #1b7a43; }
@media (prefers-color-scheme: dark) { :root { --text: #e4ebee; --quiet: #a3b3ba; --ground: #0f1619;
  --panel: #172126; --line: #2b3a41; --red: #ff8a80; --orange: #f0a75e; --green: #6fd19a; } }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--ground); color: var(--text);
  font: 15px/1.55 Inter, system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; } p { margin: .4rem 0; }
article + article { margin-top: 4rem; border-top: 1px solid var(--line); padding-top: 2rem; }
section { border: 1px solid var(--line); border-radius: 6px; padding: 1rem; margin: .8rem 0; }
.lead { font-size: 1.1rem; } .quiet { color: var(--quiet); }
.broken, .critical { color: var(--red); } .degraded, .warning { color: var(--orange); } .healthy { color: var(--green); }
code, .mono { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1rem; margin: .6rem 0; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; } td.n, th.n { text-align: right; }
details { margin: .5rem 0; } summary { cursor: pointer; } ul { margin: .4rem 0; padding-left: 1.2rem; }
.do { background: var(--panel); border-radius: 6px; padding: .5rem .8rem; }
.bar { display: flex; height: .8rem; border-radius: 3px; overflow: hidden; background: var(--panel); }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dt { margin-top: .4rem; } }
@media print { section, figure { break-inside: avoid; } }
"""
STYLE: Final = f"{LAYOUT}{pictures.STYLE}"
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"


def to_html(
    data: Data | Sequence[Data],
    errors: Sequence[tuple[str, Mapping[str, str]]] = (),
    skipped: Sequence[tuple[str, str]] = (),
) -> str:
    """One report, or several one below the other.

    `errors`: addresses that could not be examined, and why; `skipped`: those with nothing to examine, and why.
    """
    reports = [data] if isinstance(data, Mapping) else list(data)
    title = ", ".join(f"{reading.verdict(r)}: {reading.address(r)}" for r in reports[:3]) or "No report"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_e(title)}</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *(_report(r) for r in reports),
            *(_unexamined(address, error) for address, error in errors),
            *(_skipped(address, why) for address, why in skipped),
            "</main></body></html>",
        ]
    )


def _e(text: object) -> str:
    return escape(plain(str(text), 2000), quote=True)


def _unexamined(address: str, error: Mapping[str, str]) -> str:
    told = " ".join(error.get(k, "") for k in ("message", "hint")).strip()
    return (
        f'<article><h1 class="broken">Not examined</h1><p class="mono">{_e(plain(address, 300))}</p>'
        f'<p class="lead">{_e(plain(told))}</p><p><code>{_e(error.get("code", ""))}</code></p></article>'
    )


def _skipped(address: str, why: str) -> str:
    return (
        f'<article><h1>Skipped</h1><p class="mono">{_e(plain(address, 300))}</p>'
        f'<p class="lead">{_e(plain(why))}</p></article>'
    )


def _report(data: Data) -> str:
    held = reading.parts(data)
    state = str(data["verdict"]) if str(data["verdict"]) in reading.VERDICTS else "not_known"
    out = [
        "<article>",
        f'<h1><span class="{state}">{_e(reading.verdict(data))}</span> <span class="mono">'
        f"{_e(reading.address(data))}</span></h1>",
        f'<p class="lead">{_e(reading.headline(data))}</p>',
        f'<p class="quiet">{_e(reading.basis(data))}. Report <code>{_e(data.get("id") or "")}</code></p>',
    ]
    if held.roots:
        out.append("<h2>Causes</h2>")
    out += [_finding(root.finding, root.symptoms) for root in held.roots]
    if held.others:
        out += ["<h2>Also seen</h2>", *(_finding(f, ()) for f in held.others)]
    if held.accepted:
        out.append("<h2>Accepted</h2>")
        out += [
            f"<section>{_heading(f)}<p>{_e(reading.summary(f))}</p>"
            f'<p class="quiet">Accepted: {_e(reading.acceptance(f))}</p></section>'
            for f in held.accepted
        ]
    out += [*pictures.pictures(data), *_figures(data)]
    if held.limits:
        out += [
            "<h2>What this report can not see</h2><ul>",
            *(f"<li>{_e(x)}</li>" for x in held.limits),
            "</ul>",
        ]
    if held.not_measured:
        out.append("<h2>Not measured</h2><ul>")
        out += [f"<li>{_codes(checks)}: {_e(why)}</li>" for why, checks in reading.grouped(held.not_measured)]
        out.append("</ul>")
    return "\n".join([*out, "</article>"])


def _heading(finding: Data) -> str:
    severity = str(finding.get("severity"))
    kind = severity if severity in reading.SEVERITIES else "info"
    share = reading.share(finding)
    told = f' <span class="quiet">{_e(share)}</span>' if share else ""
    return f'<h3><span class="{kind}">{kind}</span> <code>{_e(finding["code"])}</code>{told}</h3>'


def _finding(finding: Data, symptoms: Iterable[Data]) -> str:
    action, advice = reading.remedy(finding)
    ids, more = reading.ids(finding, 20)
    out = ["<section>", _heading(finding), f"<p>{_e(reading.summary(finding))}</p>"]
    if told := reading.acceptance(finding):
        out.append(f'<p class="quiet">Accepted: {_e(told)}</p>')
    if advice:
        out.append(f'<p class="do"><code>{_e(action)}</code> {_e(advice)}</p>')
    facts = reading.evidence(finding, 40)
    if facts or ids:
        out.append("<details><summary>Evidence</summary><dl>")
        out += [f"<dt>{_e(name)}</dt><dd>{_e(shown)}</dd>" for name, shown in facts]
        if ids:
            rest = f" and {more:,} more" if more else ""
            out.append(f"<dt>rows</dt><dd>{_codes(ids)}{_e(rest)}</dd>")
        out.append("</dl></details>")
    follow = list(symptoms)
    if follow:
        out.append(f"<details><summary>Follows from it ({len(follow)})</summary><ul>")
        out += [f"<li><code>{_e(f['code'])}</code> {_e(reading.summary(f))}</li>" for f in follow]
        out.append("</ul></details>")
    return "\n".join([*out, "</section>"])


def _codes(held: Iterable[str]) -> str:
    return ", ".join(f"<code>{_e(c)}</code>" for c in held)


def _figures(data: Data) -> list[str]:
    profile = cast("Data", data.get("profile") or {})
    norms = cast("Data", profile.get("norms") or {})
    server = cast("Data", data.get("server") or {})
    policy = cast("Data", data.get("policy") or {})
    rows: list[tuple[str, object]] = [
        ("server", f"{server.get('kind', '')} {server.get('version') or ''}"),
        ("dimension", profile.get("dimension")),
        ("metric", profile.get("metric")),
        *((f"length, {name}", norms.get(name)) for name in ("mean", "std", "min", "max")),
        ("zero vectors", profile.get("zero")),
        ("not finite", profile.get("non_finite")),
        ("without the vector", profile.get("missing")),
        ("duplicates", profile.get("duplicates")),
        ("baseline", data.get("baseline")),
        ("policy", f"{policy.get('name', '')} {policy.get('version', '')}"),
    ]
    out = ["<h2>Figures</h2><dl>"]
    out += [f"<dt>{_e(n)}</dt><dd>{_e(reading.value(v))}</dd>" for n, v in rows if v is not None]
    out.append("</dl>")
    versions = cast("Mapping[str, int]", profile.get("versions") or {})
    if versions:
        out.append('<h2>Versions</h2><table><tr><th>tag</th><th class="n">rows</th></tr>')
        listed = sorted(versions.items(), key=lambda item: -item[1])[:40]
        out += [
            f"<tr><td><code>{_e(tag)}</code> {_e(_others(data) if tag == '(other)' else '')}</td>"
            f'<td class="n">{_e(reading.value(n))}</td></tr>'
            for tag, n in listed
        ]
        untagged = profile.get("untagged")
        if untagged:
            out.append(f'<tr><td>untagged</td><td class="n">{_e(reading.value(untagged))}</td></tr>')
        out.append("</table>")
    return out


def _others(data: Data) -> str:
    """How many tags are together, and the heavy ones of them."""
    named = cast("Data", data.get("fields") or {}).get("version")
    groups = cast("Data", cast("Data", data.get("profile") or {}).get("groups") or {})
    held = cast("Data", cast("Data", groups.get(str(named)) or {}).get("(other)") or {})
    if "values" not in held:
        return ""
    exact = held.get("values_at_least") == held.get("values_at_most")
    said = f"{'' if exact else 'about '}{reading.value(held['values'])} tags"
    heavy = cast("Sequence[Data]", held.get("heavy") or [])[:3]
    told = [
        f"{plain(str(h.get('value')), 60)} on {reading.value(h.get('at_least'))}"
        + (f" to {reading.value(h.get('at_most'))}" if h.get("at_most") != h.get("at_least") else "")
        for h in heavy
    ]
    return said + (f", among them {', '.join(told)}" if told else "")

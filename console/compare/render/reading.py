"""What the renderings of a comparison share: its figures in words, in an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from console.compare.words import left_over
from console.compare.words import share as share_in_words
from console.health.wording import plain
from console.search.wording import chance
from console.settings import readable

Data = Mapping[str, Any]
CHANGED: Final = 10
"""Queries that are listed, the most changed first."""
IDS: Final = 6


def share(held: Mapping[str, Any] | None, digits: int = 3) -> str:
    """`.412 (95% .371 to .455)`; "not measured" with the reason."""
    if held is None:
        return "not measured"
    if "not_measured" in held:
        return f"not measured: {held['not_measured']}"
    return f"{held['mean']:.{digits}f} (95% {held['low']:.{digits}f} to {held['high']:.{digits}f})"


def title(data: Data) -> str:
    return f"{plain(readable(str(data['left'])), 200)} -> {plain(readable(str(data['right'])), 200)}"


def sides(data: Data) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for name, label in (("left", "Old"), ("right", "New")):
        held = data["sides"][name]
        used: Any = held.get("encoder")
        encoder = str(used["name"]) if used else "encoder not known"
        basis = "encoded for this" if held["basis"] == "encoded" else f"{held['rows']:,} rows"
        out.append(
            (label, f"{plain(readable(held['address']), 200)}: {plain(encoder, 80)}, {held['dimension']} dimensions, "
                    f"{held['metric']}, {basis}")
        )  # fmt: skip
    return out


READINGS: Final = {
    "same": "the old one as it is",
    "rotated": "the old one, turned",
    "different": "another",
}


def remarks(data: Data) -> list[str]:
    """What to beware of: warnings, what each side remarks, queries that could not be asked, judgements of other rows."""
    out = [f"Warning: {plain(str(w), 600)}" for w in data["warnings"]]
    for name, label in (("left", "Old"), ("right", "New")):
        out += [f"{label} side: {plain(str(note), 400)}" for note in data["sides"][name].get("notes") or ()]
    for held in data["query_source"].get("dropped") or ():
        count = int(held["queries"])
        what = "query was" if count == 1 else "queries were"
        out.append(f"{count:,} {what} left out: {plain(str(held['why']), 300)}.")
    judged: Any = data.get("quality")
    outside = int(judged.get("judged_outside_the_pool") or 0) if judged else 0
    if outside:
        rows = "row is" if outside == 1 else "rows are"
        out.append(f"{outside:,} judged {rows} not among those that both sides hold, and count for nothing.")
    return out


def basis(data: Data) -> str:
    """Queries and rows that the figures are of."""
    source, pool, matched = data["query_source"], data["pool"], data["matched"]
    golden: Any = source.get("golden") or {"name": "", "version": None}
    kind = {
        "rows": "stored rows, drawn at random",
        "given": "given texts and pictures",
        "golden": f"golden set {plain(golden['name'], 80)}, version {golden['version']}",
    }[source["kind"]]
    said = f"{data['queries']:,} queries ({kind}); {pool['rows']:,} rows that both sides hold ({matched['share']:.1%} of all, matched by {plain(matched['by'], 80)})"
    return f"{said}. {plain(pool['why'], 300)}" if pool.get("why") else f"{said}."


def figures(data: Data) -> list[tuple[str, str]]:
    """The neighbour sets, and what is noise in them."""
    k, noise, moved = data["k"], data["noise"], data["displacement"]
    out = [
        (f"overlap@{k}", share(data["overlap_at_k"])),
        (f"Jaccard@{k}", share(data["jaccard"])),
        (f"rank-biased overlap (p {data['p']:g})", share(data["rank_biased_overlap"])),
        ("same first row", share(data["top1"])),
    ]
    if moved.get("kept"):
        out.append(("kept rows move by", f"{moved['kept']['mean']:.2f} ranks on average"))
    lost = moved.get("lost_rank")
    if lost:
        where = "beyond" if lost["median"] is None else f"{lost['median']:.0f}, or beyond"
        out.append(
            ("lost rows go to rank", f"{where} {lost['depth']} for {lost['beyond_share']:.0%} of them")
        )
    out.append(("by chance alone", f"{noise['chance']:.4f}"))
    out += [
        ("index against exact, old", share(noise["left_index"])),
        ("index against exact, new", share(noise["right_index"])),
        ("index against index", share(noise["both_indexes"])),
    ]
    for name, label in (("left", "old"), ("right", "new")):
        held = noise["anchors"][name]
        if "not_measured" in held:
            out.append((f"rounding the {label} space", f"not measured: {held['not_measured']}"))
        else:
            said = ", ".join(f"{kind} {held[kind]:.3f}" for kind in ("fp16", "bf16", "int8"))
            out.append((f"rounding the {label} space", said))
    structure = data["structure"]
    cka, turned = structure["cka"], structure["procrustes"]
    out.append(
        (
            "CKA (debiased)",
            f"not measured: {cka['not_measured']}" if "not_measured" in cka else f"{cka['value']:.3f}",
        )
    )
    out.append(
        (
            "left after a rotation",
            f"not measured: {turned['not_measured']}"
            if "not_measured" in turned
            else f"{turned['residual']:.3f} of the spread, on {turned['rows_held_out']:,} other rows",
        )
    )
    if structure.get("reading"):
        out.append(("the new space is", f"{READINGS[structure['reading']]}{but_for(structure)}"))
    return out


def but_for(structure: Mapping[str, Any]) -> str:
    """`, but for 10% of the rows` (comparisons of earlier versions don't know them), or `of its spread`."""
    held: Any = structure.get("outliers") or {}
    if held.get("count"):
        return f", but for {share_in_words(held['share'])} of the rows"
    over = left_over(structure)
    return "" if over is None else f", but for {share_in_words(over)} of its spread"


def quality(data: Data) -> list[tuple[str, str, str, str]]:
    """Metric, old, new, difference."""
    judged: Any = data.get("quality")
    held: Mapping[str, Any] = judged["metrics"] if judged else {}
    return [
        (
            name,
            f"{h['left']['mean']:.3f}",
            f"{h['right']['mean']:.3f}",
            f"{h['difference']['mean']:+.3f} (95% {h['difference']['low']:+.3f} to {h['difference']['high']:+.3f}, p {chance(h['difference']['p_value'])})",
        )
        for name, h in held.items()
    ]


def cohorts(data: Data) -> list[tuple[str, str, str, str]]:
    """Cohort, queries, overlap, difference of nDCG; worst first."""
    out: list[tuple[str, str, str, str]] = []
    for field, rows in data["cohorts"].items():
        for row in rows:
            judged: Any = row.get("quality")
            apart: Any = judged["difference"] if judged else None
            said = (
                "" if apart is None else f"{apart['mean']:+.3f} ({apart['low']:+.3f} to {apart['high']:+.3f})"
            )
            out.append(
                (
                    f"{plain(field, 60)} = {plain(str(row['value']), 60)}",
                    f"{row['queries']:,}",
                    share(row["overlap_at_k"]),
                    said,
                )
            )
    return out


def translations(data: Data) -> list[str]:
    """The threshold translator, a line each."""
    held = data.get("thresholds")
    if not held:
        return []
    if "not_measured" in held:
        return [f"not measured: {plain(held['not_measured'], 300)}"]
    where = "the first hit of each query" if held["population"] == "top1" else "every hit of each query"
    out: list[str] = []
    for one in held["translations"]:
        if one["new"] is None:
            out.append(f"by equal {one['by']}: {one['verdict']}{_because(one)}")
            continue
        same = one["agreement"]
        out.append(
            f"by equal {one['by']} over {where}: {one['old']:.4f} becomes {one['new']:.4f} (95% {_number(one['low'])} to "
            f"{_number(one['high'])}); {one['accepted']:,} accepted become {one.get('accepted_new', one['accepted']):,}, "
            f"{same['jaccard']:.0%} of both the same"
            + (f"; {one['verdict']}" if one["verdict"] != "translated" else "")
            + ("; one threshold does not fit every cohort" if one.get("fits_all") is False else "")
        )
    nonsense: Any = held.get("nonsense") or {}
    if "not_measured" not in nonsense and nonsense:
        said = ", ".join(
            f"{label} lets in {nonsense[name]['accepted_share']:.0%} of {nonsense[name]['queries']} nonsense texts"
            for name, label in (("left", "the old cutoff"), ("right", "the new one"))
            if nonsense[name].get("accepted_share") is not None
        )
        if said:
            out.append(said)
    return out


def changed(data: Data, most: int = CHANGED, named: int = IDS) -> list[tuple[str, str, str, str]]:
    """Query, overlap, lost ids, gained ids; of queries that lost or gained something."""
    return [
        (
            plain(str(q["query"]), 80),
            f"{q['overlap']:.2f}" if q["overlap"] is not None else "",
            ids(q["lost"], named),
            ids(q["gained"], named),
        )
        for q in data["changed"]
        if q["lost"] or q["gained"]
    ][:most]


def ids(held: Sequence[Any], named: int = IDS) -> str:
    more = f" +{len(held) - named}" if len(held) > named else ""
    return ", ".join(plain(str(i), 40) for i in held[:named]) + more


def _because(one: Mapping[str, Any]) -> str:
    return f": {plain(str(one['why']), 300)}" if one.get("why") else ""


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4f}"

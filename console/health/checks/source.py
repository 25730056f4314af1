"""What was embedded: nothing, or more than the encoder reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from console.health.findings import SAMPLE_IDS, Effect, Finding, Mask, NotMeasured, Outcomes, Remedy
from console.health.origins import value_at
from console.health.probes.source import Tokens
from console.health.registry import Threshold, check
from console.health.shares import masks, share_of
from console.health.table import U64

if TYPE_CHECKING:
    from console.health.evidence import Evidence
    from console.health.findings import Severity
    from console.health.policy import Policy

KINDS: Final = ("type", "kind", "media_type", "content_type", "modality")
"""Names of fields that say what sort of thing a row is."""
NOTHING: Final = frozenset({"", "nan", "none", "null", "undefined", "n/a", "<na>"})
"""What is left of a missing value that was written as text; also words that a list of words or names may hold."""


@check(
    "empty-source",
    fault="rows were embedded from nothing",
    kind="rows",
    stage="identity",
    severities=("info", "warning"),
    actions=("reingest",),
    thresholds=(
        Threshold("warning", 0.0, "any row: a vector of nothing is near every query alike"),
        Threshold(
            "worded_rows",
            3,
            "with one and the same word for nothing; each row of a vocabulary has a word of its own, twice at most as cased",
        ),
        Threshold(
            "elsewhere",
            0.1,
            "share from which rows without a source, whose vectors differ, were embedded from another field",
        ),
    ),
)
def empty_source(evidence: Evidence, policy: Policy) -> Outcomes:
    code, names, table = "empty-source", evidence.names, evidence.table
    if names.text is None and names.image is None:
        return [
            NotMeasured(
                code, "No field with a text or a picture is known: set `text_field` or `image_field`."
            )
        ]
    looked = evidence.kept & table.present
    n = int(looked.sum())
    if not n:
        return [NotMeasured(code, "No row has a vector.")]
    wrong = _nothing(evidence, looked, policy.get(code, "worded_rows"))
    count = int(wrong.sum())
    if not count:
        return []
    share, low, high = share_of(count, n, evidence.scan.exact)
    design = _by_design(evidence, looked, wrong)
    severity: Severity = "warning" if low > policy.get(code, "warning") else "info"
    distinct = len(np.unique(table.digest[wrong]))
    elsewhere = share > policy.get(code, "elsewhere") and distinct * 2 > count
    if elsewhere or design is not None:
        severity = "info"
    fields = " nor ".join(f"`{f}`" for f in (names.image, names.text) if f is not None)
    summary = f"{count:,} of {n:,} rows have a vector and nothing in {fields}"
    if design is not None:
        summary += f"; by `{design}` it is all rows or none."
    elif distinct == 1 and count > 1:
        summary += "; all of them have one and the same vector."
    else:
        summary += "; their vectors differ." if elsewhere else "."
    lengths = table.text_length[looked & (table.text_length >= 0)]
    return [
        Finding(
            code,
            severity,
            summary,
            evidence.scan.basis,
            Remedy(
                "reingest",
                "Look where these rows come from: give them their text or picture and embed them, or delete them."
                " If they were embedded from another field, set `text_field` or `image_field`.",
            ),
            rows=count,
            share=share,
            interval=None if evidence.scan.exact else (low, high),
            effect=Effect(share, policy.get(code, "warning"), low, high, "share of rows without a source"),
            evidence={
                "fields": [f for f in (names.image, names.text) if f is not None],
                "rows_with_vector": n,
                "without_any_value": int((wrong & (table.source == 0)).sum()),
                "blank_or_a_word_for_nothing": int((wrong & (table.source != 0)).sum()),
                "distinct_vectors": distinct,
                "by_design": design,
                "text_length": _percentiles(lengths),
            },
            sample_ids=table.ids.take(np.flatnonzero(wrong)[:SAMPLE_IDS]),
            affected=wrong,
        )
    ]


@check(
    "cut-source",
    fault="texts are longer than the encoder reads",
    kind="rows",
    stage="identity",
    severities=("info", "warning"),
    actions=("reingest",),
    thresholds=(
        Threshold("warning", 0.01, "share of texts that are cut, by its lower bound: one in a hundred"),
    ),
)
def cut_source(evidence: Evidence, policy: Policy) -> Outcomes:
    code, table = "cut-source", evidence.table
    probed = evidence.get(Tokens)
    if isinstance(probed, NotMeasured):
        lengths = table.text_length[evidence.kept & (table.text_length >= 0)]
        why = probed.why
        if len(lengths):
            middle, most = int(np.median(lengths)), int(lengths.max())
            why += f" Texts have {middle:,} characters in the median and {most:,} at most; tokens were not counted."
        return [NotMeasured(code, why)]
    left = evidence.kept[probed.rows]
    n = int(left.sum())
    if not n:
        return [NotMeasured(code, "No row with a text is left.")]
    long = left & (probed.counts > probed.context)
    count = int(long.sum())
    if not count:
        return []
    share, low, high = share_of(count, n, probed.every)
    lost = 1 - probed.context / probed.counts[long].astype(np.float64)
    affected, examined = masks(len(table), probed.rows[long], probed.rows[left])
    return [
        Finding(
            code,
            "warning" if low > policy.get(code, "warning") else "info",
            f"{count:,} of {n:,} texts are longer than the {probed.context:,} tokens that `{probed.encoder}` reads:"
            f" in the median {np.median(lost):.0%} of such a text is not in its vector.",
            "exact" if probed.every else "sample",
            Remedy(
                "reingest",
                "Split long texts into parts of their own rows, or embed a summary, or use an encoder that reads more.",
            ),
            rows=count,
            share=share,
            interval=None if probed.every else (low, high),
            effect=Effect(share, policy.get(code, "warning"), low, high, "share of texts that are cut"),
            evidence={
                "encoder": probed.encoder,
                "context_length": probed.context,
                "texts": n,
                "tokens": _percentiles(probed.counts[left]),
                "share_lost": {"median": float(np.median(lost)), "max": float(lost.max())},
            },
            sample_ids=table.ids.take(np.sort(probed.rows[long])[:SAMPLE_IDS]),
            affected=affected,
            examined=examined,
        )
    ]


def _nothing(evidence: Evidence, looked: Mask, several: float) -> Mask:
    """Rows of no value or blanks, and those of a word for nothing which `several` rows have, or whose vector is also
    that of another nothing: one row of such a word alone may mean the word.
    """
    table = evidence.table
    blank, words = _worded(evidence)
    empty = looked & ((table.source == 0) | np.isin(table.source, blank))
    worded = looked & np.isin(table.source, words)
    held, counts = np.unique(table.source[worded], return_counts=True)
    empty |= looked & np.isin(table.source, held[counts >= several])
    left = worded & ~empty
    pairs = np.unique(np.stack([table.digest[left], table.source[left]]), axis=1)
    vectors, sources = np.unique(pairs[0], return_counts=True)
    shared = np.concatenate([table.digest[empty], vectors[sources > 1]])
    return empty | (left & np.isin(table.digest, shared))


def _worded(evidence: Evidence) -> tuple[U64, U64]:
    """Hashes of sources that are only blanks, and of those that are a word for nothing, as the sampled rows show them."""
    names, table = evidence.names, evidence.table
    blank: set[int] = set()
    words: set[int] = set()
    for row, payload in zip(evidence.reservoir.rows, evidence.reservoir.payloads, strict=True):
        if value_at(payload, names.image) not in (None, ""):
            continue
        value, source = value_at(payload, names.text), int(table.source[row])
        if isinstance(value, str) and source and (said := value.strip().lower()) in NOTHING:
            (words if said else blank).add(source)
    return np.array(sorted(blank), np.uint64), np.array(sorted(words), np.uint64)


def _by_design(evidence: Evidence, looked: Mask, wrong: Mask) -> str | None:
    """The modality or type field whose values have either all or none of their rows without a source."""
    names = evidence.names
    for field in dict.fromkeys((names.modality, *(g for g in names.groups if g.rpartition(".")[2] in KINDS))):
        held = evidence.group(field)
        if held is None:
            continue
        total = np.bincount(held.codes[looked])
        without = np.bincount(held.codes[wrong], minlength=len(total))
        if ((without == 0) | (without == total)).all() and (without == 0)[total > 0].any():
            return str(field)
    return None


def _percentiles(values: Any) -> dict[str, float] | None:
    if not len(values):
        return None
    found = np.quantile(values, (0.05, 0.5, 0.95, 0.99))
    held = dict(zip(("p5", "median", "p95", "p99"), (float(v) for v in found), strict=True))
    return {**held, "max": float(values.max())}

"""Which encoder made a row: tags that claim one, candidates that could have, and what re-encoding says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from connectors.errors import PlumblineError
from console.health.table import ABSENT, F32, F64, I64
from console.search.fields import tag_of
from console.search.proportions import clopper_pearson

if TYPE_CHECKING:
    from console.encoders import Encoder, EncoderSpec
    from console.health.evidence import Evidence
    from console.health.findings import Mask

SAME: Final = 0.99
"""Cosine from which a vector counts as an encoder's own: half precision, another library or graphics card stay
above .999, another preprocessing of pictures above .99; a different encoder stays near 0."""
OTHERS: Final = 3
"""Configured encoders that are tried besides the one that was asked for."""

NOBODY: Final = -2
"""A tag that names no configured encoder."""
UNTAGGED: Final = -1
OWN: Final = 0
"""The encoder that was asked for; 1 and up: another one's."""


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """Whom the rows' version tags claim. `codes`: (n,) NOBODY, UNTAGGED, OWN, or 1 + index into `others`.

    `tags`: encoder -> a tag of this collection that names it. `field`: there is a version field at all.
    """

    codes: I64
    others: tuple[str, ...]
    tags: Mapping[str, str]
    field: bool


def owners(evidence: Evidence, live: EncoderSpec, specs: Mapping[str, EncoderSpec]) -> Owners:
    """Reads every row's tag as an encoder, seen from `live`."""
    from console.search.ownership import owner_of

    held = evidence.table.groups.get(evidence.names.version)
    if held is None:
        return Owners(np.full(len(evidence.table), UNTAGGED, np.int64), (), {}, field=False)
    whose = owner_of(live, specs)
    others: list[str] = []
    tags: dict[str, str] = {}
    meaning = np.full(max(len(held.values) + 1, int(held.codes.max(initial=0)) + 1), NOBODY, np.int64)
    meaning[ABSENT] = UNTAGGED
    for i, value in enumerate(held.values):
        tag = tag_of(value)
        if tag is None:
            meaning[i + 1] = UNTAGGED
            continue
        name = whose(tag)
        if name is None or i + 1 == held.other:
            continue
        tags.setdefault(name, tag)
        if name == live.name:
            meaning[i + 1] = OWN
        else:
            if name not in others:
                others.append(name)
            meaning[i + 1] = 1 + others.index(name)
    return Owners(meaning[held.codes.astype(np.int64)], tuple(others), tags, field=True)


def candidates(
    specs: Mapping[str, EncoderSpec], live: EncoderSpec, dimension: int, named: Sequence[str]
) -> list[EncoderSpec]:
    """At most `OTHERS` other encoders that could have made vectors of this dimension, those of a tag first.

    One whose dimension is not known without loading it is tried only where a tag names it.
    """
    from console.search.ownership import same_encoder

    found: list[EncoderSpec] = []
    for name in (*named, *sorted(set(specs) - set(named))):
        spec = specs.get(name)
        if spec is None or any(same_encoder(spec, held) for held in (live, *found)):
            continue
        if spec.dimension == dimension or (spec.dimension is None and name in named):
            found.append(spec)
    return found[:OTHERS]


def load_others(
    wanted: Sequence[EncoderSpec], load: Callable[[EncoderSpec], Encoder], dimension: int
) -> tuple[list[Encoder], tuple[str, ...]]:
    """Those that could be loaded and have the dimension, and the names of those that could not."""
    loaded: list[Encoder] = []
    failed: list[str] = []
    for spec in wanted:
        try:
            encoder = load(spec)
        except PlumblineError as error:
            if error.code not in ("encoder-unavailable", "extra-missing"):
                raise
            failed.append(spec.name)
        else:
            if encoder.dimension == dimension:
                loaded.append(encoder)
    return loaded, tuple(failed)


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """Whom re-encoding names. `made_by`: (m,) index into `names`, -1 where none or several fit.

    `confidence`: (m,) 1 - the angle to the encoder named / the angle to the next one, 0 where none is named.
    """

    names: tuple[str, ...]
    made_by: I64
    confidence: F64


def attribute(by: Mapping[str, F32], same: float = SAME) -> Attribution:
    """`by`: encoder -> (m,) cosines between the row's vector and that encoder's of its source, NaN for not tried."""
    names = tuple(by)
    if not names:
        return Attribution((), np.zeros(0, np.int64), np.zeros(0))
    held = np.stack([np.asarray(by[name], np.float64) for name in names])
    held = np.where(np.isfinite(held), np.clip(held, -1.0, 1.0), -1.0)
    one = (held >= same).sum(axis=0) == 1
    best = held.argmax(axis=0)
    angles = np.sort(np.arccos(held), axis=0)
    runner_up = angles[1] if len(names) > 1 else np.full(held.shape[1], np.pi / 2)
    confidence = 1 - angles[0] / np.maximum(runner_up, 1e-9)
    return Attribution(names, np.where(one, best, -1), np.where(one, np.clip(confidence, 0.0, 1.0), 0.0))


def inferred_versions(evidence: Evidence) -> dict[str, dict[str, Any]] | None:
    """`inferred_versions` of `plumbline check`: TAG -> rows and confidence of the untagged rows; None: not inferred.

    `rows`: of the whole collection, with `low` and `high` where it is estimated from a sample of the untagged
    rows. `confidence`: the mean of the rows' own; see `Attribution`.
    """
    from console.health.probes.reencode import Reencoded

    probed = evidence.get(Reencoded)
    if not isinstance(probed, Reencoded):
        return None
    mine = evidence.kept[probed.rows] & probed.owner_is(UNTAGGED)
    n = int(mine.sum())
    if not n:
        return None
    total, least, most = untagged_rows(evidence, probed.untagged)
    found = attribute({name: cosine[mine] for name, cosine in probed.by.items()})
    out: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(found.names):
        hits = found.made_by == i
        count = int(hits.sum())
        if not count:
            continue
        entry: dict[str, Any] = {
            "rows": round(count / n * total),
            "confidence": round(float(found.confidence[hits].mean()), 4),
            "sampled": n,
        }
        if not (least == most == n):
            low, high = clopper_pearson(count, n)
            entry |= {"low": round(low * least), "high": round(high * most)}
        out[probed.tags.get(name, name)] = entry
    return out


def untagged_rows(evidence: Evidence, untagged: Mask) -> tuple[int, float, float]:
    """Untagged rows with a direction in the whole collection, and their interval where it was not read whole.

    Of an earlier sample read again only its own: it says nothing of the rows that came since.
    """
    held, scan = int((evidence.good & untagged).sum()), evidence.scan
    if scan.exact or scan.again or not scan.scanned:
        return held, held, held
    low, high = clopper_pearson(held, scan.scanned)
    return round(held / scan.scanned * scan.rows), low * scan.rows, high * scan.rows

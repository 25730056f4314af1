"""The version guard: does what searches speak the language of what is stored?

Vectors of two encoders may have the same dimension; then nothing fails, and the answers are noise. So
before a query is sent the tags of the collection's rows are counted (never on a page load, kept for
`KEPT` seconds), and the query stops where they belong to somebody else.
"""

from __future__ import annotations

import math
import re
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.errors import PlumblineError
from connectors.model import Target
from connectors.protocol import Reader
from console.search.answer import VersionMix
from console.search.fields import tag_of
from console.search.proportions import clopper_pearson

KEPT: Final = 60.0
"""Seconds for which a version mix is believed."""
SAMPLE: Final = 1_000
MOST_TAGS: Final = 1_000
OWN: Final = 0.5
"""Share of the tagged rows below which a query stops."""
SHOWN: Final = 5
"""Tags that a message names."""
_OVERRIDE: Final = ", or override for this query with --allow-mismatch."
_INSTEAD: Final = re.compile(r"Search with --encoder (\S+?)(?=[,.]?(\s|$))")


def without_options(stop: PlumblineError) -> tuple[PlumblineError, str | None]:
    """A stop in words that name no option of the command line, and the encoder to search with instead."""
    found = _INSTEAD.search(stop.hint)
    hint = _INSTEAD.sub(r"Search with the encoder `\1`", stop.hint.replace(_OVERRIDE, "."))
    return PlumblineError(stop.code, stop.message, where=stop.where, hint=hint), found[1] if found else None


@dataclass(frozen=True, slots=True)
class Reading:
    """A version mix, or None with the reason in `why`."""

    mix: VersionMix | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`stop`: the query must not be sent. `warnings`: what its answer has to say."""

    stop: PlumblineError | None = None
    warnings: tuple[str, ...] = ()


class Mixes:
    """Version mixes that were read, each believed for `KEPT` seconds. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[tuple[Any, ...], tuple[float, Reading]] = {}
        self._reading: dict[tuple[Any, ...], threading.Lock] = {}

    def read(
        self, connector: Reader, target: Target, tag_field: str, timeout: float | None = None
    ) -> Reading:
        """The mix of a collection (an alias resolved) by its version field; one reading at a time."""
        spec = connector.spec
        key = (spec.name, spec.url, spec.path, target.collection, target.tenant, tag_field)
        with self._lock:
            gate = self._reading.setdefault(key, threading.Lock())
        with gate:
            held = self._held.get(key)
            if held is not None and self._clock() - held[0] < KEPT:
                return held[1]
            reading = read_mix(connector, target, tag_field, timeout)
            now = self._clock()
            with self._lock:
                for stale in [k for k, (at, _) in self._held.items() if now - at >= KEPT]:
                    del self._held[stale]
                if not reading.why:
                    self._held[key] = (now, reading)
            return reading

    def forget(self) -> None:
        with self._lock:
            self._held.clear()


_MIXES: Final[weakref.WeakKeyDictionary[Any, Mixes]] = weakref.WeakKeyDictionary()
_MIXES_LOCK: Final = threading.Lock()


def mixes_of(workspace: object) -> Mixes:
    """The mixes that the queries of one workspace share."""
    with _MIXES_LOCK:
        return _MIXES.setdefault(workspace, Mixes())


def read_mix(connector: Reader, target: Target, tag_field: str, timeout: float | None = None) -> Reading:
    """Count by facet or Aggregate where that needs no scan, else from the tags of `SAMPLE` sampled rows.

    A collection without a tagged row has no version field: the mix is not known, and that is no fault.
    Where the tags can't be read the reason is given; the search itself then says what is wrong.
    """
    try:
        facet = connector.facet(target, tag_field, limit=MOST_TAGS, timeout=timeout)
    except PlumblineError as fault:
        if fault.code in ("not-found", "unreachable", "unauthorised", "timeout", "tls", "wrong-protocol"):
            return Reading(None, fault.message)
    else:
        tags = Counter[str]()
        for value, rows in facet.values.items():
            if (tag := tag_of(value)) is not None:
                tags[tag] += rows
        tagged = sum(tags.values())
        return _mix(tag_field, tags, max(facet.rows, tagged), facet.exact)
    try:
        batch = connector.sample(target, SAMPLE, (), (tag_field,), timeout=timeout)
    except PlumblineError as fault:
        return Reading(None, fault.message)
    seen = Counter(t for t in map(tag_of, batch.columns.get(tag_field, ())) if t is not None)
    return _mix(tag_field, seen, len(batch), len(batch) < SAMPLE, sampled=True)


def judge(
    where: str,
    live: str,
    known: str | None,
    reading: Reading,
    owner: Callable[[str], str | None],
    *,
    marked: str | None = None,
    allow: bool = False,
) -> Verdict:
    """Whether a query by the encoder `live` may be sent.

    Stops with `encoder-mismatch` where the field's known encoder is not the live one, or under half of
    the tagged rows are its own while the tags name any encoder at all.

    Args:
        known: the field's known encoder, where it is another one than `live`.
        owner: names the encoder that a tag resolves to; None where it is nobody's.
        marked: what the collection's marker calls an encoder of another fingerprint than `live`'s.
        allow: turns the stop into a warning.
    """
    stop = _another(where, live, known, marked)
    warnings: list[str] = []
    if reading.mix is not None:
        mixed = _Mixed(where, live, reading.mix, {tag: owner(tag) for tag in reading.mix.shares})
        if stop is None:
            stop = mixed.stop()
        if stop is None or allow:
            warnings += mixed.warnings()
    elif reading.why:
        warnings.append(f"{where}: the version mix could not be read: {reading.why}")
    if stop is not None and allow:
        return Verdict(None, (f"{where}: mismatch overridden. {stop.message} {_EFFECT}", *warnings))
    return Verdict(stop, tuple(warnings))


def _another(where: str, live: str, known: str | None, marked: str | None) -> PlumblineError | None:
    if known is not None and known != live:
        return PlumblineError(
            "encoder-mismatch",
            f"The vectors are known to be made by the encoder `{known}`, the query would be encoded by `{live}`.",
            where=where,
            hint=f"{_EFFECT} Search with --encoder {known}{_OVERRIDE}",
        )
    if marked is None:
        return None
    return PlumblineError(
        "encoder-mismatch",
        f"The collection's marker says that the vectors were made by {marked}, which is not what `{live}` is now.",
        where=where,
        hint=f"{_EFFECT} Configure the encoder of that fingerprint, rebuild the vectors{_OVERRIDE}",
    )


@dataclass(frozen=True, slots=True)
class _Mixed:
    """A mix seen from the live encoder. `owners`: tag -> encoder, None where it is nobody's."""

    where: str
    live: str
    mix: VersionMix
    owners: Mapping[str, str | None]

    @property
    def own(self) -> float:
        return math.fsum(s for tag, s in self.mix.shares.items() if self.owners[tag] == self.live)

    @property
    def enough(self) -> bool:
        return self.own >= OWN - 1e-9

    @property
    def foreign(self) -> dict[str, float]:
        return {t: s for t, s in self.mix.shares.items() if self.owners[t] not in (None, self.live)}

    @property
    def unknown(self) -> dict[str, float]:
        return {t: s for t, s in self.mix.shares.items() if self.owners[t] is None}

    def stop(self) -> PlumblineError | None:
        if self.enough or all(owner is None for owner in self.owners.values()):
            return None
        others = sorted({f"`{self.owners[t]}`" for t in self.foreign}) or [f"`{t}`" for t in self.unknown]
        return PlumblineError(
            "encoder-mismatch",
            f"The query would be encoded by `{self.live}`, but only {_share_text(self.mix, self.own)} of the"
            f" tagged rows are its own; the others are by {', '.join(others[:SHOWN])}.",
            where=self.where,
            hint=f"{_EFFECT} {self._instead()}{_OVERRIDE}",
        )

    def warnings(self) -> list[str]:
        out: list[str] = []
        if self.foreign and self.enough:
            out.append(
                f"{self.where}: the collection mixes encoders: {shares_text(self.mix)}. Rows that"
                f" `{self.live}` did not make are ranked by chance."
            )
        if self.unknown:
            many = len(self.unknown) > 1
            out.append(
                f"{self.where}: the version {'tags' if many else 'tag'} {shares_text(self.mix, self.unknown)}"
                f" {'resolve' if many else 'resolves'} to no encoder; whether `{self.live}` made those rows is"
                " not known."
            )
        return out

    def _instead(self) -> str:
        foreign = self.foreign
        if not foreign:
            return "Configure the encoder that made those rows, or give it their tag in `tags`"
        return f"Search with --encoder {self.owners[max(foreign, key=lambda tag: foreign[tag])]}"


def shares_text(mix: VersionMix, only: Mapping[str, float] | None = None) -> str:
    """`v2` 68.0%, `v1` 32.0%, the largest first."""
    shares = mix.shares if only is None else only
    ordered = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    text = ", ".join(f"`{tag}` {_percent(share)}" for tag, share in ordered[:SHOWN])
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    basis = "" if mix.exact else f" (of {mix.rows:,} sampled rows)"
    return text + more + basis


_EFFECT: Final = (
    "Two encoders' spaces have nothing in common even where their dimension is the same: the search would"
    " succeed and rank rows by chance."
)


def _share_text(mix: VersionMix, own: float) -> str:
    """The own share in words, with its interval where the tags were sampled."""
    if mix.exact or not mix.tagged:
        return _percent(own)
    low, high = clopper_pearson(round(own * mix.tagged), mix.tagged)
    return f"{_percent(own)} ({_percent(low)} to {_percent(high)}, {mix.rows:,} rows sampled)"


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "under 0.1%"
    return "over 99.9%" if 0.999 < share < 1 else f"{share:.1%}"


def _mix(tag_field: str, tags: Counter[str], rows: int, exact: bool, sampled: bool = False) -> Reading:
    tagged = sum(tags.values())
    if not tagged:
        return Reading(None)
    doubt = sampled and not exact
    return Reading(
        VersionMix(
            tag_field=tag_field,
            shares={tag: n / tagged for tag, n in sorted(tags.items(), key=lambda p: (-p[1], p[0]))},
            untagged=(rows - tagged) / rows,
            rows=rows,
            tagged=tagged,
            exact=exact,
            intervals={tag: clopper_pearson(n, tagged) for tag, n in tags.items()} if doubt else {},
            untagged_interval=clopper_pearson(rows - tagged, rows) if doubt else None,
        )
    )

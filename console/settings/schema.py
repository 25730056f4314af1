"""Every setting that there is: the one table that reading, `plumbline settings` and the docs follow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from console.settings import values
from console.settings.gate import CONDITIONS
from console.settings.model import VERSION_FIELD, ImageLimits, Retention
from console.settings.values import Check


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. `default` is shown where it is not None; `used`: whether this version acts on it."""

    check: Check
    default: Any = None
    secret: bool = False
    used: bool = True
    required: bool = False


Keys = Mapping[str, Key]

PORT: Final = values.integer(1, 65535)
BIG: Final = values.integer(1, 2**53)

CONNECTION: Final[Keys] = {
    "kind": Key(values.one_of("qdrant", "weaviate"), required=True),
    "url": Key(values.url),
    "grpc_host": Key(values.text),
    "grpc_port": Key(PORT),
    "api_key": Key(values.secret, secret=True),
    "headers": Key(values.headers, secret=True),
    "path": Key(values.path),
    "snapshot": Key(values.existing_file),
    "ca_file": Key(values.existing_file),
    "timeout": Key(values.seconds, default=10.0),
    "read_only": Key(values.flag, default=False),
}
ENCODER: Final[Keys] = {
    "model": Key(values.model, required=True),
    "pretrained": Key(values.model),
    "precision": Key(values.one_of("auto", "fp32", "fp16", "bf16", "pure_fp16", "pure_bf16"), default="fp32"),
    "device": Key(values.text, default="auto"),
    "normalize": Key(values.flag, default=True),
    "tags": Key(values.texts),
}
COLLECTION: Final[Keys] = {
    "encoder": Key(values.text),
    "version_field": Key(values.text, default=VERSION_FIELD),
    "modality_field": Key(values.text),
    "image_field": Key(values.text),
    "text_field": Key(values.text),
    "time_field": Key(values.text),
    "cohort_fields": Key(values.texts),
    "expected_rows": Key(values.integer(0, 2**53)),
    "optional_vectors": Key(values.texts),
}
IMAGES: Final[Keys] = {"roots": Key(values.paths, default=()), "hosts": Key(values.hosts, default=())}
_LIMITS = ImageLimits()
LIMITS: Final[Keys] = {
    "bytes": Key(BIG, default=_LIMITS.bytes),
    "pixels": Key(BIG, default=_LIMITS.pixels),
    "frames": Key(BIG, default=_LIMITS.frames),
    "redirects": Key(values.integer(0, 20), default=_LIMITS.redirects),
    "seconds": Key(values.seconds, default=_LIMITS.seconds),
}
ACCEPTED: Final[Keys] = {
    "address": Key(values.text, required=True),
    "code": Key(values.text, required=True),
    "reason": Key(values.text, required=True),
    "group": Key(values.text),
    "until": Key(values.day),
}
_RETENTION = Retention()
RETENTION: Final[Keys] = {
    "keep_days": Key(values.integer(1, 36_500), default=_RETENTION.keep_days),
    "keep_reports": Key(values.integer(1, 1_000_000), default=_RETENTION.keep_reports),
    "keep_panels": Key(values.integer(1, 1_000_000), default=_RETENTION.keep_panels),
}
STORE: Final[Keys] = {"url": Key(values.database_url, secret=True), **RETENTION}
JOBS: Final[Keys] = {"database_url": Key(values.database_url, secret=True, used=False)}
SHARE: Final = values.number(0, 1)
MARGIN: Final = values.number(0.001, 1)
_GATE: Final[Mapping[str, Check]] = {
    "id-set.settle": values.number(0, 600),
    "critical-findings.full": values.flag,
    "recall.limit": SHARE,
    "quality.margin": MARGIN,
    "cohorts.margin": MARGIN,
    "cohorts.queries": values.integer(2, 1_000_000),
    "latency.ratio": values.number(1, 1000),
    "latency.milliseconds": values.number(0, 3_600_000),
    "latency.queries": values.integer(100, 1_000_000),
    "canary.limit": values.number(-1, 1),
    "threshold.cutoff": values.number(-1e30, 1e30),
}
GATE: Final[Keys] = {
    f"{condition}.{name}": Key(_GATE[f"{condition}.{name}"], default=default)
    for condition, limits in CONDITIONS.items()
    for name, default in limits.items()
}
SEVERITIES: Final = ("off", "info", "warning", "critical")

SECTIONS: Final[Mapping[str, Keys]] = MappingProxyType(
    {
        "connections.NAME": CONNECTION,
        "encoders.NAME": ENCODER,
        "collections.ADDRESS": COLLECTION,
        "images": IMAGES,
        "images.limits": LIMITS,
        "policy.CODE": {"severity": Key(values.one_of(*SEVERITIES))},
        "accepted": ACCEPTED,
        "gate": GATE,
        "store": STORE,
        "jobs": JOBS,
    }
)
"""Section -> its keys. `policy.CODE` also takes thresholds by their own names; those of `gate` are sections of it."""

PLAIN_SECTIONS: Final = ("encoders", "collections", "images", "policy", "accepted", "gate", "store", "jobs")
"""The sections of plumbline.toml."""

VARIABLES: Final = ("PLUMBLINE_HOME", "PLUMBLINE_STORE__URL", "PLUMBLINE_JOBS__DATABASE_URL")
CONNECTION_VARIABLE: Final = "PLUMBLINE_CONNECTIONS__"

FINDINGS: Final = (
    "zero-vectors",
    "non-finite",
    "missing-vectors",
    "norm-drift",
    "metric-mismatch",
    "version-mix",
    "untagged-rows",
    "same-source-different-vector",
    "text-vector-disagreement",
    "encoder-mismatch",
    "encoder-changed",
    "misaligned-payload",
    "stale-vectors",
    "truncated-dimensions",
    "value-corruption",
    "duplicate-vectors",
    "count-mismatch",
    "no-structure",
    "dominant-axis",
    "collapsed-neighbors",
    "modality-gap",
    "unindexed-vectors",
    "index-config",
    "low-ann-recall",
    "stale-quantization",
    "filter-masking",
    "cohort-gap",
    "shard-gap",
    "replica-divergence",
    "tombstone-load",
    "empty-source",
    "cut-source",
    "distribution-drift",
    "recall-drop",
    "latency-spike",
    "size-change",
)
"""The codes that `[policy.CODE]` and `[[accepted]]` may name."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that names what was probably meant, or everything that there is."""
    names = list(known)
    lower = {n.lower(): n for n in names}
    low = name.lower()
    close = difflib.get_close_matches(low, lower, n=1, cutoff=0.55)
    close = close or [n for n in lower if len(low) > 2 and low in n]
    if close:
        return f"Did you mean `{lower[close[0]]}`?"
    if len(names) == 1:
        return f"There is only `{names[0]}`."
    return f"There are {', '.join(names)}." if names else ""

"""One cohort or tenant that is served worse than the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from connectors.model import Count, Target, Tenant
from console.health.checks.cohorts import cohort_gap, shard_gap
from console.health.evidence import Evidence
from console.health.findings import Finding
from console.health.options import FieldNames
from console.health.policy import policy
from console.health.probes.recall import Recall, recall
from console.health.probes.shards import Shards, shards
from console.health.seeking import PER_COHORT, cohort_fields
from tests.faults.memory import Memory
from tests.health.served import examined, memory, probing, unmeasured

RULES = policy()
RNG = np.random.default_rng(0)
CLOUD = RNG.normal(size=(3_000, 16)).astype(np.float32)
LANGUAGES = [{"language": "fi" if i % 15 == 0 else ("de", "en", "fr")[i % 3]} for i in range(3_000)]
NAMES = FieldNames(cohorts=("language",), groups=("language",), columns=("language",))


def measured(reader: Memory, sample: int | None = None, names: FieldNames = NAMES) -> Evidence:
    held = examined(reader, sample=sample, names=names)
    return replace(held, results={Recall: recall(probing(reader, held))})


def fields(held: Evidence) -> tuple[str, ...]:
    return cohort_fields(held.names, held.options, held.description, held.table.groups)


def clustered() -> np.ndarray:
    """Finnish rows lie by themselves, so that they are each other's neighbours."""
    matrix = CLOUD.copy()
    matrix[::15] += 4
    return matrix


@pytest.mark.parametrize("kind", ["qdrant", "weaviate"])
def test_the_cohort_whose_rows_are_lost_is_named(kind: str) -> None:
    hidden = np.arange(0, 3_000, 30)
    held = measured(memory(clustered(), LANGUAGES, kind=kind, hidden=hidden))
    asked = held.results[Recall].cohorts
    own = held.table.groups["language"].mask("fi")[asked.queries]
    assert own.sum() >= PER_COHORT, "a rare cohort gets queries of its own"
    fired = [f for f in cohort_gap(held, RULES) if isinstance(f, Finding) and f.severity]
    (said,) = fired
    assert said.key == "language=fi"
    assert said.group is not None
    assert (said.group.value, said.group.rows) == ("fi", 200)
    # Half of the Finnish rows are never found.
    assert said.evidence["mean"] == pytest.approx(0.5, abs=0.1)
    assert said.effect is not None
    assert said.effect.low is not None
    assert said.effect.low > 0.3
    assert said.severity == "warning"


def test_a_sample_on_weaviate_compares_self_retrieval() -> None:
    hidden = np.arange(0, 3_000, 30)
    held = measured(memory(clustered(), LANGUAGES, kind="weaviate", hidden=hidden), 1_500)
    fired = [f for f in cohort_gap(held, RULES) if isinstance(f, Finding) and f.severity]
    assert [f.key for f in fired] == ["language=fi"]
    assert fired[0].evidence["figure"] == "self-retrieval"


@pytest.mark.parametrize("seed", range(5))
def test_an_evenly_bad_index_has_no_worse_cohort(seed: int) -> None:
    hidden = np.random.default_rng(seed).choice(3_000, 600, replace=False)
    held = measured(memory(CLOUD, LANGUAGES, kind="qdrant", hidden=hidden))
    assert not [f for f in cohort_gap(held, RULES) if isinstance(f, Finding) and f.severity]


def test_which_fields_are_compared() -> None:
    payloads = [{"language": "de", "modality": "text", "sort": i % 3} for i in range(100)]
    names = FieldNames(
        modality="modality", groups=("language", "modality", "sort"), columns=("language", "modality", "sort")
    )
    held = examined(memory(CLOUD[:100], payloads), names=names)
    assert fields(held) == ("modality", "language")
    assert fields(replace(held, names=replace(names, cohorts=("sort", "nowhere")))) == (
        "sort",
        "modality",
        "language",
    )
    tenants = replace(held.description, settings={"tenant_fields": ["sort"]})
    assert fields(replace(held, description=tenants)) == ("modality", "language", "sort")


@pytest.mark.parametrize("n", [2, 10, 100])
def test_no_cohorts_or_too_few_rows_are_not_measured(n: int) -> None:
    assert "cohort-gap" in unmeasured(cohort_gap(measured(memory(CLOUD[:n]), names=FieldNames()), RULES))
    payloads = [{"language": f"l{i % 9}"} for i in range(n)]
    assert "cohort-gap" in unmeasured(cohort_gap(measured(memory(CLOUD[:n], payloads)), RULES))


class Tenants(Memory):
    """Rows in equal parts; the index of the last one lost half of its rows."""

    parts = 4
    broken = True

    def tenants(self, t: Target, *, timeout: float | None = None) -> Any:
        return tuple(Tenant(f"t{i}", "active", len(CLOUD) // self.parts) for i in range(self.parts))

    def sample(
        self, t: Target, n: int, fields: Any = (), payload: Any = (), seed: int = 0, *, timeout: Any = None
    ) -> Any:
        if t.tenant is None:
            return super().sample(t, n, fields, payload, seed)
        part = int(t.tenant[1:])
        at = np.arange(part, len(CLOUD), self.parts)
        return self._batch(
            self._rows(t), np.random.default_rng(seed).choice(at, n, replace=False).tolist(), fields, payload
        )

    def search(self, t: Target, *args: Any, **more: Any) -> Any:
        rows = self._rows(t)
        rows.hidden = (
            np.arange(self.parts - 1, len(CLOUD), 2 * self.parts)
            if self.broken and t.tenant == f"t{self.parts - 1}"
            else None
        )
        return super().search(t, *args, **more)


@pytest.mark.parametrize("kind", ["qdrant", "weaviate"])
def test_a_tenant_whose_rows_do_not_find_themselves(kind: str) -> None:
    made = memory(CLOUD, kind=kind)
    reader = Tenants(made.spec, made.held)
    held = examined(made)
    for broken in (True, False):
        reader.broken = broken
        asked = replace(held, results={Shards: shards(probing(reader, held))})
        fired = [f for f in shard_gap(asked, RULES) if isinstance(f, Finding) and f.severity]
        assert [f.key for f in fired] == (["t3"] if broken else [])
    reader.parts = 1
    alone = replace(held, results={Shards: shards(probing(reader, held))})
    assert "shard-gap" in unmeasured(shard_gap(alone, RULES))
    assert reader.count(Target("rows")) == Count(3_000)

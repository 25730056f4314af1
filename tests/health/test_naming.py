"""Fields are named by settings and options first, then by what a few rows show."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors.model import ConnectionSpec, RowId, Target
from console.health import naming
from console.health.naming import field_names
from console.health.options import CheckOptions, FieldNames
from console.settings import Address, CollectionSettings, Settings
from console.workspace import Workspace
from tests.faults.memory import Memory, Rows


def named(
    folder: Path,
    payloads: list[dict[str, Any]],
    options: CheckOptions | None = None,
    configured: CollectionSettings | None = None,
    marker: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
) -> FieldNames:
    spec = ConnectionSpec("mem", "qdrant")
    n = len(payloads)
    ids: list[RowId] = list(range(n))
    rows = Rows(ids, np.ones((n, 2), np.float32), np.ones(n, np.bool_), payloads, marker=marker,
                settings=settings or {})  # fmt: skip
    reader = Memory(spec, {"rows": rows})
    address = Address("mem", "rows")
    held = Settings(
        home=folder, connections={"mem": spec}, collections={address: configured} if configured else {}
    )
    with Workspace(held, connect=lambda _: reader) as ws:  # type: ignore[arg-type,return-value]
        target = Target("rows")
        return field_names(ws, address, reader.describe(target), reader, target, options or CheckOptions())  # type: ignore[arg-type]


def test_what_a_few_rows_show(tmp_path: Path):
    rng = np.random.default_rng(0)
    payloads = [
        {
            "key": str(uuid.UUID(bytes=rng.bytes(16), version=4)),
            "serial": 10_000 + i,
            "caption": f"a picture of thing {i}",
            "image": f"pictures/{i}.png",
            "modality": ("image", "text")[i % 2],
            "camera": f"camera-{i % 7}",
            "night": i % 3 == 0,
            "shelf": {"row": i % 4, "label": f"label {i}"},
            "price": 1.5 * (i % 3),
            "created_at": f"2026-02-{1 + i % 28:02}T08:00:00Z",
            "embedding_version": "v1",
            "blob": "x" * 5_000,
        }
        for i in range(900)
    ]
    found = named(tmp_path, payloads)
    assert (found.version, found.modality, found.image, found.text) == (
        "embedding_version", "modality", "image", "caption",
    )  # fmt: skip
    assert found.time == "created_at"
    assert set(found.groups) == {"embedding_version", "modality", "camera", "night", "shelf.row"}
    assert {"key", "serial", "price", "shelf.label", *found.groups} <= set(found.columns)
    assert "blob" not in found.columns


def test_settings_and_options_go_before_guesses(tmp_path: Path):
    payloads = [{"caption": f"c {i}", "note": f"n {i}", "model": "m1", "lang": f"l{i}", "made": "2026-01-01",
                 "created_at": "2026-01-01", "other": f"o {i}", "shop": i} for i in range(60)]  # fmt: skip
    configured = CollectionSettings(
        version_field="model", text_field="note", time_field="made", cohort_fields=("lang",)
    )
    options = CheckOptions(group_by=("other",), modality_field="a.b")
    found = named(tmp_path, payloads, options, configured, settings={"tenant_fields": ["shop"]})
    assert (found.version, found.text, found.time, found.modality) == ("model", "note", "made", "a.b")
    assert found.cohorts == ("lang",)
    assert found.groups[:5] == ("model", "a.b", "lang", "other", "shop")
    assert {"a.b", "lang", "other", "note", "made"} <= set(found.columns)
    assert named(tmp_path, payloads, CheckOptions(version_field="other"), configured).version == "other"


def test_the_marker_names_fields(tmp_path: Path):
    payloads = [{"c": f"words {i}", "caption": f"others {i}"} for i in range(20)]
    assert named(tmp_path, payloads, marker={"fields": {"text": "c"}}).text == "c"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"timestamp": 1_760_000_000}, "timestamp"),
        ({"timestamp": 12}, None),
        ({"updated_at": "later"}, None),
        ({"taken": "2026-01-01"}, None),
        ({"updated_at": "2026-01-01", "ingested_at": "2026-01-02"}, "ingested_at"),
    ],
)
def test_a_time_field_has_the_name_and_the_values_of_one(
    tmp_path: Path, payload: dict[str, Any], expected: str | None
):
    assert named(tmp_path, [payload] * 10).time == expected


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_few_rows(tmp_path: Path, n: int):
    found = named(tmp_path, [{"caption": f"c {i}", "kind": "a"} for i in range(n)])
    assert found.version == "embedding_version"
    assert "embedding_version" in found.columns
    assert ("kind" in found.groups) == (n > 0)
    assert named(tmp_path, [{}] * n).groups == ("embedding_version",)


def test_many_and_hostile_fields_are_bounded(tmp_path: Path):
    wide = {f"field {i}": i % 2 for i in range(200)}
    hostile = {
        'q"uote': 1,
        "": 2,
        "dot.ted": "a",
        "deep": {"a": {"b": {"c": {"d": 1}}}},
        "list": [1, 2],
        "long": "y" * 200,
    }
    found = named(tmp_path, [{**wide, **hostile}] * 50)
    assert len(found.groups) <= naming.MOST_GROUPS + 1
    assert len(found.columns) <= naming.MOST_COLUMNS
    alone = named(tmp_path, [hostile] * 50)
    assert set(alone.groups) == {"embedding_version", '"dot.ted"'}
    assert "long" in alone.columns


@pytest.mark.parametrize(
    ("fields", "text", "shown"),
    [
        ({"caption": 1.0, "name": 1.0}, "caption", False),
        ({"caption": 0.6, "name": 1.0}, "caption", False),
        ({"caption": 0.2, "name": 1.0}, "name", True),
        ({"title": 1.0, "text": 0.9}, "text", False),
        ({"title": 1.0, "description": 0.5}, "title", True),
        ({"other": 1.0}, None, False),
    ],
)
def test_what_is_embedded_goes_before_what_is_shown(
    tmp_path: Path, fields: dict[str, float], text: str | None, shown: bool
):
    payloads = [{f: f"{f} {i}" for f, share in fields.items() if i < share * 300} for i in range(300)]
    found = named(tmp_path, payloads)
    assert (found.text, found.shown) == (text, shown)


def test_a_configured_field_is_no_guess(tmp_path: Path):
    payloads = [{"title": f"title {i}", "caption": f"caption {i}"} for i in range(300)]
    found = named(tmp_path, payloads, configured=CollectionSettings(text_field="title"))
    assert (found.text, found.shown) == ("title", False)
    found = named(tmp_path, payloads, marker={"fields": {"text": "title"}})
    assert (found.text, found.shown) == ("title", False)

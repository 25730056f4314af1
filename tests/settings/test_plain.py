"""plumbline.toml: every section of the contract, read and checked."""

from __future__ import annotations

from datetime import date

import pytest

from connectors.errors import PlumblineError
from console.settings import Address, CollectionSettings, ImageLimits, Retention
from tests.settings.conftest import Desk

WHOLE = """
[encoders.clip]
model = "ViT-B-32"
pretrained = "laion2b_s34b_b79k"
precision = "bf16"
device = "cpu"
normalize = true
tags = ["clip-v1", "v1"]

[encoders.local]
model = "ViT-B-32"
pretrained = "weights/model.safetensors"

[encoders.folder]
model = "local-dir:models/small"

[encoders."scenes-v2"]
tags = ["v2"]

[collections."prod/Docs"]
encoder = "clip"
version_field = "made_by"
modality_field = "kind"
image_field = "path"
text_field = "caption"
time_field = "at"
cohort_fields = ["language", "source"]
expected_rows = 1000
optional_vectors = ["thumb"]

[collections."prod/Docs#thumb"]
encoder = "local"
version_field = "thumb_by"

[collections."prod/a%2Fb"]
encoder = "scenes-v1"

[policy.norm-drift]
severity = "critical"
share = 0.02

[[accepted]]
address = "prod/Docs#clip"
code = "duplicate-vectors"
reason = "boilerplate"
group = { field = "source", value = "web" }
until = 2026-12-31

[[accepted]]
address = "prod/Docs"
code = "untagged-rows"
reason = "old"

[gate]
canary = false
recall = { limit = 0.9 }

[images]
roots = ["pictures", "/srv/pictures"]
hosts = ["Images.example.org", "*.cdn.example.org"]
[images.limits]
bytes = 1000
seconds = 2.5

[store]
url = "postgresql://db.example.org/plumbline"
keep_days = 30
[jobs]
database_url = "postgresql://db.example.org/jobs"
"""


def refused(desk: Desk) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        desk.load()
    assert caught.value.code == "settings"
    return caught.value


def test_every_section_is_read(desk: Desk) -> None:
    desk.plain(WHOLE)
    settings = desk.load()
    clip = settings.encoders["clip"]
    assert (clip.model, clip.pretrained, clip.precision) == ("ViT-B-32", "laion2b_s34b_b79k", "bf16")
    assert (clip.device, clip.normalize, clip.tags) == ("cpu", True, ("clip-v1", "v1"))
    assert settings.encoders["local"].pretrained == str(desk.cwd / "weights/model.safetensors")
    assert settings.encoders["folder"].model == f"local-dir:{desk.cwd / 'models/small'}"
    assert settings.policy == {"norm-drift": {"severity": "critical", "share": 0.02}}
    first, second = settings.accepted
    assert (first.address, first.code, first.until) == (
        Address("prod", "Docs", vector="clip"),
        "duplicate-vectors",
        date(2026, 12, 31),
    )
    assert first.group == {"field": "source", "value": "web"}
    assert (second.reason, second.until) == ("old", None)
    assert (settings.gate.declared, settings.gate.left_out) == (("recall",), ("canary",))
    assert settings.gate.of("recall") == {"limit": 0.9}
    assert settings.gate.of("latency") == {"ratio": 1.2, "milliseconds": 5.0, "queries": 1000}
    assert [str(r) for r in settings.images.roots] == [str(desk.cwd / "pictures"), "/srv/pictures"]
    assert settings.images.hosts == ("images.example.org", "*.cdn.example.org")
    assert settings.images.limits == ImageLimits(bytes=1000, seconds=2.5)
    assert settings.store_url == "postgresql://db.example.org/plumbline"
    assert settings.retention == Retention(keep_days=30)
    assert settings.database_url == "postgresql://db.example.org/jobs"


def test_a_vector_field_refines_its_collection(desk: Desk) -> None:
    desk.plain(WHOLE)
    settings = desk.load()
    whole = settings.of_collection("prod", "Docs")
    thumb = settings.of_collection("prod", "Docs", "thumb")
    assert (whole.encoder, whole.version_tag) == ("clip", "made_by")
    assert (thumb.encoder, thumb.version_tag, thumb.image_field) == ("local", "thumb_by", "path")
    assert settings.of_collection("prod", "Docs", "other") == whole
    assert settings.of_collection("prod", "a/b").encoder == "scenes-v1"
    assert settings.of_collection("prod", "Other") == CollectionSettings()
    assert CollectionSettings().version_tag == "embedding_version"


def test_each_value_says_where_it_came_from_and_whether_it_has_an_effect(desk: Desk) -> None:
    desk.plain(WHOLE)
    entries = {e.key: e for e in desk.load().entries}
    lines = WHOLE.split("\n")

    def line(text: str, nth: int = 0) -> str:
        return f"plumbline.toml:{[i for i, held in enumerate(lines, 1) if held.startswith(text)][nth]}"

    assert entries["encoders.clip.model"].source == line("model")
    assert entries['collections."prod/Docs#thumb".encoder'].source == line("encoder", 1)
    assert entries["accepted.0.code"].source == line("code")
    assert entries["accepted.1.code"].source == line("code", 1)
    assert entries["gate.recall.limit"].source == line("recall")
    assert entries["images.limits.bytes"].source == line("bytes")
    assert entries["images.limits.frames"].source == "default"
    assert entries["home"].source == "PLUMBLINE_HOME"
    unused = {k.split(".")[0] for k, e in entries.items() if not e.used}
    assert unused == {"jobs"}
    assert all(e.used for k, e in entries.items() if k.split(".")[0] in ("encoders", "images", "home"))


def test_lines_are_right_behind_values_of_many_lines(desk: Desk) -> None:
    desk.plain(
        '[encoders.a]\ntags = [\n  "x", # [not a section]\n  "y",\n]\nmodel = """\nb""" # = c\n'
        "[encoders.b] # comment\nmodel = 'z'\nprecision.x = 1\n"
    )
    assert refused(desk).where == "plumbline.toml:10"


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("[encoder.x]\n", 1, "Did you mean `encoders`"),
        ("[connections.x]\nkind = 'qdrant'\n", 1, "secrets.toml"),
        ("api_key = 'x'\n", 1, "is not a setting"),
        ("[encoders.x]\npretrained = 'y'\n", 1, "lacks `model`"),
        ("[encoders.x]\nmodel = 'y'\nprecison = 'fp32'\n", 3, "Did you mean `precision`"),
        ("[encoders.x]\nmodel = 'y'\nprecision = 'fp8'\n", 3, "must be one of auto"),
        ("[encoders.x]\nmodel = 'y'\ntags = 'v1'\n", 3, "must be a list"),
        ("[encoders.x]\nmodel = 'y'\ntags = [1]\n", 3, "element that must be text"),
        ("[encoders.x]\nmodel = 'y'\nnormalize = 1\n", 3, "true or false"),
        ("[encoders.scenes-v1]\nmodel = 'y'\n", 2, "is not a setting"),
        ("[encoders]\nx = 1\n", 2, "must be a section"),
        ("encoders = 1\n", 1, "must be a section"),
        ("[collections.prod]\n", 1, "is not an address"),
        ("[collections.'prod/x@t']\n", 1, "names a tenant"),
        ("[collections.'prod/x/y']\n", 1, "%2F"),
        ("[collections.'prod/x']\nencoder = 'scene-v2'\n", 2, "Did you mean `scenes-v2`"),
        ("[collections.'prod/x']\nexpected_rows = -1\n", 2, "must lie between"),
        ("[collections.'prod/x']\nexpected_rows = true\n", 2, "whole number"),
        ("[collections.'prod/x']\n[collections.'prod/%78']\n", 2, "twice"),
        ("[images]\nroot = ['x']\n", 2, "Did you mean `roots`"),
        ("[images]\nhosts = ['http://h/x']\n", 2, "host names alone"),
        ("[images]\nlimits = 3\n", 2, "must be a section"),
        ("[images.limits]\nbyte = 3\n", 2, "Did you mean `bytes`"),
        ("[images.limits]\nbytes = 0\n", 2, "must lie between"),
        ("[policy.norm-drif]\nx = 1\n", 1, "Did you mean `norm-drift`"),
        ("[policy.norm-drift]\nseverity = 'bad'\n", 2, "must be one of"),
        ("[policy.norm-drift]\nshare = 'x'\n", 2, "must be a number"),
        ("[accepted]\ncode = 'x'\n", 1, "[[accepted]]"),
        ("[[accepted]]\naddress = 'prod/x'\ncode = 'norm-drift'\n", 1, "lacks `reason`"),
        ("[[accepted]]\naddress = 'x'\ncode = 'norm-drift'\nreason = 'y'\n", 2, "is not an address"),
        ("[[accepted]]\naddress = 'a/x'\ncode = 'norm'\nreason = 'y'\n", 3, "not the code of a finding"),
        ("[[accepted]]\naddress = 'a/x'\ncode = 'norm-drift'\nreason = 'y'\nuntil = 'soon'\n", 5, "date"),
        ("[gate]\nqualty = true\n", 2, "Did you mean `quality`"),
        ("[gate]\nquality = 0.1\n", 2, "must be true, false or a section"),
        ("[gate.quality]\nmargn = 0.1\n", 2, "Did you mean `margin`"),
        ("[gate.latency]\nmiliseconds = 1\n", 2, "Did you mean `milliseconds`"),
        ("[gate.quality]\nmargin = 'x'\n", 2, "must be a number"),
        ("[gate.quality]\nmargin = 0\n", 2, "must lie between 0.001 and 1"),
        ("[gate.cohorts]\nqueries = 1\n", 2, "must lie between"),
        ("[store]\nurl = 'postgresql://u:p4ssw0rd@h/d'\n", 2, "holds a password"),
        ("[store]\nurl = 'h'\n", 2, "database URL"),
        ("[store]\nkeep_days = 0\n", 2, "must lie between"),
        ("[store]\nurll = 'h'\n", 2, "Did you mean `url`"),
        ("[jobs]\nurl = 'h'\n", 2, "`database_url`"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(desk: Desk, text: str, where: int, told: str) -> None:
    desk.plain(text)
    fault = refused(desk)
    assert fault.where == f"plumbline.toml:{where}"
    assert told in f"{fault.message} {fault.hint}"
    assert "p4ssw0rd" not in str(fault)


def test_a_database_url_with_a_password_may_stand_in_the_secrets_and_goes_before(desk: Desk) -> None:
    desk.plain("[store]\nurl = 'postgresql://h/open'\n")
    desk.secret("[store]\nurl = 'postgresql://u:p4ssw0rd@h/secret'\n")
    settings = desk.load()
    assert settings.store_url == "postgresql://u:p4ssw0rd@h/secret"
    assert [(e.value, e.source) for e in settings.entries if e.key == "store.url"] == [
        ("***", ".streamlit/secrets.toml:2")
    ]


def test_settings_of_a_connection_that_is_not_configured_are_noted(desk: Desk) -> None:
    desk.plain("[collections.'prod/x']\nversion_field = 'v'\n")
    assert any("prod/x names a connection" in n for n in desk.load().notes)


def test_a_root_of_pictures_that_is_not_there_is_noted(desk: Desk) -> None:
    (desk.cwd / "here").mkdir()
    desk.plain("[images]\nroots = ['here', 'gone']\n")
    assert [n for n in desk.load().notes if "gone is not a folder" in n]
    assert not [n for n in desk.load().notes if "here is" in n]


def test_without_any_file_everything_is_a_default(desk: Desk) -> None:
    settings = desk.load()
    assert settings.connections == {}
    assert settings.files == ()
    assert {e.source for e in settings.entries} == {"default", "PLUMBLINE_HOME"}

"""Golden sets as files: what a format can hold comes back, what it can't is said, and no file does harm."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import string
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import PlumblineError
from connectors.filters import And, AnyOf, Equals, Filter, Not
from console.search.golden import GoldenQuery, GoldenSet, Judgement, Rule, check, content_hash
from console.search.golden.formats import FORMATS, Form, guess, load, pictures, save
from console.search.golden.formats.table import _guarded, _plain
from console.search.request import Upload
from console.settings.model import ImageLimits

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg=="
)
"""2 x 2 red pixels."""
PICTURE = Upload(hashlib.sha256(PNG).hexdigest())


def shown(_: Upload) -> bytes:
    return PNG


RED: Filter = And((Equals("colour", 'r"e,d'), Not(Equals('"a.b".c', 1.5))))
WHOLE = GoldenSet(
    "shop",
    key_field="sku",
    queries=(
        GoldenQuery(
            "q1", 'a "red", circle', cohort={"language": "en", "país": "ü"}, must=("k 1",), must_not=("=x",)
        ),
        GoldenQuery("q 2", "=HYPERLINK(1)\nsecond line", PICTURE),
        GoldenQuery("-3", None, None, 18446744073709551615),
        GoldenQuery("'4", " spaces ", None, "6f1c5a3e-1111-4111-8111-111111111111"),
    ),
    judgements=(Judgement("q1", "MED-10", 3), Judgement("q1", "+49 30", 0), Judgement("-3", "ü, k", 1)),
    rules=(Rule("q1", RED, 2), Rule("q 2", Equals("x", True), 1)),
    note="a note",
)


def names(form: Form, folder: Path) -> Path:
    return folder / {"csv": "set.csv", "jsonl": "set.jsonl", "trec": "set.qrels", "beir": "set"}[form]


def trip(golden: GoldenSet, form: Form, folder: Path) -> tuple[GoldenSet, tuple[str, ...]]:
    path = names(form, folder)
    _, lost = save(golden, path, picture=shown)
    assert guess(path) == form
    key_field = golden.key_field if form in ("beir", "trec") else None
    loaded = load(path, golden.name, key_field=key_field)
    return loaded.golden, lost


def test_json_lines_hold_everything_pictures_too(tmp_path: Path) -> None:
    back, lost = trip(WHOLE, "jsonl", tmp_path)
    assert back == WHOLE
    assert lost == ()
    assert load(tmp_path / "set.jsonl", "x").pictures == {PICTURE.sha256: PNG}


def test_csv_holds_all_but_pictures_and_note(tmp_path: Path) -> None:
    back, lost = trip(WHOLE, "csv", tmp_path)
    assert content_hash(back) == content_hash(WHOLE)
    assert [what.split(" ", 1)[0] for what in lost] == ["1", "1"]
    cells = [c for row in csv.reader(io.StringIO((tmp_path / "set.csv").read_text())) for c in row]
    assert not any(c.lstrip().startswith(("=", "+", "@")) for c in cells)
    assert "'=HYPERLINK(1)\nsecond line" in cells


def test_beir_holds_all_but_pictures_key_field_and_note(tmp_path: Path) -> None:
    back, lost = trip(WHOLE, "beir", tmp_path)
    assert content_hash(back) == content_hash(WHOLE)
    assert len(lost) == 4
    first = json.loads((tmp_path / "set" / "queries.jsonl").read_text().splitlines()[0])
    assert (first["_id"], first["text"]) == ("q1", 'a "red", circle')
    assert (tmp_path / "set" / "qrels" / "test.tsv").read_text().splitlines()[:2] == [
        "query-id\tcorpus-id\tscore",
        "q1\tMED-10\t3",
    ]


def test_trec_holds_texts_and_judgements_and_says_all_that_it_leaves_out(tmp_path: Path) -> None:
    back, lost = trip(WHOLE, "trec", tmp_path)
    assert [q.id for q in back.queries] == ["q1", "'4"]
    assert back.judgements == (Judgement("q1", "MED-10", 3),)
    assert (tmp_path / "set.qrels").read_text() == "q1 0 MED-10 3\n"
    assert [(int(what.split(" ", 1)[0]), what.split(" ", 1)[1].split(" ")[0]) for what in lost] == [
        (2, "queries"),
        (2, "judgements"),
        (1, "text"),
        (1, "query"),
        (2, "rules"),
        (2, "smoke"),
        (1, "query"),
        (1, "key"),
        (1, "note"),
    ]
    simple = GoldenSet("s", queries=(GoldenQuery("1", "red circle"),), judgements=(Judgement("1", "7", 2),))
    (tmp_path / "more").mkdir()
    back, lost = trip(simple, "trec", tmp_path / "more")
    assert (back, lost) == (simple, ())


KEYS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30
).filter(str.strip)
TEXT = KEYS.filter(lambda t: t.strip() == t)


@st.composite
def sets(draw: st.DrawFn) -> GoldenSet:
    ids = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    queries: list[GoldenQuery] = []
    for name in ids:
        must = draw(st.lists(KEYS, max_size=2, unique=True))
        cohort = draw(st.dictionaries(KEYS, KEYS, max_size=2))
        queries.append(
            GoldenQuery(
                name, draw(KEYS), None, draw(st.none() | st.integers(0, 2**64 - 1)), cohort, tuple(must)
            )
        )
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), KEYS), max_size=6, unique=True))
    values = TEXT | st.booleans() | st.integers(-2, 2) | st.just(0.5)
    rules = draw(
        st.lists(
            st.tuples(st.sampled_from(ids), values), max_size=4, unique_by=lambda r: (r[0], Equals("a", r[1]))
        )
    )
    return check(
        GoldenSet(
            "set",
            key_field="sku",
            queries=tuple(queries),
            judgements=tuple(Judgement(q, k, draw(st.integers(0, 3))) for q, k in pairs),
            rules=tuple(Rule(q, Equals("a", v), draw(st.integers(0, 3))) for q, v in rules),
        )
    )


@pytest.mark.parametrize("form", ["csv", "jsonl", "beir"])
@given(sets())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_set_comes_back(form: Form, tmp_path_factory: pytest.TempPathFactory, golden: GoldenSet) -> None:
    back, _ = trip(golden, form, tmp_path_factory.mktemp("trip"))
    assert content_hash(back) == content_hash(golden)


@given(st.text(string.ascii_letters + "'=+-@|% \t", max_size=12))
def test_the_apostrophe_before_a_formula_is_taken_off_again_and_no_other(text: str) -> None:
    written = _guarded(text)
    assert _plain(written) == text
    assert not written.lstrip(" \u00a0\ufeff").startswith(("=", "+", "-", "@", "\t", "|", "%"))


def test_rules_on_true_and_on_1_come_back_as_two(tmp_path: Path) -> None:
    golden = GoldenSet(
        "set",
        queries=(GoldenQuery("q", "red"),),
        rules=(Rule("q", Equals("on", True), 1), Rule("q", Equals("on", 1), 2)),
    )
    for form in ("csv", "jsonl", "beir"):
        back, _ = trip(golden, form, tmp_path)  # type: ignore[arg-type]
        assert back.rules == golden.rules


def test_a_rule_of_many_values_comes_back_in_every_format(tmp_path: Path) -> None:
    """Python's own bound of a CSV cell is 128 KiB, a line of the export has 2 MiB."""
    rule = Rule("q", AnyOf("sku", tuple(f"sku-{i:09}" for i in range(150_000))), 1)
    golden = GoldenSet("set", queries=(GoldenQuery("q", "red"),), rules=(rule,))
    for form in ("csv", "jsonl", "beir"):
        assert trip(golden, form, tmp_path)[0].rules == (rule,)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["csv", "jsonl", "beir"])
def test_a_line_that_no_import_would_take_is_not_written(
    tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.search.golden.formats.reading.LONGEST_LINE", 1_000)
    rule = Rule("q", Equals("a", "x" * 1_000), 1)
    golden = GoldenSet("set", queries=(GoldenQuery("q", "red"),), rules=(rule,))
    with pytest.raises(PlumblineError) as caught:
        save(golden, names(form, tmp_path), picture=shown)
    assert caught.value.code == "usage"
    assert "the query q" in caught.value.where
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("field", ["a;b;c;d;e;f;g;h;i;j", "a\tb", "lang ", "Lang", " x", "a,b"])
def test_a_cohort_keeps_its_name_whatever_is_in_it(tmp_path: Path, field: str) -> None:
    golden = GoldenSet("set", queries=(GoldenQuery("q", "red", cohort={field: "de "}),))
    if "\t" in field:
        with pytest.raises(PlumblineError):
            check(golden)
        return
    assert trip(golden, "csv", tmp_path)[0] == golden


def test_a_header_is_read_whatever_its_case_and_its_separator(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_text("Text; KEY ;Grade;Cohort.Land,Sprache;KIND\nred;1;2;de;\n")
    found = load(file, "set").golden
    assert found.queries[0].cohort == {"Land,Sprache": "de"}
    assert found.judgements[0].grade == 2
    file.write_text("TEXT,Key.SKU,GRADE\nred,a,2\n")
    assert load(file, "set").golden.key_field == "SKU"


def test_a_table_without_grades_names_the_column(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_text("text,key\nred,1\n")
    with pytest.raises(PlumblineError, match="`grade`"):
        load(file, "set")
    file.write_text("text,kind,key\nred,must,1\n")
    assert load(file, "set").golden.queries[0].must == ("1",)
    file.write_text("text,kind,key\nred,must,1\nred,,2\n")
    with pytest.raises(PlumblineError, match="no `grade`"):
        load(file, "set")


def test_grades_below_0_of_public_qrels_are_0_and_repeated_judgements_count_once(tmp_path: Path) -> None:
    (tmp_path / "topics.txt").write_text("1\tred\n")
    (tmp_path / "q.qrels").write_text("1 0 7 -1\n1 0 8 -2\n1 0 9 2\n1 0 9 2\n1 0 7 0\n")
    loaded = load(tmp_path / "q.qrels", "set", topics=tmp_path / "topics.txt")
    assert [(j.key, j.grade) for j in loaded.golden.judgements] == [("7", 0), ("8", 0), ("9", 2)]
    assert loaded.notes == (
        "2 judgements have grades below 0, taken as 0: not relevant.",
        "2 judgements repeat earlier ones with the same grade.",
    )
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "red"}\n')
    for split, grade in (("dev", 1), ("test", 1)):
        (folder / "qrels" / f"{split}.tsv").write_text(
            f"query-id\tcorpus-id\tscore\n1\t7\t{grade}\n1\t8\t-1\n"
        )
    loaded = load(folder, "set")
    assert [(j.key, j.grade) for j in loaded.golden.judgements] == [("7", 1), ("8", 0)]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n1\t7\t2\n")
    with pytest.raises(PlumblineError, match=r"dev\.tsv, line 2"):
        load(folder, "set")


@pytest.mark.parametrize("name", ["<b>", "<3", "<", "<topical"])
def test_a_query_whose_id_begins_as_markup_does_comes_back_from_trec(tmp_path: Path, name: str) -> None:
    golden = GoldenSet("set", queries=(GoldenQuery(name, "red"),), judgements=(Judgement(name, "7", 1),))
    back, lost = trip(golden, "trec", tmp_path)
    assert (back, lost) == (golden, ())


@pytest.mark.parametrize("name", ["<top>", "<TOPIC", "<?xml", "<!--"])
def test_a_query_whose_id_is_markup_is_left_out_of_trec_and_that_is_said(tmp_path: Path, name: str) -> None:
    golden = GoldenSet("set", queries=(GoldenQuery(name, "red"), GoldenQuery("b", "blue")))
    back, lost = trip(golden, "trec", tmp_path)
    assert [q.id for q in back.queries] == ["b"]
    assert len(lost) == 1


def test_a_name_that_no_file_system_takes_is_said(tmp_path: Path) -> None:
    golden = GoldenSet("s", queries=(GoldenQuery("1", "red"),))
    for ending in (".csv", ".jsonl", ".qrels", ""):
        path = tmp_path / f"{'x' * 300}{ending}"
        for call in (lambda p=path: save(golden, p, picture=shown), lambda p=path: load(p, "set")):
            with pytest.raises(PlumblineError) as caught:
                call()
            assert caught.value.code in ("usage", "not-found")


def test_many_smoke_items_of_one_query_are_read_in_one_pass(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_text("query,text,kind,key\n" + "".join(f"q,red,must,{i}\n" for i in range(20_000)))
    began = time.process_time()
    assert len(load(file, "set").golden.queries[0].must) == 20_000
    assert time.process_time() - began < 5


def test_a_short_table_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_bytes(
        "\ufefftext;key;grade\r\nred circle;1;2\r\nred circle;2;0.0\r\nblaü;3;1\r\n\r\n".encode()
    )
    found = load(file, "set").golden
    assert [q.text for q in found.queries] == ["red circle", "blaü"]
    assert [(j.key, j.grade) for j in found.judgements] == [("1", 2), ("2", 0), ("3", 1)]


def test_flat_json_lines_are_enough(tmp_path: Path) -> None:
    file = tmp_path / "set.jsonl"
    lines: list[dict[str, Any]] = [
        {"text": "red", "key": 1, "grade": 2, "cohort": {"language": "en"}},
        {"text": "red", "key": "2", "grade": 0},
        {"query": "s", "text": "blue", "kind": "must", "key": 7},
        {"query": "s", "kind": "rule", "key": {"equals": {"field": "a", "value": 1}}, "grade": 1},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    found = load(file, "set").golden
    assert [q.must for q in found.queries] == [(), ("7",)]
    assert found.queries[0].cohort == {"language": "en"}
    assert found.rules == (Rule("s", Equals("a", 1), 1),)


def test_pictures_below_the_files_own_folder_come_along(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(PNG)
    (tmp_path / "set.csv").write_text("image,key,grade\npictures/a.png,1,1\n")
    loaded = load(tmp_path / "set.csv", "set")
    assert loaded.golden.queries[0].image == PICTURE
    assert loaded.pictures == {PICTURE.sha256: PNG}


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/hostname", "link.png", "folder/../../secret.png", ".", "", "a\0b"]
)
def test_no_path_and_no_link_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    inner = tmp_path / "inner"
    (inner / "folder").mkdir(parents=True)
    (inner / "link.png").symlink_to(tmp_path / "secret.png")
    file = inner / "set.jsonl"
    file.write_text(json.dumps({"query": {"id": "q", "image": name}}))
    with pytest.raises(PlumblineError) as caught:
        load(file, "set")
    assert caught.value.code == "usage"
    assert caught.value.where.endswith("set.jsonl, line 1")


def test_a_link_in_a_beir_folder_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "outside.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "red"}\n')
    (folder / "qrels" / "test.tsv").symlink_to(tmp_path / "outside.tsv")
    with pytest.raises(PlumblineError) as caught:
        load(folder, "set")
    assert caught.value.code == "usage"
    assert "picture" not in caught.value.hint
    assert "qrels/*.tsv" in caught.value.hint


def test_what_an_image_may_be_is_said_where_it_names_no_file(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_text("image\nnowhere.png\n")
    with pytest.raises(PlumblineError) as caught:
        load(tmp_path / "set.csv", "set")
    assert caught.value.hint.startswith("A picture is upload:HASH")


def with_picture(name: str, data: bytes, folder: Path) -> tuple[Path, str]:
    """A set whose only picture has these bytes, and the end of the place where it stands."""
    (folder / "a.png").write_bytes(data)
    held = {"sha256": hashlib.sha256(data).hexdigest(), "data": base64.b64encode(data).decode()}
    image = {"image": "a.png"}
    first, second = {
        "set.csv": ("text,image", "blue,a.png"),
        "set.jsonl": ('{"text": "red"}', json.dumps(image)),
        "whole.jsonl": ('{"golden": {"format": 1}}', json.dumps({"picture": held})),
        "queries.jsonl": (
            '{"_id": "1", "text": "red"}',
            json.dumps({"_id": "2", "text": "", "metadata": {"plumbline": image}}),
        ),
    }[name]
    last = json.dumps({"query": {"id": "q", "image": held["sha256"]}}) if name == "whole.jsonl" else ""
    (folder / name).write_text(f"{first}\n{second}\n{last}")
    return (folder if name == "queries.jsonl" else folder / name), f"{name}, line 2"


ANY_FORM = pytest.mark.parametrize("name", ["set.csv", "set.jsonl", "whole.jsonl", "queries.jsonl"])


@ANY_FORM
@pytest.mark.parametrize(
    "data",
    [b"", b"text,image\n", b"\x89PNG\r\n\x1a\n and no more", PNG[:50]],
    ids=["empty", "text", "begun", "cut off"],
)
def test_what_is_no_picture_stops_the_import_at_its_line(tmp_path: Path, name: str, data: bytes) -> None:
    path, where = with_picture(name, data, tmp_path)
    with pytest.raises(PlumblineError) as caught:
        load(path, "set")
    assert caught.value.code == "image-refused"
    assert caught.value.where.endswith(where)


@ANY_FORM
def test_a_picture_beyond_the_limits_stops_the_import(tmp_path: Path, name: str) -> None:
    path, where = with_picture(name, PNG, tmp_path)
    assert load(path, "set", limits=ImageLimits(pixels=4)).pictures == {PICTURE.sha256: PNG}
    for limits in (ImageLimits(pixels=3), ImageLimits(bytes=len(PNG) - 1)):
        with pytest.raises(PlumblineError) as caught:
            load(path, "set", limits=limits)
        assert caught.value.code == "image-refused"
        assert caught.value.where.endswith(where)
        assert "[images.limits]" in caught.value.hint


def test_a_picture_is_decoded_once_however_many_lines_and_files_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.encoders import images

    decoded: list[bytes] = []
    decode = images.decode

    def counted(data: bytes, *given: Any, **more: Any) -> Any:
        decoded.append(data)
        return decode(data, *given, **more)

    monkeypatch.setattr(images, "decode", counted)
    lines = [f"{name},{key},1\n" for name, keys in (("a", "123"), ("b", "456")) for key in keys]
    for name in "ab":
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "set.csv").write_text("image,key,grade\n" + "".join(lines))
    assert len(load(tmp_path / "set.csv", "set").golden.judgements) == 6
    assert decoded == [PNG]


def test_without_pillow_a_picture_has_to_begin_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    path, where = with_picture("set.csv", PNG, tmp_path)
    assert load(path, "set").pictures == {PICTURE.sha256: PNG}
    with_picture("set.csv", b"text,image\n", tmp_path)
    with pytest.raises(PlumblineError) as caught:
        load(path, "set")
    assert caught.value.code == "image-refused"
    assert caught.value.where.endswith(where)


def test_every_format_that_is_decoded_is_known_by_how_it_begins() -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    from PIL import features

    from console.encoders import images

    for kind in images.FORMATS:
        if kind == "AVIF" and not features.check("avif"):
            continue
        out = io.BytesIO()
        image.new("RGB", (16, 16), "red").save(out, kind)
        assert pictures._BEGINS.match(out.getvalue()), kind
        pictures.check(out.getvalue())


def test_a_picture_that_can_not_be_read_is_said_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, where = with_picture("set.csv", PNG, tmp_path)
    opened = Path.open

    def denied(self: Path, *given: Any, **more: Any) -> Any:
        if self.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return opened(self, *given, **more)

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(PlumblineError) as caught:
        load(path, "set")
    assert caught.value.code == "image-refused"
    assert caught.value.where.endswith(where)


def test_the_first_line_that_is_not_blank_is_the_header(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_text("\ufeff\n \t\r\n\ntext,key,grade\n\nred,1,2\n")
    assert load(file, "set").golden.judgements[0].grade == 2
    file.write_text("\n\ntext,price\n")
    with pytest.raises(PlumblineError) as caught:
        load(file, "set")
    assert caught.value.where.endswith("set.csv, line 3")
    file.write_text("\n \n")
    with pytest.raises(PlumblineError, match="is empty"):
        load(file, "set")


@pytest.mark.parametrize(
    "head", ["\n \nquery-id\tcorpus-id\tscore\n", "Query-ID\tCorpus-Id\tSCORE\r\n", "\ufeff\n"]
)
def test_the_header_of_beirs_qrels_is_known_after_blank_lines_and_in_any_case(
    tmp_path: Path, head: str
) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "red"}\n')
    (tmp_path / "qrels" / "test.tsv").write_text(f"{head}1\t7\t2\n  \n1\t8\t0\n")
    assert load(tmp_path, "set").golden.judgements == (Judgement("1", "7", 2), Judgement("1", "8", 0))
    (tmp_path / "qrels" / "test.tsv").write_text("1\t7\t2\nquery-id\tcorpus-id\tscore\n")
    with pytest.raises(PlumblineError, match=r"test\.tsv, line 2"):
        load(tmp_path, "set")


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "a", "key": 1e400, "grade": 1}',
        '{"text": "a", "cohort": {"c": -1e400}}',
        '{"rule": {"query": "q", "where": {"equals": {"field": "a", "value": 1e999}}, "grade": 1}}',
    ],
)
def test_a_number_beyond_every_float_is_refused_wherever_it_stands(tmp_path: Path, line: str) -> None:
    (tmp_path / "set.jsonl").write_text(f"{Q}{line}\n")
    with pytest.raises(PlumblineError) as caught:
        load(tmp_path / "set.jsonl", "set", key_field="sku")
    assert caught.value.code == "usage"
    assert "is too large" in caught.value.message
    assert caught.value.where.endswith("set.jsonl, line 2")


@pytest.mark.parametrize("key", ["true", "false", "{}", "[]", "[1, 2]"])
def test_a_key_that_is_neither_a_text_nor_a_number_is_not_called_empty(tmp_path: Path, key: str) -> None:
    (tmp_path / "set.jsonl").write_text(f'{{"text": "a", "key": {key}, "grade": 1}}\n')
    for key_field in (None, "sku"):
        with pytest.raises(PlumblineError) as caught:
            load(tmp_path / "set.jsonl", "set", key_field=key_field)
        assert (caught.value.code, caught.value.message) == ("usage", "A key is a text or a number.")


HEAD = "query,text,kind,key,grade\n"
Q = '{"query": {"id": "q", "text": "red"}}\n'
HOSTILE: list[tuple[str, bytes, str, int | None]] = [
    ("set.csv", b"", "usage", None),
    ("set.csv", HEAD.encode(), "usage", None),
    ("set.csv", b"\xff\xfeq\0u\0", "damaged", 1),
    ("set.csv", HEAD.encode() + b"q,r\xe4d,,1,1\n", "damaged", 2),
    ("set.csv", HEAD.encode() + b"q,r\0d,,1,1\n", "damaged", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1\n", "damaged", 2),
    ("set.csv", HEAD.encode() + b'q,"red,,1,1\n', "damaged", 2),
    ("set.csv", HEAD.encode() + b'q,"red"x,,1,1\n', "damaged", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1,nan\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1,-1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1,0.5\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1,\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1,1e9\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1," + b"9" * 5000 + b"\n", "usage", 2),
    ("set.csv", HEAD.encode() + "q,red,,1,١\n".encode(), "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,,1,1\nq,red,,1,2\n", "usage", 3),
    ("set.csv", HEAD.encode() + b"q,red,,1,1\nq,blue,,2,1\n", "usage", 3),
    ("set.csv", HEAD.encode() + b"q,red,,MED-10,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,,=1+1,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"=cmd|' /C calc'!A0,red,,1,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,,,1,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b",,,1,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,wish,1,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,red,must,1,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b'q,red,rule,"{",1\n', "usage", 2),
    ("set.csv", b"text,price,grade\nred,1,1\n", "usage", 1),
    ("set.csv", b"text,text,key,grade\nred,1,1\n", "usage", 1),
    ("set.csv", b"key,grade\n1,1\n", "usage", 1),
    ("set.csv", HEAD.encode() + b"q," + b"x" * 2_000_000 + b",,1,1\n", "usage", 2),
    ("set.csv", HEAD.encode() + b"q,x,,1,1\nq,x,,1,0\n", "usage", 3),
    ("set.csv", b"text,key\nred,1\n", "usage", 1),
    ("set.csv", b"text,grade\nred,1\n", "usage", 1),
    ("set.csv", HEAD.encode() + b"q,red\x1b[31m,,1,1\n", "usage", 2),
    ("set.jsonl", b"[1]\n", "damaged", 1),
    ("set.jsonl", b"{\n", "damaged", 1),
    ("set.jsonl", b'{"text": "a", "key": 1, "grade": NaN}\n', "damaged", 1),
    ("set.jsonl", b'{"text": "a", "key": 1, "grade": 1e400}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "key": 1, "grade": true}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "key": true, "grade": 1}\n', "usage", 1),
    ("set.jsonl", b'{"text": ["a"], "key": 1, "grade": 1}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "cohort": 5}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "what": 5}\n', "usage", 1),
    ("set.jsonl", b"[" * 100_000 + b"\n", "damaged", 1),
    ("set.jsonl", (Q + Q).encode(), "usage", 2),
    ("set.jsonl", (Q + '{"judgement": {"query": "r", "key": "1", "grade": 1}}\n').encode(), "usage", 2),
    ("set.jsonl", (Q + '{"judgement": {"query": "q", "key": "1"}}\n').encode(), "usage", 2),
    ("set.jsonl", (Q + '{"rule": {"query": "q", "where": {"equals": 1}, "grade": 1}}\n').encode(), "usage", 2),
    ("set.jsonl", b'{"query": {"id": "q", "text": 5}}\n', "usage", 1),
    ("set.jsonl", b'{"query": {"id": "q", "text": "\\ud800"}}\n', "usage", 1),
    ("set.jsonl", b'{"query": {"id": "q", "row": -1}}\n', "usage", 1),
    ("set.jsonl", b'{"query": {"id": "q", "text": "a", "cohort": {"a": 1}}}\n', "usage", 1),
    ("set.jsonl", b'{"query": {"id": "q", "text": "a", "must": "1"}}\n', "usage", 1),
    ("set.jsonl", b'{"query": {"id": "q", "row": true}}\n', "usage", 1),
    ("set.jsonl", b'{"row": true, "key": 1, "grade": 1}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "cohort": {"a": {"b": 1}}}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "cohort": {"a": [1]}}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "cohort": {"a": true}}\n', "usage", 1),
    ("set.jsonl", b'{"text": "a", "key": 1}\n', "usage", 1),
    ("set.jsonl", b'{"query": {"id": "q", "text": "a", "must": ["1", "1"]}}\n', "usage", 1),
    ("set.jsonl", b'{"golden": {"format": 1, "note": "\\ud800"}}\n', "usage", 1),
    ("set.jsonl", b'{"golden": {"format": 1, "note": "\\u0000"}}\n', "usage", 1),
    ("set.jsonl", b'{"golden": {"format": 1, "note": "\\u001b[31m"}}\n', "usage", 1),
    ("set.jsonl", b'{"golden": {"format": 1, "key_field": "\\ud800"}}\n', "usage", 1),
    ("set.jsonl",
     (Q + '{"rule": {"query": "q", "where": {"equals": {"field": "a", "value": "\\udc00"}}, "grade": 1}}\n').encode(),
     "usage", 2),
    ("set.jsonl", b'{"golden": {"format": 99}}\n', "damaged", 1),
    ("set.jsonl", b'{"picture": {"sha256": "x", "data": "!"}}\n', "damaged", 1),
    ("set.jsonl", b'{"picture": {"sha256": "00", "data": "aGk="}}\n', "damaged", 1),
    ("set.qrels", b"1 0 7 1\n", "usage", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "code", "line"), HOSTILE)
def test_a_bad_file_is_refused_by_file_and_line(
    tmp_path: Path, name: str, data: bytes, code: str, line: int | None
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(PlumblineError) as caught:
        load(file, "set")
    assert caught.value.code == code, caught.value
    assert name in caught.value.where
    assert line is None or caught.value.where.endswith(f"{name}, line {line}"), caught.value
    assert len(str(caught.value)) < 1_500


@pytest.mark.parametrize(
    ("topics", "qrels", "code", "where"),
    [
        ("1\tred\n", "1 0 7\n", "damaged", "q.qrels, line 1"),
        ("1\tred\n", "1 0 7 1\n2 0 7 1\n", "usage", "q.qrels, line 2"),
        ("1\tred\n", "1 0 7 -0.5\n", "usage", "q.qrels, line 1"),
        ("1\tred\n", "1 0 7 1\n1 0 7 2\n", "usage", "q.qrels, line 2"),
        ("1\tred\n1\tblue\n", "", "usage", "topics.txt, line 2"),
        ("red\n", "", "damaged", "topics.txt, line 1"),
        ("<top>\n<num> Number: 1\n", "", "damaged", "topics.txt, line 2"),
        ("<top>\n<num> Number: 1\n</top>\n", "", "damaged", "topics.txt, line 3"),
    ],
)
def test_bad_qrels_and_topics_are_refused_by_file_and_line(
    tmp_path: Path, topics: str, qrels: str, code: str, where: str
) -> None:
    (tmp_path / "topics.txt").write_text(topics)
    (tmp_path / "q.qrels").write_text(qrels)
    with pytest.raises(PlumblineError) as caught:
        load(tmp_path / "q.qrels", "set", topics=tmp_path / "topics.txt")
    assert caught.value.code == code
    assert caught.value.where.endswith(where)


@pytest.mark.parametrize(
    "text",
    [
        "<top>\n\n<num> Number: 301\n<title> International &amp; Organized Crime\n\n<desc> Description:\nx\n</top>\n",
        '<topics><topic number="301"><query>International &amp; Organized\nCrime</query></topic></topics>',
        "301\tInternational & Organized Crime\n",
    ],
)
def test_topics_in_each_of_trecs_forms_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "topics.txt").write_text(text)
    (tmp_path / "q.qrels").write_text("301 Q0 7 1\n301\t0\t8\t0\n\n")
    found = load(tmp_path / "q.qrels", "set", topics=tmp_path / "topics.txt").golden
    assert found.queries == (GoldenQuery("301", "International & Organized Crime"),)
    assert [j.key for j in found.judgements] == ["7", "8"]


def test_an_entity_of_a_topic_is_never_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>\n<top><num>1<title>&b;</top>\n'
    (tmp_path / "topics.txt").write_text(bomb)
    (tmp_path / "q.qrels").write_text("")
    assert load(tmp_path / "q.qrels", "set", topics=tmp_path / "topics.txt").golden.queries[0].text == "&b;"


def test_a_corpus_is_held_against_the_judged_keys(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "queries.jsonl").write_text('{"_id": 1, "text": "red", "metadata": {"url": "x"}}\n')
    for split, keys in (("dev", "ab"), ("test", "c")):
        lines = "".join(f"1\t{k}\t1\n" for k in keys)
        (tmp_path / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "title": "", "text": "x"}\n')
    loaded = load(tmp_path, "set", key_field="doc")
    assert [j.key for j in loaded.golden.judgements] == ["a", "b", "c"]
    assert loaded.notes == ("corpus.jsonl lacks 2 of the judged keys: b, c",)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_written_over(tmp_path: Path, form: Form) -> None:
    golden = GoldenSet("s", queries=(GoldenQuery("1", "red"),))
    path = names(form, tmp_path)
    save(golden, path, picture=shown)
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*"))
    with pytest.raises(PlumblineError) as caught:
        save(golden, path, picture=shown)
    assert caught.value.code == "usage"
    assert sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*")) == before


def test_a_file_that_fails_midway_is_not_left(tmp_path: Path) -> None:
    def gone(_: Upload) -> bytes:
        raise PlumblineError("not-found", "gone")

    with pytest.raises(PlumblineError):
        save(WHOLE, tmp_path / "set.jsonl", picture=gone)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PlumblineError) as caught:
        save(WHOLE, tmp_path / "nowhere" / "set.csv", picture=shown)
    assert caught.value.code == "usage"


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path, code in (
        (tmp_path / "pipe.csv", "usage"),
        (tmp_path / "none.csv", "not-found"),
        (tmp_path, "usage"),
    ):
        with pytest.raises(PlumblineError) as caught:
            load(path, "set")
        assert caught.value.code == code
    with pytest.raises(PlumblineError, match="name does not say"):
        load(tmp_path / "set.dat", "set")


def test_a_file_beyond_its_bounds_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    with file.open("wb") as out:
        out.truncate(600 * 1024 * 1024)
    with pytest.raises(PlumblineError) as caught:
        load(file, "set")
    assert caught.value.code == "usage"
    assert "bytes" in caught.value.message


def test_more_queries_than_a_set_may_have_stop_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.search.golden.formats.gathering.MOST_QUERIES", 3)
    file = tmp_path / "set.csv"
    file.write_text("text\n" + "".join(f"t{i}\n" for i in range(10)))
    with pytest.raises(PlumblineError) as caught:
        load(file, "set")
    assert caught.value.where.endswith("line 5")

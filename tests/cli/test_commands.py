"""The commands on a real embedded store: Qdrant's own engine in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from connectors.model import CollectionPlan, PayloadField, Row, Target, VectorField
from connectors.qdrant import host
from connectors.registry import connect
from connectors.spec import ConnectionSpec
from tests.cli.conftest import HOUSE, Inside, Ran, Shell

HOSTILE = "a \x1b[31mred\x1b[0m\ncircle \u202e ![x](http://evil.example)"
ODD = "odd @#% näme \u202e"
SECRET = "s3cr3t-Value_91x"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cli") / "store"
    connector = connect(ConnectionSpec("made", "qdrant", path=str(folder)))
    random = np.random.default_rng(0)
    tag = PayloadField("embedding_version", "keyword", indexed=True)
    clip = VectorField("clip", dimension=4, metric="dot")
    thumb = VectorField("thumb", dimension=3, metric="cosine")
    connector.create("Docs", CollectionPlan((clip,), (tag,), marker={"encoders": {"clip": "scenes-v1"}}))
    connector.create(ODD, CollectionPlan((VectorField("", dimension=4, metric="euclid"),)))
    connector.create("Two", CollectionPlan((clip, thumb), (tag,)))
    connector.create("Empty", CollectionPlan((clip,)))

    def rows(fields: dict[str, int]) -> Iterator[Row]:
        for i in range(20):
            vectors = {name: random.standard_normal(d).astype(np.float32) for name, d in fields.items()}
            payload = {
                "caption": HOSTILE,
                "n": i,
                "embedding_version": "scenes-v2" if i else "other",
                "x" * 5: None,
            }
            yield Row(i if i < 19 else 2**64 - 1, vectors, payload)

    assert len(connector.insert(Target("Docs"), rows({"clip": 4})).done) == 20
    assert len(connector.insert(Target(ODD), rows({"": 4})).done) == 20
    assert len(connector.insert(Target("Two"), rows({"clip": 4, "thumb": 3})).done) == 20
    connector.close()
    yield folder
    host.stop(folder)


def configure(where: Shell | Inside, store: Path) -> None:
    where.secret(
        f'[connections.emb]\nkind = "qdrant"\npath = "{store}"\n'
        f'[connections.dead]\nkind = "qdrant"\nurl = "http://127.0.0.1:1"\napi_key = "{SECRET}"\ntimeout = 1\n'
    )


@pytest.fixture
def console(inside: Inside, store: Path) -> Inside:
    configure(inside, store)
    return inside


@pytest.fixture
def program(shell: Shell, store: Path) -> Shell:
    configure(shell, store)
    return shell


def address(name: str) -> str:
    from console.settings import Address

    return str(Address("emb", name))


def test_connections_show_each_in_its_own_place(program: Shell) -> None:
    ran = program("connections", "--format", "json")
    dead, emb = ran.json["connections"]
    assert ran.code == 0
    assert set(dead) == {"name", "kind", "state", "server", "latency_ms", "capabilities", "error"}
    assert (dead["name"], dead["state"], dead["server"]["version"]) == ("dead", "down", None)
    assert dead["error"]["code"] == "unreachable"
    assert (emb["name"], emb["kind"], emb["state"], emb["error"]) == ("emb", "qdrant", "up", None)
    assert emb["server"]["version"]
    assert emb["server"]["embedded"] is True
    assert emb["latency_ms"] > 0
    assert emb["capabilities"]["facet"]["supported"] in (True, None)
    assert SECRET not in ran.out + ran.err


def test_one_connection_is_tested(console: Inside) -> None:
    assert [
        c["name"] for c in console("connections", "test", "emb", "--format", "json").json["connections"]
    ] == ["emb"]
    ran = console("connections", "test", "dead", "--format", "json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "unreachable"
    assert ran.json["connections"][0]["error"] == ran.json["error"]
    assert console("connections", "test", "dead").code == 2


def test_collections_show_the_living_beside_the_dead(console: Inside) -> None:
    ran = console("collections", "--format", "json")
    assert ran.code == 0
    first, *held = ran.json["collections"]
    assert (first["connection"], first["name"], first["error"]["code"]) == ("dead", None, "unreachable")
    assert {c["name"]: c["rows"] for c in held} == {"Docs": 20, "Two": 20, "Empty": 0, ODD: 20}
    docs = next(c for c in held if c["name"] == "Docs")
    assert set(docs) == {"connection", "name", "rows", "vectors", "aliases", "error"}
    assert [(v["name"], v["dimension"], v["metric"]) for v in docs["vectors"]] == [("clip", 4, "dot")]
    table = console("collections", "emb")
    assert table.code == 0
    assert all(len(line) <= 80 and line.isprintable() for line in table.out.splitlines())


def test_collections_of_a_dead_connection_are_exit_2(console: Inside) -> None:
    ran = console("collections", "dead", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "unreachable")
    assert ran.json["collections"][0]["error"]["code"] == "unreachable"
    table = console("collections", "dead")
    assert (table.code, "[unreachable]" in table.out) == (2, True)


def test_a_collection_is_described(console: Inside) -> None:
    ran = console("describe", "emb/Docs", "--format", "json")
    assert ran.code == 0
    held = ran.json
    for key in (
        "address",
        "kind",
        "rows",
        "vectors",
        "payload",
        "aliases",
        "tenants",
        "index_state",
        "capabilities",
    ):
        assert key in held
    assert (held["address"], held["kind"], held["rows"], held["tenants"]) == ("emb/Docs", "qdrant", 20, None)
    (clip,) = held["vectors"]
    assert (clip["name"], clip["dimension"], clip["metric"], clip["storage"]) == ("clip", 4, "dot", "float32")
    assert (clip["encoder"]["name"], clip["encoder"]["known_by"]) == ("scenes-v1", "marker")
    assert {"field": "embedding_version", "type": "keyword", "indexed": True}.items() <= held["payload"][
        0
    ].items()


def test_fields_without_an_index_are_described_from_a_few_rows(console: Inside) -> None:
    fields = {
        p["field"]: (p["type"], p["indexed"])
        for p in console("describe", "emb/Docs", "--format", "json").json["payload"]
    }
    assert fields == {
        "embedding_version": ("keyword", True),
        "caption": ("keyword", False),
        "n": ("integer", False),
    }


def test_an_odd_name_is_reached_by_its_address(console: Inside) -> None:
    ran = console("describe", address(ODD), "--format", "json")
    assert (ran.code, ran.json["rows"], ran.json["address"]) == (0, 20, address(ODD))
    assert ran.json["vectors"][0]["encoder"] is None
    table = console("describe", address(ODD))
    assert all(line.isprintable() for line in table.out.splitlines())


def test_what_is_not_there_is_not_found(console: Inside) -> None:
    for words in (["describe", "emb/Nope"], ["describe", "emb/Docs#nope"], ["encoder", "emb/Docs#nope"]):
        ran = console(*words, "--format", "json")
        assert (ran.code, ran.json["error"]["code"]) == (2, "not-found")
    assert console("describe", "dead/Docs", "--format", "json").json["error"]["code"] == "unreachable"


def test_the_encoder_of_a_field_is_chosen_kept_and_forgotten(console: Inside) -> None:
    assert console("encoder", "emb/Two#clip", "--format", "json").json["encoder"]["known_by"] == "version-tag"
    ran = console("encoder", "emb/Two#clip", "set", "scenes-v1", "--format", "json")
    assert (ran.code, ran.json["address"], ran.json["choice"]) == (0, "emb/Two#clip", "scenes-v1")
    assert (ran.json["encoder"]["name"], ran.json["encoder"]["known_by"]) == ("scenes-v1", "choice")
    vectors = console("describe", "emb/Two", "--format", "json").json["vectors"]
    known = {v["name"]: v["encoder"]["known_by"] for v in vectors}
    assert known == {"clip": "choice", "thumb": "version-tag"}
    assert console("encoder", "emb/Two#clip", "clear", "--format", "json").json["choice"] is None
    ran = console("encoder", "emb/Two", "set", "scenes-v1", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "vector-ambiguous")
    assert "#clip" in ran.json["error"]["hint"]
    ran = console("encoder", "emb/Two#clip", "set", "scenes-v9", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "encoder-unknown")


def test_the_settings_go_before_the_choice_and_that_is_said(console: Inside) -> None:
    console.plain('[collections."emb/Docs"]\nencoder = "scenes-v1"\n')
    ran = console("encoder", "emb/Docs", "set", "scenes-v2", "--format", "json")
    assert (ran.json["encoder"]["known_by"], ran.json["choice"]) == ("settings", "scenes-v2")
    assert "stands in the settings" in ran.err
    assert any("can't have made them" in w for w in ran.json["warnings"])


def test_a_stored_row_finds_what_is_like_it(console: Inside) -> None:
    ran = console("query", "emb/Docs", "--id", "3", "-k", "4", "--format", "json")
    assert ran.code == 0
    held = ran.json
    assert [h["rank"] for h in held["hits"]] == [1, 2, 3, 4]
    assert all(h["address"] == "emb/Docs" and h["score_kind"] == "similarity" for h in held["hits"])
    assert held["fusion"] is None
    assert "error" not in held or held["error"] is None
    assert held["sides"][0]["address"] == held["address"] == "emb/Docs"
    assert held["hits"][0]["payload"]["caption"] == HOSTILE
    assert "\x1b" not in ran.out


def test_a_vector_from_a_file_or_from_standard_input_searches(program: Shell, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.ones(4, dtype=np.float32))
    by_file = program("query", "emb/Docs", "--vector", str(tmp_path / "v.npy"), "--format", "json").json
    by_text = program("query", "emb/Docs", "--vector", "-", "--format", "json", text="[1, 1, 1, 1]").json
    assert [h["id"] for h in by_file["hits"]] == [h["id"] for h in by_text["hits"]]
    assert len(by_file["hits"]) == 10
    ran = program("query", "emb/Docs", "--vector", "-", "--format", "json", text="[1, 1]")
    assert (ran.code, ran.json["error"]["code"]) == (2, "dimension-mismatch")


def test_an_id_beyond_the_range_of_a_float_is_kept(console: Inside) -> None:
    ran = console(
        "query", "emb/Docs", "--id", str(2**64 - 1), "--format", "json", "--filter", json.dumps({"ids": [5]})
    )
    assert ran.code == 0
    assert [h["id"] for h in ran.json["hits"]] == [5]


def test_several_addresses_print_what_there_is_and_are_exit_2_where_one_fails(console: Inside) -> None:
    ran = console("query", "emb/Docs", "--id", "1", "emb/Nope", "dead/x", "-k", "2", "--format", "json")
    assert ran.code == 2
    codes = {s["address"]: (s["error"] or {}).get("code") for s in ran.json["sides"]}
    assert codes == {"emb/Docs": None, "emb/Nope": "not-found", "dead/x": "unreachable"}
    assert len(ran.json["hits"]) == 2
    assert ran.json["error"]["code"] == "not-found"
    other = console("query", "emb/Docs", "nobody/x", "--id", "1", "-k", "2", "--format", "json")
    assert (other.code, other.json["error"]["code"], len(other.json["hits"])) == (2, "not-found", 2)
    table = console("query", "emb/Docs", "emb/Nope", "--id", "1")
    assert table.code == 2
    assert "[not-found]" in table.out


def test_a_query_without_a_single_vector_field_names_them(console: Inside) -> None:
    words = ("query", "emb/Two", "--vector", "-", "--format", "json")
    ran = console(*words, text="[1, 1, 1, 1]")
    assert (ran.code, ran.json["error"]["code"]) == (2, "vector-ambiguous")
    assert "#clip, #thumb" in ran.json["error"]["hint"]
    assert ran.err.startswith("plumbline: emb/Two: ")
    console("encoder", "emb/Two#clip", "set", "scenes-v1")
    ran = console(*words, text="[1, 1, 1, 1]")
    assert (ran.code, ran.json["vector"]) == (0, "clip")


def test_an_empty_collection_finds_nothing_and_is_exit_0(console: Inside) -> None:
    ran = console("query", "emb/Empty", "--vector", "-", text="[1, 1, 1, 1]")
    assert ran.code == 0
    assert "Nothing was found." in ran.out


def test_tables_of_hostile_rows_are_printable_and_fit(console: Inside) -> None:
    for words in (
        ["query", "emb/Docs", "--id", "1"],
        ["query", address(ODD), "--id", "1"],
        ["describe", "emb/Docs"],
    ):
        ran = console(*words)
        assert ran.code == 0, ran.err
        assert all(line.isprintable() for line in ran.out.splitlines())
        assert all(len(line) <= 80 for line in ran.out.splitlines() if line[:1].isdigit())


def test_the_host_is_found_by_many_commands_at_once(program: Shell, store: Path) -> None:
    host.stop(store)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: program("collections", "emb", "--format", "json"), range(3)))
    assert [f.code for f in found] == [0, 0, 0]
    state = program("store", "state", "--connection", "emb", "--format", "json").json
    assert (state["state"], state["store"]) == ("running", str(store))
    assert set(state) == {"store", "state", "address", "pid"}


def test_a_second_host_of_a_store_is_refused(console: Inside) -> None:
    assert console("collections", "emb").code == 0
    ran = console("store", "--connection", "emb", "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "busy")


def test_a_store_is_stopped(console: Inside, store: Path) -> None:
    assert console("collections", "emb").code == 0
    assert console("store", "stop", "--connection", "emb", "--format", "json").json["was_running"] is True
    assert console("store", "state", "--path", str(store), "--format", "json").json["state"] == "stopped"
    assert console("store", "stop", "--path", str(store), "--format", "json").json["was_running"] is False


_BARE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "open_clip", "PIL", "streamlit", "plotly", "starlette"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from console.cli import main
sys.exit(main())
"""


def bare(program: Shell, *words: str) -> Ran:
    """The command line where no extra is installed."""
    ran = subprocess.run(
        [sys.executable, "-c", _BARE, str(HOUSE), *words, "--format", "json"],
        cwd=program.cwd,
        env=program.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def test_the_base_install_looks_and_searches_by_row(program: Shell) -> None:
    for words in (
        ["connections"],
        ["collections", "emb"],
        ["describe", "emb/Docs"],
        ["encoder", "emb/Docs"],
        ["query", "emb/Docs", "--id", "3"],
    ):
        ran = bare(program, *words)
        assert ran.code == 0, (words, ran.err)


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["query", "emb/Docs", "--text", "a red circle", "--encoder", "big", "--allow-mismatch"], "clip"),
        (["demo", "--no-serve"], "clip"),
        (["up"], "console"),
    ],
)
def test_a_command_whose_extra_is_missing_says_so(program: Shell, words: list[str], extra: str) -> None:
    program.plain('[encoders.big]\nmodel = "ViT-B-32"\n')
    ran = bare(program, *words)
    assert (ran.code, ran.json["error"]["code"]) == (2, "extra-missing"), ran.out
    assert f"plumbline[{extra}]" in ran.json["error"]["hint"]


def test_a_read_only_connection_is_read(console: Inside, store: Path) -> None:
    environ = {"PLUMBLINE_CONNECTIONS__EMB__READ_ONLY": "1"}
    assert console("collections", "emb", "--format", "json", environ=environ).code == 0

"""Connections: from secrets.toml, from the environment, and what is refused."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from connectors.errors import PlumblineError
from tests.settings.conftest import Desk

SECRET = "s3cr3t-Value_91x"


def refused(desk: Desk, environ: dict[str, str] | None = None) -> PlumblineError:
    with pytest.raises(PlumblineError) as caught:
        desk.load(environ)
    assert caught.value.code == "settings"
    told = (
        "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.to_json())
    )
    assert SECRET not in told
    assert caught.value.__cause__ is None
    frame = caught.tb
    while frame is not None:
        own = {k: v for k, v in frame.tb_frame.f_locals.items() if type(v).__module__.startswith("console")}
        assert SECRET not in repr(own)
        frame = frame.tb_next
    return caught.value


def test_a_server_is_read_with_all_its_keys(desk: Desk) -> None:
    (desk.cwd / "ca.pem").write_text("x")
    (desk.cwd / ".streamlit").mkdir()
    (desk.cwd / ".streamlit" / "ca.pem").write_text("x")
    desk.secret(
        f"""
[connections.prod]
kind = "qdrant"
url = "https://qdrant.example.org:6333/"
grpc_host = "grpc.example.org"
grpc_port = 6334
api_key = "{SECRET}"
ca_file = "ca.pem"
timeout = 3
read_only = true
[connections.prod.headers]
X-Org = "{SECRET}2"
"""
    )
    spec = desk.load().connections["prod"]
    assert (spec.kind, spec.url, spec.grpc_host, spec.grpc_port) == (
        "qdrant",
        "https://qdrant.example.org:6333",
        "grpc.example.org",
        6334,
    )
    assert spec.api_key == SECRET
    assert spec.headers == {"X-Org": f"{SECRET}2"}
    assert spec.ca_file == str(desk.cwd / ".streamlit" / "ca.pem")
    assert (spec.timeout, spec.read_only) == (3.0, True)


def test_no_repr_and_no_entry_holds_a_secret(desk: Desk) -> None:
    desk.secret(
        f'[connections.prod]\nkind = "weaviate"\nurl = "http://h:1"\napi_key = "{SECRET}"\n'
        f'headers = {{ X-Key = "{SECRET}" }}\n[store]\nurl = "postgresql://u:{SECRET}@h/d"\n'
    )
    settings = desk.load({"PLUMBLINE_JOBS__DATABASE_URL": f"postgresql://u:{SECRET}@h/d"})
    assert SECRET not in repr(settings)
    assert SECRET not in str([e.to_json() for e in settings.entries])
    masked = {e.key: e.value for e in settings.entries if e.value == "***"}
    assert set(masked) == {
        "connections.prod.api_key",
        "connections.prod.headers",
        "store.url",
        "jobs.database_url",
    }
    assert settings.store_url == settings.database_url == f"postgresql://u:{SECRET}@h/d"
    assert SECRET in settings.secrets()


def test_the_environment_goes_before_the_file_key_by_key(desk: Desk) -> None:
    desk.secret('[connections.prod]\nkind = "qdrant"\nurl = "http://file:6333"\ntimeout = 4\n')
    settings = desk.load(
        {
            "PLUMBLINE_CONNECTIONS__PROD__URL": "http://env:6333",
            "PLUMBLINE_CONNECTIONS__PROD__READ_ONLY": "yes",
        }
    )
    spec = settings.connections["prod"]
    assert (spec.url, spec.timeout, spec.read_only) == ("http://env:6333", 4.0, True)
    sources = {e.key: e.source for e in settings.entries}
    assert sources["connections.prod.url"] == "PLUMBLINE_CONNECTIONS__PROD__URL"
    assert sources["connections.prod.timeout"] == ".streamlit/secrets.toml:4"


def test_a_wrong_value_in_the_file_does_not_matter_where_the_environment_replaces_it(desk: Desk) -> None:
    desk.secret('[connections.prod]\nkind = "qdrant"\nurl = "nonsense"\n')
    settings = desk.load({"PLUMBLINE_CONNECTIONS__PROD__URL": "http://env:6333"})
    assert settings.connections["prod"].url == "http://env:6333"


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("TIMEOUT", "2.5", 2.5),
        ("GRPC_PORT", "6334", 6334),
        ("READ_ONLY", "false", False),
        ("READ_ONLY", "1", True),
        ("HEADERS", '{"X-A": "b"}', {"X-A": "b"}),
        ("API_KEY", SECRET, SECRET),
        ("GRPC_HOST", "other", "other"),
    ],
)
def test_a_connection_can_stand_in_the_environment_alone(
    desk: Desk, key: str, raw: str, value: object
) -> None:
    place = "PLUMBLINE_CONNECTIONS__MY_SERVER__"
    settings = desk.load({f"{place}KIND": "qdrant", f"{place}URL": "http://h:6333", f"{place}{key}": raw})
    assert getattr(settings.connections["my_server"], key.lower()) == value


def test_an_empty_variable_is_one_that_is_not_set(desk: Desk) -> None:
    place = "PLUMBLINE_CONNECTIONS__X__"
    spec = desk.load(
        {f"{place}KIND": "qdrant", f"{place}URL": "http://h", f"{place}API_KEY": ""}
    ).connections["x"]
    assert spec.api_key is None


def test_a_path_in_the_file_is_relative_to_the_file_and_one_in_the_environment_to_the_folder(
    desk: Desk,
) -> None:
    desk.secret('[connections.a]\nkind = "qdrant"\npath = "store"\n')
    settings = desk.load(
        {"PLUMBLINE_CONNECTIONS__B__KIND": "qdrant", "PLUMBLINE_CONNECTIONS__B__PATH": "store"}
    )
    assert settings.connections["a"].path == str(desk.cwd / ".streamlit" / "store")
    assert settings.connections["b"].path == str(desk.cwd / "store")


def test_entries_without_kind_are_somebody_elses_and_are_listed(desk: Desk) -> None:
    desk.secret(
        f'[connections.postgres]\ndialect = "postgresql"\npassword = "{SECRET}"\n'
        f'[connections.slip]\nknd = "qdrant"\nurl = "http://h:1"\n'
        f"[connections]\nodd = 3\n"
    )
    settings = desk.load()
    assert settings.connections == {}
    assert [n for n in settings.notes if "connections.postgres" in n]
    assert [n for n in settings.notes if "connections.slip" in n and "Did you mean `kind`" in n]
    assert [n for n in settings.notes if "connections.odd" in n]
    assert SECRET not in str(settings.notes)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('url = "http://user:%s@h:1"', "holds a user or a password"),
        ('url = "http://%s@h:1"', "holds a user or a password"),
        ('url = "h:6333?key=%s"', "must begin with http"),
        ('url = "http://h:1/?api-key=%s"', "`?`"),
        ('url = "http://h:1/#%s"', "`?`"),
        ('url = "http://h:port%s"', "is not a URL"),
        ('url = "http://h:99999"', "is not a URL"),
        ('url = "http://h:0"', "port"),
        ('url = "http://[%s"', "is not a URL"),
        ('url = "http:///%s"', "is not a URL"),
        ('url = "ftp://h/%s"', "must begin with http"),
        ("url = 6333", "must be text"),
        ('url = ""', "must not be empty"),
        ('url = "http://h:1"\napi_key = "%s\\n"', "control character"),
        ('url = "http://h:1"\napi_key = "%s é"', "blank"),
        ('url = "http://h:1"\napi_key = 12', "must be text"),
        ('url = "http://h:1"\ntimeout = "%s"', "number of seconds"),
        ('url = "http://h:1"\ntimeout = 0', "more than 0"),
        ('url = "http://h:1"\ntimeout = nan', "number of seconds"),
        ('url = "http://h:1"\ntimeout = inf', "number of seconds"),
        ('url = "http://h:1"\ntimeout = true', "number of seconds"),
        ('url = "http://h:1"\ngrpc_port = 70000', "between 1 and 65535"),
        ('url = "http://h:1"\ngrpc_port = "%s"', "whole number"),
        ('url = "http://h:1"\nread_only = "%s"', "true or false"),
        ('url = "http://h:1"\nheaders = "%s"', "JSON object"),
        ('url = "http://h:1"\nheaders = "[\\"%s\\"]"', "must be a table"),
        ('url = "http://h:1"\nheaders = { "%s x" = "y" }', "no HTTP header"),
        ('url = "http://h:1"\nheaders = { X = "%s\\n" }', "one line"),
        ('url = "http://h:1"\nca_file = "no.pem"', "not there"),
        ('url = "http://h:1"\npath = "store"', "both `url` and `path`"),
        ('url = "http://h:1"\nsnapshot = "secrets.toml"', "both `url` and `snapshot`"),
        ('path = "store"\napi_key = "%s"', "no use for `api_key`"),
        ("", "lacks `url`"),
        ('url = "http://h:1"\napikey = "%s"', "Did you mean `api_key`"),
        ('url = "http://h:1"\nUrl = "%s"', "Did you mean `url`"),
        ('url = "http://h:1"\npassword = "%s"', "is not a setting"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_and_key_and_no_value(desk: Desk, line: str, told: str) -> None:
    desk.secret(f'# first\n[connections.prod]\nkind = "qdrant"\n{line.replace("%s", SECRET)}\n')
    fault = refused(desk)
    assert ".streamlit/secrets.toml:" in fault.where
    assert "connections.prod" in fault.message
    assert told in f"{fault.message} {fault.hint}"
    assert "\n" not in str(fault)


def test_a_fault_names_its_line(desk: Desk) -> None:
    desk.secret('\n\n[connections.prod]\nkind = "qdrant"\nurl = "http://h"\n\ntimeout = "soon"\n')
    assert refused(desk).where == ".streamlit/secrets.toml:7"


def test_the_kind_is_one_that_there_is(desk: Desk) -> None:
    desk.secret(f'[connections.prod]\nkind = "{SECRET}"\nurl = "http://h:1"\n')
    assert "must be one of qdrant, weaviate" in refused(desk).message


def test_an_embedded_store_is_of_kind_qdrant(desk: Desk) -> None:
    desk.secret('[connections.prod]\nkind = "weaviate"\npath = "x"\n')
    assert "kind qdrant only" in refused(desk).message


@pytest.mark.parametrize("name", ["Prod", "1st", "a__b", "a-b", "a b", "_a"])
def test_a_name_is_lower_case_with_single_underscores(desk: Desk, name: str) -> None:
    desk.secret(f'[connections."{name}"]\nkind = "qdrant"\nurl = "http://h:1"\n')
    assert "not a name" in refused(desk).message


def test_a_section_that_is_no_section_is_said(desk: Desk) -> None:
    desk.secret(f'connections = "{SECRET}"\n')
    assert "must be a section" in refused(desk).message


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("PLUMBLINE_CONECTIONS__PROD__URL", "PLUMBLINE_CONNECTIONS__NAME__KEY"),
        ("PLUMBLINE_HOM", "PLUMBLINE_HOME"),
        ("PLUMBLINE_STORE_URL", "PLUMBLINE_STORE__URL"),
        ("PLUMBLINE_CONNECTIONS__PROD__APIKEY", "`api_key`"),
        ("PLUMBLINE_CONNECTIONS__PROD_URL", "NAME__KEY"),
        ("PLUMBLINE_CONNECTIONS__PROD__API_KEY", "has no `kind`"),
        ("PLUMBLINE_CONNECTIONS____URL", "NAME__KEY"),
        ("PLUMBLINE_CONNECTIONS__A__B__KIND", "name can't be used"),
        ("PLUMBLINE_CONNECTIONS__9__KIND", "name can't be used"),
    ],
)
def test_an_unknown_variable_names_the_nearest_one(desk: Desk, variable: str, told: str) -> None:
    value = "qdrant" if variable.endswith("KIND") else SECRET
    if variable.endswith("_URL"):
        value = "http://h:1"
    fault = refused(desk, {variable: value})
    assert fault.where == variable
    assert told in f"{fault.message} {fault.hint}"


def test_variables_of_the_tests_and_of_others_are_left_alone(desk: Desk) -> None:
    desk.load({"PLUMBLINETEST_X": "1", "PLUMB": "2", "XPLUMBLINE_Y": "3"})


def test_one_setting_twice_in_the_environment_is_refused(desk: Desk) -> None:
    place = "PLUMBLINE_CONNECTIONS__"
    fault = refused(
        desk, {f"{place}A__KIND": "qdrant", f"{place}a__kind": "qdrant", f"{place}A__URL": "http://h"}
    )
    assert "sets the same as" in fault.message


@pytest.mark.parametrize(
    "text",
    [
        f'[connections.prod]\napi_key = "{SECRET}',
        f"api_key = {SECRET}",
        f'api_key = "{SECRET}" trailing',
        f'"{SECRET}" = 1\n"{SECRET}" = 2',
        f"[a]\n[a]\nx = '{SECRET}'",
        f'x = {{ a = "{SECRET}", a = 1 }}',
        f'x = "{SECRET}\\q"',
    ],
)
def test_bad_toml_is_said_with_its_line_and_never_quoted(desk: Desk, text: str) -> None:
    desk.secret(text)
    fault = refused(desk)
    assert "not valid TOML" in fault.message
    assert fault.where == ".streamlit/secrets.toml"


def test_text_that_is_not_utf8_is_said_with_its_line(desk: Desk) -> None:
    desk.secret("x").write_bytes(b"a = 1\nb = '\xff%s'\n" % SECRET.encode())
    assert "not UTF-8 text (line 2)" in refused(desk).message


def test_a_byte_order_mark_and_windows_lines_are_read(desk: Desk) -> None:
    desk.secret("x").write_bytes(b'\xef\xbb\xbf[connections.a]\r\nkind = "qdrant"\r\nurl = "http://h:1"\r\n')
    assert desk.load().connections["a"].url == "http://h:1"


def test_a_file_that_was_named_and_is_not_there_is_said(desk: Desk) -> None:
    for named in ({"secrets": "gone.toml"}, {"config": "gone.toml"}):
        with pytest.raises(PlumblineError) as caught:
            desk.load(**named)
        assert (caught.value.code, caught.value.where) == ("settings", "gone.toml")
        assert "no such file" in caught.value.message


def test_a_folder_in_place_of_a_file_is_said(desk: Desk) -> None:
    (desk.cwd / "plumbline.toml").mkdir()
    assert "folder" in refused(desk).message


def test_an_enormous_file_is_refused_before_it_is_parsed(desk: Desk) -> None:
    desk.secret("#" * (1024 * 1024 + 10))
    assert "larger than 1 MiB" in refused(desk).message


def test_a_file_that_others_can_read_is_noted(desk: Desk) -> None:
    file = desk.secret('[connections.a]\nkind = "qdrant"\nurl = "http://h:1"\n')
    assert not desk.load().notes
    file.chmod(0o644)
    assert any("can be read by every user" in n for n in desk.load().notes)


def test_the_working_folder_goes_before_the_home(desk: Desk) -> None:
    home = desk.home / ".streamlit" / "secrets.toml"
    home.parent.mkdir()
    home.write_text('[connections.home]\nkind = "qdrant"\nurl = "http://h:1"\n')
    assert list(desk.load().connections) == ["home"]
    desk.secret('[connections.here]\nkind = "qdrant"\nurl = "http://h:1"\n')
    assert list(desk.load().connections) == ["here"]


def test_files_that_were_named_go_before_those_that_are_found(desk: Desk) -> None:
    desk.secret('[connections.here]\nkind = "qdrant"\nurl = "http://h:1"\n')
    other = desk.cwd / "other.toml"
    other.write_text('[connections.other]\nkind = "qdrant"\npath = "s"\n')
    settings = desk.load(secrets="other.toml")
    assert list(settings.connections) == ["other"]
    assert settings.connections["other"].path == str(desk.cwd / "s")


def test_the_demo_is_there_once_it_has_been_made(desk: Desk) -> None:
    assert "demo" not in desk.load().connections
    (desk.home / "demo" / "store").mkdir(parents=True)
    assert "demo" not in desk.load().connections
    (desk.home / "demo" / "made.json").write_text("{}")
    spec = desk.load().connections["demo"]
    assert (spec.kind, spec.path) == ("qdrant", str(desk.home / "demo" / "store"))
    desk.secret('[connections.demo]\nkind = "qdrant"\nurl = "http://mine:6333"\n')
    assert desk.load().connections["demo"].url == "http://mine:6333"


def test_a_home_that_is_a_file_is_said(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "not a folder" in refused(desk, {"PLUMBLINE_HOME": str(tmp_path / "file")}).message

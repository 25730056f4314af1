"""`plumbline reports`, `report` and `baseline`: what was kept, drawn again in every format."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.cli.checkstore import checked, console
from tests.cli.conftest import Inside

__all__ = ["checked", "console"]


@pytest.fixture
def two(console: Inside) -> tuple[Inside, str, str]:
    """A report of `sound`, then one of `broken`."""
    found = [
        console("check", f"emb/{n}", "--full", "--format", "json").json["id"] for n in ("sound", "broken")
    ]
    return console, found[0], found[1]


def test_there_is_nothing_before_the_first_check(console: Inside) -> None:
    ran = console("reports", "emb/sound", "--format", "json")
    assert (ran.code, ran.json) == (0, {"reports": []})
    assert "plumbline check emb/sound" in console("reports", "emb/sound").out
    assert "plumbline baseline set" in console("baseline", "show", "emb/sound").out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("reports", "emb"), "usage"),
        (("reports", "nowhere/x"), "not-found"),
        (("reports", "emb/sound", "--limit", "0"), "usage"),
        (("reports",), "usage"),
        (("report", "nope"), "not-found"),
        (("report",), "usage"),
        (("baseline", "pin", "emb/sound"), "usage"),
        (("baseline", "set", "nowhere/x"), "not-found"),
        (("baseline", "set", "emb/sound", "--report", "nope"), "not-found"),
    ],
)
def test_errors_are_json(console: Inside, words: tuple[str, ...], code: str) -> None:
    ran = console(*words, "--format", "json")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)
    assert set(ran.json["error"]) == {"code", "message", "where", "hint"}


@pytest.mark.parametrize("form", ["table", "json", "junit", "markdown", "html"])
def test_a_kept_report_is_drawn_as_its_check_was(two: tuple[Inside, str, str], form: str) -> None:
    console, sound, broken = two
    ran = console("report", broken, "--format", form)
    assert ran.code == 1
    assert "norm-drift" in ran.out
    assert console("report", sound, "--format", form).code == 0
    if form == "junit":
        suite = ElementTree.fromstring(ran.out).find("testsuite")
        assert suite is not None
        assert suite.get("name") == "emb/broken#clip"
    assert console("report", broken, "--format", form, "--fail-on", "warning").code == 1


def test_the_list_fits_a_terminal_and_names_what_was_found(two: tuple[Inside, str, str]) -> None:
    console, sound, broken = two
    for name, held, cause in (("sound", sound, "none"), ("broken", broken, "norm-drift")):
        told = console("reports", f"emb/{name}").out.splitlines()
        assert all(len(line) <= 80 for line in told)
        assert told[1].split()[0] == held
        assert told[1].split()[-1] == cause
    console("check", "emb/two", "--quiet")
    told = console("reports", "emb/two").out
    assert "#clip" in told
    assert "#thumb" in told


def test_two_reports_are_held_side_by_side(two: tuple[Inside, str, str]) -> None:
    console, sound, broken = two
    ran = console("report", broken, "--against", sound, "--format", "json")
    assert ran.code == 0
    assert (ran.json["earlier"]["id"], ran.json["later"]["id"]) == (sound, broken)
    assert "norm-drift" in [f["code"] for f in ran.json["findings"]["new"]]
    (longest,) = [f for f in ran.json["figures"] if f["name"] == "length max"]
    assert (longest["then"], longest["now"]) == (
        pytest.approx(1, abs=1e-3),
        pytest.approx(1.7, abs=1e-3),
    )
    table = console("report", broken, "--against", sound)
    assert table.code == 0
    assert all(len(line) <= 80 for line in table.out.splitlines())
    assert "New" in table.out.splitlines()
    for words, code in (
        (("--against", sound, "--format", "junit"), "usage"),
        (("--against", "nope"), "not-found"),
    ):
        ran = console("report", broken, *words)
        assert ran.code == 2
        assert f"[{code}]" in ran.err

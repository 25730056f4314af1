"""Registry, settings and docs/findings.md name the same codes, thresholds, severities and remedies."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from console.health.findings import Action, Severity
from console.health.policy import policy
from console.health.registry import STAGES, checks
from console.settings.schema import FINDINGS
from tests.health.documenting import DOC, METHOD, block, facts, method, number, prose, rewritten, sections

TEXT = DOC.read_text(encoding="utf-8")
HELD = sections(TEXT)
CODES = tuple(checks())


def test_registry_settings_and_docs_name_the_same_codes() -> None:
    documented = [name for name in HELD if re.fullmatch(r"[a-z]+(-[a-z]+)+", name)]
    assert sorted(documented) == sorted(CODES) == sorted(FINDINGS)
    assert len(set(FINDINGS)) == len(FINDINGS)


@pytest.mark.parametrize("code", CODES)
def test_the_facts_are_those_of_the_check(code: str) -> None:
    """`python -m tests.health.documenting` writes them anew."""
    assert block(HELD[code]) == facts(checks()[code])


def test_the_methods_constants_stand_there() -> None:
    assert block(HELD[METHOD]) == method()


@pytest.mark.parametrize("code", CODES)
def test_every_threshold_severity_and_remedy_is_said(code: str) -> None:
    check, told = checks()[code], HELD[code]
    for one in check.thresholds:
        assert f"| `{one.name}` | {number(one.default)} |" in told
        assert len(one.why) > 8
    assert all(severity in block(told) for severity in check.severities)
    assert all(f"`{action}`" in block(told) for action in check.actions)


@pytest.mark.parametrize("code", CODES)
def test_every_finding_has_its_paragraph(code: str) -> None:
    words = prose(HELD[code]).split()
    assert len(words) >= 40, f"{code} is described in {len(words)} words"


@pytest.mark.parametrize("code", CODES)
def test_checks_name_what_the_contract_knows(code: str) -> None:
    check = checks()[code]
    assert set(check.severities) <= set(get_args(Severity))
    assert check.severities
    assert set(check.actions) <= set(get_args(Action))
    assert check.actions
    assert check.stage in STAGES
    assert check.fault.strip() == check.fault
    assert not check.fault.endswith(".")
    assert len({t.name for t in check.thresholds}) == len(check.thresholds)


def test_every_threshold_can_be_set() -> None:
    for code, check in checks().items():
        for one in check.thresholds:
            changed = policy({code: {one.name: one.default + 1}})
            assert changed.get(code, one.name) == one.default + 1
            assert changed.version.startswith(policy().version + "+")


def test_a_threshold_in_prose_has_its_default() -> None:
    """Written `name` (.95) or `name`, .95; a default that was changed in the code alone is found here."""
    checked = 0
    for code, check in checks().items():
        known = {t.name: t.default for t in check.thresholds}
        for name, value, unit in re.findall(
            r"`([a-z_0-9]+)`(?: \(|, )([\d,]*\.?\d+(?:e-?\d+)?)(%?)", prose(HELD[code])
        ):
            if name in known:
                told = float(value.replace(",", "")) / (100 if unit else 1)
                assert told == pytest.approx(known[name]), f"{code}: `{name}`"
                checked += 1
    assert checked > 20


def test_writing_the_facts_anew_changes_nothing() -> None:
    assert rewritten(TEXT) == TEXT


def test_nothing_of_a_machine_stands_there() -> None:
    assert not re.search(r"/(work|root|tmp|home)/", TEXT)

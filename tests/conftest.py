"""Skips what can't run here, says so at the end, and fails where it was required."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from tests.needs import lacking, required
from tests.weaviate_server import weaviate_server

__all__ = ["weaviate_server"]

# A slow machine is no fault.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

NEEDS = ("weaviate", "browser", "postgres", "qdrant_server", "qdrant_cluster")


SERVED = Path(__file__).parent / "connectors"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that can't run are skipped. One that talks to a server or an engine, a double of one or a browser and fails
    is run once more, and the summary names it: all share ports, disk and two cores with others' tests. What fails
    twice fails.
    """
    for item in items:
        real = item.path.name.endswith("_real.py") or SERVED in item.path.parents
        if real or any(item.get_closest_marker(need) for need in NEEDS):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))
        for need in NEEDS:
            if item.get_closest_marker(need) is None:
                continue
            why = lacking(need)
            if why is None:
                continue
            if need in required():
                item.add_marker(pytest.mark.usefixtures("required_but_missing"))
            else:
                item.add_marker(pytest.mark.skip(reason=f"{need}: {why}"))


@pytest.fixture
def required_but_missing(request: pytest.FixtureRequest) -> None:
    for need in NEEDS:
        if request.node.get_closest_marker(need) is not None and (why := lacking(need)):
            pytest.fail(f"PLUMBLINETEST_REQUIRE names {need}, but there is {why}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # By the reports: tests are collected in processes of their own where several run at once.
    whys = (
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.stats.get("skipped", [])
    )
    left_out = Counter(why for why in whys if why.partition(":")[0] in NEEDS)
    for why, tests in sorted(left_out.items()):
        terminalreporter.write_line(f"not run: {tests} tests: {why}")

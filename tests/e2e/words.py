"""How `make smoke` says what it found: a line for each check, in words, without a trace."""

from __future__ import annotations

import pytest

LONGEST = 300


class InWords:
    """Takes the place of what pytest prints. The name of a test, and what its assertion says, have to tell it all."""

    def __init__(self, config: pytest.Config, url: str, left: str) -> None:
        """`left`: what stays behind."""
        self._config = config
        self._url = url
        self._left = left
        self._outcomes = {"passed": 0, "failed": 0}
        config.option.verbose = -2
        config.option.tbstyle = "short"
        config.option.no_summary = True

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str]:
        return report.outcome, "", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        check = report.location[2].removeprefix("test_").replace("_", " ")
        if report.failed:
            stage = {"setup": "before ", "call": "", "teardown": "tidying up after "}[report.when]
            self._say(f"\u2717 {stage}{check}: {_why(report)}")
        elif report.when == "call":
            self._say(f"\u2713 {check}")
        if report.failed or report.when == "call":
            self._outcomes[report.outcome] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not session.config.getoption("--collect-only"):
            self._say(f"- {self._left}")
            self._say(f"{self._outcomes['passed']} checks passed, {self._outcomes['failed']} failed: {self._url}")

    def _say(self, line: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        assert terminal is not None
        terminal.write_line(line)


def _why(report: pytest.TestReport) -> str:
    """The first line of what went wrong."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr)
    return text.partition("\n")[0].removeprefix("AssertionError: ")[:LONGEST]

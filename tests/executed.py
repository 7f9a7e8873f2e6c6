"""A plugin of pytest that writes down which tests execute which line of hdrq: `pytest -p executed --executed FILE`.

For Python 3.12 and newer. Each line is reported once a test (sys.monitoring), which costs a few milliseconds a test, where a
tracing program reports it at every pass. With pytest-xdist each worker writes a file of its own, FILE.gw0 and so on. What is
written: {"seconds": {test: seconds}, "lines": {path: {line: [tests by number]}}}.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

SOURCE = str(Path(__file__).parents[1] / "src" / "hdrq") + os.sep
SLOT = 4  # of the numbers that sys.monitoring leaves to programs without a name


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--executed", metavar="FILE", help="where the tests of each line are written")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--executed")
    # the process that only hands out tests to others executes none
    if path and not config.getoption("numprocesses", None):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        config.pluginmanager.register(Executed(Path(f"{path}.{worker}" if worker else path)))


class Executed:
    """What the tests of one process execute."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.seconds: dict[str, float] = {}
        self.lines: dict[str, dict[int, list[int]]] = {}
        self.seen: set[tuple[str, int]] = set()
        self.own = os.getpid()
        self.watch: Any = getattr(sys, "monitoring", None)
        if self.watch is None:
            raise pytest.UsageError("recording executed lines needs Python 3.12 or newer")
        self.watch.use_tool_id(SLOT, "executed")
        self.watch.register_callback(SLOT, self.watch.events.LINE, self._line)

    def _line(self, code: CodeType, line: int) -> Any:
        if code.co_filename.startswith(SOURCE):
            self.seen.add((code.co_filename[len(SOURCE) :], line))
        return self.watch.DISABLE  # until the next test

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        number = len(self.seconds)
        self.seconds[item.nodeid] = 0.0
        self.seen.clear()
        self.watch.restart_events()
        self.watch.set_events(SLOT, self.watch.events.LINE)
        yield
        self.watch.set_events(SLOT, 0)
        for path, line in self.seen:
            self.lines.setdefault(path, {}).setdefault(line, []).append(number)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        # a forked child of a test ends without writing
        if os.getpid() == self.own:
            self.path.write_text(json.dumps({"seconds": self.seconds, "lines": self.lines}))

"""`hdrq score --pairs -` to stdout: the rows of a pair are written as soon as it is scored."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hdrq.cli._score_output import reported

if TYPE_CHECKING:
    from hdrq.scoring.api import TableRun

_FORMATS = ("csv", "jsonl")


def streams(options: dict[str, Any], format: str) -> bool:
    """Whether pairs come from standard input and rows go to standard output as they are computed."""
    to_stdout = options["output"] in (None, "-") and format in _FORMATS
    whole = options["sort"] or options["shard"] or options["cluster"]
    return options["pairs"] == "-" and to_stdout and not whole


def stream(work: TableRun, format: str) -> tuple[int, int]:
    """Score each pair when its line arrives, write its rows and flush; returns the number of failed rows and of all."""
    from hdrq.io.rows import text_writer
    from hdrq.scoring.api import COLUMNS

    header: list[str] = []
    failed = count = 0
    add, finish = None, lambda: None
    for _, row in reported(work.stream(iter(sys.stdin.readline, ""), header)):
        if add is None:  # the header of the pairs has been read
            carried = [name for name in header if name not in ("dist", "ref")]
            add, finish = text_writer(sys.stdout, format, list(dict.fromkeys((*COLUMNS, *carried))))
        add(row)
        sys.stdout.flush()
        failed, count = failed + (row["status"] != "ok"), count + 1
    finish()
    return failed, count

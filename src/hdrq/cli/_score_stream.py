"""`hdrq score --pairs -` to stdout: the rows of a pair are written as soon as it is scored."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrq.cli._score_output import reported
from hdrq.scoring.run import COLUMNS, Row, Run

if TYPE_CHECKING:
    from hdrq.records import Pair
    from hdrq.scoring.scorer import Scorer

_FORMATS = ("csv", "jsonl")


def streams(options: dict[str, Any], format: str) -> bool:
    """Whether pairs come from standard input and rows go to standard output as they are computed."""
    to_stdout = options["output"] in (None, "-") and format in _FORMATS
    whole = options["sort"] or options["shard"] or options["cluster"]
    return options["pairs"] == "-" and to_stdout and not whole


def stream(run: Run, bound: Sequence[Scorer], format: str) -> tuple[int, int]:
    """Score each pair when its line arrives, write its rows and flush; returns the number of failed rows and of all."""
    from hdrq.io.manifest import read_manifest
    from hdrq.io.rows import text_writer

    header: list[str] = []
    pairs = read_manifest(iter(sys.stdin.readline, ""), "standard input", Path(), header)
    failed = count = 0
    add, finish = None, lambda: None
    for _, row in reported(_rows(pairs, run, bound)):
        if add is None:  # the header of the pairs has been read
            carried = [name for name in header if name not in ("dist", "ref")]
            add, finish = text_writer(sys.stdout, format, list(dict.fromkeys((*COLUMNS, *carried))))
        add(row)
        sys.stdout.flush()
        failed, count = failed + (row["status"] != "ok"), count + 1
    finish()
    return failed, count


def _rows(pairs: Iterator[Pair], run: Run, bound: Sequence[Scorer]) -> Iterator[tuple[None, Row, bool]]:
    """The rows of each pair, before the next pair is read."""
    from hdrq.scoring.batch import score_bound

    for pair in pairs:
        mark = run.mark(pair)
        for _, found in score_bound([pair], bound, run.photometry, run.settings, lambda pair, metric: False):
            yield None, run.row(found, "", mark), True

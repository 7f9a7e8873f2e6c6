"""Output of a merge at a terminal: progress, and the report as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

import click

from hdrq.cli._tables import show_table

if TYPE_CHECKING:
    from hdrq.merging.api import MergeReport


class Progress:
    """The step under way, the share done and the time left, on one line of a terminal's stderr; empty text wipes it."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began = clock()

    def line(self, step: str) -> str:
        """'aligning frame 2 of 3, 20 %, 4 s left' of a merging Stage; the name alone while nothing is done."""
        share = float(getattr(step, "share", 0.0))
        if share <= 0:
            return f"{step} ..."
        left = (self._clock() - self._began) * (1 - share) / share
        return f"{step}, {100 * share:.0f} %, {left:.0f} s left ..."

    def __call__(self, step: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{self.line(step) if step else ''}")
            sys.stderr.flush()


def show(report: MergeReport, output: str) -> None:
    """Print the table of frames and the findings."""
    from hdrq.merging.api import columns_of, facts_of

    columns, facts = columns_of(report), facts_of(report)
    show_table(
        [title for title, _ in columns],
        [[cell(f) for _, cell in columns] for f in report.frames],
        f"{len(report.frames)} {'exposures of a mosaic' if report.mosaic else 'frames'} to {output}",
        right=("stops", "stated off by", "white %", "black %", "shift y,x", "seen %", "moved %"),
    )
    wide = max(len(name) for name, _ in facts)
    for name, fact in facts:
        click.echo(f"{name:<{wide}}  {fact}")

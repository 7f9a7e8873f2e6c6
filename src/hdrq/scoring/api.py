"""What others use of scoring: hdrq.score, hdrq.metric, and `TableRun`, which scores files into a table that can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, Any

from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.io import refuse_unwritable
from hdrq.io.manifest import Manifest, read_manifest, spooled
from hdrq.io.outputs import refuse_listed
from hdrq.io.pairing import Matched, alone, is_sequence, pair_paths
from hdrq.records import Pair
from hdrq.scoring.batch import Settings, requested, score_bound
from hdrq.scoring.module import metric
from hdrq.scoring.request import parse
from hdrq.scoring.resume import EarlierRows, mark_of
from hdrq.scoring.run import COLUMNS, Compute, Row, Run, Shard, score
from hdrq.scoring.scorer import Scorer
from hdrq.scoring.work import score_items
from hdrq.work import Spread

__all__ = [
    "COLUMNS",
    "EarlierRows",
    "Manifest",
    "Row",
    "Run",
    "Settings",
    "TableRun",
    "checked_on",
    "metric",
    "parse",
    "score",
]


# position in an earlier table, the row, and whether it is new
Found = tuple["int | None", Row, bool]
_FIGURES = Path(__file__).parent / "metrics" / "_checked.json"


class TableRun:
    """Scoring of files into a table. Wrong names, options and weights raise when it is made, before a file is read.

    Then `match` finds the files, `keep` the rows of an earlier run, and `rows` gives all rows in the order of the pairs; or
    `stream` gives the rows of pairs that are not known before.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        photometry: Photometry | None = None,
        settings: Settings | None = None,
        divided: bool = False,
    ) -> None:
        """divided  other processes will compute the rows, each on its own device"""
        self.photometry, self.settings = photometry or Photometry(), settings or Settings()
        self.bound: list[Scorer] = requested(metrics, self.photometry, self.settings, divided)
        self.texts = tuple(map(str, self.bound))
        self.matched = Matched([], [])
        self.pairs: Collection[Pair] = ()
        self.run = self._run(EarlierRows(None, False))

    def _run(self, earlier: EarlierRows) -> Run:
        full_reference = any(s.full_reference for s in self.bound)
        return Run(self.texts, full_reference, self.photometry, self.settings, earlier)

    def match(self, paths: Sequence[str], manifest: str | IO[str] | None = None) -> list[str]:
        """Pair the files; returns the names without a match, which are skipped.

        paths     a reference and test images, two folders, or images for metrics without reference
        manifest  a CSV or Parquet file of pairs instead, or an open text file of them
        """
        self.matched = self._matched(paths, manifest)
        self.pairs = self.matched.pairs
        return self.matched.unmatched

    def _matched(self, paths: Sequence[str], manifest: str | IO[str] | None) -> Matched:
        """A folder is one clip to metrics of sequences, and one reference to metrics of stacks."""
        if manifest is not None:
            if paths:
                raise UsageError("give either --pairs or file names")
            if isinstance(manifest, str):
                return Matched(Manifest(manifest), [])
            return Matched(spooled(manifest, "standard input"), [])
        if not paths:
            raise UsageError("nothing to score; give REF DIST, two folders, or --pairs FILE.csv")
        if not self.run.full_reference:
            return Matched(alone(paths), [])
        if len(paths) < 2:
            raise UsageError("a metric with a reference needs REF and one or more DIST; add a test image")
        if any(s.sequence for s in self.bound) and all(is_sequence(p) for p in paths):
            return Matched([Pair(dist=path, ref=paths[0]) for path in paths[1:]], [])
        if all(s.metric.card.stack for s in self.bound) and Path(paths[0]).is_dir():
            return Matched([replace(p, ref=paths[0]) for p in alone(paths[1:])], [])
        return pair_paths(*paths)

    def keep(self, output: str | None, resume: bool = False) -> None:
        """Keep new rows beside the table `output` as they come; with resume, take rows of unchanged files from it."""
        refuse_unwritable(output, str(self.settings.maps) if self.settings.maps else None)
        refuse_listed([output], (path for pair in self.pairs for path in (pair.ref, pair.dist)))
        self.run = self._run(EarlierRows(output, resume))

    def take(self, shard: Shard, name: Callable[[Collection[Pair], Sequence[str], str], str]) -> None:
        """Score only a share of the pairs.

        name  of the run that the shares belong to, from all pairs, the metrics and the mark of the settings
        """
        run = name(self.matched.pairs, self.texts, mark_of(self.photometry, self.settings))
        self.run = replace(self.run, shard=shard, total=len(self.pairs), run=run)
        self.pairs = shard.share(self.pairs)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.pairs) * len(self.texts)

    def rows(
        self, spread: Spread | None = None, tell: Callable[[int], None] = lambda more: None
    ) -> Iterator[Found]:
        """(position in the earlier table, row, whether it is new) of each pair and metric, in order.

        spread  divides the pairs among other processes;  tell  is then called with the number of newly finished rows
        """
        if spread is not None:
            compute: Compute = self.run.divided(spread, len(self.pairs), tell)
            return replace(self.run, journal=False).rows(self.pairs, compute)
        run = self.run
        return run.rows(
            self.pairs,
            lambda items: score_items(items, self.bound, run.photometry, run.settings, run.stamped),
        )

    def stream(self, lines: Iterable[str], header: list[str]) -> Iterator[Found]:
        """The rows of each pair of a CSV manifest, before its next line is read.

        header  receives the names of the columns when they have been read
        """
        for pair in read_manifest(iter(lines), "standard input", Path(), header):
            mark = self.run.mark(pair)
            new = score_bound([pair], self.bound, self.photometry, self.settings, lambda pair, metric: False)
            for _, found in new:
                yield None, self.run.row(found, "", mark), True


@cache
def _figures() -> dict[str, Any]:
    """{"sets": {set: what it is}, "metrics": {metric: {set: [SROCC, low, high]}}}, intervals of 95 %."""
    found: dict[str, Any] = json.loads(_FIGURES.read_text(encoding="utf-8"))
    return found


def checked_on(metric: str, weights: str = "") -> str:
    """SROCC of a metric with subjective scores and its 95 % interval, set by set; "" where none at hand support it.

    metric   name of an entry, with its default options and for code without a stage;  weights: of its network
    """
    wanted, found = f"{metric}@{weights}" if weights else metric, _figures()
    return "; ".join(
        f"SROCC {value:.2f} ({low:.2f} … {high:.2f}) on {found['sets'][name]}"
        for text, figures in found["metrics"].items()
        if text.rpartition(":")[2] == wanted
        for name, (value, low, high) in figures.items()
    )

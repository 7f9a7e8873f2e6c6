"""hdrq.score, and runs that can be resumed: earlier rows that are still valid, and new ones, in the order of the pairs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from hdrq.arguments import checked
from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.photometry import Photometry
from hdrq.errors import HdrqError, UsageError
from hdrq.io.rows import BY_SUFFIX, written
from hdrq.records import Display, Image, Pair, Score, Viewing
from hdrq.scoring.batch import Settings, requested, score_bound
from hdrq.scoring.pairs import Pairs, for_pair, pairs_of, selections
from hdrq.scoring.request import Request
from hdrq.scoring.resume import EarlierRows, mark_of
from hdrq.scoring.rows import reserved
from hdrq.scoring.scorer import Scorer
from hdrq.scoring.work import Item, ScoreJob, divided, score_items
from hdrq.work import Spread

Row = dict[str, Any]
# a row and the stamps of its files
Scored = tuple[Score, str]
Compute = Callable[[Iterable[Item]], Iterator[Scored]]
COLUMNS = (
    *("ref", "dist", "metric", "value", "unit", "better", "display", "viewing", "weights", "version"),
    *("how", "extra", "settings", "files", "status", "error"),
)


class Shard(Protocol):
    """A share of the pairs, and the columns that name it."""

    def share(self, pairs: Collection[Pair]) -> Collection[Pair]:
        """The pairs of this shard."""

    def marks(self, position: int, total: int, run: str) -> dict[str, str]:
        """Columns that name the shard in its rows: the pair's position among all, and the run."""


@dataclass(frozen=True)
class Run:
    """Properties that all rows of a run share.

    texts    the metrics in canonical form; full_reference: whether any of them has a reference
    journal  whether rows are stored as they are computed; False where the workers store them
    """

    texts: tuple[str, ...]
    full_reference: bool
    photometry: Photometry
    settings: Settings
    earlier: EarlierRows
    shard: Shard | None = None
    total: int = 0
    run: str = ""
    journal: bool = True

    def mark(self, pair: Pair) -> str:
        """The mark of a pair's rows, which includes its own columns of a manifest."""
        s = self.settings
        ref, dist = selections(pair, s.select, s.select_ref, s.select_dist)
        settings = replace(s, select_ref=ref, select_dist=dist)
        try:
            return mark_of(for_pair(self.photometry, pair), settings)
        # which is reported in the pair's rows
        except HdrqError:
            return mark_of(self.photometry, settings)

    def row(self, found: Score, files: str, mark: str) -> Row:
        """A new row with everything except its position in a shard."""
        row = {f.name: getattr(found, f.name) for f in fields(found)} | {
            "settings": mark,
            "files": files if found.status == "ok" else "",
        }
        carried = row.pop("carried")
        return {k: row[k] for k in COLUMNS} | {k: v for k, v in carried.items() if k not in row}

    @property
    def stamped(self) -> bool:
        """Whether rows store stamps of their files."""
        return self.earlier.journal is not None

    def divided(self, spread: Spread, total: int, tell: Callable[[int], None]) -> Compute:
        """New rows from the workers of a cluster, stored as they are finished, in any order.

        tell  called with the number of newly finished rows
        """
        job = ScoreJob(self.texts, self.photometry, self.settings, self.stamped)

        def done(item: Item, rows: list[Scored]) -> None:
            tell(len(rows))
            for score, files in rows:
                if score.status == "ok":
                    self.earlier.add(self.row(score, files, self.mark(item.pair)))

        def compute(items: Iterable[Item]) -> Iterator[Scored]:
            for found in spread(job, items, total=total, done=done):
                yield from found

        return compute

    def rows(self, pairs: Collection[Pair], compute: Compute) -> Iterator[tuple[int | None, Row, bool]]:
        """(position in the earlier table, row, whether it is new) for each pair and metric, in order.

        compute  yields the new rows of items in their order; it may read ahead
        """
        plans: deque[tuple[int, str, list[tuple[int | None, int | None]]]] = deque()

        folder, taken = self.settings.maps, dict[Path, tuple[str, str]]()

        def missing() -> Iterator[Item]:
            for position, listed in enumerate(pairs):
                pair = listed if self.full_reference or listed.ref is None else replace(listed, ref=None)
                ref, dist, mark = str(pair.ref or ""), str(pair.dist), self.mark(pair)
                claims = [self.earlier.claim(ref, dist, text, mark) for text in self.texts]
                plans.append((position, mark, claims))
                maps = reserved(folder, ref, dist, self.texts, taken) if folder is not None else {}
                wanted = tuple(t for t, (_, again) in zip(self.texts, claims, strict=True) if again is None)
                if wanted:
                    yield Item(pair, wanted, maps)

        fresh = compute(missing())
        # from here on, every pair before the one that `coming` is about is planned
        coming = next(fresh, None)
        while plans:
            position, mark, claims = plans.popleft()
            marks = self.shard.marks(position, self.total, self.run) if self.shard else {}
            for place, again in claims:
                if again is not None:
                    yield place, self.earlier.row(again) | marks, False
                    continue
                if coming is None:
                    raise RuntimeError("fewer rows were computed than requested")
                row = self.row(*coming, mark) | marks
                if self.journal and row["status"] == "ok":
                    self.earlier.add(row)
                yield place, row, True
                coming = next(fresh, None)


@checked
def score(
    pairs: Pairs,
    metrics: str | Request | Sequence[str | Request],
    *,
    display: str | Display | None = None,
    viewing: Viewing | float | None = None,
    device: str | torch.device | None = None,
    photometry: Photometry | None = None,
    settings: Settings | None = None,
    skip: Callable[[Pair, str], bool] = lambda pair, metric: False,
    resume: str | Path | None = None,
    spread: Spread | None = None,
) -> Iterator[Score]:
    """One row per pair and metric, in order. What cannot be scored comes as a row with status "failed".

    pairs       Pair records, (reference, test) pairs of paths or Images, or one such pair; for metrics without
                reference also paths or Images, or one
    metrics     texts of the grammar; bound at once, so that a wrong name raises here and now
    photometry  display, scale, viewing ...; `display` and `viewing` (a Viewing, or ppd) are short forms
    skip        called with a pair and a metric's text; returns whether that row is not wanted
    resume      table (.csv, .json, .jsonl, .parquet) of rows of files: those of the same files and settings are yielded from it,
                new ones are kept beside it as they come, and the table holds all when the iterator is exhausted
    spread      divides the pairs among other processes: `with hdrq.connect("local:4", print) as spread`
    """
    photometry, settings = photometry or Photometry(), settings or Settings()
    if display is not None:
        shown = display if isinstance(display, Display) else shelf_display(display)
        photometry = replace(photometry, display=shown, viewing=shown.viewing or photometry.viewing)
    if viewing is not None:
        seen = viewing if isinstance(viewing, Viewing) else Viewing(float(viewing))
        photometry = replace(photometry, viewing=seen)
    if device is not None:
        settings = replace(settings, device=str(device))
    requests = [metrics] if isinstance(metrics, str | Request) else metrics
    bound = requested(requests, photometry, settings, spread is not None)
    listed = pairs_of(pairs, any(s.full_reference for s in bound))
    if resume is not None:
        return resumed(list(listed), bound, photometry, settings, resume, spread)
    if spread is not None:
        return divided(listed, bound, photometry, settings, skip, spread)
    return (row for _, row in score_bound(listed, bound, photometry, settings, skip))


def resumed(
    pairs: list[Pair],
    bound: Sequence[Scorer],
    photometry: Photometry,
    settings: Settings,
    table: str | Path,
    spread: Spread | None = None,
) -> Iterator[Score]:
    """The rows of all pairs; rows that the table already has are not computed again; see `hdrq.score`."""
    if any(isinstance(side, Image) for pair in pairs for side in (pair.ref, pair.dist)):
        raise UsageError(
            "resume= needs files, whose change can be seen; write the Images to files, or leave it out"
        )
    if Path(table).suffix.lower() not in BY_SUFFIX:
        raise UsageError(f"resume={table}: use a suffix of {', '.join(BY_SUFFIX)}")
    earlier = EarlierRows(str(table), resume=True)
    full_reference = any(s.full_reference for s in bound)
    run = Run(tuple(map(str, bound)), full_reference, photometry, settings, earlier, journal=spread is None)
    return _rows(run, pairs, bound, Path(table), spread)


def _rows(
    run: Run, pairs: list[Pair], bound: Sequence[Scorer], table: Path, spread: Spread | None
) -> Iterator[Score]:
    def alone(items: Iterable[Item]) -> Iterator[Scored]:
        return score_items(items, bound, run.photometry, run.settings, stamped=True)

    compute = alone if spread is None else run.divided(spread, len(pairs), lambda more: None)

    carried = [k for p in pairs for k in p.carried]
    columns = list(dict.fromkeys((*COLUMNS, *carried, *run.earlier.columns)))
    with written(table, BY_SUFFIX[table.suffix.lower()], columns) as add:
        for place, row, _ in run.rows(pairs, compute):
            if run.earlier.in_place:
                run.earlier.put(place, row)
            else:
                add(row)
            yield _score_of(row)
        for row in run.earlier.rest():
            add(row)
    run.earlier.done()


def _score_of(row: Row) -> Score:
    """The record of a row."""
    own = {f.name: row[f.name] for f in fields(Score) if f.name in row and f.name != "carried"}
    return Score(**own, carried={k: v for k, v in row.items() if k not in COLUMNS})

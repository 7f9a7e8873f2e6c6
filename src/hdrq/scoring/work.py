"""Scoring as work that can be divided: items of a pair and the metrics that it still needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from hdrq.encoding.photometry import Photometry
from hdrq.errors import HdrqError
from hdrq.records import Pair, Score
from hdrq.scoring.batch import Settings, score_bound, scorers
from hdrq.scoring.pairs import label
from hdrq.scoring.prefetch import ImageReader
from hdrq.scoring.resume import Stamps
from hdrq.scoring.rows import Owners, failed
from hdrq.scoring.scorer import Scorer
from hdrq.work import Needs, Spread


@dataclass(frozen=True)
class Item:
    """A pair, and the canonical texts of the metrics to compute for it.

    maps  possible names of its maps, and the pairs that have them
    """

    pair: Pair
    metrics: tuple[str, ...]
    maps: Mapping[Path, tuple[str, str]] = field(default_factory=dict)


def score_items(
    items: Iterable[Item],
    bound: Sequence[Scorer],
    photometry: Photometry,
    settings: Settings,
    stamped: bool = False,
    reader: ImageReader | None = None,
) -> Iterator[tuple[Score, str]]:
    """A row for each metric of each item, in order, with the stamps of its files where `stamped`.

    reader  of images, which outlasts these items
    """
    taken: Owners = {}
    # by the identity of the pairs that are read ahead
    wanted: dict[int, tuple[Pair, Item]] = {}

    def pairs() -> Iterator[Pair]:
        for item in items:
            # another object, should a pair be listed twice
            own = replace(item.pair)
            wanted[id(own)] = own, item
            taken.update(item.maps)
            yield own

    def skip(pair: Pair, metric: str) -> bool:
        return metric not in wanted[id(pair)][1].metrics

    stamps, latest = Stamps(), None
    for pair, row in score_bound(pairs(), bound, photometry, settings, skip, taken, reader):
        if latest is not None and latest is not pair:
            del wanted[id(latest)]
        latest = pair
        whole = stamped and row.status == "ok"
        yield row, stamps.of(row.ref, row.dist) if whole else ""


@dataclass(frozen=True)
class ScoreJob:
    """Scores of items, as `hdrq.work.Job`: a result is the rows of an item with the stamps of their files.

    metrics  canonical texts, all of the run
    """

    metrics: tuple[str, ...]
    photometry: Photometry
    settings: Settings
    stamped: bool = False

    def begin(self) -> Callable[[Sequence[Item]], Iterator[list[tuple[Score, str]]]]:
        """Bind the metrics, which loads their weights."""
        bound = scorers(self.metrics, self.photometry, self.settings)
        # neighbouring chunks often share a reference
        reader = ImageReader(self.settings.jobs)

        def work(items: Sequence[Item]) -> Iterator[list[tuple[Score, str]]]:
            found = score_items(items, bound, self.photometry, self.settings, self.stamped, reader)
            return (list(islice(found, len(item.metrics))) for item in items)

        return work

    def lost(self, item: Item, reason: str) -> list[tuple[Score, str]]:
        """Failed rows."""
        bound = scorers(item.metrics, self.photometry, replace(self.settings, device="cpu"))
        return [(failed(item.pair, s, HdrqError(f"{label(item.pair.dist)}: {reason}")), "") for s in bound]

    def needs(self, item: Item) -> Needs:
        """The files of a pair, and the folder of maps."""
        maps = (str(self.settings.maps),) if self.settings.maps is not None else ()
        return Needs(tuple(filter(None, (label(item.pair.ref), label(item.pair.dist)))), maps)


def divided(
    pairs: Iterable[Pair],
    bound: Sequence[Scorer],
    photometry: Photometry,
    settings: Settings,
    skip: Callable[[Pair, str], bool],
    spread: Spread,
) -> Iterator[Score]:
    """The rows of `hdrq.score`, computed by other processes."""
    texts = tuple(map(str, bound))
    wanted = (Item(pair, tuple(t for t in texts if not skip(pair, t))) for pair in pairs)
    job = ScoreJob(texts, photometry, settings)
    for rows in spread(job, (item for item in wanted if item.metrics)):
        yield from (row for row, _ in rows)

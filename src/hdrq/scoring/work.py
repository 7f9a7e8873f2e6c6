"""Scoring as work that can be divided: items of a pair and the metrics that it still needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hdrq.encoding.photometry import Photometry
from hdrq.records import Pair, Score
from hdrq.scoring.batch import Settings, score_bound
from hdrq.scoring.inputs import label
from hdrq.scoring.scorer import Scorer
from hdrq.scoring.stamps import Stamps


@dataclass(frozen=True)
class Item:
    """A pair, and the canonical texts of the metrics wanted of it."""

    pair: Pair
    metrics: tuple[str, ...]


def score_items(
    items: Iterable[Item],
    bound: Sequence[Scorer],
    photometry: Photometry,
    settings: Settings,
    stamped: bool = False,
) -> Iterator[tuple[Score, str]]:
    """A row for each metric of each item, in order, and what it remembers of its files where `stamped`."""
    wanted: dict[int, tuple[Pair, Item]] = {}  # by the identity of the pairs that are read ahead

    def pairs() -> Iterator[Pair]:
        for item in items:
            own = replace(item.pair)  # another object, should a pair be listed twice
            wanted[id(own)] = own, item
            yield own

    def skip(pair: Pair, metric: str) -> bool:
        return metric not in wanted[id(pair)][1].metrics

    stamps, latest = Stamps(), None
    for pair, row in score_bound(pairs(), bound, photometry, settings, skip):
        if latest is not None and latest is not pair:
            del wanted[id(latest)]
        latest = pair
        whole = stamped and row.status == "ok"
        yield row, stamps.of(label(pair.ref), label(pair.dist)) if whole else ""

"""Which images of a dataset the weights of a metric were trained on, by their cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hdrq.errors import MissingPart, UsageError
from hdrq.evaluation.archive import Dataset
from hdrq.nn.weight_files import find_card
from hdrq.records import Checkpoint, Pair
from hdrq.scoring.request import parse


@dataclass(frozen=True)
class Shares:
    """The images of a dataset by their part in a training: names of test images.

    learnt  labelled and trained on;  chosen  the epoch was chosen by them;  unseen  left out to be tested on
    """

    metric: str
    learnt: frozenset[str]
    chosen: frozenset[str]
    unseen: frozenset[str]

    @property
    def held_out(self) -> frozenset[str]:
        """The images to test on: those held out of everything, or else those used to choose the epoch."""
        return self.unseen or self.chosen


def shares_of(
    metric: str, dataset: Dataset, root: Path, data: str | Path | None, pairs: Sequence[Pair]
) -> Shares | None:
    """The part of each pair in the training of a metric's weights; None where no card records one on this dataset."""
    card = _card_of(metric)
    if card is None or not card.training:
        return None
    record, settings = card.training, card.training["settings"]
    if dataset.of_user and Path(data or "").name != record["arguments"].get("data"):
        return None
    held_from = settings.get("held_from", "source")
    tested = record.get("tested", {})
    scenes, kinds = set(tested.get("scenes", ())), set(tested.get("distortions", ()))
    validated = set(card.results.get("held_out_scenes", ()))
    learnt: set[str] = set()
    chosen: set[str] = set()
    unseen: set[str] = set()
    found = False
    for part, labels in (("source", "labels"), ("target", "target_labels")):
        several = str(settings.get(part, "")).split("+")
        if dataset.name not in several or not settings.get(labels):
            continue
        found = True
        subset = _images(dataset, root, str(settings.get(f"{part}_subset") or ""))
        held = part == held_from or settings["target"] == settings["source"]
        prefix = f"{dataset.name}:" if len(several) > 1 else ""
        for pair in pairs:
            name, scene = str(pair.dist), prefix + (pair.scene or str(pair.ref or pair.dist))
            kind = prefix + pair.distortion if pair.distortion else ""
            if held and (scene in scenes or (kind and kind in kinds)):
                unseen.add(name)
            elif held and scene in validated:
                chosen.add(name)
            elif subset is None or name in subset:
                learnt.add(name)
    if not found:
        return None
    return Shares(metric, frozenset(learnt), frozenset(chosen - learnt), frozenset(unseen - learnt))


def _images(dataset: Dataset, root: Path, subset: str) -> set[str] | None:
    return {str(p.dist) for p in dataset.pairs(root, subset)} if subset else None


def _card_of(metric: str) -> Checkpoint | None:
    """The card of the weights that a metric names; None where it names none that are here."""
    try:
        weights = parse(metric).weights
        return find_card(weights)[0] if weights else None
    except (UsageError, MissingPart):
        return None


def pairs_to_test(
    pairs: list[Pair], metrics: Sequence[str], only_held_out: bool, **where: Any
) -> tuple[list[Pair], list[str]]:
    """(pairs to test on, notes).

    only_held_out  keep the images that the cards of all metrics hold out; else all pairs stay, and a note names the
                   metrics whose weights were trained on some of them
    where          dataset, root and data
    """
    known = [s for m in metrics if (s := shares_of(m, pairs=pairs, **where)) is not None]
    dataset: Dataset = where["dataset"]
    if not only_held_out:
        return pairs, [note for s in known for note in _seen(s, pairs)]
    if not known:
        raise UsageError(
            f"--held-out needs weights whose card records a training on {dataset.name}: -m NET@NAME; none of "
            f"{', '.join(metrics) or 'the metrics'} has one"
        )
    held_out = frozenset.intersection(*(s.held_out for s in known))
    if not held_out:
        which = " and ".join(s.metric for s in known)
        raise UsageError(
            f"there is no image of {dataset.name} that {which} {'all hold' if len(known) > 1 else 'holds'} out"
        )
    left = [p for p in pairs if str(p.dist) in held_out]
    notes = [
        f"tested on {len(left)} of {len(pairs)} images, which the card of {s.metric} lists as held out"
        for s in known[:1]
    ]
    notes += [
        f"the epoch of {s.metric} was chosen by these images, so they favour it a little"
        for s in known
        if not s.unseen
    ]
    return left, notes


def _seen(shares: Shares, pairs: Sequence[Pair]) -> list[str]:
    names = [str(p.dist) for p in pairs]
    learnt, chosen = (sum(n in some for n in names) for some in (shares.learnt, shares.chosen))
    if learnt:
        way = "; test on the others with --held-out" if shares.held_out else ""
        return [f"{shares.metric} was trained on {learnt} of these {len(names)} images{way}"]
    if chosen:
        return [f"the epoch of {shares.metric} was chosen by {chosen} of these {len(names)} images"]
    return []

"""hdrq.models: installed weights of learned metrics, and weights that can be downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hdrq.nn.weight_files import broken_cards, cards, published
from hdrq.nn.weights import UNTRAINED
from hdrq.records import Checkpoint


@dataclass(frozen=True)
class Model:
    """Weights of a network, by the name that follows @ in a metric: `pu-vtamiq@NAME`.

    encoding  code that the network was trained on
    state     "here", "untrained" (random weights, for tests), "damaged card" (`note` says why) or "to fetch"
    megabytes of the file; None where it is not installed
    card      the complete card; None where the weights are not installed
    """

    name: str
    net: str
    encoding: str
    state: str
    megabytes: float | None
    licence: str
    card: Checkpoint | None = None
    path: Path | None = None
    note: str = ""


def models() -> list[Model]:
    """Weights in $HDRQ_MODELS or the user's cache, those distributed with hdrq, and published ones."""
    found = []
    for card, path in cards():
        state = "untrained" if card.recipe == UNTRAINED else "here"
        size = path.stat().st_size / 1e6
        found.append(Model(card.name, card.net, card.encoding, state, size, card.licence, card, path))
    for path, why in broken_cards():
        found.append(Model(path.stem, "", "", "damaged card", None, "", path=path, note=why))
    here = {model.name for model in found}
    for entry in published():
        if entry["name"] not in here:
            found.append(
                Model(entry["name"], entry["net"], entry["encoding"], "to fetch", None, entry["licence"])
            )
    return found

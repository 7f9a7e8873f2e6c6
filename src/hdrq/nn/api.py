"""What others use of networks: the weights of learned metrics, installed or published; import, download, verification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hdrq.arguments import checked
from hdrq.errors import HdrqError, MissingPart
from hdrq.nn.import_weights import fetch_model, import_checkpoint
from hdrq.nn.weight_files import broken_cards, cards, find_card, published
from hdrq.nn.weights import UNTRAINED, verified
from hdrq.records import Checkpoint

__all__ = ["Model", "fetch_model", "import_checkpoint", "model", "models", "verify_models"]


@dataclass(frozen=True)
class Model:
    """Weights of a network, by the name that follows @ in a metric: `pu-vtamiq@NAME`.

    encoding  code that the network was trained on
    state     "here", "untrained" (random weights, for tests), "damaged card" (`note` says why) or "to fetch"
    megabytes of the file; None where it is not installed
    card      the complete card; None where the weights are not installed
    listed    what is known of published weights that can be downloaded; None for others
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
    listed: Mapping[str, Any] | None = None


def models() -> list[Model]:
    """Weights in $HDRQ_MODELS or the user's cache, those distributed with hdrq, and published ones."""
    found = [_installed(card, path) for card, path in cards()]
    for path, why in broken_cards():
        found.append(Model(path.stem, "", "", "damaged card", None, "", path=path, note=why))
    here = {model.name for model in found}
    return [*found, *(_published(entry) for entry in published() if entry["name"] not in here)]


@checked
def model(name: str) -> Model:
    """Weights by name; MissingPart where they are neither installed nor published, FileError where the card is damaged."""
    try:
        return _installed(*find_card(name))
    except MissingPart:
        entry = next((p for p in published() if p["name"] == name), None)
        if entry is None:
            raise
        return _published(entry)


def verify_models(*names: str) -> Iterator[tuple[str, str]]:
    """(name, what is wrong or "") of weights: sha256, keys, shapes and the known score; without names, of all installed ones."""
    for path, why in () if names else broken_cards():
        yield path.stem, why
    for card, path in [find_card(name) for name in names] if names else list(cards()):
        try:
            verified(card, path)
            yield card.name, ""
        except HdrqError as error:
            yield card.name, str(error)


def _installed(card: Checkpoint, path: Path) -> Model:
    state = "untrained" if card.recipe == UNTRAINED else "here"
    size = path.stat().st_size / 1e6
    return Model(card.name, card.net, card.encoding, state, size, card.licence, card, path)


def _published(entry: Mapping[str, Any]) -> Model:
    return Model(
        entry["name"], entry["net"], entry["encoding"], "to fetch", None, entry["licence"], listed=entry
    )

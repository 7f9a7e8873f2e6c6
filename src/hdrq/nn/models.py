"""Weights of learned metrics, from Python: `hdrq.models.available()`, `show`, `add`, `fetch`, `verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hdrq.errors import HdrqError
from hdrq.nn import import_weights, weight_files
from hdrq.nn.weights import verified
from hdrq.records import Checkpoint


def available() -> list[Checkpoint]:
    """Cards of all installed weights, the user's first."""
    return [card for card, _ in weight_files.cards()]


def published() -> list[dict[str, Any]]:
    """Published weights that `fetch` can download: name, net, encoding, licence, home ..."""
    return weight_files.published()


def show(name: str) -> Checkpoint:
    """The card of weights by name; MissingPart says how to get them."""
    return weight_files.find_card(name)[0]


def add(files: Sequence[str | Path], net: str, **options: Any) -> Checkpoint:
    """Import checkpoints of another program; options as in hdrq.nn.import_weights.import_checkpoint."""
    return import_weights.import_checkpoint([Path(f) for f in files], net, **options)[0]


def fetch(
    name: str, accept: Callable[[str, str], bool] = lambda file, sha256: False, sha256s: Sequence[str] = ()
) -> Iterator[tuple[str, int, int | None] | Checkpoint]:
    """Download published weights; yields (file, bytes so far, total), finally the card.

    accept  called with (file, its sha256) where no sha256 is known; by default such files are refused
    """
    return import_weights.fetch(name, accept, sha256s)


def verify(*names: str) -> dict[str, str]:
    """{name: "" or the error} for the named weights, or for all installed ones."""
    found = [weight_files.find_card(name) for name in names] if names else list(weight_files.cards())
    wrong = {} if names else {path.stem: why for path, why in weight_files.broken_cards()}
    for card, path in found:
        try:
            verified(card, path)
            wrong[card.name] = ""
        except HdrqError as error:
            wrong[card.name] = str(error)
    return wrong

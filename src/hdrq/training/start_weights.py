"""What a run begins from: pretrained weights of the same network, or of its backbone."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from hdrq.errors import MissingPart
from hdrq.nn.net import Net
from hdrq.nn.weights import default_weights, find_card, verified
from hdrq.registry import find, names
from hdrq.training.settings import Run


def starter(run: Run) -> Callable[[nn.Module], None]:
    """A function that puts a run's `start` into a fresh module; MissingPart, at once, where it is not here.

    start  "" nothing; the name of weights; or of a backbone that the network can grow from (vit, vgg16, resnet18)
    """
    if not run.start:
        return lambda module: None
    shelf: Net = find("net", run.net)
    try:
        name = default_weights(run.start, "srgb") if run.start in shelf.grows else run.start
        card, path = find_card(name)
    except MissingPart as error:
        first = f"train them: hdrq train --recipe {run.start}; or " if run.start in names("recipe") else ""
        raise MissingPart(f"{error}; or {first}begin from scratch: --set start=") from error

    def put(module: nn.Module) -> None:
        state = verified(card, path).state_dict()
        if card.net == run.net:
            module.load_state_dict(state)
        else:
            shelf.grow(module, card.net, dict(state))

    return put

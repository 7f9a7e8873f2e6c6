"""Initial weights of a training: those of the same network, or of a backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from hdrq.errors import MissingPart, UsageError
from hdrq.nn.net import Net
from hdrq.nn.weight_files import cards, find_card, published, read_state
from hdrq.nn.weights import default_weights
from hdrq.records import Checkpoint
from hdrq.registry import find, names
from hdrq.training.settings import Settings


def start_card(settings: Settings) -> tuple[Checkpoint, Path] | None:
    """Card and file of the weights named by `start`. MissingPart says how to get them."""
    if not settings.start:
        return None
    shelf: Net = find("net", settings.net)
    try:
        backbone = settings.start in shelf.grows
        return find_card(default_weights(settings.start, "srgb") if backbone else settings.start)
    except MissingPart as error:
        ways = []
        if settings.start in names("recipe"):
            ways.append(f"train them: {_before(settings.start)}hdrq train --recipe {settings.start}")
        here = [card.name for card, _ in cards() if card.net == settings.net]
        ways += [f"start from installed weights: --set start={here[0]}"] if here else []
        ways.append("start from random weights: --set start=")
        # nothing to see in a list that lacks them
        head, listed, _ = str(error).partition("; see: ")
        raise MissingPart(f"{head}; {'' if listed else 'or '}{'; or '.join(ways)}") from error


def _before(recipe: str) -> str:
    """The command that gets the weights from which a recipe starts, where they are not installed."""
    start = find("recipe", recipe).settings.get("start", "")
    try:
        start_card(Settings(find("recipe", recipe).net, start=start))
    except MissingPart:
        known = [str(p["name"]) for p in published() if p["net"] == start]
        return f"hdrq models fetch {known[0]}, then " if known else ""
    return ""


def with_start_options(settings: Settings, given: Mapping[str, Any]) -> Settings:
    """Settings whose network has the build options of the initial weights, overridden by the given options."""
    found = start_card(settings)
    if found is None or found[0].net != settings.net:
        return settings
    options = dict(found[0].options)
    for key, value in given.items():
        if options.get(key, value) != value:
            raise UsageError(
                f"options.{key}={value}, but the start weights {found[0].name} have {options[key]}; leave it out"
            )
    return replace(settings, options={**options, **given})


def start_weights(settings: Settings) -> Callable[[nn.Module], None]:
    """A function that loads the initial weights into a new module; every key and shape is checked."""
    found = start_card(settings)
    if found is None:
        return lambda module: None
    card, path = found
    shelf: Net = find("net", settings.net)
    if card.net != settings.net and card.net not in shelf.grows:
        raise UsageError(
            f"{card.name} holds weights of {card.net}, but {settings.net} starts from weights of "
            f"{' or '.join((settings.net, *shelf.grows))}"
        )

    def put(module: nn.Module) -> None:
        state = read_state(card, path)
        if card.net != settings.net:
            shelf.grow(module, card.net, state)
            return
        wanted = module.state_dict()
        for key, tensor in wanted.items():
            if key not in state or state[key].shape != tensor.shape:
                raise UsageError(
                    f"start weights {card.name} do not fit {settings.net} as built: '{key}' differs; "
                    f"their options are {dict(card.options)}"
                )
        module.load_state_dict({k: state[k].to(wanted[k].dtype) for k in wanted})

    return put

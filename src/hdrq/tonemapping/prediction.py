"""Parameters of an operator for a scene, predicted by a network that metrics taught: `--auto`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from hdrq.errors import MissingPart, UsageError
from hdrq.image.color import convert
from hdrq.nn.weight_files import cards, find_card
from hdrq.nn.weights import load
from hdrq.records import Checkpoint
from hdrq.tonemapping.parameter_search import LEVELS, Range
from hdrq.tonemapping.plan import Plan


def weights_for(operator: str, name: str = "") -> Checkpoint:
    """The card of weights that predict the operator's parameters: those of that name, or the default ones.

    The user's weights precede those distributed with hdrq; weights of the user's own training are used only by name.
    """
    if name:
        card = find_card(name)[0]
        if card.options.get("operator") != operator:
            what = card.options.get("operator")
            told = f"the parameters of {what}" if what else "no parameters of an operator"
            raise UsageError(f"{name} predicts {told}, not those of {operator}")
        return card
    known = [c for c, _ in cards() if c.options.get("operator") and c.results.get("default") is not False]
    for card in known:
        if card.options["operator"] == operator:
            return card
    some = ", ".join(sorted({str(c.options["operator"]) for c in known})) or "none"
    raise MissingPart(
        f"no weights predict the parameters of {operator}; there are weights for {some}. "
        f"Optimise them for one image: --optimize METRIC"
    )


def ranges_of(options: Mapping[str, Any]) -> list[Range]:
    """The parameters that a network predicts, from its build options."""
    return [Range(str(name), float(low), float(high)) for name, low, high in options["parameters"]]


def planned(plan: Plan, ranges: Sequence[Range], places: Sequence[Tensor] | Tensor) -> Plan:
    """The plan with the parameters (and levels of the finished image) at these coordinates, except those it states."""
    values: dict[str, Any] = {r.name: r.value(u) for r, u in zip(ranges, places)}
    levels = tuple(values.pop(r.name, default) for r, default in zip(LEVELS, (0.0, 1.0)))
    given = {r.name for r in ranges} & {r.name for r in LEVELS}
    return replace(
        plan,
        settings={**values, **plan.settings},
        levels=levels if given and plan.levels is None else plan.levels,
        auto="",
    )


def predicted(light: Tensor, plan: Plan) -> Plan:
    """The plan with the parameters that the network of `plan.auto` (a name, or "default") predicts for one scene.

    light  of the scene in the plan's working primaries; the network reads BT.709
    """
    name = "" if plan.auto == "default" else plan.auto
    card = weights_for(plan.operator.name, name)
    net: nn.Module = load(card.net, card.name, "linear")
    with torch.no_grad():
        places = net(convert(light, plan.working).clamp(min=0).float())[0].double()
    made = planned(plan, ranges_of(card.options), places)
    return replace(
        made,
        settings={k: float(v) if isinstance(v, Tensor) else v for k, v in made.settings.items()},
        levels=None if made.levels is None else (float(made.levels[0]), float(made.levels[1])),
    )


def described(plan: Plan) -> str:
    """The parameters of a plan, as a note."""
    parts = [f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in plan.settings.items()]
    if plan.levels is not None:
        parts.append("levels={:.4g},{:.4g}".format(*plan.levels))
    return f"{plan.operator.name} with predicted parameters: {', '.join(parts)}"

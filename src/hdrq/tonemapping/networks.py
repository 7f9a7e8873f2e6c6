"""Networks as tone mapping operators and expanders, by the names NET and NET@WEIGHTS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.cards import Option
from hdrq.errors import PixelError, UsageError
from hdrq.image.arithmetic import all_finite
from hdrq.nn.networks import Network, network_named, use_of, uses
from hdrq.registry import find, names
from hdrq.tonemapping.operator import Operator, OperatorCard

OperatorKind = Literal["tonemapper", "expander"]
_TASKS = {"tonemapper": "tonemap", "expander": "expand"}


def operator_named(shelf: OperatorKind, name: str) -> Operator:
    """An operator by its name, or a network that does its work: NET with its default weights, or NET@WEIGHTS.

    Raises UnknownName for unknown names, UsageError for networks of another use, MissingPart where weights are missing.
    """
    base, at, weights = name.partition("@")
    if base in names(shelf):
        if at:
            raise UsageError(f"{base} is not a network and has no weights; leave out @{weights}")
        found: Operator = find(shelf, base)
        return found
    if base not in names("net"):
        # raises, with the nearest names
        found = find(shelf, base)
        return found
    use = use_of(base, _TASKS[shelf])
    if use is None:
        fit = ", ".join(uses(_TASKS[shelf])) or "none"
        raise UsageError(f"{base} is not a {shelf}; networks that are: {fit}")
    return _network_operator(network_named(name, use))


def _network_operator(network: Network) -> NetworkOperator:
    use = network.use
    expands = use.task == "expand"
    card = OperatorCard(
        title=use.title,
        source=find("net", network.net).source,
        reads="code" if expands else "linear",
        gives="nits" if expands else "code",
        differentiable=False,
        limits=use.limits,
        temporal=False,
    )
    return NetworkOperator(network.name, card, use.apply, network)


@dataclass(frozen=True)
class NetworkOperator(Operator):
    """A network with named weights as an operator; they are loaded at its first image.

    function  of the network, the image and options: its use
    """

    network: Network

    def __reduce__(self) -> tuple[Any, ...]:
        return _network_operator, (self.network,)

    def values(self, light: Tensor, **options: Any) -> Tensor:
        """As of any operator, but black pixels are the network's: they are not filled or excluded."""
        if not all_finite(light):
            raise PixelError(f"{self.name} got NaN or Inf; mask or clip those pixels first")
        self.check(options)
        apply: Callable[..., Tensor] = partial(
            self.function, self.network.module().to(light.device), **options
        )
        with torch.no_grad():
            made = [apply(image[None].float().clamp(min=0)) for image in light]
        return torch.nan_to_num(torch.cat(made).to(light.dtype), nan=0.0).clamp(min=0)

    @property
    def options(self) -> dict[str, Option]:
        """Options of the network's use by name."""
        return self.network.use.options

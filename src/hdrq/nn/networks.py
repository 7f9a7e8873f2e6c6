"""Networks that make images, by the names NET and NET@WEIGHTS: found on this machine, but not loaded before their first use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import nn

from hdrq.errors import UsageError
from hdrq.nn.image_networks import Use
from hdrq.nn.weights import checkpoint_for, load
from hdrq.registry import find, names


@dataclass(frozen=True)
class Network:
    """A network with the name of its weights, and what it makes of images. The weights are loaded at the first use."""

    net: str
    weights: str
    use: Use

    @property
    def name(self) -> str:
        """NET@WEIGHTS."""
        return f"{self.net}@{self.weights}"

    def module(self) -> nn.Module:
        """The network with its weights, ready for use; the same one every time."""
        return self._module

    @cached_property
    def _module(self) -> nn.Module:
        # whoever needs a gradient later may be given it too
        with torch.inference_mode(False):
            return load(self.net, self.weights, self.use.reads)

    def __reduce__(self) -> tuple[Any, ...]:
        # other processes load the weights themselves
        return Network, (self.net, self.weights, self.use)


def uses(*tasks: str) -> dict[str, Use]:
    """What the networks of these tasks make of images, by their names."""
    found = ((name, find("net", name).use) for name in names("net"))
    return {name: use for name, use in found if use is not None and use.task in tasks}


def use_of(net: str, *tasks: str) -> Use | None:
    """What a network makes of images; None where it has no use of these tasks."""
    use: Use | None = find("net", net).use
    return use if use is not None and use.task in tasks else None


def network_named(text: str, use: Use) -> Network:
    """The network of NET, with its default weights, or of NET@WEIGHTS.

    Raises UsageError for weights of another network, MissingPart where there are none.
    """
    net, at, weights = text.partition("@")
    if at and not weights:
        raise UsageError(f"{text} names no weights after @; see: hdrq models list")
    return Network(net, checkpoint_for(net, weights, use.reads).name, use)

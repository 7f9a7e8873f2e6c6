"""A small network of exposures, optimised on the image that it then tone-maps (SelfTMO)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from hdrq.nn.feature_contrast import encoded, masked_features, mean_difference
from hdrq.nn.image_networks import tiled, to_multiple

# pixels: farther ones do not influence one of the network's image
REACH = 7
# linear light that the curve of FLIP's exposures maps to white
_WHITE = 1.21497
# half of what three exposures sum up to at most: the image begins around code 0.5, not between 0.5 and 0.95 as in the program,
# from where the search often does not get away in as few iterations
_MIDDLE = 1.5
# of the rate, from the first iteration to the last
_FALL = 0.1


@dataclass(frozen=True)
class Search:
    """How the network is optimised; the fields are options of the operator."""

    iterations: int
    rate: float
    size: int
    width: int
    gamma: float
    beta: float
    stages: int
    seed: int


class ExposureNetwork(nn.Module):
    """Three exposures, each through the same three convolutions, joined by two and decoded by three to code 0..1.

    The exposures are added before the last sigmoid. Of the program's layout; borders are replicated here, not zeros, so that
    an even image stays even.

    width  channels of the first convolution, 16 in the program; others have multiples of it
    """

    def __init__(self, width: int, random: torch.Generator) -> None:
        super().__init__()
        wide = 12 * width
        self.encoder = nn.ModuleList((_conv(3, width), _conv(width, 2 * width), _conv(2 * width, 4 * width)))
        self.fusion = nn.ModuleList((_conv(wide, wide), _conv(wide, wide, 1)))
        self.decoder = nn.ModuleList((_conv(wide, 2 * width), _conv(2 * width, width), _conv(width, 3)))
        for conv in (*self.encoder, *self.fusion, *self.decoder):
            fan = (conv.in_channels + conv.out_channels) * conv.kernel_size[0] ** 2
            drawn = torch.rand(conv.weight.shape, generator=random, dtype=torch.float64)
            conv.weight.data = (2 * drawn - 1) * math.sqrt(6 / fan)
            conv.bias.data.zero_()
        nn.init.constant_(self.decoder[-1].get_parameter("bias"), -_MIDDLE)

    def forward(self, exposures: Tensor) -> Tensor:
        """(1, 9, H, W), three exposures of linear light 0..1, to code (1, 3, H, W)."""
        x = exposures.unflatten(1, (3, 3)).flatten(0, 1)
        for conv in self.encoder:
            x = F.relu(conv(x))
        x = x.flatten(0, 1)[None]
        for conv in self.fusion:
            x = conv(x)
        first, second, last = self.decoder
        x = last(F.relu(second(F.relu(first(x)))))
        return torch.sigmoid(x + exposures.unflatten(1, (3, 3)).sum(1))


def _conv(given: int, made: int, side: int = 3) -> nn.Conv2d:
    """A convolution without values yet: the generator of the process is not asked for any."""
    conv = skip_init(nn.Conv2d, given, made, side, padding=side // 2, padding_mode="replicate")
    assert isinstance(conv, nn.Conv2d)
    return conv


def exposures_of(light: Tensor, factors: Sequence[float]) -> Tensor:
    """(1, 9, H, W): the light (1, 3, H, W) times each factor, clipped at 1."""
    return torch.cat([(light * factor).clamp(max=1) for factor in factors], 1)


def factors_of(light: Tensor) -> tuple[float, float, float]:
    """Of three exposures: the brightest value, half of the way, and the median become the root of FLIP's white.

    As in the program, whose exposures are powers of the root of two, not of two.
    """
    low, high = float(light.max()), float(light.median())
    first, last = (math.sqrt(_WHITE / max(x, 1e-30)) for x in (low, high))
    return first, math.sqrt(first * last), last


def self_supervised(light: Tensor, search: Search, vgg: Any) -> Tensor:
    """Code (1, 3, H, W) of light of one image by a network that is optimised on it, reduced to the size of the search.

    vgg  VGG16; it is moved to the device and type of the light
    """
    with torch.inference_mode(False), torch.enable_grad():
        light = light.detach().clone()
        light = light * (0.5 / float(light.double().mean().clamp(min=1e-30)))
        factors = factors_of(light)
        net = ExposureNetwork(search.width, torch.Generator().manual_seed(search.seed)).to(light)
        _optimise(net, _reduced(light, search.size), factors, search, vgg.to(light))
    with torch.no_grad():
        return tiled(lambda part: net(exposures_of(part, factors)), light, margin=REACH + 1)


def _optimise(
    net: ExposureNetwork, light: Tensor, factors: Sequence[float], search: Search, vgg: Any
) -> None:
    """Adam, by the masked contrasts of the network's image against those of the scene."""
    # so that every stage of the features has a pixel
    light = to_multiple(light, 2 ** (search.stages - 1))
    contrasts = partial(masked_features, net=vgg, beta=search.beta, stages=search.stages)
    with torch.no_grad():
        scene = contrasts(encoded(light), gamma=search.gamma)
    exposures = exposures_of(light, factors)
    adam = torch.optim.Adam(net.parameters(), search.rate)
    for step in range(search.iterations):
        for group in adam.param_groups:
            group["lr"] = search.rate * _FALL ** (step / search.iterations)
        adam.zero_grad()
        mean_difference(contrasts(net(exposures)), scene).backward()
        adam.step()


def _reduced(light: Tensor, size: int) -> Tensor:
    """Means over areas, so that the longer side has at most `size` pixels."""
    h, w = light.shape[-2:]
    longer = max(h, w)
    if longer <= size:
        return light
    return F.interpolate(light, [max(1, round(n * size / longer)) for n in (h, w)], mode="area")

"""A distortion: a pure function that degrades an image by a stated amount, and its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor

from hdrq.errors import UsageError

# highest level
MOST = 5.0


@dataclass(frozen=True)
class DistortionCard:
    """Description of a distortion.

    acts      on "light" (cd/m², BT.709) or on "code" (0 is black, 1.0 an SDR white, `top` the highest code)
    amount    the quantity that the level sets, with its unit
    levels    the amount at levels 0 (no change), 1, 2, 3, 4, 5; linearly interpolated in between
    encoding  the code it needs, "" for that of the image (sRGB, or PU21 for light)
    chance    whether it uses random numbers
    """

    title: str
    source: str
    acts: Literal["light", "code"]
    amount: str
    levels: tuple[float, float, float, float, float, float]
    encoding: str = ""
    chance: bool = False


@dataclass(frozen=True)
class Distortion:
    """A card and its function. The function takes the amount; a call takes the level."""

    name: str
    card: DistortionCard
    function: Callable[..., Tensor]

    def amount(self, level: float) -> float:
        """The physical amount of a level in [0, 5]."""
        if not 0 <= level <= MOST:
            raise UsageError(f"{self.name} has levels 0 to {MOST:g}, not {level:g}")
        low = min(int(level), 4)
        return self.card.levels[low] + (level - low) * (self.card.levels[low + 1] - self.card.levels[low])

    def __call__(self, pixels: Tensor, level: float, seed: int = 0, top: float = 1.0) -> Tensor:
        """(N, C, H, W) distorted; level 0 gives the image itself, and the same seed gives the same result.

        top  highest code of the display, for distortions that act on code
        """
        amount = self.amount(level)
        if level == 0:
            return pixels
        wanted = signature(self.function).parameters
        handed: dict[str, Any] = {"top": top} if "top" in wanted else {}
        if "random" in wanted:
            handed["random"] = torch.Generator().manual_seed(seed)
        found = self.function(pixels, amount, **handed).to(pixels.dtype).clamp(min=0)
        return found.clamp(max=top) if self.card.acts == "code" else found


def distortion(card: DistortionCard) -> Callable[[Callable[..., Tensor]], Distortion]:
    """Turn a function (pixels, amount, [random], [top]) into a Distortion with its name, "-" for "_"."""

    def wrap(function: Callable[..., Tensor]) -> Distortion:
        return Distortion(function.__name__.replace("_", "-"), card, function)

    return wrap


def normal(like: Tensor, random: torch.Generator) -> Tensor:
    """Standard normal numbers in the shape of an image, the same on every device."""
    return torch.randn(like.shape, generator=random).to(like)


def uniform(low: float, high: float, random: torch.Generator) -> float:
    """A uniform random number in a range."""
    return low + (high - low) * float(torch.rand((), generator=random))


def sign(random: torch.Generator) -> float:
    """-1 or 1 with equal probability."""
    return 1.0 if float(torch.rand((), generator=random)) < 0.5 else -1.0

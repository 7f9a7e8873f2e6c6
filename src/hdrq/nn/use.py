"""What a network makes of images: light of code, code of light, one image of a bracket, or code of another quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hdrq.cards import Option, options_of

Task = Literal["expand", "tonemap", "merge", "fuse", "enhance"]


@dataclass(frozen=True)
class Use:
    """The use of a network in a task.

    task    and its function, whose keyword-only parameters are options of the user:
            "expand"   apply(net, code (N, 3, H, W) sRGB code 0..1) -> cd/m²
            "tonemap"  apply(net, light (N, 3, H, W) of any scale) -> sRGB code 0..1
            "merge"    apply(net, frames (K, 3, H, W), seconds (K,)) -> radiance (3, H, W); frames are light over the white
                       of their exposure, the shortest first, whose seconds are 1; radiance 1 is the white of the shortest
            "fuse"     apply(net, frames (K, 3, H, W) of sRGB code, the darkest first) -> code (3, H, W)
            "enhance"  apply(net, code (1, 3, H, W) of sRGB code, quality, seed) -> (code of that quality, the quality that
                       the network sees in the image before, and after)
    frames  smallest and largest number of frames of "merge" and "fuse"
    align   alignment of the frames where the user names none
    limits  smallest and largest value of numeric options
    """

    task: Task
    apply: Callable[..., Any]
    title: str
    frames: tuple[int, int] = (1, 1)
    align: Literal["auto", "flow"] = "auto"
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def reads(self) -> str:
        """The encoding of the images that networks of this task read, for the choice of weights."""
        return "linear" if self.task == "tonemap" else "srgb"

    @property
    def options(self) -> dict[str, Option]:
        """Keyword arguments of `apply` by name, with defaults and choices."""
        return options_of(self.apply)

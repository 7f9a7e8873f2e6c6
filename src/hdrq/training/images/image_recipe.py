"""A recipe for a network whose output is an image: what an example is, and what the network makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Generator, Tensor, nn

from hdrq.training.images.image_settings import ImageSettings, plain
from hdrq.training.images.scenes import Scene

Example = dict[str, Tensor]


@dataclass(frozen=True)
class ImageOutput:
    """The network's image, and what losses compare it with.

    image   (N, C, H, W): "linear" light, 1.0 = `nits` cd/m², or "srgb" code 0..1
    target  the image that is wanted, in the same domain; None where there is none
    light   (N, 3, H, W) the scene, linear
    stack   (N, K, 3, H, W) the exposures, code 0..1
    predicted  the network's own part where `image` is a blend of it and of what is known, in the same domain
    mask    (N, 1, H, W) share of `predicted` in `image`
    real    images of the kind that a discriminator should see, where they are not the target
    transformed   the output for the same examples with their images transformed by a function of (B, C, H, W)
    nits    cd/m² of linear 1.0, None for that of the settings
    """

    image: Tensor
    domain: str = "linear"
    target: Tensor | None = None
    light: Tensor | None = None
    stack: Tensor | None = None
    predicted: Tensor | None = None
    mask: Tensor | None = None
    real: Tensor | None = None
    transformed: Callable[[Callable[[Tensor], Tensor]], Tensor] | None = None
    nits: float | None = None


@dataclass(frozen=True)
class ImageRecipe:
    """An entry of training/recipes.

    net       name of the network in nn/nets
    example   (scenes, settings, chance) -> {name: tensor without a batch dimension}; all randomness comes from `chance`
    output    (module, batch, settings) -> ImageOutput
    settings  those that differ from the defaults of ImageSettings
    encoding  code that the network gives, for the card: "linear" or "srgb"
    fits, variants  as in hdrq.records.Recipe; image recipes are used by name only
    """

    name: str
    net: str
    source: str
    example: Callable[[Sequence[Scene], ImageSettings, Generator], Example]
    output: Callable[[nn.Module, Mapping[str, Tensor], ImageSettings], ImageOutput]
    settings: Mapping[str, Any] = field(default_factory=dict)
    encoding: str = "linear"
    fits: tuple[str, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def chosen(self, variant: str = "") -> ImageSettings:
        """The settings of the recipe or of one of its variants."""
        from hdrq.errors import UsageError

        if variant and variant not in self.variants:
            some = ", ".join(self.variants) or "none"
            raise UsageError(f"{self.name} has no variant '{variant}'; it has {some}")
        return plain({"net": self.net, **self.settings, **(self.variants[variant] if variant else {})})

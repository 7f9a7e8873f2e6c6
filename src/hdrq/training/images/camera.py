"""Examples as a camera takes them: random windows of scenes, and response, noise, clipping and rounding, from light on the sensor
to code.

Light is scaled so that 1.0 saturates the sensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hdrq.image.transfer import linear_to_srgb, srgb_to_linear
from hdrq.training.images.scenes import Scene

# Eilertsen et al. 2017 (doi:10.1145/3130800.3130816), section 4.1: means and deviations of n and sigma, fitted to the mean of
# the Grossberg and Nayar database of camera responses.
_N, _SIGMA = (0.9, 0.1), (0.6, 0.1)
# code between which a pixel is well exposed
_DARK, _BRIGHT = 0.05, 0.95


@dataclass(frozen=True)
class Response:
    """f(H) = (1 + sigma) H^n / (H^n + sigma), or sRGB's curve, or none, for H in 0..1.

    kind  "sigmoid", "srgb" or "linear"
    """

    kind: str
    n: float = 1.0
    sigma: float = 1.0

    def code(self, light: Tensor) -> Tensor:
        """Code 0..1 of light, which is clipped to 0..1."""
        light = light.clamp(0, 1)
        if self.kind == "srgb":
            return linear_to_srgb(light)
        if self.kind == "linear":
            return light
        power = light**self.n
        return (1 + self.sigma) * power / (power + self.sigma)

    def light(self, code: Tensor) -> Tensor:
        """Light 0..1 of code 0..1."""
        code = code.clamp(0, 1)
        if self.kind == "srgb":
            return srgb_to_linear(code)
        if self.kind == "linear":
            return code
        return (self.sigma * code / (1 + self.sigma - code)) ** (1 / self.n)

    @property
    def parameters(self) -> Tensor:
        """(n, sigma), for examples; zeros where the response has none."""
        return torch.tensor([self.n, self.sigma] if self.kind == "sigmoid" else [0.0, 0.0])


def random_response(kind: str, chance: Generator) -> Response:
    """A response of the family with n ~ N(0.9, 0.1) and sigma ~ N(0.6, 0.1), each at least 0.2; or the named one."""
    if kind != "random":
        return Response(kind)
    z = torch.randn(2, generator=chance, dtype=torch.float64)
    n, sigma = (max(0.2, m + d * float(v)) for (m, d), v in zip((_N, _SIGMA), z))
    return Response("sigmoid", n, sigma)


def noisy(light: Tensor, electrons: float, read: float, chance: Generator) -> Tensor:
    """Light with photon noise (Poisson) and read noise (Gaussian), not clipped.

    electrons  that saturate a pixel; 0 for no noise
    read       standard deviation, electrons
    """
    if electrons <= 0:
        return light
    counted = torch.poisson((light * electrons).clamp(0, 1e7), generator=chance)
    dark = read * torch.randn(light.shape, generator=chance)
    return (counted + dark) / electrons


def photograph(
    light: Tensor,
    response: Response,
    chance: Generator,
    *,
    electrons: float = 0.0,
    read: float = 0.0,
    bits: int = 8,
) -> Tensor:
    """Code 0..1 of one exposure: noise, clipping, response, rounding."""
    # Light above twice the saturation is clipped with any noise; it would only cost time.
    code = response.code(noisy(light.clamp(max=2.0), electrons, read, chance))
    return (code * (2**bits - 1)).round() / (2**bits - 1) if bits else code


def capacity(electrons: tuple[float, ...], chance: Generator) -> float:
    """A random number of electrons that saturate a pixel, uniform in its logarithm; 0 where noise is off."""
    low, high = electrons
    return low * (high / low) ** uniform(0, 1, chance) if low > 0 else 0.0


def well_exposed(code: Tensor) -> float:
    """Share of the pixels (3, H, W) whose channels are all within 0.05 .. 0.95."""
    good = (code > _DARK) & (code < _BRIGHT)
    return float(good.all(-3).float().mean())


def uniform(low: float, high: float, chance: Generator) -> float:
    """A random number within [low, high)."""
    return low + (high - low) * float(torch.rand((), generator=chance, dtype=torch.float64))


def random_index(count: int, chance: Generator) -> int:
    """A random whole number of 0 .. count - 1."""
    return int(torch.randint(count, (), generator=chance))


def random_scene(scenes: Sequence[Scene], chance: Generator) -> Scene:
    """A scene, each as likely as the others."""
    return scenes[random_index(len(scenes), chance)]


def window(light: Tensor, side: int, zoom: float, chance: Generator) -> Tensor:
    """A random square window of (3, H, W), reduced by 1 .. zoom and averaged to side x side.

    A scene smaller than the window is enlarged to it.
    """
    h, w = light.shape[-2:]
    taken = round(side * zoom ** uniform(0, 1, chance))
    taken = min(taken, h, w)
    top, left = random_index(h - taken + 1, chance), random_index(w - taken + 1, chance)
    cut = light[None, :, top : top + taken, left : left + taken]
    if taken == side:
        return cut[0]
    if taken > side:
        return F.interpolate(cut, size=(side, side), mode="area")[0]
    return F.interpolate(cut, size=(side, side), mode="bilinear", align_corners=False)[0]


def random_orientation(image: Tensor, chance: Generator, swap: bool = True) -> Tensor:
    """The image (..., H, W) flipped and turned by quarters at random; with `swap`, channels (3, H, W) are permuted."""
    if random_index(2, chance):
        image = image.flip(-1)
    image = torch.rot90(image, random_index(4, chance), (-2, -1))
    order = torch.randperm(3, generator=chance)
    return (image[order] if swap else image).contiguous()


def crop(scene: Scene, side: int, zoom: float, chance: Generator, swap: bool = True) -> Tensor:
    """A random window of a scene, flipped and turned, (3, side, side)."""
    return random_orientation(window(scene.light, side, zoom, chance), chance, swap)

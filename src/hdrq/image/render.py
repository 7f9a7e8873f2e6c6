"""A small synthetic HDR scene: a dim room with a bright window, a lamp and three balls.

It is used by the demo, the documentation and the tests, and carries no licence restrictions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hdrq.arguments import checked
from hdrq.errors import UsageError
from hdrq.records import Image

# direction towards the light, x right, y up, z towards the viewer
_SUN = (0.55, 0.75, -0.35)
# centre x, centre y, radius (in image heights, y down), colour, gloss
_BALLS = (
    (0.52, 0.74, 0.15, (0.80, 0.16, 0.10), 30.0),
    (0.86, 0.79, 0.10, (0.12, 0.34, 0.75), 120.0),
    (1.14, 0.76, 0.13, (0.82, 0.78, 0.70), 8.0),
)


@checked
def demo_scene(width: int = 480, height: int = 320) -> tuple[Image, Image]:
    """(the scene, a distorted copy), in cd/m² and BT.709; sides of 16 to 8192 pixels."""
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise UsageError(f"a demo scene is between 16x16 and 8192x8192 pixels, not {width}x{height}")
    light = room(width, height)
    return Image(light), Image(distort(light))


def room(width: int = 480, height: int = 320, seed: int = 0) -> Tensor:
    """The scene, (1, 3, H, W) float32, cd/m², BT.709: from 0.2 in the darkest corner to 12 000 in the lamp."""
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / height, indexing="ij"
    )
    light = _walls(x, y, seed)
    light = _window(light, x, y)
    for ball in _BALLS:
        light = _ball(light, x, y, *ball)
    light = _lamp(light, x, y, width / height - 0.18)
    return light.unsqueeze(0)


def _texture(x: Tensor, y: Tensor, seed: int, octaves: int = 5) -> Tensor:
    """Smooth noise with mean 1 at several scales."""
    g = torch.Generator().manual_seed(seed)
    total = torch.zeros_like(x)
    for octave in range(octaves):
        cells = 4 * 2**octave
        grid = torch.rand(1, 1, cells, 2 * cells, generator=g) - 0.5
        at = torch.stack([x.clamp(0, 2) - 1, 2 * y - 1], -1)[None]
        noise = torch.nn.functional.grid_sample(
            grid, at, mode="bicubic", padding_mode="border", align_corners=True
        )
        total += noise[0, 0] / 1.6**octave
    return (1 + 0.5 * total).clamp(min=0.2)


def _walls(x: Tensor, y: Tensor, seed: int) -> Tensor:
    """Wall in the upper part, floor boards in the lower, brighter towards the window; (3, H, W)."""
    fall = torch.exp(-1.7 * (x - 0.1).clamp(min=0)) + 0.015
    wall = 14 * fall * _texture(x, y, seed)
    plank = 0.75 + 0.25 * torch.sign(torch.sin(40 * x / (0.35 + (y - 0.62).clamp(min=0))))
    floor = 22 * fall * plank * _texture(x * 0.3, y, seed + 1)
    on_floor = (y > 0.62).float()
    grey = wall * (1 - on_floor) + floor * on_floor
    tint = torch.tensor([[1.0, 0.93, 0.82], [1.0, 0.72, 0.45]])
    return grey * (tint[0][:, None, None] * (1 - on_floor) + tint[1][:, None, None] * on_floor)


def _window(light: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The window: sky, hills and a cross of glazing bars."""
    inside = (x > 0.10) & (x < 0.42) & (y > 0.10) & (y < 0.52)
    bars = ((x - 0.26).abs() < 0.008) | ((y - 0.31).abs() < 0.008)
    sky = 1500 + 3500 * (0.52 - y).clamp(min=0) / 0.42
    hill = y > 0.42 + 0.03 * torch.sin(22 * x) + 0.015 * torch.sin(57 * x + 1)
    colour = torch.stack([sky * 0.75, sky * 0.9, sky * 1.25])
    green = torch.stack([300 * torch.ones_like(x), 620 * torch.ones_like(x), 180 * torch.ones_like(x)])
    view = torch.where(hill, green * (0.7 + 0.3 * torch.sin(180 * x) * torch.sin(140 * y)), colour)
    view = torch.where(bars, torch.full_like(view, 3.0), view)
    return torch.where(inside, view, light)


def _ball(
    light: Tensor,
    x: Tensor,
    y: Tensor,
    cx: float,
    cy: float,
    radius: float,
    colour: tuple[float, ...],
    gloss: float,
) -> Tensor:
    """A shaded sphere and its soft shadow."""
    shadow = torch.exp(
        -((((x - cx - 0.06) / (1.1 * radius)) ** 2 + ((y - cy - 0.9 * radius) / (0.35 * radius)) ** 2) ** 2)
    )
    light = light * (1 - 0.75 * shadow)
    nx, ny = (x - cx) / radius, (y - cy) / radius
    inside = nx**2 + ny**2 < 1
    nz = (1 - nx**2 - ny**2).clamp(min=0).sqrt()
    length = math.sqrt(sum(s * s for s in _SUN))
    lx, ly, lz = (-_SUN[0] / length, -_SUN[1] / length, -_SUN[2] / length)
    lambert = (nx * lx + ny * ly + nz * lz).clamp(min=0)
    mirror = (2 * lambert * nz - lz).clamp(min=0) ** gloss
    paint = torch.tensor(colour)[:, None, None]
    shade = paint * (2.5 + 160 * lambert) + 2.5 * gloss * 10 * mirror
    return torch.where(inside, shade, light)


def _lamp(light: Tensor, x: Tensor, y: Tensor, cx: float) -> Tensor:
    """A light bulb with its glow, at x = cx."""
    r2 = (x - cx) ** 2 + (y - 0.2) ** 2
    glow = 60 * torch.exp(-r2 / 0.02) + 12_000 * (r2 < 0.0009).float()
    return light + glow * torch.tensor([1.0, 0.85, 0.6])[:, None, None]


def distort(light: Tensor, seed: int = 0) -> Tensor:
    """A distorted copy of the scene: blur on the left half, noise, and highlights clipped at 1500 cd/m²."""
    kernel = torch.tensor([1.0, 4, 6, 4, 1], dtype=light.dtype, device=light.device) / 16
    n, c, h, w = light.shape
    flat = torch.nn.functional.pad(light.reshape(n * c, 1, h, w), (2, 2, 2, 2), mode="replicate")
    soft = torch.nn.functional.conv2d(flat, kernel.view(1, 1, 5, 1) * kernel.view(1, 1, 1, 5)).reshape(
        light.shape
    )
    left = torch.arange(w, device=light.device) < w // 2
    grain = torch.randn(light.shape, generator=torch.Generator().manual_seed(seed), dtype=light.dtype)
    return (torch.where(left, soft, light) * (1 + 0.04 * grain.to(light.device))).clamp(0.02, 1500)

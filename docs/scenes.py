"""Four HDR scenes that hdrq renders itself, for the pictures of docs/tonemapping.md: nobody's photograph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hdrq.image.render import room


def _plane(width: int, height: int) -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / height, indexing="ij"
    )
    return x, y


def _grain(like: Tensor, amount: float, seed: int) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return 1 + amount * torch.randn(like.shape, generator=chance)


def _mixed(colour: tuple[float, float, float], nits: Tensor) -> Tensor:
    return torch.tensor(colour)[:, None, None] * nits


def sunset(width: int = 240, height: int = 160) -> Tensor:
    """A low sun over water behind dark hills, cd/m², (1, 3, H, W): 0.5 in the hills, 100 000 in the sun."""
    x, y = _plane(width, height)
    r2 = (x - 0.95) ** 2 + (y - 0.42) ** 2
    horizon = 0.5
    sky = _mixed((0.5, 0.65, 1.0), 300 + 900 * y) + _mixed((1.0, 0.55, 0.25), 3000 * torch.exp(-r2 / 0.05))
    clouds = (0.5 + 0.5 * torch.sin(9 * x + 30 * y) * torch.sin(4 * x - 17 * y)).clamp(min=0) ** 3
    sky = sky + _mixed((1.0, 0.45, 0.35), 700 * clouds)
    sky = sky + _mixed((1.0, 0.9, 0.7), 1e5 * (r2 < 0.0012).float())
    depth = (y - horizon).clamp(min=0)
    waves = (1 + torch.sin(260 * depth**0.6 + 14 * torch.sin(9 * x))).clamp(min=0) / 2
    glitter = torch.exp(-(((x - 0.95) / (0.06 + 0.5 * depth)) ** 2))
    water = _mixed((0.25, 0.35, 0.5), 120 * waves) + _mixed((1.0, 0.6, 0.3), 6000 * glitter * waves**6)
    light = torch.where(y < horizon, sky, water)
    hills = (y > 0.47 - 0.05 * torch.sin(5 * x) - 0.02 * torch.sin(23 * x)) & (y < horizon)
    shore = y > 0.86 + 0.04 * torch.sin(6 * x + 1)
    light = torch.where(hills, _mixed((0.6, 0.5, 0.7), torch.full_like(x, 6.0)), light)
    grass = 1.5 * (1 + 0.8 * torch.sin(300 * x) * torch.sin(190 * y))
    return torch.where(shore, _mixed((0.5, 0.6, 0.3), grass), light)[None]


def street(width: int = 240, height: int = 160) -> Tensor:
    """A street at night with lamps and coloured signs, cd/m²: 0.005 in the sky, 20 000 in the lamps."""
    x, y = _plane(width, height)
    light = _mixed((0.4, 0.5, 1.0), 0.005 + 0.03 * y)
    walls = (x < 0.5) | (x > 1.0)
    bricks = 0.6 + 0.4 * torch.sign(
        torch.sin(90 * y) * torch.sin(60 * x + 1.5 * torch.sign(torch.sin(90 * y)))
    )
    light = torch.where(walls & (y < 0.75), _mixed((1.0, 0.7, 0.5), 0.3 * bricks), light)
    paving = 0.15 + 0.1 * torch.sin(70 * (x - 0.75) / (y - 0.5).clamp(min=0.1)) * torch.sin(
        40 / (y - 0.4).clamp(min=0.1)
    )
    light = torch.where(y >= 0.75, _mixed((0.9, 0.9, 1.0), paving), light)
    for cx, cy, reach in ((0.42, 0.25, 0.05), (1.08, 0.25, 0.05), (0.62, 0.45, 0.02), (0.88, 0.45, 0.02)):
        r2 = (x - cx) ** 2 + (y - cy) ** 2
        light = light + _mixed((1.0, 0.75, 0.4), 12 * reach * 20 * torch.exp(-r2 / (reach * 0.7)))
        light = light + _mixed((1.0, 0.8, 0.5), 2e4 * (r2 < (reach * 0.4) ** 2).float())
        pool = torch.exp(-(((x - cx) / 0.12) ** 2) - ((y - 0.85) / 0.08) ** 2)
        light = light + _mixed((1.0, 0.75, 0.4), 6 * pool)
    signs = (((0.1, 0.35), (1.0, 0.05, 0.1)), ((1.2, 0.4), (0.05, 0.3, 1.0)), ((0.25, 0.55), (0.1, 1.0, 0.2)))
    for (cx, cy), colour in signs:
        inside = ((x - cx).abs() < 0.07) & ((y - cy).abs() < 0.04)
        letters = torch.sin(120 * x) * torch.sin(100 * y) > -0.2
        light = torch.where(inside & letters, _mixed(colour, torch.full_like(x, 250.0)), light)
        r2 = (x - cx) ** 2 + (y - cy) ** 2
        light = light + _mixed(colour, 1.5 * torch.exp(-r2 / 0.02))
    return (light * _grain(light, 0.03, 1)).clamp(min=1e-3)[None]


def patches(width: int = 240, height: int = 160) -> Tensor:
    """Colour patches in sun and in shade under a ramp of grey, cd/m²: 0.1 to 50 000."""
    x, y = _plane(width, height)
    hue = (torch.floor(x * 6) / 9 * 6.2832)[None]
    turns = torch.tensor([0.0, 2.0944, 4.1888])[:, None, None]
    paint = 0.1 + 0.8 * (0.5 + 0.5 * torch.cos(hue - turns))
    row = torch.floor((y - 0.25) / 0.25).clamp(0, 2)
    light = paint * torch.tensor([8000.0, 300.0, 10.0])[row.long()]
    edges = ((x * 6) % 1 < 0.06) | (((y - 0.25) / 0.25) % 1 < 0.06)
    light = torch.where(edges, 0.15 * light, light)
    ramp = 10 ** (-1 + 5.7 * x / (width / height))
    ramp = ramp * (1 + 0.25 * torch.sign(torch.sin(200 * x)) * (y > 0.12))
    return torch.where(y < 0.25, ramp.expand(3, -1, -1), light)[None]


SCENES: dict[str, Callable[[int, int], Tensor]] = {
    "room": room,
    "sunset": sunset,
    "street": street,
    "patches": patches,
}

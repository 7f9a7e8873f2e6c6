"""Operators, expanders and what is around them on scenes of more pixels and other brightness than the goldens, as figures."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
import torch
from torch import Tensor

from hdrq.image.render import room
from hdrq.image.statistics import luminance
from hdrq.registry import find, names
from hdrq.tonemapping.color_correction import clip, desaturate, scale
from hdrq.tonemapping.contact_sheet import Tile, operators_of, reduced, sheet
from hdrq.tonemapping.operators import pattanaik
from hdrq.tonemapping.optimize import _reduced as reduced_for_a_search
from hdrq.tonemapping.parameter_search import along, by_evolution, by_gradient
from hdrq.tonemapping.solvers.display_curve import _least_squares
from pinned import pinned

SCALES = {"as rendered": 1.0, "dim": 0.02, "bright": 40.0}


def light(scale: float) -> Tensor:
    """12,000 pixels, so that ranks of a thousandth are told apart, with a cast of colour."""
    return room(120, 100, seed=1).double() * scale * torch.tensor([1.0, 0.9, 1.2]).view(1, 3, 1, 1)


@pytest.mark.parametrize("scene", sorted(SCALES))
@pytest.mark.parametrize("name", names("tonemapper"))
def test_operators_are_what_they_were(name, scene) -> None:
    pinned(f"{name} {scene}", find("tonemapper", name).function(light(SCALES[scene])))


@pytest.mark.parametrize("scene", ["low key", "high key", "clipped"])
@pytest.mark.parametrize("name", names("expander"))
def test_expanders_are_what_they_were(name, scene) -> None:
    code = (light(1.0) / 400).clamp(0, 1) ** {"low key": 0.7, "high key": 0.02, "clipped": 0.4}[scene]
    if scene == "clipped":
        code = (2.5 * code).clamp(max=1)
    pinned(f"{name} {scene}", find("expander", name).function(code))


def test_gamut_mappings_keep_what_they_say() -> None:
    shown = torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(0)).double() * 1.7 - 0.25
    assert torch.equal(clip(shown), shown.clamp(0, 1))
    found, y = desaturate(shown), luminance(shown)
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    assert torch.allclose(luminance(found), y.clamp(0, 1), atol=1e-9)
    high, low = shown.amax(1, keepdim=True), shown.amin(1, keepdim=True)
    within = ((high <= 1) & (low >= 0)).expand_as(shown)
    assert torch.allclose(found[within], shown[within])
    keep = torch.minimum(((1 - y) / (high - y)).where(high > 1, 1.0), (y / (y - low)).where(low < 0, 1.0))
    some = ((y > 0) & (y < 1)).expand_as(shown)
    assert torch.allclose(found[some], (y + keep * (shown - y)).clamp(0, 1)[some], atol=1e-9)
    bright = (high > 1).expand_as(shown) & (shown > 0)
    assert torch.allclose(scale(shown)[bright], (shown / high)[bright])
    assert torch.equal(
        scale(shown)[~(high > 1).expand_as(shown)], shown[~(high > 1).expand_as(shown)].clamp(min=0)
    )


# --- search of parameters ----------------------------------------------------------------------------------


def hill(u: Tensor) -> Tensor:
    return -((u - torch.tensor([0.7, -0.4][: u.numel()], dtype=u.dtype)).square() * (1 + u.square())).sum()


def test_searches_are_what_they_were() -> None:
    two = [0.1, 0.3]
    for name, search, begin in (
        ("gradient", by_gradient, two),
        ("evolution", by_evolution, two),
        ("along", along, [0.1]),
    ):
        found = list(search(hill, begin, 14, 3))
        assert [f[0] for f in found][:5] == [0, 1, 2, 3, 4]
        pinned(f"search {name}", *([v for f in found for v in f[1]], [f[2] for f in found]), tolerance=1e-5)


def test_a_search_along_one_parameter_looks_around_the_best_of_its_grid() -> None:
    """Also where the best is the first or the last value."""
    for peak in (-6.0, 6.0):
        found = list(along(lambda u, p=peak: -((u - p) ** 2).sum(), [0.0], 12, 0))
        best = max(found, key=lambda f: f[2])[1][0]
        assert best * peak > 0
        assert abs(best) <= max(abs(f[1][0]) for f in found[:7]) + 1e-9
    assert len(list(along(hill, [0.1], 4, 0))) >= 4


def test_images_of_a_search_have_512_pixels_a_side() -> None:
    def size(h: int, w: int, least: int = 1) -> tuple[int, ...]:
        return tuple(reduced_for_a_search(torch.rand(1, 3, h, w), least).shape[-2:])

    assert size(400, 600) == (400, 600)
    assert size(300, 768) == (150, 384)
    assert size(300, 767) == (300, 767)
    assert size(512, 1024) == (256, 512)
    assert size(512, 1024, 300) == (512, 1024)
    assert size(1200, 2048, 300) == (300, 512)
    scene = torch.rand(1, 3, 4, 1024)
    assert torch.allclose(reduced_for_a_search(scene, 1)[..., 0, 0], scene[..., :2, :2].mean((2, 3)))


# --- contact sheets ---------------------------------------------------------------------------------------


def test_tiles_have_at_most_384_pixels_a_side() -> None:
    wide = torch.rand(1, 3, 100, 768)
    assert torch.allclose(reduced(wide), torch.nn.functional.avg_pool2d(wide, 2))
    assert reduced(torch.rand(1, 3, 384, 300)).shape[-2:] == (384, 300)
    assert reduced(torch.rand(1, 3, 385, 300)).shape[-2:] == (384, 299)
    assert operators_of(" reinhard, drago,") == ["reinhard", "drago"]


def test_a_sheet_has_rows_of_tiles_and_names_under_them() -> None:
    tiles = [
        Tile(f"n{k}", torch.full((1, 3, 60, 90), k / 10), score=None if k % 2 else k / 3) for k in range(7)
    ]
    pixels = (sheet(tiles, "q").pixels[0] * 255).round()
    columns, rows = 3, 3  # 7 tiles of 60 by 90: round(sqrt(7 * 60 / 90 * 1.5)) = 3
    assert tuple(pixels.shape) == (3, rows * (60 + 34 + 10) + 10, columns * (90 + 10) + 10)
    for k in range(7):
        y, x = 10 + (k // 3) * 104, 10 + (k % 3) * 100
        assert (pixels[:, y : y + 60, x : x + 90] == round(k * 25.5)).all()
        words = (pixels[0, y + 60 : y + 94, x : x + 90] > 100).nonzero()
        assert len(words) > 20
        assert 5 <= int(words[:, 0].min()) <= 14
        assert 2 <= int(words[:, 1].min()) <= 5
    assert (pixels[:, :10] == 24).all()
    score = (pixels[0, 70:104, 10:100] > 100).sum()
    plain = (pixels[0, 70:104, 110:200] > 100).sum()
    assert score > plain  # "q 0.000" follows the name


def test_learning_rates_fall_to_an_eighth() -> None:
    """Of a slope that stays the same, Adam's steps are its rate: exp(-2 i / n) of the first one."""
    found = [f[1][0] for f in by_gradient(lambda u: u.sum(), [0.0], 10, 0)]
    steps = np.diff(found)
    assert steps / steps[0] == pytest.approx([exp(-2 * i / 10) for i in range(9)], rel=1e-4)


def test_steps_of_a_display_curve_are_the_least_squares_with_a_heavy_sum() -> None:
    """Two equal steps that want to be 1 each and have room for 1 together: the weight of their sum is 1000 times their own."""
    normal = 1 + 1e-7
    for n in (2, 3):
        wanted = (1 + 1e6 * normal) / (normal + n * 1e6 * normal)
        found = _least_squares(np.eye(n), np.ones(n), 1.0)
        assert found == pytest.approx(np.full(n, wanted), rel=1e-9)
        assert _least_squares(np.eye(n), np.ones(n), 4.0) == pytest.approx(np.full(n, 1 / normal), rel=1e-9)


@pytest.mark.parametrize("bleach", [1.0, 0.3])
def test_pattanaiks_slope_is_the_derivative_of_the_response_by_the_logarithm_of_luminance(
    bleach: float,
) -> None:
    nits, half, step = torch.tensor([0.5, 20.0, 3000.0], dtype=torch.float64), 40.0, 1e-4
    above, below = (bleach * pattanaik._sigmoid(nits * exp(s), half) for s in (step, -step))
    torch.testing.assert_close(
        pattanaik._display_slope(nits, bleach, half), (above - below) / (2 * step), rtol=1e-6, atol=0
    )

"""The parts that local tone mappers share: filters and solvers against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hdrq.ops.bilateral import bilateral, bilateral_grid
from hdrq.ops.colour_correction import CORRECTIONS
from hdrq.ops.contrast_pyramid import contrasts, picture
from hdrq.ops.exposure import most_well_exposed
from hdrq.ops.fusion import Blend, fuse
from hdrq.ops.gamut_mapping import GAMUT_MAPPINGS
from hdrq.ops.gaussians import blur
from hdrq.ops.guided import box_mean, guided_filter
from hdrq.ops.poisson import divergence, forward_difference, solve_poisson
from hdrq.ops.scene import log_mean, luminance
from hdrq.ops.temporal import Adaptation
from hdrq.ops.wls import Unsettled, smoothness, wls


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def edge() -> torch.Tensor:
    """A step from 0 to 1 with a little noise, (1, 1, 40, 40)."""
    x = torch.zeros(1, 1, 40, 40, dtype=torch.float64)
    x[..., 20:] = 1
    return x + 0.02 * (noise(1, 1, 40, 40) - 0.5)


def test_poisson_gives_back_the_picture_of_its_gradient():
    for shape in ((9, 14), (16, 8), (1, 7), (5, 1), (2, 2)):
        u = noise(1, 1, *shape)
        found = solve_poisson(divergence(forward_difference(u, -1), forward_difference(u, -2)))
        assert torch.allclose(found - found.mean(), u - u.mean(), atol=1e-9)


def test_wls_solves_the_system_it_says():
    target, x = noise(1, 1, 7, 9), noise(1, 1, 7, 9, seed=1)
    across, down = smoothness(x, 0.4, 1.0, 1e-4)
    n = 63
    a = 0.07 * np.eye(n)
    index = np.arange(n).reshape(7, 9)
    pairs = [(index[:, :-1], index[:, 1:], across), (index[:-1], index[1:], down)]
    for first, second, weights in pairs:
        for i, j, w in zip(first.ravel(), second.ravel(), weights.numpy().ravel()):
            a[i, i] += w
            a[j, j] += w
            a[i, j] -= w
            a[j, i] -= w
    wanted = np.linalg.solve(a, 0.07 * target.numpy().ravel())
    assert np.abs(wls(target, 0.07, across, down).numpy().ravel() - wanted).max() < 1e-6


def test_wls_says_when_it_has_not_settled():
    """Terraces of noise are the worst case: each one stiff, and hardly joined to the next."""
    x = (6 * blur(noise(1, 1, 200, 300) - 0.5, 6.0) / 0.02).round()
    with pytest.warns(Unsettled, match="short of its solution"):
        rough = wls(-x.float(), 0.07, *smoothness(x.float(), 0.4, 1.0, 1e-4))
    exact = wls(-x, 0.07, *smoothness(x, 0.4, 1.0, 1e-4))
    assert (rough - exact).abs().quantile(0.9) < 0.5 * x.std()


def test_wls_gradient_is_the_true_one():
    target, across, down = (
        noise(1, 1, 4, 5).requires_grad_(True),
        (noise(1, 1, 4, 4, seed=1) + 0.1).requires_grad_(True),
        (noise(1, 1, 3, 5, seed=2) + 0.1).requires_grad_(True),
    )
    assert torch.autograd.gradcheck(lambda t, a, d: wls(t, 0.3, a, d), (target, across, down), atol=1e-5)


def test_contrasts_lead_back_to_their_picture():
    for shape in ((12, 16), (13, 9)):
        x = noise(1, 1, *shape)
        fields = contrasts(x)
        weights = [(1 + noise(*a.shape, seed=3), 1 + noise(*b.shape, seed=4)) for a, b in fields]
        found = picture(fields, weights)
        assert torch.allclose(found - found.mean(), x - x.mean(), atol=1e-7)


def test_bilateral_filters_keep_an_edge_that_a_blur_destroys():
    x = edge()
    for found in (bilateral(x, 3.0, 0.1), bilateral_grid(x, 3.0, 0.1), guided_filter(x, x, 4, 0.01)):
        left, right = found[..., :19], found[..., 21:]
        assert left.max() < 0.1
        assert right.min() > 0.9
        assert left.std() < x[..., :19].std()
    assert blur(x, 3.0)[..., 17:19].min() > 0.1


def test_bilateral_grid_is_near_the_exact_filter():
    x = (noise(1, 1, 60, 60).cumsum(-1) * 0.05).sin()
    assert (bilateral_grid(x, 4.0, 0.3) - bilateral(x, 4.0, 0.3)).abs().mean() < 0.03


def test_box_mean_is_the_mean_of_a_mirrored_window():
    x = noise(1, 1, 6, 7)
    wide = torch.from_numpy(np.pad(x[0, 0].numpy(), 2, mode="symmetric"))
    wanted = wide.unfold(0, 5, 1).unfold(1, 5, 1).mean((-2, -1))
    assert torch.allclose(box_mean(x, 2)[0, 0], wanted)


def test_wide_and_narrow_blurs_agree():
    x = noise(1, 1, 50, 70)
    near, far = blur(x, 3.0, 39), blur(x, 3.0, 43)
    assert (near - far).abs().max() < 1e-6


def test_laplacian_bands_add_up():
    for shape in ((16, 16), (13, 22), (1, 5)):
        x = noise(1, 3, *shape)
        blend = Blend((x.shape[-2], x.shape[-1]))
        blend.add(x, torch.ones_like(x[:, :1]))
        assert torch.allclose(blend.result(), x)


def test_fusion_of_one_picture_is_that_picture():
    x = noise(1, 3, 24, 20)
    assert torch.allclose(fuse([x, x]), x, atol=1e-9)


def test_well_exposed_gain_puts_most_of_a_scene_on_the_display():
    y = 10 ** (2 + noise(1, 1, 40, 40))
    y[..., :2] = 1e-3
    shown = y * most_well_exposed(y)
    assert ((shown > 0.004) & (shown < 0.9)).double().mean() > 0.9


def test_corrections_keep_luminance_and_end_in_grey():
    light = noise(1, 3, 20, 20) * 100 + 1
    shown = light / (light + 20)
    for name in ("schlick", "linear", "mantiuk-power", "mantiuk-linear"):
        grey = CORRECTIONS[name](light, shown, 0.0)
        assert torch.allclose(grey, luminance(shown).expand_as(grey))
    full = CORRECTIONS["linear"](light, shown, 1.0)
    assert torch.allclose(luminance(full), luminance(shown))
    assert torch.isfinite(CORRECTIONS["pouli"](light, shown, 1.0)).all()


def test_gamut_mappings_end_within_the_display():
    shown = 3 * noise(1, 3, 16, 16) - 0.5
    for how in GAMUT_MAPPINGS.values():
        found = how(shown)
        assert found.min() >= 0
        assert found.max() <= 1
    mild = shown.clamp(0.2, 0.8)
    for how in GAMUT_MAPPINGS.values():
        assert torch.allclose(how(mild), mild)
    kept = GAMUT_MAPPINGS["desaturate"](shown)
    inside = (luminance(shown) > 0.01) & (luminance(shown) < 0.99)
    assert torch.allclose(luminance(kept)[inside], luminance(shown)[inside], atol=1e-6)


def test_adaptation_follows_slowly_and_starts_afresh_after_a_cut():
    film = [torch.full((1, 1, 4, 4), v, dtype=torch.float64) for v in (1.0, 1.0, 8.0, 8.0, 8.0)]
    following = Adaptation(1 - math.exp(-1 / 4))
    seen = []
    for i, frame in enumerate(film):
        with following.frame(afresh=i == 4):
            seen.append(float(log_mean(frame)))
    assert seen[0] == seen[1]
    assert seen[1] < seen[2] < seen[3] < 8
    assert abs(seen[4] - 8) < 1e-4
    assert abs(float(log_mean(film[2])) - 8) < 1e-4

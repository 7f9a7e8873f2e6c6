"""The parts that local tone mappers share: filters and solvers against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hdrq.image.blur import blur, burt, reinhard_profile
from hdrq.image.edge_preserving import bilateral, bilateral_grid, box_mean, guided_filter
from hdrq.image.exposure_fusion import Blend, fuse
from hdrq.image.statistics import Adaptation, log_mean, luminance
from hdrq.tonemapping.color_correction import CORRECTIONS, GAMUT_MAPPINGS
from hdrq.tonemapping.exposure import most_well_exposed
from hdrq.tonemapping.solvers import wls as solver
from hdrq.tonemapping.solvers.contrast_pyramid import contrasts, reconstruct
from hdrq.tonemapping.solvers.display_curve import (
    Contrasts,
    count_contrasts,
    fit_curve,
    response,
    sensitivity,
)
from hdrq.tonemapping.solvers.poisson import divergence, forward_difference, solve_poisson
from hdrq.tonemapping.solvers.wls import Unsettled, smoothness, wls


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


def test_a_system_in_strips_and_its_preconditioner_are_symmetric_and_sums_over_blocks_keep_the_total(
    monkeypatch,
):
    """On sides that are odd at several levels. The preconditioner is near the inverse, so that few passes are needed."""
    x, u, v = (noise(1, 1, 37, 46, seed=k) for k in range(3))
    across, down = (w[0, 0] for w in smoothness(x, 0.4, 1.0, 1e-4))
    levels = solver.Hierarchy(across, down, torch.full((37, 46), 0.07, dtype=torch.float64))
    u, v = u[0, 0], v[0, 0]
    whole = solver.apply(levels.top, u)
    wanted = 0.07 * u
    wanted[:, 1:] += across * u.diff(dim=1)
    wanted[:, :-1] -= across * u.diff(dim=1)
    wanted[1:] += down * u.diff(dim=0)
    wanted[:-1] -= down * u.diff(dim=0)
    assert (whole - wanted).abs().max() < 1e-12 * wanted.abs().max()
    monkeypatch.setattr(solver, "PIECE", 46 * 5)
    assert torch.equal(solver.apply(levels.top, u), whole)
    one, other = levels.cycle(u).clone(), levels.cycle(v).clone()
    assert float((one * v).sum()) == pytest.approx(float((other * u).sum()), rel=1e-12)
    error = u - levels.cycle(whole)
    assert float((error * solver.apply(levels.top, error)).sum() / (u * whole).sum()) < 0.9
    solved = wls(v[None, None], 0.07, across[None, None], down[None, None])[0, 0]
    assert (solver.apply(levels.top, solved) - 0.07 * v).abs().max() < 1e-6
    blocks = solver._gather(u)
    assert blocks.shape == (19, 23)
    assert blocks[3, 4] == pytest.approx(float(u[6:8, 8:10].sum()))
    assert blocks[18, 4] == pytest.approx(float(u[36, 8:10].sum()))


def test_wls_says_when_it_has_not_settled():
    """Terraces of noise are the worst case: each one stiff, and hardly joined to the next."""
    x = (6 * blur(noise(1, 1, 200, 300) - 0.5, 6.0) / 0.02).round()
    with pytest.warns(Unsettled, match="from its solution"):
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
        found = reconstruct(fields, weights)
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


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (37, 23), (260, 301)])
@pytest.mark.parametrize(
    ("sigma_space", "sigma_range", "origin"), [(1.6, 0.03, 0.0), (9.0, 0.2, None), (90.0, 4.0, -0.7)]
)
def test_the_bilateral_grid_in_strips_is_that_with_a_gradient(size, sigma_space, sigma_range, origin):
    """Two images, with a guide of their own, without and of one value."""
    x, guide = noise(2, 1, *size).float(), noise(2, 1, *size, seed=1).float()
    given = x.clone()
    for one in (guide, torch.full_like(guide, 0.25), None):
        found = bilateral_grid(x, sigma_space, sigma_range, one, origin)
        wanted = bilateral_grid(x.clone().requires_grad_(), sigma_space, sigma_range, one, origin)
        assert wanted.requires_grad
        assert not found.requires_grad
        assert (found - wanted).abs().max() < 3e-6
    assert torch.equal(x, given)


def test_box_mean_is_the_mean_of_a_mirrored_window():
    x = noise(1, 1, 6, 7)
    wide = torch.from_numpy(np.pad(x[0, 0].numpy(), 2, mode="symmetric"))
    wanted = wide.unfold(0, 5, 1).unfold(1, 5, 1).mean((-2, -1))
    assert torch.allclose(box_mean(x, 2)[0, 0], wanted)


def test_wide_and_narrow_blurs_agree():
    x = noise(1, 1, 50, 70)
    near, far = blur(x, 3.0, 39), blur(x, 3.0, 43)
    assert (near - far).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("h", "w", "sigma"), [(63, 97, 40.0), (90, 40, 36.0), (61, 200, 300.0), (30, 130, 35.0)]
)
def test_a_blur_wider_than_the_image_is_that_of_every_tap(h, w, sigma):
    """In one dimension or both; with the gradient of the same filter."""
    x = noise(2, 3, h, w)
    taps = round(5 * sigma) + 1 - round(5 * sigma) % 2
    offset = torch.arange(taps, dtype=torch.float64) - taps // 2
    kernel = (-0.5 * (offset / sigma) ** 2).exp()
    matrices = []
    for n in (h, w):
        at = (torch.arange(n)[:, None] + offset.long()).clamp(0, n - 1)
        matrices.append(
            torch.zeros(n, n, dtype=torch.float64).scatter_add_(1, at, kernel.expand(n, -1) / kernel.sum())
        )
    wanted = matrices[0] @ x @ matrices[1].mT
    assert (blur(x, sigma) - wanted).abs().max() < 1e-13
    assert (blur(x.float(), sigma) - wanted).abs().max() < 3e-6
    leaf, weights = x.clone().requires_grad_(), noise(2, 3, h, w, seed=2)
    (blur(leaf, sigma) * weights).sum().backward()
    assert (leaf.grad - matrices[0].mT @ weights @ matrices[1]).abs().max() < 1e-11


def test_a_profile_of_more_sigmas_than_a_polynomial_follows_is_filtered_by_every_tap():
    """Its kernel reaches over the whole line too, but the line is five sigmas long."""
    x, offset = noise(1, 1, 1, 97), torch.arange(-100, 101)
    kernel = (-((offset.double() / 25) ** 2)).exp()
    at = (torch.arange(97)[:, None] + offset).clamp(0, 96)
    wanted = (x[0, 0, 0][at] * kernel).sum(1) / kernel.sum()
    assert (reinhard_profile(x, 50.0, 0.5)[0, 0, 0] - wanted).abs().max() < 1e-12


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


def test_contrasts_are_counted_as_their_rules_say():
    """One band, for half of six pixels per degree is its slowest; pixel by pixel here."""
    x = 1.5 * noise(1, 1, 30, 40) + (noise(1, 1, 30, 40, seed=1) > 0.9) * 1.2
    x[..., 20:] = 0.5
    low = burt(x, "reflect")
    rows: dict[tuple[int, int], int] = {}
    even = set()
    for background, step in zip(low.flatten().tolist(), (x - low).flatten().tolist(), strict=True):
        at, size = round(background / 0.1), abs(step)
        if size < 0.0043:
            even.add(at)
        elif size < 0.65:
            key = at, round(math.copysign(max(round(size / 0.1), 1), step))
            rows[key] = rows.get(key, 0) + 1
    for at in even:
        for rise in (-1, 1):
            rows[at, rise] = rows.get((at, rise), 0) + 1
    found = count_contrasts(x, ppd=6.0)
    rise = np.where(found.start == found.at, 1, -1) * np.rint(found.contrast / 0.1)
    counted = {
        (int(a) + found.first, int(r)): int(n) for a, r, n in zip(found.at, rise, found.count, strict=True)
    }
    assert counted == rows
    assert found.first == min(min(at, at + r) for at, r in rows)
    assert found.first + found.bins - 1 == max(max(at, at + r) for at, r in rows)


def test_the_response_to_a_contrast_at_threshold_is_one() -> None:
    """So are Wilson's constants chosen; a contrast downwards has the opposite response."""
    just_seen = np.log10([2.0, 1.25, 0.5])
    found = response(just_seen[:2], np.array([1.0, 4.0]))
    assert found == pytest.approx([1, 1], abs=1e-3)
    assert response(just_seen[2:], np.array([1.0])) == pytest.approx([-1], abs=1e-3)


def test_a_display_curve_rises_only_where_a_contrast_asks_for_it():
    """From black to white at most; flat between what is dark and what is bright when nothing spans it."""
    at = np.array([0, 1, 8, 9])
    asked = Contrasts(
        at, np.array([0, 0, 8, 8]), np.array([1, 1, 9, 9]), np.full(4, 0.1), np.full(4, 3.0), at + 1.0, 0, 10
    )
    for white in (0.3, 3.0):
        steps = np.diff(fit_curve(asked, 0.0, white, 1.0, 1000.0))
        assert steps[[0, 8]].min() > 1e-3
        assert np.abs(steps[1:8]).max() == 0
        assert steps.sum() < white + 1e-7
    assert steps.sum() < 1  # what is asked for, not all there is room for


def test_a_display_curve_gives_contrasts_the_response_they_have_in_the_scene():
    """One contrast per background and room enough: what the display shows is as visible as what the scene had."""
    at = np.arange(12)
    asked = Contrasts(at, at, at + 1, np.full(12, 0.1), np.full(12, 4.0), np.ones(12), 5, 13)
    curve = fit_curve(asked, 0.0, 6.0, 1.0, 1000.0)
    wanted = response(np.full(12, 0.1), sensitivity(4.0, np.full(12, 1000.0)))
    shown = response(np.diff(curve), sensitivity(4.0, 10 ** curve[:-1]))
    assert np.abs(shown / wanted - 1).max() < 0.05

"""raman, bruce, icam06 and yee-pattanaik: their steps by hand, and as near to HDR Toolbox as they come."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, label

from hdrq.image.statistics import luminance
from hdrq.registry import find
from hdrq.tonemapping.exposure import bracket
from hdrq.tonemapping.operators.bruce import _entropy
from hdrq.tonemapping.operators.icam06 import _adapted, _luminance_level, _response
from hdrq.tonemapping.operators.lischinski import _zones
from hdrq.tonemapping.operators.yee_pattanaik import adaptation, shown_adapted


@pytest.fixture(scope="module")
def toolbox(shared):
    def load(name: str) -> torch.Tensor:
        a = np.load(shared / "golden" / "hdrtoolbox" / "oxford" / f"{name}.npz")["a"].astype(np.float64)
        a = a if a.ndim == 3 else a[..., None]
        return torch.from_numpy(a).permute(2, 0, 1)[None]

    return load


def scene() -> torch.Tensor:
    chance = torch.Generator().manual_seed(1)
    light = 10 ** (3 * torch.linspace(0, 1, 40, dtype=torch.float64)) * torch.ones(
        1, 3, 30, 40, dtype=torch.float64
    )
    return light * (1 + 0.2 * torch.rand(1, 3, 30, 40, generator=chance, dtype=torch.float64))


def test_a_bracket_puts_the_ranks_at_middle_grey_a_step_apart():
    stack = bracket(scene(), 2.0, 5)
    assert len(stack) == 5
    y = luminance(scene())
    dark = float(y.flatten().quantile(0.01))
    assert float((scene() * 0.18 / dark - stack[0]).abs()[stack[0] < 1].max()) < 1e-6


@pytest.mark.shared
def test_compositing_agrees_with_hdr_toolbox_but_for_its_filter(toolbox, golden_input):
    """Uniform weights would be 0.0087 off at most, and 0.012 in 1 % of the values."""
    found = find("tonemapper", "raman").function(golden_input("oxford"), variant="hdrtoolbox")[
        ..., 1::3, 1::3
    ]
    off = (found - toolbox("Raman")).abs()
    assert float(off.max()) < 1.7e-3
    assert float((off / toolbox("Raman").clamp(min=1e-2)).flatten().quantile(0.99)) < 2.2e-3
    assert float(off.mean()) < 8.5e-5


def test_compositing_weighs_what_the_filter_takes_away():
    """With a large constant exposures count alike; with a small one, those with contrast around the pixel."""
    light = scene()
    even = find("tonemapper", "raman").function(light, constant=100.0)
    from hdrq.image.transfer import linear_to_srgb

    mean = torch.stack([linear_to_srgb(x) for x in bracket(light, 2.0, 5)]).mean(0)
    assert float((even - mean).abs().max()) < 2e-3
    assert float((find("tonemapper", "raman").function(light, constant=0.01) - mean).abs().max()) > 0.02


def test_entropy_is_that_of_the_shares_of_codes_around_a_pixel():
    code = torch.full((1, 1, 21, 21), 0.9)
    assert float(_entropy(code, 2).abs().max()) == 0
    code[..., ::2] = 0.1
    found = float(_entropy(code, 4)[0, 0, 10, 10])  # 45 of 81 pixels are of one kind
    p = 45 / 81
    assert found == pytest.approx(-(p * math.log(p) + (1 - p) * math.log(1 - p)) / math.log(32), rel=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (9, 14), (23, 5), (40, 301)])
@pytest.mark.parametrize("radius", [1, 3, 12])
def test_running_histograms_give_the_entropy_of_every_window(size, radius):
    """Against the histogram of every mirrored window, also one that is wider than the image; two images, of few and all bins."""
    code = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    code = torch.cat([code[:1], 0.4 * code[1:] ** 2])
    code[0, 0, 0, 0], code[0, 0, -1, -1] = 1.5, 0.0
    bins = np.floor(code.numpy() * 32).clip(0, 31).astype(int)
    pad = ((0, 0), (0, 0), (radius, radius), (radius, radius))
    view = np.lib.stride_tricks.sliding_window_view(
        np.pad(bins, pad, "symmetric"), (2 * radius + 1,) * 2, (2, 3)
    )
    shares = np.stack([(view == k).mean((-2, -1)) for k in range(32)])
    wanted = -(shares * np.log(np.maximum(shares, 1e-300))).sum(0) / math.log(32)
    assert np.abs(_entropy(code, radius).numpy() - wanted).max() < 1e-12
    assert np.abs(_entropy(code.float(), radius).numpy() - wanted).max() < 1e-6


def test_blending_by_entropy_follows_the_exposure_that_shows_more():
    """At power 0 the logarithms are averaged; at 50 the exposure with the fullest surroundings counts alone."""
    from hdrq.image.transfer import linear_to_srgb

    light = scene()
    codes = torch.stack([linear_to_srgb(x) for x in bracket(light, 2.0, 5)]).clamp(min=1 / 255)
    plain = codes.log().mean(0).exp()
    y = luminance(plain).flatten()
    low, high = (y.kthvalue(1 + round(q * (y.numel() - 1))).values for q in (0.001, 0.999))
    found = find("tonemapper", "bruce").function(light, power=0.0)
    assert float((found - (plain - low) / (high - low)).abs().mean()) < 0.01
    assert float((find("tonemapper", "bruce").function(light, power=50.0) - found).abs().mean()) > 0.02


@pytest.mark.shared
def test_icam06_is_near_that_of_hdr_toolbox(toolbox, golden_input):
    """Its base layer is its input to 1e-3 whatever the filter, and its low-pass image is unknown."""
    found = find("tonemapper", "icam06").function(golden_input("oxford"))[..., 1::3, 1::3].clamp(0, 1)
    golden = toolbox("Kuang_grid")
    assert float((found - golden).abs().mean()) < 0.009
    assert float((golden - toolbox("Kuang_full")).abs().mean()) < 6e-5
    assert float(np.corrcoef(found.flatten(), golden.flatten())[0, 1]) > 0.97


def test_the_steps_of_icam06_are_those_of_the_paper():
    level = torch.tensor([0.2, 318.31], dtype=torch.float64).view(1, 1, 1, 2)
    assert _luminance_level(level).flatten().tolist() == pytest.approx(
        [0.2 * 0.5**4 + 0.1 * (1 - 0.5**4) ** 2, 1.16754], rel=1e-4
    )
    x = torch.tensor([-2.0, 27.13], dtype=torch.float64)
    assert _response(x, 1.0).tolist() == pytest.approx([-800 / 29.13, 200])
    # A field that is its own white keeps 1 - 0.3 D of its colour, and takes 0.3 D of that of D65.
    xyz = torch.tensor([200.0, 200.0, 40.0], dtype=torch.float64).view(1, 3, 1, 1)
    degree = 0.3 * (1 - math.exp((-40 - 42) / 92) / 3.6)
    found = _adapted(xyz, xyz, torch.full((1, 1, 1, 1), 40.0, dtype=torch.float64))
    wanted = [degree * d + (1 - degree) * v for d, v in zip((95.047, 100, 108.883), (200, 200, 40))]
    assert found.flatten().tolist() == pytest.approx(wanted, rel=1e-6)


def divided(logs: np.ndarray, width: float, smallest: float) -> np.ndarray:
    """Groups by definition: every category labelled, small groups replaced by the nearest larger."""
    category = np.floor((logs - logs.min()) / width + 1e-9).astype(int)
    groups, found = np.zeros(category.shape, int), 0
    for value in np.unique(category):
        marks, count = label(category == value)
        groups[marks > 0] = marks[marks > 0] + found
        found += count
    small = np.bincount(groups.ravel())[groups] < smallest * groups.size
    if small.any() and not small.all():
        groups = groups[tuple(distance_transform_edt(small, return_distances=False, return_indices=True))]
    return groups


@pytest.mark.parametrize("smallest", [0.0, 0.02, 1.0])
@pytest.mark.parametrize("layers", [1, 5])
def test_adaptation_is_the_mean_over_groups_by_definition_and_so_is_its_gradient(layers, smallest):
    chance = torch.Generator().manual_seed(3)
    soft = torch.randn(1, 1, 5, 6, generator=chance, dtype=torch.float64)
    logs = torch.nn.functional.interpolate(soft, (31, 44), mode="bilinear")
    logs = logs + 0.3 * torch.randn(1, 1, 31, 44, generator=chance, dtype=torch.float64)
    y = (10**logs).requires_grad_()
    flat, total = y.log10().flatten(), 0
    for k in range(layers):
        width = 0.5 + 1.5 * k / max(layers - 1, 1)
        groups = torch.from_numpy(divided(logs[0, 0].numpy(), width, smallest)).flatten()
        sums = torch.zeros(int(groups.max()) + 1, dtype=torch.float64).index_add(0, groups, flat)
        total = total + (sums / torch.bincount(groups).clamp(min=1))[groups]
    wanted, found = 10 ** (total / layers), adaptation(y, layers, smallest).flatten()
    assert (found - wanted).abs().max() < 1e-12
    weights = torch.rand(found.shape, generator=chance, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad((x * weights).sum(), y)[0] for x in (found, wanted))
    assert (ours - theirs).abs().max() < 1e-12
    assert theirs.abs().max() > 0.1


def test_adaptation_is_the_geometric_mean_of_the_group_over_the_layers():
    y = torch.ones(1, 1, 4, 6, dtype=torch.float64)
    y[..., 3:] = 1000.0
    y[..., 0] = 2.0
    found = adaptation(y, layers=8, smallest=0.0)
    assert found[0, 0, 0, :3].tolist() == pytest.approx([2 ** (1 / 3)] * 3)
    assert found[0, 0, 0, 3:].tolist() == pytest.approx([1000.0] * 3)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("golden", "curve", "worst"),
    [("YP_WardGlobal", "ward", 1e-5), ("YP_Tumblin", "tumblin", 1e-5), ("YP_Ferwerda", "ferwerda", 0.06)],
)
def test_curves_under_an_adaptation_agree_with_hdr_toolbox(golden, curve, worst, toolbox, golden_input):
    """Under its own adaptation; its rods differ in 1 % of the pixels."""
    light = golden_input("oxford")[..., 1::3, 1::3] * 100
    found = shown_adapted(light, luminance(light), toolbox("YP_La"), curve, 100.0, None, "hdrtoolbox")
    off = (found.clamp(0, None if curve == "tumblin" else 1) - toolbox(golden)).abs() / toolbox(
        golden
    ).abs().clamp(min=1e-2)
    assert float(off.max()) < worst
    assert float(off.flatten().quantile(0.98)) < 1e-5


@pytest.mark.shared
def test_adaptation_is_near_that_of_hdr_toolbox(toolbox, golden_input):
    """Root mean square 0.1 log10 units; the geometric mean of everything would be 0.35 off."""
    y = luminance(golden_input("oxford") * 100)
    golden = toolbox("YP_La")
    off = (adaptation(y)[..., 1::3, 1::3] / golden).log10()
    assert float(off.square().mean().sqrt()) < 0.105
    assert float((golden.log10() - golden.log10().mean()).square().mean().sqrt()) > 0.25


def test_the_zones_of_lischinski_are_exposed_by_their_upper_quartiles():
    """Empty zones between others, zones of one pixel, and pixels below the first, which stay as they are."""
    chance = torch.Generator().manual_seed(5)
    stops = torch.rand(1, 1, 19, 23, generator=chance, dtype=torch.float64) * 9 - 1
    stops = torch.where((stops > 3) & (stops < 5), 2.5, stops)
    stops[0, 0, 4, 5] = 11.3
    y, scale = 0.01 * 2**stops, torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)
    wanted = torch.zeros_like(y)
    for zone in range(12):
        inside = (stops >= zone) & (stops < zone + 1)
        if inside.any():
            own = y[inside].sort().values
            upper = own[max(1, int(len(own) * 0.75 + 0.5)) - 1]
            wanted[inside] = (scale / (1 + scale * upper)).log2().item()
    for given in (y, y.clone().requires_grad_()):
        assert (_zones(given, stops, scale) - wanted).abs().max() < 1e-14
    assert len(wanted.unique()) == 8

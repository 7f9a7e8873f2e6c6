"""NIQE, BRISQUE and PIQE: the authors' numbers, and what must be true of a judge without a reference."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image as Picture
from torch import Tensor

import hdrq
from hdrq.image.color import luma
from hdrq.image.filters import gaussian, separable
from hdrq.registry import find
from hdrq.scoring.features.natural_statistics import _window, asymmetric, exact, generalised
from hdrq.scoring.metrics.brisque import brisque
from hdrq.scoring.metrics.niqe import niqe
from hdrq.scoring.metrics.piqe import piqe

NAMES = ("niqe", "brisque", "piqe")
GOLDEN = ("w8_ref", "w8_jpeg10", "w8_noise", "w8_blur2")
every = pytest.mark.parametrize("metric", [find("metric", name) for name in NAMES], ids=NAMES)


def value(found) -> Tensor:
    return getattr(found, "value", found)


@cache
def leaves(seed: int = 0, side: int = 192) -> Tensor:
    """(1, 1, side, side) of 8-bit code: overlapping discs of random size and grey, as photographs have edges."""
    random = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(side * 1.0), torch.arange(side * 1.0), indexing="ij")
    image = torch.full((side, side), 128.0)
    for _ in range(300):
        cy, cx, size, grey = torch.rand(4, generator=random).tolist()
        radius = 3 / (size + 0.04)
        image = torch.where((y - cy * side) ** 2 + (x - cx * side) ** 2 < radius**2, 30 + 200 * grey, image)
    soft = separable(image[None, None].double(), gaussian(5, 0.7, image), border="symmetric")
    return (soft + torch.randn(soft.shape, generator=random, dtype=soft.dtype)).round().clamp(0, 255)


def grain(image: Tensor, amount: float) -> Tensor:
    random = torch.Generator().manual_seed(5)
    return (
        (image + amount * torch.randn(image.shape, generator=random, dtype=image.dtype)).clamp(0, 255).round()
    )


def blur(image: Tensor, sigma: float) -> Tensor:
    return separable(image, gaussian(17, sigma, image), border="symmetric").round()


@pytest.mark.shared
@pytest.mark.parametrize("name", GOLDEN)
def test_scores_are_the_authors(golden, golden_input, name):
    """utlive/niqe d80aead, utlive/BRISQUE 2e2a5ac with libsvm 3.24, pypiqe 1.2; flat skies among the pictures."""
    grey = luma(golden_input(name)).round()
    authors, blocks = golden("iqa")["outputs"]["nr"][name], golden("iqa")["outputs_piqe"][name]
    assert niqe(grey).item() == pytest.approx(authors["NIQE"], abs=1e-8)
    assert brisque(grey).value.item() == pytest.approx(authors["BRISQUE"], abs=2e-3)
    found = piqe(grey)
    assert found.value.item() == pytest.approx(blocks["PIQE"], abs=1e-8)
    for kind in ("active", "artifact", "noise"):
        assert found.extra[kind].item() == pytest.approx(blocks[f"{kind}_frac"], abs=1e-9)


@pytest.mark.shared
def test_scores_are_the_authors_from_a_float32_file_of_8_bits(golden, golden_input, tmp_path):
    """Through the whole engine: a PNG in float32 gives what the authors' programs give in float64."""
    pixels = golden_input("w8_jpeg10")[0].permute(1, 2, 0).numpy().astype(np.uint8)
    Picture.fromarray(pixels).save(tmp_path / "facade.png")
    authors = golden("iqa")["outputs"]["nr"]["w8_jpeg10"]
    image = hdrq.read(tmp_path / "facade.png")
    assert hdrq.metric("niqe")(image).item() == pytest.approx(authors["NIQE"], abs=1e-4)
    assert hdrq.metric("brisque")(image).item() == pytest.approx(authors["BRISQUE"], abs=1e-2)


@pytest.mark.shared
@every
def test_blurred_and_noisy_photographs_score_worse(shared, metric):
    worse, total = 0, 0
    for path in sorted((shared / "data/natural/cid22_256").iterdir())[:8]:
        pixels = torch.from_numpy(np.asarray(Picture.open(path).convert("RGB")).astype(np.float64))
        clean = luma(pixels.permute(2, 0, 1)[None]).round()
        spoilt = torch.cat([clean, blur(clean, 2), grain(clean, 40)])
        best, *others = value(metric(spoilt)).tolist()
        worse += sum(other > best for other in others)
        total += len(others)
    assert worse >= 0.9 * total


@pytest.mark.parametrize("metric", [brisque, piqe], ids=["brisque", "piqe"])
def test_a_picture_of_edges_is_worse_when_blurred_or_noisy(metric):
    """Not NIQE: it finds such a picture stranger than its blurred copy."""
    clean = leaves()
    best, *others = value(metric(torch.cat([clean, blur(clean, 2.5), grain(clean, 40)]))).tolist()
    assert all(other > best for other in others)


@every
def test_a_batch_equals_its_images(metric):
    a, b = leaves(1), grain(leaves(2), 20)
    together, alone = value(metric(torch.cat([a, b]))), torch.cat([value(metric(a)), value(metric(b))])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)


@every
def test_float32_agrees_with_float64(metric):
    codes = leaves(3)
    single = value(metric((codes / 255).float() * 255))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), value(metric(codes)), rtol=1e-4, atol=1e-4)


@every
@pytest.mark.parametrize("level", [0.0, 77.0, 255.0])
def test_a_flat_picture_has_a_finite_score_and_gradient(metric, level):
    codes = torch.full((1, 1, 192, 192), level, dtype=torch.float64, requires_grad=True)
    found = value(metric(codes))
    found.sum().backward()
    assert found.isfinite().all()
    assert codes.grad is not None
    assert codes.grad.isfinite().all()


@every
def test_a_gradient_step_improves_the_score(metric):
    if not metric.card.trainable:
        pytest.skip("the card says that its gradient may not be trained on")
    codes = separable(leaves(4), gaussian(17, 2.0, leaves(4)), border="symmetric").requires_grad_()
    before = value(metric(codes))
    before.sum().backward()
    assert codes.grad is not None
    step = codes.grad / codes.grad.square().mean().sqrt()
    assert value(metric((codes - 0.01 * step).detach())).item() < before.item()


@every
def test_the_smallest_side_is_enough(metric):
    side = metric.card.side
    assert value(metric(leaves(6)[..., :side, :side])).isfinite().all()


@every
def test_pu_code_beyond_the_white_is_taken_as_it_is(metric):
    found = value(metric(leaves(7) * 595 / 255))
    assert found.isfinite().all()


def test_piqe_shows_where_the_noise_is():
    picture = blur(leaves(8), 2)
    spoilt = torch.cat([picture[..., :96], grain(picture, 30)[..., 96:]], -1)
    found = piqe(spoilt)
    assert found.map is not None
    assert found.map.shape == (1, 1, 192, 192)
    clean, noisy = found.map[..., :80].mean(), found.map[..., 112:].mean()
    assert noisy > clean
    assert 0.35 < found.extra["noise"].item() < 0.65


def test_piqe_without_stretching_depends_on_contrast():
    dim = (leaves(9) / 4).round()
    assert piqe(dim).value.item() != pytest.approx(piqe(dim, stretch="none").value.item(), abs=1.0)


def test_eight_bit_codes_survive_the_trip_through_0_to_1():
    codes = torch.arange(256.0)
    assert torch.equal(exact(codes / 255 * 255), codes.double())
    assert exact(torch.tensor([1.4])).item() == pytest.approx(1.4, abs=1e-6)


@pytest.mark.parametrize("shape", [0.7, 1.0, 2.0, 4.0])
def test_a_generalised_gaussian_is_recognised(shape):
    """Samples by the inverse of its distribution, so that no chance is involved."""
    from scipy.stats import gennorm

    x = torch.from_numpy(gennorm(shape).ppf((np.arange(200_001) + 0.5) / 200_001))[None]
    assert generalised(x)[0].item() == pytest.approx(shape, rel=0.01)
    below, above = 3 * x[x < 0], x[x > 0]  # a side three times as wide holds three times as many
    found, left, right = asymmetric(torch.cat([below, below, below, above])[None])
    assert found.item() == pytest.approx(shape, rel=0.01)
    assert (left / right).item() == pytest.approx(3, rel=1e-3)


def test_the_fit_has_the_slope_of_the_curve_behind_its_grid():
    x = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tail = torch.sign(x) * x.abs() ** 1.5

    def fitted(mix: Tensor) -> Tensor:
        return generalised((1 - mix) * x + mix * tail)[0]

    at = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(fitted(at).sum(), at)
    with torch.no_grad():
        measured = (fitted(at + 0.1) - fitted(at - 0.1)).item() / 0.2
    assert slope.item() == pytest.approx(measured, rel=0.1)


def test_more_noise_shifts_brisques_statistics():
    clean = leaves(10)
    variances = [
        brisque(image).extra["variance"].item() for image in (blur(clean, 2), clean, grain(clean, 30))
    ]
    assert all(low < high for low, high in itertools.pairwise(variances))
    assert F.relu(torch.tensor(variances)).min() > 0


def test_the_window_is_divided_by_sums_without_compensation() -> None:
    """Its last digits decide in flat areas; `sum` of Python 3.12 and later adds up otherwise."""

    def added(values) -> float:
        total = 0.0
        for value in values:
            total += value
        return total

    line = np.arange(7) - 3
    g = np.exp(-np.add.outer(line**2, line**2) / (2 * (7 / 6) ** 2))
    g = g / added(g.T.ravel().tolist())
    assert np.array_equal(_window(), g / added(added(column) for column in g.T.tolist()))

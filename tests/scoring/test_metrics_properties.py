"""What must be true of every full-reference metric that reads code, whoever wrote it; the cards say the rest."""

from __future__ import annotations

import itertools
from math import isfinite

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq import registry as catalogue
from hdrq.cards import Metric


def cases() -> list:
    """Every such metric with its defaults, and once with every other choice of every option."""
    found = []
    for name in catalogue.names("metric"):
        metric = catalogue.find("metric", name)
        card = metric.card
        if card.reads != "code" or card.reference_reads != "code" or card.net or card.needs:
            continue
        found.append(pytest.param(metric, {}, id=name))
        for option in metric.options.values():
            for choice in option.choices:
                if choice != option.default:
                    found.append(
                        pytest.param(metric, {option.name: choice}, id=f"{name},{option.name}={choice}")
                    )
    return found


every = pytest.mark.parametrize(("metric", "options"), cases())


def shape(metric: Metric) -> tuple[int, int]:
    side = max(metric.card.side, 64)
    return side + 1, side + 6


def picture(metric: Metric, seed: int = 0) -> Tensor:
    """(1, C, H, W) float64 in what the card wants: clouds, an edge and fine texture, 0.1 to 0.9 of white."""
    random = torch.Generator().manual_seed(seed)
    h, w = shape(metric)
    channels = 1 if metric.card.grey else 3
    clouds = torch.rand(1, channels, 9, 11, generator=random, dtype=torch.float64)
    image = F.interpolate(clouds, (h, w), mode="bicubic").clamp(0, 1)
    image[..., : h // 2, w // 3 : w // 2] *= 0.4
    image = image + 0.1 * torch.rand(1, channels, h, w, generator=random, dtype=torch.float64)
    return (0.1 + 0.7 * image) * (255 if metric.card.codes else 1)


def noisy(metric: Metric, image: Tensor, amount: float, seed: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    grain = torch.randn(image.shape, generator=random, dtype=image.dtype)
    return image + amount * (255 if metric.card.codes else 1) * grain


def value(metric: Metric, ref: Tensor, dist: Tensor, **options: str) -> Tensor:
    found = metric(ref, dist, **options)
    return getattr(found, "value", found)


def gain(metric: Metric, after: Tensor, before: Tensor) -> Tensor:
    """How much better `after` is than `before`."""
    return after - before if metric.card.better == "higher" else before - after


@every
def test_identical_images_are_best_and_have_a_finite_gradient(metric, options):
    ref = picture(metric)
    dist = ref.clone().requires_grad_()
    best = value(metric, ref, dist, **options)
    if metric.card.best is not None:
        assert best.item() == pytest.approx(metric.card.best, abs=1e-9)
    best.sum().backward()
    assert dist.grad is not None
    assert dist.grad.isfinite().all()
    worse = value(metric, ref, noisy(metric, ref, 0.02), **options)
    assert gain(metric, best, worse) > 0


@every
def test_identical_images_are_best_in_float32_too(metric, options):
    ref = picture(metric).float()
    best = value(metric, ref, ref.clone(), **options)
    assert best.dtype == torch.float32
    if metric.card.best is not None:
        assert best.item() == pytest.approx(metric.card.best, abs=2e-6)


@every
def test_more_noise_scores_worse(metric, options):
    ref = picture(metric)
    scores = [value(metric, ref, noisy(metric, ref, amount), **options) for amount in (0.01, 0.03, 0.1)]
    for less, more in itertools.pairwise(scores):
        assert gain(metric, less, more) > 0


@every
def test_a_gradient_step_raises_the_score(metric, options):
    if not metric.card.trainable:
        pytest.skip("the card says that its gradient may not be trained on")
    ref = picture(metric)
    dist = noisy(metric, ref, 0.05).requires_grad_()
    before = value(metric, ref, dist, **options)
    before.sum().backward()
    assert dist.grad is not None
    step = dist.grad / dist.grad.norm() * (255 if metric.card.codes else 1) * 0.01
    after = value(
        metric, ref, (dist + step if metric.card.better == "higher" else dist - step).detach(), **options
    )
    assert gain(metric, after, before.detach()) > 0


@every
def test_values_stay_in_span_and_finite(metric, options):
    """Noise, black and white, flat frames, and PU code above the white."""
    ref = picture(metric)
    white = 255.0 if metric.card.codes else 1.0
    flat, black = torch.full_like(ref, white / 2), torch.zeros_like(ref)
    checks = (ref > white / 2).to(ref) * white
    pairs = [(ref, black), (black, ref), (flat, ref), (checks, white - checks), (2 * ref, 2.3 * ref)]
    low, high = metric.card.span
    for a, b in pairs:
        found = value(metric, a, b, **options).item()
        assert isfinite(found)
        assert low is None or found >= low - 1e-9
        assert high is None or found <= high + 1e-9


@every
def test_flat_frames_that_agree_are_best(metric, options):
    flat = torch.full_like(picture(metric), 100.0 if metric.card.codes else 0.4)
    dist = flat.clone().requires_grad_()
    found = value(metric, flat, dist, **options)
    if metric.card.best is not None:
        assert found.item() == pytest.approx(metric.card.best, abs=1e-9)
    found.sum().backward()
    assert dist.grad is not None
    assert dist.grad.isfinite().all()


@every
def test_a_batch_equals_its_images(metric, options):
    refs = [picture(metric, seed) for seed in (0, 1)]
    dists = [noisy(metric, ref, amount) for ref, amount in zip(refs, (0.02, 0.08))]
    together = value(metric, torch.cat(refs), torch.cat(dists), **options)
    alone = torch.cat([value(metric, ref, dist, **options) for ref, dist in zip(refs, dists)])
    assert together.shape == (2,)
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)


@every
def test_float32_is_close_to_float64(metric, options):
    ref = picture(metric)
    dist = noisy(metric, ref, 0.05)
    fine = value(metric, ref, dist, **options)
    coarse = value(metric, ref.float(), dist.float(), **options)
    torch.testing.assert_close(coarse.double(), fine, rtol=1e-4, atol=1e-4)


@every
def test_a_map_belongs_to_its_image_and_is_finite(metric, options):
    ref = torch.cat([picture(metric, seed) for seed in (0, 1)])
    found = metric(ref, noisy(metric, ref, 0.05), **options)
    if not hasattr(found, "map") or found.map is None:
        pytest.skip("has no map")
    assert found.map.shape[:2] == (2, 1)
    assert found.map.isfinite().all()


@every
def test_the_smallest_side_is_enough(metric, options):
    """What the card says is enough gives a number."""
    side = metric.card.side
    ref = picture(metric)[..., :side, :side]
    if side == 1 and options.get("variant") in ("wang", "wang-down", "piq", "skimage"):
        pytest.skip("the variant's window is larger, and it says so")
    assert value(metric, ref, noisy(metric, ref, 0.05), **options).isfinite().all()

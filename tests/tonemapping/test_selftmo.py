"""SelfTMO: its exposures, its network, and its optimisation on the image, by hand."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
import torch
from torch import Tensor

from hdrq.image.render import room
from hdrq.image.statistics import luminance
from hdrq.nn.feature_contrast import encoded, masked_features, mean_difference
from hdrq.nn.image_networks import tiled
from hdrq.nn.weights import load
from hdrq.registry import find
from hdrq.tonemapping.solvers.self_supervised import (
    REACH,
    ExposureNetwork,
    Search,
    _optimise,
    _reduced,
    exposures_of,
    factors_of,
    self_supervised,
)

SEARCH = Search(iterations=1, rate=1e-3, size=64, width=2, gamma=0.5, beta=1.0, stages=2, seed=0)


def light(h: int = 24, w: int = 32) -> Tensor:
    scene = room(w, h).double()
    return 0.5 * scene / scene.mean()


def network(width: int = 2, seed: int = 0) -> ExposureNetwork:
    return ExposureNetwork(width, torch.Generator().manual_seed(seed)).double()


def test_exposures_lie_between_the_brightest_value_and_the_median() -> None:
    given = torch.tensor([0.25, 1.0, 4.0], dtype=torch.float64).view(1, 3, 1, 1)
    low, middle, high = factors_of(given)
    assert low == pytest.approx(sqrt(1.21497 / 4))
    assert high == pytest.approx(sqrt(1.21497))
    assert middle == pytest.approx(sqrt(low * high))
    found = exposures_of(given, (low, middle, high)).view(3, 3)
    assert found[0].tolist() == pytest.approx([0.25 * low, low, 1])
    assert found[2].tolist() == pytest.approx([0.25 * high, 1, 1])


def test_the_exposures_are_added_before_the_last_sigmoid() -> None:
    net, given = network(), exposures_of(light(), (0.5, 1, 2))
    centred = given[:, :3] + given[:, 3:6] + given[:, 6:] - 1.5
    assert (torch.logit(net(given)) - centred).abs().max() > 1e-3
    for conv in net.decoder:
        torch.nn.init.zeros_(conv.weight)
    assert torch.allclose(net(given), torch.sigmoid(centred))


def test_the_network_is_the_published_one() -> None:
    """Number of weights by hand for 16 channels; all exposures pass the same encoder."""
    shapes = [tuple(p.shape) for n, p in network(16).named_parameters() if n.endswith("weight")]
    assert shapes[:3] == [(16, 3, 3, 3), (32, 16, 3, 3), (64, 32, 3, 3)]
    assert shapes[3:5] == [(192, 192, 3, 3), (192, 192, 1, 1)]
    assert shapes[5:] == [(32, 192, 3, 3), (16, 32, 3, 3), (3, 16, 3, 3)]
    spread = network(16).fusion[0].weight.abs().max().item()
    assert spread == pytest.approx(sqrt(6 / (9 * 384)), rel=1e-3)


def test_tiles_are_those_of_the_whole_and_reach_no_farther_than_told() -> None:
    net, given = network(), light(40, 44)
    whole = net(exposures_of(given, (0.5, 1, 2)))
    parts = tiled(lambda x: net(exposures_of(x, (0.5, 1, 2))), given, side=16, margin=REACH + 1)
    assert torch.allclose(parts, whole, atol=1e-12)
    moved = given.clone()
    moved[..., 20, 20] += 0.1
    changed = (net(exposures_of(moved, (0.5, 1, 2))) - whole).abs().amax((0, 1))
    rows = changed.amax(1).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (20 - REACH, 20 + REACH)


def test_a_step_goes_against_the_gradient_of_the_masked_contrasts() -> None:
    """Adam's first step is the rate, against the sign of the gradient."""
    vgg, given, net = load("vgg16"), light().float(), network().float()
    before = [p.detach().clone() for p in net.parameters()]
    scene = masked_features(encoded(given), vgg, gamma=0.5, stages=2)
    loss = mean_difference(masked_features(net(exposures_of(given, (0.5, 1, 2))), vgg, stages=2), scene)
    slopes = torch.autograd.grad(loss, list(net.parameters()))
    _optimise(net, given, (0.5, 1, 2), SEARCH, vgg)
    for old, new, slope in zip(before, net.parameters(), slopes):
        sure = slope.abs() > 1e-5
        assert torch.allclose((new - old)[sure], -1e-3 * slope.sign()[sure], rtol=1e-2)


def test_the_rate_falls_tenfold(monkeypatch) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def spy(adam: torch.optim.Adam) -> None:
        rates.append(adam.param_groups[0]["lr"])
        step(adam)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    _optimise(
        network(1).float(), light(8, 8).float(), (0.5, 1, 2), replace(SEARCH, iterations=4), load("vgg16")
    )
    assert rates == pytest.approx([1e-3 * 0.1 ** (k / 4) for k in range(4)])


def test_more_iterations_come_nearer_to_the_scenes_contrasts() -> None:
    vgg, given = load("vgg16"), light().float()
    scene = masked_features(encoded(given), vgg, gamma=0.5, stages=2)

    def off(iterations: int) -> float:
        code = self_supervised(given, replace(SEARCH, iterations=iterations, rate=4e-3), vgg)
        return float(mean_difference(masked_features(code, vgg, stages=2), scene))

    assert off(12) < off(4) < off(0)


def test_only_large_images_are_reduced() -> None:
    assert _reduced(light(), 32).equal(light())
    small = _reduced(light(24, 48), 16)
    assert small.shape[-2:] == (8, 16)
    assert small[0, 0, 0, 0].item() == pytest.approx(light(24, 48)[0, 0, :3, :3].mean().item())
    assert _reduced(light(1, 400), 16).shape[-2:] == (1, 16)


def test_colours_are_those_of_the_scene_to_a_power() -> None:
    operator, given = find("tonemapper", "selftmo").function, light().float()
    full, half, none = (operator(given, saturation=s, iterations=0) for s in (1.0, 0.5, 0.0))
    ratio = given / luminance(given)
    assert torch.allclose(full, ratio * none)
    assert torch.allclose(half, ratio.sqrt() * none)


def test_the_seed_decides_and_the_generator_of_the_process_is_left_alone() -> None:
    operator, given = find("tonemapper", "selftmo"), light().float()
    state = torch.get_rng_state()
    first = operator(given)
    with torch.inference_mode():
        again = operator(given)
    assert torch.equal(first, again)
    assert not torch.equal(first, operator(given, seed=1))
    assert torch.equal(torch.get_rng_state(), state)

"""The network of visible differences: sizes, borders, and the way from its blocks to pixels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from hdrq.nn.nets.visibility import EDGE, LEAST, SCALE, STRIDE, Filters, energy, spread, visibility


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    torch.manual_seed(0)
    return visibility.build().eval()


def test_blocks_are_joined_by_lines_between_their_centres() -> None:
    values = torch.randn(2, 1, 6, 8, generator=torch.Generator().manual_seed(1))
    wanted = F.interpolate(values, scale_factor=float(STRIDE), mode="bilinear")[
        ..., EDGE : EDGE + 55, EDGE : EDGE + 90
    ]
    torch.testing.assert_close(spread(values, 55, 90), wanted)


@pytest.mark.parametrize("size", [(32, 32), (33, 70), (97, 41)])
def test_any_size_has_a_value_for_every_pixel(net: torch.nn.Module, size: tuple[int, int]) -> None:
    ref = torch.rand(1, 1, *size)
    with torch.inference_mode():
        found = spread(net(ref, ref + 0.1), *size)
    assert found.shape == (1, 1, *size)
    assert found.isfinite().all()


def test_a_difference_changes_the_answer_near_it_only(net: torch.nn.Module) -> None:
    ref = torch.rand(1, 1, 320, 320)
    dist = ref.clone()
    dist[..., 20:30, 20:30] += 0.3
    with torch.inference_mode():
        before, after = (spread(net(ref, x), 320, 320) for x in (ref, dist))
    moved = (after - before).abs()
    assert moved[..., :48, :48].max() > 0
    assert moved[..., 240:, 240:].max() < 1e-6


def test_energies_tell_five_decades_of_difference_apart() -> None:
    steps = energy(torch.tensor([1e-10, 1e-8, 1e-6, 1e-4, 1e-2]), 0).diff()
    assert (steps > 0).all()
    assert energy(torch.tensor(0.0), 0).item() == pytest.approx(torch.tensor(LEAST[0]).log().item() / 4 + 1)
    grown = (torch.tensor(2.0) * SCALE**2 + LEAST[0]).log() / 4 + 1
    assert energy(torch.tensor(2.0), 0).item() == pytest.approx(grown.item())


def test_the_network_is_small() -> None:
    assert sum(p.numel() for p in visibility.build().parameters()) < 70_000
    assert torch.isfinite(visibility.witness(visibility.build(**visibility.small)))


def test_the_mean_of_a_block_is_its_mean() -> None:
    mean, learned = Filters(3)(torch.full((1, 1, 8, 12), 2.5))
    assert mean.shape == (1, 1, 2, 3)
    assert torch.allclose(mean, torch.full_like(mean, 2.5))
    assert learned.shape == (1, 3, 2, 3)

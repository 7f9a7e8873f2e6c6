"""Which exposures mPSNR photographs."""

from __future__ import annotations

import torch

from hdrq.scoring.metrics.mpsnr import USEFUL, _response, _shot, _stops


def test_stops_are_those_whose_photograph_is_neither_black_nor_white() -> None:
    ref = torch.logspace(-3, 4, 64 * 64).view(1, 1, 64, 64)
    stops = _stops(ref)

    def mean(stop: int) -> float:
        return float(_shot(_response(ref), stop).double().mean())

    assert all(USEFUL[0] < mean(stop) < USEFUL[1] for stop in stops)
    assert mean(stops[0] - 1) <= USEFUL[0]
    assert mean(stops[-1] + 1) >= USEFUL[1]


def test_an_image_that_is_black_at_every_stop_is_photographed_where_it_is_brightest() -> None:
    """Five of a hundred pixels lit, at 0.3: white from stop 2 on."""
    ref = torch.zeros(1, 1, 10, 10)
    ref[..., :5, 0] = 0.3
    assert _stops(ref) == range(2, 3)

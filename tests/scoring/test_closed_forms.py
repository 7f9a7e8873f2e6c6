"""Formulas of scoring that have a closed form, by hand."""

from __future__ import annotations

import re

import pytest
import torch

from hdrq.errors import TooLarge
from hdrq.records import Image
from hdrq.registry import find
from hdrq.scoring.batch import refuse_too_large
from hdrq.scoring.metrics import hdrvdp2 as hdrvdp2_module
from hdrq.scoring.metrics.hdrvdp3 import _structure
from hdrq.scoring.response_match import _colour_terms, _split, fit_response


@pytest.mark.parametrize(("lost", "added", "either"), [(0.0, 0.3, 0.3), (0.5, 0.5, 0.75), (0.2, 0.6, 0.68)])
def test_lost_and_added_structure_are_independent_events(lost: float, added: float, either: float) -> None:
    maps = (torch.full((1, 1, 2, 2), p) for p in (lost, added))
    reading = _structure(*maps, "auto")
    assert float(reading.value) == pytest.approx(1 - either)
    assert {k: float(v) for k, v in reading.extra.items()} == pytest.approx(
        {"loss": lost, "amplification": added}
    )


def test_a_refusal_of_memory_states_gibibytes() -> None:
    metric = find("metric", "ssim")
    image = Image(torch.zeros(3, 64, 128), "code")
    wants = metric.card.planes * 64 * 128 * 4
    refuse_too_large(image, metric, None, float(wants))
    with pytest.raises(TooLarge) as error:
        refuse_too_large(Image(torch.zeros(1).expand(3, 60_000, 60_000), "code"), metric, None, 1.5 * 2**30)
    told = re.findall(r"([\d.]+) GiB", str(error.value))
    assert told == [f"{metric.card.planes * 60_000**2 * 4 / 1024**3:.1f}", "1.5"]


def test_colours_are_fitted_by_ridge_regression_towards_none() -> None:
    """Of one colour with the terms t, shifted by d: the fit moves it by d t't / (t't + 0.01/8), at 0.01 of the number of
    pixels per term, by the normal equations."""
    colour = torch.tensor([30.0, 50.0, 20.0], dtype=torch.float64)[None, :, None, None].expand(1, 3, 4, 8)
    shifted = torch.tensor([36.0, 49.0, 24.0], dtype=torch.float64)[None, :, None, None].expand(1, 3, 4, 8)
    _, found = fit_response(shifted, colour)
    (_, uv), (_, wanted) = _split(colour), _split(shifted)
    t = _colour_terms(uv)[0, :1]
    energy = float((t**2).sum())
    moved = (t @ found[0])[0] - uv[0, 0]
    expected = (wanted - uv)[0, 0] * energy / (energy + 0.01 / 8)
    assert moved == pytest.approx(expected.numpy(), rel=1e-6)


@pytest.mark.parametrize(("nits", "log"), [(1e7, 5.0), (1e-7, -5.0)])
def test_hdrvdp2_takes_adaptation_to_lie_between_the_ends_of_its_tables(nits, log, monkeypatch) -> None:
    """Before it is reduced to the size of a band, so that one sun of any luminance weighs as 1e5 cd/m²."""
    seen: list[torch.Tensor] = []

    class Enough(Exception):
        pass

    def stand_out(tests, refs, log_nits, *rest):
        seen.append(log_nits)
        raise Enough

    monkeypatch.setattr(hdrvdp2_module, "_stand_out", stand_out)
    light = torch.full((1, 1, 32, 32), nits, dtype=torch.float64)
    with pytest.raises(Enough):
        hdrvdp2_module.hdrvdp2(light, light, ppd=30.0, colour="luminance")
    assert seen[0].flatten().numpy() == pytest.approx(log, abs=1e-3)

"""What metrics share, by hand or as figures: transforms, tables, maps in colour, what calibrated values mean."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.fft import dctn
from scipy.special import gammaln

from hdrq.cards import Output
from hdrq.registry import find
from hdrq.scoring import calibration, error_maps
from hdrq.scoring.features import block_cosines, natural_statistics, phase
from hdrq.scoring.features.cvvdp.quality import error_map
from hdrq.scoring.features.hdrvdp.colour import emitted
from hdrq.scoring.features.hdrvdp.eye import joint_sensitivity, rod_sensitivity
from hdrq.scoring.features.network_scores import share_card
from hdrq.scoring.metrics.deghosting import _median, exposed
from hdrq.scoring.metrics.metaiqa import metaiqa
from hdrq.scoring.metrics.ssimulacra2 import cosine_taps
from pinned import pinned


def waves(h: int, w: int) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(h).double(), torch.arange(w).double(), indexing="ij")
    return (1.3 + (x / 5).sin() * (y / 7).cos() + 0.2 * ((x * 3 + y * 5) % 7) / 7)[None, None]


def test_blocks_of_cosines_are_scipys() -> None:
    x = waves(8, 8)[0, 0]
    assert np.allclose(block_cosines.transform(x).numpy(), dctn(x.numpy(), norm="ortho"))


def test_shapes_of_generalised_gaussians_are_on_the_authors_grid() -> None:
    shape, curve = natural_statistics._shapes()
    assert (len(shape), shape[0], shape[-1]) == (9801, pytest.approx(0.2), pytest.approx(10))
    for k in (0, 800, 1800, 9800):
        s = shape[k]
        assert curve[k] == pytest.approx(np.exp(2 * gammaln(2 / s) - gammaln(1 / s) - gammaln(3 / s)))
    assert curve[1800] == pytest.approx(2 / np.pi)  # of a normal distribution


def test_taps_of_ssimulacra_are_nearly_a_gaussian() -> None:
    taps = cosine_taps()
    pinned("cosine taps", taps, tolerance=1e-6)
    assert sum(taps) == pytest.approx(1)
    n = np.arange(-4, 5)
    assert float(n**2 @ np.array(taps)) == pytest.approx(1.5**2, rel=1e-6)
    assert taps == pytest.approx(np.exp(-(n**2) / 4.5) / np.exp(-(n**2) / 4.5).sum(), abs=0.01)


def test_phases_of_small_and_large_images_are_what_they_were() -> None:
    x = waves(48, 57)
    pinned("phase", phase.phase(x, 3.0, 2.1), phase.brightness(x, 3.0, 2.1), tolerance=1e-5)
    for h, w in ((60, 70), (760, 900)):
        light, code = waves(h, w) * 50, (waves(h, w) / 3).clamp(0, 1) * 255 + waves(h, w).flip(-1) * 3
        pinned(f"agreement of phases {h}", phase.agreement(light, code).double(), tolerance=2e-3)
    assert phase._eight_bit_log(
        torch.tensor([0.0, 1.0, 11.0, 100.0]).view(1, 1, 1, 4)
    ).flatten().tolist() == [0, 0, 133, 255]


def test_light_of_code_on_hdrvdps_displays() -> None:
    code = torch.tensor([0.0, 0.5, 1.0]).double()
    assert emitted(code, "luma-display").tolist() == pytest.approx([1, 99 * 0.5**2.2 + 1, 100])
    assert emitted(code, "sRGB-display").tolist() == pytest.approx([1, 99 * 0.21404114 + 1, 100])
    assert emitted(code, "luminance") is code


def test_sensitivities_are_their_formulas() -> None:
    nits = np.array([1e-4, 0.1, 30.0])
    of = SimpleNamespace(joint=(30.0, 4.0, 1.7, 0.3), rods=(0.04, 1.9, 2.1, 1.1, 1.5, 1.2))
    wanted = 30 * ((4 / nits) ** 1.7 + 1) ** -0.3
    assert joint_sensitivity(nits, of) == pytest.approx(wanted)  # type: ignore[arg-type]
    far = np.abs(np.log10(nits / 0.04))
    wanted = 10**1.2 * np.where(nits > 0.04, np.exp(-(far**1.5) / 1.1), np.exp(-(far**2.1) / 1.9))
    assert rod_sensitivity(nits, of) == pytest.approx(wanted)  # type: ignore[arg-type]


def test_medians_and_single_exposures_are_what_they_were() -> None:
    assert float(_median(torch.tensor([3.0, 1.0, 9.0, 5.0]))) == 4
    assert float(_median(torch.tensor([3.0, 1.0, 9.0]))) == 3
    light = waves(40, 50) * 2
    code = (light / 4.4).clamp(0, 1) ** 0.45
    found = exposed(code, light.log())
    assert found is not None
    pinned("one exposure", *(v.double() for v in found), tolerance=1e-5)
    assert exposed(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)) is None


@pytest.mark.parametrize("heatmap", ["raw", "supra-threshold", "threshold"])
def test_maps_of_colorvideovdp_are_what_they_were(heatmap) -> None:
    seen, luminance = waves(30, 40)[0] * 3, waves(30, 40)[0] ** 6
    luminance[..., :3] = 0
    for repaired in (False, True):
        found = error_map(seen, luminance, heatmap, repaired=repaired)  # type: ignore[arg-type]
        pinned(f"map {heatmap} {repaired}", found, tolerance=1e-3)


@pytest.mark.parametrize(("line", "span"), [((10.0, -4.0), (6.0, 10.0)), ((2.0, 8.0), (2.0, 10.0))])
def test_values_as_jod_rise_whichever_way_the_line_runs(line, span) -> None:
    found = calibration.output_in_jod(line, Output("q", "1", "lower", (0.0, 1.0), 0.0), None)
    assert (found.better, found.span, found.best) == ("higher", span, line[0])


def test_scores_of_the_family_are_shares() -> None:
    card = share_card("t", "s", "n", side=9, planes=2.0)
    assert (card.span, card.side, card.planes) == ((0.0, 1.0), 9, 2.0)


def test_legends_show_the_colours_from_end_to_end() -> None:
    row = SimpleNamespace(metric="m", value=1.25, unit="JOD")
    values = torch.linspace(0, 1, 256).expand(20, 256).repeat(1, 2)
    kind = next(iter(error_maps._WHOLE_SPAN))
    picture = error_maps._plain(values, kind, row)  # type: ignore[arg-type]
    from matplotlib import colormaps

    table = (colormaps[error_maps._WHOLE_SPAN[kind][0]](np.arange(256))[:, :3] * 255).round()
    assert np.abs(picture[5, :256].astype(float) - table).max() <= 1
    strip = picture[20 + 8 : 20 + 20, 12:-12].astype(float)
    assert strip.shape[:2] == (12, 512 - 24)
    assert np.abs(strip[:, 0] - table[0]).max() <= 1
    assert np.abs(strip[:, -1] - table[255]).max() <= 1
    assert (picture[20 + 8 : 20 + 20, :12] == 24).all()
    assert (picture[20 : 20 + 8] == 24).all()
    narrow = error_maps._plain(values[:, :40], kind, row)  # type: ignore[arg-type]
    times = -(-error_maps._LEAST_WIDTH // 40)
    assert narrow.shape == (20 * times + error_maps._BAR, 40 * times, 3)


def test_quality_of_a_hundred_is_that_of_one() -> None:
    class Mean(torch.nn.Module):
        intake = "imagenet"

        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((1, 2, 3)) * self.one

    found = metaiqa.function(torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0)), net=Mean())
    assert float(found.extra["q"]) == pytest.approx(100 * float(found.value), rel=1e-6)


def test_visual_information_is_what_it_was() -> None:
    ref = waves(208, 200).float() * 80
    dist = ref * 0.9 + 6 * waves(208, 200).flip(-1).float()
    for name in ("vif", "vifp", "iw-ssim"):
        metric = find("metric", name)
        pinned(f"metric {name}", metric.function(ref, dist), tolerance=1e-3)

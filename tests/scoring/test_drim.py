"""DRIM: the channels derived again in numpy, and what must be true of loss, amplification and reversal of contrast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from hdrq.cards import Reading
from hdrq.records import Image
from hdrq.registry import find
from hdrq.scoring.features.hdrvdp.contrast import curve_v3
from hdrq.scoring.features.hdrvdp.retina import Viewer, retinal_response
from hdrq.scoring.metrics.drim import analytic_fan, channel_rate, channels, low_pass, padded, refined

drim = find("metric", "drim")
PPD = 32.0


def texture(h: int = 45, w: int = 59, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 1, 9, 11, generator=random, dtype=torch.float64)
    x = torch.nn.functional.interpolate(coarse, (h, w), mode="bicubic")
    return 20 * torch.exp(2 * x + 0.2 * torch.randn(1, 1, h, w, generator=random, dtype=torch.float64))


def grating(cpd: float, contrast: float, size: int = 64, phase: float = 0.0, angle: float = 0.0) -> Tensor:
    """A grating around 50 cd/m² at PPD; its sides hold whole periods where cpd divides PPD."""
    y, x = torch.meshgrid(*(torch.arange(size, dtype=torch.float64),) * 2, indexing="ij")
    along = np.cos(angle) * x + np.sin(angle) * y
    return (50 * (1 + contrast * torch.sin(2 * np.pi * cpd / PPD * along + phase)))[None, None]


def inside(reading: Reading) -> float:
    """The mean of loss, amplification and reversal away from the borders, from the coloured map's saturation."""
    middle = reading.map[0, :, 16:-16, 16:-16]
    return float((middle.amax(0) - middle.amin(0)).mean())


def again(ref: Tensor, dist: Tensor) -> list[np.ndarray]:
    """Loss, amplification and reversal from real filters of full size and their quadratures, in numpy."""
    seen = [retinal_response(x, Viewer(PPD, 24.0, "hdrvdp", "d65", 0.0), None) for x in (ref, dist)]
    h, w = ref.shape[-2:]
    levels = sum(PPD / 2 / 2 ** (k + 0.5) > 2 and 2 ** (k + 2) <= min(h, w) for k in range(9))
    grid = 2 ** (levels - 1)
    before = min(4 * grid, h, w) // grid * grid
    after = [before + -(n + 2 * before) % grid for n in (h, w)]
    wide = [
        [np.pad(x[0, 0].numpy(), ((before, after[0]), (before, after[1])), mode="symmetric") for x in pair]
        for pair in seen
    ]
    shape = wide[0][0].shape
    fy, fx = np.meshgrid(*(np.fft.fftfreq(n) * 2 for n in shape), indexing="ij")
    radius, theta = np.hypot(fy, fx), np.degrees(np.arctan2(fy, fx))

    def mesa(half: float) -> np.ndarray:
        width = 2 / 3 * half
        ramp = 0.5 * (1 + np.cos(np.pi * (radius - half + width / 2) / width))
        return np.where(radius <= half - width / 2, 1, np.where(radius >= half + width / 2, 0, ramp))

    nodes = np.linspace(-5, 5, 256)  # where the sensitivity is tabulated
    kept = np.ones((3, *shape))
    for k in range(levels):
        step, cpd = max(1, 2 ** (k - 1)), PPD / 2 / 2 ** (k + 0.5)
        band = (np.ones(shape) if k == 0 else mesa(2.0**-k)) - mesa(2.0 ** -(k + 1))
        band = band * ((fy > -1) & (fx > -1))
        gain = [
            np.interp(
                np.log10(adapting),
                nodes,
                curve_v3(torch.tensor(cpd), torch.from_numpy(nodes), "hdrvdp", 24.0),
            )
            for _, adapting in wide
        ]
        clear = np.ones((3, *(n // step for n in shape)))
        for direction in range(0, 180, 30):
            far = np.abs((theta - direction + 180) % 360 - 180)
            fan = np.where(far <= 30, 0.5 * (1 + np.cos(np.pi * far / 30)), 0)
            back = np.where(180 - far <= 30, 0.5 * (1 + np.cos(np.pi * (180 - far) / 30)), 0)
            real, quadrature = [], []
            for (response, _), s in zip(wide, gain):
                spectrum = np.fft.fft2(response) * band
                real.append((np.fft.ifft2(spectrum * (fan + back)).real * s)[::step, ::step])
                quadrature.append((np.fft.ifft2(spectrum * (fan - back) / 1j).real * s)[::step, ::step])
            p, q = (1 - 0.5 ** (np.hypot(r, i) ** (10**0.34)) for r, i in zip(real, quadrature))
            opposite = real[0] * real[1] + quadrature[0] * quadrature[1] < 0
            seen_p, seen_q = p >= 0.5, q >= 0.5
            clear[0] *= 1 - p * (1 - q) * (seen_p & ~seen_q)
            clear[1] *= 1 - (1 - p) * q * (~seen_p & seen_q)
            clear[2] *= 1 - np.minimum(p * q * (seen_p & seen_q & opposite), 1 - 1e-6)
        for n in range(3):
            rows, columns = (np.arange(m // step) * step for m in shape)
            logs = np.log(clear[n])
            logs = np.stack([np.interp(np.arange(shape[1]), columns, line) for line in logs])
            logs = np.stack([np.interp(np.arange(shape[0]), rows, line) for line in logs.T]).T
            kept[n] *= np.exp(logs)
    return [(1 - m)[before : before + h, before : before + w] for m in kept]


def test_the_maps_are_those_of_real_filters_derived_in_numpy() -> None:
    ref = texture()
    dist = texture(seed=1)
    dist[..., 20:] = ref[..., 20:] * 0.1 + 3
    for kind, wanted in zip(("loss", "amplification", "reversal"), again(ref, dist)):
        found = drim(ref, dist, output=kind, ppd=PPD)
        assert wanted.mean() > 0.005
        np.testing.assert_allclose(found.map[0, 0].numpy(), wanted, atol=1e-4)
        assert found.value.item() == pytest.approx(wanted.mean(), abs=1e-4)


def test_filters_of_all_channels_add_up_and_a_coarse_channel_is_sampled_exactly() -> None:
    """Without the Nyquist frequency, which is its own opposite."""
    x = texture(48, 64)
    spectrum = torch.fft.fft2(x)
    spectrum[..., 24, :], spectrum[..., 32] = 0, 0
    x = torch.fft.ifft2(spectrum).real
    whole = {k: sum(b.real for b in bands) for k, step, bands in channels(x, 3) if step == 1}
    radius = torch.hypot(*(torch.fft.fftfreq(n, dtype=torch.float64) * 2 for n in (48,)), torch.zeros(1))
    assert float(low_pass(radius, 1).max()) == 1
    angles = torch.linspace(-3.1, 3.1, 97, dtype=torch.float64)
    fans = sum(analytic_fan(angles, k) + analytic_fan(angles - torch.pi, k) for k in range(6))
    torch.testing.assert_close(fans, torch.full_like(fans, 2.0))
    base = (
        torch.fft.fftfreq(48, dtype=torch.float64)[:, None] * 2,
        torch.fft.fftfreq(64, dtype=torch.float64) * 2,
    )
    rest = torch.fft.ifft2(spectrum * low_pass(torch.hypot(*base), 2)).real
    torch.testing.assert_close(whole[0] + whole[1] + rest, x, rtol=0, atol=1e-9)


def test_a_wave_is_at_threshold_where_the_sensitivity_of_the_eye_says() -> None:
    """A grating in the middle of a channel, of twice and of half the contrast that the response makes just visible."""
    cpd = 8.0
    response, adapting = retinal_response(grating(cpd, 0.01), Viewer(PPD, 24.0, "hdrvdp", "d65", 0.0), None)
    amplitude = (response.max() - response.min()) / 2
    level_cpd = channel_rate(0, PPD)
    threshold = 1 / curve_v3(torch.tensor(level_cpd), adapting.log10().mean(), "hdrvdp", 24.0)
    contrast = 0.01 * float(threshold / amplitude)
    flat = grating(cpd, 0.0)
    for times, seen in ((2.5, True), (0.4, False)):
        lost = drim(grating(cpd, times * contrast), flat, ppd=PPD, output="loss").value.item()
        assert (lost > 0.5) == seen
        assert seen or lost < 1e-6


@pytest.mark.parametrize("angle", [0.0, np.pi / 4])
def test_a_faded_wave_is_lost_and_the_other_way_round_it_is_amplified(angle: float) -> None:
    strong, faint = grating(4, 0.3, angle=angle), grating(4, 1e-4, angle=angle)
    lost, made = drim(strong, faint, ppd=PPD).extra, drim(faint, strong, ppd=PPD).extra
    assert lost["loss"] > 0.9
    assert lost["amplification"] < 0.05
    assert lost["reversal"] < 0.05
    assert made["amplification"].item() == pytest.approx(lost["loss"].item(), abs=0.02)
    assert made["loss"] < 0.05


def test_contrast_that_stays_visible_is_no_distortion_and_an_inverted_wave_is_reversed() -> None:
    ref = grating(4, 0.4)
    assert inside(drim(ref, grating(4, 0.3), ppd=PPD)) < 0.2
    assert inside(drim(ref, 3 * ref, ppd=PPD)) < 0.2
    reversed_ = drim(ref, grating(4, 0.4, phase=np.pi), ppd=PPD).extra
    assert reversed_["reversal"] > 0.9 > 0.2 > reversed_["loss"]
    assert inside(drim(ref, grating(4, 0.4, phase=np.pi / 4), ppd=PPD)) < 0.2


def test_low_frequencies_count_only_where_asked() -> None:
    slow, flat = grating(1, 0.05), grating(1, 0.0)
    assert drim(slow, flat, ppd=PPD).value < drim(slow, flat, ppd=PPD, lowest_cpd=0.5).value - 0.3
    assert drim(slow, flat, ppd=PPD, sensitivity=-3.0, lowest_cpd=0.5).value < 1e-6


def test_the_map_shows_each_kind_in_its_colour() -> None:
    lost = drim(grating(4, 0.3), grating(4, 0.0), ppd=PPD).map
    made = drim(grating(4, 0.0), grating(4, 0.3), ppd=PPD).map
    turned = drim(grating(4, 0.4), grating(4, 0.4, phase=np.pi), ppd=PPD).map
    for image, channel in ((lost, 1), (made, 2), (turned, 0)):
        assert image.shape == (1, 3, 64, 64)
        assert float(image.min()) >= 0
        assert float(image.max()) <= 1
        means = image[0, :, 16:-16, 16:-16].mean((1, 2))
        assert means.argmax() == channel
        assert means[channel] > 4 * means.sum() / 5
    same = drim(texture(), texture(), ppd=PPD).map
    torch.testing.assert_close(same[:, :1].expand(-1, 3, -1, -1), same)


def test_outputs_have_their_direction_and_the_command_writes_the_coloured_map(tmp_path: Path) -> None:
    for kind in ("loss", "amplification", "reversal"):
        bound = hdrq.metric(f"drim,output={kind}")
        assert (bound.better, bound.span, bound.best) == ("lower", (0, 1), 0.0)
    light = texture().expand(-1, 3, -1, -1).float()
    for name, x in (("ref", light), ("dist", light.mean() + 0 * light)):
        hdrq.write(tmp_path / f"{name}.exr", Image(x, "nits"))
    from click.testing import CliRunner

    from hdrq.cli.app import command_line

    asked = ["score", str(tmp_path / "ref.exr"), str(tmp_path / "dist.exr"), "-m", "drim"]
    ran = CliRunner().invoke(command_line, [*asked, "--map", str(tmp_path / "maps")])
    assert ran.exit_code == 0, ran.output
    (picture,) = (tmp_path / "maps").glob("*.png")
    shown = hdrq.read(picture).pixels
    assert shown.shape[1] == 3
    assert shown[:, 1].mean() > 2 * shown[:, 0].mean()


def test_mirrored_margins_repeat_the_edge_and_samples_are_joined_by_lines() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    wide, margin = padded(x, 2)
    assert margin == 2
    assert wide.shape == (1, 1, 8, 8)
    assert wide[0, 0, 2].tolist() == [1, 0, 0, 1, 2, 3, 3, 2]
    fine = refined(torch.tensor([[[[0.0, 4.0], [8.0, 8.0]]]]), 2)
    assert fine[0, 0].tolist() == [[0, 2, 4, 4], [4, 5, 6, 6], [8, 8, 8, 8], [8, 8, 8, 8]]

"""The classical metrics against their authors' programs (numbers in ../shared/golden) and against arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from torch import Tensor

from hdrq import registry as catalogue
from hdrq.errors import PixelError
from hdrq.image.caching import sharing
from hdrq.image.color import luma, luminance
from hdrq.scoring.features.phase import phase_congruency

EXACT, COARSE = 1e-6, 1e-4  # float64, float32
W8 = ["w8_ref__w8_jpeg10", "w8_ref__w8_noise", "w8_ref__w8_blur2"]
GREY = {  # golden key: (metric, options), fed rgb2gray rounded to 8 bits as the programs were
    "GMSD": ("gmsd", {}),
    "VIFp": ("vifp", {}),
    "VIF_wavelet": ("vif", {}),
    "MSSSIM_wang": ("ms-ssim", {}),
    "SSIM_wang_index": ("ssim", {"variant": "wang"}),
    "SSIM_wang_autodown": ("ssim", {"variant": "wang-down"}),
    "PSNR_gray": ("psnr", {}),
    "HaarPSI_gray": ("haarpsi", {}),
}
RGB = {
    "FSIM": ("fsim", {}),
    "FSIMc": ("fsimc", {}),
    "VSI": ("vsi", {}),
    "MDSI_sum": ("mdsi", {}),
    "MDSI_mult": ("mdsi", {"combine": "mult"}),
    "HaarPSI_rgb": ("haarpsi", {}),
    "HaarPSI_rgb_nosub": ("haarpsi", {"variant": "nosub"}),
    "PSNR_rgb": ("psnr", {}),
}
PU = {  # golden/pu21: the PU21 program, and Wang's on PU code
    "PSNR": ("psnr", {}),
    "FSIM": ("fsim", {}),
    "FSIMc_ref_first": ("fsimc", {}),
    "VSI": ("vsi", {}),
}
PU_Y = {
    "PSNRY": ("psnr", {}),
    "SSIM": ("ssim", {}),
    "SSIM_wang_valid_L256": ("ssim", {"variant": "wang"}),
    "MSSSIM_wang_L255_K0103": ("ms-ssim", {"range": 255 / 256}),
}


def value(name: str, ref: Tensor, dist: Tensor, codes: float = 255.0, **options) -> float:
    """Of 8-bit-like codes; those whose card wants 1.0 = white get them divided by `codes`."""
    metric = catalogue.find("metric", name)
    if not metric.card.codes:
        ref, dist = ref / codes, dist / codes
    with torch.no_grad():
        found = metric(ref, dist, **options)
    return getattr(found, "value", found).item()


def grey8(rgb: Tensor) -> Tensor:
    """MATLAB's rgb2gray of uint8."""
    return torch.floor(luma(rgb) + 0.5)


@pytest.mark.shared
@pytest.mark.parametrize("pair", W8)
def test_the_authors_programs_agree(golden, golden_input, pair):
    expected = golden("iqa")["outputs"]["fr"][pair]
    ref, dist = (golden_input(name) for name in pair.split("__"))
    grey = grey8(ref), grey8(dist)
    found = {key: value(name, *grey, **options) for key, (name, options) in GREY.items()}
    found |= {key: value(name, ref, dist, **options) for key, (name, options) in RGB.items()}
    assert found == pytest.approx({key: expected[key] for key in found}, abs=EXACT)


@pytest.mark.shared
def test_float32_agrees_to_its_precision(golden, golden_input):
    expected = golden("iqa")["outputs"]["fr"][W8[0]]
    ref, dist = (golden_input(name) for name in W8[0].split("__"))
    grey = grey8(ref).float(), grey8(dist).float()
    found = {key: value(name, *grey, **options) for key, (name, options) in GREY.items()}
    found |= {key: value(name, ref.float(), dist.float(), **options) for key, (name, options) in RGB.items()}
    assert found == pytest.approx({key: expected[key] for key in found}, abs=COARSE)
    close = {key: found[key] for key in found if "SSIM" in key}
    assert close == pytest.approx({key: expected[key] for key in close}, abs=1e-5)


@pytest.mark.shared
@pytest.mark.parametrize("test", ["noise", "jpegpq20", "sihdrA"])
def test_the_pu21_program_agrees(golden, golden_input, test):
    expected = golden("pu21")["outputs"]["hdr_nancy"][test]
    encode = catalogue.find("encoding", "pu21").encode
    ref, dist = golden_input("nancy_ref"), golden_input(f"nancy_{test}")
    rgb = 256 * encode(ref), 256 * encode(dist)
    y = 256 * encode(luminance(ref)), 256 * encode(luminance(dist))
    found = {key: value(name, *rgb, codes=256.0, **options) for key, (name, options) in PU.items()}
    found |= {key: value(name, *y, codes=256.0, **options) for key, (name, options) in PU_Y.items()}
    assert found == pytest.approx({key: expected[key] for key in found}, abs=EXACT)


@pytest.mark.shared
@pytest.mark.parametrize("test", ["noise", "jpegpq20", "sihdrA"])
def test_mantiuks_hdr_metrics_agree_on_pu08(golden, golden_input, test):
    expected = golden("pu21")["outputs"]["hdr_nancy"][test]
    encode = catalogue.find("encoding", "pu08").encode
    y = [255 * encode(luminance(golden_input(name))) for name in ("nancy_ref", f"nancy_{test}")]
    assert value("ms-ssim", *y, variant="mantiuk") == pytest.approx(expected["pu2_MSSSIM"], abs=EXACT)


def pixels(path) -> Tensor:
    from PIL import Image

    a = np.asarray(Image.open(path)).astype(np.float64)
    a = a[..., None] if a.ndim == 2 else a
    return torch.from_numpy(a).permute(2, 0, 1)[None].contiguous()


@pytest.mark.shared
def test_iw_ssim_agrees_with_matlab_on_goldhill(shared):
    """The value that piq's tests quote from the authors' program."""
    folder = shared / "data" / "sdr_iqa" / "tid2013_pairs" / "piq"
    ref, dist = pixels(folder / "goldhill.png"), pixels(folder / "goldhill_jpeg.png")
    assert value("iw-ssim", ref, dist) == pytest.approx(0.886297251092821, abs=1e-9)


@pytest.mark.shared
def test_matlabs_numbers_on_an_even_shrinking_factor(shared):
    """The sizes of piq's pair I01 shrink by two, those of the golden files by three."""
    folder = shared / "data" / "sdr_iqa" / "tid2013_pairs" / "piq"
    ref, dist = pixels(folder / "I01.png"), pixels(folder / "i01_01_5.png")
    assert value("fsim", ref, dist) == pytest.approx(0.93674, abs=1e-5)
    assert value("fsimc", ref, dist) == pytest.approx(0.92587, abs=1e-4)
    assert value("mdsi", ref, dist) == pytest.approx(0.338972600511665, abs=1e-9)
    assert value("mdsi", ref, dist, combine="mult") == pytest.approx(0.258002917257516, abs=1e-7)
    assert value("haarpsi", ref, dist) == pytest.approx(0.71706527, abs=1e-7)


def test_psnr_of_a_constant_error_is_known():
    ref = torch.full((1, 3, 5, 7), 0.5, dtype=torch.float64)
    assert value("psnr", ref, ref + 0.1, codes=1.0) == pytest.approx(20.0)
    assert value("psnr", ref, ref + 0.1, codes=1.0, peak=10.0) == pytest.approx(40.0)
    assert value("psnr", ref, ref) == float("inf")
    assert value("mse", ref, ref + 0.1, codes=1.0) == pytest.approx(0.01)
    assert value("mae", ref, ref - 0.1, codes=1.0) == pytest.approx(0.1)


@pytest.mark.parametrize("variant", ["matlab", "wang", "wang-down", "piq", "skimage"])
def test_ssim_of_flat_frames_is_their_luminance_term(variant):
    a, b = 0.3, 0.5
    ref = torch.full((1, 1, 40, 50), a, dtype=torch.float64)
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert value("ssim", ref, ref / a * b, codes=1.0, variant=variant) == pytest.approx(expected, abs=1e-9)


def test_ssim_is_the_mean_of_a_map_as_large_as_the_image():
    ref = torch.rand(2, 1, 33, 47, dtype=torch.float64)
    found = catalogue.find("metric", "ssim")(ref, ref.roll(1, -1))
    assert found.map.shape == (2, 1, 33, 47)
    torch.testing.assert_close(found.map.mean((1, 2, 3)), found.value)


def test_an_ssim_window_that_does_not_fit_is_refused():
    small = torch.rand(1, 1, 10, 30)
    with pytest.raises(PixelError, match="at least 11"):
        value("ssim", small, small, variant="wang")


def test_gmsd_follows_its_definition():
    random = np.random.default_rng(0)
    ref, dist = random.uniform(0, 255, (2, 31, 44))

    def edges(x):
        padded = np.pad(x, ((0, 1), (0, 1)))
        half = (padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:])[::2, ::2] / 4
        prewitt = np.array([[1, 0, -1]] * 3) / 3
        return np.hypot(*(convolve(half, k, mode="constant") for k in (prewitt, prewitt.T)))

    a, b = edges(ref), edges(dist)
    expected = np.std((2 * a * b + 170) / (a * a + b * b + 170), ddof=1)
    assert value("gmsd", *(torch.from_numpy(x)[None, None] for x in (ref, dist))) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["mse", "ssim", "ms-ssim", "vifp", "vif", "iw-ssim", "fsim", "haarpsi"])
def test_strips_do_not_change_the_value(name, monkeypatch):
    channels = 1 if catalogue.find("metric", name).card.grey else 3
    ref, dist = torch.rand(2, 1, channels, 181, 193, dtype=torch.float64) * 255
    whole = value(name, ref, dist)
    monkeypatch.setattr("hdrq.image.filters.CACHE", 4000)
    assert value(name, ref, dist) == pytest.approx(whole, abs=1e-12)


def test_metrics_of_one_call_share_phase_congruency(monkeypatch):
    calls = []
    real = torch.fft.fft2
    monkeypatch.setattr(torch.fft, "fft2", lambda x: calls.append(x) or real(x))
    ref, dist = torch.rand(1, 3, 64, 64) * 255, torch.rand(1, 3, 64, 64) * 255
    fsim, fsimc = catalogue.find("metric", "fsim"), catalogue.find("metric", "fsimc")
    apart = [metric(ref, dist).value for metric in (fsim, fsimc)]
    assert len(calls) == 2
    calls.clear()
    with sharing():
        together = [metric(ref, dist).value for metric in (fsim, fsimc)]
    assert len(calls) == 1
    assert together == apart


def test_phase_congruency_does_not_see_contrast():
    """A step is in phase at every scale: its congruency stays when the step grows tenfold."""
    step = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    step[..., 32:] = 20
    weak, strong = phase_congruency(step)[..., 16:48, 28:36], phase_congruency(10 * step)[..., 16:48, 28:36]
    assert weak.amax() > 0.5
    torch.testing.assert_close(strong, weak, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("name", "better"), [("vifp", 1.0), ("vif", 1.0)])
def test_more_contrast_carries_more_information(name, better):
    ref = torch.rand(1, 1, 80, 90, dtype=torch.float64) * 60 + 90
    mean = ref.mean()
    assert value(name, ref, mean + (ref - mean) * 1.5) > better
    assert value(name, ref, mean + (ref - mean) * 0.6) < better


def test_the_median_of_noise_is_numpys_however_values_repeat():
    from hdrq.scoring.features.phase import _median

    random = np.random.default_rng(0)
    for n in (1, 2, 3, 10, 67, 68, 1000, 4099):
        for x in (
            random.random(n),
            (3 * random.random(n)).round(),
            np.zeros(n),
            np.sort(random.random(n) ** 9),
        ):
            row = torch.tensor(x)[None]
            assert _median(row).item() == np.median(x)
            assert _median(row.requires_grad_()).item() == np.median(x)

"""HDR-VDP without the golden numbers: what must be true of every picture, and of the parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from hdrq.cards import Metric
from hdrq.errors import UsageError
from hdrq.image.dct import cosine, from_cosine
from hdrq.scoring.error_maps import SCALES, overlay
from hdrq.scoring.features.hdrvdp.civdm import band_rate, dilate, laplacian
from hdrq.scoring.features.hdrvdp.eye import across, field_frequencies, modulation
from hdrq.scoring.features.hdrvdp.retina import blur
from hdrq.scoring.features.steerable import decompose, deepest, rebuild
from hdrq.scoring.metrics.hdrvdp2 import hdrvdp2
from hdrq.scoring.metrics.hdrvdp3 import hdrvdp3

BOTH = pytest.mark.parametrize("vdp", [hdrvdp3, hdrvdp2], ids=lambda m: m.name)
TASKS = ["quality", "flicker", "detection"]


def scene(height: int, width: int, batch: int = 1, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Smooth light between 5 and 100 cd/m²."""
    seeds = torch.rand(batch, 3, height // 4 + 1, width // 4 + 1, generator=torch.Generator().manual_seed(3))
    light = torch.nn.functional.interpolate(seeds, size=(height, width), mode="bicubic", align_corners=True)
    return (light.clamp(0.05, 1) * 100).to(dtype)


def noisy(light: torch.Tensor, amount: float) -> torch.Tensor:
    chance = torch.rand(light.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return light * (1 + amount * (chance - 0.5).to(light))


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_identical_pictures_score_best_with_a_finite_gradient(vdp: Metric, dtype: torch.dtype) -> None:
    light = scene(40, 37, 2, dtype)
    test = light.clone().requires_grad_()
    reading = vdp(light, test, ppd=30.0)
    reading.value.sum().backward()
    assert reading.value.dtype == dtype
    assert reading.value.tolist() == [vdp.card.best] * 2
    assert torch.isfinite(test.grad).all()


@BOTH
def test_more_noise_scores_worse_and_is_seen_more(vdp: Metric) -> None:
    light = scene(48, 64)
    readings = [vdp(light, noisy(light, amount), ppd=30.0) for amount in (0.05, 0.2, 0.8)]
    assert readings[0].value > readings[1].value > readings[2].value
    assert readings[0].extra["c_max"] < readings[1].extra["c_max"] < readings[2].extra["c_max"]
    assert all(r.map.shape == (1, 1, 48, 64) for r in readings)


@BOTH
def test_a_batch_equals_its_images(vdp: Metric) -> None:
    light = scene(33, 40, 3)
    test = noisy(light, 0.3)
    together = vdp(light, test, ppd=25.0)
    for i in range(3):
        alone = vdp(light[i : i + 1], test[i : i + 1], ppd=25.0)
        torch.testing.assert_close(alone.value[0], together.value[i], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(alone.map[0], together.map[i], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("vdp", "options"),
    [*((hdrvdp3, {"task": task}) for task in TASKS), (hdrvdp2, {})],
)
def test_a_step_along_the_gradient_raises_the_score(vdp: Metric, options: dict) -> None:
    light = scene(40, 36)
    test = noisy(light, 0.4).requires_grad_()
    before = vdp(light, test, ppd=30.0, **options).value
    before.sum().backward()
    step = test.detach() + 0.2 * test.grad / test.grad.abs().max()
    assert vdp(light, step, ppd=30.0, **options).value > before


@pytest.mark.parametrize(
    ("vdp", "options"),
    [
        (hdrvdp3, {}),
        (hdrvdp3, {"task": "detection", "output": "c-max"}),
        (hdrvdp3, {"mtf": "cie", "age": 50.0, "surround": "10"}),
        (hdrvdp2, {}),
    ],
)
def test_the_gradient_is_that_of_finite_differences(vdp: Metric, options: dict) -> None:
    light = scene(20, 18)
    test = noisy(light, 0.3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: vdp(light, x, ppd=12.0, **options).value,
        test,
        eps=1e-5,
        atol=1e-6,
        rtol=1e-3,
        fast_mode=True,
    )


@BOTH
@pytest.mark.parametrize("ppd", [3.0, 12.0, 120.0])
def test_tiny_odd_frames_and_any_viewing_distance_are_scored(vdp: Metric, ppd: float) -> None:
    light = scene(vdp.card.side, vdp.card.side + 1)
    reading = vdp(light, noisy(light, 0.5), ppd=ppd)
    assert torch.isfinite(reading.value).all()
    assert torch.isfinite(reading.map).all()
    assert reading.value < vdp.card.best


@BOTH
def test_one_channel_is_luminance_and_float32_agrees(vdp: Metric) -> None:
    light = scene(64, 48)[:, :1]
    test = noisy(light, 0.2)
    exact, single = (vdp(light.to(d), test.to(d), ppd=30.0) for d in (torch.float64, torch.float32))
    assert single.map.dtype == torch.float32
    torch.testing.assert_close(single.value.double(), exact.value, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(single.map.double(), exact.map, rtol=0, atol=1e-4)


def test_older_eyes_and_more_glare_see_less() -> None:
    light = scene(64, 64)
    test = noisy(light, 0.3)
    young, old = (hdrvdp3(light, test, ppd=30.0, mtf="cie", age=age).value for age in (24.0, 75.0))
    assert old > young
    assert hdrvdp3(light, test, ppd=30.0, mtf="none").value < hdrvdp3(light, test, ppd=30.0).value


def test_civdm_ignores_scale_and_finds_lost_and_added_structure() -> None:
    texture = scene(64, 96)
    texture[..., 48:] = noisy(texture, 1.5)[..., 48:]
    flat = texture.clone()
    flat[..., 64:] = flat[..., 64:].mean()
    same = hdrvdp3(texture, texture * 3, task="civdm", ppd=45.0)
    lost = hdrvdp3(texture, flat, task="civdm", ppd=45.0)
    added = hdrvdp3(flat, texture, task="civdm", ppd=45.0)
    assert same.value > 0.999
    assert lost.extra["loss"] > 0.05 > lost.extra["amplification"]
    assert added.extra["amplification"] > 0.05 > added.extra["loss"]
    assert lost.map[..., 72:].mean() > lost.map[..., :40].mean()
    only = hdrvdp3(texture, flat, task="civdm", ppd=45.0, output="amplification")
    torch.testing.assert_close(1 - only.value, lost.extra["amplification"])


def test_bands_of_civdm_have_the_frequencies_of_the_pyramid() -> None:
    assert [band_rate(level, 60.0) for level in range(4)] == pytest.approx([30.0, 9.684, 4.842, 2.421])


def test_what_cannot_be_asked_is_refused() -> None:
    light = scene(32, 32)
    with pytest.raises(UsageError, match="channel"):
        hdrvdp3(light, light, colour="luminance")
    with pytest.raises(UsageError, match="d65"):
        hdrvdp3(light, light, spectra="d65")
    with pytest.raises(UsageError, match="surround"):
        hdrvdp3(light, light, surround="bright")
    with pytest.raises(UsageError, match="output"):
        hdrvdp3(light, light, output="loss")
    with pytest.raises(UsageError, match="mirror"):
        hdrvdp2(light, light, surround="none")


def test_bands_rebuild_the_picture_away_from_its_border() -> None:
    picture = scene(61, 50)[:, :1]
    for filters in ("sp0", "sp3", "sp5"):
        bands = decompose(picture, deepest(61, 50, filters), filters)
        inside = (rebuild(list(bands), filters) - picture)[..., 20:-20, 20:-20]
        assert inside.abs().max() / picture.max() < 0.03
        single = decompose(picture.float(), deepest(61, 50, filters), filters)
        for a, b in zip(bands, single):
            assert (b.double() - a).abs().max() < 1e-6 * picture.max() * 2 ** len(bands)


def test_cosine_transform_equals_a_mirrored_field() -> None:
    for size in ((7, 6), (8, 9), (1, 5)):
        picture = torch.rand(2, 1, *size, dtype=torch.float64)
        torch.testing.assert_close(from_cosine(cosine(picture, -2), -2), picture)
        cpd = field_frequencies(*size, 30.0)
        smooth = from_cosine(cosine(cosine(picture, -1), -2) * torch.exp(-cpd[: size[0], : size[1]]), -2)
        smooth = from_cosine(smooth, -1)
        mirrored = torch.cat([picture, picture.flip(-1)], -1)
        field = torch.cat([mirrored, mirrored.flip(-2)], -2)
        other = torch.fft.irfft2(torch.fft.rfft2(field) * torch.exp(-cpd), s=field.shape[-2:])
        torch.testing.assert_close(smooth, other[..., : size[0], : size[1]])


def test_light_around_an_even_picture_of_the_same_light_changes_nothing() -> None:
    even = torch.full((1, 1, 9, 12), 4.0, dtype=torch.float64)
    transfer = torch.from_numpy(modulation(field_frequencies(9, 12, 30.0).numpy(), "hdrvdp", 24.0))
    torch.testing.assert_close(across(even, transfer, even[..., :1, :1]), even)


def test_wide_and_narrow_blurs_agree_away_from_borders() -> None:
    picture = torch.rand(1, 1, 120, 100, dtype=torch.float64)
    for border in ("zero", "replicate"):
        narrow, wide = blur(picture, 4.299, border), blur(picture, 4.301, border)
        assert (narrow - wide)[..., 30:-30, 30:-30].abs().max() < 2e-3


def test_a_wide_blur_wraps_round_a_field_continued_at_the_bottom_and_right() -> None:
    for size, sigma in (((5, 6), 20.0), ((90, 70), 5.0)):
        picture = torch.rand(1, 1, *size, dtype=torch.float64)
        field = torch.nn.functional.pad(picture, (0, size[1], 0, size[0]), mode="replicate")
        radians = field_frequencies(*size, 2 * torch.pi)
        smooth = torch.fft.irfft2(
            torch.fft.rfft2(field) * torch.exp(-0.5 * (radians * sigma) ** 2), s=field.shape[-2:]
        )
        torch.testing.assert_close(blur(picture, sigma, "replicate"), smooth[..., : size[0], : size[1]])


def test_dilation_is_that_of_a_disc_and_bands_add_up() -> None:
    picture = torch.rand(1, 1, 31, 40, dtype=torch.float64)
    for radius in (1, 3, 6, 50):
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        other = ndimage.grey_dilation(
            picture[0, 0].numpy(), footprint=x**2 + y**2 <= radius**2, mode="constant"
        )
        np.testing.assert_array_equal(dilate(picture, radius)[0, 0].numpy(), other)
    torch.testing.assert_close(torch.stack(laplacian(picture, 3)).sum(0), picture)


@pytest.mark.parametrize("scale", list(SCALES))
def test_overlays_are_code_and_tell_seen_from_unseen(scale: str) -> None:
    probability = torch.linspace(0, 1, 64).expand(1, 1, 48, 64)
    for luminance in (None, scene(48, 64, dtype=torch.float32)[:, :1]):
        picture = overlay(probability, luminance, scale)
        assert picture.shape == (1, 3, 48, 64)
        assert 0 <= picture.min() <= picture.max() <= 1
        assert (picture[..., 0].mean(-1) - picture[..., -1].mean(-1)).abs().max() > 0.3


def test_strips_and_transfer_functions_that_are_not_kept_change_nothing(monkeypatch) -> None:
    """What a frame of many megapixels goes through, on a small one."""
    from hdrq.image import filters
    from hdrq.scoring.features import steerable
    from hdrq.scoring.features.hdrvdp import eye
    from hdrq.scoring.metrics.iw_ssim import iw_ssim

    ref = scene(170, 190)
    dist = ref * (
        1 + 0.1 * torch.rand(ref.shape, generator=torch.Generator().manual_seed(2), dtype=ref.dtype)
    )
    code = [x[:, :1].clamp(0, 100) * 2.55 for x in (ref, dist)]

    def values() -> list[torch.Tensor]:
        with torch.inference_mode():
            found = [hdrvdp3(ref, dist), hdrvdp3(ref, dist, task="detection"), hdrvdp2(ref, dist)]
            return [*(f.value for f in found), *(f.map for f in found), iw_ssim(*code)]

    whole = values()
    monkeypatch.setattr(filters, "CACHE", 1 << 11)
    monkeypatch.setattr(steerable, "REMEMBERED", 0)
    monkeypatch.setattr(eye, "REMEMBERED", 0)
    for a, b in zip(whole, values()):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("shape", "reach", "size"), [((20, 31), 5, (36, 48)), ((6, 7), 5, (16, 18)), ((5, 9), 5, (16, 20))]
)
def test_an_image_is_mirrored_in_place_as_by_padding(shape, reach: int, size: tuple[int, int]) -> None:
    from hdrq.image.filters import pad
    from hdrq.scoring.features.steerable import _mirrored

    image = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(1))
    below, right = (side - n - 2 * reach for side, n in zip(size, shape))
    expected = pad(pad(image, reach, reach, reach, reach, "reflect"), 0, below, 0, right, "zero")
    assert torch.equal(_mirrored(image, reach, size), expected)


@pytest.mark.parametrize(("light", "seen"), [(1e-9, 1e-5), (1e12, 1e10), (3.0, 3.0)])
@pytest.mark.parametrize("surround", [None, "same"])
def test_receptors_see_light_between_one_hundred_thousandth_and_ten_billion_nits(
    light, seen, surround
) -> None:
    from hdrq.scoring.features.hdrvdp.colour import receptor_matrix
    from hdrq.scoring.features.hdrvdp.retina import Viewer, receptors

    flat = torch.full((1, 3, 24, 30), light, dtype=torch.float64)
    viewer = Viewer(30.0, 24.0, "hdrvdp", "led-lcd-srgb", 0.0)
    around = None if surround is None else flat[..., :1, :1]
    wanted = seen * torch.from_numpy(receptor_matrix("led-lcd-srgb", 3, 24.0)[:, [0, 1, 3]]).sum(0)
    found = receptors(flat, viewer, 24.0, around)
    torch.testing.assert_close(
        found, wanted.clamp(1e-8, 1e10).view(1, 3, 1, 1).expand_as(found), rtol=1e-9, atol=0
    )

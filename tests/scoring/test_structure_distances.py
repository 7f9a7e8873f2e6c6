"""NLPD, CW-SSIM, PSNR-HVS and PSNR-HVS-M: the authors' programs, and plain numpy on a rendered scene."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from color_scenes import code, light
from hdrq.errors import PixelError, UsageError
from hdrq.image.color import weigh
from hdrq.image.transfer import nits_to_pq
from hdrq.scoring.metrics.cw_ssim import cw_ssim
from hdrq.scoring.metrics.nlpd import nlpd
from hdrq.scoring.metrics.nlpd_2016 import nlpd_2016
from hdrq.scoring.metrics.psnr_hvs import psnr_hvs
from hdrq.scoring.metrics.psnr_hvs_m import psnr_hvs_m

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/video_and_structure.json").read_text())["values"]
WEIGHTS = (0.2126, 0.7152, 0.0722)  # as the programs were fed
WHOLE = {"uint8": 255, "uint16": 65535}


def grey(pair: tuple[np.ndarray, np.ndarray]) -> list[Tensor]:
    return [weigh(torch.from_numpy(a).permute(2, 0, 1)[None], WEIGHTS) for a in pair]


def test_the_metrics_are_those_of_plain_numpy():
    luminance, luma = grey(light(101, 150)), grey(code(101, 150))
    for variant, expected in GOLDEN["nlpd"].items():
        assert nlpd(*luminance, variant=variant).value.item() == pytest.approx(expected, abs=1e-12)
    assert nlpd_2016(*(a / 255 for a in luma)).value.item() == pytest.approx(GOLDEN["nlpd-2016"], abs=1e-12)
    assert psnr_hvs(*luma).item() == pytest.approx(GOLDEN["psnr-hvs"], abs=1e-9)
    assert psnr_hvs_m(*luma).item() == pytest.approx(GOLDEN["psnr-hvs-m"], abs=1e-9)
    for key, expected in GOLDEN["cw-ssim"].items():
        level, orientations, k = key.split()
        found = cw_ssim(*luma, level=int(level), orientations=int(orientations), k=float(k))
        assert found.value.item() == pytest.approx(expected, abs=1e-10)


def test_float32_is_close():
    luminance, luma = grey(light(101, 150)), grey(code(101, 150))
    assert nlpd(*(a.float() for a in luminance)).value.item() == pytest.approx(
        GOLDEN["nlpd"]["tensorflow"], abs=1e-6
    )
    assert nlpd_2016(*(a.float() / 255 for a in luma)).value.item() == pytest.approx(
        GOLDEN["nlpd-2016"], abs=1e-6
    )
    found = cw_ssim(*(a.float() for a in luma))
    assert found.value.dtype == torch.float32
    assert found.value.item() == pytest.approx(GOLDEN["cw-ssim"]["4 8 0"], abs=1e-6)


def stored(golden_input, shared, side) -> tuple[Tensor, str]:
    name, crop = (side, None) if isinstance(side, str) else (side["name"], side["crop"])
    image = golden_input(name)
    kind = str(np.load(shared / f"golden/inputs/{name}.npz")["a"].dtype)
    return (image[..., crop[0] : crop[1], crop[2] : crop[3]] if crop else image), kind


@pytest.mark.shared
@pytest.mark.parametrize("number", range(14))
def test_the_octave_programs_agree_on_real_images(golden, golden_input, shared, number):
    """NLP_dist.m, psnrhvsm.m (which says 100000 where nothing differs) and CW-SSIM 1.0 in Octave 7.3."""
    case = golden("nlpd_psnrhvs_cwssim")["outputs"]["octave"][number]
    pair = []
    for side in (case["ref"], case["test"]):
        image, kind = stored(golden_input, shared, side)
        y = weigh(image, WEIGHTS)
        pair.append(y * 255 / WHOLE[kind] if kind in WHOLE else 255 * nits_to_pq(y))
    with torch.no_grad():
        assert nlpd_2016(*(y / 255 for y in pair)).value.item() == pytest.approx(case["nlpd2016"], abs=1e-6)
        for metric, key in ((psnr_hvs, "psnr_hvs"), (psnr_hvs_m, "psnr_hvs_m")):
            expected = case[key] if case[key] < 1e5 else float("inf")
            assert metric(*pair).item() == pytest.approx(expected, abs=1e-6)
        for key, expected in case["cwssim"].items():
            level, orientations = int(key[1]), int(key.split("_")[1][1:])
            found = cw_ssim(*pair, level=level, orientations=orientations, k=0.01 if "K" in key else 0.0)
            assert found.value.item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.shared
@pytest.mark.parametrize("variant", ["python", "tensorflow"])
@pytest.mark.parametrize("number", range(12))
def test_the_programs_of_nlpd_2017_agree_on_real_images(golden, golden_input, shared, variant, number):
    """Valerolaparra/NLPD 4c8b8b9, and google-research/perceptual-quality 478157a in float32 (2e-4 in colour)."""
    case = golden("nlpd_psnrhvs_cwssim")["outputs"]["nlpd2017_" + {"tensorflow": "tf"}.get(variant, variant)][
        number
    ]
    sides = [stored(golden_input, shared, case[side]) for side in ("ref", "test")]
    if case["kind"] == "lum":
        pair = [weigh(image, WEIGHTS) for image, _ in sides]
    else:
        gamma = 2.4 if variant == "tensorflow" else 2.2
        pair = [175 * (image / WHOLE[kind]) ** gamma + 5 for image, kind in sides]
    with torch.no_grad():
        found = nlpd(*pair, variant=variant, channels="rgb")
    expected = float(np.mean(case["nlpd"]))
    tolerance = 3e-4 if case["kind"] == "sdr" else 3e-6 if variant == "tensorflow" else 1e-10
    assert found.value.item() == pytest.approx(expected, rel=tolerance)
    assert len(found.extra) == case.get("levels", 6)


@pytest.mark.parametrize("variant", ["tensorflow", "python"])
def test_nlpd_of_the_smallest_odd_and_black_images_is_finite(variant):
    ref, dist = grey(light())
    for h, w in ((8, 8), (9, 31), (17, 8)):
        assert nlpd(ref[..., :h, :w], dist[..., :h, :w], variant=variant).value.isfinite().all()
    black = torch.zeros_like(ref).requires_grad_()
    found = nlpd(ref, black, variant=variant).value
    found.sum().backward()
    assert found.item() > nlpd(ref, dist, variant=variant).value.item()
    assert black.grad.isfinite().all()


def small(metric, side: int, seed: int = 6) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    ref, noise = torch.rand(2, 1, 1, side, side, generator=random, dtype=torch.float64)
    scale = 255.0 if metric.card.codes else 100.0 if metric is nlpd else 1.0
    return scale * (0.1 + 0.7 * ref), scale * (0.1 + 0.7 * ref + 0.1 * noise)


@pytest.mark.parametrize(
    ("metric", "side", "options"),
    [
        (nlpd, 70, {}),
        (nlpd, 17, {"variant": "python"}),
        (nlpd_2016, 33, {}),
        (psnr_hvs, 16, {}),
        (psnr_hvs_m, 17, {}),
        (cw_ssim, 9, {"level": 1, "orientations": 3}),
    ],
    ids=("nlpd", "nlpd,variant=python", "nlpd-2016", "psnr-hvs", "psnr-hvs-m", "cw-ssim"),
)
def test_the_gradient_is_the_slope_and_a_step_along_it_helps(metric, side, options):
    ref, dist = small(metric, side)

    def value(x: Tensor) -> Tensor:
        found = metric(ref, x, **options)
        return getattr(found, "value", found)

    assert torch.autograd.gradcheck(value, dist.requires_grad_(), atol=1e-6, fast_mode=True)
    before = value(dist)
    before.sum().backward()
    way = 1 if metric.card.better == "higher" else -1
    after = value((dist + way * dist.grad / dist.grad.norm() * dist.detach().mean() * 1e-3).detach())
    assert way * after.item() > way * before.item()


def test_nlpd_of_colour_is_the_mean_of_three_channels_or_of_luminance():
    ref, dist = (torch.from_numpy(a).permute(2, 0, 1)[None] for a in light())
    alone = [nlpd(ref[:, c : c + 1], dist[:, c : c + 1]).value for c in range(3)]
    torch.testing.assert_close(nlpd(ref, dist, channels="rgb").value, torch.stack(alone).mean(0))
    assert nlpd(ref, dist).value.item() == pytest.approx(nlpd(*grey(light())).value.item(), rel=1e-3)


def test_cw_ssim_hardly_sees_a_shift_by_a_pixel_and_refuses_what_cannot_be():
    ref, dist = grey(code(101, 150))
    shifted = cw_ssim(ref[..., 1:, 1:], ref[..., :-1, :-1]).value.item()
    assert shifted > 0.98
    assert cw_ssim(ref, dist, guard=16, level=2).value.isfinite().all()
    with pytest.raises(PixelError, match="needs 256 pixels"):
        cw_ssim(ref, dist, level=6)
    with pytest.raises(PixelError, match="guard"):
        cw_ssim(ref, dist, guard=48)
    with pytest.raises(UsageError, match="orientations"):
        cw_ssim(ref, dist, orientations=17)


def test_psnr_hvs_m_hides_noise_in_texture_and_leaves_out_incomplete_blocks():
    random = torch.Generator().manual_seed(7)
    noise = torch.randn(1, 1, 64, 64, generator=random, dtype=torch.float64)
    flat = torch.full((1, 1, 64, 64), 128.0, dtype=torch.float64)
    texture = flat + 40 * torch.randn(1, 1, 64, 64, generator=random, dtype=torch.float64)
    hidden = psnr_hvs_m(texture, texture + 4 * noise) - psnr_hvs(texture, texture + 4 * noise)
    shown = psnr_hvs_m(flat, flat + 4 * noise) - psnr_hvs(flat, flat + 4 * noise)
    assert hidden.item() > shown.item() + 1
    (a, whole_a), (b, whole_b) = ((x[..., :61, :59], x[..., :56, :56]) for x in (flat, flat + noise))
    torch.testing.assert_close(psnr_hvs(a, b), psnr_hvs(whole_a, whole_b))

"""HDR-VQM, multi-exposure PSNR and log RMSE: metrics that read light."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.scoring.metrics.hdrvqm import hdrvqm
from hdrq.scoring.metrics.log_rmse import log_rmse
from hdrq.scoring.metrics.mpsnr import mpsnr

STILLS = ("img_nancyh_ref__nancyh_blur2", "img_oxf_ref__oxf_dim")


def scene(seed: int = 0, h: int = 72, w: int = 96) -> Tensor:
    """(1, 3, h, w) float64, 0.1 to 1000 cd/m²."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, h // 8, w // 8, generator=random, dtype=torch.float64)
    wide = torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear")
    return 10 ** (4 * wide - 1) * (1 + 0.1 * torch.rand(1, 3, h, w, generator=random, dtype=torch.float64))


def grain(light: Tensor, amount: float, seed: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return light * (1 + amount * torch.randn(light.shape, generator=random, dtype=light.dtype)).clamp(
        min=0.01
    )


def frames(base: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The moving crop of golden/hdrvqm's vid_synth31, and a travelling grating on it."""
    y, x = torch.meshgrid(torch.arange(216).double(), torch.arange(320).double(), indexing="ij")
    ref, dist = [], []
    for t in range(count):
        crop = base[0, :, 100 + t : 316 + t, 2 * t : 2 * t + 320]
        wave = torch.sin(2 * np.pi * (0.11 * y + 0.07 * x) + 0.9 * t)
        ref.append(crop)
        dist.append(crop * (1 + (0.10 + 0.10 * np.sin(2 * np.pi * t / 8)) * wave))
    return torch.stack(ref), torch.stack(dist)


@pytest.mark.shared
@pytest.mark.parametrize("name", STILLS)
def test_hdrvqm_of_stills_is_the_authors(golden, golden_input, name):
    """mperreir/HDR-VQM 9dcfa4d in Octave 7.3: stills, and a still as a sequence of two frames one deep."""
    case = golden("hdrvqm")["images"][name]
    ref, dist = golden_input(case["ref"]), golden_input(case["dist"])
    found = hdrvqm(ref, dist)
    assert found.value.item() == pytest.approx(case["score_image"], abs=1e-10)
    for scale, similarity in enumerate(case["band_similarity_mean"], 1):
        assert found.extra[f"scale{scale}"].item() == pytest.approx(sum(similarity), abs=1e-10)
    assert hdrvqm(ref.float(), dist.float()).value.item() == pytest.approx(case["score_image"], abs=1e-4)
    still = hdrvqm(ref.expand(2, -1, -1, -1), dist.expand(2, -1, -1, -1), mode="video", frame_rate=1)
    assert still.value.item() == pytest.approx(case["score_depth1"], abs=1e-10)


@pytest.mark.shared
def test_hdrvqm_treats_black_negatives_and_other_displays_as_the_authors(golden, golden_input):
    cases = golden("hdrvqm")["images"]
    ref, dist = golden_input("nancyo_ref"), golden_input("nancyo_blur1").clone()
    dist[..., 100:140, 100:140] = 0
    dist[..., 0:20, 0:20] = -0.5
    dist[..., 200:210, 200:210] = torch.tensor([5.0, -1.0, 0.5], dtype=dist.dtype)[:, None, None]
    expected = cases["img_zero_neg_nancyo"]["score_image"]
    assert hdrvqm(ref, dist).value.item() == pytest.approx(expected, abs=1e-10)
    ref, dist = golden_input("nancyh_ref"), golden_input("nancyh_noise")
    expected = cases["img_clip1000_nancyh_noise"]["score_image"]
    assert hdrvqm(ref, dist, min_nits=0.5, max_nits=1000).value.item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.shared
def test_hdrvqm_adapts_and_shrinks_as_the_authors(golden, golden_input, shared):
    cases = golden("hdrvqm")["images"]
    ref, dist = golden_input("bot_ref"), golden_input("bot_jpegpq50")
    expected = cases["lin_exr_bot_jpegpq50"]["score_image"]
    assert hdrvqm(ref, dist, adapt="linear").value.item() == pytest.approx(expected, abs=1e-10)
    columns = np.load(shared / "golden/hdrvqm/arrays.npz")["lin_hdr_bot_jpegpq50/colpool"]
    lowest = np.sort(columns)[:449].mean()
    assert hdrvqm(ref, dist, adapt="radiance").value.item() == pytest.approx(lowest, abs=1e-10)

    def tiled(z: Tensor) -> Tensor:
        row = torch.cat([z, z.flip(-1), z, z.flip(-1), z], -1)
        return torch.cat([row, row, row[..., :56, :]], -2)

    full_hd = hdrvqm(tiled(golden_input("nancyh_ref")), tiled(golden_input("nancyh_noise")))
    assert full_hd.value.item() == pytest.approx(cases["shr_1080x1920_tiled"]["score_image"], abs=1e-10)


@pytest.mark.shared
def test_hdrvqm_of_a_sequence_is_the_authors(golden, golden_input):
    ref, dist = frames(golden_input("nancyh_ref"), 13)
    for case in golden("hdrvqm")["video"]["vid_synth31"]["variants"]:
        if (case["n_frames"], case["viewing_distance"]) != (13, 89):
            continue
        options = {"frame_rate": case["frame_rate"], "distance_cm": case["viewing_distance"]}
        found = hdrvqm(ref[: case["n_frames"]], dist[: case["n_frames"]], mode="video", **options)
        assert found.value.shape == (1,)
        assert found.value.item() == pytest.approx(case["score"], abs=1e-10)


def test_hdrvqm_needs_more_frames_than_a_fixation_lasts():
    light = scene().expand(15, -1, -1, -1)
    # refused before the work, which would read the size
    empty = light[..., :0]
    with pytest.raises(UsageError, match="15 frames"):
        hdrvqm(empty, empty, mode="video")
    with pytest.raises(UsageError, match="15 frames"):
        hdrvqm(light, light, mode="video")


def test_hdrvqm_of_identical_pictures_is_20_and_of_an_identical_sequence_0():
    light = scene().float()
    dist = light.clone().requires_grad_()
    found = hdrvqm(light, dist)
    assert found.value.item() == pytest.approx(20, abs=1e-5)
    two = dist.expand(2, -1, -1, -1)
    calm = hdrvqm(two.detach(), two, mode="video", frame_rate=1)
    assert calm.value.item() == pytest.approx(0, abs=1e-5)
    (found.value.sum() + calm.value.sum()).backward()
    assert dist.grad is not None
    assert dist.grad.isfinite().all()


def test_hdrvqm_falls_with_noise_and_a_gradient_step_raises_it():
    light = scene(1).float()
    dists = torch.cat([grain(light, amount) for amount in (0.02, 0.1, 0.4)]).requires_grad_()
    values = hdrvqm(light.expand_as(dists), dists).value
    assert values[0] > values[1] > values[2]
    alone = hdrvqm(light, dists[1:2]).value
    torch.testing.assert_close(alone, values[1:2])
    values[1].backward()
    assert dists.grad is not None
    step = dists.grad[1:2] / dists.grad[1:2].abs().max() * 0.01
    assert hdrvqm(light, (dists[1:2] + step).detach()).value.item() > values[1].item()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["jpegpq10", "blur15", "expo"])
def test_mpsnr_and_log_rmse_are_the_toolboxs(golden, golden_input, name):
    """HDR Toolbox 5375d05 in Octave 7.3; the paper's mean over 11 exposures lies 10 log10(11) above its sum."""
    case = golden("hdrtoolbox")["hdr_eo_metrics"]["metrics"][name]
    ref = golden_input("bot_ref")
    dist = (ref * 1.25).half().double() if name == "expo" else golden_input(f"bot_{name}")
    found = mpsnr(ref, dist, variant="toolbox")
    assert found.value.item() == pytest.approx(case["mPSNR"], abs=1e-10)
    assert found.extra["first_stop"].item() == case["mPSNR_eMin"]
    assert found.extra["last_stop"].item() == case["mPSNR_eMax"]
    assert mpsnr(ref, dist).value.item() == pytest.approx(case["mPSNR"] + 10 * np.log10(11), abs=1e-10)
    for base, label in (("e", "RMSE_log"), ("2", "RMSE_log2"), ("10", "RMSE_log10")):
        assert log_rmse(ref, dist, base=base).item() == pytest.approx(case[label], abs=1e-10)


def test_mpsnr_counts_stops_and_not_the_unit_of_light():
    light = scene(2)
    noisy = grain(light, 0.1)
    once, again = mpsnr(light, noisy), mpsnr(32 * light, 32 * noisy)
    torch.testing.assert_close(once.value, again.value, rtol=1e-12, atol=1e-12)
    assert (once.extra["first_stop"] - again.extra["first_stop"]).item() == 5


def test_mpsnr_takes_the_nearest_stop_where_none_suits():
    """One bright lamp in the dark: every photograph is too dark in the mean."""
    light = torch.zeros(1, 3, 32, 32, dtype=torch.float64)
    light[..., 3, 4] = 900.0
    found = mpsnr(light, 0.5 * light)
    assert found.value.isfinite().all()
    assert found.extra["first_stop"].item() == found.extra["last_stop"].item()


@pytest.mark.parametrize("metric", [mpsnr, log_rmse], ids=["mpsnr", "log-rmse"])
def test_errors_of_light_are_ordered_batched_and_trainable(metric):
    light = scene(3)
    dists = torch.cat([light, grain(light, 0.05), grain(light, 0.3)]).requires_grad_()
    found = metric(light.expand_as(dists), dists)
    values = getattr(found, "value", found)
    sign = 1 if metric.card.better == "higher" else -1
    assert sign * values[0] == sign * metric.card.best
    assert sign * values[0] > sign * values[1] > sign * values[2]
    values[1:].sum().backward()
    assert dists.grad is not None
    assert dists.grad.isfinite().all()
    better = (dists[2:] + sign * 1e-3 * dists.grad[2:] / dists.grad[2:].abs().max()).detach()
    after = metric(light, better)
    assert sign * getattr(after, "value", after).item() > sign * values[2].item()
    same = light.clone().requires_grad_()
    found = metric(light, same)
    getattr(found, "value", found).sum().backward()
    assert same.grad is not None
    assert same.grad.isfinite().all()


def test_log_rmse_in_stops_of_a_doubled_scene_is_one():
    light = scene(4)
    assert log_rmse(light, 2 * light, base="2").item() == pytest.approx(1, abs=1e-12)

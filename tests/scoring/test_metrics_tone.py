"""TMQI, structural TMQI-II, FSITM and FFTMI: the authors' numbers, and what must be true of tone mapping's judges."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.image.filters import gaussian, separable
from hdrq.registry import find
from hdrq.scoring.metrics.fftmi import fftmi
from hdrq.scoring.metrics.fsitm import fsitm
from hdrq.scoring.metrics.tmqi import tmqi
from hdrq.scoring.metrics.tmqi2_s import tmqi2_s

NAMES = ("tmqi", "tmqi2-s", "fsitm", "fftmi")
GOLDEN = (
    "bottles_reinhard",
    "bottles_drago",
    "bottles_wardhist",
    "bottles_normalize",
    "bottles_exponential",
    "oxford_drago",
    "oxford_log",
)
every = pytest.mark.parametrize("metric", [find("metric", name) for name in NAMES], ids=NAMES)


def scene(seed: int = 0, h: int = 181, w: int = 202) -> Tensor:
    """(1, 3, h, w) of linear light over four orders of magnitude: windows, clouds and texture."""
    random = torch.Generator().manual_seed(seed)
    clouds = F.interpolate(
        torch.rand(1, 3, 7, 8, generator=random, dtype=torch.float64), (h, w), mode="bicubic"
    )
    texture = 1 + 0.2 * torch.rand(1, 3, h, w, generator=random, dtype=torch.float64)
    light = 10 ** (2 * clouds.clamp(0, 1)) * texture
    light[..., 20:70, 30:90] *= 80
    return light


def tone(light: Tensor) -> Tensor:
    """A fair global operator: log, then its own range."""
    log = light.log()
    return (log - log.amin()) / (log.amax() - log.amin())


def blur(code: Tensor) -> Tensor:
    return separable(code, gaussian(13, 2.5, code), border="symmetric")


def grain(code: Tensor, amount: float) -> Tensor:
    random = torch.Generator().manual_seed(3)
    return (code + amount * torch.randn(code.shape, generator=random, dtype=code.dtype)).clamp(0, 1)


def pair(golden, golden_input, name: str, dtype: torch.dtype = torch.float64) -> tuple[dict, Tensor, Tensor]:
    case = golden("tmqi")["outputs"][name]
    light = golden_input(case["hdr"]).clamp(min=case["hdr_floor"])
    return case, light.to(dtype), (golden_input(case["ldr"]) / 255).to(dtype)


@pytest.mark.shared
@pytest.mark.parametrize("name", GOLDEN)
def test_tmqi_is_the_authors_and_the_toolboxs(golden, golden_input, name):
    """TMQI 1.0 (2012) and HDR Toolbox 5375d05 in Octave 7.3."""
    case, light, code = pair(golden, golden_input, name)
    for variant, program in (("author", "author"), ("toolbox", "hdrtoolbox")):
        found = tmqi(light, code, variant=variant)
        assert found.value.item() == pytest.approx(case[f"{program}_Q"], abs=1e-10)
        assert found.extra["S"].item() == pytest.approx(case[f"{program}_S"], abs=1e-10)
        assert found.extra["N"].item() == pytest.approx(case[f"{program}_N"], abs=1e-10)
        scales = [found.extra[f"S{k}"].item() for k in range(1, 6)]
        assert scales == pytest.approx(case[f"{program}_s_local"], abs=1e-10)


@pytest.mark.shared
@pytest.mark.parametrize("name", [*GOLDEN[:2], "oxford_log", "nancy_reinhard"])
def test_phase_structure_and_their_fusion_are_the_authors(golden, golden_input, name):
    """krasuluk/FFTMI 2a8d1f3 in Octave 7.3; nancy is large enough for the second pair of wavelengths."""
    case, light, code = pair(golden, golden_input, name)
    found = fftmi(light, code)
    assert found.value.item() == pytest.approx(case["FFTMI"], abs=1e-10)
    assert found.extra["N"].item() == pytest.approx(case["feature_naturalness"], abs=1e-10)
    assert tmqi2_s(light, code).value.item() == pytest.approx(case["TMQI2_structural_S"], abs=1e-10)
    channels = fsitm(light, code)
    for channel in "RGB":
        assert channels.extra[channel].item() == pytest.approx(case[f"FSITM_{channel}"], abs=1e-10)
    assert channels.value.item() == pytest.approx(sum(case[f"FSITM_{c}"] for c in "RGB") / 3, abs=1e-10)


@pytest.mark.shared
@every
def test_float32_agrees_with_the_authors(golden, golden_input, metric):
    case, light, code = pair(golden, golden_input, "oxford_drago", torch.float32)
    expected = {
        "tmqi": case["author_Q"],
        "tmqi2-s": case["TMQI2_structural_S"],
        "fsitm": sum(case[f"FSITM_{c}"] for c in "RGB") / 3,
        "fftmi": case["FFTMI"],
    }
    found = metric(light, code).value
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected[metric.name], abs=1e-5)


@every
def test_a_picture_that_keeps_the_structure_scores_better_than_a_blurred_or_noisy_one(metric):
    light = scene()
    code = tone(light)
    good, blurred, noisy = (metric(light, c).value.item() for c in (code, blur(code), grain(code, 0.3)))
    assert good > blurred
    assert good > noisy


@every
def test_the_unit_of_light_does_not_matter(metric):
    light = scene(1)
    code = tone(light)
    torch.testing.assert_close(
        metric(light, code).value, metric(1000 * light, code).value, rtol=1e-3, atol=1e-3
    )


@every
def test_a_batch_equals_its_images(metric):
    lights = torch.cat([scene(2), 5 * scene(3)])
    codes = torch.cat([tone(scene(2)), grain(tone(scene(3)), 0.1)])
    together = metric(lights, codes)
    alone = [metric(a[None], b[None]) for a, b in zip(lights, codes)]
    torch.testing.assert_close(
        together.value, torch.cat([found.value for found in alone]), rtol=1e-9, atol=1e-9
    )
    assert together.map is not None
    assert together.map.shape[:2] == (2, 1)
    torch.testing.assert_close(together.map, torch.cat([found.map for found in alone]))


@every
def test_a_grey_picture_is_scored_too(metric):
    light = scene(4)[:, :1]
    assert metric(light, tone(light)).value.isfinite().all()


@every
def test_a_flat_or_black_scene_gives_a_finite_score(metric):
    code = tone(scene(5))
    for light in (torch.zeros_like(code), torch.ones_like(code)):
        for shown in (code, torch.zeros_like(code)):
            found = metric(light, shown)
            assert found.value.isfinite().all()
            assert found.map.isfinite().all()


@every
def test_the_smallest_side_is_enough(metric):
    side = metric.card.side
    light = scene(6)[..., :side, :side]
    assert metric(light, tone(light)).value.isfinite().all()


@pytest.mark.parametrize("metric", [tmqi, tmqi2_s], ids=["tmqi", "tmqi2-s"])
def test_the_gradient_is_finite_and_a_step_raises_the_score(metric):
    light = scene(7)
    for code in (tone(light), grain(tone(light), 0.05), torch.full_like(light, 0.5)):
        dist = code.clone().requires_grad_()
        before = metric(light, dist).value
        before.sum().backward()
        assert dist.grad is not None
        assert dist.grad.isfinite().all()
    dist = grain(tone(light), 0.05).requires_grad_()
    before = metric(light, dist).value
    before.sum().backward()
    step = 1e-4 * dist.grad / dist.grad.square().mean().sqrt()
    assert metric(light, (dist + step).detach()).value.item() > before.item()


def test_an_inverted_picture_keeps_no_structure():
    light = scene(8)
    found = tmqi(light, 1 - tone(light))
    assert found.extra["S"].item() == 0
    assert tmqi2_s(light, 1 - tone(light)).value.item() < 0
    assert fsitm(light, 1 - tone(light)).value.item() < 0.2


def test_code_of_0_to_1_is_what_tmqi_wants():
    """Light in place of code, or code of 0..255, is far from natural; the trap has cost people their results."""
    light = scene(9)
    natural = tmqi(light, tone(light)).extra["N"].item()
    assert natural > 0.01
    assert tmqi(light, tone(light) / 255).extra["N"].item() < 1e-3 * natural


def test_fftmi_finds_a_colourless_picture_unnatural():
    light = scene(10)
    grey = tone(light).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert fftmi(light, grey).extra["N"].item() == 0

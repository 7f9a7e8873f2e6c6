"""FLIP and HDR-FLIP: flip-evaluator 1.7 (numbers here and in ../shared/golden/flip), and what must be true."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from color_scenes import code, light
from hdrq.errors import PixelError, UsageError
from hdrq.scoring.features.pixel_errors import weighted_pool
from hdrq.scoring.metrics.flip import flip
from hdrq.scoring.metrics.hdr_flip import hdr_flip

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/flip.json").read_text())["cases"]
OPTIONS = {
    "startExposure": "start_exposure",
    "stopExposure": "stop_exposure",
    "numExposures": "exposures",
    "tonemapper": "tonemapper",
    "ppd": "ppd",
}
WHOLE = {"uint8": 255, "uint16": 65535}


def scene(kind: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    pair = light() if kind == "HDR" else [a / 255 for a in code()]
    return tuple(torch.from_numpy(a).permute(2, 0, 1)[None].to(dtype).contiguous() for a in pair)  # type: ignore[return-value]


def value(kind: str, ref: Tensor, dist: Tensor, parameters: dict):
    metric = hdr_flip if kind == "HDR" else flip
    return metric(ref, dist, **{OPTIONS[k]: v for k, v in parameters.items()})


@pytest.mark.parametrize("case", GOLDEN, ids=lambda c: f"{c['kind']}{c['parameters']}")
def test_the_program_agrees_on_a_rendered_scene(case):
    found = value(case["kind"], *scene(case["kind"]), case["parameters"])
    pooled = {how: weighted_pool(found.map, how).item() for how in case["values"]}
    assert pooled == pytest.approx(case["values"], abs=5e-6)
    assert found.value.item() == pytest.approx(case["values"]["mean"], abs=1e-6)
    assert found.map[0, 0, 20].tolist() == pytest.approx(case["row20"], abs=1e-5)
    used = {OPTIONS[k]: v for k, v in case["used"].items()}
    assert {k: v.item() for k, v in found.extra.items()} == pytest.approx(used, abs=2e-6)
    coarse = value(case["kind"], *scene(case["kind"], torch.float32), case["parameters"])
    assert coarse.value.dtype == torch.float32
    assert coarse.value.item() == pytest.approx(case["values"]["mean"], abs=1e-5)


@pytest.mark.shared
@pytest.mark.parametrize("number", range(20))
def test_the_program_agrees_on_real_images(golden, golden_input, shared, number):
    cases = golden("flip")["outputs"]["cases"]
    if number >= len(cases):
        pytest.skip("there are fewer cases")
    case = cases[number]
    pair = []
    for side in (case["ref"], case["test"]):
        name, crop = (side, None) if isinstance(side, str) else (side["name"], side.get("crop"))
        stored = np.load(shared / f"golden/inputs/{name}.npz")["a"].dtype
        image = golden_input(name) / WHOLE.get(str(stored), 1)
        pair.append(image[..., crop[0] : crop[1], crop[2] : crop[3]] if crop else image)
    with torch.no_grad():
        found = value(case["kind"], *pair, case["parameters"])
    assert found.value.item() == pytest.approx(case["mean_f64"], abs=1e-6)
    for how in ("median", "q1", "q3"):
        assert weighted_pool(found.map, how).item() == pytest.approx(case[f"weighted_{how}"], abs=3e-6)
    if "map" in case:
        expected = np.load(shared / "golden/flip/maps.npz")[case["map"].split(":")[1].split(" ")[0]]
        np.testing.assert_allclose(found.map[0, 0, ::3, ::3].numpy(), expected, atol=1e-5)
    if case["kind"] == "HDR":
        used = {OPTIONS[k]: case["used"][k] for k in ("startExposure", "stopExposure", "numExposures")}
        assert {k: v.item() for k, v in found.extra.items()} == pytest.approx(used, abs=2e-6)


@pytest.mark.parametrize("kind", ["LDR", "HDR"])
def test_identical_images_have_no_error_and_a_gradient_of_zero(kind):
    ref, _ = scene(kind)
    dist = ref.clone().requires_grad_()
    found = value(kind, ref, dist, {})
    assert found.value.item() == 0
    found.value.sum().backward()
    assert dist.grad is not None
    assert dist.grad.abs().max() == 0


@pytest.mark.parametrize("kind", ["LDR", "HDR"])
def test_the_gradient_is_the_slope_and_a_step_down_it_helps(kind):
    random = torch.Generator().manual_seed(5)
    ref, noise = torch.rand(2, 1, 3, 7, 8, generator=random, dtype=torch.float64)
    dist = 0.1 + 0.7 * ref + 0.1 * noise
    ref, parameters = 0.1 + 0.7 * ref, {"ppd": 12.0} | ({"numExposures": 2} if kind == "HDR" else {})
    assert torch.autograd.gradcheck(
        lambda x: value(kind, ref, x, parameters).value, dist.requires_grad_(), atol=1e-6, fast_mode=True
    )
    before = value(kind, ref, dist, parameters).value
    before.sum().backward()
    step = dist.grad / dist.grad.norm() * dist.detach().mean() * 1e-3
    assert value(kind, ref, (dist - step).detach(), parameters).value.item() < before.item()


@pytest.mark.parametrize("kind", ["LDR", "HDR"])
def test_errors_stay_between_0_and_1_even_between_black_and_white_or_pure_colours(kind):
    shape, scale = (1, 1, 33, 34), 100.0 if kind == "HDR" else 1.0
    colours = (
        torch.eye(3, dtype=torch.float64)[:, :, None, None] * torch.ones(shape, dtype=torch.float64) * scale
    )
    checks = ((torch.arange(33)[:, None] // 3 + torch.arange(34)) % 2 * scale).double().expand(1, 3, -1, -1)
    pairs = [(checks, scale - checks), (colours[1:2], colours[2:3])]
    pairs += [(torch.full_like(checks, scale), torch.zeros_like(checks))]
    for place, (ref, dist) in enumerate(pairs):
        found = value(kind, ref, dist, {})
        assert found.map.min() >= 0
        assert found.map.max() <= 1
        assert found.value.item() > (0.4 if place else 0.02)


def test_pure_green_and_pure_blue_differ_as_much_as_flip_allows():
    flat = torch.ones(1, 1, 50, 50, dtype=torch.float64)
    green, blue = (flat * torch.tensor(c).view(1, 3, 1, 1).double() for c in ([0, 1, 0], [0, 0, 1]))
    assert flip(green, blue).value.item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kind", ["LDR", "HDR"])
def test_one_channel_is_three_equal_ones_and_one_pixel_is_enough(kind):
    ref, dist = (image[:, :1] for image in scene(kind))
    alone = value(kind, ref, dist, {}).map
    torch.testing.assert_close(
        alone, value(kind, ref.expand(-1, 3, -1, -1), dist.expand(-1, 3, -1, -1), {}).map
    )
    assert value(kind, ref[..., :1, :1], dist[..., :1, :1], {}).value.isfinite().all()


def test_a_batch_of_code_is_its_images():
    ref, dist = (torch.cat([image, image.flip(-1) ** 2]) for image in scene("LDR"))
    alone = torch.cat([flip(ref[i : i + 1], dist[i : i + 1]).value for i in (0, 1)])
    torch.testing.assert_close(flip(ref, dist).value, alone)


def test_a_batch_is_its_images_each_with_its_own_exposures():
    ref, dist = scene("HDR")
    refs, dists = torch.cat([ref, 40 * ref.flip(-1) ** 0.5]), torch.cat([dist, 40 * dist.flip(-1) ** 0.5])
    together = hdr_flip(refs, dists)
    alone = torch.cat([hdr_flip(refs[i : i + 1], dists[i : i + 1]).value for i in (0, 1)])
    torch.testing.assert_close(together.value, alone)
    assert together.extra["exposures"][0] != together.extra["exposures"][1]


def test_the_scale_of_light_does_not_matter_and_half_the_light_in_the_test_image_does():
    ref, dist = scene("HDR")
    torch.testing.assert_close(hdr_flip(ref, dist).value, hdr_flip(1e-3 * ref, 1e-3 * dist).value)
    assert hdr_flip(ref, 0.5 * ref).value.item() > 0.05


def test_exposures_that_cannot_be_are_refused_in_one_line():
    ref, dist = scene("HDR")
    dark = torch.zeros_like(ref)
    with pytest.raises(UsageError, match="above its last"):
        hdr_flip(ref, dist, start_exposure=2.0, stop_exposure=1.0)
    with pytest.raises(UsageError, match="-1 exposures"):
        hdr_flip(ref, dist, exposures=-1)
    with pytest.raises(PixelError, match="black"):
        hdr_flip(dark, dist)
    lamp = dark.clone()
    lamp[..., 3, 3] = 5.0
    with pytest.raises(PixelError, match="more than half"):
        hdr_flip(lamp, dist)
    assert hdr_flip(lamp, dist, stop_exposure=4.0).value.isfinite().all()


def test_the_exposure_map_shows_where_the_largest_error_was_reached_first():
    ref, dist = scene("HDR")
    dist = ref.clone()
    bright, dark = (slice(12, 18), slice(32, 38)), (slice(30, 36), slice(5, 15))
    for rows, columns in (bright, dark):
        dist[..., rows, columns] *= 1.3
    given = {"ppd": 4.0, "start_exposure": -11.0, "stop_exposure": -4.0, "exposures": 8}
    found, shown = hdr_flip(ref, dist, **given), hdr_flip(ref, dist, show="exposure", **given)
    torch.testing.assert_close(found.value, shown.value)
    alone = torch.cat(
        [
            hdr_flip(ref, dist, ppd=4.0, start_exposure=e, stop_exposure=e, exposures=1).map
            for e in range(-11, -3)
        ]
    )
    torch.testing.assert_close(found.map, alone.amax(0, keepdim=True))
    torch.testing.assert_close(shown.map, alone.max(0, keepdim=True).indices.double() / 7)
    assert shown.map[(..., *bright)].mean() < shown.map[(..., *dark)].mean()


def test_the_command_draws_errors_in_magma_and_exposures_in_viridis(tmp_path):
    from matplotlib import colormaps
    from PIL import Image as Picture

    from hdrq import io
    from hdrq.cli import main
    from hdrq.records import Image

    pair = [image.float() for image in scene("HDR")]
    paths = [tmp_path / name for name in ("ref.exr", "test.exr")]
    for path, image in zip(paths, pair):
        io.write(path, Image(image, "nits"), depth="float")
    given = [
        *map(str, paths),
        "-m",
        "hdr-flip,exposures=3,ppd=67",
        "-m",
        "hdr-flip,exposures=3,ppd=67,show=exposure",
    ]
    with pytest.raises(SystemExit) as left:
        main(["score", *given, "--map", str(tmp_path / "maps")])
    assert not left.value.code
    for ending, shown, name in (("", "error", "magma"), ("_show=exposure", "exposure", "viridis")):
        drawn = np.asarray(Picture.open(tmp_path / f"maps/test.hdr-flip_exposures=3_ppd=67{ending}.png"))
        values = hdr_flip(*pair, exposures=3, ppd=67.0, show=shown).map[0, 0].numpy()
        table = (colormaps[name](np.arange(256))[:, :3] * 255).round()
        times = drawn.shape[1] // values.shape[1]
        body = drawn[: times * values.shape[0] : times, ::times].astype(float)
        np.testing.assert_allclose(body, table[np.floor(values * 255 + 0.5).astype(int)], atol=4)


def test_exposures_go_from_the_brightest_luminance_to_the_upper_median():
    """Reinhard's curve gives 0.85 at 17/3; of four luminances the third is the median, as in the program."""
    from hdrq.scoring.metrics.hdr_flip import exposure_series

    grey = torch.tensor([8.0, 1.0, 2.0, 4.0], dtype=torch.float64).view(1, 1, 2, 2).expand(-1, 3, -1, -1)
    stops = exposure_series(grey, "reinhard", None, None, 0)
    assert stops == pytest.approx([np.log2(17 / 3 / 8), np.log2(17 / 3 / 4)])
    assert exposure_series(grey, "reinhard", -3.0, 1.5, 0) == pytest.approx([-3.0, -1.875, -0.75, 0.375, 1.5])

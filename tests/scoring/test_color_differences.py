"""Colour differences of light: colour-science 0.4.7 (numbers here and in ../shared/golden/broadcast), and what must be true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from color_scenes import light
from hdrq import registry
from hdrq.image.color import convert
from hdrq.records import BT709, BT2020, P3, PRIMARIES
from hdrq.scoring.features.pixel_errors import percentile, weighted_pool

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/color_differences.json").read_text())["cases"]
NAMES = ("delta-e-itp", "delta-e-76", "delta-e-94", "delta-e-2000", "hyab", "delta-e-z")
COLOUR = {
    "ITP": 0,
    "CIE1976": 1,
    "CIE1994": 2,
    "CIE2000": 3,
    "HyAB": 4,
    "Jzazbz": 5,
}  # golden key: place in NAMES
POOLS = ("mean", "rms", "median", "p95", "p99", "max")


def scene(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return tuple(torch.from_numpy(a).permute(2, 0, 1)[None].to(dtype).contiguous() for a in light())  # type: ignore[return-value]


def small(seed: int = 0, channels: int = 3) -> tuple[Tensor, Tensor]:
    """(1, C, 5, 7) float64, 1 to 1000 cd/m², and 5 % beside it."""
    random = torch.Generator().manual_seed(seed)
    ref, noise = torch.rand(2, 1, channels, 5, 7, generator=random, dtype=torch.float64)
    return 10 ** (3 * ref), 10 ** (3 * ref) * (0.95 + 0.1 * noise)


def options(name: str, **wanted) -> dict:
    return {k: v for k, v in wanted.items() if k in registry.find("metric", name).options or k == "primaries"}


@pytest.mark.parametrize("primaries", GOLDEN)
@pytest.mark.parametrize("name", NAMES)
def test_colour_science_agrees_on_a_rendered_scene(name, primaries):
    case, metric = GOLDEN[primaries], registry.find("metric", name)
    ref, dist = scene()
    given = options(name, white=case["white"], primaries=PRIMARIES[primaries])
    expected = case["values"][name]
    found = {pool: metric(ref, dist, pool=pool, **given).value.item() for pool in POOLS}
    found["pixel_12_34"] = metric(ref, dist, **given).map[0, 0, 12, 34].item()
    assert found == pytest.approx(expected, rel=1e-8, abs=3e-9)
    coarse = metric(ref.float(), dist.float(), **given)
    assert coarse.value.dtype == torch.float32
    assert coarse.value.item() == pytest.approx(expected["mean"], rel=1e-5)
    assert metric(ref.float(), dist.float(), pool="p95", **given).value.item() == pytest.approx(
        expected["p95"], rel=3e-5
    )


@pytest.mark.shared
@pytest.mark.parametrize("case", range(12))
def test_colour_science_agrees_on_real_images(golden, golden_input, case):
    case = golden("broadcast")["outputs"]["colour"][case]
    ref = golden_input(case["ref"])
    test = case["test"] if isinstance(case["test"], dict) else {"name": case["test"]}
    dist = golden_input(test["name"]) * test.get("scale", 1)
    primaries = {"BT.709": BT709, "BT.2020": BT2020}[case["primaries"]]
    rows, columns = case["sample"]["y"], case["sample"]["x"]
    for key, index in COLOUR.items():
        name, expected = NAMES[index], case["out"][key]
        found = registry.find("metric", name)(
            ref, dist, **options(name, white=float(case["white_Y"]), primaries=primaries)
        )
        assert found.value.item() == pytest.approx(expected["mean"], rel=1e-8)
        assert found.map.square().mean().sqrt().item() == pytest.approx(expected["rms"], rel=1e-8)
        assert found.map.max().item() == pytest.approx(expected["max"], rel=1e-8)
        assert found.map[0, 0, rows, columns].tolist() == pytest.approx(
            expected["pixels"], rel=1e-8, abs=1e-8
        )
        for pool, percent in (("p95", 95), ("p99", 99), ("median", 50)):
            assert percentile(found.map.flatten(1), percent).item() == pytest.approx(expected[pool], rel=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_light_in_other_primaries_gives_the_same_number(name):
    ref, dist = scene()
    metric = registry.find("metric", name)
    expected = metric(ref, dist, primaries=BT709).value
    for wide in (BT2020, P3):
        pair = (convert(image, BT709, wide) for image in (ref, dist))
        torch.testing.assert_close(metric(*pair, primaries=wide).value, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_one_channel_is_the_same_as_three_equal_ones(name):
    ref, dist = small(channels=1)
    metric = registry.find("metric", name)
    alone, grey = metric(ref, dist), metric(ref.expand(-1, 3, -1, -1), dist.expand(-1, 3, -1, -1))
    torch.testing.assert_close(alone.map, grey.map, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_colour_differences_are_zero_for_equal_light_and_have_a_gradient_everywhere(name):
    metric = registry.find("metric", name)
    ref, _ = small()
    ref[..., 0, :] = 0.0  # black
    ref[..., 1, :] = ref[:, :1, 1, :]  # grey
    ref[..., 2, :] *= 100  # above the white
    dist = ref.clone().requires_grad_()
    found = metric(ref, dist)
    assert found.value.item() == 0
    found.value.sum().backward()
    assert dist.grad is not None
    assert dist.grad.isfinite().all()
    black = torch.zeros_like(ref).requires_grad_()
    metric(ref, black).value.sum().backward()
    assert black.grad.isfinite().all()


@pytest.mark.parametrize("pool", ["mean", "p95"])
@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_the_slope_and_a_step_down_it_helps(name, pool):
    metric = registry.find("metric", name)
    ref, dist = small(1)
    assert torch.autograd.gradcheck(
        lambda x: metric(ref, x, pool=pool).value, dist.requires_grad_(), atol=1e-6, fast_mode=True
    )
    before = metric(ref, dist, pool=pool).value
    before.sum().backward()
    step = dist.grad / dist.grad.abs().max() * 1e-3
    assert metric(ref, (dist - step).detach(), pool=pool).value.item() < before.item()


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_its_images_and_one_pixel_is_enough(name):
    metric = registry.find("metric", name)
    pairs = [small(seed) for seed in (2, 3)]
    together = metric(*(torch.cat(side) for side in zip(*pairs))).value
    alone = torch.cat([metric(*pair).value for pair in pairs])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)
    assert metric(*(image[..., :1, :1] for image in pairs[0]), pool="p99").value.isfinite().all()


def test_delta_e_94_weighs_by_the_reference_and_the_white_scales_lightness():
    ref, dist = small(4)
    swapped = registry.find("metric", "delta-e-94")(dist, ref).value
    assert registry.find("metric", "delta-e-94")(ref, dist).value.item() != pytest.approx(
        swapped.item(), rel=1e-4
    )
    lab = registry.find("metric", "delta-e-76")
    torch.testing.assert_close(lab(ref, dist, white=100.0).value, lab(7 * ref, 7 * dist, white=700.0).value)


def test_ciede2000_takes_hues_along_the_shorter_arc():
    """Pairs 7 to 16 of Sharma, Wu, Dalal 2005: hues on both sides of 0 and of 180 degrees."""
    from hdrq.scoring.features.color_difference import ciede2000

    pairs = [
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.49, -0.001), (50, -2.49, 0.0010), 7.1792),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.49, -0.001), (50, -2.49, 0.0012), 7.2195),
        ((50, -0.001, 2.49), (50, 0.0009, -2.49), 4.8045),
        ((50, -0.001, 2.49), (50, 0.0010, -2.49), 4.8045),
        ((50, -0.001, 2.49), (50, 0.0011, -2.49), 4.7461),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ]
    a, b = (torch.tensor([p[i] for p in pairs], dtype=torch.float64)[:, :, None, None] for i in (0, 1))
    expected = [p[2] for p in pairs]
    assert ciede2000(a, b).flatten().tolist() == pytest.approx(expected, abs=5e-5)
    naive = ciede2000(a, b, naive_hue=True).flatten()
    assert (naive - ciede2000(a, b).flatten()).abs().max() > 0.02


def test_weighted_percentiles_are_the_first_errors_beyond_their_share():
    errors = torch.tensor([[[[4.0, 0.0], [1.0, 3.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    found = {how: weighted_pool(errors, how).tolist() for how in ("mean", "q1", "median", "q3", "min", "max")}
    assert found == {
        "mean": [2, 0],
        "q1": [3, 0],
        "median": [4, 0],
        "q3": [4, 0],
        "min": [0, 0],
        "max": [4, 0],
    }


def test_the_command_scores_light_and_says_which_white_it_took(tmp_path, capsys):
    from hdrq import io
    from hdrq.cli import main
    from hdrq.records import Image

    pair = scene(torch.float32)
    paths = [str(tmp_path / name) for name in ("ref.exr", "test.exr")]
    for path, image in zip(paths, pair):
        io.write(Path(path), Image(image, "nits"), depth="float")
    asked = [text for name in NAMES for text in ("-m", f"{name},pool=p95")]
    with pytest.raises(SystemExit) as left:
        main(["score", *paths, *asked, "-m", "hyab,white=203", "--format", "json"])
    assert not left.value.code
    rows = json.loads(capsys.readouterr().out)
    expected = [GOLDEN["bt709"]["values"][name]["p95"] for name in NAMES]
    assert [row["value"] for row in rows[:-1]] == pytest.approx(expected, rel=1e-4)
    whites = [("L* = 100 at" in row["how"]) for row in rows[:-1]]
    assert whites == ["white" in registry.find("metric", name).options for name in NAMES]
    assert "L* = 100 at 203 cd/m², D65" in rows[-1]["how"]
    with pytest.raises(SystemExit) as left:
        main(["score", *paths, "-m", "hyab,white=0"])
    assert left.value.code == 3
    assert "above 0, not 0" in capsys.readouterr().err

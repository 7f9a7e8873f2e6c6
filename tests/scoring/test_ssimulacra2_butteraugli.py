"""SSIMULACRA 2.1 and Butteraugli: libjxl's numbers, exact values, and what must be true of any input."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image as Picture
from torch import Tensor

import hdrq
from hdrq.cli import main
from hdrq.image.filters import separable
from hdrq.image.render import distort, room
from hdrq.scoring.features import malta as lines
from hdrq.scoring.features.butteraugli_bands import blur
from hdrq.scoring.metrics.butteraugli import butteraugli
from hdrq.scoring.metrics.ssimulacra2 import cosine_taps, errors, ssimulacra2
from shared_folder import SHARED

both = pytest.mark.parametrize("metric", [ssimulacra2, butteraugli], ids=["ssimulacra2", "butteraugli"])


def cases(folder: str) -> list:
    path = SHARED / "golden" / folder / "golden.json"
    found = json.loads(path.read_text())["outputs"]["cases"] if path.is_file() else []
    small = [
        c for c in found if isinstance(c["ref"], dict) or c["ref"][:4] in ("wavc", "nanc", "oxf_", "ldr_")
    ]
    return small[::3] if folder == "butteraugli" else found[::2] + found[9:10]


def linear(case: dict, key: str) -> Tensor:
    """Light as the programs were given it, cd/m²."""
    name = case[key]["name"] if isinstance(case[key], dict) else case[key]
    a = np.load(SHARED / "golden" / "inputs" / f"{name}.npz")["a"]
    if isinstance(case[key], dict):
        top, bottom, left, right = case[key]["crop"]
        a = a[top:bottom, left:right]
    x = a.astype(np.float64)
    if case["input"].startswith("SDR"):
        x /= np.iinfo(a.dtype).max
        x = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    else:
        x /= 10000
    x = x.astype(np.float32).astype(np.float64) * case["intensity_target"]
    return torch.from_numpy(x).permute(2, 0, 1)[None].contiguous()


def pair(h: int = 47, w: int = 61, channels: int = 3) -> tuple[Tensor, Tensor]:
    """A crop of the rendered room that holds the window's edge, float64, cd/m², and its careless copy."""
    ref = room(120, 80).double()[..., 10 : 10 + h, 20 : 20 + w]
    dist = distort(ref, seed=3)
    return ref[:, :channels].contiguous(), dist[:, :channels].contiguous()


@pytest.mark.shared
@pytest.mark.parametrize("case", cases("ssimulacra2"), ids=lambda c: str(c["test"]))
def test_ssimulacra2_is_the_exact_value_and_near_the_program(case):
    """libjxl aea3a06; its own score is float32 and up to 0.1 below the exact value, 1 where images nearly agree."""
    ref, dist = linear(case, "ref"), linear(case, "test")
    found = ssimulacra2(ref, dist, maps=False).value.item()
    assert found == pytest.approx(case["float64"], abs=1e-6)
    assert found == pytest.approx(case["score"], abs=0.1 if case["score"] < 95 else 1)
    single = ssimulacra2(ref.float(), dist.float(), maps=False).value.item()
    assert single == pytest.approx(case["float64"], abs=1e-3)


@pytest.mark.shared
@pytest.mark.parametrize(
    "case",
    cases("butteraugli"),
    ids=lambda c: f"{c['test']}-{c['intensity_target']}-{c['hf_asymmetry']}-{c['xmul']}",
)
def test_butteraugli_is_libjxls(case):
    """libjxl aea3a06, distance and 3-norm, and their exact values."""
    ref, dist = linear(case, "ref"), linear(case, "test")
    found = butteraugli(ref, dist, hf_asymmetry=case["hf_asymmetry"], xmul=case["xmul"])
    distance, norm = found.value.item(), found.extra["p_norm"].item()
    assert distance == pytest.approx(case["score"], rel=2e-5)
    assert norm == pytest.approx(case["pnorm_3"], rel=2.5e-5)
    assert distance == pytest.approx(case["float64"]["score"], rel=1e-7)
    assert norm == pytest.approx(case["float64"]["pnorm_3"], rel=1e-7)


@pytest.mark.shared
def test_butteraugli_maps_and_norms_are_libjxls(shared, golden):
    stored = np.load(shared / "golden" / "butteraugli" / "maps.npz")
    for case in golden("butteraugli")["outputs"]["cases"]:
        if case["test"] not in ("nancyo_blur1", "oxf_noise") or case["hf_asymmetry"] != 1:
            continue
        ref, dist = (linear(case, key).float() for key in ("ref", "test"))
        found = butteraugli(ref, dist)
        assert np.abs(found.map[0, 0, ::3, ::3].numpy() - stored[case["test"]]).max() < 1e-4
        for p in (1, 12)[: 2 * (case["test"] == "oxf_noise")]:
            if f"pnorm_{p}" in case:
                again = butteraugli(ref, dist, pool="p-norm", p=float(p))
                assert again.value.item() == pytest.approx(case[f"pnorm_{p}"], rel=3e-5)


def test_the_gaussian_of_ssimulacra2_is_the_one_of_its_program():
    """Taps as the recursion of libjxl amounts to (eight digits)."""
    expected = (0.00941437, 0.03601111, 0.10933537, 0.21292859, 0.26462111)
    assert cosine_taps() == pytest.approx((*expected, *expected[3::-1]), abs=5e-9)
    assert sum(cosine_taps()) == pytest.approx(1, abs=1e-12)


def test_the_structure_error_is_one_minus_contrast_structure():
    """The published form, written out; here it is taken from the difference of the planes."""
    ref, dist = (
        torch.rand(1, 1, 20, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(k))
        for k in (1, 2)
    )
    taps = torch.tensor(cosine_taps(), dtype=torch.float64)

    def smooth(x: Tensor) -> Tensor:
        return separable(x, taps, border="zero")

    m1, m2 = smooth(ref), smooth(dist)
    s11, s22, s12 = smooth(ref * ref) - m1 * m1, smooth(dist * dist) - m2 * m2, smooth(ref * dist) - m1 * m2
    expected = 1 - (1 - (m1 - m2) ** 2) * (2 * s12 + 0.0009) / (s11 + s22 + 0.0009)
    edges = (1 + (dist - m2).abs()) / (1 + (ref - m1).abs()) - 1
    structure, edge = (torch.cat(parts, -2) for parts in zip(*errors(ref, dist)))
    torch.testing.assert_close(structure, expected.clamp(min=0), atol=1e-12, rtol=0)
    torch.testing.assert_close(edge, edges, atol=1e-12, rtol=0)


def test_the_map_of_ssimulacra2_has_the_error_as_its_mean():
    ref, dist = pair(64, 96)
    found = ssimulacra2(ref, dist)
    assert found.map.shape == (1, 1, 64, 96)
    assert found.map.mean().item() == pytest.approx(found.extra["error"].item(), rel=1e-12)
    spoilt = ref.clone()
    spoilt[..., 40:56, 64:80] *= 1.2
    there = ssimulacra2(ref, spoilt).map[0, 0]
    assert there[40:56, 64:80].mean() > 4 * there.mean()
    assert there[:16, :16].mean() < 0.1 * there.mean()
    without = ssimulacra2(ref, dist, maps=False)
    assert without.map is None
    assert without.value.item() == found.value.item()


LONG = (
    "01 02 03 04|10 20 30 40|11 22 33|1-1 2-2 3-3|10 2-1 3-1 4-1|10 21 31 41|01 12 13 14|01 -12 -13 -14|"
    "11 21 32|1-1 2-1 3-2|11 12 23|1-1 1-2 2-3|01 -12 -13 -14|01 12 13 14|10 21 31 41|10 2-1 3-1 4-1"
)
SPARSE = "02 04|20 40|22 33|2-2 3-3|2-1 4-1|21 41|12 14|-12 -14|21 32|2-1 3-2|12 23|1-2 2-3|-12 -24|12 24|21 42|2-1 4-2"


def offsets(text: str) -> list[tuple[int, int]]:
    found = []
    for word in text.split():
        first = word[:2] if word[0] == "-" else word[:1]
        found.append((int(first), int(word[len(first) :])))
    return [(0, 0), *found, *((-y, -x) for y, x in found)]


@pytest.mark.parametrize(("kind", "text"), [("full", LONG), ("sparse", SPARSE)])
def test_malta_adds_the_squares_of_sixteen_lines(kind, text):
    """The sixteen lines of libjxl as a list of samples, one by one."""
    a, b = (
        torch.randn(2, 1, 17, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(k))
        for k in (3, 4)
    )
    d = (1.3 * (a - b) + 0.7 * lines.excess(a, b, 0.55, 1.05)) / (0.4 + (a.abs() + b.abs()) / 2)
    wide = F.pad(d, (4, 4, 4, 4))
    expected = torch.zeros_like(d)
    for line in text.split("|"):
        expected += sum(wide[..., 4 + y : 21 + y, 4 + x : 16 + x] for y, x in offsets(line)) ** 2
    torch.testing.assert_close(lines.malta(a, b, (1.3, 0.7, 0.4), kind), expected)


def test_what_lies_beyond_the_reference_is_measured_from_its_near_end():
    ref = torch.tensor([2.0, 2.0, 2.0, -2.0, -2.0, -2.0, 0.0])
    dist = torch.tensor([0.5, 1.5, 3.0, -0.5, -3.0, 1.0, 0.7])
    expected = torch.tensor([0.6, 0.0, -0.9, -0.6, 0.9, -2.1, -0.7])
    torch.testing.assert_close(lines.excess(ref, dist, 0.55, 1.05), expected)


@pytest.mark.parametrize(("sigma", "taps"), [(1.56416327805, 3), (2.7, 6), (7.15593339443, 16)])
def test_the_blurs_of_butteraugli_keep_flat_light_up_to_the_border(sigma, taps):
    point = torch.zeros(1, 1, 1, 41, dtype=torch.float64)
    point[..., 20] = 1
    assert int((blur(point, sigma) > 0).sum()) == 2 * taps + 1
    flat = torch.full((1, 1, 9, 23), 3.0, dtype=torch.float64)
    torch.testing.assert_close(blur(flat, sigma), flat)


@both
def test_identical_images_are_best_with_a_finite_gradient(metric):
    ref, _ = pair()
    for light in (ref, ref.float(), torch.full_like(ref, 30.0), torch.zeros_like(ref)):
        dist = light.clone().requires_grad_()
        found = metric(light, dist)
        assert found.value.item() == metric.card.best
        found.value.sum().backward()
        assert dist.grad.isfinite().all()


@both
def test_more_noise_is_worse_and_a_gradient_step_better(metric):
    ref, _ = pair()
    sign = 1 if metric.card.better == "higher" else -1
    noise = torch.randn(ref.shape, generator=torch.Generator().manual_seed(0), dtype=ref.dtype)
    values = [
        sign * metric(ref, ref * (1 + amount * noise).clamp(min=0.01)).value.item()
        for amount in (0.01, 0.05, 0.2)
    ]
    assert values == sorted(values, reverse=True)
    for options in [{}] if metric is ssimulacra2 else [{}, {"pool": "p-norm"}]:
        dist = (ref * (1 + 0.05 * noise)).requires_grad_()
        before = metric(ref, dist, **options).value
        before.sum().backward()
        step = 1e-3 * ref.mean() * dist.grad / dist.grad.norm()
        after = metric(ref, (dist + sign * step).detach(), **options).value
        assert sign * after.item() > sign * before.item()


@both
@pytest.mark.parametrize("options", [{}, {"pool": "p-norm"}], ids=["", "p-norm"])
def test_the_gradient_is_that_of_differences(metric, options):
    if metric is ssimulacra2 and options:
        pytest.skip("has no such option")
    ref, dist = (x.clone().requires_grad_() for x in pair(17, 16))

    def value(a: Tensor, b: Tensor) -> Tensor:
        return metric(a, b, **options).value

    assert torch.autograd.gradcheck(value, (ref, dist), eps=1e-6, atol=1e-5, rtol=1e-3, fast_mode=True)


@both
def test_a_batch_equals_its_images_and_strips_the_whole(metric, monkeypatch):
    ref, dist = pair(81, 60)
    flipped = ref.flip(-1), dist.flip(-2)
    together = metric(torch.cat((ref, flipped[0])), torch.cat((dist, flipped[1])))
    alone = [metric(ref, dist), metric(*flipped)]
    torch.testing.assert_close(together.value, torch.cat([a.value for a in alone]), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(together.map, torch.cat([a.map for a in alone]), rtol=1e-10, atol=1e-10)
    monkeypatch.setattr("hdrq.image.filters.CACHE", 2000)
    torch.testing.assert_close(metric(ref, dist).value, alone[0].value, rtol=1e-12, atol=1e-12)


@both
def test_one_channel_is_grey_light(metric):
    ref, dist = pair(33, 31, channels=1)
    three = (x.expand(-1, 3, -1, -1) for x in (ref, dist))
    assert metric(ref, dist).value.item() == metric(*three).value.item()


@pytest.mark.parametrize("size", [(8, 8), (8, 9), (15, 8), (7, 3), (1, 1)])
def test_the_smallest_sizes_have_a_value(size):
    ref, dist = pair(*size)
    found = butteraugli(ref, dist)
    assert found.value.item() > 0
    if min(size) >= 8:
        assert ssimulacra2(ref, dist).value.item() < 100
        assert found.map.shape[-2:] == size
    else:
        grown = F.pad(
            torch.cat((ref, dist)),
            [
                n
                for side in size[::-1]
                for n in (max(8 - side, 0) // 2, max(8 - side, 0) - max(8 - side, 0) // 2)
            ],
            mode="replicate",
        )
        assert found.value.item() == butteraugli(*grown.split(1)).value.item()


def test_both_metrics_depend_on_which_image_is_the_reference():
    ref, dist = pair()
    for metric in (ssimulacra2, butteraugli):
        assert abs(metric(ref, dist).value - metric(dist, ref).value).item() > 1e-3


def test_files_of_srgb_count_as_the_programs_read_them(tmp_path, capsys):
    """White at 255 cd/m² for SSIMULACRA 2; for Butteraugli the display's light, or the white that is asked for."""
    code = (torch.rand(40, 50, 3, generator=torch.Generator().manual_seed(0)) * 255).byte().numpy()
    noisy = (code.astype(int) + np.arange(50)[:, None] % 7).clip(0, 255).astype(np.uint8)
    for name, pixels in (("a", code), ("b", noisy)):
        Picture.fromarray(pixels).save(tmp_path / f"{name}.png")
    light = [torch.from_numpy(x / 255.0).permute(2, 0, 1)[None] for x in (code, noisy)]
    light = [torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) for x in light]
    images = [hdrq.read(tmp_path / f"{name}.png") for name in "ab"]
    expected = ssimulacra2(*(255 * x for x in light)).value.item()
    assert hdrq.metric("ssimulacra2")(*images).item() == pytest.approx(expected, abs=1e-3)
    assert hdrq.metric("ssimulacra2", display="sdr-office")(*images).item() == pytest.approx(
        expected, abs=1e-3
    )
    tool = butteraugli(*(80 * x for x in light)).value.item()
    found = hdrq.metric("butteraugli,intensity_target=80")(*images).item()
    assert found == pytest.approx(tool, rel=1e-4)
    shown = butteraugli(*(99.9 * x + 0.1 for x in light)).value.item()
    assert hdrq.metric("butteraugli")(*images).item() == pytest.approx(shown, rel=1e-4)
    pngs = [str(tmp_path / f"{name}.png") for name in "ab"]
    with pytest.raises(SystemExit, match="0"):
        main(["score", *pngs, "-m", "ssimulacra2", "--format", "csv"])
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert float(row["value"]) == pytest.approx(expected, abs=1e-3)

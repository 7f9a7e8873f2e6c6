"""tPSNR, tOSNR, PSNR-DE, PSNR-L, mPSNR and wPSNR: HDRTools, the EVC software, and plain numpy on a rendered scene."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import pytest
import torch
from torch import Tensor

from color_scenes import light
from hdrq import registry
from hdrq.image.caching import sharing
from hdrq.image.color import convert
from hdrq.records import BT709, BT2020, P3, Primaries
from hdrq.scoring.features import hdrtools_light
from hdrq.scoring.metrics.mpsnr import mpsnr
from hdrq.scoring.metrics.psnr_de import psnr_de
from hdrq.scoring.metrics.psnr_l import psnr_l
from hdrq.scoring.metrics.tosnr import tosnr
from hdrq.scoring.metrics.tpsnr import tpsnr
from hdrq.scoring.metrics.wpsnr import codes, wpsnr

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/video_and_structure.json").read_text())["values"]
TRANSFERS = {
    "combo_default": "pq+philips",
    "PQ": "pq",
    "DE": "cube-root",
    "PQnoise": "pq-toe",
    "null": "none",
    "HPQ": "pq-709",
    "HPQ2": "pq-gamma",
}
SPACES = {
    "xyz": ("XYZ", "X Y Z"),
    "rgb": ("RGB", "R G B"),
    "ycbcr": ("YCbCr", "Y' Cb Cr"),
    "yuv": (None, "Y u v"),
}
PRIMARIES = {"BT.709": BT709, "BT.2020": BT2020, "P3-D65": P3}
ALL = [
    pytest.param(name, options, id=f"{name}{options or ''}")
    for name, options in (
        ("tpsnr", {}),
        *(("tpsnr", {"transfer": t}) for t in TRANSFERS.values()),
        ("tpsnr", {"space": "ycbcr"}),
        ("tpsnr", {"space": "yuv"}),
        ("tosnr", {}),
        ("psnr-de", {}),
        ("psnr-de", {"variant": "ciede2000", "white": 1000.0}),
        ("psnr-de", {"pool": "max"}),
        ("psnr-l", {}),
        ("psnr-l", {"variant": "ciede2000"}),
    )
]


def scene(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return tuple(torch.from_numpy(a).permute(2, 0, 1)[None].to(dtype).contiguous() for a in light())  # type: ignore[return-value]


def small(seed: int = 0) -> tuple[Tensor, Tensor]:
    """(1, 3, 4, 5) float64, 0.005 to 5000 cd/m², and 5 % beside it."""
    random = torch.Generator().manual_seed(seed)
    ref, noise = torch.rand(2, 1, 3, 4, 5, generator=random, dtype=torch.float64)
    return 10 ** (6 * ref - 2.3), 10 ** (6 * ref - 2.3) * (0.95 + 0.1 * noise)


@pytest.mark.parametrize("transfer", TRANSFERS.values())
def test_tpsnr_and_tosnr_are_those_of_plain_numpy(transfer):
    ref, dist = scene()
    expected = GOLDEN["tpsnr"][transfer]
    found = {
        space: tpsnr(ref, dist, transfer=transfer, space=space).value.item()
        for space in ("rgb", "xyz", "ycbcr")
    }
    found["tosnr"] = tosnr(ref, dist, transfer=transfer).value.item()
    assert found == pytest.approx(expected, abs=1e-9)
    assert tpsnr(ref.float(), dist.float(), transfer=transfer).value.item() == pytest.approx(
        expected["xyz"], abs=1e-3
    )


@pytest.mark.parametrize("white", [100, 1000, 5000])
def test_psnr_de_and_psnr_l_are_those_of_plain_numpy(white):
    ref, dist = scene()
    found = [psnr_de(ref, dist, white=float(white), pool=pool).value.item() for pool in ("mean", "max")]
    found.append(psnr_l(ref, dist, white=float(white)).value.item())
    assert found == pytest.approx(GOLDEN[f"white {white}"], abs=1e-9)


def test_mpsnr_and_wpsnr_are_those_of_plain_numpy():
    ref, dist = scene()
    assert mpsnr(ref, dist, variant="hdrtools").value.item() == pytest.approx(GOLDEN["mpsnr"], abs=1e-9)
    found = wpsnr(ref, dist, primaries=BT2020)
    planes = [found.value.item(), found.extra["cb"].item(), found.extra["cr"].item()]
    assert planes == pytest.approx(GOLDEN["wpsnr"], abs=1e-9)
    assert [wpsnr(ref, dist, primaries=BT2020, channel=c).value.item() for c in ("y", "cb", "cr")] == planes


@pytest.mark.shared
@pytest.mark.parametrize("number", range(13))
def test_hdrtools_agrees_on_real_images(golden, golden_input, number):
    """HDRTools c6670c1. Where images are identical it prints 0 dB, and these are infinite."""
    case = golden("broadcast")["outputs"]["hdrtools"][number]
    ref = golden_input(case["ref"])
    test = case["test"] if isinstance(case["test"], dict) else {"name": case["test"]}
    dist = golden_input(test["name"]) * test.get("scale", 1)
    given = {"peak": case["maxSampleValue"], "primaries": PRIMARIES[case["primaries"]]}
    out = {k: float(v) if isinstance(v, str) else v for k, v in case["out"].items()}
    same = torch.equal(ref, dist)
    with torch.no_grad(), sharing():
        for key, transfer in TRANSFERS.items():
            expected = {k: inf if same or v == 0 else v for k, v in out[f"tPSNR_{key}"].items()}
            for space, (whole, planes) in SPACES.items():
                found = tpsnr(ref, dist, transfer=transfer, space=space, **given)
                each = dict(zip(planes.split(), (v.item() for v in found.extra.values())))
                assert each == pytest.approx({k: expected[k] for k in each}, abs=1e-6)
                assert whole is None or found.value.item() == pytest.approx(expected[whole], abs=1e-6)
            found = tosnr(ref, dist, transfer=transfer, **given)
            assert found.value.item() == pytest.approx(expected["OSNR_XYZ"], abs=1e-6)
        for white in (100, 1000, 5000):
            found = psnr_de(ref, dist, white=float(white), **given)
            assert found.value.item() == pytest.approx(out[f"PSNR_DE{white:04d}"], abs=1e-6)
            assert found.extra["delta_e_mean"].item() == pytest.approx(out[f"A_DeltaE{white:04d}"], rel=1e-8)
            found = psnr_l(ref, dist, white=float(white), **given)
            assert found.value.item() == pytest.approx(out[f"PSNR_L{white:04d}"], abs=1e-6)
        found = psnr_de(ref, dist, pool="max", **given)
        assert found.value.item() == pytest.approx(out["PSNR_MD0100"], abs=1e-6)
        found = mpsnr(ref, dist, variant="hdrtools")
        expected = [inf if same else out[f"mPSNR_{k}"] for k in ("plain", "Y", "U", "V")]
        assert [found.value.item(), *(v.item() for v in found.extra.values())] == pytest.approx(
            expected, abs=1e-6
        )


@pytest.mark.shared
@pytest.mark.parametrize("number", range(11))
def test_the_evc_software_agrees_on_real_images(golden, golden_input, number):
    """find_wpsnr_10bit of the EVC reference software; for identical codes it prints 100 dB, and these are infinite."""
    case = golden("broadcast")["outputs"]["wpsnr"][number]
    ref, dist = golden_input(case["ref"]), golden_input(case["test"])
    sums = [int(plane.sum()) for plane in codes(ref, BT2020)]
    assert sums == [case["Y_sum"], case["Cb_sum"], case["Cr_sum"]]
    found = wpsnr(ref, dist, primaries=BT2020)
    expected = [inf if case["ref"] == case["test"] else case[f"wPSNR_{k}"] for k in ("Y", "Cb", "Cr")]
    assert [found.value.item(), *(v.item() for v in found.extra.values())] == pytest.approx(
        expected, abs=1e-9
    )


@pytest.mark.parametrize(
    ("name", "options"), [*ALL, pytest.param("wpsnr", {}), pytest.param("mpsnr", {"variant": "hdrtools"})]
)
def test_identical_light_is_infinite_with_a_finite_gradient_and_noise_orders(name, options):
    metric = registry.find("metric", name)
    ref, _ = small()
    dist = ref.clone().requires_grad_()
    found = metric(ref, dist, **options).value
    assert found.item() == inf
    found.sum().backward()
    assert dist.grad.isfinite().all()
    wave = torch.linspace(-1, 1, ref.numel(), dtype=ref.dtype).view_as(ref)
    worse = [metric(ref, ref * (1 + k * wave), **options).value.item() for k in (0.03, 0.1, 0.3)]
    assert inf > worse[0] > worse[1] > worse[2]


@pytest.mark.parametrize(("name", "options"), ALL)
def test_the_gradient_is_the_slope_and_a_step_up_it_helps(name, options):
    metric = registry.find("metric", name)
    ref, dist = small(1)
    scale = dist.detach().clone()  # the slope by stops: light spans six decades
    factor = torch.ones_like(dist).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda f: metric(ref, scale * f, **options).value, factor, atol=1e-5, fast_mode=True
    )
    before = metric(ref, scale * factor, **options).value
    before.sum().backward()
    step = factor.grad / factor.grad.abs().max() * 1e-3
    assert metric(ref, (scale * (factor + step)).detach(), **options).value.item() > before.item()


@pytest.mark.parametrize("metric", [wpsnr, mpsnr], ids=["wpsnr", "mpsnr"])
def test_a_step_along_the_gradient_past_rounding_helps(metric):
    ref, dist = (image[..., :20, :20] for image in scene())
    options = {"variant": "hdrtools"} if metric is mpsnr else {}
    dist = dist.clone().requires_grad_()
    before = metric(ref, dist, **options).value
    before.sum().backward()
    step = dist.grad * dist.detach() ** 2
    after = metric(
        ref, (dist + 0.02 * dist * step / (step / dist).abs().max() / dist).detach(), **options
    ).value
    assert after.item() > before.item()


@pytest.mark.parametrize(
    ("name", "options"), [*ALL, pytest.param("wpsnr", {}), pytest.param("mpsnr", {"variant": "hdrtools"})]
)
def test_batches_one_channel_and_the_smallest_sides(name, options):
    metric = registry.find("metric", name)
    pairs = [small(seed) for seed in (2, 3)]
    together = metric(*(torch.cat(side) for side in zip(*pairs)), **options).value
    alone = torch.cat([metric(*pair, **options).value for pair in pairs])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=0)
    ref, dist = (image[:, :1] for image in pairs[0])
    grey = metric(ref.expand(-1, 3, -1, -1), dist.expand(-1, 3, -1, -1), **options).value
    torch.testing.assert_close(metric(ref, dist, **options).value, grey, rtol=1e-5, atol=0)
    side = metric.card.side
    assert metric(*(image[..., :side, :side] for image in pairs[0]), **options).value.isfinite().all()


def test_light_in_primaries_without_a_matrix_goes_to_bt2020():
    own = Primaries("own", (0.70, 0.30), (0.18, 0.78), (0.14, 0.05), BT2020.white)
    ref, dist = scene()
    wide = [convert(image, BT709, BT2020) for image in (ref, dist)]
    other = [convert(image, BT709, own) for image in (ref, dist)]
    for metric in (tpsnr, psnr_de, wpsnr):
        expected = metric(*wide, primaries=BT2020).value
        torch.testing.assert_close(metric(*other, primaries=own).value, expected, rtol=1e-6, atol=0)


def test_light_above_the_peak_counts_as_the_peak():
    ref, dist = small(4)
    assert tpsnr(ref + 2e4, dist + 3e4).value.item() == inf
    assert tpsnr(ref + 2e4, dist + 3e4, peak=1e5).value.item() < inf


def test_metrics_of_one_call_share_the_planes_of_light(monkeypatch):
    made = []
    curve = hdrtools_light.CURVES["pq"]
    monkeypatch.setitem(hdrtools_light.CURVES, "pq", lambda v: made.append(1) or curve(v))
    ref, dist = scene()
    with torch.no_grad(), sharing():
        tpsnr(ref, dist, transfer="pq")
        tosnr(ref, dist, transfer="pq")
    assert len(made) == 2


def test_mpsnr_of_hdrtools_counts_all_fifty_stops_and_nothing_beyond():
    """Lights at which the darkest and the brightest exposure are the only ones to tell a difference, against the definition."""
    ref = (
        torch.tensor([60000.0, 50000.0, 3e-7, 2e-6, 1.0], dtype=torch.float64)
        .view(1, 1, 1, 5)
        .expand(-1, 3, -1, -1)
    )
    for pixel in range(5):
        a, b = ref[..., pixel : pixel + 1].clone(), 1.1 * ref[..., pixel : pixel + 1]
        errors = []
        for stop in range(-34, 16):
            p, q = (
                (255 * (2.0**stop * x.clamp(max=65504.0)) ** (1 / 2.2)).clamp(max=255).round()[0, 0, 0, 0]
                for x in (a, b)
            )
            if 0 < p < 255:
                errors.append(float(p - q) ** 2)
        expected = sum(errors) / len(errors) if errors else 65504.0**2
        assert mpsnr(a, b, variant="hdrtools").value.item() == pytest.approx(
            10 * torch.tensor(255**2 / expected).log10().item(), abs=1e-4
        )

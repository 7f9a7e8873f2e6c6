"""What must be true of every full-reference metric without a network, of light as of code; the cards say the rest.

test_metrics_properties.py asks more of those that read code and need nothing else.
"""

from __future__ import annotations

from math import isfinite

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

import hdrq
from hdrq import registry as catalogue
from hdrq.cards import Metric
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import emit
from hdrq.records import PRIMARIES, Image
from hdrq.registry import names

CODES = ("code", "srgb")
ROUNDED = {"mpsnr": "makes 8-bit codes, whose slope is that of the codes before they are rounded"}
GREY_DIFFERS = {
    "cvvdp": "the program lets all three opponent channels see a grey image; variant=repaired does not",
    "haarpsi": "three channels have a part of their own for chroma, one has none",
    "hdrvdp2": "one channel is light of the daylight spectrum, three are light of a display",
}
FIXED_SIZE = {
    "hdrvqm"
}  # resizes everything to 896x512, which takes seconds: its own tests are in test_metrics_light.py


def shelf() -> dict[str, Metric]:
    found = {name: catalogue.find("metric", name) for name in catalogue.names("metric")}
    return {
        name: m
        for name, m in found.items()
        if m.card.reference is not None and m.card.net is None and name not in FIXED_SIZE
    }


def of_light() -> dict[str, Metric]:
    """Those that test_metrics_properties.py leaves out."""
    return {
        name: m
        for name, m in shelf().items()
        if m.card.needs or {m.card.reads, m.card.reference_reads} != {"code"}
    }


every = pytest.mark.parametrize("metric", [pytest.param(m, id=n) for n, m in shelf().items()])
light = pytest.mark.parametrize("metric", [pytest.param(m, id=n) for n, m in of_light().items()])


def pattern(h: int, w: int, channels: int, seed: int = 0) -> Tensor:
    """(1, C, H, W) float64, 0.1 to 0.9: clouds, an edge and fine texture."""
    random = torch.Generator().manual_seed(seed)
    clouds = torch.rand(1, channels, 5, 7, generator=random, dtype=torch.float64)
    x = F.interpolate(clouds, (h, w), mode="bilinear", align_corners=True)
    x[..., : h // 2, w // 3 : w // 2] *= 0.4
    return 0.1 + 0.7 * x + 0.1 * torch.rand(1, channels, h, w, generator=random, dtype=torch.float64)


def meaning(x: Tensor, reads: str, codes: bool) -> Tensor:
    """A pattern as code, or as light between 0.5 and 220 cd/m²."""
    if reads in CODES:
        return x * 255 if codes else x
    return 0.3 * torch.exp(7 * x)


def pair(metric: Metric, h: int, w: int, channels: int = 3, amount: float = 0.03) -> tuple[Tensor, Tensor]:
    """(reference, test image) of what the card reads."""
    card = metric.card
    channels = 1 if card.grey else channels
    x = pattern(h, w, channels)
    random = torch.Generator().manual_seed(7)
    y = x + amount * torch.randn(x.shape, generator=random, dtype=x.dtype)
    return meaning(x, str(card.reference_reads), card.codes), meaning(y, card.reads, card.codes)


def value(metric: Metric, ref: Tensor, dist: Tensor) -> Tensor:
    found = metric(ref, dist)
    return getattr(found, "value", found)


def small(metric: Metric) -> tuple[int, int]:
    """An odd height and an even width, as small as the metric's structure shows."""
    side = max(metric.card.side, 21)
    return side + (side + 1) % 2, side + 4 + side % 2


@every
def test_the_gradient_of_what_may_be_trained_on_is_the_slope(metric: Metric) -> None:
    """gradcheck in float64, along random directions."""
    if not metric.card.trainable:
        pytest.skip("the card says that its gradient may not be trained on")
    if metric.name in ROUNDED:
        pytest.skip(ROUNDED[metric.name])
    ref, dist = pair(metric, *small(metric))
    assert gradcheck(
        lambda d: value(metric, ref, d),
        dist.requires_grad_(),
        eps=1e-6 * float(dist.detach().abs().mean()),
        atol=1e-6,
        rtol=2e-3,
        fast_mode=True,
    )


@light
def test_a_step_along_the_gradient_raises_the_score(metric: Metric) -> None:
    if not metric.card.trainable:
        pytest.skip("the card says that its gradient may not be trained on")
    ref, dist = pair(metric, *small(metric))
    dist.requires_grad_()
    before = value(metric, ref, dist)
    (slope,) = torch.autograd.grad(before.sum(), dist)
    assert slope.isfinite().all()
    assert slope.abs().max() > 0
    sign = 1 if metric.output().better == "higher" else -1
    step = sign * slope / slope.norm() * 1e-3 * dist.detach().norm()
    after = value(metric, ref, dist.detach() + step)
    assert sign * float(after - before.detach()) > 0


@light
def test_odd_sizes_and_one_channel_have_a_value_of_the_metrics_range(metric: Metric) -> None:
    side = max(metric.card.side, 21)
    low, high = metric.output().span
    for channels, h, w in (
        (1, side | 1, (side + 1) | 1),
        (3, side | 1, side + side % 2),
        (3, side + side % 2, side | 1),
    ):
        ref, dist = pair(metric, h, w, channels)
        found = value(metric, ref, dist)
        assert found.shape == (1,)
        assert isfinite(found.item())
        assert low is None or found >= low - 1e-9
        assert high is None or found <= high + 1e-9


@every
def test_one_channel_is_three_equal_ones_where_colours_are_read(metric: Metric) -> None:
    """Grey light and grey code of one channel mean the same as their three equal channels."""
    if metric.card.grey:
        pytest.skip("the card says that it is given one channel")
    if metric.name in GREY_DIFFERS:
        pytest.skip(GREY_DIFFERS[metric.name])
    ref, dist = pair(metric, *small(metric), channels=1)
    one = value(metric, ref, dist)
    three = value(metric, ref.expand(-1, 3, -1, -1), dist.expand(-1, 3, -1, -1))
    torch.testing.assert_close(one, three, rtol=1e-5, atol=1e-6)


@light
def test_the_smallest_side_of_the_card_is_enough(metric: Metric) -> None:
    side = metric.card.side
    for h, w in ((side, side + 3), (side + 2, side)):
        ref, dist = pair(metric, h, w)
        found = value(metric, ref, dist)
        assert isfinite(found.item())
    ref, _ = pair(metric, side, side)
    if metric.card.best is not None:
        assert value(metric, ref, ref.clone()).item() == pytest.approx(metric.card.best, abs=1e-6)


@light
def test_float32_is_close_to_float64(metric: Metric) -> None:
    ref, dist = pair(metric, *small(metric))
    fine = value(metric, ref, dist)
    coarse = value(metric, ref.float(), dist.float())
    assert coarse.dtype == torch.float32
    torch.testing.assert_close(coarse.double(), fine, rtol=2e-4, atol=2e-4)


SCREENS = ("standard_hdr_pq", "standard_hdr_hlg", "standard_4k", "standard_hdr_linear")


def on_screen(metric: Metric, name: str) -> tuple[Image, Image]:
    """(reference, test image) as a file for this display holds them: code, or light for a display of light."""
    shown = display(name)
    side = max(metric.card.side, 24)
    side += side % 2
    x = pattern(side, side + 2, 3).float()
    y = (x + 0.03 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    domain = "nits" if shown.eotf == "light" else shown.eotf
    if domain == "nits":
        x, y = (meaning(side, domain, False) for side in (x, y))
    primaries = PRIMARIES[shown.primaries]
    return Image(x, domain, primaries), Image(y, domain, primaries)


@pytest.mark.parametrize("screen", SCREENS)
@every
def test_every_metric_sees_the_light_of_a_display(metric: Metric, screen: str) -> None:
    """The number of files on a display is the number of the light that it emits, measured."""
    asked = f"pu21:{metric.name}" if metric.card.reads == "code" else metric.name
    ref, dist = on_screen(metric, screen)
    shown = display(screen)
    with torch.inference_mode():
        found = hdrq.metric(asked, display=screen)(ref, dist)
        assert found.isfinite().all()
        if {metric.card.reads, metric.card.reference_reads} <= {
            "code",
            "nits",
        } and "display" not in metric.card.needs:
            light = [emit(image, shown) for image in (ref, dist)]
            measured = hdrq.metric(asked, display="absolute", ppd=shown.ppd)(*light)
            torch.testing.assert_close(found, measured, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "screen", [n for n in names("display") if "ColorVideoVDP 0.5.7's display models" in display(n).source]
)
def test_every_display_of_colorvideovdp_serves_other_metrics(screen: str) -> None:
    for name in ("pu21:psnr", "delta-e-itp", "tpsnr", "flip", "hdr-flip", "butteraugli", "nlpd"):
        metric = shelf()[name.removeprefix("pu21:")]
        with torch.inference_mode():
            scorer = hdrq.metric(name, display=screen)
            ref, dist = on_screen(metric, screen)
            value, same = scorer(ref, dist).item(), scorer(ref, ref).item()
        assert isfinite(value)
        assert value < same if scorer.better == "higher" else value > same

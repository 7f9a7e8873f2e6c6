"""Losses on images: known values, gradients by finite differences, adversarial training, metrics as losses."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from math import isfinite, log

import pytest
import torch
from torch import Tensor

import hdrq
from hdrq.errors import UsageError
from hdrq.nn.feature_contrast import encoded, first_layers, masked
from hdrq.nn.layers.vgg import STAGES
from hdrq.nn.weights import load
from hdrq.registry import find, names
from hdrq.training.images import loss as losses
from hdrq.training.images.critic import PatchCritic
from hdrq.training.images.image_recipe import ImageOutput
from hdrq.training.images.losses.temporal_stability import motion


def image(seed: int, *shape: int) -> Tensor:
    """Smooth random code 0.1..0.9, float64."""
    g = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 4, 5, generator=g, dtype=torch.float64)
    return 0.1 + 0.8 * torch.nn.functional.interpolate(small, shape or (18, 21), mode="bilinear")


def output(a: Tensor, b: Tensor, domain: str = "linear", **more) -> ImageOutput:
    return ImageOutput(a, domain, target=b, light=b * 3, **more)


def transformed_of(x: Tensor):
    return lambda move: move(x) ** 2 + 0.1 * x


TEXTS = [
    "l1",
    "mu:l2",
    "pu21:l1",
    "log10:l2",
    "colour-cosine",
    "gradient-profile",
    "patch-structure",
    "scale-invariant",
]


@pytest.mark.parametrize("text", TEXTS)
def test_equal_images_have_no_loss(text: str) -> None:
    x = image(1)
    assert losses.of(text)(output(x, x), 100.0).item() == pytest.approx(0, abs=1e-6)
    assert losses.of(text)(output(image(2), x), 100.0).item() > 1e-4


# beside every loss by its name: code, and several scales
VARIANTS = ("mu:l2", "pu21:l1", "log10:l2", "patch-structure,scales=2")


@pytest.mark.parametrize("text", [*names("loss"), *VARIANTS])
def test_gradients_are_those_of_finite_differences(text: str) -> None:
    """Every loss of the shelf in double precision: of every pixel, or along a random direction where that takes long."""
    bound = losses.of(text)
    torch.manual_seed(0)
    critic = PatchCritic(scales=2).double().requires_grad_(False)
    side = max(2 * bound.side if bound.adversarial else bound.side, 6)
    if bound.net is not None:
        bound = replace(bound, net=deepcopy(bound.net).double(), options={"stages": 1})
    a, b = image(3, side, side + 1), image(4, side, side + 1)
    mask = image(5, side, side + 1)[:, :1]
    domain = "srgb" if bound.entry.card.code else "linear"

    def value(x: Tensor) -> Tensor:
        torch.manual_seed(1)
        return bound(
            output(x, b, domain, predicted=x, mask=mask, transformed=transformed_of(x)), 100.0, critic
        )

    slow = bound.net is not None or bound.adversarial
    assert torch.autograd.gradcheck(
        value, (a.requires_grad_(True),), eps=1e-7, atol=1e-6, rtol=1e-4, fast_mode=slow
    )


@pytest.mark.parametrize("text", [*names("loss"), "patch-structure,scales=3", "perceptual,stages=5"])
def test_the_smallest_image_of_a_loss_is_the_smallest(text: str) -> None:
    """Before, a crop of 4 pixels with lsgan ended in an error of a convolution."""
    bound = losses.of(text)
    domain = "srgb" if bound.entry.card.code else "linear"

    def value(side: int) -> float:
        x, b = (image(k, side, side).float() for k in (3, 4))
        more = {"predicted": x, "mask": x[:, :1], "transformed": transformed_of(x)}
        return float(bound(output(x, b, domain, **more), 100.0, PatchCritic()).detach())

    assert isfinite(value(bound.side))
    if bound.side > 1:
        try:
            found = value(bound.side - 1)
        except (RuntimeError, IndexError):
            return
        assert not isfinite(found)


def test_losses_of_known_values() -> None:
    a = torch.full((1, 3, 8, 8), 0.5)
    b = torch.full((1, 3, 8, 8), 0.25)
    assert losses.of("l1")(output(a, b), 100.0).item() == pytest.approx(0.25)
    assert losses.of("l2")(output(a, b), 100.0).item() == pytest.approx(0.0625)
    mu = (log(1 + 2500) - log(1 + 1250)) / log(5001)
    assert losses.of("mu:l1")(output(a, b), 7.0).item() == pytest.approx(mu, rel=1e-5)
    assert losses.of("mu:l1")(output(a, b, nits=9.0), 7.0).item() == pytest.approx(mu, rel=1e-5)
    pu = find("encoding", "pu21").encode(torch.tensor([50.0, 25.0]))
    assert losses.of("pu21:l1")(output(a, b), 100.0).item() == pytest.approx(float(pu[0] - pu[1]), rel=1e-5)
    red, green = (torch.eye(3)[k].view(1, 3, 1, 1).expand(1, 3, 8, 8) for k in (0, 1))
    assert losses.of("colour-cosine")(output(red, green), 1.0).item() == pytest.approx(1)
    assert losses.of("colour-cosine")(output(red, red + green), 1.0).item() == pytest.approx(1 - 0.5**0.5)


def test_a_scale_invariant_loss_is_the_variance_of_the_difference_of_logarithms() -> None:
    """Half of the pixels twice too bright: a difference of ±log(2) / 2, of whatever scale; the floor makes it smaller."""
    a = torch.full((2, 3, 8, 8), 0.5, dtype=torch.float64)
    b = a.clone()
    b[..., :4] *= 2
    loss = losses.of("scale-invariant,floor=0")
    assert loss(output(a, b), 1.0).item() == pytest.approx(log(2) ** 2 / 4)
    assert loss(output(7 * a, b), 1.0).item() == pytest.approx(log(2) ** 2 / 4)
    low, high = (log(2**s + 0.01) for s in (-0.5, 0.5))
    assert losses.of("scale-invariant")(output(a, b), 1.0).item() == pytest.approx((high - low) ** 2 / 4)
    assert losses.of("scale-invariant")(output(0 * a, b), 1.0).isfinite()


def test_illumination_and_reflectance_by_hand() -> None:
    """One pixel four times as bright: illumination differs by the Gaussian of deviation 2 around it, reflectance by the rest."""
    eps = 1 / 255
    target = torch.full((1, 3, 41, 43), 0.5 - eps, dtype=torch.float64)
    brighter = target.clone()
    brighter[..., 20, 22] = 2 - eps
    taps = torch.exp(-0.5 * (torch.arange(-6, 7, dtype=torch.float64) / 2) ** 2)
    taps = taps / taps.sum()
    centre, beside = log(4) * float(taps[6] ** 2), log(4) * float(taps[6 + 3] * taps[6 - 1])
    mask = torch.zeros(1, 1, 41, 43, dtype=torch.float64)

    def value(y: int, x: int, masked: float, predicted: Tensor, text: str = "") -> float:
        found = mask.clone()
        found[..., y, x] = masked
        seen = output(target, target, predicted=predicted, mask=found)
        return losses.of(f"illumination-reflectance{text}")(seen, 9.0).item() * mask.numel()

    for share, text in ((0.5, ""), (0.2, ",share=0.2")):
        wanted = share * centre**2 + (1 - share) * (log(4) - centre) ** 2
        assert value(20, 22, 1, brighter, text) == pytest.approx(wanted)
        assert value(23, 21, 1, brighter, text) == pytest.approx(beside**2)
    assert value(23, 21, 0.5, brighter) == pytest.approx(beside**2 / 4)
    assert value(27, 22, 1, brighter) == 0
    assert value(23, 21, 1, brighter, ",sigma=1") < value(23, 21, 1, brighter)
    # one colour alone: illumination is that of luminance, a third of the reflectances has the whole difference
    green = target.clone()
    green[:, 1, 20, 22] = 2 - eps
    bright = log(1 + 3 * 0.715) * float(taps[6] ** 2)
    wanted = 0.5 * bright**2 + 0.5 * ((log(4) - bright) ** 2 + 2 * bright**2) / 3
    assert value(20, 22, 1, green) == pytest.approx(wanted)
    # nothing is known outside the image
    corner = target.clone()
    corner[..., 0, 0] = 2 - eps
    assert value(0, 0, 1, corner) == pytest.approx(0.5 * centre**2 + 0.5 * (log(4) - centre) ** 2)
    # no light at all has a finite logarithm
    assert value(20, 22, 1, 0 * target - eps) == pytest.approx(0.5 * log(0.5e6) ** 2, rel=1e-4)


def test_gradients_and_structures_of_opposite_direction_are_worst() -> None:
    ramp = torch.linspace(0, 1, 16, dtype=torch.float64).view(1, 1, 1, 16).expand(1, 3, 12, 16)
    assert losses.of("gradient-profile")(output(ramp, 1 - ramp), 1.0).item() == pytest.approx(1, abs=0.01)
    assert losses.of("gradient-profile")(output(ramp, 2 * ramp), 1.0).item() == pytest.approx(0, abs=0.01)
    assert losses.of("patch-structure")(output(ramp, 1 - ramp), 1.0).item() == pytest.approx(2, abs=1e-3)
    assert losses.of("patch-structure")(output(ramp, 0.3 * ramp + 0.2), 1.0).item() == pytest.approx(
        0, abs=1e-3
    )


def test_adversarial_losses_by_hand() -> None:
    made, real = torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.0])
    lsgan, gan = find("loss", "lsgan"), find("loss", "gan")
    assert lsgan.function(made, lambda x: x).item() == pytest.approx((0.25 + 4) / 4)
    assert lsgan.card.critics(made, real).item() == pytest.approx(((1 + 1) / 2 + (0.25 + 1) / 2) / 2)
    expected = -torch.nn.functional.logsigmoid(made).mean()
    assert gan.function(made, lambda x: x).item() == pytest.approx(expected.item())
    expected = -(torch.sigmoid(real).log() + (1 - torch.sigmoid(made)).log()).mean()
    assert gan.card.critics(made, real).item() == pytest.approx(expected.item())
    assert PatchCritic()(torch.rand(2, 3, 37, 24)).shape == (2, 1, 4, 3)


@pytest.mark.parametrize("name", [n for n in names("loss") if find("loss", n).card.critics])
def test_a_discriminator_of_several_scales_reads_halves_and_the_loss_is_their_mean(name: str) -> None:
    torch.manual_seed(0)
    critic = PatchCritic(scales=3)
    x = image(11, 40, 36).float()
    half = torch.nn.functional.avg_pool2d(x, 2)
    quarter = torch.nn.functional.avg_pool2d(half, 2)
    alone = []
    for one, seen in zip(critic.scales, (x, half, quarter), strict=True):
        own = PatchCritic()
        own.load_state_dict({k: v for k, v in one.state_dict().items() if not k.startswith("coarser")})
        assert torch.equal(one(x), own(seen))
        alone.append(find("loss", name).function(x, lambda _, own=own, seen=seen: own(seen)).item())
    assert len(set(alone)) == 3
    assert losses.of(name)(output(x, x), 1.0, critic).item() == pytest.approx(sum(alone) / 3)
    assert losses.of(name)(output(x, x), 1.0, critic.scales[2]).item() == pytest.approx(alone[2])


def test_one_scale_is_stored_and_begun_as_before_there_were_several() -> None:
    """So that checkpoints of earlier trainings resume."""
    made = []
    for scales in (1, 3):
        torch.manual_seed(5)
        made.append(PatchCritic(scales=scales).state_dict())
    one, three = made
    assert list(one) == [
        f"{part}.{leaf}" for part in ("convs.0", "convs.1", "convs.2", "head") for leaf in ("weight", "bias")
    ]
    assert all(torch.equal(one[k], three[k]) for k in one)
    assert len(three) == 3 * len(one)


def test_structure_of_several_scales_is_the_mean_over_halves() -> None:
    x, y = image(12, 40, 36), image(13, 40, 36)
    each = []
    for _ in range(3):
        each.append(losses.of("patch-structure")(output(x, y), 1.0).item())
        x, y = (torch.nn.functional.avg_pool2d(v, 2) for v in (x, y))
    x, y = image(12, 40, 36), image(13, 40, 36)
    for scales in (1, 2, 3):
        found = losses.of(f"patch-structure,scales={scales}")(output(x, y), 1.0).item()
        assert found == pytest.approx(sum(each[:scales]) / scales)
    assert losses.of("patch-structure,scales=3").side == 20
    assert losses.of("patch-structure,side=7,scales=2").side == 14


def test_masked_contrast_by_hand() -> None:
    """At the centre of a spike: the contrast against the Gaussian mean, divided by 1 + the coefficient of variation."""
    x = torch.full((1, 1, 31, 31), 2.0, dtype=torch.float64)
    x[0, 0, 15, 15] = 5.0
    taps = torch.exp(-0.5 * (torch.arange(-6, 7, dtype=torch.float64) / 2.6) ** 2)
    weight = float((taps / taps.sum())[6] ** 2)
    mean = 2 + 3 * weight
    contrast = (5 - mean) / mean
    m = 2 + 3 / 169
    variation = ((4 + 21 / 169 - m * m) ** 0.5) / m
    found = masked(x, 0.5, 1.0)[0, 0, 15, 15].item()
    assert found == pytest.approx(contrast**0.5 / (1 + variation), rel=1e-4)
    beside = masked(x, 1.0, 1.0)[0, 0, 15, 16].item()
    assert beside < 0


def test_the_scene_is_encoded_by_its_median() -> None:
    light = image(5) * 40
    scaled = 0.5 * light / light.mean()
    middle = scaled.flatten().median().item()
    mu = 8.759 * middle**2.148 + 0.1494 * middle**-2.067
    assert torch.allclose(encoded(light), torch.log(1 + mu * scaled) / log(1 + mu))


def test_features_are_those_of_the_first_layer_of_each_stage() -> None:
    net = load("vgg16")
    x = torch.rand(1, 3, 32, 32)
    found = first_layers(net, x, 3)
    assert [f.shape[1] for f in found] == [s[0] for s in STAGES[:3]]
    assert torch.equal(found[0], torch.relu(net.trunk.convs[0](x)))
    second = torch.relu(net.trunk.convs[1](found[0]))
    pooled = torch.nn.functional.max_pool2d(second, 2)
    assert torch.equal(found[1], torch.relu(net.trunk.convs[2](pooled)))


def test_a_network_that_moves_with_its_input_is_stable_in_time() -> None:
    x = image(6, 40, 44)
    torch.manual_seed(0)
    stable = losses.of("temporal-stability")(output(x, x, transformed=lambda move: move(x)), 1.0)
    still = losses.of("temporal-stability")(output(x, x, transformed=lambda move: x), 1.0)
    assert stable.item() == 0
    assert still.item() > 1e-6
    ramp = torch.arange(44.0).view(1, 1, 1, 44).expand(1, 1, 40, 44)
    moved = motion(0.0, 1.0, 0.0, 0.0)(ramp)
    assert torch.allclose(moved[..., 5:-5], ramp[..., 5:-5] + 2.0, atol=1e-3)
    turned = motion(0.0, 0.0, 1.0, 0.0)(ramp)
    rows = torch.arange(40.0).view(1, 1, 40, 1) - 19.5
    expected = (ramp - 21.5) * 0.99985 - rows * 0.017452 + 21.5
    assert torch.allclose(turned[..., 5:-5, 5:-5], expected[..., 5:-5, 5:-5], atol=2e-3)


def test_metrics_are_losses_by_their_cards() -> None:
    a, b = image(7, 40, 48).float(), image(8, 40, 48).float()
    low = losses.of("pu21:ssim")(output(a, b), 200.0)
    metric = hdrq.metric("pu21:ssim")
    assert low.item() == pytest.approx(1 - metric(b * 200, a * 200).item(), abs=1e-6)
    error = losses.of("log-rmse")(output(a, b), 200.0)
    assert error.item() == pytest.approx(hdrq.metric("log-rmse")(b * 200, a * 200).item(), rel=1e-5)
    x = a.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(losses.of("pu21:ssim")(output(x, b), 200.0), x)
    assert float(slope.abs().sum()) > 0
    better = losses.of("pu21:ssim")(output(x.detach() - 1e-2 * slope / slope.abs().max(), b), 200.0)
    assert better < low


def test_a_stack_is_what_fusion_is_compared_with() -> None:
    stack = torch.cat([image(9, 40, 48) * s for s in (0.4, 0.7, 1.0)])[None].float().expand(2, -1, -1, -1, -1)
    shown = torch.cat([image(9, 40, 48), image(10, 40, 48)]).float()
    bound = losses.of("mef-ssim")
    seen = ImageOutput(shown, "srgb", stack=stack)
    one, two = bound.value(seen, 100.0)
    assert one > two
    assert bound(seen, 100.0).item() == pytest.approx(1 - (one + two).item() / 2, abs=1e-6)
    with pytest.raises(UsageError, match="exposure stack"):
        bound(ImageOutput(shown, "srgb"), 100.0)


def test_what_cannot_be_a_loss_is_refused() -> None:
    for text, reason in (
        ("fsitm", "allows no training"),
        ("mu:contrast-masking", "encodes images itself"),
        ("mu:pq:l1", "one encoding"),
        ("l1,power", "NAME=VALUE"),
        ("perceptual,layers=3", "no option"),
        ("l7", "unknown metric"),
        ("patch-structure,scales=0", "scales=0 is not one of 1, 2, 3, 4, 5"),
        ("patch-structure,side=0", "would read no pixels"),
        ("perceptual,stages=6", "stages=6 is not one of"),
    ):
        with pytest.raises(UsageError, match=reason):
            losses.of(text)
    x = image(1)
    with pytest.raises(UsageError, match="code already"):
        losses.of("mu:l1")(output(x, x, "srgb"), 1.0)
    with pytest.raises(
        UsageError, match=r"reads code, but the network's image is light; name .* mu:perceptual"
    ):
        losses.of("perceptual")(output(x, x), 1.0)
    with pytest.raises(UsageError, match="use a recipe whose image is code"):
        losses.of("contrast-masking")(output(x, x), 1.0)
    with pytest.raises(UsageError, match="needs the transformed"):
        losses.of("temporal-stability")(output(x, x), 1.0)
    assert losses.of("perceptual,stages=2").options == {"stages": 2}


def test_every_loss_has_a_card() -> None:
    for name in names("loss"):
        found = find("loss", name)
        assert found.name == name
        assert found.card.title
        assert found.card.source
        assert set(found.card.needs) <= set(losses.NEEDS)

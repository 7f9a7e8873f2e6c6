"""What teaches networks that merge, fuse and expand: light of code, the unit of the target, and the output's parts."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor, nn

from hdrq.image.transfer import linear_to_srgb
from hdrq.nn.nets.deepfuse import luma
from hdrq.registry import find
from hdrq.training.images import loss as losses
from hdrq.training.images.camera import Response
from hdrq.training.images.image_settings import ImageSettings
from hdrq.training.images.merging_recipes import fused, linear, radiance

EV = (-2.0, 0.0, 2.0)


def light(n: int = 2, side: int = 24) -> Tensor:
    """Scenes from 0.001 to 8 times the saturation of the middle frame."""
    g = torch.Generator().manual_seed(3)
    return 2.0 ** (torch.rand(n, 3, side, side, generator=g) * 13 - 10)


@pytest.mark.parametrize("kind", ["sigmoid", "srgb", "linear"])
def test_code_becomes_light_by_the_inverse_of_each_response(kind) -> None:
    responses = [Response(kind, n, sigma) for n, sigma in ((0.9, 0.6), (0.7, 0.8))]
    x = torch.rand(2, 3, 3, 8, 8)
    code = torch.stack([r.code(one) for r, one in zip(responses, x)])
    parameters = torch.stack([r.parameters for r in responses])
    wanted = "random" if kind == "sigmoid" else kind
    assert torch.allclose(linear(code, parameters, wanted), x, atol=1e-5)


class Shortest(nn.Module):
    """The light of the shortest frame, which is the radiance wherever that frame is not clipped."""

    def forward(self, frames: Tensor) -> Tensor:
        return frames[:, 0, 3:]


class LongestOverTime(nn.Module):
    """The light of the longest frame over its exposure, which is the radiance where it is not clipped."""

    def forward(self, frames: Tensor) -> Tensor:
        return frames[:, 2, 3:]


def test_the_target_is_the_radiance_over_the_white_of_the_shortest_frame() -> None:
    scene = light()
    exposure = torch.tensor([2.0**e for e in EV])
    stack = linear_to_srgb((scene[:, None] * exposure[None, :, None, None, None]).clamp(0, 1))
    batch = {
        "stack": stack, "exposure": exposure.expand(2, -1), "response": torch.zeros(2, 2), "light": scene
    }  # fmt: skip
    settings = ImageSettings("ahdrnet", response="srgb")
    output = radiance(Shortest(), batch, settings)
    assert output.domain == "linear"
    assert torch.allclose(output.image, output.target, atol=1e-5)
    assert float(output.target.max()) == 1.0  # brighter light is clipped in the shortest frame
    longest = radiance(LongestOverTime(), batch, settings)
    seen = scene < 0.25
    assert torch.allclose(longest.image[seen], output.target[seen], atol=1e-5)


def test_a_stack_is_fused_as_the_network_is_used() -> None:
    stack = torch.rand(2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 0.2 + 0.4
    shelf = find("net", "deepfuse")
    torch.manual_seed(0)
    net = shelf.build(**shelf.small, final="clip")
    output = fused(net, {"stack": stack}, ImageSettings("deepfuse"))
    assert output.domain == "srgb"
    assert output.stack is stack
    for image, frames in zip(output.image, stack):
        assert torch.equal(image, shelf.use.apply(net, frames))
        assert torch.allclose(luma(image[None]), net(luma(frames)), atol=1e-5)
    output.image.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_expandnet_is_taught_light_over_the_brightest_value() -> None:
    recipe = find("recipe", "expandnet")
    scene = light()
    code = linear_to_srgb(scene.clamp(0, 1))
    output = recipe.output(nn.Identity(), {"code": code, "light": scene}, ImageSettings("expandnet"))
    assert torch.equal(output.image, code)
    assert output.target.amax((1, 2, 3)).tolist() == [1.0, 1.0]
    assert torch.allclose(output.target[0] / output.target[0].max(), scene[0] / scene[0].max())


def test_hdrcnn_is_taught_the_logarithm_of_saturated_light_alone() -> None:
    """Equation 2: the target itself up to code 0.95, exp(prediction) - 1/255 at code 1, half of each between."""
    scene = torch.full((1, 3, 1, 3), 0.4)
    code = torch.tensor([0.95, 0.975, 1.0]).view(1, 1, 1, 3).repeat(1, 3, 1, 1)
    code[:, 1:] = 0.5

    class Tenfold(nn.Module):
        def forward(self, code: Tensor) -> Tensor:
            return torch.full_like(code, 2.302585)

    output = find("recipe", "hdrcnn").output(
        Tenfold(), {"code": code, "light": scene}, ImageSettings("hdrcnn")
    )
    bright = 10 - 1 / 255
    assert output.target is scene
    assert output.image[0, 1, 0].tolist() == pytest.approx([0.4, (0.4 + bright) / 2, bright], rel=1e-4)
    assert output.predicted[0].flatten().tolist() == pytest.approx([bright] * 9, rel=1e-4)
    assert output.mask[0, 0, 0].tolist() == pytest.approx([0, 0.5, 1], rel=1e-4)


def test_hdrcnns_loss_is_that_of_the_predicted_highlights() -> None:
    """By the recipe's own settings: the prediction is ten times the light, of which half counts at code 0.975."""
    scene = torch.full((1, 3, 40, 40), 1 - 1 / 255)
    code = torch.full((1, 3, 40, 40), 0.5)
    code[..., 20, 20] = 0.975
    recipe = find("recipe", "hdrcnn")

    class Tenfold(nn.Module):
        def forward(self, code: Tensor) -> Tensor:
            return torch.full_like(code, log(10))

    output = recipe.output(Tenfold(), {"code": code, "light": scene}, ImageSettings("hdrcnn"))
    ((text, weight),) = recipe.chosen().loss.items()
    # everything is illumination, which weighs 0.5
    wanted = 0.5 * (0.5 * log(10)) ** 2 / 40**2
    assert weight * losses.of(text)(output, 1.0).item() == pytest.approx(wanted, rel=1e-4)


def test_vinkers_network_is_taught_by_its_input_and_by_photographs() -> None:
    """Structure is that of the logarithm, not of light; the discriminator sees the luma of the photograph."""

    class Inverse(nn.Module):
        def forward(self, code: Tensor) -> Tensor:
            return 1 - code

    code, photograph = torch.rand(2, 1, 9, 9), torch.rand(2, 3, 9, 9)
    batch = {"code": code, "photograph": photograph, "light": light()}
    output = find("recipe", "vinker-2021").output(Inverse(), batch, ImageSettings("vinker-2021"))
    assert output.domain == "srgb"
    assert torch.equal(output.image, (1 - code).expand(-1, 3, -1, -1))
    assert torch.equal(output.target, code.expand(-1, 3, -1, -1))
    chosen = find("recipe", "vinker-2021").chosen()
    assert (chosen.critic_scales, dict(chosen.loss)) == (3, {"patch-structure,scales=3": 1.0, "lsgan": 1.0})
    luma = photograph.mul(torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert torch.allclose(output.real, luma.expand(-1, 3, -1, -1), atol=1e-3)

"""Inverted residual blocks with linear bottlenecks, the body of MobileNetV2 and EfficientNet-Lite.

Source  Sandler, Howard, Zhu, Zhmoginov & Chen, CVPR 2018, doi:10.1109/CVPR.2018.00474;
        Tan & Le, ICML 2019, doi:10.48550/arXiv.1905.11946 (EfficientNet; the Lite variant has ReLU6 and no
        squeeze-and-excitation)

Batch normalisation is folded into the convolutions: the module has weights and biases only, which is what it computes
in evaluation, and what fine-tuning with frozen statistics trains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import signature
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.errors import UsageError
from hdrq.nn.keys import Many, Rule
from hdrq.nn.network_input import Convention
from hdrq.registry import find, names


class Stage(NamedTuple):
    """Blocks of one width: `repeats` of them, the first with the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


class Convolution(nn.Module):
    """A convolution with bias. `same` pads as TensorFlow does: an odd pixel goes to the bottom and the right."""

    def __init__(
        self, entering: int, leaving: int, kernel: int, stride: int, groups: int, same: bool
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.same = kernel, stride, same and stride > 1
        padding = 0 if self.same else kernel // 2
        self.conv = nn.Conv2d(entering, leaving, kernel, stride, padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        if self.same:
            h, w = (max((-(-n // self.stride) - 1) * self.stride + self.kernel - n, 0) for n in x.shape[-2:])
            x = F.pad(x, (w // 2, w - w // 2, h // 2, h - h // 2))
        result: Tensor = self.conv(x)
        return result


class Block(nn.Module):
    """1x1 up to `expansion` times the width, k x k per channel, 1x1 down; added to its input where shapes allow."""

    def __init__(
        self, entering: int, width: int, kernel: int, stride: int, expansion: int, same: bool
    ) -> None:
        super().__init__()
        wide = entering * expansion
        self.expand = Convolution(entering, wide, 1, 1, 1, same) if expansion > 1 else None
        self.depthwise = Convolution(wide, wide, kernel, stride, wide, same)
        self.project = Convolution(wide, width, 1, 1, 1, same)
        self.residual = stride == 1 and entering == width

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        result: Tensor = x + y if self.residual else y
        return result


class InvertedResiduals(nn.Module):
    """A 3x3 stem of stride 2, stages of blocks, and a 1x1 convolution to `top` channels.

    (B, 3, H, W), normalised as the weights want it; every stage works at 1/2 of the size over its and earlier strides.
    """

    def __init__(self, stages: Sequence[Stage], *, stem: int = 32, top: int = 1280, same: bool) -> None:
        super().__init__()
        self.stem = Convolution(3, stem, 3, 2, 1, same)
        entering, made = stem, []
        for s in stages:
            blocks = []
            for i in range(s.repeats):
                blocks.append(
                    Block(entering, s.width, s.kernel, s.stride if i == 0 else 1, s.expansion, same)
                )
                entering = s.width
            made.append(nn.Sequential(*blocks))
        self.blocks = nn.ModuleList(made)
        self.top = Convolution(entering, top, 1, 1, 1, same)
        self.widths = (*(s.width for s in stages), top)

    def stages(self, x: Tensor) -> Iterator[Tensor]:
        """What leaves each stage, and at last the rectified `top`."""
        x = F.relu6(self.stem(x), inplace=True)
        for blocks in self.blocks:
            x = blocks(x)
            yield x
        yield F.relu6(self.top(x), inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, top): mean over space of the last stage."""
        *_, last = self.stages(x)
        return last.mean((-2, -1))


class Backbone(nn.Module):
    """Inverted residuals as `trunk` and, with classes > 0, a linear classifier of ImageNet as `classifier`."""

    def __init__(self, trunk: InvertedResiduals, intake: Convention, classes: int) -> None:
        super().__init__()
        self.intake = intake
        self.trunk = trunk
        self.classifier = nn.Linear(trunk.widths[-1], classes) if classes else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, classes), or (B, top) where there is no classifier."""
        y = self.trunk(x)
        result: Tensor = y if self.classifier is None else self.classifier(y)
        return result


def backbone_named(name: str, owner: str) -> Backbone:
    """The network of that name without its classifier, as a part of the network `owner`.

    Raises UsageError where it is not a `Backbone`, such as one that scores images.
    """
    build = find("net", name).build
    body = build(classes=0) if "classes" in signature(build).parameters else None
    if not isinstance(body, Backbone):
        raise UsageError(
            f"{name} is not a backbone of {owner}; backbones are networks of inverted residuals: {_backbones()}"
        )
    return body


def _backbones() -> str:
    """Names of the networks that can be a backbone, for an error."""
    found = []
    for name in names("net"):
        build = find("net", name).build
        if signature(build).return_annotation in (Backbone, Backbone.__name__):
            found.append(name)
    return ", ".join(found)


def places(stages: Sequence[Stage]) -> list[tuple[str, int]]:
    """(our name, expansion) of every block in order: ("trunk.blocks.0.0", 1), ..."""
    return [(f"trunk.blocks.{k}.{i}", s.expansion) for k, s in enumerate(stages) for i in range(s.repeats)]


def folding(theirs: tuple[str, str], ours: str, epsilon: float) -> tuple[Rule, Rule]:
    """Rules that fold a batch normalisation into the convolution before it.

    theirs   names of their convolution and normalisation; ours: the name of the `Convolution`
    epsilon  added to the variance
    """
    conv, norm = theirs
    scale = (f"{norm}.weight", f"{norm}.running_var")

    def weight(tensors: Many) -> Tensor:
        kernel, gain, variance = (t.double() for t in tensors)
        return (kernel * (gain / (variance + epsilon).sqrt()).reshape(-1, 1, 1, 1)).float()

    def bias(tensors: Many) -> Tensor:
        shift, mean, gain, variance = (t.double() for t in tensors)
        return (shift - mean * gain / (variance + epsilon).sqrt()).float()

    return (
        Rule((f"{conv}.weight", *scale), f"{ours}.conv.weight", weight, None, keeps=scale),
        Rule((f"{norm}.bias", f"{norm}.running_mean", *scale), f"{ours}.conv.bias", bias, None),
    )

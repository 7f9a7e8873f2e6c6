"""VGG16 with its ImageNet classifier, the backbone of LPIPS, DISTS and PieAPP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import rename
from hdrq.nn.layers.vgg import Trunk, torchvision
from hdrq.nn.net import Layout, Net, mix, pattern


class Vgg16(nn.Module):
    """Convolutions, 7x7 average pooling and, with classes > 0, three linear layers."""

    intake = "imagenet"

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.trunk = Trunk()
        widths = ((512 * 49, 4096), (4096, 4096), (4096, classes)) if classes else ()
        self.classifier = nn.ModuleList(nn.Linear(a, b) for a, b in widths)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W), ImageNet-normalised, to class scores, or to (B, 25088) without a classifier."""
        x = F.adaptive_avg_pool2d(self.trunk(image), 7).flatten(1)
        for number, layer in enumerate(self.classifier):
            x = layer(x if number == 0 else F.dropout(F.relu(x), 0.5, self.training))
        return x


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    last = next((state[k] for k in ("classifier.6.weight", "head.fc.weight") if k in state), None)
    return {"classes": 0 if last is None else last.shape[0]}


vgg16 = Net(
    name="vgg16",
    source="Simonyan & Zisserman 2015, doi:10.48550/arXiv.1409.1556; layers of torchvision",
    build=Vgg16,
    layouts=(
        Layout(
            name="timm",
            marks=("features.0.weight", "pre_logits.fc1.weight"),
            table=(
                *torchvision("features.", "trunk.convs."),
                rename(
                    "pre_logits.fc1.weight",
                    "classifier.0.weight",
                    lambda t: t.flatten(1),
                    lambda t: t.reshape(-1, 512, 7, 7),
                ),
                rename(
                    "pre_logits.fc2.weight",
                    "classifier.1.weight",
                    lambda t: t.flatten(1),
                    lambda t: t[..., None, None],
                ),
                rename("pre_logits.fc1.bias", "classifier.0.bias"),
                rename("pre_logits.fc2.bias", "classifier.1.bias"),
                rename("head.fc.{leaf}", "classifier.2.{leaf}"),
            ),
            options=_options,
            encoding="srgb",
        ),
        Layout(
            name="torchvision",
            marks=("features.0.weight",),
            table=(
                *torchvision("features.", "trunk.convs."),
                *(rename(f"classifier.{3 * k}.{{leaf}}", f"classifier.{k}.{{leaf}}") for k in range(3)),
            ),
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 32, 32) * 4 - 2)),
)

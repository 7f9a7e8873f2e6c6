"""Sizes of networks against what their papers and programs state, and how far a pixel reaches in them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hdrq.nn.layers.transformer import Transformer
from hdrq.nn.nets.ahdrnet import AhdrNet
from hdrq.nn.nets.deepfuse import DeepFuse
from hdrq.registry import find

# Learnable parameters of the classifiers of ImageNet's 1000 classes, as torchvision and timm state them.
PUBLISHED = {
    "vgg16": 138_357_544,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenet-v2": 3_504_872,
    "efficientnet-lite2": 6_092_072,
    "vit": 86_859_496,  # ViT-B/16 of 384 pixels: 24 x 24 positions
}
FOLDED = ("mobilenet-v2", "efficientnet-lite2")  # batch normalisation is part of the convolutions


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_classifier_has_its_published_number_of_parameters(name: str) -> None:
    with torch.device("meta"):
        module = find("net", name).build()
    count = sum(p.numel() for p in module.parameters())
    if name in FOLDED:  # a bias of the convolution in place of a factor and an addend
        count += sum(m.out_channels for m in module.modules() if isinstance(m, nn.Conv2d))
    assert count == PUBLISHED[name]


def test_a_transformer_is_by_default_the_base_size() -> None:
    """Dosovitskiy et al. 2021, table 1: 12 layers of width 768 and MLP 3072, 12 heads; patches of 16."""
    with torch.device("meta"):
        module = Transformer()
    assert len(module.blocks) == 12
    block: Any = module.blocks[0]
    assert (block.fc1.in_features, block.fc1.out_features) == (768, 3072)
    assert module.embed.patch.kernel_size == (16, 16)
    assert sum(p.numel() for p in module.parameters()) == PUBLISHED["vit"] - 769 * 1000


def farthest(output: Tensor, source: Tensor) -> int:
    """Pixels between the centre of a row and the farthest one that its value depends on."""
    height, width = output.shape[-2:]
    (slope,) = torch.autograd.grad(output[..., height // 2, width // 2].sum(), source)
    columns = slope.flatten(0, -2).abs().sum(0).nonzero().flatten()
    return int(max(width // 2 - columns.min(), columns.max() - width // 2))


def positive(module: nn.Module) -> None:
    """Weights with which no activation is cut, so that every connection is seen in the gradient."""
    for p in module.parameters():
        nn.init.constant_(p, 1 / p[0].numel() if p.dim() > 1 else 0.1)


def test_no_pixel_beyond_its_reach_influences_ahdrnet() -> None:
    """The margin of tiles: too short, and seams show; far too long, and every tile is computed several times."""
    net = AhdrNet(width=2, growth=2, layers=2).double()
    positive(net)
    frames = torch.full((1, 3, 6, 5, 71), 0.5, dtype=torch.float64, requires_grad=True)
    assert net.reach - 1 <= farthest(net(frames), frames) <= net.reach


def test_no_pixel_beyond_its_reach_influences_deepfuse() -> None:
    net = DeepFuse(shrink=16).double()
    positive(net)
    luma = torch.full((2, 1, 5, 51), 0.5, dtype=torch.float64, requires_grad=True)
    assert farthest(net.features(luma), luma) == net.reach

"""Tokens of image pairs from a pretrained convolutional stem, in place of the linear patch embedding of a ViT.

Ours. Hybrid ViTs put a convolutional network before the transformer (Dosovitskiy et al., ICLR 2021,
doi:10.48550/arXiv.2010.11929, section 3.1). Here each patch of both images goes through the first stages of a backbone of
ImageNet, and a token holds statistics of every channel over the patch: of the reference alone, and of how the test image
departs from it, in the terms in which SSIM and DISTS compare (doi:10.1109/TPAMI.2020.3045810).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.layers.inverted_residuals import InvertedResiduals
from hdrq.nn.layers.transformer import Tokens

# Share of a channel's usual variance: below it a difference counts linearly, above it by its logarithm.
_KNEE = 1e-3
# statistics of a channel: of the reference, and of the difference
_CONTENT, _CHANGE = 2, 4


class FeatureTokens(Tokens):
    """Tokens (B, N, width) of a reference and a test image from statistics of features of their patches.

    channels  of the pixels and the stages together, see `channels_of`
    usual     variance of every channel over a patch of a photograph; centre, scale  of the statistics of the reference, and the
              scale of those of the difference, over the patches of a training
    The token of the reference is that of a test image without any difference. See `Tokens` for the other arguments.
    """

    def __init__(
        self,
        width: int,
        channels: int,
        grid: int = 1,
        scales: int = 1,
        registers: int = 0,
        class_scale: bool = False,
    ) -> None:
        super().__init__(width, grid, scales, registers, class_scale)
        self.usual = _fixed(torch.ones(channels))
        self.centre = _fixed(torch.zeros(_CONTENT * channels))
        self.scale = _fixed(torch.ones((_CONTENT + _CHANGE) * channels))
        self.content = nn.Linear(_CONTENT * channels, width)
        self.change = nn.Linear(_CHANGE * channels, width, bias=False)

    def pair(
        self, content: Tensor, change: Tensor, place: Tensor, scale: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens of both images from what `statistics` gives, of patches at the same places; see `Tokens.placed`."""
        by_content, by_change = self.scale.split((self.centre.numel(), change.shape[-1]))
        plain = self.placed(self.content((content - self.centre) / by_content), place, scale)
        return plain, plain + self.change(change / by_change)

    def statistics(self, ref: Iterator[Tensor], dist: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
        """(content (M, 2 C), change (M, 4 C)) of features of M patches, see `features`; change is 0 for identical patches."""
        found, start = [], 0
        for a, b in zip(ref, dist):
            found.append(_statistics(a, b, self.usual[start : start + a.shape[1]]))
            start += a.shape[1]
        content, change = (torch.cat(parts, 1) for parts in zip(*found))
        return content, change


def channels_of(trunk: InvertedResiduals, stages: int) -> int:
    """Channels of the pixels, the first convolution and so many stages."""
    return 3 + int(trunk.stem.conv.out_channels) + sum(trunk.widths[:stages])


def features(trunk: InvertedResiduals, patches: Tensor, stages: int) -> Iterator[Tensor]:
    """The pixels, the first convolution and so many stages of patches (M, 3, p, p), each (M, C, h, w)."""
    x = patches.contiguous(memory_format=torch.channels_last)
    yield x
    x = F.relu6(trunk.stem(x))
    yield x
    for blocks in trunk.blocks[:stages]:
        x = blocks(x)
        yield x


def variances(found: Iterator[Tensor]) -> Tensor:
    """(M, C): variance of every channel of `features` over each patch, for `usual`."""
    return torch.cat([x.flatten(2).var(2, correction=0) for x in found], 1)


def _statistics(a: Tensor, b: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, log variance) of a, and by channel: (difference of means, log ratio of deviations, log energy of the
    difference, loss of structure) of b; of features (M, C, h, w)."""
    a, b = a.flatten(2), b.flatten(2)
    mean_a, mean_b = a.mean(2), b.mean(2)
    rest_a, rest_b = a - mean_a[..., None], b - mean_b[..., None]
    var_a, var_b = rest_a.square().mean(2), rest_b.square().mean(2)
    shared = (rest_a * rest_b).mean(2)
    unit, knee = usual.sqrt(), usual * _KNEE
    energy = (a - b).square().mean(2)
    content = (mean_a / unit, (var_a + knee).log())
    change = (
        (mean_b - mean_a) / unit,
        ((var_b + knee) / (var_a + knee)).log() / 2,
        torch.log1p(energy / knee),
        1 - (2 * shared + knee) / (var_a + var_b + knee),
    )
    return torch.cat(content, 1), torch.cat(change, 1)


def _fixed(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)

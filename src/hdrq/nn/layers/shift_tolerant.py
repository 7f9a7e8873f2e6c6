"""AlexNet and VGG16 with anti-aliased downsampling, so that features are nearly invariant to shifts of one pixel.

Source  Ghildyal & Liu, ECCV 2022, doi:10.1007/978-3-031-19797-0_6; Zhang, ICML 2019, doi:10.48550/arXiv.1904.11486

The parameters are those of `alexnet.Trunk` and `vgg.Trunk`; only the downsampling differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.keys import Rule, constant, rename
from hdrq.nn.layers import alexnet, vgg

_TAPS = (0.25, 0.5, 0.25)
# mirrored pixels on every side, one more than the filter needs
_MARGIN = 2
# Convolutions in the authors' modules, and their filters: (stage counted from 1, index).
_ALEX = ((1, 0), (2, 5), (3, 9), (4, 11), (5, 13))
_ALEX_FILTERS = ((1, 1, 64), (2, 4, 64), (3, 8, 192))
_VGG = (
    (1, 0),
    (1, 2),
    (2, 6),
    (2, 8),
    (3, 12),
    (3, 14),
    (3, 16),
    (4, 20),
    (4, 22),
    (4, 24),
    (5, 28),
    (5, 30),
    (5, 32),
)
_VGG_FILTERS = ((2, 5, 64), (3, 11, 128), (4, 19, 256), (5, 27, 512))


def blur_halve(x: Tensor) -> Tensor:
    """A binomial filter of three taps and subsampling by two; n pixels become (n + 1) // 2 + 1."""
    channels = x.shape[1]
    taps = x.new_tensor(_TAPS)
    square = (taps[:, None] * taps).expand(channels, 1, 3, 3)
    return F.conv2d(F.pad(x, (_MARGIN,) * 4, mode="reflect"), square, stride=2, groups=channels)


def dense_halve(x: Tensor) -> Tensor:
    """The maximum over 2x2 at every pixel, then `blur_halve`."""
    return blur_halve(F.max_pool2d(x, 2, 1))


class AlexTrunk(alexnet.Trunk):
    """Five convolutions, the first with stride 1."""

    def __init__(self) -> None:
        super().__init__()
        self.convs[0] = nn.Conv2d(3, 64, 11, 1, 2)

    def stages(self, x: Tensor) -> Iterator[Tensor]:
        """The outputs of all convolutions after their ReLU; the first is downsampled between convolution and ReLU."""
        for number, conv in enumerate(self.convs):
            x = conv(blur_halve(F.max_pool2d(x, 3, 1)) if number in (1, 2) else x)
            x = F.relu(blur_halve(x) if number == 0 else x)
            yield x


class VggTrunk(vgg.Trunk):
    """Thirteen convolutions with `dense_halve` between stages."""

    def stages(self, x: Tensor, shrink: Callable[[Tensor], Tensor] = dense_halve) -> Iterator[Tensor]:
        """The outputs of all stages after their last ReLU; `shrink` is applied between stages."""
        return super().stages(x, shrink)


def alex_rules(theirs: str = "net.slice", ours: str = "trunk.convs.") -> tuple[Rule, ...]:
    """Rules for the tensor names of ST-LPIPS's AlexNet."""
    return _rules(_ALEX, _ALEX_FILTERS, theirs, ours)


def vgg_rules(theirs: str = "net.slice", ours: str = "trunk.convs.") -> tuple[Rule, ...]:
    """Rules for the tensor names of ST-LPIPS's VGG16."""
    return _rules(_VGG, _VGG_FILTERS, theirs, ours)


def _rules(
    convs: tuple[tuple[int, int], ...], filters: tuple[tuple[int, int, int], ...], theirs: str, ours: str
) -> tuple[Rule, ...]:
    """Rules for the convolutions; the authors' program stores the filter once per channel."""
    taps = torch.tensor(_TAPS)
    square = taps[:, None] * taps
    return (
        *(rename(f"{theirs}{s}.{i}.{{leaf}}", f"{ours}{k}.{{leaf}}") for k, (s, i) in enumerate(convs)),
        *(
            constant(f"{theirs}{s}.{i}.filt", square.expand(width, 1, 3, 3).clone())
            for s, i, width in filters
        ),
    )

"""Autoencoder of highlights: VGG16 as encoder, and a decoder that is joined with every stage of it.

Source  Eilertsen, Kronander, Denes, Mantiuk & Unger, ACM TOG 36(6), 2017, doi:10.1145/3130800.3130816 (HDRCNN); with other
upsampling and skip connections in Liu et al., CVPR 2020, doi:10.1109/CVPR42600.2020.00172 (SingleHDR).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.layers.tensorflow import Norm

# convolutions of the stages of VGG16
STAGES = (2, 2, 3, 3, 3)
# codes over which the prediction of HDRCNN replaces the input, equation 2
_RAMP = 0.05
_EPS = 1 / 255
# largest logarithm of the prediction, so that float32 holds its exponential
_MOST = 60.0
# of ImageNet, blue, green, red, codes 0..255
MEAN = (103.939, 116.779, 123.68)
Skip = Literal["log", "linear"]


class Joint(nn.Module):
    """1x1 convolution of the decoder's and the encoder's channels; at the start of a training their sum."""

    def __init__(self, width: int, skipped: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width + skipped, width, 1)
        if not self.conv.weight.is_meta:
            with torch.no_grad():
                self.conv.weight.zero_()
                self.conv.weight[:, :width, 0, 0] = torch.eye(width)
                self.conv.weight[:, width:, 0, 0] += torch.eye(width, skipped)
                self.conv.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        result: Tensor = self.conv(torch.cat([x, skipped], 1))
        return result


class Up(nn.Module):
    """Twice the size: a transposed convolution, or nearest pixels and a convolution; then batch norm and ReLU."""

    def __init__(self, entering: int, leaving: int, transposed: bool) -> None:
        super().__init__()
        self.conv: nn.Module = (
            nn.ConvTranspose2d(entering, leaving, 4, 2, 1) if transposed else nn.Conv2d(entering, leaving, 3)
        )
        self.norm = Norm(leaving)
        self.transposed = transposed

    def forward(self, x: Tensor) -> Tensor:
        if self.transposed:
            x = self.conv(x)
        else:
            wide = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.relu(self.conv(F.pad(wide, (1, 1, 1, 1), mode="reflect")))
        return F.relu(self.norm(x))


class VggAutoencoder(nn.Module):
    """(B, 3, H, W) code 0..1 to (B, 3, H, W); sides are multiples of 32.

    width       channels of the first stage; 64 in VGG16
    skip        what the decoder reads of the encoder: "log", ln(x² + 1/255), or "linear", x, with codes of 0..1
    transposed  whether the decoder uses transposed convolutions
    """

    def __init__(self, width: int = 64, skip: Skip = "log", transposed: bool = True) -> None:
        super().__init__()
        widths = [width * min(2**k, 8) for k in range(len(STAGES))]
        entering = 3
        self.encoder = nn.ModuleList()
        for count, leaving in zip(STAGES, widths):
            convs = [nn.Conv2d(entering if k == 0 else leaving, leaving, 3, padding=1) for k in range(count)]
            self.encoder.append(nn.ModuleList(convs))
            entering = leaving
        self.middle = nn.Conv2d(entering, entering, 3, padding=1)
        self.middle_norm = Norm(entering)
        # of the steps up, which end at the width of the next stage
        leaving = [
            widths[-1],
            *widths[:-1][::-1],
        ]
        steps = [widths[-1], *leaving[:-1]]
        self.up = nn.ModuleList(Up(a, b, transposed) for a, b in zip(steps, leaving))
        self.joint = nn.ModuleList(Joint(w, w) for w in leaving)
        self.last = nn.Conv2d(width, 3, 1)
        self.last_norm = Norm(3)
        self.end = Joint(3, 3)
        self.skip = skip

    def _skipped(self, codes: Tensor) -> Tensor:
        x = codes / 255
        return (x * x + 1 / 255).log() if self.skip == "log" else x

    def forward(self, code: Tensor) -> Tensor:
        image = code * 255
        x = image.flip(1) - torch.tensor(MEAN).to(code).reshape(3, 1, 1)
        skips = []
        for stage in self.encoder:
            for conv in stage:  # type: ignore[attr-defined]
                x = F.relu(conv(x))
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = F.relu(self.middle_norm(self.middle(x)))
        for up, joint in zip(self.up, self.joint):
            x = joint(up(x), self._skipped(skips.pop()))
        x = F.relu(self.last_norm(self.last(x)))
        result: Tensor = self.end(x, self._skipped(image))
        return result


def ramp(code: Tensor, width: float) -> Tensor:
    """(B, 1, H, W) 0 below 1 - width, rising to 1 where any channel is 1."""
    return ((code.amax(1, keepdim=True) - 1 + width) / width).clamp(0, 1)


def asked(code: Tensor) -> bool:
    """Whether a pixel of the code is replaced by HDRCNN's prediction."""
    return bool((code > 1 - _RAMP).any())


def predicted_light(predicted: Tensor) -> Tensor:
    """Light of HDRCNN's prediction, its logarithm; at least -1/255, which the logarithm of the light plus 1/255 undoes."""
    return predicted.clamp(max=_MOST).exp() - _EPS


def asked_share(code: Tensor) -> Tensor:
    """(B, 1, H, W) share 0..1 of HDRCNN's prediction in the result."""
    return ramp(code, _RAMP)


def blended(code: Tensor, light: Tensor, predicted: Tensor) -> Tensor:
    """Light (B, 3, H, W) that is replaced where the code is saturated by HDRCNN's prediction, a logarithm of light."""
    share = asked_share(code)
    return ((1 - share) * light + share * predicted_light(predicted)).clamp(min=0)

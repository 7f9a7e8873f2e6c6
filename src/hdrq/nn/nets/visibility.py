"""A small U-Net that predicts where a difference of two images is visible.

The idea of Wolski et al., ACM TOG 2018, doi:10.1145/3197517.3201373: learn the map of a visibility metric. This
network is made for speed: filters at every fourth pixel, energies of their outputs, and a U-Net at every sixteenth
pixel, because a map that is pooled over a third of a degree has no finer detail.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.net import Net, pattern

# pixels between values of the network's own output
STRIDE = 16
# pixels of no difference around the image
EDGE = 16
# pixels; the network halves the image five times
GRID = 32
# of differences of log10 luminance: 5 % becomes about 0.4
SCALE = 20.0
# added to energies of differences and of the reference, before their logarithm
LEAST = (1e-6, 1e-4)
# pixels
BLOCK = 4


class Filters(nn.Module):
    """(N, 1, H, W) to the means of 4 x 4 blocks and the outputs of learned filters of that size."""

    mean: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        self.learned = nn.Parameter(torch.empty(count, 1, BLOCK, BLOCK))
        self.register_buffer("mean", torch.full((1, 1, BLOCK, BLOCK), 1 / BLOCK**2), persistent=False)
        nn.init.orthogonal_(self.learned.view(count, -1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        both = F.conv2d(x, torch.cat((self.mean, self.learned)), stride=BLOCK)
        return both[:, :1], both[:, 1:]


class Visibility(nn.Module):
    """log10 luminance of reference and test image, each (N, 1, H, W), to the log of pooled contrast in thresholds.

    The result is (N, 1, h, w), one value for every 16 x 16 pixels of the image within its edges; see `spread`.
    """

    def __init__(self, filters: tuple[int, int], width: int) -> None:
        super().__init__()
        both = sum(filters) + 1
        self.fine = nn.ModuleList(Filters(n) for n in filters)
        self.coarse = nn.ModuleList(Filters(n) for n in filters)
        self.mixed = nn.Conv2d(both, 32, 1)
        self.halved = nn.Conv2d(32, width, 3, 2, 1)
        self.joined = nn.Conv2d(width + both, width, 3, 1, 1)
        self.down = nn.Conv2d(width, width, 3, 2, 1)
        self.low = nn.Conv2d(width, width, 3, 1, 1)
        self.up = nn.Conv2d(width, width, 3, 1, 1)
        self.answer = nn.Conv2d(width, 1, 1)

    def forward(self, log_ref: Tensor, log_dist: Tensor) -> Tensor:
        h, w = log_ref.shape[-2:]
        margins = (EDGE, EDGE + (-w - 2 * EDGE) % GRID, EDGE, EDGE + (-h - 2 * EDGE) % GRID)
        images = (F.pad(log_dist - log_ref, margins), F.pad(log_ref, margins, mode="replicate"))
        blocks, outputs = zip(*(layer(x) for layer, x in zip(self.fine, images)))
        fine = [energy(F.avg_pool2d(o.square(), 2), k) for k, o in enumerate(outputs)]
        x = F.relu(self.mixed(torch.cat((*fine, F.avg_pool2d(blocks[1], 2)), 1)))
        means, outputs = zip(*(layer(x) for layer, x in zip(self.coarse, blocks)))
        coarse = [energy(o.square(), k) for k, o in enumerate(outputs)]
        x = F.relu(torch.cat((self.halved(x), *coarse, means[1]), 1))
        x = F.relu(self.joined(x))
        low = F.relu(self.low(F.relu(self.down(x))))
        x = F.relu(self.up(F.interpolate(low, scale_factor=2.0, mode="nearest") + x))
        found: Tensor = self.answer(x)
        return found


def energy(squares: Tensor, kind: int) -> Tensor:
    """Logarithm of energies of differences (kind 0) or of the reference (1), around 0."""
    gain = SCALE**2 if kind == 0 else 1.0
    return torch.log(squares * gain + LEAST[kind]) / 4 + 1


def spread(values: Tensor, height: int, width: int) -> Tensor:
    """The network's output at every pixel: linear between the centres of its blocks; (N, 1, height, width)."""
    steps = (torch.arange(STRIDE, dtype=values.dtype, device=values.device) + 0.5) / STRIDE
    # along the last dimension, which is then exchanged with the other
    for size in (height, width):
        values = values.transpose(-1, -2)
        values = F.pad(values, (1, 1, 0, 0), mode="replicate")
        lines = torch.addcmul(values[..., :-1, None], values.diff()[..., None], steps).flatten(-2)
        first = STRIDE // 2 + EDGE
        values = lines[..., first : first + size]
    return values


def _build(differences: int = 16, references: int = 8, width: int = 32) -> Visibility:
    return Visibility((differences, references), width)


def _witness(net: nn.Module) -> Tensor:
    lit = pattern(1, 1, 70, 99) * 3
    result: Tensor = net(lit, lit.roll(1, -1))
    return result.mean()


visibility = Net(
    name="visibility",
    source="this project; after Wolski et al. 2018, doi:10.1145/3197517.3201373",
    build=_build,
    layouts=(),
    witness=_witness,
    side=32,
    small={"differences": 4, "references": 2, "width": 8},
)

"""ExpandNet: HDR light of SDR code by a local, a dilated and a global branch.

Source  Marnerides, Bashford-Rogers, Hatchett & Debattista, Computer Graphics Forum 37(2), 2018, doi:10.1111/cgf.13340
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hdrq.nn.image_networks import Use, tiled
from hdrq.nn.keys import rename
from hdrq.nn.net import Layout, Net, mix, pattern

# to which the image is resized for the global branch
GLOBAL_SIDE = 256
# of the global branch; its last convolution covers what is left
_HALVINGS = 6


class ExpandNet(nn.Module):
    """(B, 3, H, W) code 0..1 to (B, 3, H, W) light 0..1.

    width  channels of a branch; 64 in the paper
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.local = nn.ModuleList([nn.Conv2d(3, width, 3, 1, 1), nn.Conv2d(width, 2 * width, 3, 1, 1)])
        self.dilated = nn.ModuleList(nn.Conv2d(3 if k == 0 else width, width, 3, 1, 2, 2) for k in range(4))
        self.overall = nn.ModuleList(nn.Conv2d(3 if k == 0 else width, width, 3, 2, 1) for k in range(6))
        self.overall.append(nn.Conv2d(width, width, GLOBAL_SIDE >> _HALVINGS, 1, 0))
        self.end = nn.ModuleList([nn.Conv2d(4 * width, width, 1), nn.Conv2d(width, 3, 1)])

    def describe(self, code: Tensor) -> Tensor:
        """(B, width, 1, 1), the description of the whole image."""
        x = F.interpolate(code, (GLOBAL_SIDE, GLOBAL_SIDE), mode="bilinear", align_corners=False)
        for conv in self.overall[:-1]:
            x = F.selu(conv(x))
        result: Tensor = self.overall[-1](x)
        return result

    def render(self, code: Tensor, described: Tensor) -> Tensor:
        """Light of an image or a part of it, given the description of the whole."""
        near, wide = code, code
        for conv in self.local:
            near = F.selu(conv(near))
        for conv in self.dilated[:-1]:
            wide = F.selu(conv(wide))
        wide = self.dilated[-1](wide)
        joint = torch.cat([near, wide, described.expand(-1, -1, *code.shape[-2:])], 1)
        return torch.sigmoid(self.end[1](F.selu(self.end[0](joint))))

    def forward(self, code: Tensor) -> Tensor:
        return self.render(code, self.describe(code))


def expand(net: ExpandNet, code: Tensor, *, peak_nits: float = 3000.0, stretch: bool = True) -> Tensor:
    """Light between 0 and the peak.

    stretch  whether the image's largest value becomes the peak and its smallest 0, as in the authors' program;
             otherwise 1 of the network is the peak
    """
    described = net.describe(code)
    light = tiled(lambda part: net.render(part, described), code, side=512, margin=8)
    if stretch:
        low, high = (end(light, (1, 2, 3), keepdim=True) for end in (torch.amin, torch.amax))
        light = (light - low) / (high - low).clamp(min=1e-6)
    return light * peak_nits


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {"width": state["glob_net.6.weight"].shape[0]}


# their branch, ours, number of convolutions, of which the last has no activation or another position
_STACKS = (
    ("local_net", "local", 2, False),
    ("mid_net", "dilated", 4, True),
    ("glob_net", "overall", 7, True),
    ("end_net", "end", 2, True),
)

expandnet = Net(
    name="expandnet",
    source="Marnerides et al. 2018, doi:10.1111/cgf.13340",
    build=ExpandNet,
    layouts=(
        Layout(
            name="hdr-expandnet",
            marks=("local_net.0.0.weight", "mid_net.3.weight", "glob_net.6.weight"),
            table=tuple(
                rename(
                    f"{theirs}.{k}.{{leaf}}" if bare and k == count - 1 else f"{theirs}.{k}.0.{{leaf}}",
                    f"{ours}.{k}.{{leaf}}",
                )
                for theirs, ours, count, bare in _STACKS
                for k in range(count)
            ),
            options=_options,
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 32, 40))),
    small={"width": 4},
    use=Use(
        "expand",
        expand,
        title="ExpandNet: local, dilated and global branches",
        limits={"peak_nits": (1, 1e5)},
    ),
)

"""Quality of photographs: statistics of a pretrained backbone's stages, and a small head.

Ours. As in KonCept512 (doi:10.1109/TIP.2020.2967829) a backbone reads the image at the size at which it is viewed and a head
is trained on what the backbone gives; here that is the mean and the standard deviation of every channel of every stage,
which keeps what later stages forget (noise, blur) beside what they know (content).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hdrq.nn.layers.inverted_residuals import backbone_named
from hdrq.nn.net import Net, pattern

# standard deviations; what lies farther counts as this far
_FAR = 5.0
# keeps the slope of a root finite
_TINY = 1e-12


class PhotoQuality(nn.Module):
    """(B, 3, H, W), normalised as the backbone wants it, to quality (B,) in the unit of its training's scores.

    backbone  name of a network of nn/nets that is a `Backbone`
    hidden    width of the head's hidden layer, beside which the statistics enter the score linearly
    """

    def __init__(
        self,
        backbone: str = "efficientnet-lite2",
        hidden: int = 256,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        body = backbone_named(backbone, "nr")
        self.intake = body.intake
        self.trunk = body.trunk
        count = 2 * sum(body.trunk.widths)
        self.center = nn.Parameter(torch.zeros(count), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(count), requires_grad=False)
        self.linear = nn.Linear(count, 1)
        self.hidden = nn.Sequential(
            nn.Linear(count, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1)
        )

    def statistics(self, x: Tensor) -> Tensor:
        """(B, 2 x channels): mean and standard deviation over space of each stage, from the first."""
        found: list[Tensor] = []
        for stage in self.trunk.stages(x.contiguous(memory_format=torch.channels_last)):
            mean = stage.mean((-2, -1))
            found += [mean, ((stage - mean[..., None, None]).square().mean((-2, -1)) + _TINY).sqrt()]
        return torch.cat(found, 1)

    def predict(self, statistics: Tensor) -> Tensor:
        """Quality (B,) of statistics."""
        z = ((statistics - self.center) / self.scale).clamp(-_FAR, _FAR)
        result: Tensor = (self.linear(z) + self.hidden(z))[:, 0]
        return result

    def forward(self, x: Tensor) -> Tensor:
        return self.predict(self.statistics(x))


def _witness(net: Any) -> Tensor:
    result: Tensor = net(pattern(1, 3, 96, 128) * 2 - 1)[0]
    return result


nr = Net(
    name="nr",
    source="this project; after KonCept512, doi:10.1109/TIP.2020.2967829",
    build=PhotoQuality,
    layouts=(),
    witness=_witness,
    side=64,
    head=("linear", "hidden"),
    training={"input": "crops", "crop": 384, "batch": 8, "loss": {"mse": 1.0}},
)

"""MetaIQA: ResNet-18 with its classifier, and a regressor on the 1000 logits.

Source  Zhu, Li, Wu, Dong & Shi, CVPR 2020, doi:10.1109/CVPR42600.2020.01415; layers of zhuhancheng/MetaIQA 30eeeb1
"""

from __future__ import annotations

from torch import Tensor, nn

from hdrq.nn.keys import State, rename
from hdrq.nn.layers.resnet import Basic, ResNet
from hdrq.nn.net import Layout, Net, pattern
from hdrq.nn.network_input import Convention


class MetaIqa(nn.Module):
    """(B, 3, H, W), ImageNet-normalised, to (B,) quality in [0, 1]; higher is better."""

    def __init__(self, classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.intake: Convention = "imagenet"
        self.body = ResNet(Basic, (2, 2, 2, 2), classes)
        self.head = nn.Sequential(
            nn.Linear(classes, 1024),
            nn.BatchNorm1d(1024),
            nn.PReLU(),
            nn.Dropout(dropout),
            nn.Linear(1024, 512),
            nn.BatchNorm1d(512),
            nn.PReLU(),
            nn.Dropout(dropout),
            nn.Linear(512, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(x))[:, 0].sigmoid()
        return result


_PARTS = {"fc1": 0, "bn1": 1, "relu1": 2, "fc2": 4, "bn2": 5, "relu2": 6, "fc3": 8}


def _from_resnet(state: State) -> State:
    return {f"body.{name}": tensor for name, tensor in state.items()}


metaiqa = Net(
    name="metaiqa",
    source="Zhu et al. 2020, doi:10.1109/CVPR42600.2020.01415; layers of zhuhancheng/MetaIQA 30eeeb1",
    build=MetaIqa,
    layouts=(
        Layout(
            name="metaiqa",
            marks=("resnet_layer.conv1.weight", "net.fc1.weight"),
            table=(
                rename("resnet_layer.{key}", "body.{key}"),
                *(
                    rename(f"net.{theirs}.{{leaf}}", f"head.{ours}.{{leaf}}")
                    for theirs, ours in _PARTS.items()
                ),
            ),
            encoding="srgb",
        ),
    ),
    witness=lambda net: net(pattern(2, 3, 64, 64) * 4 - 2)[:1],
    grows={"resnet18": _from_resnet},
    training={"input": "resized", "crop": 224, "margin": 32, "batch": 16, "loss": {"mse": 1.0}},
)

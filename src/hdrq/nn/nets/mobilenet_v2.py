"""MobileNetV2, batch normalisation folded into its convolutions.

Source  Sandler, Howard, Zhu, Zhmoginov & Chen, CVPR 2018, doi:10.1109/CVPR.2018.00474; layers of torchvision
"""

from __future__ import annotations

from hdrq.nn.keys import Rule, drop, rename
from hdrq.nn.layers.inverted_residuals import Backbone, InvertedResiduals, Stage, folding, places
from hdrq.nn.net import Layout, Net, classes_by, mix, pattern

_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(3, 3, 2, 6, 32),
    Stage(4, 3, 2, 6, 64),
    Stage(3, 3, 1, 6, 96),
    Stage(3, 3, 2, 6, 160),
    Stage(1, 3, 1, 6, 320),
)
# of the batch normalisation
_EPSILON = 1e-5


def _build(classes: int = 1000) -> Backbone:
    return Backbone(InvertedResiduals(_STAGES, same=False), "imagenet", classes)


def _rules() -> tuple[Rule, ...]:
    rules = [*folding(("features.0.0", "features.0.1"), "trunk.stem", _EPSILON)]
    for number, (ours, expansion) in enumerate(places(_STAGES), 1):
        at, first = f"features.{number}.conv", int(expansion > 1)
        if first:
            rules += folding((f"{at}.0.0", f"{at}.0.1"), f"{ours}.expand", _EPSILON)
        rules += folding((f"{at}.{first}.0", f"{at}.{first}.1"), f"{ours}.depthwise", _EPSILON)
        rules += folding((f"{at}.{first + 1}", f"{at}.{first + 2}"), f"{ours}.project", _EPSILON)
    rules += folding(("features.18.0", "features.18.1"), "trunk.top", _EPSILON)
    return (*rules, rename("classifier.1.{leaf}", "classifier.{leaf}"), drop("{key}.num_batches_tracked"))


mobilenet_v2 = Net(
    name="mobilenet-v2",
    source="Sandler et al. 2018, doi:10.1109/CVPR.2018.00474; layers of torchvision",
    build=_build,
    layouts=(
        Layout(
            "torchvision",
            ("features.18.0.weight", "features.17.conv.3.running_var"),
            _rules(),
            classes_by("classifier.1.weight"),
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 65, 70) * 4 - 2)),
)

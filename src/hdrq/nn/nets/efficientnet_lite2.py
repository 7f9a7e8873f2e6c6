"""EfficientNet-Lite2, batch normalisation folded into its convolutions.

Source  Tan & Le, ICML 2019, doi:10.48550/arXiv.1905.11946; the Lite variant of tensorflow/tpu: ReLU6, no
        squeeze-and-excitation, stem and head of fixed width; width 1.1, depth 1.2, trained at 260 x 260
"""

from __future__ import annotations

from hdrq.nn.keys import Rule, drop, rename
from hdrq.nn.layers.inverted_residuals import Backbone, InvertedResiduals, Stage, folding, places
from hdrq.nn.net import Layout, Net, classes_by, mix, pattern

_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(3, 3, 2, 6, 24),
    Stage(3, 5, 2, 6, 48),
    Stage(4, 3, 2, 6, 88),
    Stage(4, 5, 1, 6, 120),
    Stage(5, 5, 2, 6, 208),
    Stage(1, 3, 1, 6, 352),
)
# TensorFlow's, of the batch normalisation
_EPSILON = 1e-3


def _build(classes: int = 1000) -> Backbone:
    return Backbone(InvertedResiduals(_STAGES, same=True), "lite", classes)


def _rules() -> tuple[Rule, ...]:
    """Names of efficientnet_lite_pytorch, whose blocks are numbered through."""
    rules = [
        *folding(("_conv_stem", "_bn0"), "trunk.stem", _EPSILON),
        *folding(("_conv_head", "_bn1"), "trunk.top", _EPSILON),
    ]
    for number, (ours, expansion) in enumerate(places(_STAGES)):
        parts = {"depthwise": ("_depthwise_conv", "_bn1"), "project": ("_project_conv", "_bn2")}
        if expansion > 1:
            parts["expand"] = ("_expand_conv", "_bn0")
        for part, (conv, norm) in parts.items():
            at = f"_blocks.{number}"
            rules += folding((f"{at}.{conv}", f"{at}.{norm}"), f"{ours}.{part}", _EPSILON)
    return (*rules, rename("_fc.{leaf}", "classifier.{leaf}"), drop("{key}.num_batches_tracked"))


efficientnet_lite2 = Net(
    name="efficientnet-lite2",
    source="Tan & Le 2019, doi:10.48550/arXiv.1905.11946; the Lite variant of tensorflow/tpu",
    build=_build,
    layouts=(
        Layout(
            "efficientnet-lite-pytorch",
            ("_conv_stem.weight", "_blocks.20._bn2.weight"),
            _rules(),
            classes_by("_fc.weight"),
            encoding="srgb",
        ),
    ),
    witness=lambda net: mix(net(pattern(1, 3, 65, 70) * 2 - 1)),
)

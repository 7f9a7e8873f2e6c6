"""PieAPP as published, and retrained on displayed light with a sigmoid on its weights. Lower is better.

The first reads 0..255 in BGR order; the second reads ImageNet-normalised code (sRGB or PU21),
is initialised from VGG16 and comes from Chubarau et al. 2024, doi:10.48550/arXiv.2405.00670.
"""

from __future__ import annotations

from hdrq.nn.layers.pieapp import PIEAPP, PU_PIEAPP, RETRAINED, TRAINED, PatchComparer, from_vgg16, witness
from hdrq.nn.net import Layout, Net

pieapp = Net(
    name="pieapp",
    source="doi:10.1109/CVPR.2018.00194; on displayed light doi:10.48550/arXiv.2405.00670",
    build=PatchComparer,
    layouts=(
        Layout(name="pieapp-0.1", marks=("ref_score_subtract.weight",), table=PIEAPP, encoding="srgb"),
        Layout(name="hdr-iqa-dom-adapt", marks=("extractor.conv1.weight",), table=PU_PIEAPP, fixed=RETRAINED),
    ),
    witness=witness,
    grows={"vgg16": from_vgg16},
    **TRAINED,
)

"""PU-PieAPP as published: PieAPP's network, trained on UPIQ. It reads light; higher is better, 0 for identical images.

Source  Mikhailiuk, Perez-Ortiz, Yue, Suen & Mantiuk, doi:10.48550/arXiv.2012.10758; github.com/gfxdisp/pu_pieapp
"""

from __future__ import annotations

from functools import partial

from hdrq.nn.layers.pieapp import PU_PIEAPP, PUBLISHED, RETRAINED, TRAINED, PatchComparer, witness
from hdrq.nn.net import Layout, Net

pu_pieapp = Net(
    name="pu-pieapp",
    source="Mikhailiuk et al. 2020, doi:10.48550/arXiv.2012.10758; github.com/gfxdisp/pu_pieapp",
    build=partial(PatchComparer, **PUBLISHED),
    layouts=(
        Layout(
            name="pu-pieapp",
            marks=("extractor.conv1.weight",),
            table=PU_PIEAPP,
            encoding="nits",
            nested=True,
        ),
        Layout(
            name="hdr-iqa-dom-adapt",
            marks=("extractor.conv1.weight",),
            table=PU_PIEAPP,
            fixed=RETRAINED,
            makes="pieapp",
            nested=False,
        ),
    ),
    witness=witness,
    **TRAINED,
)

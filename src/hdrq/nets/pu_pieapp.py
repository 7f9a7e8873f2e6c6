"""PU-PieAPP as published: PieAPP's network, trained on UPIQ. Reads light; higher is better, 0 is identical.

Source  Mikhailiuk, Perez-Ortiz, Yue, Suen & Mantiuk, doi:10.48550/arXiv.2012.10758; github.com/gfxdisp/pu_pieapp
"""

from __future__ import annotations

from functools import partial

from hdrq.layers.net import Layout, Net
from hdrq.layers.patch_comparer import PatchComparer
from hdrq.layers.pieapp_names import PU_PIEAPP, PUBLISHED, RETRAINED, witness

pu_pieapp = Net(
    name="pu-pieapp",
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
)

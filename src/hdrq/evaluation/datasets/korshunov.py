"""Korshunov 2015: JPEG XT in three profiles, twenty HDR scenes rated on an HDR display."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.loose_archive import loose
from hdrq.records import Pair


@dataset(
    title="Korshunov 2015 (EPFL, JPEG XT of HDR images): 20 references, 3 profiles x 4 rates, 240 HDR images",
    home="https://www.epfl.ch/labs/mmspg/downloads/jpegxt-hdr/",
    licence="stated on its home page; asks for citation",
    source="doi:10.1109/QoMEX.2015.7148119",
    scale="MOS 1 .. 5 of impairment, higher is better",
    better="higher",
    span=(1.0, 5.0),
    domain="nits",
    display="absolute",
    references=20,
    distortions=3,
    images=240,
    marks=("korshunov.csv", "korshunov.xlsx", "korshunov.txt"),
    folders=("korshunov", "Korshunov2015", "jpegxt-hdr"),
    layout=(
        "HDR images anywhere below",
        "korshunov.csv, .xlsx or .txt with columns image, reference, mos, std "
        "(the authors' subjective scores are in a workbook: save its rows under this name)",
    ),
    spread="sd",
    observers=24,
)
def korshunov(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """With subjective scores on UPIQ's common scale the same images are `upiq --subset korshunov`."""
    tables = ("korshunov.csv", "korshunov.xlsx", "korshunov.txt")
    yield from loose(folder, tables, distortion=_profile)


def _profile(stem: str) -> str:
    """The JPEG XT profile from the name (.._profileA_..), else the codec."""
    found = re.search(r"profile[-_ ]?([abc])", stem, re.IGNORECASE)
    return f"jpeg-xt-{found.group(1).lower()}" if found else "jpeg-xt"

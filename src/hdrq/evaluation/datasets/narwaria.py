"""Narwaria 2013: JPEG in a tone-mapping scheme, ten HDR scenes rated on an HDR display."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.loose_archive import loose
from hdrq.records import Pair


@dataset(
    title="Narwaria 2013 (IRCCyN/IVC HDR images JPEG compression): 10 references, 14 codings, 140 HDR images",
    home="http://ivc.univ-nantes.fr/en/databases/HDR_Images",
    licence="stated on its home page",
    source="doi:10.1117/1.OE.52.10.102008",
    scale="MOS 1 .. 5, higher is better",
    better="higher",
    span=(1.0, 5.0),
    domain="nits",
    display="absolute",
    references=10,
    distortions=1,
    images=140,
    marks=("narwaria.csv", "narwaria.xlsx", "narwaria.txt"),
    folders=("narwaria", "Narwaria2013", "IRCCyN_IVC_HDR_Images_JPEG_Compression"),
    layout=(
        "HDR images anywhere below",
        "narwaria.csv, .xlsx or .txt with columns image, reference, mos, std "
        "(the authors' subjective scores are in a workbook: save its rows under this name)",
    ),
    spread="sd",
)
def narwaria(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """With subjective scores on UPIQ's common scale the same images are `upiq --subset narwaria`."""
    yield from loose(
        folder, ("narwaria.csv", "narwaria.xlsx", "narwaria.txt"), distortion=lambda stem: "jpeg-hdr"
    )

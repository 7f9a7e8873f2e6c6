"""TID2008: 25 references, 17 distortions at four levels."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tampere import tampere
from hdrq.records import Pair


@dataset(
    title="TID2008, Tampere image database: 25 references, 17 distortions x 4 levels, 1,700 images",
    home="https://www.ponomarenko.info/tid2008.htm",
    licence="stated on its home page",
    source="N. Ponomarenko et al., Advances of Modern Radioelectronics 10 (2009) 30-45",
    scale="MOS 0 .. 9, higher is better",
    better="higher",
    span=(0.0, 9.0),
    domain="srgb",
    display="sdr",
    references=25,
    distortions=17,
    images=1700,
    marks=("mos_with_names.txt",),
    folders=("tid2008", "TID2008"),
    layout=(
        "mos_with_names.txt",
        "mos_std.txt",
        "reference_images/I01.BMP ..",
        "distorted_images/I01_01_1.bmp ..",
    ),
    spread="se",
)
def tid2008(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """mos_std.txt is the error of the mean, as in TID2013."""
    yield from tampere(folder, 17)

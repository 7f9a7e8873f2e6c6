"""TID2013: 25 references, 24 distortions at five levels."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tampere import tampere
from hdrq.records import Pair


@dataset(
    title="TID2013, Tampere image database: 25 references, 24 distortions x 5 levels, 3,000 images",
    home="https://www.ponomarenko.info/tid2013.htm",
    licence="stated on its home page",
    source="doi:10.1016/j.image.2014.10.009",
    scale="MOS 0 .. 9, higher is better",
    better="higher",
    span=(0.0, 9.0),
    domain="srgb",
    display="sdr",
    references=25,
    distortions=24,
    images=3000,
    marks=("mos_with_names.txt",),
    folders=("tid2013", "TID2013"),
    layout=(
        "mos_with_names.txt",
        "mos_std.txt",
        "reference_images/I01.BMP ..",
        "distorted_images/i01_01_1.bmp ..",
    ),
    spread="se",
)
def tid2013(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """mos_std.txt (0.13 on average, where single subjective scores spread by more than 1) is the error of the mean."""
    yield from tampere(folder, 24)

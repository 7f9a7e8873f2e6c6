"""HTID of the Tampere group: photographs with mean subjective scores, one of the sets of IMQNet's tests."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.loose_archive import loose
from hdrq.records import Pair

TABLES = ("mos_with_names.txt", "mos.txt", "mos.csv", "htid.txt", "htid.csv")


@dataset(
    title="HTID, Tampere database for no-reference quality, as used by IMQNet",
    home="https://www.ponomarenko.info",
    licence="stated on its home page",
    source="M. Ponomarenko et al., IMQNet, 2022",
    scale="MOS, higher is better",
    better="higher",
    span=None,
    domain="srgb",
    display="sdr",
    references=0,
    distortions=0,
    images=0,
    marks=TABLES[:1] + TABLES[3:],
    folders=("HTID", "htid"),
    layout=(
        "images anywhere below",
        "mos_with_names.txt (or mos.txt, mos.csv, htid.txt): name and MOS a line",
    ),
)
def htid(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """No description of the dataset was available: any table of names and subjective scores is read."""
    yield from loose(folder, TABLES)

"""ESPL-LIVE HDR: HDR scenes tone-mapped and fused by 11 methods, rated by crowdsourcing on SDR displays."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.loose_archive import loose
from hdrq.records import Pair

TABLES = ("ESPL_LIVE_HDR.mat", "ESPL_LIVE_HDR.txt", "ESPL_LIVE_HDR.csv", "mos.mat", "mos.txt")


@dataset(
    title="ESPL-LIVE HDR: 1,811 tone-mapped, fused and post-processed images of 605 scenes",
    home="https://signal.ece.utexas.edu/~debarati/HDRDatabase.zip",
    licence="UT Austin notice: free to use, copy and modify with credit",
    source="doi:10.1109/TIP.2017.2713945",
    scale="MOS 0 .. 100, higher is better",
    better="higher",
    span=(0.0, 100.0),
    domain="srgb",
    display="sdr",
    references=0,
    distortions=11,
    images=1811,
    marks=TABLES[:3],
    folders=("ESPL_LIVE_HDR_Database", "ESPL-LIVE-HDR", "HDRDatabase", "espl-live-hdr"),
    layout=(
        "Images/V_Sequoia_Remains_WardHistAdjTMO.PNG ..",
        "ESPL_LIVE_HDR.mat (a cell array of names, a vector "
        "named *mos*), or ESPL_LIVE_HDR.txt (name, MOS, deviation a line)",
    ),
    spread="sd",
)
def espl_live_hdr(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """A name ends with the method (.._WardHistAdjTMO); the part before it is the scene."""
    yield from loose(
        folder,
        TABLES,
        scene=lambda stem: stem.rpartition("_")[0] or stem,
        distortion=lambda stem: stem.rpartition("_")[2],
    )

"""LIVE release 2: 29 references, five distortions; its 982 rows include the references, left out here."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import cells, number, read_mat
from hdrq.records import Pair

# rows, in this order
COUNTS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
KINDS = {
    "jp2k": "jpeg2000",
    "jpeg": "jpeg",
    "wn": "white-noise",
    "gblur": "gaussian-blur",
    "fastfading": "fast-fading",
}


@dataset(
    title="LIVE image quality assessment database, release 2: 29 references, 5 distortions, 779 images",
    home="https://live.ece.utexas.edu/research/quality/subjective.htm",
    licence="UT Austin notice: free to use, copy and modify with credit",
    source="doi:10.1109/TIP.2006.881959",
    scale="realigned DMOS, 0 .. 100 and beyond, lower is better",
    better="lower",
    span=(-3.0, 112.0),
    domain="srgb",
    display="sdr",
    references=29,
    distortions=5,
    images=779,
    marks=("dmos_realigned.mat",),
    folders=("live", "LIVE", "databaserelease2", "LIVE_R2"),
    layout=(
        "dmos_realigned.mat (dmos_new, dmos_std, orgs)",
        "refnames_all.mat",
        "refimgs/",
        "jp2k/img1.bmp ..",
        "jpeg/",
        "wn/",
        "gblur/",
        "fastfading/",
    ),
    subsets=tuple(COUNTS),
    spread="sd",
)
def live(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """orgs == 1 marks rows that are the references themselves."""
    path = folder.need("dmos_realigned.mat")
    dmos, spread, originals = (a.ravel() for a in read_mat(path, "dmos_new", "dmos_std", "orgs"))
    names_path = folder.need("refnames_all.mat")
    names = cells(read_mat(names_path, "refnames_all")[0])
    rows = sum(COUNTS.values())
    for what, held in ((path, dmos), (path, spread), (path, originals), (names_path, names)):
        if len(held) != rows:
            raise FileError(f"{what}: {len(held)} rows where LIVE release 2 has {rows}")
    at = 0
    for kind, count in COUNTS.items():
        for i in range(count):
            row, at = at, at + 1
            if originals[row] or subset not in (None, kind):
                continue
            yield Pair(
                dist=folder.need(f"{kind}/img{i + 1}.bmp"),
                ref=folder.need(f"refimgs/{names[row].strip()}"),
                scene=names[row].strip().rsplit(".", 1)[0],
                mos=number(dmos[row], f"{path}: row {row + 1}"),
                spread=number(spread[row], f"{path}: row {row + 1}, dmos_std"),
                distortion=KINDS[kind],
            )

"""CID2013: six sets of eight scenes, photographed by 79 cameras."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_xlsx
from hdrq.records import Pair

TABLE = "CID2013 data - version 12112014.xlsx"
SETS = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6}


@dataset(
    title="CID2013, camera image database: 6 sets of 8 scenes by 12 to 14 cameras, 474 photographs",
    home="https://zenodo.org/record/2647033",
    licence="free to use, copy and modify with the notice and credit; single images not outside the database",
    source="doi:10.1109/TIP.2014.2378061",
    scale="realigned MOS 0 .. 100, higher is better",
    better="higher",
    span=(0.0, 110.0),
    domain="srgb",
    display="sdr",
    references=0,
    distortions=0,
    images=474,
    marks=(TABLE,),
    folders=("CID2013", "cid2013"),
    layout=(
        f"{TABLE} (sheet 'CID2013 MOS': Source_ID, Realigned MOS)",
        "IS1/co1/IS_I_C01_D01.jpg .. IS6/co8/",
    ),
    subsets=tuple(f"is{i}" for i in range(1, 7)),
    # as the papers do: four sets train, two test
    split_by="set",
    test_share=1 / 3,
)
def cid2013(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """A scene is one cluster (C01 .. C08) of one image set; sets were rated separately and realigned."""
    path = folder.need(TABLE)
    for i, row in enumerate(read_xlsx(path, "CID2013 MOS", ("Source_ID", "Realigned MOS")), 1):
        name = row["Source_ID"].strip().removesuffix(".jpg")
        parts = re.fullmatch(r"IS_([IV]+)_C(\d+)_D(\d+)", name)
        if parts is None or parts[1] not in SETS:
            raise FileError(f"{path}: row {i}: '{name}' is not named as IS_I_C01_D01")
        group = SETS[parts[1]]
        if subset not in (None, f"is{group}"):
            continue
        yield Pair(
            folder.need(f"IS{group}/co{int(parts[2])}/{name}.jpg", f"{name}.jpg"),
            scene=f"IS{group}-C{parts[2]}",
            mos=number(row["Realigned MOS"], f"{path}: row {i}, Realigned MOS"),
            carried={"camera": f"D{parts[3]}", "set": f"IS{group}"},
        )

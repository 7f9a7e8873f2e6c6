"""SPAQ: photographs by 66 smartphones."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_xlsx
from hdrq.records import Pair

TABLE = "MOS and Image attribute scores.xlsx"


@dataset(
    title="SPAQ, smartphone photography attribute and quality: 11,125 photographs",
    home="https://github.com/h4nwei/SPAQ",
    licence="educational and research use without fee; commercial use by permission",
    source="doi:10.1109/CVPR42600.2020.00373",
    scale="MOS 0 .. 100, higher is better",
    better="higher",
    span=(0.0, 100.0),
    domain="srgb",
    display="sdr",
    references=0,
    distortions=0,
    images=11125,
    marks=(f"Annotations/{TABLE}", TABLE),
    folders=("SPAQ", "spaq"),
    layout=(f"Annotations/{TABLE}", "TestImage/00001.jpg .."),
)
def spaq(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Photographs of up to 20 megapixels; the authors score them at 512 pixels on the shorter side."""
    path = folder.need(f"Annotations/{TABLE}", TABLE)
    for i, row in enumerate(read_xlsx(path, None, ("Image name", "MOS")), 1):
        name = row["Image name"].strip()
        mos = number(row["MOS"], f"{path}: row {i}, MOS")
        yield Pair(folder.need(f"TestImage/{name}"), scene=name.rsplit(".", 1)[0], mos=mos)

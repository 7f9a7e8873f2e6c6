"""FLIVE, also PaQ-2-PiQ or LIVE-FB: 39,810 images from the net."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_csv
from hdrq.records import Pair


@dataset(
    title="FLIVE (PaQ-2-PiQ): 39,810 images with authentic distortions",
    home="https://github.com/niu-haoran/FLIVE_Database",
    licence="stated on its home page",
    source="doi:10.1109/CVPR42600.2020.00363",
    scale="MOS 0 .. 100, higher is better",
    better="higher",
    span=(0.0, 100.0),
    domain="srgb",
    display="sdr",
    references=0,
    distortions=0,
    images=39810,
    marks=("labels_image.csv",),
    folders=("FLIVE", "flive", "FLIVE_Database", "PaQ-2-PiQ", "paq2piq"),
    layout=("labels_image.csv (name,mos,..)", "database/ with the names the table gives"),
)
def flive(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Images are searched under database/ and, as in some copies, beside the table."""
    path = folder.need("labels_image.csv")
    for i, row in enumerate(read_csv(path, ("name", "mos")), 2):
        name = row["name"].strip()
        image = folder.need(f"database/{name}", name)
        yield Pair(image, scene=name.rsplit(".", 1)[0], mos=number(row["mos"], f"{path}: line {i}, mos"))

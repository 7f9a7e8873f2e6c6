"""BIQ2021: 12,000 photographs with authentic distortions, rated in a laboratory."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_csv
from hdrq.records import Pair


@dataset(
    title="BIQ2021: 12,000 photographs of authentic quality, nearly all 512 x 512",
    home="https://github.com/nisarahmedrana/BIQ2021",
    licence="none stated; 8,000 photographs are from Unsplash",
    source="doi:10.1007/s11042-021-11677-1",
    scale="MOS 0 .. 1, higher is better",
    better="higher",
    span=(0.0, 1.0),
    domain="srgb",
    display="sdr",
    references=0,
    distortions=0,
    images=12000,
    marks=("Train (Images and MOS).csv",),
    folders=("BIQ2021", "biq2021"),
    layout=(
        "Images/ss01 (1).jpg ..",
        "Train (Images and MOS).csv, Test (Images and MOS).csv (Image Name,MOS)",
    ),
    subsets=("train", "test"),
    observers=30,
)
def biq2021(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Subsets are the authors' parts of 10,000 and 2,000; near-duplicates of 238 test images are in the training part."""
    for part in ("train", "test"):
        if subset not in (None, part):
            continue
        path = folder.need(f"{part.capitalize()} (Images and MOS).csv")
        for i, row in enumerate(read_csv(path, ("Image Name", "MOS")), 2):
            name = row["Image Name"].strip()
            yield Pair(
                folder.need(f"Images/{name}"),
                scene=name.rsplit(".", 1)[0],
                mos=number(row["MOS"], f"{path}: line {i}, MOS"),
                carried={"source": part},
            )

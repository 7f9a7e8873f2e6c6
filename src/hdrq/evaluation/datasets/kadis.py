"""KADIS-700k: 140,000 pristine photographs, five levels of one distortion each, no subjective scores."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_csv
from hdrq.records import Pair


@dataset(
    title="KADIS-700k: 140,000 references and 700,000 distorted images, without subjective scores",
    home="https://database.mmsp-kn.de/kadid-10k-database.html",
    licence="stated on its home page; photographs from Pixabay",
    source="arXiv:2001.08113",
    scale="none: unlabelled",
    better="",
    span=None,
    domain="srgb",
    display="sdr",
    references=140000,
    distortions=25,
    images=700000,
    marks=("kadis700k_ref_imgs.csv",),
    folders=("kadis700k", "KADIS-700k", "kadis"),
    layout=(
        "kadis700k_ref_imgs.csv (file name, number of the distortion)",
        "ref_imgs/",
        "dist_imgs/NAME_07_01.bmp .. (made by the authors' program from the references)",
    ),
)
def kadis(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """A reference whose five images were never made (the authors' program is slow) is passed over."""
    path = folder.need("kadis700k_ref_imgs.csv")
    folder.need("dist_imgs")
    for i, row in enumerate(read_csv(path), 2):
        name, kind, *_ = (str(field).strip() for field in row.values())
        number_of = int(number(kind, f"{path}: line {i}, distortion"))
        stem = name.rsplit(".", 1)[0]
        names = [f"dist_imgs/{stem}_{number_of:02d}_{level:02d}.bmp" for level in range(1, 6)]
        made = [folder.find(name, name.replace(".bmp", ".png")) for name in names]
        if not any(made):
            continue
        ref = folder.need(f"ref_imgs/{name}")
        for level, dist in enumerate(made, 1):
            dist = dist or folder.need(names[level - 1])
            yield Pair(dist, ref, scene=stem, distortion=f"kadid-{number_of:02d}", level=float(level))

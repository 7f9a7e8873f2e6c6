"""CSIQ: 30 references, six distortions at four or five levels."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_csv, read_xlsx
from hdrq.records import Pair

COLUMNS = ("image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos")
# Name in the table (spaces and dashes aside): folder and the word in file names.
FILES = {"noise": ("awgn", "AWGN"), "awgn": ("awgn", "AWGN"), "blur": ("blur", "BLUR"),
         "contrast": ("contrast", "contrast"), "fnoise": ("fnoise", "fnoise"), "jpeg": ("jpeg", "JPEG"),
         "jpeg2000": ("jpeg2000", "jpeg2000")}  # fmt: skip
KINDS = {"awgn": "white-noise", "blur": "gaussian-blur", "contrast": "contrast", "fnoise": "pink-noise",
         "jpeg": "jpeg", "jpeg2000": "jpeg2000"}  # fmt: skip


@dataset(
    title="CSIQ, categorical subjective image quality: 30 references, 6 distortions, 866 images",
    home="https://s2.smu.edu/~eclarson/csiq.html",
    licence="stated on its home page",
    source="doi:10.1117/1.3267105",
    scale="DMOS 0 .. 1, lower is better",
    better="lower",
    span=(0.0, 1.0),
    domain="srgb",
    display="sdr",
    references=30,
    distortions=6,
    images=866,
    marks=("csiq.DMOS.xlsx", "DMOS.csv", "csiq.DMOS.csv"),
    folders=("csiq", "CSIQ"),
    layout=(
        "csiq.DMOS.xlsx (sheet all_by_image) or DMOS.csv",
        "src_imgs/1600.png ..",
        "dst_imgs/{awgn,blur,contrast,fnoise,jpeg,jpeg2000}/1600.AWGN.1.png ..",
    ),
    spread="sd",
)
def csiq(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """The official table is a workbook; a DMOS.csv with the same columns circulates and is read as well."""
    path = folder.need("csiq.DMOS.xlsx", "DMOS.csv", "csiq.DMOS.csv")
    rows = read_xlsx(path, "all_by_image", COLUMNS) if path.suffix == ".xlsx" else read_csv(path, COLUMNS)
    for i, row in enumerate(rows, 1):
        kind = row["dst_type"].strip().lower().replace(" ", "").replace("-", "")
        if not row["image"].strip():
            continue
        if kind not in FILES:
            raise FileError(f"{path}: row {i}: '{row['dst_type']}' is none of CSIQ's distortions")
        place, word = FILES[kind]
        # a number in the workbook: 1600
        image = row["image"].strip().removesuffix(".0")
        level = int(number(row["dst_lev"], f"{path}: row {i}, dst_lev"))
        yield Pair(
            dist=folder.need(f"dst_imgs/{place}/{image}.{word}.{level}.png"),
            ref=folder.need(f"src_imgs/{image}.png"),
            scene=image,
            mos=number(row["dmos"], f"{path}: row {i}, dmos"),
            spread=number(row["dmos_std"], f"{path}: row {i}, dmos_std"),
            distortion=KINDS[place],
            level=float(level),
        )

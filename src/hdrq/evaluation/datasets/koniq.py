"""KonIQ-10k: consumer photographs rated by crowdsourcing."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_csv
from hdrq.records import Pair

SCORES = ("koniq10k_scores_and_distributions.csv", "koniq10k_distributions_sets.csv")


@dataset(
    title="KonIQ-10k: 10,073 photographs with authentic distortions",
    home="https://database.mmsp-kn.de/koniq-10k-database.html",
    licence="stated on its home page; photographs from YFCC100M under Creative Commons",
    source="doi:10.1109/TIP.2020.2967829",
    scale="MOS 1 .. 5 (MOS_zscore 0 .. 100 is carried along), higher is better",
    better="higher",
    span=(1.0, 5.0),
    domain="srgb",
    display="sdr",
    references=0,
    distortions=0,
    images=10073,
    marks=SCORES,
    folders=("koniq10k", "KonIQ-10k", "koniq"),
    layout=(
        "koniq10k_scores_and_distributions.csv or koniq10k_distributions_sets.csv",
        "1024x768/ or 512x384/",
    ),
    subsets=("training", "validation", "test"),
    spread="sd",
    observers=120,
)
def koniq(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """The three subsets are the official split, given in koniq10k_distributions_sets.csv."""
    path = folder.need(SCORES[1]) if subset else folder.need(*SCORES)
    rows = read_csv(path, ("image_name", "MOS", "SD", *(("set",) if subset else ())))
    if folder.find("1024x768", "512x384") is None:
        raise FileError(f"koniq: 1024x768/{rows[0]['image_name']} is missing from {folder.root}")
    for i, row in enumerate(rows, 2):
        if subset and row["set"].strip() != subset:
            continue
        name = row["image_name"].strip()
        yield Pair(
            dist=folder.need(f"1024x768/{name}", f"512x384/{name}"),
            scene=name.rsplit(".", 1)[0],
            mos=number(row["MOS"], f"{path}: line {i}, MOS"),
            spread=number(row["SD"], f"{path}: line {i}, SD"),
            carried={"mos_zscore": row["MOS_zscore"]} if row.get("MOS_zscore") else {},
        )

"""LIVE In the Wild: 1,162 photographs by phones, rated by thousands of observers by crowdsourcing."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import cells, number, read_csv, read_mat
from hdrq.records import Pair

# the first entries are the images that observers practised on
TRAINING = 7


@dataset(
    title="LIVE In the Wild image quality challenge: 1,162 photographs with authentic distortions",
    home="https://live.ece.utexas.edu/research/ChallengeDB/index.html",
    licence="UT Austin notice: free to use, copy and modify with credit",
    source="doi:10.1109/TIP.2015.2500021",
    scale="MOS 0 .. 100, higher is better",
    better="higher",
    span=(0.0, 100.0),
    domain="srgb",
    display="sdr",
    references=0,
    distortions=0,
    images=1162,
    marks=("Data/AllImages_release.mat", "scores.csv"),
    folders=("ChallengeDB_release", "livec", "LIVEC", "LIVEChallenge"),
    layout=(
        "Images/*.bmp and *.JPG",
        "Images/trainingImages/",
        "Data/AllImages_release.mat, AllMOS_release.mat, "
        "AllStdDev_release.mat; or Images/ and scores.csv (image,mos,std)",
    ),
    subsets=("training",),
    spread="sd",
    observers=175,
)
def livec(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Subset "training" is the seven practice images, which are not used for evaluation."""
    for place, name, mos, spread in _rows(folder):
        practice = place < TRAINING
        if practice != (subset == "training"):
            continue
        path = folder.need(*(f"Images/{'trainingImages/' if practice else ''}{name}", f"Images/{name}"))
        yield Pair(path, scene=name.rsplit(".", 1)[0], mos=mos, spread=spread)


def _rows(folder: Folder) -> Iterator[tuple[int, str, float, float]]:
    """(place in the database, name, mean, deviation) from the .mat files, or from a scores.csv of some."""
    if folder.find("Data/AllImages_release.mat") is None and folder.find("scores.csv") is not None:
        path = folder.need("scores.csv")
        for i, row in enumerate(read_csv(path, ("image", "mos", "std")), 2):
            mos, std = (number(row[column], f"{path}: line {i}, {column}") for column in ("mos", "std"))
            yield TRAINING + i, row["image"].strip(), mos, std
        return
    paths = [folder.need(f"Data/All{what}_release.mat") for what in ("Images", "MOS", "StdDev")]
    names = cells(read_mat(paths[0], "AllImages_release")[0])
    mos = read_mat(paths[1], "AllMOS_release")[0].ravel()
    std = read_mat(paths[2], "AllStdDev_release")[0].ravel()
    for path, held in zip(paths[1:], (mos, std), strict=True):
        if len(held) != len(names):
            raise FileError(f"{path}: {len(held)} values for {len(names)} images")
    for place, name in enumerate(names):
        where = f"{paths[1]}: row {place + 1}"
        yield place, name.strip(), number(mos[place], where), number(std[place], where)

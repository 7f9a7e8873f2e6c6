"""Waterloo MEF: 17 exposure sequences fused by eight methods."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import cells, number, read_mat
from hdrq.records import Pair

_SEQUENCES, _FUSED = "source image sequences", "fused images"


@dataset(
    title="Waterloo multi-exposure fusion: 17 exposure sequences, 8 fusion methods, 136 images",
    home="https://ece.uwaterloo.ca/~k29ma/",
    licence="University of Waterloo notice: free to use, copy, modify and distribute with credit",
    source="doi:10.1109/TIP.2015.2442920",
    scale="MOS 1 .. 10, higher is better",
    better="higher",
    span=(1.0, 10.0),
    domain="srgb",
    display="sdr",
    references=17,
    distortions=8,
    images=136,
    marks=("imgName.mat",),
    folders=("MEFDatabase", "waterloo_mef", "WaterlooMEF"),
    layout=(
        "imgName.mat and MOS.mat (17 x 8)",
        "fused images/Balloons_Gu12.png ..",
        "source image sequences/Balloons_Erik Reinhard/*.png ..",
    ),
    observers=23,
)
def waterloo_mef(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """The reference of a fused image is the folder of its exposures; `distortion` is the method."""
    names = cells(read_mat(folder.need("imgName.mat"), "imgName")[0])
    path = folder.need("MOS.mat")
    scores = read_mat(path, "MOS")[0].ravel()
    if len(scores) != len(names):
        raise FileError(f"{path}: {len(scores)} values for {len(names)} images")
    for name, score in zip(names, scores):
        scene, _, method = name.strip().removesuffix(".png").partition("_")
        yield Pair(
            dist=folder.need(f"{_FUSED}/{name.strip()}"),
            ref=folder.root / _SEQUENCES / _sequence(folder, scene),
            scene=scene,
            mos=number(score, f"{path}: {name.strip()}"),
            distortion=method.replace(" ", ""),
        )


def _sequence(folder: Folder, scene: str) -> str:
    """The folder of a scene's exposures, which is called SCENE_AUTHOR with other spaces and capitals than fused images."""
    found = [name for name in folder.folders(_SEQUENCES) if _letters(name).startswith(_letters(scene))]
    if len(found) != 1:
        raise FileError(
            f"{folder.owner}: {len(found)} folders below {folder.root / _SEQUENCES} are called after {scene}, not one; "
            "see hdrq list datasets"
        )
    return found[0]


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())

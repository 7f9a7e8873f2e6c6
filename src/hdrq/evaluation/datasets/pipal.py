"""PIPAL: image restoration algorithms, with Elo scores from millions of pairwise comparisons."""

from __future__ import annotations

from collections.abc import Iterator

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder, dataset
from hdrq.evaluation.tables import number, read_words
from hdrq.records import Pair

KINDS = (
    "traditional",
    "traditional-sr",
    "psnr-sr",
    "sr-mismatched",
    "gan-sr",
    "denoising",
    "sr-and-denoising",
)


@dataset(
    title="PIPAL: 200 training references through 40 image processing algorithms, 23,200 images",
    home="https://www.jasongt.com/projectpages/pipal.html",
    licence="stated on its home page; access by a form",
    source="doi:10.1007/978-3-030-58621-8_37",
    scale="Elo score, about 900 .. 1850, higher is better",
    better="higher",
    span=(900.0, 1850.0),
    domain="srgb",
    display="sdr",
    references=200,
    distortions=40,
    images=23200,
    marks=("Train_Label", "Val_Dist"),
    folders=("PIPAL", "pipal"),
    layout=(
        "Train_Ref/A0001.bmp ..",
        "Train_Dist/A0001_00_00.bmp .. (or Train_Dist_1 .. _4)",
        "Train_Label/A0001.txt ..",
        "Val_Ref, Val_Dist (unlabelled)",
    ),
    subsets=("train", "val"),
)
def pipal(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Subset "val" has no subjective scores; the default is "train", which has."""
    if subset == "val":
        yield from _unlabelled(folder)
        return
    folder.need("Train_Label")
    labels = folder.listed("Train_Label", ".txt")
    if not labels:
        raise FileError(f"pipal: no .txt in {folder.root / 'Train_Label'}; expected A0001.txt and so on")
    parts = ("Train_Dist", *(f"{stem}_{i}" for stem in ("Train_Dist", "Train_Distort") for i in range(1, 5)))
    for path in labels:
        for i, words in read_words(path, 2):
            scene, kind, level = _named(words[0], f"{path}: line {i}")
            yield Pair(
                dist=folder.need(*(f"{part}/{words[0]}" for part in parts)),
                ref=folder.need(f"Train_Ref/{scene}.bmp"),
                scene=scene,
                mos=number(words[1], f"{path}: line {i}"),
                distortion=kind,
                level=level,
            )


def _unlabelled(folder: Folder) -> Iterator[Pair]:
    folder.need("Val_Dist")
    for path in folder.listed("Val_Dist", ".bmp", ".png"):
        scene, kind, level = _named(path.name, str(path))
        yield Pair(
            dist=path, ref=folder.need(f"Val_Ref/{scene}.bmp"), scene=scene, distortion=kind, level=level
        )


def _named(name: str, where: str) -> tuple[str, str, float]:
    """A0001_02_07.bmp is scene A0001, family 02 of distortions, number 07 in it."""
    parts = name.rsplit(".", 1)[0].split("_")
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        raise FileError(f"{where}: '{name}' is not named as A0001_00_00.bmp")
    family = int(parts[1])
    return parts[0], KINDS[family] if family < len(KINDS) else f"family-{family:02d}", float(parts[2])

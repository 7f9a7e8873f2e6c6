"""PieAPP: which of two distorted images observers took for the nearer to the reference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hdrq.evaluation.archive import Comparison, Folder, dataset
from hdrq.evaluation.tables import number, read_csv
from hdrq.records import Pair


def _references(folder: Folder, part: str) -> list[str]:
    listing = folder.need(f"{part}_reference_list.txt")
    return [line.strip() for line in listing.read_text().splitlines() if line.strip()]


def _image(folder: Folder, part: str, ref: str, name: str) -> Path:
    """A compared image is a distorted one or the reference itself."""
    stem = ref.rsplit(".", 1)[0]
    if name == ref:
        return folder.need(f"reference_images/{part}/{name}")
    return folder.need(f"distorted_images/{part}/{stem}/{name}")


def _compared(folder: Folder, subset: str | None) -> Iterator[Comparison]:
    """Column 5 of the training labels (all pairs, estimated) where it is, else column 4 (those asked)."""
    part = subset or "test"
    for ref in _references(folder, part):
        stem = ref.rsplit(".", 1)[0]
        path = folder.need(f"labels/{part}/{stem}_pairwise_labels.csv")
        for i, row in enumerate(read_csv(path), 2):
            fields = [field.strip() for field in row.values()]
            answer = next((field for field in reversed(fields[3:5]) if field), "")
            yield Comparison(
                a=_image(folder, part, ref, fields[1]),
                b=_image(folder, part, ref, fields[2]),
                ref=folder.need(f"reference_images/{part}/{ref}"),
                preferred=number(answer, f"{path}: line {i}, preference"),
                scene=stem,
            )


@dataset(
    title="PieAPP dataset: 200 references (40 of them for tests), 75 distortions, 81,480 preferences",
    home="https://github.com/prashnani/PerceptualImageError",
    licence="non-commercial, educational use (TERMS_OF_USE.pdf)",
    source="doi:10.1109/CVPR.2018.00194",
    scale="share of observers preferring A to B; test images also have a score, lower is better",
    better="lower",
    span=None,
    domain="srgb",
    display="sdr",
    references=200,
    distortions=75,
    images=20280,
    marks=("test_reference_list.txt", "train_reference_list.txt"),
    folders=("PieAPP_dataset", "PieAPP_dataset_CVPR_2018", "pieapp"),
    layout=(
        "test_reference_list.txt",
        "reference_images/test/ref_1.png",
        "distorted_images/test/ref_1/",
        "labels/test/ref_1_per_image_score.csv",
        "labels/{train,val,test}/ref_1_pairwise_labels.csv",
    ),
    subsets=("train", "val", "test"),
    comparisons=_compared,
)
def pieapp(folder: Folder, subset: str | None) -> Iterator[Pair]:
    """Test images with their scores (the default), or the images compared in training, which have none."""
    part = subset or "test"
    for ref in _references(folder, part):
        stem = ref.rsplit(".", 1)[0]
        if part == "test":
            path = folder.need(f"labels/test/{stem}_per_image_score.csv")
            for i, row in enumerate(read_csv(path), 2):
                fields = [field.strip() for field in row.values()]
                score = number(fields[2], f"{path}: line {i}, score")
                yield _pair(folder, part, ref, fields[1], score)
        else:
            path = folder.need(f"labels/{part}/{stem}_pairwise_labels.csv")
            fields_of = (list(row.values()) for row in read_csv(path))
            names = dict.fromkeys(name.strip() for fields in fields_of for name in fields[1:3])
            for name in names:
                yield _pair(folder, part, ref, name, None)


def _pair(folder: Folder, part: str, ref: str, name: str, score: float | None) -> Pair:
    dist = _image(folder, part, ref, name)
    reference = folder.need(f"reference_images/{part}/{ref}")
    return Pair(dist, reference, scene=ref.rsplit(".", 1)[0], mos=score)

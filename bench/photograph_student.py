"""Teach the SDR student of hdrvdp3 camera photographs too: teacher's labels and subjective scores of BIQ2021 in one training.

    OMP_NUM_THREADS=1 python bench/photograph_student.py --set runs/sdr-set/set.csv --biq BIQ2021 --groups lists/biq2021.csv \\
      --rows 4496 --epochs 4 --ship models

set.csv is that of `bench/students.sh sdr`: photographs with a MOS of 0.75 or more, distorted. The first --rows of its rows whose
scene is not held out there are rendered to PNG and labelled with hdrvdp3's JOD. As many photographs of BIQ2021's training part
follow, without those that nearly equal another, each with 10 - 8.75 max(0, 0.8 - MOS) JOD: a photograph as good as those that
were distorted has the 10 JOD of an undistorted one. The student goes on from norvdpnetpp-small-sdr with crops of 192 pixels.

What the result is worth is then measured by bench/held_out.py's rows (teacher), `hdrq evaluate --dataset biq2021:test` and
bench/agreement.py (people). It can be killed and started again: it goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import os
from pathlib import Path

import numpy as np
import torch

import hdrq
from hdrq.distillation.rendering import as_code, render
from hdrq.distillation.rows import Row, read_rows
from hdrq.distillation.sources import Sources
from hdrq.nn import weights
from hdrq.nn.weight_files import find_card, read_state
from hdrq.records import Image
from hdrq.registry import find
from hdrq.training.api import Trained

BEGINS_FROM = "srgb:norvdpnet++@norvdpnetpp-small-sdr"
# MOS from which a photograph counts as undistorted, and JOD lost for each unit below it
GOOD, SLOPE = 0.8, 8.75
BATCH = 8
HELD_OUT = "*7"
LICENCE = "as hdrq; some of the pictures learnt from are for research only"
COLUMNS = ("dist", "mos", "scene", "distortion")


def distorted(rows: list[Row], out: Path) -> list[list[str]]:
    """Rendered crops with the teacher's scores; those in out/distorted.csv are not asked again."""
    (out / "crops").mkdir(parents=True, exist_ok=True)
    kept = out / "distorted.csv"
    done = table(kept) if kept.exists() else []
    teacher, sources = hdrq.metric("hdrvdp3"), Sources()
    with kept.open("a", newline="", encoding="utf-8") as file:
        for first in range(len(done), len(rows), BATCH):
            batch = rows[first : first + BATCH]
            pairs = [render(row, sources) for row in batch]
            ref, dist = (torch.cat(side) for side in zip(*pairs, strict=True))
            scores = teacher(Image(ref, "nits"), Image(dist, "nits")).tolist()
            for row, shown, score in zip(batch, dist, scores, strict=True):
                path = out / "crops" / f"{row.number:05d}.png"
                hdrq.write(path, Image(as_code(shown[None], row), "srgb"))
                done.append([str(path.resolve()), f"{score:.4f}", row.scene, row.distortion])
            csv.writer(file).writerows(done[first:])
            file.flush()
    return done


def table(path: Path) -> list[list[str]]:
    """The complete lines of a table without a head, in whole batches."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file) if len(line) == len(COLUMNS)]
    lines = lines[: len(lines) // BATCH * BATCH]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return lines


def photographs(biq: Path, groups: Path, count: int, held: set[str]) -> list[list[str]]:
    """Photographs of the training part, drawn with seed 0, with their MOS in JOD."""
    with groups.open(newline="", encoding="utf-8") as file:
        listed = [r for r in csv.DictReader(file) if r["split"] == "train" and not r["near_duplicate_group"]]
    found = []
    for number in np.random.default_rng(0).permutation(len(listed)):
        row = listed[number]
        name = Path(row["file"]).name
        # "ss03 (57).jpg" is the scene ss03_57 of the distorted crops
        scene = name.rsplit(".", 1)[0].replace(" (", "_").rstrip(")")
        if scene not in held and len(found) < count:
            jod = 10 - SLOPE * max(0.0, GOOD - float(row["mos"]))
            found.append([str((biq / "Images" / name).resolve()), f"{jod:.4f}", scene, "photograph"])
    return found


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--set", type=Path, required=True)
    options.add_argument("--biq", type=Path, required=True)
    options.add_argument("--groups", type=Path, required=True)
    options.add_argument("--out", type=Path, default=Path("runs/photograph-student"))
    options.add_argument("--rows", type=int, default=6000, help="distorted crops, and as many photographs")
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--rate", type=float, default=1e-3)
    options.add_argument("--name", default="norvdpnetpp-small-photo")
    options.add_argument("--ship", type=Path, help="folder for the weights in half precision")
    asked = options.parse_args()
    os.environ["HDRQ_MODELS"] = str((asked.out / "weights").resolve())
    rows = [r for r in read_rows(asked.set) if not fnmatch.fnmatch(r.scene, HELD_OUT)][: asked.rows]
    held = {r.scene for r in read_rows(asked.set) if fnmatch.fnmatch(r.scene, HELD_OUT)}
    lines = distorted(rows, asked.out) + photographs(asked.biq, asked.groups, len(rows), held)
    manifest = asked.out / "mixed.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *lines])
    run = asked.out / "run"
    begun = (run / "settings.json").exists()
    settings = {
        "input": "crops",
        "crop": 192,
        "batch": 16,
        "rate": asked.rate,
        "epochs": asked.epochs,
        "loss.pearson": 1.0,
    }
    arguments = (
        {} if begun else {"dataset": "csv", "metric": BEGINS_FROM, "data": manifest, "settings": settings}
    )
    *_, last = hdrq.train(**arguments, output=run, resume=begun, name=asked.name, replace=True)
    if not isinstance(last, Trained):
        raise TypeError(f"the training ended with {last}")
    print(last)
    if asked.ship:
        ship(asked.name, asked.ship, len(lines) // 2)


def ship(name: str, folder: Path, each: int) -> None:
    """The weights in half precision, with what the card cannot know by itself."""
    card, path = find_card(name)
    module = find("net", card.net).filled(read_state(card, path), **card.options)
    data = f"{each} crops of photographs of BIQ2021 that hdrvdp3 scored, and {each} photographs of BIQ2021 with MOS as JOD"
    more = {
        "results": card.results | {"jod": card.results["mos"]},
        "training": card.training,
        "half": True,
        "folder": folder,
    }
    weights.save(module, name=name, net=card.net, options=card.options, encoding=card.encoding, white=card.white,
                 recipe=card.recipe, data=data, licence=LICENCE, **more)  # fmt: skip


if __name__ == "__main__":
    main()

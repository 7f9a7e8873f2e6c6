"""Agreement of metrics with the teacher on the held-out rows of a distillation, beside that of its student.

    python bench/held_out.py RUN METRIC...

RUN is a run folder of `hdrq distill` with set.csv and held_out.csv. A metric is named as for hdrq score; those that read a
reference are given it. Prints the SROCC of each over all rows and for every distortion.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

import hdrq
from hdrq.distillation.rendering import as_code, render
from hdrq.distillation.rows import read_rows
from hdrq.distillation.sources import Sources
from hdrq.evaluation.statistics.correlation import srocc
from hdrq.records import Image


def main() -> None:
    run, names = Path(sys.argv[1]), sys.argv[2:]
    with (run / "held_out.csv").open(encoding="utf-8", newline="") as file:
        held = list(csv.DictReader(file))
    rows = {f"dist:{row.number}": row for row in read_rows(run / "set.csv")}
    coded = json.loads((run / "settings.json").read_text(encoding="utf-8"))["task"]["student"].startswith(
        "srgb:"
    )
    metrics, sources = [hdrq.metric(name) for name in names], Sources()
    found = []
    for entry in held:
        row = rows[entry["image"]]
        pair = [Image(as_code(x, row), "srgb") if coded else Image(x, "nits") for x in render(row, sources)]
        found.append([float(m(*(pair if m.scorer.full_reference else pair[1:]))) for m in metrics])
    teacher = np.array([float(entry["teacher"]) for entry in held])
    kinds = np.array([entry["distortion"] for entry in held])
    scores = {"student": np.array([float(entry["student"]) for entry in held])}
    scores |= dict(zip(names, np.array(found).reshape(len(held), -1).T, strict=True))
    for name, values in scores.items():
        parts = [
            f"{kind} {srocc(values[kinds == kind], teacher[kinds == kind]):.3f}"
            for kind in sorted(set(kinds))
        ]
        print(f"{name}: {srocc(values, teacher):.3f}; {', '.join(parts)}")


if __name__ == "__main__":
    main()

"""Sweep of document 004: numbers k of tasks and S of inner steps of the meta-training, judged on LIVE In the Wild.

    HDRQ_DATA=~/iqa python bench/tables/metaiqa.py [k=1,3,5,7,10] [S=2,4,6,8]      SMALL=1 with trainings of a few steps

For every k (meta.tasks) and S (meta.inner) the network is meta-trained by the recipe metaiqa-meta and fine-tuned on random
80/20 splits; the table has the median SROCC over the splits, k in rows and S in columns. It can be killed and started again.

    SPLITS  number of splits [10]
    OUT     run folders and the tables sweep.csv, sweep.md [runs/tables/metaiqa]
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import hdrq
from hdrq.evaluation.report.paper_tables import Cell, PaperTable, paper_text
from hdrq.training.experiment import Experiment
from hdrq.training.run import Trained

OUT = Path(os.environ.get("OUT", "runs/tables/metaiqa"))
SMALL = bool(os.environ.get("SMALL"))
SPLITS = int(os.environ.get("SPLITS", "10"))


def main() -> None:
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    ks = [int(n) for n in words.get("k", "1,3,5,7,10").split(",")]
    steps = [int(n) for n in words.get("S", "2,4,6,8").split(",")]
    found = {(k, s): judged(k, s) for k in ks for s in steps}
    best = max(found.values())
    cells = [[Cell(f"{k}"), *(Cell(f"{found[k, s]:.4f}", found[k, s] == best) for s in steps)] for k in ks]
    table = PaperTable(
        ("k", *(f"S = {s}" for s in steps)), tuple(map(tuple, cells)), caption="LIVE In the Wild, SROCC"
    )
    with (OUT / "sweep.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("k", "S", "srocc"))
        writer.writerows((k, s, f"{value:.6f}") for (k, s), value in found.items())
    (OUT / "sweep.md").write_text(paper_text(table, "markdown"), encoding="utf-8")
    print(paper_text(table, "markdown"))


def judged(k: int, s: int) -> float:
    """Median SROCC over the splits, after meta-training with k tasks and S inner steps."""
    folder = OUT / f"k{k}-s{s}"
    done = folder / "meta" / "card"
    if not done.exists():
        begun = (folder / "meta" / "settings.json").exists()
        settings = {"meta.tasks": k, "meta.inner": s, **({"start": ""} if SMALL else {})}
        *_, last = hdrq.train(
            recipe="metaiqa-meta", settings=settings, small=SMALL, output=folder / "meta", resume=begun, name=f"k{k}-s{s}",
            replace=True,
        )  # fmt: skip
        if not isinstance(last, Trained):
            raise TypeError(f"the meta-training ended with {last}")
        done.write_text(str(last.card))
    os.environ["HDRQ_MODELS"] = str(Path(done.read_text()).parent)
    split = folder / "splits"
    begun = (split / "experiment.json").exists()
    settings = {"start": "" if SMALL else f"k{k}-s{s}"}
    arguments = (
        {}
        if begun
        else {"recipe": "metaiqa-finetune", "protocol": "splits", "repeats": SPLITS, "settings": settings}
    )
    *_, ended = hdrq.train(**arguments, small=SMALL, output=split, resume=begun)
    if not isinstance(ended, Experiment):
        raise TypeError(f"the fine-tuning ended with {ended}")
    srocc = float(ended.summaries[0].median["srocc"])
    print(f"k = {k}, S = {s}: SROCC {srocc:.4f}", flush=True)
    return srocc


if __name__ == "__main__":
    main()

"""Document 002's question on real photographs: does learning a teacher's scores first beat training directly?

    OMP_NUM_THREADS=1 python bench/transfer.py --photographs BIQ2021/Images --livec livec [--splits 10] [--n 1000]

The temporary set is n photographs as they are, without subjective scores; the teacher is nr@nr-lite2; the network is a
NoR-VDPNet++ of a quarter of its width, on luma of crops of 160 pixels. It is then trained on random 80/20 splits of LIVE In the
Wild, the same splits, epochs and rate once from random weights and once from the transferred ones; the epoch is chosen on a
fifth of the training part. It can be killed and started again: it goes on where it was, and the table has the splits that
both have. Each arm's predictions.csv is for `hdrq evaluate`, as docs/training.md shows.

The teacher's head was trained on scores of a part of these photographs, so that the transfer is not free of subjective
scores; and its regularisation was chosen with those of LIVE In the Wild known.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import hdrq
from hdrq.training.api import SplitTested, Trained

TEACHER = "nr@nr-lite2"
STUDENT = "srgb:norvdpnet++"
NETWORK = {"options.widths": [8, 16, 32, 64, 128], "input": "crops", "crop": 160, "batch": 16}
ARMS = ("direct", "transfer")


def scored(photographs: Path, out: Path, n: int) -> Path:
    """A table of n photographs, drawn with seed 0, with the teacher's scores as their labels."""
    files = sorted(p for p in photographs.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".bmp"))
    drawn = np.random.default_rng(0).permutation(len(files))[:n]
    out.mkdir(parents=True, exist_ok=True)
    chosen = [files[i].resolve() for i in drawn]
    rows = list(hdrq.score(chosen, [TEACHER], resume=out / "scores.csv"))
    table = out / "temporary.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("dist", "mos"))
        writer.writerows((row.dist, row.value) for row in rows if row.value is not None)
    return table


def transferred(table: Path, out: Path, epochs: int) -> str:
    """Weights, by name, of the network that has learnt the teacher's scores."""
    folder = out / "transferred"
    begun = (folder / "settings.json").exists()
    given = {**NETWORK, "start": "", "rate": 1e-3, "epochs": epochs}
    arguments = {} if begun else {"dataset": "csv", "metric": STUDENT, "data": table, "settings": given}
    os.environ["HDRQ_MODELS"] = str(out.resolve() / "weights")
    *_, last = hdrq.train(**arguments, output=folder, resume=begun, name="transferred", replace=True)
    if not isinstance(last, Trained):
        raise TypeError(f"the training ended with {last}")
    return "transferred"


def split(arm: str, start: str, livec: Path, out: Path, splits: int, epochs: int) -> Iterator[SplitTested]:
    """The splits of one arm as they end."""
    folder = out / arm
    begun = (folder / "experiment.json").exists()
    given = {**NETWORK, "start": start, "rate": 1e-3, "epochs": epochs}
    arguments = {} if begun else {"dataset": "livec", "metric": STUDENT, "data": livec, "settings": given}
    records = hdrq.train(
        **arguments,
        protocol="" if begun else "splits",
        repeats=0 if begun else splits,
        output=folder,
        resume=begun,
        name="" if begun else f"livec-{arm}",
    )
    return (r for r in records if isinstance(r, SplitTested))


def table(out: Path) -> str:
    """SROCC of both arms on the splits that both have, and the difference."""
    found = {}
    for arm in ARMS:
        with (out / arm / "rows.csv").open(newline="", encoding="utf-8") as file:
            found[arm] = {row["split"]: float(row["srocc"]) for row in csv.DictReader(file)}
    both = [s for s in found[ARMS[0]] if s in found[ARMS[1]]]
    values = {arm: np.array([found[arm][s] for s in both]) for arm in ARMS}
    gain = values[ARMS[1]] - values[ARMS[0]]
    lines = ["| trained | SROCC, mean ± sd | by split |", "|---|---|---|"]
    for name, v in (*values.items(), ("difference", gain)):
        each = ", ".join(f"{x:.3f}" for x in v)
        lines.append(f"| {name} | {v.mean():.3f} ± {v.std(ddof=min(1, len(v) - 1)):.3f} | {each} |")
    return "\n".join([*lines, f"\ntransfer is better in {(gain > 0).sum()} of {len(both)} splits"])


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--photographs", type=Path, required=True)
    options.add_argument("--livec", type=Path, required=True)
    options.add_argument("--out", type=Path, default=Path("runs/transfer"))
    options.add_argument("--n", type=int, default=1000, help="photographs of the temporary set")
    options.add_argument("--splits", type=int, default=10)
    options.add_argument("--transfer-epochs", type=int, default=20)
    options.add_argument("--epochs", type=int, default=20)
    asked = options.parse_args()
    start = transferred(scored(asked.photographs, asked.out, asked.n), asked.out, asked.transfer_epochs)
    arms = [
        split(a, s, asked.livec, asked.out, asked.splits, asked.epochs) for a, s in zip(ARMS, ("", start))
    ]
    for number in range(asked.splits):
        for arm, records in zip(ARMS, arms):
            print(arm, number + 1, next(records).rows[0].srocc, flush=True)
        (asked.out / "transfer.md").write_text(table(asked.out) + "\n", encoding="utf-8")
    for records in arms:
        # writes the summaries
        list(records)
    print(table(asked.out))


if __name__ == "__main__":
    main()

"""Document 002: teachers on several datasets, correlations between them, and students with and without transfer.

    HDRQ_DATA=~/iqa python bench/tables/imqnet.py TEACHER,TEACHER... PHOTOGRAPHS [PUBLISHED.csv]

SMALL=1 cuts every training to a few steps.

1  SROCC of the teachers on the datasets at hand, with the weighted average by which the paper chooses a teacher
2  correlations between the teachers on the photographs of the temporary set, without subjective scores
3  what the requirements say of each teacher on that set: the share of the scale that is covered, and the rank
   correlation of simple metrics, which should stay below 0.8
4  IMQNet on the same datasets: trained directly on KonIQ-10k, by transfer from the best teacher, and by transfer and then
   on KonIQ-10k

Datasets that are not at hand are named and left out. It can be killed and started again.

    N    images of the temporary set [20000]
    OUT  run folders and tables 1.md .. 4.md, and 1.tex .. 4.tex [runs/tables/imqnet]
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import hdrq
from hdrq.distillation.api import Distilled, Note
from hdrq.errors import FileError, HdrqError, MissingPart
from hdrq.evaluation.archive import locate
from hdrq.evaluation.report.paper_tables import Cell, PaperTable, paper_text
from hdrq.registry import find
from hdrq.training.run import Trained

OUT = Path(os.environ.get("OUT", "runs/tables/imqnet"))
SMALL = bool(os.environ.get("SMALL"))
N = int(os.environ.get("N", "20000"))
# of the paper
WEIGHTS = {"koniq": 0.25, "flive": 0.15, "nrtid": 0.2, "livec": 0.25, "htid": 0.15}
DATASETS = ("koniq", "flive", "livec", "nrtid", "htid", "spaq", "biq2021")


def main() -> None:
    teachers, photographs = sys.argv[1].split(","), Path(sys.argv[2])
    published = sys.argv[3] if len(sys.argv) > 3 else None
    OUT.mkdir(parents=True, exist_ok=True)
    here = [d for d in DATASETS if is_here(d)]
    if not here:
        sys.exit("no dataset of table 1 is at hand; name their folder with HDRQ_DATA")
    best = max(teachers, key=table1(teachers, here, published).get)
    table2(teachers, photographs)
    runs = {t: transfer(t, photographs) for t in (teachers[:1] if SMALL else teachers)}
    table3(runs)
    table4(runs.get(best) or next(iter(runs.values())), here, published)


def is_here(name: str) -> bool:
    try:
        return any(p.mos is not None for p in find("dataset", name).pairs(locate(find("dataset", name))))
    except (MissingPart, FileError) as error:
        print(f"{name}: left out: {error}", file=sys.stderr)
        return False


def table1(
    metrics: Sequence[str], here: Sequence[str], published: str | None, number: int = 1
) -> dict[str, float]:
    """Write SROCC by dataset; the average by the paper's weights (the plain one where none of its datasets is there)."""
    weights = {d: w for d, w in WEIGHTS.items() if d in here}
    found = hdrq.evaluate_datasets(
        here, metrics=list(metrics), weights=weights or None, draws=0, published=published
    )
    for suffix, format in ((".md", "markdown"), (".tex", "latex")):
        (OUT / f"{number}{suffix}").write_text(found.paper_table(format, "srocc"), encoding="utf-8")
    print(found.paper_table("markdown", "srocc"))
    last = found.averages[-1].group
    return {a.metric: a.srocc for a in found.averages if a.group == last}


def table2(metrics: Sequence[str], photographs: Path) -> None:
    rows = list(hdrq.score(sorted(p for p in photographs.iterdir() if p.is_file())[:N], list(metrics)))
    values = {m: {r.dist: r.value for r in rows if r.metric == m and r.value is not None} for m in metrics}
    from hdrq.evaluation.correlations import correlations

    found = {(p.a, p.b): p.srocc for p in correlations(values, {})}
    cells = [
        (
            Cell(a),
            *(Cell("1" if a == b else f"{found.get((a, b), found.get((b, a), 0)):.3f}") for b in metrics),
        )
        for a in metrics
    ]
    written(
        2, PaperTable(("SROCC", *metrics), tuple(cells), caption=f"{len(rows) // len(metrics)} photographs")
    )


def transfer(teacher: str, photographs: Path) -> tuple[str, list[str], Path]:
    """(metric, notes on the requirements, run folder) of an IMQNet that learns a teacher's scores of central 1024x768 cuts."""
    folder = OUT / f"from-{''.join(c if c.isalnum() else '-' for c in teacher)}"
    settings = (
        {"epochs": 1, "steps": 4, "options.widths": [9, 12, 15, 18], "batch": 2} if SMALL else {"epochs": 140}
    )
    notes, last = [], None
    for record in hdrq.distill(
        teacher, photographs, student="srgb:imqnet", distortions="none", n=N, central=not SMALL,
        crop=96 if SMALL else "1024x768", displays="sdr-100", output=folder, resume=(folder / "last.pt").exists(),
        settings=settings, name=f"imqnet-{folder.name}",
    ):  # fmt: skip
        if isinstance(record, Note) and ("quality by" in record.text or "|SROCC|" in record.text):
            notes.append(record.text)
        last = record
    if not isinstance(last, Distilled):
        raise TypeError(f"the transfer ended with {last}")
    return last.metric, notes, folder


def table3(runs: dict[str, tuple[str, list[str], Path]]) -> None:
    lines = [(Cell(teacher), Cell("; ".join(notes))) for teacher, (_, notes, _) in runs.items()]
    written(3, PaperTable(("teacher", "requirements"), tuple(lines), words=2))


def table4(transferred: tuple[str, list[str], Path], here: Sequence[str], published: str | None) -> None:
    # one folder of weights for all
    metrics, weights = [transferred[0]], OUT / "weights"
    gathered(transferred[2], weights)
    short = {"options.widths": [9, 12, 15, 18]} if SMALL else {}
    for name, start in (("direct", ""), ("after-transfer", transferred[0].partition("@")[2])):
        if "koniq" not in here:
            print("koniq: left out: direct training needs it", file=sys.stderr)
            break
        folder = OUT / name
        begun = (folder / "settings.json").exists()
        *_, last = hdrq.train(
            recipe="" if begun else "imqnet", settings={} if begun else {"start": start, **short}, small=SMALL,
            output=folder, resume=begun, name=f"imqnet-{name}", replace=True,
        )  # fmt: skip
        if not isinstance(last, Trained):
            raise TypeError(f"{name} ended with {last}")
        metrics.append(last.metric)
        gathered(folder, weights)
    table1(metrics, here, published, 4)


def gathered(run: Path, weights: Path) -> None:
    """Copy weights and card of a run to the folder that hdrq reads."""
    weights.mkdir(exist_ok=True)
    for file in run.glob("*.safetensors"):
        shutil.copy(file, weights)
        shutil.copy(file.with_suffix(".json"), weights)
    os.environ["HDRQ_MODELS"] = str(weights)


def written(number: int, table: PaperTable) -> None:
    for suffix, format in ((".md", "markdown"), (".tex", "latex")):
        (OUT / f"{number}{suffix}").write_text(paper_text(table, format), encoding="utf-8")
    print(paper_text(table, "markdown"))


if __name__ == "__main__":
    try:
        main()
    except HdrqError as error:
        sys.exit(f"{type(error).__name__}: {error}")

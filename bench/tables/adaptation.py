"""Tables of the HDR adaptation paper: both networks in every configuration, tested on UPIQ as a whole, its SDR and HDR part.

    HDRQ_DATA=~/iqa python bench/tables/adaptation.py [vtamiq-pu vtamiq-hs ...]      SMALL=1 for the same in minutes

Every recipe trains on all of KADID-10k and is tested on UPIQ in absolute luminance; S_HL is trained and tested on the
papers' folds of UPIQ's HDR part, 60-20-20 by reference, and its row is the mean of the folds. Networks trained on sRGB code are
tested on PU21 code, with the code of 10,000 cd/m² (pmax) and that of 100 cd/m² (255) as their white. What is not at hand
(SI-HDR, UPIQ, the initial weights) is named and left out. It can be killed and started again: it goes on where it was.

    VARIANT  of the recipes: paper, or nothing for the settings of the program
    REPEATS  seeds of each recipe [1]
    OUT      run folders and the tables adaptation.md, adaptation.tex [runs/tables/adaptation]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import hdrq
from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.evaluation.archive import locate
from hdrq.evaluation.report.paper_tables import of_datasets, paper_text
from hdrq.evaluation.statistics.agreement import FIGURES, Agreement
from hdrq.registry import find
from hdrq.training.experiment import Experiment
from hdrq.training.experiment_file import SplitRow
from hdrq.training.run import Trained

OUT = Path(os.environ.get("OUT", "runs/tables/adaptation"))
SMALL = bool(os.environ.get("SMALL"))
VARIANT = os.environ.get("VARIANT", "")
REPEATS = int(os.environ.get("REPEATS", "1"))
NETS = ("vtamiq", "pieapp")
KINDS = ("srgb", "pu", "hu-sihdr", "hu-kadid", "hu-upiqs", "hs", "hl")
TEST_SETS = {"Full": "upiq:full-luminance", "SDR": "upiq:sdr-luminance", "HDR": "upiq:hdr"}


def main() -> None:
    wanted = sys.argv[1:] or [f"{net}-{kind}" for net in NETS for kind in KINDS]
    here = {title: dataset for title, dataset in TEST_SETS.items() if is_here(dataset)}
    columns: dict[str, list[Agreement]] = {title: [] for title in here}
    for name in wanted:
        if find("recipe", name).settings.get("encoding", "srgb") == "srgb":
            for title, row in of_code(name, here):
                columns[title].append(row)
                print(f"{row.metric}, {title}: SROCC {row.srocc:.4f}", flush=True)
            continue
        folds = find("recipe", name).settings.get("held_from") == "target"
        try:
            rows = experiment(name, [] if folds else list(here.values())).rows
        except (MissingPart, FileError, UsageError) as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        for title, dataset in here.items():
            own = [r for r in rows if r.test_set == dataset or (folds and title == "HDR")]
            if own:
                columns[title].append(mean_of(name, own))
                print(f"{name}, {title}: SROCC {columns[title][-1].srocc:.4f}", flush=True)
    shown = {title: rows for title, rows in columns.items() if rows}
    if not shown:
        sys.exit("nothing could be trained and tested; see the lines above")
    OUT.mkdir(parents=True, exist_ok=True)
    table = of_datasets(shown, "UPIQ")
    for suffix, format in ((".md", "markdown"), (".tex", "latex")):
        (OUT / f"adaptation{suffix}").write_text(paper_text(table, format), encoding="utf-8")
    print(paper_text(table, "markdown"))


def is_here(dataset: str) -> bool:
    """Whether the images of NAME:SUBSET are at hand."""
    name, _, subset = dataset.partition(":")
    try:
        return any(True for _ in find("dataset", name).pairs(locate(find("dataset", name)), subset))
    except (MissingPart, FileError) as error:
        print(f"{dataset}: left out: {error}", file=sys.stderr)
        return False


def experiment(name: str, test_sets: list[str]) -> Experiment:
    """The experiment of a recipe, gone on with where it was begun; without test_sets, on the folds of its target."""
    folder = OUT / f"{name}{f'-{VARIANT}' if VARIANT else ''}"
    begun = (folder / "experiment.json").exists()
    records = hdrq.train(
        recipe="" if begun else name,
        variant="" if begun else VARIANT,
        protocol="cross" if test_sets else "folds",
        repeats=0 if begun else REPEATS,
        test=test_sets,
        output=folder,
        small=SMALL,
        resume=begun,
    )
    *_, last = records
    if not isinstance(last, Experiment):
        raise TypeError(f"{name} ended with {last}")
    return last


def of_code(name: str, test_sets: dict[str, str]) -> Iterator[tuple[str, Agreement]]:
    """(title, row) of a network trained on sRGB code and tested on PU21 code, for both whites."""
    folder = OUT / f"{name}{f'-{VARIANT}' if VARIANT else ''}"
    begun = (folder / "settings.json").exists()
    try:
        *_, last = hdrq.train(
            recipe="" if begun else name,
            variant="" if begun else VARIANT,
            output=folder,
            small=SMALL,
            resume=begun,
            name=f"{name}-table",
            replace=True,
        )
    except (MissingPart, FileError, UsageError) as error:
        print(f"{name}: left out: {error}", file=sys.stderr)
        return
    if not isinstance(last, Trained):
        raise TypeError(f"{name} ended with {last}")
    os.environ["HDRQ_MODELS"] = str(folder.resolve())
    for white in ("pmax", "255"):
        for title, dataset in test_sets.items():
            found = hdrq.evaluate(dataset=dataset, metrics=[f"pu21:{last.metric},white={white}"], draws=0)
            yield title, replace(found.rows[0], metric=f"{name}, {white}")


def mean_of(name: str, rows: Sequence[SplitRow]) -> Agreement:
    """The mean of all splits as the row of a recipe."""
    srocc, krocc, plcc, rmse = (float(np.mean([getattr(r, figure) for r in rows])) for figure in FIGURES)
    images, scenes = sum(r.images for r in rows), sum(r.scenes for r in rows)
    return Agreement(name, "all", images, scenes, srocc, krocc, plcc, rmse)


if __name__ == "__main__":
    main()

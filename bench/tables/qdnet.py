"""Document 003: QD-net on random splits of ESPL-LIVE HDR beside published peers, its codes, and its quality sheet.

    HDRQ_DATA=~/iqa python bench/tables/qdnet.py [PUBLISHED.csv] [IMAGE]      SMALL=1 with trainings of a few steps

Trains on 100 random 80/20 splits by scene, without validation as the paper; the table has the medians, and the peers of a
file of published figures (see docs/evaluate.md). The weights of the first split draw the t-SNE of the codes of all
images, and the sheet of IMAGE at five qualities. It can be killed and started again.

    SPLITS  number of splits [100]
    OUT     run folders, qdnet.md, qdnet.tex, codes-*.pdf, sheet.png [runs/tables/qdnet]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hdrq
from hdrq.evaluation.codes import codes_of, write_code_figures
from hdrq.evaluation.published import beside, read_published
from hdrq.evaluation.report.paper_tables import of_metrics, paper_text
from hdrq.evaluation.statistics.agreement import FIGURES, Agreement
from hdrq.training.experiment import Experiment

OUT = Path(os.environ.get("OUT", "runs/tables/qdnet"))
SMALL = bool(os.environ.get("SMALL"))
SPLITS = int(os.environ.get("SPLITS", "100"))
QUALITIES = (0.1, 0.3, 0.5, 0.7, 0.9)


def main() -> None:
    begun = (OUT / "splits" / "experiment.json").exists()
    settings = {"holdout": 0, **({"start": ""} if SMALL else {})}
    arguments = (
        {} if begun else {"recipe": "qdnet", "protocol": "splits", "repeats": SPLITS, "settings": settings}
    )
    *_, ended = hdrq.train(**arguments, small=SMALL, output=OUT / "splits", resume=begun)
    if not isinstance(ended, Experiment):
        raise TypeError(f"the experiment ended with {ended}")
    found = ended.summaries[0]
    row = Agreement("qdnet", "all", found.images, 0, *(found.median[f] for f in FIGURES))
    files = [Path(word) for word in sys.argv[1:]]
    peers = [p.row for f in files if f.suffix == ".csv" for p in read_published(f) if p.row.group == "all"]
    table = of_metrics(beside([row], peers), f"ESPL-LIVE HDR, medians of {found.splits} splits")
    for suffix, format in ((".md", "markdown"), (".tex", "latex")):
        (OUT / f"qdnet{suffix}").write_text(paper_text(table, format), encoding="utf-8")
    print(paper_text(table, "markdown"))
    first = next((OUT / "splits").glob("*-1/*.safetensors"))
    os.environ["HDRQ_MODELS"] = str(first.parent)
    write_code_figures(codes_of(f"qdnet@{first.stem}", "espl-live-hdr"), OUT)
    for image in (f for f in files if f.suffix != ".csv"):
        for done in hdrq.enhance_files(image, OUT / "sheet.png", f"qdnet@{first.stem}", QUALITIES):
            print(done.target, done.error, *done.notes)


if __name__ == "__main__":
    main()

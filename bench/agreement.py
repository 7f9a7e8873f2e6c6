"""Write a table of docs/results.md: every full-reference metric of the shelf beside subjective scores.

    python bench/agreement.py --data shared/data/sdr_iqa/live_r2/dmos_dev.csv --lower --scores live.csv --write docs/results.md

Metrics without a network that compare images of one kind are found on the shelf, so that a new one joins by itself. The
values are kept in --scores, a second call only computes what is missing; `hdrq evaluate` makes the figures and intervals.
Without --write the table is printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hdrq import registry as catalogue

# An output of its own that is reported as often as the default.
BESIDE = {"butteraugli": ("butteraugli,pool=p-norm",)}
BEGIN, END = "<!-- agreement: {name} -->", "<!-- /agreement -->"


def main() -> None:
    parser = argparse.ArgumentParser(description="Agreement of all metrics with subjective scores.")
    parser.add_argument("--data", type=Path, required=True, help="table of the dataset 'csv'")
    parser.add_argument("--scores", type=Path, required=True, help="where the values are kept")
    parser.add_argument("--lower", action="store_true", help="subjective scores are better when lower")
    parser.add_argument("--only", default="", help="metrics, comma-separated; default: the shelf")
    parser.add_argument("--write", type=Path, help="page with the marks of this table")
    args = parser.parse_args()
    asked = args.only.split(",") if args.only else metrics()
    rows = table(evaluated(args.data, args.scores, asked, args.lower))
    if args.write is None:
        print("\n".join(rows))
    else:
        put(args.write, args.data.parent.name, rows)


def metrics() -> list[str]:
    found = []
    for name in catalogue.names("metric"):
        card = catalogue.find("metric", name).card
        if card.net is None and card.reference_reads == card.reads and not card.stack:
            found += [name, *BESIDE.get(name, ())]
    return found


def evaluated(data: Path, scores: Path, asked: list[str], lower: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [sys.executable, "-m", "hdrq", "evaluate", "--dataset", "csv", "--data", str(data)]
        command += [
            *(["--lower"] if lower else []),
            "--scores",
            str(scores),
            "--format",
            "json",
            "-o",
            str(out),
        ]
        subprocess.run([*command, *(word for name in asked for word in ("-m", name))], check=True)
        rows: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| metric | SROCC | KROCC | PLCC | RMSE |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        cells = [interval(row, key, 3) for key in ("srocc", "krocc", "plcc")]
        lines.append(f"| {row['metric']} | {' | '.join(cells)} | {row['rmse']:.1f} |")
    return lines


def interval(row: dict[str, Any], key: str, digits: int) -> str:
    value, low, high = (row[key + end] for end in ("", "_low", "_high"))
    return f"{value:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"


def put(page: Path, name: str, rows: list[str]) -> None:
    text, begin = page.read_text(encoding="utf-8"), BEGIN.format(name=name)
    if text.count(begin) != 1:
        raise SystemExit(f"{page} needs the line {begin} once, and {END} after it")
    before, rest = text.split(begin)
    _, after = rest.split(END, 1)
    page.write_text("\n".join([before + begin, "", *rows, "", END + after]), encoding="utf-8")


if __name__ == "__main__":
    main()

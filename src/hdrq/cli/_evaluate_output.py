"""Output of an evaluation: table, files, figures and report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrq.cli import tables as _tables
from hdrq.errors import UsageError
from hdrq.io import refuse_unwritable

if TYPE_CHECKING:
    from hdrq.evaluation.api import Agreement, DatasetComparison, Evaluation, PairedTest, Pairing, Sheet

_FIGURES = ("srocc", "krocc", "plcc", "rmse")


def check_targets(options: dict[str, Any]) -> None:
    """Check before the first score that all outputs can be written."""
    if options["report"] and Path(options["report"]).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--report writes an HTML page, not {options['report']}; use the suffix .html")
    for path in ("output", "report", "significance"):
        refuse_unwritable(options[path], None)
    refuse_unwritable(None, options["plots"])


def write(found: Evaluation, kinds: Sequence[str], options: dict[str, Any], format: str) -> None:
    """Write to stdout or -o in the requested format, and the significance tests to their own file."""
    from hdrq.evaluation.api import flat

    rows, sheet = found.rows, found.sheet
    if options["significance"] and found.significance:
        lines = [asdict(c) for c in found.significance]
        _tables.write_text(_tables.text_of(lines, "csv", list(lines[0])), options["significance"])
    if format in ("latex", "markdown"):
        _tables.write_text(found.paper_table(format, kinds), options["output"])
        return
    parts = found.breakdowns(kinds) if kinds else []
    if format != "table":
        lines = [*found.table, *(flat(r, sheet, "whole", by) for by, own in parts for r in own)]
        _tables.write_text(_tables.text_of(lines, format, list(lines[0])), options["output"])
        return
    several = len({r.group for r in rows}) > 1
    _show(
        rows,
        found.significance if found.protocol in ("whole", "across") else [],
        sheet,
        several,
        options["output"],
    )
    for by, own in parts:
        _show(own, [], sheet, True, options["output"], f"by {by}")


def write_several(found: DatasetComparison, output: str | None, format: str) -> None:
    """Metrics by datasets: SROCC in a table, all statistics in a file."""
    if format in ("latex", "markdown"):
        _tables.write_text(found.paper_table(format), output)
        return
    if format != "table":
        lines = found.table
        _tables.write_text(_tables.text_of(lines, format, list(lines[0])), output)
        return
    columns = found.columns
    metrics = dict.fromkeys(a.metric for rows in columns.values() for a in rows)
    tops = {name: max((a.srocc for a in rows), default=0.0) for name, rows in columns.items()}
    table = []
    for metric in metrics:
        row: list[Any] = [metric]
        for name, rows in columns.items():
            value = next((a.srocc for a in rows if a.metric == metric), None)
            style = "bold" if value == tops[name] else ""
            row.append("" if value is None else _tables.styled((_tables.number(value), style)))
        table.append(row)
    _tables.show_table(["SROCC", *columns], table, "", list(columns), output=output)


def write_preferences(name: str, rows: Sequence[dict[str, Any]], output: str | None, format: str) -> None:
    """Accuracy of metrics on pairwise preferences."""
    if format in ("csv", "json", "jsonl"):
        _tables.write_text(_tables.text_of(rows, format, list(rows[0])), output)
        return
    heads = ["metric", "pairs", "accuracy", "95 %", "observers agreed with", "upper bound"]
    lines = []
    for r in rows:
        ends = f"{r['low']:.3f} … {r['high']:.3f}" if r["scenes"] > 1 else ""
        shares = (f"{r[name]:.4f}" for name in ("share", "ceiling"))
        lines.append([r["metric"], f"{r['comparisons']}", f"{r['accuracy']:.4f}", ends, *shares])
    if format != "table":
        from hdrq.evaluation.api import Cell, PaperTable, paper_text

        cells = tuple(tuple(map(Cell, line)) for line in lines)
        _tables.write_text(paper_text(PaperTable(tuple(heads), cells), format), output)
        return
    _tables.show_table(heads, lines, f"{name}: pairwise preferences", heads[1:], output=output)


def write_correlations(rows: Sequence[Pairing], output: str | None, format: str) -> None:
    """All pairs of metrics as rows of a file; as a table, the matrix of SROCC."""
    if format in ("csv", "json", "jsonl"):
        lines = [asdict(r) for r in rows]
        _tables.write_text(_tables.text_of(lines, format, list(lines[0])), output)
        return
    names = list(dict.fromkeys(name for r in rows for name in (r.a, r.b)))
    known = {(r.a, r.b): r.srocc for r in rows} | {(r.b, r.a): r.srocc for r in rows}
    cells = [[1.0 if a == b else known[a, b] for b in names] for a in names]
    if format == "table":
        body = [[name, *(_tables.number(v, 3) for v in row)] for name, row in zip(names, cells, strict=True)]
        _tables.show_table(["SROCC", *names], body, f"{rows[0].images} images", names, output=output)
        return
    from hdrq.evaluation.api import Cell, PaperTable, paper_text

    lines_of = (
        (Cell(name), *(Cell(f"{v:.3f}") for v in row)) for name, row in zip(names, cells, strict=True)
    )
    _tables.write_text(paper_text(PaperTable(("SROCC", *names), tuple(lines_of)), format), output)


def _show(
    rows: Sequence[Agreement],
    paired_tests: Sequence[PairedTest],
    sheet: Sheet,
    several: bool,
    output: str | None,
    title: str = "",
) -> None:
    """The best of each group in bold; = marks metrics that are not significantly different from it."""
    from hdrq.evaluation.api import best, best_ones

    alike = best_ones(rows, paired_tests) if paired_tests and not several else set()
    far = any(r.outliers is not None for r in rows)
    numbers = ["SROCC", "KROCC", "PLCC", "RMSE", *(["outliers"] if far else [])]
    heads = [*(["group"] if several else []), "metric", *numbers]
    groups: dict[str, list[Agreement]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    lines = []
    for group, own in groups.items():
        tops = {n: best(own, n) for n in _FIGURES}
        for row in own:
            cells = [_cell(row, n, len(own) > 1 and getattr(row, n) == tops[n]) for n in _FIGURES]
            if far:
                cells.append("" if row.outliers is None else f"{row.outliers:.1%}")
            name = f"{row.metric} =" if row.metric in alike and len(alike) > 1 else row.metric
            lines.append([*([group] if several else []), name, *cells])
    first = rows[0]
    caption = f"{first.images} images, {first.scenes} scenes"
    if first.group.startswith("median"):
        caption += f"; {first.group}, and the range of the central 95 % of the splits"
    elif any(r.intervals for r in rows):
        caption += "; 95 % intervals from a bootstrap over scenes"
    if len(alike) > 1:
        caption += "; = not significantly different from the best (p > 0.05, Holm)"
    name = " ".join(filter(None, (sheet.name, title)))
    _tables.show_table(heads, lines, name, numbers, caption if not several else "", output)


def _cell(row: Agreement, name: str, top: bool) -> Any:
    ends = row.intervals.get(name)
    known = ends if ends and not math.isnan(ends[0]) else None  # NaN: of a constant metric
    span = f" {_tables.number(known[0], 3)} … {_tables.number(known[1], 3)}" if known else ""
    return _tables.styled((_tables.number(getattr(row, name)), "bold" if top else ""), (span, "dim"))

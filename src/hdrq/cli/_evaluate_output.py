"""Output of an evaluation: table, files, figures and report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrq.cli import _tables
from hdrq.cli._messages import note
from hdrq.errors import UsageError
from hdrq.io import refuse_unwritable

if TYPE_CHECKING:
    from hdrq.evaluation.api import (
        Agreement,
        DatasetComparison,
        Evaluation,
        MergedRatings,
        PairedTest,
        Pairing,
        PaperTable,
        Ratings,
    )

_FIGURES = ("srocc", "krocc", "plcc", "rmse")


def check_targets(options: dict[str, Any]) -> None:
    """Check before the first score that all outputs can be written."""
    if options["report"] and Path(options["report"]).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--report writes an HTML page, not {options['report']}; use the suffix .html")
    for path in ("output", "report", "significance", "merge_mos"):
        refuse_unwritable(options[path], None)
    refuse_unwritable(None, options["plots"])


def write(found: Evaluation, kinds: Sequence[str], options: dict[str, Any], format: str) -> None:
    """Write to stdout or -o in the requested format, and the significance tests to their own file."""
    from hdrq.evaluation.api import beside

    rows, ratings = found.shown, found.ratings
    if options["significance"] and found.significance:
        lines = [asdict(c) for c in found.significance]
        _tables.write_text(_tables.text_of(lines, "csv", list(lines[0])), options["significance"])
    elif options["significance"]:
        note(f"{options['significance']} is not written: there are no two metrics to compare")
    if format in ("latex", "markdown"):
        text = found.paper_table(format, kinds, options["transpose"] or "")
        _tables.write_text(text, options["output"])
        return
    if options["transpose"]:
        _write_transposed(found.transposed(options["transpose"], kinds), options["output"], format)
        return
    parts = [(by, beside(own, found.published)) for by, own in found.breakdowns(kinds)] if kinds else []
    if format != "table":
        lines = [*found.table, *(line for by, own in parts for line in found.table_of(own, "whole", by))]
        _tables.write_text(_tables.text_of(lines, format, list(lines[0])), options["output"])
        return
    several = len({r.group for r in rows}) > 1
    _show(
        rows,
        found.significance if found.protocol in ("whole", "across") else [],
        ratings,
        several,
        options["output"],
    )
    for by, own in parts:
        _show(own, [], ratings, True, options["output"], f"by {by}")


def _write_transposed(table: PaperTable, output: str | None, format: str) -> None:
    """A table of metrics in columns: shown, or as rows of a file, whose first column names the groups."""
    if format != "table":
        lines = [dict(zip(table.heads, (c.text for c in row), strict=True)) for row in table.rows]
        _tables.write_text(_tables.text_of(lines, format, list(table.heads)), output)
        return
    body = [[_tables.styled((c.text, "bold" if c.bold else "")) for c in row] for row in table.rows]
    heads = list(table.heads)
    _tables.show_table(heads, body, table.caption, heads[1:], "; ".join(table.notes), output)


def write_merged(found: MergedRatings, path: str) -> None:
    """The merged table, with a line for the user on the line of each dataset."""
    from hdrq.evaluation.api import MERGED_COLUMNS

    for line in found.lines:
        way = (
            f"by {line.images} {'common images' if line.by == 'common images' else 'images and the metrics'}"
        )
        said = f"{way}, SROCC {line.agreement:.3f}" if line.by else "kept"
        note(f"{line.dataset}: merged score = {line.offset:.5g} + {line.gain:.5g} x own score ({said})")
    for text in found.notes:
        note(text)
    _tables.write_text(_tables.text_of(found.rows, "csv", list(MERGED_COLUMNS)), path)
    note(f"wrote {len(found.rows)} images to {path}; train on them with --dataset csv --data {path}")


def write_several(found: DatasetComparison, options: dict[str, Any], format: str) -> None:
    """Metrics by datasets: SROCC in a table, all statistics in a file."""
    from hdrq.evaluation.api import best, lines_of, marks_of, title_of

    output = options["output"]
    if format in ("latex", "markdown"):
        _tables.write_text(found.paper_table(format, options["transpose"] or ""), output)
        return
    if options["transpose"]:
        _write_transposed(found.transposed(options["transpose"]), output, format)
        return
    if format != "table":
        lines = found.table
        _tables.write_text(_tables.text_of(lines, format, list(lines[0])), output)
        return
    columns = found.columns
    marks = marks_of(a for rows in columns.values() for a in rows)
    metrics = dict.fromkeys(title_of(a, marks) for rows in columns.values() for a in rows)
    tops = {name: best(rows, "srocc") for name, rows in columns.items()}
    table = []
    for metric in metrics:
        row: list[Any] = [metric]
        for name, rows in columns.items():
            own = next((a for a in rows if title_of(a, marks) == metric), None)
            style = "bold" if own is not None and not own.published and own.srocc == tops[name] else ""
            known = own is not None and not (own.published and math.isnan(own.srocc))
            row.append(_tables.styled((_tables.number(own.srocc), style)) if known and own else "")
        table.append(row)
    cited = "; ".join(lines_of(marks))
    _tables.show_table(["SROCC", *columns], table, "", list(columns), cited, output=output)


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
    ratings: Ratings,
    several: bool,
    output: str | None,
    title: str = "",
) -> None:
    """The best of each group in bold; = marks metrics that are not significantly different from it."""
    from hdrq.evaluation.api import best, lines_of, marks_of, not_significantly_worse, title_of

    marks = marks_of(rows)
    measured = [a for a in rows if not a.published]
    alike = not_significantly_worse(measured, paired_tests) if paired_tests and not several else set()
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
            rival = not row.published and sum(not a.published for a in own) > 1
            cells = [_cell(row, n, rival and getattr(row, n) == tops[n]) for n in _FIGURES]
            if far:
                cells.append("" if row.outliers is None else f"{row.outliers:.1%}")
            equal = row.metric in alike and len(alike) > 1 and not row.published
            name = f"{row.metric} =" if equal else title_of(row, marks)
            lines.append([*([group] if several else []), name, *cells])
    first = rows[0]
    caption = f"{first.images} images, {first.scenes} scenes"
    if first.group.startswith("median"):
        caption += f"; {first.group}, and the range of the central 95 % of the splits"
    elif any(r.intervals for r in rows):
        caption += "; 95 % intervals from a bootstrap over scenes"
    if len(alike) > 1:
        caption += "; = not significantly different from the best (p > 0.05, Holm)"
    name = " ".join(filter(None, (ratings.name, title)))
    caption = "; ".join(filter(None, (caption if not several else "", *lines_of(marks))))
    _tables.show_table(heads, lines, name, numbers, caption, output)


def _cell(row: Agreement, name: str, top: bool) -> Any:
    if row.published and math.isnan(getattr(row, name)):
        return ""
    ends = row.intervals.get(name)
    # NaN: of a constant metric
    known = ends if ends and not math.isnan(ends[0]) else None
    span = f" {_tables.number(known[0], 3)} … {_tables.number(known[1], 3)}" if known else ""
    return _tables.styled((_tables.number(getattr(row, name)), "bold" if top else ""), (span, "dim"))

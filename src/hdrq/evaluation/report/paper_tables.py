"""Tables for papers: LaTeX (booktabs) and Markdown, the best value of each column in bold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hdrq.evaluation.published import lines_of, marks_of, title_of
from hdrq.evaluation.report.tables import best
from hdrq.evaluation.statistics.agreement import FIGURES, Agreement

FORMATS = ("latex", "markdown")
# statistics of a table over several datasets
_COMPARED = ("srocc", "plcc")
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {c: f"\\{c}" for c in "&%$#_{}"} | {"±": r"$\pm$", "−": "$-$", "∞": r"$\infty$", "≥": r"$\geq$"}


@dataclass(frozen=True)
class Cell:
    """Text of a table; `bold` for the best value of its column."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class PaperTable:
    """Rows of cells under heads; `words` columns of text come first, the others are numbers.

    spans  titles over consecutive columns of numbers, with their widths; empty for none
    notes  lines below the table
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: int = 1
    spans: tuple[tuple[str, int], ...] = ()
    caption: str = ""
    notes: tuple[str, ...] = ()


def of_metrics(rows: Sequence[Agreement], caption: str = "") -> PaperTable:
    """Metrics by statistics; a column of groups where there are several."""
    groups, marks = list(dict.fromkeys(a.group for a in rows)), marks_of(rows)
    several = len(groups) > 1
    lines = []
    for group in groups:
        own = [a for a in rows if a.group == group]
        for a in own:
            cells = [Cell(group)] if several else []
            cells += [Cell(title_of(a, marks)), Cell(f"{a.images}" if a.images or not a.published else "")]
            lines.append((*cells, *(_value(a, name, own) for name in FIGURES)))
    heads = (*(["group"] if several else []), "metric", "images", *(name.upper() for name in FIGURES))
    return PaperTable(heads, tuple(lines), 2 if several else 1, caption=caption, notes=lines_of(marks))


def of_datasets(columns: Mapping[str, Sequence[Agreement]], caption: str = "") -> PaperTable:
    """Metrics by datasets, SROCC and PLCC of each; averages are columns like any other."""
    marks = marks_of(a for rows in columns.values() for a in rows)
    lines = []
    for metric in _metrics(columns, marks):
        cells = [Cell(metric)]
        for rows in columns.values():
            own = next((a for a in rows if title_of(a, marks) == metric), None)
            cells += [Cell("") if own is None else _value(own, name, rows) for name in _COMPARED]
        lines.append(tuple(cells))
    heads = ("metric", *(name.upper() for _ in columns for name in _COMPARED))
    spans = tuple((name, len(_COMPARED)) for name in columns)
    return PaperTable(heads, tuple(lines), spans=spans, caption=caption, notes=lines_of(marks))


def transposed(
    groups: Mapping[str, Sequence[Agreement]], statistic: str, head: str, caption: str = ""
) -> PaperTable:
    """A row for each group or dataset and a column for each metric, of one statistic; the best of each row is bold."""
    marks = marks_of(a for rows in groups.values() for a in rows)
    metrics = _metrics(groups, marks)
    lines = []
    for name, rows in groups.items():
        at = {title_of(a, marks): a for a in rows}
        cells = [_value(at[m], statistic, rows) if m in at else Cell("") for m in metrics]
        lines.append((Cell(name), *cells))
    caption = ", ".join(filter(None, (caption, statistic.upper())))
    return PaperTable((head, *metrics), tuple(lines), caption=caption, notes=lines_of(marks))


def averaged(
    groups: Mapping[str, Sequence[Agreement]], title: str = "average"
) -> dict[str, Sequence[Agreement]]:
    """Groups, followed by the mean over them of every metric that all of them have; RMSE is averaged too, on one scale."""
    tables = [{(a.metric, a.published): a for a in rows} for rows in groups.values()]
    shared = [key for key in tables[0] if all(key in t for t in tables)] if tables else []
    means = []
    for key in shared:
        own = [t[key] for t in tables]
        figures = {name: sum(getattr(a, name) for a in own) / len(own) for name in FIGURES}
        images = sum(a.images for a in own)
        means.append(Agreement(key[0], "average", images, 0, **figures, published=key[1]))
    return {**groups, title: means} if means and len(groups) > 1 else dict(groups)


def _metrics(columns: Mapping[str, Sequence[Agreement]], marks: Mapping[str, str]) -> list[str]:
    """Titles of all metrics, the measured ones first."""
    rows = [a for own in columns.values() for a in own]
    return list(dict.fromkeys(title_of(a, marks) for a in sorted(rows, key=lambda a: bool(a.published))))


def _value(row: Agreement, name: str, column: Sequence[Agreement]) -> Cell:
    value = getattr(row, name)
    if row.published:
        # as many digits as were published
        return Cell(f"{value:.4g}" if math.isfinite(value) else "")
    text = f"{value:.4f}" if math.isfinite(value) else "--"
    return Cell(text, sum(not a.published for a in column) > 1 and value == best(column, name))


def paper_text(table: PaperTable, format: str) -> str:
    """A table as "latex" or "markdown"."""
    return latex(table) if format == "latex" else markdown(table)


def latex(table: PaperTable) -> str:
    """A tabular of the package booktabs, with its caption as a comment before it."""
    numbers = len(table.heads) - table.words
    lines = [f"% {table.caption}"] if table.caption else []
    lines += [
        "% \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{'l' * table.words}{'r' * numbers}}}",
        "\\toprule",
    ]
    if table.spans:
        titles = [f"\\multicolumn{{{n}}}{{c}}{{{_escaped(title)}}}" for title, n in table.spans]
        lines.append(" & ".join([*[""] * table.words, *titles]).lstrip() + r" \\")
        first, rules = table.words + 1, []
        for _, n in table.spans:
            rules.append(f"\\cmidrule(lr){{{first}-{first + n - 1}}}")
            first += n
        lines.append("".join(rules))
    lines += [" & ".join(map(_escaped, table.heads)) + r" \\", "\\midrule"]
    for row in table.rows:
        cells = (f"\\textbf{{{_escaped(c.text)}}}" if c.bold else _escaped(c.text) for c in row)
        lines.append(" & ".join(cells) + r" \\")
    notes = [
        rf"\multicolumn{{{len(table.heads)}}}{{l}}{{\footnotesize {_escaped(note)}}} \\"
        for note in table.notes
    ]
    return "\n".join([*lines, "\\bottomrule", *notes, "\\end{tabular}"]) + "\n"


def markdown(table: PaperTable) -> str:
    """A table of pipes; titles over several columns are repeated in each head."""
    titles = [title for title, n in table.spans for _ in range(n)]
    heads = list(table.heads[: table.words])
    for i, head in enumerate(table.heads[table.words :]):
        heads.append(f"{titles[i]} {head}" if titles else head)
    rules = ["---"] * table.words + ["---:"] * (len(heads) - table.words)
    lines = [_piped([*map(_plain, heads)]), "|" + "|".join(rules) + "|"]
    for row in table.rows:
        lines.append(_piped([f"**{_plain(c.text)}**" if c.bold else _plain(c.text) for c in row]))
    notes = "".join(f"\n{_plain(note)}\n" for note in table.notes)
    return (f"{table.caption}\n\n" if table.caption else "") + "\n".join(lines) + "\n" + notes


def _piped(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is; an underscore within a word, and brackets without an address, mean nothing to it."""
    return re.sub(r"([\\`*<|])", r"\\\1", text)


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)

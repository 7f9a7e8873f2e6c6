"""Output of `hdrq score`: rows as a file or a table, errors and notes on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hdrq.cli import _tables
from hdrq.cli._messages import Notes, say

if TYPE_CHECKING:
    from hdrq.scoring.api import TableRun


Row = dict[str, Any]
Placed = tuple["int | None", Row]
_FORMATS = ("csv", "jsonl")


def reported(rows: Iterator[tuple[int | None, Row, bool]]) -> Iterator[Placed]:
    """The rows; errors and notes of new ones are printed on stderr, once each."""
    said: set[str] = set()
    notes = Notes()
    for place, row, new in rows:
        if new:
            _report(row, said, notes)
        yield place, row
    notes.finish()


# largest number of different errors
_SAID = 1000
# notes that the user asked for: only in the row
_ASKED_FOR = ("1.0 = ", "brightest value", "response matched")


def _report(row: Row, said: set[str], notes: Notes) -> None:
    """Print every error and the first note of each kind on stderr, once."""
    error = row["error"]
    if error and error not in said and len(said) < _SAID:
        said.add(error)
        say(f"hdrq: {error}")
        if len(said) == _SAID:
            say("hdrq: further errors are only in the column 'error'")
    for text in row["how"].split("; "):
        if text and not text.startswith(_ASKED_FOR):
            notes.add(text, (row["ref"], row["dist"]))


def finish(
    rows: Iterator[Placed],
    work: TableRun,
    format: str,
    output: str | None,
    best_first: bool,
    done: str = "",
) -> tuple[int, int]:
    """Write all rows; returns the number of failed rows and of all.

    done  what was done besides scoring, for the caption of a table
    """
    failed = count = 0
    earlier = work.run.earlier

    def counted() -> Iterator[Placed]:
        nonlocal failed, count
        for place, row in rows:
            failed, count = failed + (row["status"] != "ok"), count + 1
            yield place, row

    found: Iterator[Placed] = counted()
    if best_first:
        found = iter(_sorted(list(found), work.texts[0]))
    if format == "table":
        if listed := [row for _, row in found]:
            _show(listed, output, work.texts, done)
        return failed, count
    with _tables.rows_to(output, format, _columns(work)) as add:
        for place, row in found:
            if earlier.in_place:
                earlier.put(place, row)
            else:
                add(row)
        for row in earlier.rest():
            add(row)
    return failed, count


def _columns(work: TableRun) -> list[str]:
    """The columns of a table: ours, those that the pairs carry, those of the earlier table, those of shards."""
    from hdrq.cluster.api import COLUMNS as OF_SHARDS
    from hdrq.scoring.api import COLUMNS, Manifest

    # of the whole list, also where only a share is scored
    pairs = work.matched.pairs
    carried = pairs.carried if isinstance(pairs, Manifest) else [k for p in pairs for k in p.carried]
    last = OF_SHARDS if work.run.shard else ()
    middle = [k for k in (*carried, *work.run.earlier.columns) if k not in last]
    return list(dict.fromkeys((*COLUMNS, *middle, *last)))


def _sorted(rows: list[Placed], first: str) -> list[Placed]:
    """Best images first, by the first metric; failed ones last."""
    order: dict[tuple[str, str], tuple[bool, float]] = {}
    for _, row in rows:
        if row["metric"] == first:
            value = row["value"]
            sign = -1 if row["better"] == "higher" else 1
            order[(row["ref"], row["dist"])] = (value is None, sign * value if value is not None else 0.0)
    return sorted(rows, key=lambda r: order[(r[1]["ref"], r[1]["dist"])])


def _show(rows: list[Row], output: str | None, texts: Sequence[str], done: str) -> None:
    """A row per test image and a column per metric; transposed, or in parts, where that is too wide."""
    by_pair: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        by_pair.setdefault((row["ref"], row["dist"]), {})[row["metric"]] = row
    several_refs = len({ref for ref, _ in by_pair}) > 1
    refs, dists = (_last_parts(paths) for paths in zip(*by_pair, strict=True))
    names = [[*([ref] if several_refs else []), dist] for ref, dist in zip(refs, dists, strict=True)]
    cells = [[_value(found[t]) for t in texts] for found in by_pair.values()]
    if len(by_pair) > 1:
        names.append([*([""] if several_refs else []), "mean"])
        cells.append([_mean(rows, t) for t in texts])
    units = {r["metric"]: (r["unit"], r["better"]) for r in rows}
    heads = [_head(t, *units[t]) for t in texts]
    shown = sorted({r["display"] for r in rows if r["display"]})
    seen = sorted({r["viewing"] for r in rows if r["viewing"]})
    caption = [", ".join(shown), ", ".join(seen), done, f"hdrq {rows[0]['version']}"]
    foot = " · ".join(filter(None, (*caption, "all columns: --format csv")))
    title = f"against {Path(next(iter(by_pair))[0]).name}" if not several_refs and rows[0]["ref"] else ""
    parts = _laid_out(
        ["reference", "test"][not several_refs :], names, heads, cells, _tables.width_of(output)
    )
    with _tables.table_printer(output) as show:
        for number, (columns, lines) in enumerate(parts):
            last = number == len(parts) - 1
            right = [c for c in columns if c not in ("reference", "test", "metric")]
            show(columns, lines, title if number == 0 else "", right, foot if last else "")


def _last_parts(paths: Sequence[str]) -> list[str]:
    """The last parts of each path: as many as tell all different paths apart."""
    parts = [Path(path).parts for path in paths]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        shown = ["/".join(p[-depth:]) for p in parts]
        if len({*shown}) == len({*parts}):
            return shown
    return list(paths)


def _laid_out(
    keys: list[str], names: list[list[str]], heads: list[str], cells: list[list[tuple[str, str]]], width: int
) -> list[tuple[list[str], list[list[Any]]]]:
    """(columns, lines) of one table, or of several where even the transposed table is too wide."""

    def lines(first: Sequence[list[Any]], values: Sequence[Sequence[tuple[str, str]]]) -> list[list[Any]]:
        return [[*a, *map(_tables.styled, b)] for a, b in zip(first, values, strict=True)]

    edge = sum(_width(key, [n[i] for n in names]) for i, key in enumerate(keys)) + 1
    sides = [_width(head, [row[i][0] for row in cells]) for i, head in enumerate(heads)]
    if edge + sum(sides) <= width:
        return [([*keys, *heads], lines(names, cells))]
    flat = [head.replace("\n", ", ") for head in heads]
    labels = [" > ".join(filter(None, name)) for name in names]
    turned = [list(column) for column in zip(*cells, strict=True)]
    across = [_width(label, [row[i][0] for row in turned]) for i, label in enumerate(labels)]
    if _width("metric", flat) + 1 + sum(across) <= width:
        return [(["metric", *labels], lines([[f] for f in flat], turned))]
    parts: list[tuple[list[str], list[list[Any]]]] = []
    start = 0
    while start < len(heads):
        end = start + 1
        while end < len(heads) and edge + sum(sides[start : end + 1]) <= width:
            end += 1
        parts.append(([*keys, *heads[start:end]], lines(names, [row[start:end] for row in cells])))
        start = end
    return parts


def _width(head: str, cells: Sequence[str]) -> int:
    """Width of a column with its frame, characters."""
    return max(len(line) for text in (head, *cells) for line in text.split("\n")) + 3


def _value(row: Row) -> tuple[str, str]:
    return (_tables.number(row["value"]), "") if row["status"] == "ok" else ("failed", "red")


def _head(text: str, unit: str, better: str) -> str:
    arrow = "↑" if better == "higher" else "↓"
    return f"{text} {arrow}" + (f"\n{unit}" if unit not in ("", "1") else "")


def _mean(rows: list[Row], text: str) -> tuple[str, str]:
    values = [r["value"] for r in rows if r["metric"] == text and r["status"] == "ok"]
    return (_tables.number(sum(values) / len(values)) if values else "", "bold")


def streams(options: dict[str, Any], format: str) -> bool:
    """Whether pairs come from standard input and rows go to standard output as they are computed."""
    to_stdout = options["output"] in (None, "-") and format in _FORMATS
    whole = options["sort"] or options["shard"] or options["cluster"]
    return options["pairs"] == "-" and to_stdout and not whole


def stream(work: TableRun, format: str) -> tuple[int, int]:
    """Score each pair when its line arrives, write its rows and flush; returns the number of failed rows and of all."""
    from hdrq.io.rows import text_writer
    from hdrq.scoring.api import COLUMNS

    header: list[str] = []
    failed = count = 0
    add, finish = None, lambda: None
    for _, row in reported(work.stream(iter(sys.stdin.readline, ""), header)):
        # the header of the pairs has been read
        if add is None:
            carried = [name for name in header if name not in ("dist", "ref")]
            add, finish = text_writer(sys.stdout, format, list(dict.fromkeys((*COLUMNS, *carried))))
        add(row)
        sys.stdout.flush()
        failed, count = failed + (row["status"] != "ok"), count + 1
    finish()
    return failed, count

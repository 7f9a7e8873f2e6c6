"""The rows of `hdrq score` as a file or a table, and what of them is said on stderr."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hdrq.cli import tables as _tables
from hdrq.cli.app import say
from hdrq.scoring.run import COLUMNS, Row, Run

if TYPE_CHECKING:
    from hdrq.records import Pair

Placed = tuple["int | None", Row]


def reported(rows: Iterator[tuple[int | None, Row, bool]]) -> Iterator[Placed]:
    """The rows; of new ones, what a user must know goes to stderr, once."""
    said: set[str] = set()
    for place, row, new in rows:
        if new:
            _report(row, said)
        yield place, row


_SAID = 1000  # different lines at most
_ASKED_FOR = ("1.0 = ", "brightest value", "response matched")  # the user knows; the row says it all the same


def _report(row: Row, said: set[str]) -> None:
    """What a user must know goes to stderr, once."""
    lines = [f"hdrq: {row['error']}"] if row["error"] else []
    lines += [
        f"hdrq: note: {note}" for note in row["how"].split("; ") if note and not note.startswith(_ASKED_FOR)
    ]
    for line in lines:
        if line not in said and len(said) < _SAID:
            said.add(line)
            say(line)
            if len(said) == _SAID:
                say("hdrq: note: further messages are in the columns 'how' and 'error' only")


def finish(
    rows: Iterator[Placed],
    run: Run,
    pairs: Collection[Pair],
    format: str,
    output: str | None,
    best_first: bool,
) -> tuple[int, int]:
    """Write all rows; returns how many failed, and of how many.

    pairs  of the whole list, whose further columns are carried through
    """
    failed = count = 0

    def counted() -> Iterator[Placed]:
        nonlocal failed, count
        for place, row in rows:
            failed, count = failed + (row["status"] != "ok"), count + 1
            yield place, row

    found: Iterator[Placed] = counted()
    if best_first:
        found = iter(_sorted(list(found), run.texts[0]))
    if format == "table":
        if listed := [row for _, row in found]:
            _show(listed, output, run.texts)
        return failed, count
    with _tables.rows_to(output, format, _columns(run, pairs)) as add:
        for place, row in found:
            if run.kept.in_place:
                run.kept.put(place, row)
            else:
                add(row)
        for row in run.kept.rest():
            add(row)
    return failed, count


def _columns(run: Run, pairs: Collection[Pair]) -> list[str]:
    from hdrq.cluster.shards import COLUMNS as OF_SHARDS
    from hdrq.io.manifest import Manifest

    carried = pairs.carried if isinstance(pairs, Manifest) else [k for p in pairs for k in p.carried]
    middle = [k for k in (*carried, *run.kept.columns) if k not in OF_SHARDS]
    last = [k for k in OF_SHARDS if run.shard or k in run.kept.columns]
    return list(dict.fromkeys((*COLUMNS, *middle, *last)))


def _sorted(rows: list[Placed], first: str) -> list[Placed]:
    """Best pictures first, by the first metric; failed ones last."""
    order: dict[tuple[str, str], tuple[bool, float]] = {}
    for _, row in rows:
        if row["metric"] == first:
            value = row["value"]
            sign = -1 if row["better"] == "higher" else 1
            order[(row["ref"], row["dist"])] = (value is None, sign * value if value is not None else 0.0)
    return sorted(rows, key=lambda r: order[(r[1]["ref"], r[1]["dist"])])


def _show(rows: list[Row], output: str | None, texts: Collection[str]) -> None:
    by_pair: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        by_pair.setdefault((row["ref"], row["dist"]), {})[row["metric"]] = row
    several_refs = len({ref for ref, _ in by_pair}) > 1
    lines = []
    for (ref, dist), found in by_pair.items():
        values = [
            _tables.number(found[t]["value"])
            if found[t]["status"] == "ok"
            else _tables.styled(("failed", "red"))
            for t in texts
        ]
        lines.append([*([Path(ref).name] if several_refs else []), Path(dist).name, *values])
    if len(by_pair) > 1:
        lines.append([*([""] if several_refs else []), "[bold]mean[/]", *(_mean(rows, t) for t in texts)])
    units = {r["metric"]: (r["unit"], r["better"]) for r in rows}
    heads = [_head(t, *units[t]) for t in texts]
    shown = sorted({r["display"] for r in rows if r["display"]})
    seen = sorted({r["viewing"] for r in rows if r["viewing"]})
    caption = " · ".join(filter(None, [", ".join(shown), ", ".join(seen), f"hdrq {rows[0]['version']}"]))
    title = f"against {Path(next(iter(by_pair))[0]).name}" if not several_refs and rows[0]["ref"] else ""
    columns = [*(["reference"] if several_refs else []), "test", *heads]
    _tables.show_table(columns, lines, title, heads, caption, output)


def _head(text: str, unit: str, better: str) -> str:
    arrow = "↑" if better == "higher" else "↓"
    return f"{text} {arrow}" + (f"\n{unit}" if unit not in ("", "1") else "")


def _mean(rows: list[Row], text: str) -> str:
    values = [r["value"] for r in rows if r["metric"] == text and r["status"] == "ok"]
    return f"[bold]{_tables.number(sum(values) / len(values))}[/]" if values else ""

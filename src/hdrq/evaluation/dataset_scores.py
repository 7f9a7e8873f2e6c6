"""Scores of a dataset's pairs: existing scores are reused, missing ones are computed and stored as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hdrq.encoding.photometry import Photometry
from hdrq.errors import UsageError
from hdrq.evaluation.ratings import join
from hdrq.evaluation.tables import read_csv
from hdrq.io.remote import address_of
from hdrq.io.rows import BY_SUFFIX, plain, written
from hdrq.records import Pair, Score, Viewing
from hdrq.scoring.batch import Settings, score, scorers
from hdrq.scoring.journal import Journal
from hdrq.scoring.resume import mark_of
from hdrq.scoring.run import COLUMNS
from hdrq.scoring.work import Item, ScoreJob
from hdrq.work import Spread

Row = dict[str, Any]
Notify = Callable[[str], None]  # receives each line for the user
Watch = Callable[
    [Iterator[Any], int], Iterable[Any]
]  # wraps an iterator of a known number of items, for a progress bar


def silent(note: str) -> None:
    """Ignore the line."""


def unwatched(things: Iterator[Any], total: int) -> Iterable[Any]:
    """Pass the items on without a progress bar."""
    return things


def scored(
    pairs: Sequence[Pair],
    metrics: Sequence[str],
    photometry: Photometry,
    settings: Settings,
    path: Path | None,
    own_ppd: bool,
    notify: Notify = silent,
    watch: Watch = unwatched,
    spread: Spread | None = None,
) -> list[Row]:
    """A row for every pair and metric.

    path     table of `hdrq score` or of an earlier run; read if it exists, complete afterwards
    own_ppd  whether pairs that state a resolution (as those of UPIQ do) are viewed at it
    spread   divides the pairs among other processes
    """
    if path is not None and (url := address_of(path)) is not None:
        raise UsageError(f"{url}: scores that are missing are added to a local table; copy it here first")
    _refuse_two_references(pairs)
    texts = [
        str(s) for s in scorers(metrics, photometry, replace(settings, device="cpu") if spread else settings)
    ]
    lights = {ppd: _seen_at(photometry, ppd) for ppd in dict.fromkeys(_ppd(p, own_ppd) for p in pairs)}
    marks = {ppd: mark_of(light, settings) for ppd, light in lights.items()}
    of_pair = {str(p.dist): marks[_ppd(p, own_ppd)] for p in pairs}
    journal = Journal(path.with_name(path.name + ".part")) if path else None
    kept, foreign = _kept(path, list(journal.rows()) if journal else [], pairs, of_pair, notify)
    said: set[str] = set()
    total = sum((str(p.dist), t) not in kept for p in pairs for t in texts)
    found: dict[tuple[str, str], Row] = dict(kept)

    def there(pair: Pair, text: str) -> bool:
        return (str(pair.dist), text) in kept

    def compute() -> Iterator[Row]:
        for ppd, light in lights.items():

            def made(row: Score, mark: str = marks[ppd]) -> Row:
                return {k: v for k, v in (asdict(row) | {"settings": mark}).items() if k in COLUMNS}

            def done(_: Item, rows: list[tuple[Score, str]], made: Callable[[Score], Row] = made) -> None:
                for row, _files in rows:
                    if journal and row.status == "ok":
                        journal.add(plain(made(row)))

            group = [p for p in pairs if _ppd(p, own_ppd) == ppd]
            if spread is None:
                yield from map(made, score(group, metrics, photometry=light, settings=settings, skip=there))
                continue
            wanted = [Item(p, tuple(t for t in texts if not there(p, t))) for p in group]
            todo = [item for item in wanted if item.metrics]
            for rows in spread(ScoreJob(tuple(texts), light, settings), todo, total=len(todo), done=done):
                yield from (made(row) for row, _ in rows)

    for row in watch(compute(), total):
        found[(row["dist"], row["metric"])] = row
        if journal and spread is None and row["status"] == "ok":
            journal.add(plain(row))
        for note in filter(None, (row["error"], *row["how"].split("; "))):
            if note not in said:
                said.add(note)
                notify(note)
    rows = [found[(str(p.dist), t)] for p in pairs for t in texts if (str(p.dist), t) in found]
    if path and total:
        others = [row for key, row in kept.items() if key[1] not in texts]
        with written(path, BY_SUFFIX.get(path.suffix.lower(), "csv"), COLUMNS) as add:
            for row in (*rows, *others, *foreign):
                add(row)
    if journal:
        journal.discard()
    return rows


def _ppd(pair: Pair, own: bool) -> str:
    return pair.carried.get("ppd", "") if own else ""


def _seen_at(photometry: Photometry, ppd: str) -> Photometry:
    return replace(photometry, viewing=Viewing(float(ppd))) if ppd else photometry


def _kept(
    path: Path | None, journal: Sequence[Row], pairs: Sequence[Pair], marks: dict[str, str], notify: Notify
) -> tuple[dict[tuple[str, str], Row], list[Row]]:
    """(rows of the pairs by (test image, metric), rows of other images), of the table and of an interrupted run.

    Rows of the pairs count where their settings are the same; those of other images, such as another subset or dataset
    that shares the table, stay as they are.
    """
    rows: list[Row] = []
    if path and path.exists():
        rows = [dict(row) for row in read_csv(path)]
        if rows and not {"dist", "metric", "value"} <= set(rows[0]):
            raise UsageError(
                f"{path} is not a table of hdrq score; evaluate its columns without --dataset, or name another file"
            )
    rows += journal
    named = join(pairs, dict.fromkeys(str(row["dist"]) for row in rows))
    kept, other = {}, 0
    foreign: dict[tuple[str, str], Row] = {}
    for row in rows:
        dist = named.get(str(row["dist"]))
        if dist is None:
            foreign[(str(row["dist"]), row["metric"])] = row
            continue
        if row.get("status", "ok") != "ok":
            continue
        if row.get("settings") not in (None, "", marks[dist]):
            other += 1
            continue
        kept[(dist, row["metric"])] = row | {"dist": dist, "value": float(row["value"])}
    if other:
        notify(f"{other} rows of {path} have other settings or another version and are computed again")
    return kept, list(foreign.values())


def _refuse_two_references(pairs: Sequence[Pair]) -> None:
    """Scores belong to test images, so that one image has one reference."""
    refs: dict[str, str] = {}
    for pair in pairs:
        before, ref = refs.setdefault(str(pair.dist), str(pair.ref or "")), str(pair.ref or "")
        if before != ref:
            raise UsageError(
                f"{pair.dist} is listed with two references, {before} and {ref}; evaluate one list for each"
            )

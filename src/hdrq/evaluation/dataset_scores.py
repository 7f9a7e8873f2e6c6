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
from hdrq.io.remote import address_of, exists
from hdrq.io.rows import BY_SUFFIX, plain, written
from hdrq.records import Pair, Score, Viewing
from hdrq.scoring.batch import Settings, requested, scorers
from hdrq.scoring.resume import Journal, mark_of, unchanged
from hdrq.scoring.run import COLUMNS
from hdrq.scoring.work import Item, ScoreJob, score_items
from hdrq.work import Spread

Row = dict[str, Any]
# a score, and the stamps of its files
Scored = tuple[Score, str]
# receives each line for the user
Notify = Callable[[str], None]
# wraps an iterator of a known number of items, for a progress bar
Watch = Callable[[Iterator[Any], int], Iterable[Any]]


def silent(note: str) -> None:
    """Ignore the line."""


def without_progress(things: Iterator[Any], total: int) -> Iterable[Any]:
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
    watch: Watch = without_progress,
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
    texts = [str(s) for s in requested(metrics, photometry, settings, spread is not None)]
    lights = {ppd: _seen_at(photometry, ppd) for ppd in dict.fromkeys(_ppd(p, own_ppd) for p in pairs)}
    marks = {ppd: mark_of(light, settings) for ppd, light in lights.items()}
    of_pair = {str(p.dist): marks[_ppd(p, own_ppd)] for p in pairs}
    journal = Journal(path.with_name(path.name + ".part")) if path else None
    earlier = _earlier(path, list(journal.rows()) if journal else [], pairs)
    reused = _usable([e for e in earlier if e[0][1] in texts], pairs, of_pair, f"{path}", notify)
    shown: set[str] = set()
    total = sum((str(p.dist), t) not in reused for p in pairs for t in texts)
    found: dict[tuple[str, str], Row] = dict(reused)

    def compute() -> Iterator[Row]:
        for ppd, light in lights.items():

            def made(row: Score, files: str, mark: str = marks[ppd]) -> Row:
                every = asdict(row) | {"settings": mark, "files": files if row.status == "ok" else ""}
                return {k: v for k, v in every.items() if k in COLUMNS}

            def done(_: Item, rows: list[Scored], made: Callable[[Score, str], Row] = made) -> None:
                for row, files in rows:
                    if journal and row.status == "ok":
                        journal.add(plain(made(row, files)))

            group = [p for p in pairs if _ppd(p, own_ppd) == ppd]
            wanted = [Item(p, tuple(t for t in texts if (str(p.dist), t) not in reused)) for p in group]
            todo = [item for item in wanted if item.metrics]
            if not todo:
                continue
            if spread is None:
                bound = scorers(metrics, light, settings)
                for one in score_items(todo, bound, light, settings, stamped=path is not None):
                    yield made(*one)
                continue
            job = ScoreJob(tuple(texts), light, settings, path is not None)
            for rows in spread(job, todo, total=len(todo), done=done):
                yield from (made(*one) for one in rows)

    for row in watch(compute(), total):
        found[(row["dist"], row["metric"])] = row
        if journal and spread is None and row["status"] == "ok":
            journal.add(plain(row))
        for note in filter(None, (row["error"], *row["how"].split("; "))):
            if note not in shown:
                shown.add(note)
                notify(note)
    rows = [found[(str(p.dist), t)] for p in pairs for t in texts if (str(p.dist), t) in found]
    if path and total:
        now = {(str(p.dist), t) for p in pairs for t in texts}
        others = [row for key, row in earlier if key not in now]
        columns = list(dict.fromkeys((*COLUMNS, *(name for row in others for name in row))))
        with written(path, BY_SUFFIX.get(path.suffix.lower(), "csv"), columns) as add:
            for row in (*rows, *others):
                add(row)
    if journal:
        journal.discard()
    return rows


def _ppd(pair: Pair, own: bool) -> str:
    return pair.carried.get("ppd", "") if own else ""


def _seen_at(photometry: Photometry, ppd: str) -> Photometry:
    return replace(photometry, viewing=Viewing(float(ppd))) if ppd else photometry


_Earlier = list[tuple[tuple[str, str], Row]]


def _earlier(path: Path | None, journal: Sequence[Row], pairs: Sequence[Pair]) -> _Earlier:
    """((test image, metric), row) of the table and of an interrupted run; images of the pairs by the pair's path."""
    rows: list[Row] = []
    if path and path.exists():
        rows = [dict(row) for row in read_csv(path)]
        if rows and not {"dist", "metric", "value"} <= set(rows[0]):
            raise UsageError(
                f"{path} is not a table of hdrq score; evaluate its columns without --dataset, or name another file"
            )
    named = join(pairs, dict.fromkeys(str(row["dist"]) for row in (*rows, *journal)))
    keyed = [
        [((named.get(d := str(r["dist"]), d), r["metric"]), r) for r in part] for part in (rows, journal)
    ]
    newer = dict(keyed[1])
    return [(key, row) for key, row in keyed[0] if key not in newer] + list(newer.items())


def _usable(
    earlier: _Earlier, pairs: Sequence[Pair], marks: dict[str, str], name: str, notify: Notify
) -> dict[tuple[str, str], Row]:
    """Rows of the pairs with the same settings and the same files, by (test image, metric).

    A table that states neither, which another program has made, is taken as it is.
    """
    of_pair = {str(p.dist): p for p in pairs}
    reused: dict[tuple[str, str], Row] = {}
    other = changed = 0
    for key, row in earlier:
        pair = of_pair.get(key[0])
        if pair is None or row.get("status", "ok") != "ok":
            continue
        if (mark := row.get("settings")) and mark != marks[key[0]]:
            other += 1
        elif mark and _changed(row, pair):
            changed += 1
        else:
            reused[key] = row | {"dist": key[0], "value": float(row["value"])}
    if other:
        notify(f"{other} rows of {name} have other settings or another version and are computed again")
    if changed:
        notify(f"{changed} rows of {name} are of images that have changed since and are computed again")
    return reused


def _changed(row: Row, pair: Pair) -> bool:
    """Whether the files of a row are there, and not those that it was computed from."""
    paths = [str(p) for p in ((pair.ref if row.get("ref") else None), pair.dist) if p]
    if not all(exists(p) for p in paths):
        return False
    return not unchanged(row.get("files") or "", *(["", *paths][-2:]))


def _refuse_two_references(pairs: Sequence[Pair]) -> None:
    """Scores belong to test images, so that one image has one reference."""
    refs: dict[str, str] = {}
    for pair in pairs:
        before, ref = refs.setdefault(str(pair.dist), str(pair.ref or "")), str(pair.ref or "")
        if before != ref:
            raise UsageError(
                f"{pair.dist} is listed with two references, {before} and {ref}; evaluate one list for each"
            )

"""Teacher scores of a set: computed once, in batches, and stored so that an interruption loses at most one batch."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import hdrq
from hdrq.distillation.rendering import render
from hdrq.distillation.rows import Row
from hdrq.distillation.sources import Source, Sources
from hdrq.encoding.photometry import Photometry
from hdrq.errors import FileError, UsageError
from hdrq.image.caching import sharing
from hdrq.image.devices import device_of
from hdrq.io.remote import address_of, version_of
from hdrq.scoring.binding import metric
from hdrq.scoring.scorer import Scorer
from hdrq.work import Needs, Spread, here

# rows whose stored scores are read together
_AT_ONCE = 2000
_TABLES = """
CREATE TABLE IF NOT EXISTS scores (key TEXT PRIMARY KEY, value REAL);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stamp TEXT, height INTEGER, width INTEGER, light INTEGER, sha256 TEXT);
"""


@dataclass(frozen=True)
class Scored:
    """`done` of `total` rows have a score of the teacher; scoring the last `new` rows took `seconds`."""

    teacher: str
    done: int
    total: int
    new: int
    seconds: float


class Cache:
    """Scores in one SQLite file, keyed by everything they depend on; each batch is one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=60, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise FileError(
                f"{path} is not a cache of scores ({error}); remove it, or name another with --cache"
            ) from error

    def known(self, keys: Sequence[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for at in range(0, len(keys), 500):
            some = list(keys[at : at + 500])
            marks = ",".join("?" * len(some))
            rows = self._db.execute(f"SELECT key, value FROM scores WHERE key IN ({marks})", some)
            found |= {k: float("nan") if v is None else v for k, v in rows}
        return found

    def keep(self, values: Mapping[str, float]) -> None:
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?)", list(values.items()))

    def file(self, path: Path, reads: str = "") -> Source | None:
        """The stored properties of a file that has not changed since, for the way it is read."""
        row = self._db.execute(
            "SELECT height, width, light, sha256 FROM files WHERE path = ? AND stamp = ?",
            (_named(path, reads), _stamp(path)),
        ).fetchone()
        return None if row is None else Source(path, "", (row[0], row[1]), bool(row[2]), row[3])

    def keep_file(self, source: Source, reads: str = "") -> None:
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                (
                    _named(source.path, reads),
                    _stamp(source.path),
                    *source.size,
                    int(source.light),
                    source.sha256,
                ),
            )

    def close(self) -> None:
        self._db.close()


def _named(path: Path, reads: str) -> str:
    """The key of a file; bytes of its name that are no UTF-8 are escaped, which SQLite could not store."""
    text = str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"{text}|{reads}" if reads else text


def _stamp(path: Path) -> str:
    if address_of(path) is not None:
        return version_of(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    return f"{stat.st_size} {stat.st_mtime_ns}"


def key(row: Row, scorer: Scorer, sha256: str) -> str:
    """Everything that a score depends on, as a key."""
    parts = [
        sha256,
        *row.view,
        row.distortion,
        row.level,
        row.seed,
        str(scorer),
        getattr(scorer.net, "label", ""),
        scorer.photometry.viewing.ppd,
        hdrq.__version__,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def score_rows(
    rows: Sequence[Row],
    scorer: Scorer,
    files: Mapping[str, str],
    cache: Cache,
    sources: Sources,
    batch: int = 8,
    spread: Spread | None = None,
) -> Iterator[Scored]:
    """Compute a teacher's missing scores, one record per batch.

    The boundaries of batches do not depend on what is stored, so that a set scored in several calls gets the same scores
    as one scored at once.

    files   sha256 of every source
    spread  divides the batches among other processes, which read the sources themselves
    """
    # (first row, number of rows without a score) of the batches that are computed
    missing: list[tuple[int, int]] = []
    done = len(rows)
    for at, found in _known(rows, scorer, files, cache, batch):
        for first in range(0, len(found), batch):
            if new := found[first : first + batch].count(None):
                missing.append((at + first, new))
                done -= new
    yield Scored(str(scorer), done, len(rows), 0, 0.0)

    def keep(part: tuple[Row, ...], values: list[float]) -> None:
        cache.keep({key(r, scorer, files[r.source]): v for r, v in zip(part, values, strict=True)})

    divide: Spread = spread or here
    job = TeacherJob(str(scorer), scorer.photometry, None if spread else Bound(scorer, sources))
    parts = (tuple(rows[at : at + batch]) for at, _ in missing)
    began = time.perf_counter()
    for (_, new), _ in zip(missing, divide(job, parts, total=len(missing), done=keep), strict=True):
        done, ended = done + new, time.perf_counter()
        yield Scored(str(scorer), done, len(rows), new, ended - began)
        began = time.perf_counter()


@dataclass(frozen=True)
class Bound:
    """A teacher and decoded sources of this process."""

    scorer: Scorer
    sources: Sources


@dataclass(frozen=True)
class TeacherJob:
    """Scores of batches of rows, as `hdrq.work.Job`.

    bound  of this process; None: each process binds the teacher and decodes the sources itself
    """

    teacher: str
    photometry: Photometry
    bound: Bound | None = None

    def begin(self) -> Callable[[Sequence[tuple[Row, ...]]], Iterator[list[float]]]:
        """Bind the teacher, which loads its weights."""
        if self.bound is not None:
            scorer, sources = self.bound.scorer, self.bound.sources
        else:
            device = device_of("auto")
            scorer, sources = metric(self.teacher, photometry=self.photometry, device=device), Sources()

        def work(batches: Sequence[tuple[Row, ...]]) -> Iterator[list[float]]:
            for part in batches:
                alike = len({r.size for r in part}) == 1
                found: list[float] = []
                # whole images differ in size
                for some in [part] if alike else [(r,) for r in part]:
                    ref, dist = (torch.cat(pictures) for pictures in zip(*(render(r, sources) for r in some)))
                    with torch.inference_mode(), sharing():
                        values = scorer(ref, dist) if scorer.full_reference else scorer(dist)
                    found += [float(v) for v in values.double().cpu()]
                yield found

        return work

    def lost(self, item: tuple[Row, ...], reason: str) -> list[float]:
        """No scores."""
        raise FileError(f"rows {item[0].number} to {item[-1].number} of the set cannot be scored: {reason}")

    def needs(self, item: tuple[Row, ...]) -> Needs:
        """The sources of a batch."""
        return Needs(tuple(dict.fromkeys(r.source for r in item)))


def stored_scores(rows: Sequence[Row], scorer: Scorer, files: Mapping[str, str], cache: Cache) -> np.ndarray:
    """Scores of the rows in order, (n,); NaN where the teacher gave none."""
    scores = np.empty(len(rows))
    for at, found in _known(rows, scorer, files, cache):
        if None in found:
            raise UsageError(f"{scorer} has not scored the whole set yet; continue with --resume")
        scores[at : at + len(found)] = found
    return scores


def _known(
    rows: Sequence[Row], scorer: Scorer, files: Mapping[str, str], cache: Cache, batch: int = 1
) -> Iterator[tuple[int, list[float | None]]]:
    """(first row, its score and those of the next ones) for all rows, some batches at a time; None: not scored yet."""
    step = batch * max(_AT_ONCE // batch, 1)
    for at in range(0, len(rows), step):
        keys = [key(r, scorer, files[r.source]) for r in rows[at : at + step]]
        have = cache.known(keys)
        yield at, [have.get(k) for k in keys]


@dataclass(frozen=True)
class Scale:
    """Map from the teacher's score to quality 0..1, 1 for no distortion: (score - worst)/(best - worst), clipped."""

    worst: float
    best: float

    def quality(self, scores: np.ndarray) -> np.ndarray:
        return np.clip((scores - self.worst) / (self.best - self.worst), 0, 1)


def quality_scale(scorer: Scorer, scores: np.ndarray) -> Scale:
    """The scale from the span on the teacher's card (0..10 for JOD); an open end is the 0.5 % quantile of the scores."""
    finite = scores[np.isfinite(scores)]
    if finite.size < 2 or finite.min() == finite.max():
        raise UsageError(
            f"{scorer} gives all images of this set the same score; use stronger distortions or another teacher"
        )
    low, high = scorer.span
    low = 0.0 if low is None and scorer.unit == "JOD" else low
    ends = [float(np.quantile(finite, 0.005)) if low is None else low]
    ends.append(float(np.quantile(finite, 0.995)) if high is None else high)
    return Scale(*(ends if scorer.better == "higher" else ends[::-1]))

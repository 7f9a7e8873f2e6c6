"""Tables of metric values, with or without subjective scores: long (columns metric, value) or wide."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from hdrq.errors import FileError, UsageError
from hdrq.evaluation.loose_archive import spread_of
from hdrq.evaluation.tables import iter_table, number, recognised_columns, refuse_decimal_comma
from hdrq.records import Pair

Row = Mapping[str, str]


@dataclass(frozen=True)
class ScoreTable:
    """A table of metric values: {metric: {test image as named in the table: value}}, and directions.

    Its other columns stay in the file and are read again when needed.
    """

    path: Path
    values: Mapping[str, Mapping[str, float]]
    better: Mapping[str, str]
    # column names by meaning
    columns: Mapping[str, str]
    long: bool
    # column of the split that a row was predicted in, as `hdrq train --protocol` writes
    split: str = ""
    # whether an image is in several splits, so that image and split identify a row
    repeated: bool = False

    def pairs(self) -> list[Pair]:
        """Images with subjective scores, where the table has them."""
        if "mos" not in self.columns:
            raise UsageError(
                f"{self.path} has no known column of subjective scores; name it with --column mos=NAME, "
                "or name the dataset of the images with --dataset"
            )
        columns = self.columns
        dist, mos = columns["dist"], columns["mos"]
        ref, scene, distortion = (columns.get(m, "") for m in ("ref", "scene", "distortion"))
        level, spread = columns.get("level", ""), "spread" in columns or {"low", "high"} <= set(columns)
        # one for all
        shared = {"spread_is": "se"} if "spread" not in columns and "low" in columns else {}
        found: dict[str, Pair] = {}
        for i, row in enumerate(iter_table(self.path), 2):
            name = _key(row, dist, self.split if self.repeated else "")
            carried = {**shared, "split": row[self.split].strip()} if self.split else shared
            source = row[ref].strip() if ref else ""
            pair = Pair(
                dist=sys.intern(name),
                ref=source or None,
                scene=(row[scene].strip() if scene else "") or Path(source or row[dist].strip()).stem,
                mos=number(row[mos], f"{self.path}: line {i}, {mos}"),
                spread=spread_of(self.path, i, dict(row), dict(columns)) if spread else None,
                distortion=row[distortion].strip() if distortion else "",
                level=_level(row[level]) if level else None,
                carried=carried,
            )
            before = found.setdefault(name, pair)
            for meaning in _OF_IMAGE if before != pair else ():
                old, new = getattr(before, meaning), getattr(pair, meaning)
                _same(old, new, self.path, i, name, columns.get(meaning, meaning))
        return list(found.values())

    @property
    def mos_better(self) -> str:
        """Direction of the subjective scores, where a column mos_better states one."""
        stated = {row.get("mos_better", "").strip() for row in islice(iter_table(self.path), 1000)}
        return next(iter(stated)) if stated in ({"higher"}, {"lower"}) else ""


# fields of a Pair, one value an image
_OF_IMAGE = (
    "mos",
    "ref",
    "scene",
    "distortion",
    "level",
    "spread",
)


def _key(row: Row, dist: str, split: str) -> str:
    """What identifies a row of a metric: the image, or image and split."""
    name = row[dist].strip()
    return f"{name} [{row[split].strip()}]" if split else name


def _level(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def read_scores(
    path: Path,
    wanted: Sequence[str] = (),
    excluded: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> ScoreTable:
    """A table of scores.

    wanted    metric names or patterns (PSNR*); empty for all
    excluded  patterns of metrics to leave out
    columns   {"mos": "distortion"}: column names by meaning, where the names are not known ones
    """
    first = list(islice(iter_table(path), 50))
    if not first:
        raise FileError(f"{path}: a header without rows")
    header = list(first[0])
    named = dict(columns or {})
    for meaning, name in named.items():
        if name not in header:
            raise UsageError(
                f"--column {meaning}={name}: {path} has no such column; it has {', '.join(header)[:200]}"
            )
    rest = [name for name in header if name not in named.values()]
    split = "split" if "split" in rest else ""
    rest = [name for name in rest if name not in (split, "mos_better")]
    names = {**recognised_columns([n for n in rest if n not in ("metric", "value")], first), **named}
    if "dist" not in names:
        raise UsageError(f"{path} has no known column of test image names; name it with --column dist=NAME")
    long = {"metric", "value"} <= set(header)
    values: dict[str, dict[str, float]] = {}
    better: dict[str, str] = {}
    metrics = [name for name in rest if name not in names.values()]
    repeated = bool(split) and _repeated(path, names["dist"], split)
    for i, row in enumerate(iter_table(path), 2):
        # one text for all metrics
        image = sys.intern(_key(row, names["dist"], split if repeated else ""))
        if not long:
            for name in metrics:
                _add(values.setdefault(name, {}), image, _value(row[name], path, i, name), path, i, name)
        elif row.get("status", "ok") in ("ok", ""):
            name = row["metric"].strip()
            _add(values.setdefault(name, {}), image, _value(row["value"], path, i, name), path, i, name)
            better[name] = row.get("better", "").strip()
    if not long:
        values = {name: held for name, held in values.items() if any(map(isfinite, held.values()))}
    picked = _picked(list(values), wanted, excluded, path)
    return ScoreTable(path, {m: values[m] for m in picked}, better, names, long, split, repeated)


def _repeated(path: Path, dist: str, split: str) -> bool:
    """Whether some image is in more than one split."""
    place: dict[str, str] = {}
    return any(place.setdefault(row[dist].strip(), row[split]) != row[split] for row in iter_table(path))


def _picked(there: list[str], wanted: Sequence[str], excluded: Sequence[str], path: Path) -> list[str]:
    picked = (
        [m for w in wanted for m in there if m == w or fnmatch.fnmatchcase(m, w)] if wanted else list(there)
    )
    missing = [w for w in wanted if not any(m == w or fnmatch.fnmatchcase(m, w) for m in there)]
    if missing:
        raise UsageError(f"{path} has no scores of '{missing[0]}'; it has {', '.join(there)[:300]}")
    return [m for m in dict.fromkeys(picked) if not any(fnmatch.fnmatchcase(m, e) for e in excluded)]


def _add(held: dict[str, float], image: str, value: float, path: Path, line: int, metric: str) -> None:
    _same(held.get(image), value, path, line, image, metric)
    held[image] = value


def _same(before: Any, value: Any, path: Path, line: int, image: str, column: str) -> None:
    """Refuse a second row of one image with a different value."""
    # two NaN are the same
    if before is None or before == value or (before != before and value != value):
        return
    both = [f"{v:g}" if isinstance(v, float) else str(v or "nothing") for v in (value, before)]
    raise FileError(
        f"{path}: line {line} gives {image} another {column} ({both[0]}) than an earlier row ({both[1]}); remove one, "
        "or name the column that identifies the test images with --column dist=NAME"
    )


def _value(text: str, path: Path, line: int, column: str) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        refuse_decimal_comma(text or "", f"{path}: line {line}, {column}")
        return float("nan")

"""Shards: every n-th pair of a list scored separately, and the tables of all shards joined to that of the list.

Each row of a shard says which shard it belongs to ("3/16"), which pair it is about ("35/200000", counted from 1), and
which run was divided: a digest of the settings and one of all pairs and metrics.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hdrq.arguments import checked
from hdrq.errors import FileError, UsageError
from hdrq.io.rows import Row, read_rows, typed
from hdrq.records import Pair

COLUMNS = ("shard", "shard_pair", "shard_run")


@dataclass(frozen=True)
class Shard:
    """One of `of` shards, counted from 1; it holds the pairs number, number + of, number + 2 of ..."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Shard(3, 16) of "3/16"."""
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        number, of = (int(n) for n in found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise UsageError(f"--shard is NUMBER/OF counted from 1, such as 3/16, not '{text}'")
        return cls(number, of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def share(self, pairs: Collection[Pair]) -> Share:
        """The pairs of this shard.

        raises  UsageError where they carry a column that says which shard a row is of
        """
        first = next(iter(pairs), None)
        if first is not None and (taken := [c for c in COLUMNS if c in first.carried]):
            raise UsageError(f"the manifest has a column '{taken[0]}', which --shard writes; rename it")
        return Share(pairs, self)

    def marks(self, position: int, total: int, run: str) -> dict[str, str]:
        """The columns of a row of the pair at `position` in this shard, counted from 0; `total` pairs in all shards."""
        values = (str(self), f"{self.number + position * self.of}/{total}", run)
        return dict(zip(COLUMNS, values, strict=True))


class Share(Collection[Pair]):
    """The pairs of one shard; no list is made."""

    def __init__(self, pairs: Collection[Pair], shard: Shard) -> None:
        self.pairs, self.shard = pairs, shard

    def __len__(self) -> int:
        return max(0, len(self.pairs) - self.shard.number + self.shard.of) // self.shard.of

    def __iter__(self) -> Iterator[Pair]:
        return islice(self.pairs, self.shard.number - 1, None, self.shard.of)

    def __contains__(self, pair: object) -> bool:
        return any(p == pair for p in self)


def run_of(pairs: Iterable[Pair], metrics: Sequence[str], settings: str) -> str:
    """What the shards of one run have in common: "SETTINGS-DIGEST"."""
    digest = hashlib.sha256(repr(tuple(metrics)).encode())
    for pair in pairs:
        digest.update(repr((str(pair.ref or ""), str(pair.dist), sorted(pair.carried.items()))).encode())
    return f"{settings}-{digest.hexdigest()[:8]}"


@dataclass(frozen=True)
class Part:
    """Properties of the table of one shard."""

    path: Path
    shard: Shard
    total: int
    run: str
    version: str
    metrics: tuple[str, ...]
    columns: tuple[str, ...]


@checked
def join_tables(paths: Sequence[str | Path]) -> tuple[list[str], Iterator[Row]]:
    """(columns, rows) of the table that the shards were made of, in its order.

    raises  UsageError naming a shard that is missing, doubled, unfinished or of another run
    """
    found = [_part(Path(p)) for p in paths]
    parts = _agreeing([p for p in found if p is not None])
    if not parts:
        raise UsageError("none of the tables has a row; join takes the tables of hdrq score --shard")
    by_number: dict[int, Part] = {}
    for part in parts:
        other = by_number.setdefault(part.shard.number, part)
        if other is not part:
            raise UsageError(
                f"{other.path} and {part.path} are both shard {part.shard}; leave one of them out"
            )
    first = parts[0]
    expected = range(1, min(first.shard.of, first.total) + 1)
    if missing := [f"{n}/{first.shard.of}" for n in expected if n not in by_number]:
        listed = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        raise UsageError(
            f"missing shard{'s' * (len(missing) > 1)} {listed}; score them with --shard and join again"
        )
    columns = [c for c in first.columns if c not in COLUMNS]
    return columns, _merged([by_number[n] for n in expected], first.total, len(first.metrics))


def _merged(parts: list[Part], total: int, metrics: int) -> Iterator[Row]:
    """The rows of each pair from the shard that has it."""
    open_parts = [read_rows(p.path) for p in parts]
    for pair in range(total):
        for row in islice(open_parts[pair % len(parts)], metrics):
            yield typed({k: v for k, v in row.items() if k not in COLUMNS})


def _part(path: Path) -> Part | None:
    """Read a table once and check that it is one whole shard; None for a table without rows."""
    rows = read_rows(path)
    first = next(rows, None)
    if first is None:
        return None
    if not {*COLUMNS, "metric", "version"} <= set(first):
        raise UsageError(
            f"{path} is not the table of a shard; join takes what hdrq score --shard has written"
        )
    shard, (_, total) = Shard.parse(first["shard"]), _numbers(first["shard_pair"], path)
    metrics: list[str] = []
    count = 0
    for row in (r for group in ([first], rows) for r in group):
        about = (row["shard"], row["shard_run"], row["version"], _numbers(row["shard_pair"], path)[1])
        if about != (first["shard"], first["shard_run"], first["version"], total):
            raise UsageError(f"{path} mixes rows of several shards or versions; score shard {shard} again")
        number = _numbers(row["shard_pair"], path)[0]
        if number == shard.number:
            metrics.append(row["metric"])
        place, nth = divmod(count, max(1, len(metrics)))
        if number != shard.number and (
            number != shard.number + place * shard.of or row["metric"] != metrics[nth]
        ):
            raise UsageError(
                f"{path}: rows of pair {shard.number + place * shard.of} of {total} are missing or out of order; "
                f"finish shard {shard} with --resume"
            )
        count += 1
    pairs = max(0, total - shard.number + shard.of) // shard.of
    if count != pairs * len(metrics):
        raise UsageError(
            f"{path} holds {count} of {pairs * len(metrics)} rows of shard {shard}; finish it with --resume"
        )
    return Part(path, shard, total, first["shard_run"], first["version"], tuple(metrics), tuple(first))


def _numbers(text: str, path: Path) -> tuple[int, int]:
    number, _, total = text.partition("/")
    try:
        return int(number), int(total)
    except ValueError:
        raise FileError(f"{path}: '{text}' in the column 'shard_pair' is not NUMBER/TOTAL") from None


def _agreeing(parts: list[Part]) -> list[Part]:
    """The parts, all of one run: of those that differ, the fewer are named as foreign."""
    if not parts:
        return []

    def identity(p: Part) -> tuple[Any, ...]:
        return p.run, p.version, p.shard.of, p.total, p.metrics, p.columns

    usual = Counter(map(identity, parts)).most_common(1)[0][0]
    standard = next(p for p in parts if identity(p) == usual)
    for part in parts:
        if identity(part) != usual:
            raise UsageError(
                f"{part.path} belongs to another run than {standard.path}: {_difference(part, standard)}"
            )
    return parts


def _difference(a: Part, b: Part) -> str:
    if a.version != b.version:
        return f"hdrq {a.version} made it, and hdrq {b.version} the others"
    if a.shard.of != b.shard.of:
        return f"it is shard {a.shard}, and the others are of {b.shard.of}"
    if a.run.partition("-")[0] != b.run.partition("-")[0]:
        return "it was scored with other settings"
    return "it is of another list of pairs or other metrics"

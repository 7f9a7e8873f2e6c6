"""Merging of many brackets, each to a file: a folder of folders, or a table of the frames of every bracket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hdrq.arguments import checked
from hdrq.errors import FileError, HdrqError, UsageError
from hdrq.image.devices import device_of
from hdrq.io.exposures import number_of
from hdrq.io.folders import names_in
from hdrq.io.formats import by_suffix
from hdrq.io.outputs import dotted
from hdrq.io.remote import folders_of, join, make_folder, parent
from hdrq.io.remote_cache import local
from hdrq.io.rows import read_rows
from hdrq.merging.merge import merge
from hdrq.merging.output import write_merged
from hdrq.merging.settings import Settings
from hdrq.work import Needs, Results, Spread, here

TABLES = (".csv", ".parquet")
_COLUMNS = ("bracket", "file", "seconds", "ev")


@dataclass(frozen=True)
class Bracket:
    """Frames of one scene, and their exposures from a table."""

    name: str
    frames: tuple[str, ...]
    seconds: tuple[float, ...] | None = None
    ev: tuple[float, ...] | None = None


@dataclass(frozen=True)
class MergedBracket:
    """One bracket, merged and written or failed."""

    name: str
    target: Path
    notes: tuple[str, ...] = ()
    error: str = ""


def is_of_brackets(path: Path) -> bool:
    """Whether a path is a table, or a folder of folders with images."""
    if path.is_dir():
        return any(_frames(folder) for folder in _folders(path))
    return path.suffix.lower() in TABLES


def brackets_of(path: Path) -> list[Bracket]:
    """The brackets of a folder of folders, by name, or of a table with the columns bracket, file [seconds or ev].

    Files in a table are relative to it; its brackets are in the order of their first rows.
    """
    if path.is_dir():
        return [Bracket(f.name, found) for f in _folders(path) if (found := _frames(f))]
    rows: dict[str, list[dict[str, str]]] = {}
    for number, row in enumerate(read_rows(local(path)), start=2):
        lacking = [c for c in ("bracket", "file") if not row.get(c, "").strip()]
        if lacking:
            raise FileError(
                f"{path}, line {number}: '{lacking[0]}' is empty or missing; every row needs bracket and file"
            )
        if unknown := [c for c in row if c not in _COLUMNS]:
            raise FileError(f"{path} has the column '{unknown[0]}'; the columns are {', '.join(_COLUMNS)}")
        rows.setdefault(row["bracket"].strip(), []).append(row)
    if not rows:
        raise FileError(f"{path} has no rows below its header")
    return [
        Bracket(
            name,
            tuple(str(join(parent(path), r["file"].strip())) for r in own),
            _numbers(own, "seconds", path),
            _numbers(own, "ev", path),
        )
        for name, own in rows.items()
    ]


def _folders(path: Path) -> list[Path]:
    return [p for n in names_in(path) if not n.startswith(".") and (p := path / n).is_dir()]


def _frames(folder: Path) -> tuple[str, ...]:
    """The images of a folder, including raw files."""
    files = [folder / name for name in names_in(folder) if not name.startswith(".")]
    known = [(p, by_suffix(p)) for p in files if p.is_file()]
    found = [(p, format.name == "raw") for p, format in known if format is not None and format.name != "clip"]
    if len({raw for _, raw in found}) > 1:
        raise UsageError(
            f"{folder} contains raw files and other images; list the frames of every bracket in a table"
        )
    return tuple(str(p) for p, _ in found)


def _numbers(rows: Sequence[dict[str, str]], column: str, path: Path) -> tuple[float, ...] | None:
    texts = [row.get(column, "").strip() for row in rows]
    if not any(texts):
        return None
    if not all(texts):
        raise FileError(
            f"{path}: bracket {rows[0]['bracket']} has '{column}' for some frames only; give it for all or none"
        )
    return tuple(map(number_of, texts))


@checked
def merge_brackets(
    brackets: str | Path | Sequence[Bracket],
    folder: str | Path,
    settings: Settings | None = None,
    *,
    suffix: str = ".exr",
    depth: str | None = None,
    spread: Spread | None = None,
) -> Results[MergedBracket]:
    """Merge many brackets and write each to FOLDER/BRACKET.SUFFIX; a record of each, merged or failed, in order.

    brackets  a folder of folders, or a table with the columns bracket, file and perhaps seconds or ev
    settings  of every merge; settings.device may be "auto"
    depth     number type of the files: half, float ...
    spread    divides the brackets among other processes
    raises    UsageError where two brackets have the same output, or a bracket's name is not a file name
    """
    if isinstance(brackets, str | Path):
        brackets = brackets_of(Path(brackets))
    suffix = dotted(suffix)
    seen: dict[str, str] = {}
    for name in (b.name for b in brackets):
        if Path(name).name != name or name in (".", ".."):
            raise UsageError(f"the bracket name '{name}' is not a file name; use a name without folders")
        other = seen.setdefault(name.casefold(), name)
        if other is not name:
            raise UsageError(f"the brackets {other} and {name} would be written to the same file; rename one")
    settings = settings or Settings()
    if spread is None:
        settings = replace(settings, device=str(device_of(settings.device)))
    job = MergeJob(Path(folder), settings, suffix, depth)
    return Results((spread or here)(job, brackets, total=len(brackets)), len(brackets))


@dataclass(frozen=True)
class MergeJob:
    """Merging of brackets, as `hdrq.work.Job`. A device of "auto" is chosen by each process."""

    folder: Path
    settings: Settings
    suffix: str = ".exr"
    depth: str | None = None

    def begin(self) -> Callable[[Sequence[Bracket]], Iterator[MergedBracket]]:
        """Choose the device."""
        device = self.settings.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        settings = replace(self.settings, device=device)
        return lambda items: (self.written(bracket, settings) for bracket in items)

    def target(self, bracket: Bracket) -> Path:
        """The output file of a bracket."""
        return self.folder / f"{bracket.name}{self.suffix}"

    def lost(self, item: Bracket, reason: str) -> MergedBracket:
        """The record of a bracket that was not merged."""
        return MergedBracket(item.name, self.target(item), error=f"{item.name}: {reason}")

    def needs(self, item: Bracket) -> Needs:
        """The frames, and the output folder."""
        return Needs(item.frames, folders_of(self.target(item)))

    def written(self, bracket: Bracket, settings: Settings) -> MergedBracket:
        """One bracket merged and written."""
        target = self.target(bracket)
        times, ev = bracket.seconds, bracket.ev
        if times is not None or ev is not None:
            settings = replace(settings, times=times, ev=ev)
        try:
            merged = merge(list(bracket.frames), settings, times=settings.times)
            make_folder(target.parent)
            return MergedBracket(
                bracket.name,
                target,
                (*merged.report.notes, *write_merged(merged, target, self.depth)),
            )
        except (HdrqError, OSError) as error:
            return MergedBracket(bracket.name, target, error=f"{bracket.name}: {error}")

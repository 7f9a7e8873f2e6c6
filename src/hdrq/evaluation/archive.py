"""Datasets of judged images: the card, where the files lie, and which are missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hdrq.errors import FileError, HdrqError, MissingPart, UsageError
from hdrq.evaluation.protocols import Split
from hdrq.records import Pair

Lister = Callable[["Folder", str | None], Iterator[Pair]]


@dataclass(frozen=True)
class Comparison:
    """Two images of one scene and how often people took the first.

    preferred  share of observers, 0..1, that preferred `a` to `b`
    """

    a: Path
    b: Path
    ref: Path | None
    preferred: float
    scene: str = ""


@dataclass(frozen=True)
class Dataset:
    """An archive as its authors ship it. Listing pairs reads tables and names, never pixels.

    better       direction of the opinions: "higher" or "lower"; "" where nobody was asked
    span         ends of the opinion scale
    spread       what Pair.spread holds: "sd" of single opinions, "se" of their mean, or "" when unknown
    observers    opinions behind one mean, where the authors state it: se = sd / sqrt(observers)
    domain       of the pixels: "srgb" code, absolute "nits", or "linear"
    display      display the images were judged on, as far as the authors say; what scoring assumes
    references   0 where there is none
    distortions  0 where the images are as cameras made them
    marks        files of which one at least tells that a folder is this archive
    folders      names the folder usually has
    layout       what is expected inside, in words a user can compare with a listing
    comparisons  for pairwise archives: lists who was preferred to whom
    folds        (scenes, folds=, seed=) -> splits, where the authors state the folds of their experiments
    """

    name: str
    lists: Lister
    title: str
    home: str
    licence: str
    source: str
    scale: str
    better: Literal["higher", "lower", ""]
    span: tuple[float, float] | None
    domain: str
    display: str
    references: int
    distortions: int
    images: int
    marks: tuple[str, ...]
    folders: tuple[str, ...]
    layout: tuple[str, ...]
    subsets: tuple[str, ...] = ()
    spread: Literal["sd", "se", ""] = ""
    observers: float | None = None
    comparisons: Callable[[Folder, str | None], Iterator[Comparison]] | None = None
    folds: Callable[..., list[Split]] | None = None

    @property
    def of_user(self) -> bool:
        """Whether it is a table of the user's own, called after its file."""
        return not self.folders

    def pairs(self, root: str | Path, subset: str | None = None) -> Iterator[Pair]:
        """Every row of work under `root`, in the archive's order; a missing file is a FileError naming it."""
        return self.lists(Folder(root, self.name), self._known(subset))

    def compared(self, root: str | Path, subset: str | None = None) -> Iterator[Comparison]:
        """Pairwise preferences under `root`."""
        if self.comparisons is None:
            raise UsageError(f"{self.name} has no pairwise preferences; its images carry {self.scale}")
        return self.comparisons(Folder(root, self.name), self._known(subset))

    def _known(self, subset: str | None) -> str | None:
        if subset is None or subset in self.subsets:
            return subset
        known = ", ".join(self.subsets) if self.subsets else "none"
        raise UsageError(f"{self.name} has no subset '{subset}'; its subsets: {known}")


def dataset(**card: Any) -> Callable[[Lister], Dataset]:
    """Turn a function that lists pairs into a Dataset known by the function's name, with - for _."""

    def wrap(lists: Lister) -> Dataset:
        return Dataset(name=lists.__name__.replace("_", "-"), lists=lists, **card)

    return wrap


class Folder:
    """A folder that is asked for files by name, whatever their letter case, and says which one is not there.

    Each subfolder is listed once: asking for 700,000 files costs one listing, not 700,000 stats.
    """

    def __init__(self, root: str | Path, owner: str) -> None:
        self.root = Path(root)
        self.owner = owner

    @cached_property
    def _listings(self) -> dict[str, dict[str, str]]:
        return {}

    def _listing(self, folder: str) -> dict[str, str]:
        """Names in `folder` (relative, exact case) by their casefolded form."""
        if folder not in self._listings:
            try:
                found = os.listdir(self.root / folder)
            except OSError:
                found = []
            self._listings[folder] = {name.casefold(): name for name in sorted(found)}
        return self._listings[folder]

    def find(self, *names: str) -> Path | None:
        """The first of `names` (paths relative to the root) that exists, in its true letter case."""
        for name in names:
            at = ""
            for part in Path(name).parts:
                true = self._listing(at).get(part.casefold())
                if true is None:
                    break
                at = f"{at}/{true}" if at else true
            else:
                return self.root / at
        return None

    def need(self, *names: str) -> Path:
        """As `find`, or a FileError that names the first of them."""
        found = self.find(*names)
        if found is None:
            others = f" (or {', '.join(names[1:])})" if names[1:] else ""
            raise FileError(
                f"{self.owner}: {names[0]}{others} is missing from {self.root}; see hdrq list datasets"
            )
        return found

    def listed(self, folder: str, *suffixes: str) -> list[Path]:
        """Files of a subfolder with one of these suffixes (lower case), sorted by name."""
        names = self._listing(folder).values()
        return [self.root / folder / name for name in names if Path(name).suffix.lower() in suffixes]


def _roots(data: str | Path | None) -> list[Path]:
    """Where to look: --data alone when given, else $HDRQ_DATA and the current folder."""
    if data is not None:
        return [Path(data)]
    known = os.environ.get("HDRQ_DATA", "")
    return [*(Path(part) for part in known.split(os.pathsep) if part), Path.cwd()]


def locate(dataset: Dataset, data: str | Path | None = None) -> Path:
    """The archive's folder under --data, $HDRQ_DATA or the current folder; MissingPart when there is none.

    A folder counts when it holds one of the archive's marks; a folder that only has the right name counts
    next, so that what is missing from it can be named.
    """
    named: Path | None = None
    if data is None and not dataset.folders:  # a manifest of one's own has to be pointed at
        raise MissingPart(f"{dataset.name} needs --data: {describe(dataset)}")
    for root in _roots(data):
        if root.is_file() and root.suffix.lower() in dataset.marks:
            return root
        children = [root / name for name in dataset.folders]
        for folder in (root, *children, *(c / name for c in children for name in dataset.folders)):
            if folder.is_dir() and any(Folder(folder, dataset.name).find(mark) for mark in dataset.marks):
                return folder
        called = {name.casefold() for name in dataset.folders}
        if root.name.casefold() in called and root.is_dir():
            named = named or root
        named = named or next((c for c in children if c.is_dir()), None)
    if named is not None:
        return named
    raise MissingPart(f"{dataset.name} is not under {', '.join(map(str, _roots(data)))}: {describe(dataset)}")


def describe(dataset: Dataset) -> str:
    """One line: what it is, its licence, its home and the layout expected."""
    return (
        f"{dataset.title}; licence: {dataset.licence}; {dataset.home}; "
        f"expected: {', '.join(dataset.layout)}; say where with --data or $HDRQ_DATA"
    )


def state(dataset: Dataset, data: str | Path | None = None) -> tuple[str, str]:
    """("complete", folder), ("incomplete", first thing wrong) or ("absent", "")."""
    try:
        root = locate(dataset, data)
    except MissingPart:
        return "absent", ""
    try:
        for _ in dataset.pairs(root):
            pass
    except HdrqError as wrong:
        return "incomplete", str(wrong)
    return "complete", str(root)

"""Datasets with subjective scores: their cards, where their files are, and which are missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hdrq.errors import FileError, HdrqError, MissingPart, UsageError
from hdrq.evaluation.protocols import Split
from hdrq.io.folders import names_in
from hdrq.records import Pair

Lister = Callable[["Folder", str | None], Iterator[Pair]]


@dataclass(frozen=True)
class Comparison:
    """Two images of one scene and how often observers preferred the first.

    preferred  share of observers, 0..1, that preferred `a` to `b`
    """

    a: Path
    b: Path
    ref: Path | None
    preferred: float
    scene: str = ""


@dataclass(frozen=True)
class Dataset:
    """A dataset in the layout of its authors. Listing pairs reads tables and file names, never pixels.

    better       direction of the subjective scores: "higher" or "lower"; "" where there are none
    span         ends of the scale of the subjective scores
    spread       meaning of Pair.spread: "sd" of single ratings, "se" of their mean, or "" when unknown
    observers    ratings per mean score, where the authors state it: se = sd / sqrt(observers)
    domain       of the pixels: "srgb" code, absolute "nits", or "linear"
    display      display of the experiment, as far as the authors describe it; scoring assumes it
    references   number of reference images, 0 for none
    distortions  number of distortion types, 0 where distortions are authentic
    marks        files of which at least one identifies a folder as this dataset
    folders      usual names of the folder
    layout       expected contents, in words that a user can compare with a listing
    comparisons  for datasets of pairwise comparisons: lists the preferences
    folds        (scenes, folds=, seed=) -> splits, where the authors state the folds of their experiments
    split_by     entry of Pair.carried that random splits are drawn over, where it is not the scene
    test_share   share of the scenes (or of what split_by names) that random splits test on
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
    split_by: str = ""
    test_share: float = 0.2

    @property
    def of_user(self) -> bool:
        """Whether it is a table of the user, named after its file."""
        return not self.folders

    def pairs(self, root: str | Path, subset: str | None = None) -> Iterator[Pair]:
        """Every image with its data under `root`, in the order of the dataset. FileError names a missing file."""
        return self.lists(Folder(root, self.name), self._known(subset))

    def compared(self, root: str | Path, subset: str | None = None) -> Iterator[Comparison]:
        """Pairwise preferences under `root`."""
        if self.comparisons is None:
            raise UsageError(
                f"{self.name} has no pairwise preferences; its subjective scores are {self.scale}"
            )
        return self.comparisons(Folder(root, self.name), self._known(subset))

    def _known(self, subset: str | None) -> str | None:
        if subset is None or subset in self.subsets:
            return subset
        known = ", ".join(self.subsets) if self.subsets else "none"
        raise UsageError(f"{self.name} has no subset '{subset}'; its subsets: {known}")


def dataset(**card: Any) -> Callable[[Lister], Dataset]:
    """Turn a function that lists pairs into a Dataset with the name of the function, "-" for "_"."""

    def wrap(lists: Lister) -> Dataset:
        return Dataset(name=lists.__name__.replace("_", "-"), lists=lists, **card)

    return wrap


def direction_of(dataset: Dataset, pairs: Iterable[Pair], otherwise: str = "") -> str:
    """ "higher" or "lower": which subjective scores are better, by the dataset, else by its pairs, else as given."""
    stated = {p.carried.get("mos_better", "") for p in pairs if p.mos is not None}
    return dataset.better or (stated.pop() if len(stated) == 1 else "") or otherwise


class Folder:
    """A folder whose files are looked up by name without regard to letter case.

    Each subfolder is listed once: 700,000 look-ups cost one listing, not 700,000 calls of stat.
    """

    def __init__(self, root: str | Path, owner: str) -> None:
        self.root = Path(root)
        self.owner = owner

    @cached_property
    def _listings(self) -> dict[str, dict[str, str]]:
        return {}

    def _listing(self, folder: str) -> dict[str, str]:
        """Names in `folder` (relative, exact case) by their casefolded form; none where it does not exist."""
        if folder not in self._listings:
            found = names_in(self.root / folder)
            self._listings[folder] = {name.casefold(): name for name in found}
        return self._listings[folder]

    def find(self, *names: str) -> Path | None:
        """The first of `names` (paths relative to the root) that exists, in its actual letter case."""
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
        """As `find`, but raises FileError naming the first of them where none exists."""
        found = self.find(*names)
        if found is None:
            others = f" (or {', '.join(names[1:])})" if names[1:] else ""
            raise FileError(
                f"{self.owner}: {names[0]}{others} is missing from {self.root}; see hdrq list datasets"
            )
        return found

    def folders(self, folder: str) -> list[str]:
        """Names of what a subfolder holds besides files, sorted."""
        names = self._listing(folder).values()
        return sorted(name for name in names if (self.root / folder / name).is_dir())

    def listed(self, folder: str, *suffixes: str) -> list[Path]:
        """Files of a subfolder with one of these suffixes (lower case), sorted by name."""
        names = self._listing(folder).values()
        return [self.root / folder / name for name in names if Path(name).suffix.lower() in suffixes]


def _roots(data: str | Path | None) -> list[Path]:
    """Folders to search: --data alone when given, else $HDRQ_DATA and the current folder."""
    if data is not None:
        return [Path(data)]
    known = os.environ.get("HDRQ_DATA", "")
    return [*(Path(part) for part in known.split(os.pathsep) if part), Path.cwd()]


def locate(dataset: Dataset, data: str | Path | None = None) -> Path:
    """The dataset's folder under --data, $HDRQ_DATA or the current folder; MissingPart when there is none.

    Folders that contain one of the dataset's marks come first, then folders with only the right name, so that an
    error can name the missing files.
    """
    named: Path | None = None
    # a manifest of the user needs a path
    if data is None and not dataset.folders:
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
    """One line: title, licence, home page and the expected layout."""
    return (
        f"{dataset.title}; licence: {dataset.licence}; {dataset.home}; "
        f"expected: {', '.join(dataset.layout)}; give its folder with --data or $HDRQ_DATA"
    )


def state(dataset: Dataset, data: str | Path | None = None) -> tuple[str, str]:
    """("complete", folder), ("incomplete", the first missing file or error) or ("absent", "")."""
    try:
        root = locate(dataset, data)
    except MissingPart:
        return "absent", ""
    except FileError as unlisted:
        return "incomplete", str(unlisted)
    try:
        for _ in dataset.pairs(root):
            pass
    except HdrqError as wrong:
        return "incomplete", str(wrong)
    return "complete", str(root)

"""The card of a dataset and the function that lists its pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hdrq.archives.finding import Folder
from hdrq.errors import UsageError
from hdrq.types import Pair

Lister = Callable[[Folder, str | None], Iterator[Pair]]


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

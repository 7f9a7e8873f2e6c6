"""Where an archive lies on this machine, and which of its files is missing."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hdrq.errors import FileError, HdrqError, MissingPart

if TYPE_CHECKING:
    from hdrq.archives.record import Dataset


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

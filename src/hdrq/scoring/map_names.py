"""Names of error maps: of several test images with one name each has maps of its own."""

from __future__ import annotations

import re
from pathlib import Path

Owners = dict[Path, tuple[str, str]]  # the pair (reference, test image) of every name given so far


def stem_of(folder: Path, ref: str, dist: str, metric: str, taken: Owners) -> Path:
    """FOLDER/TEST.METRIC, with folders and the reference before it where another pair of this run has that name."""
    *names, longer = _names(folder, ref, dist, metric)
    for path in (*names, longer):
        if taken.setdefault(path, (ref, dist)) == (ref, dist):
            return path
    return longer.with_name(f"{len(taken)}-{longer.name}")


def reserved(folder: Path, ref: str, dist: str, metrics: tuple[str, ...], taken: Owners) -> Owners:
    """Give names to the maps of a pair; the owners of all names that it might have had.

    Every process derives the same names from them, regardless of the other pairs that it processes.
    """
    found: Owners = {}
    for metric in metrics:
        stem_of(folder, ref, dist, metric, taken)
        found |= {path: taken[path] for path in _names(folder, ref, dist, metric) if path in taken}
    return found


def _names(folder: Path, ref: str, dist: str, metric: str) -> list[Path]:
    """Names that a map may have, shortest first."""
    path, label = Path(dist), re.sub(r"[^A-Za-z0-9+.=_-]+", "_", metric)
    longer = "-".join(part for part in (*path.parent.parts, path.name) if part not in ("/", "..", "."))
    names = (path.stem, f"{path.parent.name}-{path.stem}", longer, f"{longer}-{Path(ref).stem}")
    return [folder / f"{re.sub(r'[:*?<>|]', '_', name)}.{label}" for name in names]

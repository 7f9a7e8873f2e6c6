"""Datasets without a fixed layout: images anywhere below a folder and one table of subjective scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hdrq.errors import FileError
from hdrq.evaluation.archive import Folder
from hdrq.evaluation.tables import (
    cells,
    number,
    read_csv,
    read_mat,
    read_words,
    read_xlsx,
    recognised_columns,
)
from hdrq.io.folders import files_below
from hdrq.records import Pair

IMAGES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".hdr", ".pfm", ".webp", ".avif")
# image, reference or "", subjective score, spread or None
Label = tuple[str, str, float, float | None]


def loose(
    folder: Folder,
    tables: tuple[str, ...],
    *,
    reference: Callable[[str], str] | None = None,
    scene: Callable[[str], str] = lambda stem: stem,
    distortion: Callable[[str], str] = lambda stem: "",
) -> Iterator[Pair]:
    """Pairs of the first of `tables` that exists, with images found by name below the folder.

    reference   the name of the reference, without suffix, from the stem of a test image, where no column gives it
    scene       the scene from a stem;  distortion  the distortion from a stem
    """
    path = folder.need(*tables)
    below = _index(folder.root)

    def at(name: str) -> Path:
        found = below.get(name.casefold()) or below.get(Path(name).name.casefold())
        if found is None:
            raise FileError(
                f"{folder.owner}: {name} is missing below {folder.root}, but {path.name} lists it"
            )
        return found

    for name, ref_name, mos, spread in labels(path):
        dist = at(name)
        wanted = ref_name or (reference(dist.stem) if reference else "")
        ref = at(wanted) if wanted else None
        yield Pair(
            dist=dist,
            ref=ref,
            scene=ref.stem if ref else scene(dist.stem),
            mos=mos,
            spread=spread,
            distortion=distortion(dist.stem),
        )


def _index(root: Path) -> dict[str, Path]:
    """Images below `root` by relative path, name and stem, casefolded; the first of equal names is used."""
    found: dict[str, Path] = {}
    for path in (p for p in files_below(root) if p.suffix.lower() in IMAGES):
        for key in (path.relative_to(root).as_posix(), path.name, path.stem):
            found.setdefault(key.casefold(), path)
    return found


def labels(path: Path) -> Iterator[Label]:
    """Rows of a table of subjective scores: .csv, .xlsx, .mat, or .txt (name score [deviation], or score name)."""
    if path.suffix.lower() == ".mat":
        yield from _mat(path)
    elif path.suffix.lower() == ".txt" and not _has_header(path):
        for i, words in read_words(path, 2):
            first = _numeric(words[0])
            name, value = (words[1], words[0]) if first else (words[0], words[1])
            spread = number(words[2], f"{path}: line {i}") if len(words) > 2 else None
            yield name, "", number(value, f"{path}: line {i}"), spread
    else:
        rows = read_xlsx(path) if path.suffix.lower() == ".xlsx" else read_csv(path)
        yield from _columns(path, rows)


def _columns(path: Path, rows: list[dict[str, str]]) -> Iterator[Label]:
    names = recognised_columns(list(rows[0]) if rows else [], rows)
    for meaning in ("dist", "mos"):
        if meaning not in names:
            raise FileError(f"{path}: no known column for '{meaning}'; rename the column to {meaning}")
    for i, row in enumerate(rows, 2):
        value = number(row[names["mos"]], f"{path}: line {i}, {names['mos']}")
        yield (
            row[names["dist"]].strip(),
            row.get(names.get("ref", ""), "").strip(),
            value,
            spread_of(path, i, row, names),
        )


def spread_of(path: Path, line: int, row: dict[str, str], names: dict[str, str]) -> float | None:
    """A deviation from a column of deviations, of variances (`var`), or of the two ends of a 95 % interval."""
    if "spread" in names and row[names["spread"]].strip():
        value = number(row[names["spread"]], f"{path}: line {line}, {names['spread']}")
        return math.sqrt(max(value, 0.0)) if names["spread"].casefold() == "var" else value
    if "low" in names and "high" in names and row[names["low"]].strip():
        low, high = (number(row[names[end]], f"{path}: line {line}, {names[end]}") for end in ("low", "high"))
        return (high - low) / (2 * 1.959963984540054)
    return None


def _mat(path: Path) -> Iterator[Label]:
    """The only cell array of image names and the only vector of subjective scores (*mos*) of the same length."""
    import numpy as np

    content = _variables(path)
    texts = {name: cells(a) for name, a in content.items() if a.dtype == object and a.size}
    texts = {name: t for name, t in texts.items() if all(Path(s).suffix.lower() in IMAGES for s in t)}
    vectors = {
        n: a.ravel() for n, a in content.items() if np.issubdtype(a.dtype, np.number) and min(a.shape) == 1
    }
    if len(texts) != 1:
        raise FileError(f"{path}: {len(texts)} cell arrays of image names where one is expected")
    names = next(iter(texts.values()))
    held = {n: v for n, v in vectors.items() if len(v) == len(names)}
    columns = [n for n in held if "mos" in n.lower() and "std" not in n.lower()] or [
        n for n in held if "std" not in n
    ]
    if len(columns) != 1:
        raise FileError(
            f"{path}: the vector of subjective scores is ambiguous among {', '.join(held) or 'none'}; name it mos"
        )
    deviations = next((v for n, v in held.items() if "std" in n.lower()), None)
    for i, name in enumerate(names):
        spread = None if deviations is None else float(deviations[i])
        yield name, "", number(held[columns[0]][i], f"{path}: row {i + 1}"), spread


def _variables(path: Path) -> dict[str, Any]:
    from scipy.io import whosmat

    try:
        names = [name for name, _, _ in whosmat(path)]
    except Exception as wrong:
        raise FileError(f"{path}: not a MATLAB file of version 5 to 7.2 ({str(wrong)[:80]})") from None
    return dict(zip(names, read_mat(path, *names), strict=True))


def _has_header(path: Path) -> bool:
    """Whether a text table begins with a header."""
    _, words = next(read_words(path, 1), (0, ["0"]))
    return len(words) > 1 and not any(_numeric(word) for word in words)


def _numeric(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True

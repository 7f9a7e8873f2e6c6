"""Camera response files: hdrq's JSON, tables of numbers, and Radiance's .rsp polynomials."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hdrq.errors import FileError
from hdrq.io.atomic import atomic
from hdrq.merging.response.curve import Response


def write_response(path: str | Path, response: Response) -> None:
    """JSON: {"hdrq response": 1, "how", "levels", "exposure": [[...] per channel], facts}; written atomically."""
    text = json.dumps(
        {
            "hdrq response": 1,
            "how": response.how,
            "levels": response.levels,
            **response.facts,
            "exposure": [[float(f"{v:.9g}") for v in c] for c in response.curve.T],
        },
        indent=1,
    )
    with atomic(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read_response(path: str | Path) -> Response:
    """A response from .json, .rsp, .npz, .npy, .csv or .txt; columns are channels, rows are codes, values exposures."""
    file = Path(path)
    try:
        match file.suffix.lower():
            case ".json":
                data = json.loads(file.read_text(encoding="utf-8"))
                curve = np.array(data["exposure"], float).T
            case ".rsp":
                curve = _polynomials(file.read_text())
            case ".npz" | ".npy":
                loaded = np.load(file, allow_pickle=False)
                curve = np.asarray(
                    loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]], float
                )
            case _:
                curve = np.array(
                    [
                        [float(v) for v in line.replace(",", " ").split()]
                        for line in file.read_text().splitlines()
                        if _is_row(line)
                    ]
                )
    except FileNotFoundError:
        raise FileError(f"{path} does not exist; check the name") from None
    except (OSError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is not a camera response: {str(error).splitlines()[0]}") from error
    return Response(_checked(curve, path), f"from {file.name}")


def _is_row(line: str) -> bool:
    try:
        return bool([float(v) for v in line.replace(",", " ").split()])
    except ValueError:
        return False


def _checked(curve: np.ndarray, path: str | Path) -> np.ndarray:
    """(levels, C) or FileError."""
    curve = curve.reshape(curve.shape[0], -1) if curve.ndim != 2 else curve
    curve = curve.T if curve.shape[0] in (1, 3) and curve.shape[1] > 3 else curve
    if curve.shape[1] not in (1, 3) or len(curve) < 2 or not np.isfinite(curve).all():
        raise FileError(f"{path} is not a camera response: it needs 1 or 3 columns of finite numbers")
    if (curve < 0).any() or not (curve[-1] > 0).all():
        raise FileError(
            f"{path} is not a camera response: exposures must be positive at white and nowhere negative"
        )
    return curve


def _polynomials(text: str, levels: int = 256) -> np.ndarray:
    """Radiance's format: per channel the degree, then coefficients from the highest power down."""
    x = np.linspace(0, 1, levels)
    rows = [[float(v) for v in line.split()] for line in text.splitlines() if line.strip()]
    return np.stack([np.maximum(np.polyval(row[1 : int(row[0]) + 2], x), 0) for row in rows], 1)

"""Which exposure and which colour every pixel of a mosaic has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hdrq.errors import UsageError

# "rows": pairs of rows, as cameras that amplify rows differently; "columns" likewise; "checker": cells of 2 x 2 pixels.
LAYOUTS = {"rows": "0/0/1/1", "columns": "0011", "checker": "0011/0011/1100/1100"}
# 2 x 2 pixels below one colour filter, by the number of exposures.
_QUADS = {2: "01/10", 3: "01/12", 4: "01/23"}
QUAD = "quad"
COLOURS = {"rggb": (0, 1, 1, 2), "bggr": (2, 1, 1, 0), "grbg": (1, 0, 2, 1), "gbrg": (1, 2, 0, 1)}
Pattern = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Layout:
    """tile    (h, w) number of the exposure of each pixel, repeated over the sensor from its top left corner
    binned  whether the 2 x 2 pixels below one colour filter become one value
    """

    tile: np.ndarray
    binned: bool

    def exposures(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W) number of the exposure of every pixel."""
        h, w = self.tile.shape
        down, right = -(-size[0] // h), -(-size[1] // w)
        result: np.ndarray = np.tile(self.tile, (down, right))[: size[0], : size[1]]
        return result


def layout_of(text: str, count: int) -> Layout:
    """A layout by its name, or by a tile of numbers from 0 whose rows are separated by /, for a number of exposures."""
    binned = text == QUAD
    tile = _QUADS.get(count, "") if binned else LAYOUTS.get(text, text)
    if binned and not tile:
        raise UsageError(f"--layout quad has 2, 3 or 4 exposures, not {count}")
    rows = tile.split("/")
    if not text or not all(row.isdecimal() for row in rows) or len({len(row) for row in rows}) > 1:
        raise UsageError(
            f"--layout is {', '.join((*LAYOUTS, QUAD))}, or a tile of numbers such as 0011/0011/1100/1100, not '{text}'"
        )
    numbers = np.array([[int(c) for c in row] for row in rows])
    used = set(numbers.ravel().tolist())
    if used != set(range(count)) or count < 2:
        raise UsageError(
            f"--layout {text} has the exposures {', '.join(map(str, sorted(used)))}, but {count} are stated; "
            "state one for each number, from 0, with --ev, --times or --gains"
        )
    return Layout(numbers, binned)


def pattern_of(filters: str) -> Pattern | None:
    """Channels of the four top left pixels; None for a monochrome sensor."""
    if filters == "none":
        return None
    a, b, c, d = COLOURS[filters]
    return ((a, b), (c, d))


def colours(pattern: Pattern | None, size: tuple[int, int]) -> np.ndarray:
    """(H, W) channel of every pixel, 0 everywhere for a monochrome sensor."""
    tile = np.zeros((1, 1), int) if pattern is None else np.array(pattern)
    down, right = -(-size[0] // tile.shape[0]), -(-size[1] // tile.shape[1])
    result: np.ndarray = np.tile(tile, (down, right))[: size[0], : size[1]]
    return result


def refuse_one_exposure(layout: Layout, pattern: Pattern | None, text: str) -> None:
    """Raise UsageError where the pixels of one colour all have the same exposure, so that nothing is gained there."""
    if layout.binned:
        return
    size = (2 * layout.tile.shape[0], 2 * layout.tile.shape[1])
    exposure, colour = layout.exposures(size), colours(pattern, size)
    for channel in np.unique(colour):
        if len(np.unique(exposure[colour == channel])) < 2:
            name = ("red", "green", "blue")[int(channel)]
            raise UsageError(
                f"with --layout {text} every {name} pixel has the same exposure; use another layout, or other --filters"
            )

"""The header of a part of an OpenEXR file.

Source: "OpenEXR File Layout", openexr.com.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, floor, log2
from typing import Any

UINT, HALF, FLOAT = range(3)
PIXEL_BYTES = (4, 2, 4)
# name, scan lines per chunk, largest compression ratio of a chunk (a generous bound, for chunks of 64 K and more),
# pixel types for which the compression is lossy
COMPRESSIONS: tuple[tuple[str, int, int, tuple[int, ...]], ...] = (
    ("none", 1, 1, ()),
    ("rle", 1, 64, ()),
    ("zips", 1, 1040, ()),
    ("zip", 16, 1040, ()),
    ("piz", 32, 420, ()),
    ("pxr24", 16, 1400, (FLOAT,)),
    ("b44", 32, 3, (HALF,)),
    ("b44a", 32, 11, (HALF,)),
    ("dwaa", 32, 1 << 16, (HALF, FLOAT)),
    ("dwab", 256, 1 << 16, (HALF, FLOAT)),
    ("htj2k256", 256, 1 << 18, ()),
    ("htj2k32", 32, 1 << 18, ()),
    ("lj2k", 256, 1 << 18, (HALF, FLOAT)),
    ("zstd", 1, 1 << 16, ()),
)
# larger coordinates overflow in the library
FAR = 1 << 30
# pixels of a tile, or of a display window with very little data
LARGE = 1 << 26


@dataclass(frozen=True)
class Channel:
    """A channel of a part: name, kind of sample, and one sample for every x columns and y rows."""

    name: str
    kind: int
    x: int
    y: int


@dataclass
class Part:
    """One image of a file. Windows are (left, top, right, bottom), both ends inclusive."""

    number: int
    attributes: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the part; "" where the file has one part without a name."""
        return str(self.attributes.get("name", ""))

    @property
    def view(self) -> str:
        """The view of the part, such as left; "" where none is stated."""
        return str(self.attributes.get("view", ""))

    @property
    def channels(self) -> list[Channel]:
        """The channels, sorted by name as the file stores them."""
        result: list[Channel] = self.attributes["channels"]
        return result

    @property
    def compression(self) -> tuple[str, int, int, tuple[int, ...]]:
        """Name and properties of the compression; see COMPRESSIONS."""
        return COMPRESSIONS[self.attributes["compression"]]

    @property
    def data(self) -> tuple[int, int, int, int]:
        """The data window: x and y of the first pixel, x and y of the last."""
        result: tuple[int, int, int, int] = self.attributes["dataWindow"]
        return result

    @property
    def display(self) -> tuple[int, int, int, int]:
        """The display window: x and y of the first pixel, x and y of the last."""
        result: tuple[int, int, int, int] = self.attributes["displayWindow"]
        return result

    @property
    def deep(self) -> bool:
        """Whether a pixel may hold several samples."""
        return str(self.attributes.get("type", "")).startswith("deep")

    @property
    def tiled(self) -> bool:
        """Whether the pixels are stored in tiles, not in lines."""
        return "tile" in str(self.attributes.get("type", ""))

    @property
    def bytes(self) -> int:
        """Size of all pixels, uncompressed (for a deep part: of one sample each)."""
        left, top, right, bottom = self.data
        sizes = (
            PIXEL_BYTES[c.kind] * ((right - left) // c.x + 1) * ((bottom - top) // c.y + 1)
            for c in self.channels
        )
        return sum(sizes)

    def chunks(self) -> int:
        """Number of chunks of pixel data."""
        left, top, right, bottom = self.data
        width, height = right - left + 1, bottom - top + 1
        if not self.tiled:
            return ceil(height / self.compression[1])
        tile_w, tile_h, mode = (int(v) for v in self.attributes["tiles"])
        halve = floor if mode >> 4 == 0 else ceil

        def levels(n: int) -> list[int]:
            count = (floor if halve is floor else ceil)(log2(n)) + 1
            return [max(1, halve(n / 2**k)) for k in range(count)]

        if mode & 15 == 0:
            return int(ceil(width / tile_w) * ceil(height / tile_h))
        if mode & 15 == 1:
            count = len(levels(max(width, height)))
            sizes = [(max(1, halve(width / 2**k)), max(1, halve(height / 2**k))) for k in range(count)]
            return sum(ceil(w / tile_w) * ceil(h / tile_h) for w, h in sizes)
        return sum(ceil(w / tile_w) for w in levels(width)) * sum(ceil(h / tile_h) for h in levels(height))

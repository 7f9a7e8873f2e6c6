"""Boxes of the ISO base media file format, and the items of its `meta` box. Source: ISO/IEC 14496-12 and 23008-12."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hdrq.errors import FileError

Property = tuple[bytes, bytes]


@dataclass
class Items:
    """Contents of the `meta` box: items by number, their properties and references.

    primary_at, primary_size   position and size of the primary item's number in the file, so that it can be changed
    kind_at   position of the type of each item
    groups    (kind of an entity group, position of the type of the box that lists the groups)
    """

    primary: int = 0
    primary_at: int = 0
    primary_size: int = 2
    kinds: dict[int, bytes] = field(default_factory=dict)
    kind_at: dict[int, int] = field(default_factory=dict)
    properties: list[Property] = field(default_factory=list)
    owners: dict[int, list[int]] = field(default_factory=dict)
    references: list[tuple[bytes, int, list[int]]] = field(default_factory=list)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    groups: list[tuple[bytes, int]] = field(default_factory=list)

    def of(self, item: int) -> list[Property]:
        """Properties of an item, in the order of their association."""
        return [self.properties[i - 1] for i in self.owners.get(item, []) if 0 < i <= len(self.properties)]

    def parts(self, item: int) -> list[int]:
        """Items from which this one is derived (tiles of a grid, base and map of a tone-mapped image)."""
        return [
            to for kind, start, ends in self.references if kind == b"dimg" and start == item for to in ends
        ]


def boxes(path: Path, data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, start of the body, end of the body) of consecutive boxes."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            start += 8
        stop = end if size == 0 else at + size
        if stop > end or stop < start:
            raise FileError(
                f"{path} is truncated: its box {kind.decode('latin-1')!r} ends beyond the end of the file"
            )
        yield kind, start, stop
        at = stop


def items_of(path: Path, data: bytes) -> Items:
    """The items that the `meta` box lists; FileError for boxes that cannot be decoded."""
    items = Items()
    try:
        for kind, start, stop in boxes(path, data, 0, len(data)):
            if kind == b"meta":
                _read_meta(path, data, start + 4, stop, items)
    except (struct.error, IndexError) as error:
        raise FileError(f"{path} is damaged: its boxes cannot be decoded") from error
    return items


def _read_meta(path: Path, data: bytes, at: int, end: int, items: Items) -> None:
    inner = {kind: (start, stop) for kind, start, stop in boxes(path, data, at, end)}
    if b"pitm" in inner:
        start, _ = inner[b"pitm"]
        items.primary_at, items.primary_size = start + 4, 4 if data[start] else 2
        items.primary = int.from_bytes(data[start + 4 : start + 4 + items.primary_size], "big")
    if b"iinf" in inner:
        start, stop = inner[b"iinf"]
        for kind, a, _ in boxes(path, data, start + (8 if data[start] else 6), stop):
            if kind == b"infe" and data[a] >= 2:
                wide = data[a] >= 3
                item = int.from_bytes(data[a + 4 : a + (8 if wide else 6)], "big")
                items.kind_at[item] = a + (10 if wide else 8)
                items.kinds[item] = data[items.kind_at[item] : items.kind_at[item] + 4]
    if b"iref" in inner:
        start, stop = inner[b"iref"]
        form = ">I" if data[start] else ">H"
        width = struct.calcsize(form)
        for kind, a, _ in boxes(path, data, start + 4, stop):
            (first,) = struct.unpack_from(form, data, a)
            (count,) = struct.unpack_from(">H", data, a + width)
            ends = [struct.unpack_from(form, data, a + width + 2 + width * i)[0] for i in range(count)]
            items.references.append((kind, first, ends))
    if b"grpl" in inner:
        start, stop = inner[b"grpl"]
        items.groups = [(kind, start - 4) for kind, _, _ in boxes(path, data, start, stop)]
    if b"iprp" in inner:
        for kind, start, stop in boxes(path, data, *inner[b"iprp"]):
            if kind == b"ipco":
                items.properties = [(k, data[a:b]) for k, a, b in boxes(path, data, start, stop)]
            elif kind == b"ipma":
                _read_associations(data, start, items)
    if b"iloc" in inner:
        home = inner.get(b"idat", (0, 0))[0]
        _read_locations(data, inner[b"iloc"][0], home, items)


def _read_associations(data: bytes, at: int, items: Items) -> None:
    """ipma: the property numbers of each item."""
    wide_item, wide_index = data[at] >= 1, bool(data[at + 3] & 1)
    (count,) = struct.unpack_from(">I", data, at + 4)
    at += 8
    for _ in range(count):
        (item,) = struct.unpack_from(">I" if wide_item else ">H", data, at)
        at += 4 if wide_item else 2
        several = data[at]
        at += 1
        for _ in range(several):
            index = struct.unpack_from(">H", data, at)[0] & 0x7FFF if wide_index else data[at] & 0x7F
            items.owners.setdefault(item, []).append(index)
            at += 2 if wide_index else 1


def _read_locations(data: bytes, at: int, idat: int, items: Items) -> None:
    """iloc: the location of each item's bytes."""
    version = data[at]
    sizes = (data[at + 4] >> 4, data[at + 4] & 15, data[at + 5] >> 4, data[at + 5] & 15 if version else 0)
    offset_size, length_size, base_size, index_size = sizes
    at += 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at], "big")

    for _ in range(number(2 if version < 2 else 4)):
        item = number(2 if version < 2 else 4)
        method = number(2) & 15 if version else 0
        number(2)
        start = number(base_size) + (idat if method == 1 else 0)
        for _ in range(number(2)):
            number(index_size)
            offset = number(offset_size)
            items.extents.setdefault(item, []).append((start + offset, number(length_size)))


def payload(data: bytes, items: Items, item: int) -> bytes:
    """The bytes of an item."""
    return b"".join(data[at : at + size] for at, size in items.extents.get(item, []))


def track_properties(path: Path, data: bytes) -> list[Property]:
    """colr, av1C and the size of the first video track, as properties."""
    found: list[Property] = []

    def walk(at: int, end: int) -> None:
        for kind, start, stop in boxes(path, data, at, end):
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                walk(start, stop)
            elif kind == b"stsd":
                walk(start + 8, stop)
            elif kind == b"av01":
                width, height = struct.unpack_from(">HH", data, start + 24)
                found.append((b"ispe", struct.pack(">III", 0, width, height)))
                walk(start + 78, stop)
            elif kind in (b"colr", b"av1C"):
                found.append((kind, data[start:stop]))

    walk(0, len(data))
    return found

"""EXIF that affects pixels: the orientation, and two numbers of Apple's gain maps. Source: CIPA DC-008."""

from __future__ import annotations

import struct
from typing import Any

ORIENTATION, EXIF_DIRECTORY, MAKER_NOTE = 274, 0x8769, 0x927C
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


def orientation(exif: bytes) -> int:
    """Orientation 1 to 8, from the first directory; 1 where there is none."""
    order = _order(exif)
    value = _directory(exif, order, _start(exif, order)).get(ORIENTATION, 1) if order else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def apple_numbers(exif: bytes) -> tuple[float, float] | None:
    """Tags 33 and 48 of Apple's maker note, which give the headroom; None where they are missing."""
    order = _order(exif)
    if not order:
        return None
    inner = _directory(exif, order, _start(exif, order)).get(EXIF_DIRECTORY)
    note = _directory(exif, order, inner).get(MAKER_NOTE) if isinstance(inner, int) else None
    if not isinstance(note, bytes) or not note.startswith(b"Apple iOS\0") or len(note) < 20:
        return None
    tags = _directory(note, ">" if note[12:14] == b"MM" else "<", 14)
    first, second = tags.get(33), tags.get(48)
    if isinstance(first, float) and isinstance(second, float):
        return first, second
    return None


def _order(exif: bytes) -> str:
    return {b"II": "<", b"MM": ">"}.get(exif[:2], "")


def _start(exif: bytes, order: str) -> int:
    return struct.unpack_from(order + "I", exif, 4)[0] if len(exif) >= 8 else len(exif)


def _directory(data: bytes, order: str, start: int) -> dict[int, Any]:
    """Tags with single numbers, or bytes for other types; tags outside the data are skipped."""
    found: dict[int, Any] = {}
    try:
        (count,) = struct.unpack_from(order + "H", data, start)
        for i in range(count):
            at = start + 2 + 12 * i
            name, kind, number = struct.unpack_from(order + "HHI", data, at)
            size = _SIZES.get(kind, 0) * number
            where = at + 8 if size <= 4 else struct.unpack_from(order + "I", data, at + 8)[0]
            if size == 0 or where + size > len(data):
                continue
            if number == 1 and kind in (3, 4, 13):
                found[name] = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, where)[0]
            elif number == 1 and kind in (5, 10):
                above, below = struct.unpack_from(order + ("II" if kind == 5 else "ii"), data, where)
                found[name] = above / below if below else 0.0
            else:
                found[name] = data[where : where + size]
    except struct.error:
        pass
    return found

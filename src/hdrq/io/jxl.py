"""JPEG XL, integers and floats. Its header is read here for size and colour. Source: ISO/IEC 18181-1:2024."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hdrq.errors import FileError
from hdrq.io import cicp
from hdrq.io.arrange import planes
from hdrq.io.gamut import primaries_of
from hdrq.io.memory import afford
from hdrq.records import BT709, Image, Primaries

RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height, by number
WHITE = {1: (0.3127, 0.3290), 10: (1 / 3, 1 / 3), 11: (0.314, 0.351)}


class _Bits:
    """Numbers from a stream of bits, lowest first."""

    def __init__(self, data: bytes) -> None:
        self.number, self.left = int.from_bytes(data, "little"), 8 * len(data)

    def u(self, count: int) -> int:
        if count > self.left:
            raise ValueError("the header does not end")
        value = self.number & ((1 << count) - 1)
        self.number >>= count
        self.left -= count
        return value

    def u32(self, *choices: tuple[int, int]) -> int:
        """One of four (bits, offset)."""
        bits, offset = choices[self.u(2)]
        return self.u(bits) + offset

    def enum(self) -> int:
        return self.u32((0, 0), (0, 1), (4, 2), (6, 18))

    def f16(self) -> float:
        return struct.unpack("<e", struct.pack("<H", self.u(16)))[0]

    def xy(self) -> tuple[float, float]:
        """Signed millionths."""
        raw = [self.u32((19, 0), (19, 524288), (20, 1048576), (21, 2097152)) for _ in range(2)]
        x, y = ((v >> 1) ^ -(v & 1) for v in raw)
        return x / 1e6, y / 1e6


@dataclass
class Header:
    width: int = 0
    height: int = 0
    bits: int | None = 8
    channels: int = 0
    domain: str = "srgb"
    primaries: Primaries = BT709
    intensity: float = 255.0
    notes: list[str] = field(default_factory=list)


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]; where the curve is linear, white is at the intensity target."""
    import imagecodecs

    data = path.read_bytes()
    try:
        head = _header(_codestream(path, data))
    except (ValueError, struct.error, IndexError) as error:
        raise FileError(f"{path} is damaged: its header does not decode") from error
    afford(path, head.width, head.height, 32 * (3 + head.channels))
    rows = imagecodecs.jpegxl_decode(data, numthreads=1)
    if rows.ndim == 4:
        head.notes.append(f"animation: the first of {len(rows)} pictures is read")
        rows = rows[0]
    if rows.dtype.kind == "f":
        most: float = 1
    else:
        most = (
            2 ** (head.bits or 8) - 1
            if int(rows.max(initial=0)) < 2 ** (head.bits or 8)
            else np.iinfo(rows.dtype).max
        )
    white = head.intensity if head.domain == "linear" else None
    pixels = planes(rows, most, head.notes, alpha)
    return Image(pixels, head.domain, head.primaries, head.bits, white, tuple(head.notes), str(path))


def _codestream(path: Path, data: bytes) -> bytes:
    """The first bytes after the signature FF 0A, bare or within boxes."""
    at = 0
    while data[:2] != b"\xff\x0a":
        if at + 8 > len(data):
            raise FileError(f"{path} is truncated: it holds no picture")
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        stop = len(data) if size == 0 else at + size
        if stop > len(data) or stop < start:
            raise FileError(f"{path} is truncated: its box {kind.decode('latin-1')!r} ends beyond it")
        if kind in (b"jxlc", b"jxlp"):
            data = data[start + 4 * (kind == b"jxlp") :][:4096]
            break
        at = stop
    if data[:2] != b"\xff\x0a":
        raise ValueError("no codestream")
    return data[2:4096]


def _size(bits: _Bits) -> tuple[int, int]:
    """(width, height)."""
    wide = ((9, 1), (13, 1), (18, 1), (30, 1))
    small = bits.u(1)
    height = 8 * (bits.u(5) + 1) if small else bits.u32(*wide)
    if ratio := bits.u(3):
        return height * RATIOS[ratio][0] // RATIOS[ratio][1], height
    return (8 * (bits.u(5) + 1) if small else bits.u32(*wide)), height


def _depth(bits: _Bits) -> int | None:
    """Bits of an integer sample; None for floats."""
    if bits.u(1):
        bits.u32((0, 32), (0, 16), (0, 24), (6, 1))
        bits.u(4)
        return None
    return bits.u32((0, 8), (0, 10), (0, 12), (6, 1))


def _header(data: bytes) -> Header:
    """SizeHeader and ImageMetadata, as far as colour."""
    bits, head = _Bits(data), Header()
    head.width, head.height = _size(bits)
    if bits.u(1):  # everything as usual: 8 bits of sRGB
        return head
    extra_fields = bits.u(1)
    if extra_fields:
        turned = bits.u(3) >= 4  # the decoder turns the picture upright
        if turned:
            head.width, head.height = head.height, head.width
        if bits.u(1):
            _size(bits)
        if bits.u(1):
            raise ValueError("a preview")
        if bits.u(1):  # animation: ticks, loops, timecodes
            bits.u32((0, 100), (0, 1000), (10, 1), (30, 1))
            bits.u32((0, 1), (0, 1001), (8, 1), (10, 1))
            bits.u32((0, 0), (3, 0), (16, 0), (32, 0))
            bits.u(1)
    head.bits = _depth(bits)
    bits.u(1)  # buffers of 16 bits suffice
    head.channels = bits.u32((0, 0), (0, 1), (4, 2), (12, 1))
    for _ in range(head.channels):
        _skip_channel(bits)
    bits.u(1)  # XYB inside
    _colour(bits, head)
    if extra_fields and not bits.u(1):
        head.intensity = bits.f16()
    return head


def _skip_channel(bits: _Bits) -> None:
    """ExtraChannelInfo; bit by bit, since it has no length."""
    if bits.u(1):
        return
    kind = bits.enum()
    _depth(bits)
    bits.u32((0, 0), (0, 3), (0, 4), (3, 1))
    for _ in range(bits.u32((0, 0), (4, 0), (5, 16), (10, 48))):
        bits.u(8)
    if kind == 0:
        bits.u(1)
    elif kind == 2:
        bits.u(64)
    elif kind == 5:
        bits.u32((0, 1), (2, 0), (4, 3), (8, 19))


def _colour(bits: _Bits, head: Header) -> None:
    """ColourEncoding into domain and primaries."""
    if bits.u(1):
        return
    profile, space = bits.u(1), bits.enum()
    if profile:
        head.notes.append("colour profile within JPEG XL not read: taken as sRGB")
        return
    white, colours = WHITE[1], None
    if space != 2:
        code = bits.enum()
        white = bits.xy() if code == 2 else WHITE.get(code, WHITE[1])
        if space != 1:
            code = bits.enum()
            if code == 2:
                colours = [v for _ in range(3) for v in bits.xy()]
            else:
                head.primaries = cicp.meaning(code, 2, head.notes)[1]
            if colours is None and white != head.primaries.white:
                colours = [*head.primaries.red, *head.primaries.green, *head.primaries.blue]
            if colours is not None:
                head.primaries = primaries_of([*colours, *white]) or BT709
    if bits.u(1):
        gamma = bits.u(24) / 1e7
        head.domain = "linear" if abs(gamma - 1) < 1e-3 else "srgb"
        if head.domain == "srgb" and not 0.44 < gamma < 0.47:
            head.notes.append(f"gamma {gamma:.5g} taken as sRGB code; the display decides its light")
    else:
        head.domain = cicp.meaning(1, bits.enum(), head.notes)[0]
    bits.enum()  # rendering intent

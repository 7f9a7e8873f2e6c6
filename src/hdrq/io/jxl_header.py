"""Parser of the header of a JPEG XL codestream (size, depth, colour), and the header with changed fields.

Source: ISO/IEC 18181-1:2024, annexes B to D.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from hdrq.errors import FileError
from hdrq.io.color import Meaning, code_points, power, primaries_of
from hdrq.io.isobmff import boxes
from hdrq.io.jxl_bits import Bits
from hdrq.records import BT709, Primaries

# width to height, by number
RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
WHITE = {1: (0.3127, 0.3290), 10: (1 / 3, 1 / 3), 11: (0.314, 0.351)}
# kinds of extra channels
BLACK, ALPHA, SPOT = 4, 0, 2


@dataclass
class Header:
    """The codestream before its frames.

    bits       integer depth, None for floats
    extra      types of the extra channels
    xyb        whether pixels are stored in JPEG XL's own colour space (lossy)
    profile    whether the colours are described by an ICC profile
    intensity  cd/m² of 1.0, for linear light
    spans      (from, to) in bits of the fields depth, colour, tone mapping, extensions; end: of the whole header
    """

    width: int = 0
    height: int = 0
    bits: int | None = 8
    extra: list[int] = field(default_factory=list)
    premultiplied: bool = False
    xyb: bool = True
    profile: bool = False
    grey: bool = False
    meaning: Meaning = field(default_factory=Meaning)
    intensity: float = 255.0
    notes: list[str] = field(default_factory=list)
    extra_fields: bool = False
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    end: int = 0


def codestream(path: Path, data: bytes) -> bytes:
    """The bytes from the signature FF 0A on, from a bare codestream or gathered from boxes."""
    if data[:2] == b"\xff\x0a":
        return data
    pieces = [
        data[start + 4 * (kind == b"jxlp") : stop]
        for kind, start, stop in boxes(path, data, 0, len(data))
        if kind in (b"jxlc", b"jxlp")
    ]
    whole = b"".join(pieces)
    if not whole:
        raise FileError(f"{path} is truncated: it holds no image")
    if whole[:2] != b"\xff\x0a":
        raise ValueError("not a codestream")
    return whole


def parse(stream: bytes) -> Header:
    """SizeHeader and ImageMetadata. Raises ValueError where they cannot be decoded."""
    bits, head = Bits(stream[2:4098]), Header()
    head.width, head.height = _size(bits)
    # all defaults: 8 bits of sRGB, lossy
    if bits.u(1):
        head.end = bits.at
        return head
    head.spans["extra fields"] = (bits.at, bits.at + 1)
    head.extra_fields = bool(bits.u(1))
    if head.extra_fields:
        # the decoder turns the image upright
        if bits.u(3) >= 4:
            head.width, head.height = head.height, head.width
        if bits.u(1):
            _size(bits)
        if bits.u(1):
            raise ValueError("a preview")
        # animation: ticks, loops, timecodes
        if bits.u(1):
            bits.u32((0, 100), (0, 1000), (10, 1), (30, 1))
            bits.u32((0, 1), (0, 1001), (8, 1), (10, 1))
            bits.u32((0, 0), (3, 0), (16, 0), (32, 0))
            bits.u(1)
    start = bits.at
    head.bits = _depth(bits)
    head.spans["depth"] = (start, bits.at)
    # buffers of 16 bits suffice
    bits.u(1)
    head.extra = [_channel(bits, head) for _ in range(bits.u32((0, 0), (0, 1), (4, 2), (12, 1)))]
    head.xyb = bool(bits.u(1))
    start = bits.at
    _colour(bits, head)
    head.spans["colour"] = (start, bits.at)
    if head.extra_fields:
        start = bits.at
        if not bits.u(1):
            head.intensity = bits.f16()
            bits.f16(), bits.u(1), bits.f16()
        head.spans["tone mapping"] = (start, bits.at)
    start = bits.at
    if bits.u64() == 0:
        head.spans["extensions"] = (start, bits.at)
    head.end = bits.at
    return head


def _size(bits: Bits) -> tuple[int, int]:
    """(width, height)."""
    wide = ((9, 1), (13, 1), (18, 1), (30, 1))
    small = bits.u(1)
    height = 8 * (bits.u(5) + 1) if small else bits.u32(*wide)
    if ratio := bits.u(3):
        return height * RATIOS[ratio][0] // RATIOS[ratio][1], height
    return (8 * (bits.u(5) + 1) if small else bits.u32(*wide)), height


def _depth(bits: Bits) -> int | None:
    """Bits of an integer sample; None for floats."""
    if bits.u(1):
        bits.u32((0, 32), (0, 16), (0, 24), (6, 1))
        bits.u(4)
        return None
    return bits.u32((0, 8), (0, 10), (0, 12), (6, 1))


def _channel(bits: Bits, head: Header) -> int:
    """The type of an extra channel; its other fields are parsed to skip them, since their length is not stated."""
    if bits.u(1):
        return ALPHA
    kind = bits.enum()
    _depth(bits)
    bits.u32((0, 0), (0, 3), (0, 4), (3, 1))
    for _ in range(bits.u32((0, 0), (4, 0), (5, 16), (10, 48))):
        bits.u(8)
    if kind == ALPHA:
        head.premultiplied = bool(bits.u(1))
    elif kind == SPOT:
        bits.u(64)
    elif kind == 5:
        bits.u32((0, 1), (2, 0), (4, 3), (8, 19))
    return kind


def _colour(bits: Bits, head: Header) -> None:
    """ColourEncoding as a meaning, or the fact that there is a profile."""
    if bits.u(1):
        return
    head.profile, space = bool(bits.u(1)), bits.enum()
    head.grey = space == 1
    if head.profile:
        return
    primaries: Primaries = BT709
    white, colours = WHITE[1], None
    if space != 2:
        code = bits.enum()
        white = bits.xy() if code == 2 else WHITE.get(code, WHITE[1])
        if space != 1:
            code = bits.enum()
            if code == 2:
                colours = [v for _ in range(3) for v in bits.xy()]
            else:
                primaries = code_points(code, 2, head.notes).primaries
            if colours is None and white != primaries.white:
                colours = [*primaries.red, *primaries.green, *primaries.blue]
            if colours is not None:
                primaries = primaries_of([*colours, *white]) or BT709
    if bits.u(1):
        gamma = bits.u(24) / 1e7
        if abs(gamma - 1) < 1e-3:
            head.meaning = Meaning("linear", primaries)
        elif not 0.1 < gamma < 10:
            head.meaning = Meaning("srgb", primaries)
        else:
            head.notes.append(f"gamma {gamma:.5g} applied: converted to sRGB code of the same light")
            head.meaning = Meaning("srgb", primaries, power(1 / gamma))
    else:
        found = code_points(1, bits.enum(), head.notes)
        head.meaning = Meaning(found.domain, primaries, found.curve)
    # rendering intent
    bits.enum()


def primaries_of_encoding(data: bytes) -> Primaries | None:
    """The primaries of a ColourEncoding on its own; None where it is incomplete or refers to a profile."""
    head = Header()
    try:
        _colour(Bits(data), head)
    except ValueError:
        return None
    return None if head.profile else head.meaning.primaries


# --- the same with changes ----------------------------------------------------------------------------


def _text(data: bytes) -> str:
    """Bits as characters 0 and 1, least significant first, for splicing."""
    return "".join(f"{byte:08b}"[::-1] for byte in data)


def _packed(text: str) -> bytes:
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8][::-1], 2) for i in range(0, len(text), 8))


def _number(value: int, count: int) -> str:
    return f"{value:0{count}b}"[::-1] if count else ""


def as_float(stream: bytes, head: Header) -> bytes:
    """The codestream with its depth changed to 32-bit floats, so that the decoder does not round its floats.

    The following fields must keep their alignment to bytes, which an extension field (ignored by decoders) provides.
    """
    if "extensions" not in head.spans or head.bits is None:
        return stream
    stop = 2 + head.end // 8 + 1
    text = _text(stream[2:stop])
    (a, b), (c, d) = head.spans["depth"], head.spans["extensions"]
    # float, 32 bits, 8 of them exponent
    depth = "1" + "00" + _number(7, 4)
    # an extension takes 6 bits instead of 2
    grown = len(depth) - (b - a) + 4
    size = next(n for n in range(1, 9) if (grown + 6 + n) % 8 == 0)
    extension = "10" + _number(0, 4) + "10" + _number(size - 1, 4) + "0" * size
    return stream[:2] + _packed(text[:a] + depth + text[b:c] + extension + text[d:]) + stream[stop:]


def tagged(stream: bytes, head: Header, points: tuple[int, int], intensity: float, bits: int = 0) -> bytes:
    """The codestream with other code points (primaries, transfer), intensity target and, of a lossy image, depth."""
    text = _text(stream[2 : 2 + head.end // 8 + 2])
    first, _ = head.spans["extra fields"]
    depth, behind = head.spans["depth"]
    a, b = head.spans["colour"]
    end = head.end
    if head.profile or text[end] != "1":
        raise ValueError("not a plain codestream")
    own = "0" + "11" + _number(bits - 1, 6) if bits else text[depth:behind]
    colour = "0" + "0" + _enum(1 if head.grey else 0) + _enum(1)
    colour += "" if head.grey else _enum(points[0])
    colour += "0" + _enum(points[1]) + _enum(1)
    tone = head.spans.get("tone mapping", (b, b))
    target = int.from_bytes(struct.pack("<e", intensity), "little")
    mapping = "0" + _number(target, 16) + _number(0, 16) + "0" + _number(0, 16)
    fields = text[first + 1 : depth] if head.extra_fields else "000" + "000"
    new = text[:first] + "1" + fields + own + text[behind:a] + colour + mapping + text[tone[1] : end] + "1"
    return stream[:2] + _packed(new) + stream[2 + (end + 1 + 7) // 8 :]


def _enum(value: int) -> str:
    if value < 2:
        return _number(value, 2)
    return _number(2, 2) + _number(value - 2, 4) if value < 18 else _number(3, 2) + _number(value - 18, 6)

"""Radiance .hdr: four bytes per pixel, three mantissas and a shared exponent.

Source: Ward, "Real Pixels", Graphics Gems II, 1991; "The RADIANCE picture file format", radsite.lbl.gov.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import FileError, PixelError
from hdrq.image.arithmetic import all_finite
from hdrq.io.atomic import atomic
from hdrq.io.color import flat, primaries_of
from hdrq.io.memory import afford
from hdrq.io.tag import domain_of
from hdrq.records import BT709, XYZ, Image, Primaries

SIZE = re.compile(rb"\s*([+-])([XY])\s+(\d{1,9})\s+([+-])([XY])\s+(\d{1,9})\s*$")
LONGEST_HEADER = 1 << 20


@dataclass
class Header:
    """The header.

    lines, length   number of scan lines in the file, and of pixels in each
    upright         whether scan lines are rows (else columns)
    flips           (vertical, horizontal) of the image once its rows are rows
    scale           factors by which the channels are multiplied to restore scene radiance
    """

    start: int
    lines: int
    length: int
    upright: bool
    flips: tuple[bool, bool]
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    primaries: Primaries = BT709
    domain: str = "nits"
    notes: list[str] = field(default_factory=list)


def read(path: Path, *, alpha: bool = False) -> Image:
    """RGBE or XYZE as (1, 3, H, W). EXPOSURE and COLORCORR are undone; values are not multiplied by 179."""
    data = path.read_bytes()
    head = parse(path, data)
    afford(path, head.length, head.lines, 32)
    pixels = _decode(path, data, head)
    if not head.upright:
        pixels = pixels.transpose(1, 2)
    dims = [d for d, flip in zip((1, 2), head.flips, strict=True) if flip]
    pixels = (pixels.flip(dims) if dims else pixels).contiguous()
    if head.scale != (1.0, 1.0, 1.0):
        pixels *= torch.tensor(head.scale).reshape(3, 1, 1)
    return Image(pixels[None], head.domain, head.primaries, notes=tuple(head.notes), path=str(path))


def parse(path: Path, data: bytes) -> Header:
    """The header: VARIABLE=value lines up to an empty line, then the resolution line."""
    head, at = Header(0, 0, 0, True, (False, False)), 0
    exposure, colour = 1.0, [1.0, 1.0, 1.0]
    for _ in range(10_000):
        end = data.find(b"\n", at, at + LONGEST_HEADER)
        if end < 0:
            raise FileError(f"{path} is truncated: its header is incomplete")
        line, at = data[at:end].rstrip(b"\r"), end + 1
        if not line.strip():
            break
        name, sign, text = line.partition(b"=")
        # indented lines describe the images that this one was made from
        if not sign or name[:1] in (
            b"#",
            b"\t",
            b" ",
        ):
            continue
        name, value = name.strip(), text.decode("latin-1").strip()
        if name == b"FORMAT":
            if value not in ("32-bit_rle_rgbe", "32-bit_rle_xyze"):
                raise FileError(
                    f"{path} has FORMAT={value[:40]!r}; hdrq reads 32-bit_rle_rgbe and 32-bit_rle_xyze"
                )
            head.primaries = XYZ if value.endswith("xyze") else head.primaries
        elif name == b"EXPOSURE":
            exposure *= _number(value, head, "EXPOSURE")
        elif name == b"COLORCORR":
            three = (value.split() + ["1"] * 3)[:3]
            colour = [c * _number(v, head, "COLORCORR") for c, v in zip(colour, three, strict=True)]
        elif name == b"PRIMARIES":
            _primaries(value, head)
        elif name == b"PIXASPECT" and _number(value, head, "PIXASPECT") != 1:
            head.notes.append(f"pixel aspect {value} ignored: square pixels assumed")
        elif name == b"GAMMA" and _number(value, head, "GAMMA") != 1:
            head.notes.append(f"GAMMA={value} ignored: Radiance pixels are linear")
        elif name == b"HDRQ_DOMAIN":
            head.domain = domain_of(value, "nits")
    else:
        raise FileError(f"{path} is damaged: its header is incomplete")
    _resolution(path, data, at, head)
    head.scale = tuple(1 / (exposure * c) for c in colour)  # type: ignore[assignment]
    if exposure != 1:
        head.notes.append(f"EXPOSURE {exposure:.6g} undone: pixels divided by it")
    if colour != [1, 1, 1]:
        head.notes.append("COLORCORR {:.6g} {:.6g} {:.6g} undone: channels divided by it".format(*colour))
    return head


def _number(text: str, head: Header, name: str) -> float:
    """A positive number, else 1 with a note."""
    try:
        value = float(text.split()[0])
    except (ValueError, IndexError):
        value = 0.0
    if not isfinite(value) or not 1e-30 < value < 1e30:
        head.notes.append(f"{name}={text[:20]} ignored: not a positive number")
        return 1.0
    return value


def _primaries(text: str, head: Header) -> None:
    try:
        found = primaries_of([float(v) for v in text.split()])
    except ValueError:
        found = None
    # Photoshop writes eight zeros for "unknown"
    if found is None and text.replace("0", "").strip(" ."):
        head.notes.append(f"PRIMARIES={text[:40]} ignored: they do not span a triangle")
    elif found is not None and head.primaries is not XYZ:
        head.primaries = found


def _resolution(path: Path, data: bytes, at: int, head: Header) -> None:
    """-Y H +X W is rows from the top; the first axis is that of scan lines, other signs than -Y +X mirror."""
    end = data.find(b"\n", at, at + 200)
    match = SIZE.match(data[at : end if end >= 0 else at])
    if end < 0 or not match or match[2] == match[5]:
        raise FileError(f"{path} is damaged: no resolution line (-Y height +X width) after the header")
    sign = {match[2]: match[1], match[5]: match[4]}
    head.start, head.lines, head.length = end + 1, int(match[3]), int(match[6])
    head.upright = match[2] == b"Y"
    head.flips = (sign[b"Y"] == b"+", sign[b"X"] == b"-")


def _decode(path: Path, data: bytes, head: Header) -> Tensor:
    """Linear (3, lines, length), in the order of the file."""
    body = memoryview(data)[head.start :]
    marker = bytes((2, 2, head.length >> 8 & 255, head.length & 255))
    packed = 8 <= head.length < 32768 and bytes(body[:4]) == marker
    # a run is at most 127 pixels in two bytes
    if packed:
        afford(path, head.length, head.lines, 32, least=head.lines * (4 + 8 * (head.length // 127)))
        if (fast := _fast(body, head)) is not None:
            return fast
        try:
            rgbe = _lines(path, bytes(body), head)
        except FileError:
            # otherwise flat pixels, the first of which resembles a marker
            if len(body) != 4 * head.lines * head.length:
                raise
            rgbe = np.frombuffer(body, np.uint8)
    else:
        rgbe = _unpack_old(path, np.frombuffer(body, np.uint8), head.lines * head.length)
    rgbe = rgbe.reshape(head.lines, head.length, 4)
    scale = np.ldexp(np.float32(1), np.arange(256) - 136).astype(np.float32)
    scale[0] = 0
    light = rgbe[..., :3].transpose(2, 0, 1) * scale[rgbe[..., 3]]
    return torch.from_numpy(np.ascontiguousarray(light, dtype=np.float32))


def _fast(body: memoryview, head: Header) -> Tensor | None:
    """The C decoder, for files whose scan lines all use new run-length coding; None where it fails."""
    import imagecodecs

    out = np.empty((head.lines, head.length, 3), np.float32)
    try:
        imagecodecs.rgbe_decode(bytes(body), header=False, rle=True, out=out)
    except Exception:
        return None
    return torch.from_numpy(out).permute(2, 0, 1)


def _lines(path: Path, body: bytes, head: Header) -> np.ndarray:
    """Decoding line by line, for files with different kinds of lines, and to locate damage."""
    out = np.empty((head.lines, head.length, 4), np.uint8)
    marker = bytes((2, 2, head.length >> 8, head.length & 255))
    at = 0
    for i in range(head.lines):
        if body[at : at + 4] != marker:
            rest = _unpack_old(path, np.frombuffer(body, np.uint8, offset=at), (head.lines - i) * head.length)
            out[i:] = rest.reshape(head.lines - i, head.length, 4)
            break
        at += 4
        for channel in range(4):
            line = bytearray()
            while len(line) < head.length:
                count = body[at] if at < len(body) else 0
                run = count - 128 if count > 128 else count
                piece = body[at + 1 : at + 2] * run if count > 128 else body[at + 1 : at + 1 + run]
                if not run or len(piece) < run or len(line) + run > head.length:
                    fault = "damaged" if at < len(body) - 1 - run else "truncated"
                    raise FileError(f"{path} is {fault}: scan line {i + 1} of {head.lines} cannot be decoded")
                line += piece
                at += 2 if count > 128 else 1 + run
            out[i, :, channel] = np.frombuffer(line, np.uint8)
    return out


def _unpack_old(path: Path, body: np.ndarray, pixels: int) -> np.ndarray:
    """(pixels, 4) from flat or old run-length coded bytes.

    1 1 1 n repeats the previous pixel n times, a second such code in a row 256 n times, and so on.
    """
    quads = body[: len(body) // 4 * 4].reshape(-1, 4)[:pixels]
    repeat = (quads[:, :3] == 1).all(1)
    # in flat files such a quad is a pixel
    if not repeat.any() or len(body) == 4 * pixels:
        if len(quads) < pixels:
            raise FileError(f"{path} is truncated: it holds {len(quads)} of {pixels} pixels")
        return quads
    first = np.flatnonzero(repeat & ~np.concatenate([[False], repeat[:-1]]))
    index = np.arange(len(quads))
    # number of preceding repeat codes
    order = index - np.maximum.accumulate(np.where(np.isin(index, first), index, 0))
    count = np.where(repeat, quads[:, 3].astype(np.int64) << (8 * np.minimum(order, 4)), 1)
    ends = np.cumsum(np.minimum(count, pixels))
    last = int(np.searchsorted(ends, pixels))
    if repeat[0] or last == len(ends):
        there = 0 if repeat[0] else int(ends[-1])
        raise FileError(f"{path} is truncated: it holds {there} of {pixels} pixels")
    source = np.maximum.accumulate(np.where(repeat, 0, index))[: last + 1]
    count = np.minimum(count[: last + 1], pixels)
    count[-1] -= ends[last] - pixels
    result: np.ndarray = quads[np.repeat(source, count)]
    return result


def write(path: Path, image: Image, *, provenance: dict[str, Any] | None = None) -> tuple[str, ...]:
    """Write RGBE (XYZE for XYZ primaries), run-length coded, rounded to nearest; returns notes on what was lost."""
    import imagecodecs

    pixels = image.pixels[0].detach().float().cpu()
    if not all_finite(pixels):
        raise PixelError(f"{path}: .hdr cannot store NaN or Inf; write .exr or .pfm")
    notes = []
    if below := int((pixels < 0).sum()):
        notes.append(f"{below} negative values stored as 0: .hdr cannot store them; .exr can")
    light = pixels.expand(3, -1, -1).clamp(min=0).permute(1, 2, 0).numpy()
    lines = ["#?RADIANCE", *(f"# {k}={v}".replace("\n", " ") for k, v in (provenance or {}).items())]
    if image.primaries not in (BT709, XYZ):
        lines.append("PRIMARIES= " + " ".join(f"{v:.6g}" for v in flat(image.primaries)))
    if image.domain != "nits":
        lines.append(f"HDRQ_DOMAIN={image.domain}")
    height, width = image.size
    kind = "xyze" if image.primaries is XYZ else "rgbe"
    lines += [f"FORMAT=32-bit_rle_{kind}", "", f"-Y {height} +X {width}", ""]
    # incompressible lines become slightly longer
    room = height * (4 + 4 * (width + width // 64 + 8))
    body = imagecodecs.rgbe_encode(_rounded(light), header=False, rle=8 <= width < 32768, out=room)
    with atomic(path) as part:
        part.write_bytes("\n".join(lines).encode("utf-8") + body)
    return tuple(notes)


def _rounded(light: np.ndarray) -> np.ndarray:
    """(H, W, 3) rounded to the nearest RGBE values, so that truncation by the encoder changes nothing."""
    _, exponent = np.frexp(light.max(-1, keepdims=True))
    step = np.ldexp(np.float32(1), exponent - 8)
    mantissa = np.rint(light / step)
    # a mantissa above 255 needs the next exponent
    step = np.where(mantissa.max(-1, keepdims=True) > 255, 2 * step, step)
    return np.ascontiguousarray(np.rint(light / step) * step, dtype=np.float32)

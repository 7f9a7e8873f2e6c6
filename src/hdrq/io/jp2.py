"""JPEG 2000, as a bare codestream or in the boxes of JP2. Source: ITU-T T.800 (2019), annexes A.5 and I; T.801, annex M.

The codestream is decoded alone; palette, order of the channels and colour are those of the boxes.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from hdrq.errors import FileError
from hdrq.image.transfer import linear_to_srgb
from hdrq.io import icc
from hdrq.io.arrange import planes
from hdrq.io.color import Meaning, code_points
from hdrq.io.isobmff import boxes
from hdrq.io.memory import afford
from hdrq.records import BT2020, Image

# enumerated colour spaces, T.800 table I.10 and T.801 table M.25
SRGB, GREY, SYCC, CMYK = 16, 17, 18, 12
_OTHERS = {14: "CIELab", 15: "CIELab", 19: "CIEJab", 20: "e-sRGB", 21: "ROMM RGB", 24: "e-sYCC"}
# types of channels, T.800 table I.16
_COLOUR, _OPACITY, _PREMULTIPLIED = 0, 1, 2


@dataclass
class Header:
    """The boxes of `jp2h`, and the marker segment SIZ.

    depths      bits of each component;  sampling: its (horizontal, vertical) distance of samples
    space       enumerated colour space;  points: colour primaries and transfer characteristics
    palette     (entries, columns), with the bits of each column; `mapped`: (component, column or None) of each channel
    channels    (channel, type, association) of each channel that the file defines
    """

    width: int = 0
    height: int = 0
    depths: list[int] = field(default_factory=list)
    sampling: list[tuple[int, int]] = field(default_factory=list)
    space: int | None = None
    profile: bytes = b""
    points: tuple[int, int] | None = None
    palette: np.ndarray | None = None
    columns: list[int] = field(default_factory=list)
    mapped: list[tuple[int, int | None]] = field(default_factory=list)
    channels: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def subsampled(self) -> bool:
        """Whether a component has fewer samples than the image has pixels."""
        return any(s != (1, 1) for s in self.sampling)


def read(path: Path, *, alpha: bool = False) -> Image:
    """(1, 1 or 3, H, W), code in [0, 1]."""
    data = path.read_bytes()
    try:
        head, stream = _parsed(path, data)
    except (struct.error, IndexError, ValueError) as error:
        raise FileError(f"{path} is damaged: its header cannot be decoded") from error
    afford(path, head.width, head.height, 8 * (4 + len(head.depths)))
    notes: list[str] = []
    ink = head.space == CMYK or head.profile[16:20] == b"CMYK"
    if ink and head.profile[16:20] != b"CMYK":
        raise FileError(f"{path}: CMYK without a colour profile is not supported; convert it to RGB")
    if not head.profile and head.points is None and head.space in _OTHERS:
        raise FileError(f"{path}: JPEG 2000 in {_OTHERS[head.space]} is not supported; convert it to RGB")
    rows, depths = _by_palette(head, *_decoded(path, head, stream))
    rows, depths, premultiplied = _in_order(head, rows, depths, 4 if ink else 3)
    if head.space == SYCC and not head.profile and not head.subsampled and rows.shape[2] >= 3:
        rows = _from_sycc(rows, depths)
    bits = max(depths)
    if ink:
        light = icc.transform(_scaled(rows[..., :4], depths[:4]), head.profile, "cmyk")
        pixels = linear_to_srgb(torch.from_numpy(light).permute(2, 0, 1)[None].contiguous())
        notes.append("CMYK converted by its colour profile: sRGB code in BT.2020 primaries")
        return Image(pixels, "srgb", BT2020, bits, notes=tuple(notes), path=str(path))
    most = 2.0**bits - 1
    if len(set(depths)) > 1:
        rows, most = _scaled(rows, depths), 1.0
    pixels = planes(rows, most, notes, alpha, premultiplied)
    meaning = _meaning(head, notes)
    return Image(
        meaning.apply(pixels), meaning.domain, meaning.primaries, bits, notes=tuple(notes), path=str(path)
    )


def _scaled(rows: np.ndarray, depths: list[int]) -> np.ndarray:
    """Code in [0, 1], float32, where channels have different depths."""
    return rows.astype(np.float32) / np.array([2.0**d - 1 for d in depths], np.float32)


def _meaning(head: Header, notes: list[str]) -> Meaning:
    if head.profile:
        return icc.understand(head.profile, notes)
    if head.points:
        return code_points(*head.points, notes)
    if head.space not in (None, SRGB, GREY, SYCC):
        notes.append(f"colour space {head.space} is unknown: code assumed to be sRGB")
    return Meaning()


# --- pixels -------------------------------------------------------------------------------------------


def _decoded(path: Path, head: Header, stream: bytes) -> tuple[np.ndarray, list[int]]:
    """(H, W, C) components as stored, and their bits. Subsampled Y'CbCr is converted to R'G'B' by the decoder."""
    import imagecodecs

    plain = len(head.sampling) == 3 and head.sampling[0] == (1, 1) and head.sampling[1] == head.sampling[2]
    different = len({(bits > 8, bits > 16) for bits in head.depths}) > 1
    try:
        if different or (head.subsampled and not plain):
            return _by_pillow(path, head, stream)
        rows: np.ndarray = imagecodecs.jpeg2k_decode(stream, numthreads=1)
    except FileError:
        raise
    except Exception as error:
        if "mismatch" in str(error):
            return _by_pillow(path, head, stream)
        raise FileError(f"{path} is damaged: its codestream cannot be decoded") from error
    return rows[..., None] if rows.ndim == 2 else rows, head.depths


def _by_pillow(path: Path, head: Header, stream: bytes) -> tuple[np.ndarray, list[int]]:
    """The same for components of different sizes or depths, expanded to one size and to 8 bits."""
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    if max(head.depths) > 8:
        raise FileError(
            f"{path}: JPEG 2000 with components of different sizes or depths, and more than 8 bits, is not supported; "
            "convert it to TIFF or PNG"
        )
    try:
        rows = np.asarray(Jpeg2KImageFile(io.BytesIO(stream)))
    except (OSError, SyntaxError, ValueError) as error:
        kinds = ", ".join(sorted({f"{across} x {down}" for across, down in head.sampling}))
        raise FileError(
            f"{path}: JPEG 2000 with components sampled every {kinds} pixels is not supported; convert it to PNG"
        ) from error
    rows = rows[..., None] if rows.ndim == 2 else rows
    return rows, [8] * rows.shape[2]


def _from_sycc(rows: np.ndarray, depths: list[int]) -> np.ndarray:
    """R'G'B' of Y'CbCr of full range, rounded to the depth. Source: IEC 61966-2-1, amendment 1; T.871."""
    most = 2.0 ** depths[0] - 1
    y, cb, cr = (rows[..., c].astype(np.float32) for c in range(3))
    cb, cr = cb - 2.0 ** (depths[1] - 1), cr - 2.0 ** (depths[2] - 1)
    out = rows.copy()
    for c, value in enumerate((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb)):
        out[..., c] = value.round().clip(0, most).astype(rows.dtype)
    return out


def _by_palette(head: Header, rows: np.ndarray, depths: list[int]) -> tuple[np.ndarray, list[int]]:
    """The channels of a palette image; others unchanged."""
    table = head.palette
    if table is None:
        return rows, depths
    mapped = head.mapped or [(0, column) for column in range(table.shape[1])]
    out, bits = [], []
    for component, column in mapped:
        plane = rows[..., component]
        out.append(plane if column is None else table[np.minimum(plane, len(table) - 1), column])
        bits.append(depths[component] if column is None else head.columns[column])
    return np.stack(out, -1), bits


def _in_order(
    head: Header, rows: np.ndarray, depths: list[int], colours: int
) -> tuple[np.ndarray, list[int], bool]:
    """Colours in their order, then alpha where there is one; and whether colours are multiplied by it."""
    count = rows.shape[2]
    if not head.channels:
        return rows, depths, False
    of = {assoc - 1: cn for cn, kind, assoc in head.channels if kind == _COLOUR and 0 < assoc <= colours}
    order = [of[c] for c in sorted(of) if of[c] < count]
    # grey: association with the whole image
    if not order or sorted(of) != list(range(len(of))):
        order = [cn for cn, kind, _ in head.channels if kind == _COLOUR and cn < count][:1] or [0]
    covers = [
        (cn, kind) for cn, kind, _ in head.channels if kind in (_OPACITY, _PREMULTIPLIED) and cn < count
    ]
    order += [cn for cn, _ in covers[:1] if cn not in order]
    return (
        np.ascontiguousarray(rows[..., order]),
        [depths[cn] for cn in order],
        bool(covers) and covers[0][1] == _PREMULTIPLIED,
    )


# --- boxes --------------------------------------------------------------------------------------------


def _parsed(path: Path, data: bytes) -> tuple[Header, bytes]:
    """The header and the codestream."""
    head, stream = Header(), data
    if data[:4] != b"\xff\x4f\xff\x51":
        stream = b""
        for kind, start, stop in boxes(path, data, 0, len(data)):
            if kind == b"jp2h":
                for inner, a, b in boxes(path, data, start, stop):
                    _take(head, inner, data[a:b])
            elif kind == b"jp2c" and not stream:
                stream = data[start:stop]
    if stream[2:4] != b"\xff\x51":
        raise FileError(f"{path} is damaged: it holds no JPEG 2000 codestream")
    right, bottom, left, top = struct.unpack_from(">4I", stream, 8)
    (count,) = struct.unpack_from(">H", stream, 40)
    head.width, head.height = right - left, bottom - top
    parts = [struct.unpack_from("3B", stream, 42 + 3 * i) for i in range(count)]
    if any(depth & 0x80 for depth, _, _ in parts):
        raise FileError(f"{path}: signed JPEG 2000 is not supported; convert it to TIFF or EXR of floats")
    head.depths = [(depth & 0x7F) + 1 for depth, _, _ in parts]
    head.sampling = [(across, down) for _, across, down in parts]
    if not parts or min(min(s) for s in head.sampling) < 1:
        raise ValueError("no components")
    return head, stream


def _take(head: Header, kind: bytes, body: bytes) -> None:
    """One box of `jp2h`. The first colour specification that is understood holds."""
    if kind == b"colr" and not (head.profile or head.points or head.space is not None):
        method = body[0]
        if method == 1:
            (head.space,) = struct.unpack_from(">I", body, 3)
        elif method in (2, 3) and body[39:43] == b"acsp":
            head.profile = body[3:]
        elif method == 5:
            head.points = struct.unpack_from(">HH", body, 3)
    elif kind == b"pclr":
        entries, columns = struct.unpack_from(">HB", body)
        head.columns = [(b & 0x7F) + 1 for b in body[3 : 3 + columns]]
        wide = [1 if bits <= 8 else 2 for bits in head.columns]
        values = np.zeros((entries, columns), np.uint16)
        at = 3 + columns
        for row in values:
            for c, size in enumerate(wide):
                row[c] = int.from_bytes(body[at : at + size], "big")
                at += size
        if at > len(body) or not entries or max(head.columns) > 16:
            raise ValueError("an incomplete palette")
        head.palette = values if max(head.columns) > 8 else values.astype(np.uint8)
    elif kind == b"cmap":
        entries = len(body) // 4
        found = [struct.unpack_from(">HBB", body, 4 * i) for i in range(entries)]
        head.mapped = [(component, column if by else None) for component, by, column in found]
    elif kind == b"cdef":
        (entries,) = struct.unpack_from(">H", body)
        head.channels = [struct.unpack_from(">3H", body, 2 + 6 * i) for i in range(entries)]

"""What the header of a clip states: size, depth, meaning of its code, the planar form of its pixels, and its length, because
FFmpeg gives fewer frames of a file that was cut short.

Source: ITU-T H.273 (07/2024), 8.3; YUV4MPEG2; Matroska (RFC 9559), 5 and EBML (RFC 8794), 6; ISO/IEC 14496-12, 4.2; RIFF and
OpenDML AVI.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hdrq.errors import FileError
from hdrq.io.color import Meaning, code_points

# Luma weights of red and blue, by matrix coefficients.
WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
OTHER_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 of constant luminance",
    12: "derived from the primaries",
    14: "ICtCp",
}
# Names of chroma sampling, by the luma samples across and down for each chroma sample.
SAMPLING = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}
# codecs whose chroma samples lie between luma samples in both directions
CENTRED = (
    "mjpeg",
    "mjpegb",
    "mpeg1video",
)
# an untagged clip is taken as BT.709 from this height on, otherwise as BT.601
_UNTAGGED_HD = 720
_SEGMENT = 0x18538067
# boxes of an ISO file without whose bytes frames are missing
_BOXES = (b"moov", b"mdat", b"moof")
_OPENINGS = (b"ftyp", b"wide", b"styp", *_BOXES)
# bytes read of a header
_HEADER = 512


@dataclass(frozen=True)
class Clip:
    """Properties of a clip; count and rate (frames per second) are None where the file does not state them."""

    path: str
    width: int
    height: int
    bits: int
    meaning: Meaning
    matrix: int
    full: bool
    centred: tuple[bool, bool]
    pixel_format: str
    codec: str
    count: int | None = None
    rate: float | None = None
    notes: tuple[str, ...] = ()


def clip_of(path: str, container: Any) -> Clip:
    """What the header of an opened container states of its video stream; FileError where it has no size or pixel format."""
    stream = container.streams.video[0]
    coder = stream.codec_context
    if coder.format is None or not coder.width:
        raise FileError(f"{path} is damaged: its video stream has no size or pixel format")
    notes: list[str] = []
    rgb = bool(coder.format.is_rgb or coder.format.has_palette)
    bits = max(8, *(c.bits for c in coder.format.components))
    if bits > 16 or coder.format.name.startswith(("bayer", "xyz")):
        raise FileError(
            f"{path}: video of pixel format {coder.format.name} is not supported; convert it with another program"
        )
    matrix = 0 if rgb else int(coder.colorspace)
    if matrix == 2:
        known = {1: 1, 9: 9}.get(int(coder.color_primaries))
        matrix = known or (1 if coder.height >= _UNTAGGED_HD else 6)
        if coder.format.name[:4] != "gray":
            name, why = {1: "BT.709", 6: "BT.601", 9: "BT.2020"}[matrix], "primaries" if known else "height"
            notes.append(f"matrix coefficients not tagged: assumed {name} from the {why}")
    if matrix not in WEIGHTS and matrix != 0:
        kind = OTHER_MATRICES.get(matrix)
        named = f"{matrix} ({kind})" if kind else f"{matrix}"
        raise FileError(
            f"{path}: matrix coefficients {named} are not supported; convert it with another program"
        )
    transfer, colours = int(coder.color_trc), int(coder.color_primaries)
    meaning = code_points(colours, transfer, notes)
    if transfer == 2:
        notes.append("transfer function not tagged: assumed sRGB; choose another with --domain")
    if (aspect := stream.sample_aspect_ratio) and aspect != 1:
        notes.append(f"pixel aspect {float(aspect):g} ignored: square pixels assumed")
    full = (
        int(coder.color_range) == 2
        or rgb
        or coder.format.components[0].bits < 8
        or coder.format.name.startswith("yuvj")
    )
    planar = _planar(coder.format, bits, rgb)
    centred = (True, True) if coder.name in CENTRED else _siting(path, colours)
    if (
        planar[:6] in ("yuv420", "yuv422", "yuv411", "yuv410")
        and coder.name not in CENTRED
        and not _is_y4m(path)
    ):
        lies = "the top left, as BT.2020" if not any(centred) else "the left, as MPEG-2 and H.264"
        notes.append(f"chroma location not read: assumed at {lies}")
    rate = float(stream.average_rate) if stream.average_rate else None
    count = int(stream.frames) or (
        round(float(stream.duration * stream.time_base) * rate) if stream.duration and rate else None
    )
    return Clip(
        path,
        coder.width,
        coder.height,
        bits,
        meaning,
        matrix,
        full,
        centred,
        planar,
        coder.name,
        count,
        rate,
        tuple(notes),
    )


def _planar(format: Any, bits: int, rgb: bool) -> str:
    """The planar pixel format of the same depth, to which conversion is lossless."""
    deep = "" if bits == 8 else f"{bits}le"
    if rgb:
        return f"gbrp{deep}"
    if len(format.components) < 3:
        return f"gray{deep}"
    luma, chroma = format.components[:2]
    kind = SAMPLING.get((round(luma.width / chroma.width), round(luma.height / chroma.height)), "444")
    return f"yuv{kind}p{deep}"


def _siting(path: str, colours: int) -> tuple[bool, bool]:
    """Whether chroma samples lie between luma samples, (across, down), where chroma is subsampled.

    MPEG: co-sited horizontally, between rows; BT.2020: co-sited with the top left; JPEG: between in both directions.
    """
    head = _first_line(path)
    if head.startswith(b"YUV4MPEG2"):
        kind = next((word for word in head.split() if word[:1] == b"C"), b"C420")
        return (True, True) if kind in (b"C420", b"C420jpeg") else (False, b"paldv" not in kind)
    return (False, False) if colours == 9 else (False, True)


def _is_y4m(path: str) -> bool:
    """Whether the header states where chroma samples lie."""
    return _first_line(path).startswith(b"YUV4MPEG2")


def _first_line(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(256).split(b"\n")[0]


def stated_length(path: Path, frame_bytes: int) -> int | None:
    """The length in bytes that a clip states, at least; None where it states none, as for a live recording.

    frame_bytes  of a frame of raw planes, for YUV4MPEG2, whose end is that of its last frame
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"\x1aE\xdf\xa3":
            return _matroska(file, size)
        if head[:4] == b"RIFF" and head[8:] == b"AVI ":
            return _riff(file, size)
        if head[4:8] in _OPENINGS:
            return _boxes(file, size)
        if head[:10] == b"YUV4MPEG2 ":
            return _frames(file, size, frame_bytes)
    return None


def _matroska(file: BinaryIO, size: int) -> int | None:
    """The end of the first segment."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(12)
        name, used = _number(head, marked=True)
        length, more = _number(head[used:])
        # no length is stated
        if not used or not more or length == (1 << 7 * more) - 1:
            return None
        place += used + more + length
        if name == _SEGMENT:
            return place
    return None


def _number(data: bytes, marked: bool = False) -> tuple[int, int]:
    """(value, bytes used) of an EBML number; marked: its length marker is part of the value, as in an identifier."""
    if not data or not data[0]:
        return 0, 0
    used = 9 - data[0].bit_length()
    value = int.from_bytes(data[:used], "big")
    return (value if marked else value & ((1 << 7 * used) - 1)), used if len(data) >= used else 0


def _riff(file: BinaryIO, size: int) -> int | None:
    """The end of the last RIFF chunk: files of more than 1 GB have several."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or length in (0, 2**32 - 1):
            break
        place += 8 + length
    return place or None


def _boxes(file: BinaryIO, size: int) -> int | None:
    """The end of the last box that holds frames or their index."""
    place, end = 0, None
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        length, start = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, start = int.from_bytes(head[8:], "big"), 16
        # 0: up to the end of the file
        if length < start:
            break
        place += length
        if head[4:8] in _BOXES:
            end = place
    return end


def _frames(file: BinaryIO, size: int, frame_bytes: int) -> int | None:
    """The end of the last frame, of which something is there."""
    file.seek(0)
    place = file.read(_HEADER).find(b"\n") + 1
    if not place or not frame_bytes or (size - place) % (len(b"FRAME\n") + frame_bytes) == 0:
        return None
    while place < size:
        file.seek(place)
        head = file.read(_HEADER)
        if not head.startswith(b"FRAME"[: len(head)]):
            return None
        line = head.find(b"\n") + 1
        if not line:
            # within the header of a frame
            return size + 1
        place += line + frame_bytes
    return place

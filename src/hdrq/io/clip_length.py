"""Whether a clip is whole: containers state their length, and FFmpeg gives fewer frames of a file that was cut short.

Source: Matroska (RFC 9559), 5 and EBML (RFC 8794), 6; ISO/IEC 14496-12, 4.2; RIFF and OpenDML AVI; YUV4MPEG2.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_SEGMENT = 0x18538067
_BOXES = (b"moov", b"mdat", b"moof")  # boxes of an ISO file without whose bytes frames are missing
_OPENINGS = (b"ftyp", b"wide", b"styp", *_BOXES)
_HEADER = 512  # bytes read of a header


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
        if not used or not more or length == (1 << 7 * more) - 1:  # no length is stated
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
        if length < start:  # 0: up to the end of the file
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
            return size + 1  # within the header of a frame
        place += line + frame_bytes
    return place

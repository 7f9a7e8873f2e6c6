"""Video clips (mp4, mov, mkv, webm, y4m), frame by frame at their bit depth, by PyAV (pip install 'hdrq[video]').

Y'CbCr is converted here, because swscale, which PyAV and imageio's plugin use, expands full-range 10-bit code
to 16 bits differently for luma and chroma. Source: ITU-T H.273 (07/2024), 8.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.io.clip_header import WEIGHTS, Clip, clip_of, stated_length
from hdrq.io.memory import afford
from hdrq.records import Image


def read(
    path: Path, *, alpha: bool = False, part: str | int | None = None, frames: str | int | None = None
) -> Image:
    """(N, 1 or 3, H, W) code in [0, 1]: the first frame, the frame numbered `frames`, or those of "0:100:10" as one batch.

    A batch is held in memory as a whole; the function `frames` yields the same frames one by one. part: as `frames`.
    """
    return _read(path, part if frames is None else frames)


def _read(path: Path, chosen: str | int | None) -> Image:
    number = str(0 if chosen is None else chosen)
    if ":" in number:
        return _batch(path, number)
    if not number.isdigit():
        raise UsageError(f"{path}: frames are numbered from 0; '{chosen}' is not a frame number")
    image = next(frames(path, f"{number}:{int(number) + 1}"), None)
    if image is None:
        raise UsageError(f"{path} has no frame {number}; the clip is shorter")
    note = (
        "clip: first frame read; choose others with --frames"
        if chosen is None
        else f"frame {number} of a clip"
    )
    return image.with_pixels(image.pixels, notes=(note, *image.notes))


def _batch(path: Path, select: str) -> Image:
    chosen: list[Image] = []
    for image in frames(path, select):
        afford(path, image.size[1], image.size[0], 24 * (len(chosen) + 1))
        chosen.append(image)
    if not chosen:
        raise UsageError(f"{path} has no frames in {select}; the clip is shorter")
    pixels = torch.cat([image.pixels for image in chosen])
    return chosen[0].with_pixels(
        pixels, notes=(f"frames {select} of a clip, {len(chosen)} in all", *chosen[0].notes)
    )


def describe(path: str | Path) -> Clip:
    """Properties of a clip from its header."""
    with _opened(path) as container:
        return clip_of(str(path), container)


def frames(path: str | Path, select: str = "") -> Iterator[Image]:
    """The frames of a clip in order, one in memory at a time.

    select  "" for all, "7" for one frame, "0:100:10" for a range with a step, as in Python
    """
    start, stop, step = span(select)
    with _opened(path) as container:
        clip = clip_of(str(path), container)
        afford(path, clip.width, clip.height, 80)
        try:
            for number, frame in enumerate(container.decode(video=0)):
                if stop is not None and number >= stop:
                    return
                if number >= start and (number - start) % step == 0:
                    rate = clip.rate / step if clip.rate else None
                    yield replace(_image(clip, frame), frame_rate=rate)
        except NotImplementedError as error:
            raise FileError(
                f"{path}: this variant of {clip.codec} is not supported by FFmpeg; convert it with another program"
            ) from error
        # PyAV raises all of them for damaged streams
        except (OSError, ValueError, EOFError) as error:
            raise FileError(f"{path} is damaged: {_ffmpeg_message(error)}") from error


def span(select: str) -> tuple[int, int | None, int]:
    """(start, stop, step) of "start:stop:step", each part optional; a single number selects that frame."""
    pieces = select.split(":")
    try:
        numbers = [int(p) if p.strip() else None for p in pieces]
    except ValueError:
        numbers = [-1]
    if (
        len(pieces) > 3
        or any(n is not None and n < 0 for n in numbers)
        or (len(numbers) == 3 and numbers[2] == 0)
    ):
        raise UsageError(f"'{select}' selects no frames; write 7, 0:100 or 0:100:10")
    if len(numbers) == 1:
        return (0, None, 1) if numbers[0] is None else (numbers[0], numbers[0] + 1, 1)
    return numbers[0] or 0, numbers[1], (numbers[2] if len(numbers) == 3 else None) or 1


# --- headers ------------------------------------------------------------------------------------------


def _opened(path: str | Path) -> Any:
    try:
        import av
    except ImportError:
        raise MissingPart(f"{path} is a clip; install its reader: pip install 'hdrq[video]'") from None
    try:
        container = av.open(str(path))
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist; check the name") from error
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"{path} is damaged: {_ffmpeg_message(error)}") from error
    if not container.streams.video:
        container.close()
        raise FileError(f"{path} has no video stream")
    try:
        _refuse_cut(Path(path), container.streams.video[0].codec_context.format)
    except BaseException:
        container.close()
        raise
    return container


def _refuse_cut(path: Path, format: Any) -> None:
    """Raise FileError for a file that is shorter than its container states; FFmpeg gives fewer frames without an error."""
    if not path.is_file():
        return
    planes = () if format is None else format.components
    raw = sum(c.width * c.height * (2 if c.bits > 8 else 1) for c in planes)
    have, stated = path.stat().st_size, stated_length(path, raw)
    if stated is not None and have < stated:
        raise FileError(
            f"{path} is damaged: it is cut short, {have:,} of at least {stated:,} bytes are there; copy it again, or "
            f"keep the frames that are whole with: ffmpeg -i {path.name} -c copy whole{path.suffix}"
        )


def _ffmpeg_message(error: Exception) -> str:
    """FFmpeg's words without its number and the path."""
    return " ".join(str(error.args[1] if len(error.args) > 1 else error).split())


# --- pixels -------------------------------------------------------------------------------------------


def _image(clip: Clip, frame: Any) -> Image:
    notes = list(clip.notes)
    if frame.format.name != clip.pixel_format:
        frame = frame.reformat(format=clip.pixel_format)
    planes = [_plane(plane, clip.bits) for plane in frame.planes[:3]]
    if clip.pixel_format.startswith("gbrp"):
        most = 2.0**clip.bits - 1
        pixels = torch.stack([planes[2], planes[0], planes[1]])[None] / most
    else:
        pixels = _from_luma(clip, planes)
    if getattr(frame, "interlaced_frame", False):
        notes.append("interlaced: both fields read as one frame")
    if turn := round(getattr(frame, "rotation", 0) / 90) % 4:
        pixels = torch.rot90(pixels, turn, (-2, -1)).contiguous()
        notes.append("rotated as the clip states")
    pixels = clip.meaning.apply(pixels.float())
    return Image(
        pixels, clip.meaning.domain, clip.meaning.primaries, clip.bits, notes=tuple(notes), path=clip.path
    )


def _plane(plane: Any, bits: int) -> Tensor:
    kind = np.dtype("u1" if bits == 8 else "<u2")
    rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)[
        : plane.height, : plane.width
    ]
    return torch.from_numpy(rows.astype(np.float64))


def _from_luma(clip: Clip, planes: list[Tensor]) -> Tensor:
    """Y'CbCr to R'G'B', (1, 1 or 3, H, W) float64. Source: H.273, equations 23 to 36 and 41 to 46."""
    unit = 2.0 ** (clip.bits - 8)
    most = 2.0**clip.bits - 1
    luma = planes[0] / most if clip.full else (planes[0] / unit - 16) / 219
    if len(planes) < 3:
        return luma[None, None]
    middle = 2.0 ** (clip.bits - 1)
    scale = most if clip.full else 224 * unit
    cb, cr = (_widened((p - middle) / scale, luma.shape, clip.centred) for p in planes[1:])
    # G, B, R are stored as Y, Cb, Cr
    if clip.matrix == 0:
        whole = [p / most if clip.full else (p / unit - 16) / 219 for p in planes]
        return torch.stack([whole[2], whole[0], whole[1]])[None]
    kr, kb = WEIGHTS[clip.matrix]
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return torch.stack([red, green, blue])[None]


def _widened(chroma: Tensor, size: torch.Size, centred: tuple[bool, bool]) -> Tensor:
    """Chroma upsampled to every luma pixel by linear interpolation; edges repeat."""
    for dim, between in ((1, centred[0]), (0, centred[1])):
        have, want = chroma.shape[dim], size[dim]
        if have == want:
            continue
        # luma samples for each chroma sample
        apart = round(want / have)
        first = 0.5 * (apart - 1) * between
        at = ((torch.arange(want, dtype=torch.float64) - first) / apart).clamp(0, have - 1)
        low = at.floor().long()
        high = (low + 1).clamp(max=have - 1)
        share = (at - low).unsqueeze(1 - dim)
        chroma = chroma.index_select(dim, low) * (1 - share) + chroma.index_select(dim, high) * share
    return chroma

"""What the header of a clip states: size, depth, meaning of its code, and the planar form of its pixels.

Source: ITU-T H.273 (07/2024), 8.3; YUV4MPEG2.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
CENTRED = (
    "mjpeg",
    "mjpegb",
    "mpeg1video",
)  # codecs whose chroma samples lie between luma samples in both directions
_UNTAGGED_HD = 720  # an untagged clip is taken as BT.709 from this height on, otherwise as BT.601


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
    stream = container.streams.video[0]
    coder = stream.codec_context
    if coder.format is None or not coder.width:
        raise FileError(f"{path} is damaged: its video stream has no size or pixel format")
    notes: list[str] = []
    rgb = bool(coder.format.is_rgb or coder.format.has_palette)
    bits = max(8, *(c.bits for c in coder.format.components))
    if bits > 16 or coder.format.is_bayer or coder.format.name.startswith("xyz"):
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

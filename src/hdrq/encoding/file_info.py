"""Contents of an image file, and how hdrq interprets it by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from math import log2
from pathlib import Path
from typing import Any

import torch

from hdrq.arguments import checked
from hdrq.encoding.displays import is_linear_code
from hdrq.encoding.photometry import LIGHT, Photometry, emit_for, factor_of, relabel
from hdrq.errors import HdrqError
from hdrq.image.color import mix, rgb_to_xyz
from hdrq.io import identify, read_selected
from hdrq.records import Image, Selection


@dataclass(frozen=True)
class FileInfo:
    """One file. Luminance is in cd/m², by the file's own primaries, on the default display.

    kind        stored type: "8-bit code", "float light" ...
    domain      "linear", "nits" or the encoding of the code;  primaries: their name, or eight numbers
    white_nits  cd/m² of a value of 1, where the file states it
    low, mean, high  luminance; low is the smallest above 0. relative: whether cd/m² is only an assumption
    stops       log2(high / low)
    zeros, negative, nonfinite  counts of values
    renditions  values of --layer for a file with a gain map
    layers      layers, views and parts of an EXR;  pages: of a TIFF
    frames      of a clip
    mastering   peak, black, MaxCLL and MaxFALL stated by the file, cd/m²
    notes       of the reader
    error       why the file cannot be read; the other fields are then empty
    """

    path: str
    format: str = ""
    width: int = 0
    height: int = 0
    channels: int = 0
    kind: str = ""
    domain: str = ""
    primaries: str = ""
    white_nits: float | None = None
    low: float | None = None
    mean: float | None = None
    high: float | None = None
    stops: float | None = None
    relative: bool = False
    zeros: int = 0
    negative: int = 0
    nonfinite: int = 0
    gain_map: bool = False
    renditions: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    frames: str = ""
    exposure: str = ""
    mastering: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""

    def record(self) -> dict[str, object]:
        """The fields as a flat row that JSON can store."""
        return {**self.__dict__, "mastering": dict(self.mastering)}


@checked
def describe(
    path: str | Path,
    *,
    layer: str | None = None,
    part: str | int | None = None,
    select: Selection | None = None,
    photometry: Photometry | None = None,
) -> FileInfo:
    """Read one file and say what it holds. A file that cannot be read gives a FileInfo with `error`, never raises.

    select      which image of the file; layer and part are short forms
    photometry  what the user says that the file holds: domain, primaries, scale, display
    """
    chosen = select or Selection(layer=layer, part=None if part is None else str(part))
    photometry = photometry or Photometry()
    try:
        format = identify(path)
        image = relabel(read_selected(path, chosen), photometry)
        light = _luminance(image, photometry)
    except HdrqError as error:
        return FileInfo(str(path), error=str(error))
    finite = image.pixels[torch.isfinite(image.pixels)]
    above = light[light > 0]
    low, high = (float(above.min()), float(above.max())) if above.numel() else (None, None)
    info = FileInfo(
        str(path),
        format.title,
        image.size[1],
        image.size[0],
        int(image.pixels.shape[1]),
        _kind(image),
        image.domain,
        image.primaries.label,
        image.white_nits,
        low,
        float(light.mean()) if light.numel() else None,
        high,
        log2(high / low) if low and high else None,
        image.domain in LIGHT
        and image.white_nits is None
        and photometry.assumes_absolute
        and not is_linear_code(image),
        int((finite == 0).sum()),
        int((finite < 0).sum()),
        image.pixels.numel() - finite.numel(),
        notes=image.notes,
        exposure=_exposure(path),
    )
    return replace(info, **_insides(Path(path), format.name, format.home))


def _luminance(image: Image, photometry: Photometry) -> torch.Tensor:
    """Luminance by the file's own primaries, cd/m², without NaN and Inf."""
    seen = replace(photometry, nonfinite="clamp")
    light = emit_for(image, seen, factor_of(image, seen), None)
    y = light.pixels.double()
    if y.shape[1] == 3:
        y = mix(y, rgb_to_xyz(light.primaries)[1:2].copy())
    return y[torch.isfinite(image.pixels).all(1, keepdim=True)]


def _kind(image: Image) -> str:
    if image.bits is not None:
        return f"{image.bits}-bit code"
    return "float light" if image.domain in ("nits", "linear") else "float code"


def _exposure(path: str | Path) -> str:
    """Shutter, aperture and sensitivity, where the file states them."""
    from hdrq.io.exposures import exif_exposure

    try:
        found = exif_exposure(path)
    except (HdrqError, OSError, ValueError):
        return ""
    return str(found) if found.seconds is not None else ""


def _insides(path: Path, name: str, home: str) -> dict[str, Any]:
    """Further contents of the file, by its format."""
    module = import_module(home)
    if hasattr(module, "layers"):
        renditions = module.layers(path)
        return {"gain_map": bool(renditions), "renditions": renditions}
    if name == "tiff":
        return {"pages": module.parts(path)}
    if name == "exr":
        return {"layers": module.titles(path)}
    if name == "png":
        return {"mastering": module.mastering(path)}
    if name == "clip":
        clip = module.describe(path)
        rate = f" at {clip.rate:g} a second" if clip.rate else ""
        return {"frames": f"{clip.count or 'unknown number'}{rate}, {clip.codec} {clip.pixel_format}"}
    return {}

"""Displays as data, one per file. `display("sdr")` reads one; the path of a file of the same form works too.

Pixels per degree follow ColorVideoVDP's display geometry; `default_screen` is the display where none is asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib.resources import files
from math import atan, degrees, hypot, isfinite, radians, sqrt, tan
from pathlib import Path
from typing import Any

from hdrq.arguments import checked
from hdrq.errors import FileError, UsageError
from hdrq.records import PRIMARIES, Display, Image
from hdrq.registry import added, check, find

EOTFS = ("absolute", "light", "linear", "srgb", "pq", "hlg", "bt1886")
# metres
INCH = 0.0254


@checked
def display(name: str | Path, **changes: Any) -> Display:
    """A display by its name or by the path of a .toml file, with any field replaced.

    name     case-insensitive; - and _ are equivalent
    changes  fields of Display; contrast=1000 instead of black_nits; size and distance (see `pixels_per_degree`) instead of ppd
    """
    title = str(name).lower().replace("_", "-")
    if str(name).endswith(".toml"):
        try:
            text = Path(name).read_text()
        except OSError as error:
            raise FileError(f"{name} cannot be read: {error.strerror}") from error
        title = Path(name).stem
    else:
        check("display", title)
        text = "" if title in added("display") else _shipped(title)
    try:
        data = tomllib.loads(text) if text else _fields(find("display", title))
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{name} is not TOML: {error}") from error
    data = data | {key: value for key, value in changes.items() if value is not None}
    given = [(key, value) for key, value in sorted(changes.items()) if value is not None]
    changed = [f"{key}={value if isinstance(value, str) else format(value, 'g')}" for key, value in given]
    contrast = data.pop("contrast", None)
    if contrast is not None:
        if contrast <= 0:
            raise UsageError(f"contrast must be a positive ratio such as 1000, not {contrast:g}")
        data["black_nits"] = data["peak_nits"] / contrast
    seen = pixels_per_degree(**{key: data.pop(key) for key in KEYS if key in data})
    if seen is not None:
        data.setdefault("ppd", seen)
    unknown = set(data) - {f.name for f in fields(Display)}
    if unknown:
        raise FileError(
            f"{name} has the unknown key '{min(unknown)}'; the keys of a display are {', '.join(_keys())}"
        )
    missing = {"peak_nits", "black_nits", "eotf"} - set(data)
    if missing:
        raise FileError(f"{name} has no {', '.join(sorted(missing))}")
    data["eotf"] = str(data["eotf"])
    found = Display(**({"name": title} | data))
    _refuse_impossible(found)
    return replace(found, name="+".join([found.name, *changed])) if changed else found


def _shipped(title: str) -> str:
    return files(__package__).joinpath(title.replace("-", "_") + ".toml").read_text()


def _fields(given: Display) -> dict[str, Any]:
    """The fields of a display from another package."""
    return {f.name: getattr(given, f.name) for f in fields(Display)}


def _keys() -> list[str]:
    return [f.name for f in fields(Display) if f.name != "name"] + ["contrast", *KEYS]


def _refuse_impossible(d: Display) -> None:
    for f in fields(Display):
        value = getattr(d, f.name)
        if isinstance(value, float) and not isfinite(value):
            raise UsageError(f"a display's {f.name} must be finite, not {value:g}")
    if d.peak_nits <= 0:
        raise UsageError(f"a display's peak must be positive, not {d.peak_nits:g} cd/m²")
    if d.black_nits < 0 or d.black_nits >= d.peak_nits:
        raise UsageError(
            f"black ({d.black_nits:g} cd/m²) must lie in [0, peak), and the peak is {d.peak_nits:g} cd/m²"
        )
    if d.ambient_lux < 0 or not 0 <= d.reflectance <= 1:
        raise UsageError("ambient light must be 0 lux or more and reflectance between 0 and 1")
    if d.reflection not in ("added", "within"):
        raise UsageError(f"reflection is 'added' or 'within', not '{d.reflection}'")
    if d.reflection == "within" and d.black_nits + d.reflected_nits >= d.peak_nits:
        raise UsageError(
            f"{d.ambient_lux:g} lux are too much for this display: its black would exceed its peak"
        )
    if d.exposure <= 0 or d.floor_nits < 0 or (d.ppd is not None and d.ppd <= 0):
        raise UsageError("a display's exposure and ppd must be positive and its floor_nits 0 or more")
    if d.lift not in ("cut", "added", "scaled") or d.system_gamma not in ("bt2100", "ambient"):
        raise UsageError("lift is 'cut', 'added' or 'scaled', and system_gamma 'bt2100' or 'ambient'")
    if d.led_pitch < 0 or d.led_spread < 0 or d.panel_contrast <= 1:
        raise UsageError("led_pitch and led_spread are pixels, 0 or more, and panel_contrast is above 1")
    if d.led_pitch and (d.eotf not in ("pq", "light") or d.led_pitch < 1 or not d.led_spread):
        raise UsageError(
            "a backlight of LEDs needs the EOTF pq or light, a led_pitch of at least 1 pixel, and a led_spread above 0"
        )
    if d.eotf == "hlg" and d.system_gamma == "ambient" and d.peak_nits > 1000 and d.ambient_lux == 0:
        raise UsageError(
            "HLG's system gamma above 1000 cd/m² depends on ambient light; give ambient_lux above 0"
        )
    if d.primaries not in PRIMARIES:
        raise UsageError(f"unknown primaries '{d.primaries}'; choose one of {', '.join(PRIMARIES)}")
    if d.eotf not in EOTFS:
        try:
            power = float(d.eotf)
        except ValueError:
            power = 0.0
        if power <= 0:
            raise UsageError(
                f"unknown EOTF '{d.eotf}'; choose one of {', '.join(EOTFS)} or a gamma such as 2.2"
            )


def pixels_per_degree(
    *,
    pixels_per_degree: float | None = None,
    resolution: Sequence[int] = (),
    distance_m: float | None = None,
    distance_inches: float | None = None,
    distance_heights: float | None = None,
    diagonal_inches: float | None = None,
    diagonal_m: float | None = None,
    fov_diagonal_degrees: float | None = None,
    fov_horizontal_degrees: float | None = None,
    fov_vertical_degrees: float | None = None,
) -> float | None:
    """ppd from the size and distance in a display's file; None where they are not stated.

    pixels_per_degree  used directly, whatever else is given
    resolution         (columns, rows)
    distance_heights   in display heights
    fov                field of view from edge to edge, instead of size and distance
    raises             UsageError for an incomplete description
    """
    if pixels_per_degree is not None:
        return float(pixels_per_degree)
    sizes = (diagonal_inches, diagonal_m)
    fovs = (fov_diagonal_degrees, fov_horizontal_degrees, fov_vertical_degrees)
    distances = (distance_m, distance_inches, distance_heights)
    if not resolution and all(x is None for x in (*sizes, *fovs, *distances)):
        return None
    given = [x for x in (*sizes, *fovs, *distances, *resolution) if x is not None]
    if len(resolution) != 2 or min(given) <= 0:
        raise UsageError(
            "a display's resolution is [columns, rows]; resolution, sizes and distances must be positive"
        )
    width, height = resolution
    for fov, extent in zip(fovs, (hypot(width, height), width, height)):
        if fov is not None:
            return _from_distance(extent / (2 * tan(radians(fov) / 2)))
    if all(x is None for x in sizes) or all(x is None for x in distances):
        raise UsageError("a display's resolution, diagonal and distance must be given together")
    diagonal = diagonal_m if diagonal_m is not None else (diagonal_inches or 0.0) * INCH
    height_m = diagonal / sqrt(1 + (width / height) ** 2)
    if distance_heights is not None:
        return _from_distance(distance_heights * height)
    metres = distance_m if distance_m is not None else (distance_inches or 0.0) * INCH
    return _from_distance(metres * height / height_m)


def _from_distance(pixels: float) -> float:
    """ppd at a distance in pixels."""
    return 1 / degrees(2 * atan(0.5 / pixels))


KEYS = tuple(pixels_per_degree.__kwdefaults__ or ())


def is_linear_code(image: Image) -> bool:
    """Whether an image is code of integers with a linear curve, whose file does not state the luminance of its white.

    Such files are made for an SDR display as those of sRGB code are, which shows them by their own curve.
    """
    return (
        image.domain == "linear"
        and image.bits is not None
        and image.white_nits is None
        and not image.displayed
    )


def default_screen(image: Image) -> Display:
    """The default display for the image's domain. That of HLG has neither black nor room light: nobody stated any."""
    if image.domain in ("srgb", "gamma"):
        return display("sdr")
    if is_linear_code(image):
        return replace(display("sdr"), eotf="linear")
    return display("hlg-1000" if image.domain == "hlg" else "absolute")

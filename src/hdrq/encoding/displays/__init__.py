"""Displays as data, one per file. `display("sdr")` reads one; the path of a file of the same form works too."""

from __future__ import annotations

import tomllib
from dataclasses import fields, replace
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any

from hdrq.encoding.geometry import KEYS, pixels_per_degree
from hdrq.errors import FileError, UsageError
from hdrq.records import PRIMARIES, Display
from hdrq.registry import added, check, find

EOTFS = ("absolute", "light", "linear", "srgb", "pq", "hlg", "bt1886")


def display(name: str | Path, **changes: Any) -> Display:
    """A display by its name or by the path of a .toml file, with any field replaced.

    name     case-insensitive; - and _ are equivalent
    changes  fields of Display; contrast=1000 instead of black_nits; size and distance (encoding/geometry.py) instead of ppd
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

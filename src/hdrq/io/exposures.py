"""Exposure of each frame of a bracket: from EXIF, a CSV, file names, or the user."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from hdrq.errors import FileError, UsageError
from hdrq.io.raw import SUFFIXES, shutter

# calibration constant of reflected-light meters. Source: ISO 2720, which allows 10.6 to 13.4
K = 12.5


@dataclass(frozen=True)
class Exposure:
    """seconds, iso and fnumber of one frame; None where unknown. source: where they were found.

    ev   stops relative to the frame of 0 EV, where only differences are known
    """

    seconds: float | None = None
    iso: float | None = None
    fnumber: float | None = None
    ev: float | None = None
    source: str = ""

    @property
    def relative(self) -> float | None:
        """Relative exposure: light on the sensor times its sensitivity, in a unit common to frames with the same data."""
        if self.seconds is None:
            return None if self.ev is None else 2.0**self.ev
        return self.seconds * (self.iso or 100.0) / 100.0 / ((self.fnumber or 1.0) ** 2)

    @property
    def absolute(self) -> float | None:
        """t ISO / (K N²), the reciprocal of the luminance in cd/m² that a light meter maps to mid-grey."""
        if None in (self.seconds, self.iso, self.fnumber):
            return None
        return self.seconds * self.iso / (K * self.fnumber**2)  # type: ignore[operator]

    def __str__(self) -> str:
        if self.seconds is None:
            return "unknown" if self.ev is None or self.source == "unknown" else f"{self.ev:+g} EV"
        t = f"{self.seconds:g} s" if self.seconds >= 0.3 else f"1/{1 / self.seconds:.4g} s"
        return (
            t + (f" f/{self.fnumber:g}" if self.fnumber else "") + (f" ISO {self.iso:g}" if self.iso else "")
        )


def exposures_of(
    paths: Sequence[str | Path],
    times: Sequence[float] | None = None,
    ev: Sequence[float] | None = None,
    table: str | Path | None = None,
) -> list[Exposure]:
    """One Exposure per file: as given (times, ev or a CSV), else from EXIF, else from the file names.

    Times without aperture or sensitivity are completed from EXIF. All frames must have the same source; aperture or
    sensitivity that some frames lack is dropped for all, if ratios stay correct because it did not change.
    """
    if sum(x is not None for x in (times, ev, table)) > 1:
        raise UsageError("give only one of --times, --ev and --exposures")
    for given, flag in ((times, "--times"), (ev, "--ev")):
        if given is not None and len(given) != len(paths):
            raise UsageError(
                f"{flag} gives {len(given)} exposures for {len(paths)} frames; give one per frame"
            )
    if times is not None:
        if min(times) <= 0:
            raise UsageError("--times must all be positive")
        found = _with_exif([Exposure(seconds=t, source="--times") for t in times], paths)
    elif ev is not None:
        found = [Exposure(ev=e, source="--ev") for e in ev]
    elif table is not None:
        found = _with_exif(_from_table(paths, Path(table)), paths)
    else:
        found = [exif_exposure(path) for path in paths]
        if any(e.relative is None for e in found):
            named = [name_exposure(path) for path in paths]
            if any(e.relative is None for e in named):
                lost = [Path(p).name for p, e in zip(paths, found) if e.relative is None]
                raise UsageError(
                    f"the exposure of {', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''} is unknown: neither in EXIF "
                    "nor in the file name; give --times 1/30,1/8,..., --ev -2,0,2, --exposures FILE.csv or --estimate-exposures"
                )
            found = _with_exif(named, paths)
    return _alike(found, paths)


def _with_exif(found: list[Exposure], paths: Sequence[str | Path]) -> list[Exposure]:
    """Exposure times completed by aperture and sensitivity from EXIF."""
    out = []
    for exposure, path in zip(found, paths):
        if exposure.seconds is not None and None in (exposure.iso, exposure.fnumber) and Path(path).is_file():
            stated = exif_exposure(path)
            exposure = replace(
                exposure, iso=exposure.iso or stated.iso, fnumber=exposure.fnumber or stated.fnumber
            )
        out.append(exposure)
    return out


def _alike(found: list[Exposure], paths: Sequence[str | Path]) -> list[Exposure]:
    """Drop what only some frames state, where that changes no known ratio."""
    for part in ("iso", "fnumber"):
        values = [getattr(e, part) for e in found]
        if None in values and any(v is not None for v in values):
            known = {v for v in values if v is not None}
            if len(known) > 1:
                lost = [Path(p).name for p, v in zip(paths, values) if v is None]
                raise UsageError(
                    f"{part} changes between frames but is not stated for {', '.join(lost[:3])}; give --times"
                )
            found = [replace(e, iso=None) if part == "iso" else replace(e, fnumber=None) for e in found]
    return found


def check_spread(found: Sequence[Exposure], paths: Sequence[str | Path], equal: bool = False) -> None:
    """Refuse a single frame, and frames of equal exposure unless `equal` allows them."""
    if len(found) < 2:
        raise UsageError("one frame cannot be merged; give at least two exposures")
    order = sorted(range(len(found)), key=lambda i: found[i].relative or 0)
    for a, b in pairwise(order):
        if not equal and found[b].relative / found[a].relative < 1.02:  # type: ignore[operator]
            raise UsageError(
                f"{Path(paths[a]).name} and {Path(paths[b]).name} have the same exposure ({found[a]}); "
                "drop one, or give --times, --ev or --allow-equal"
            )


# --- EXIF ---------------------------------------------------------------------------------------------

TIME, FNUMBER, ISO, SHUTTER, APERTURE = 33434, 33437, 34855, 37377, 37378


def exif_exposure(path: str | Path) -> Exposure:
    """Exposure from a file's EXIF (JPEG, TIFF, PNG, TIFF-based raw) or EXR header; empty where there is none."""
    file = Path(path)
    tags = _exr_tags(file) if file.suffix.lower() == ".exr" else _exif_tags(file)
    seconds = tags.get(TIME) or (2.0 ** -tags[SHUTTER] if SHUTTER in tags else None)
    fnumber = tags.get(FNUMBER) or (2.0 ** (tags[APERTURE] / 2) if APERTURE in tags else None)
    iso = tags.get(ISO)
    if not seconds and file.suffix.lower() in SUFFIXES:
        seconds, iso, fnumber = shutter(file)
    return Exposure(seconds, iso or None, fnumber or None, source="EXIF" if seconds else "")


def _exif_tags(file: Path) -> dict[int, float]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            exif = image.getexif()
            found = {**dict(exif), **dict(exif.get_ifd(0x8769))}
    except UnidentifiedImageError:
        found = _tiff_tags(file)
    except FileNotFoundError:
        raise FileError(f"{file} does not exist; check the name") from None
    # damaged files are reported when pixels are read
    except (OSError, ValueError, SyntaxError, TypeError):
        return {}
    return {k: n for k in (TIME, FNUMBER, ISO, SHUTTER, APERTURE) if (n := _number(found.get(k))) is not None}


def _tiff_tags(file: Path) -> dict[int, object]:
    """Tags of raw files that are TIFF files."""
    import tifffile

    try:
        with tifffile.TiffFile(str(file)) as tiff:
            page = tiff.pages[0]
            tags = {t.code: t.value for t in page.tags}  # type: ignore[union-attr]
            inner = tags.get(0x8769)
            by_name = {
                "ExposureTime": TIME,
                "FNumber": FNUMBER,
                "ISOSpeedRatings": ISO,
                "PhotographicSensitivity": ISO,
                "ShutterSpeedValue": SHUTTER,
                "ApertureValue": APERTURE,
            }
            if isinstance(inner, dict):
                tags |= {by_name[k]: v for k, v in inner.items() if k in by_name}
            return tags
    except Exception:
        return {}


def _exr_tags(file: Path) -> dict[int, float]:
    from hdrq.io.exr.parse import parts_of

    try:
        header = parts_of(file, file.read_bytes())[0].attributes
    except (OSError, FileError, IndexError):
        return {}
    names = {"expTime": TIME, "aperture": FNUMBER, "isoSpeed": ISO}
    return {
        names[k]: float(v) for k, v in header.items() if k in names and isinstance(v, (int, float)) and v > 0
    }


def _number(value: object) -> float | None:
    """EXIF rationals, pairs and one-element lists as a number; None for anything else, including zero over zero."""
    if isinstance(value, (tuple, list)):
        if len(value) == 2 and all(isinstance(v, int) for v in value):
            return value[0] / value[1] if value[1] else None
        value = value[0] if value else None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if number == number and abs(number) != float("inf") else None


# --- tables and names ---------------------------------------------------------------------------------

COLUMNS = {
    "seconds": (
        "seconds",
        "time",
        "exposure_time_s",
        "exposure_time",
        "exposuretime",
        "exposure",
        "shutter",
        "t",
    ),
    "iso": ("iso", "iso_speed", "sensitivity"),
    "fnumber": ("fnumber", "f_number", "aperture", "f"),
    "ev": ("ev", "stops"),
}


def number_of(text: str) -> float:
    """0.25, 1/4 or 1/4s as 0.25."""
    above, _, below = text.strip().lower().removesuffix("s").strip().partition("/")
    try:
        value = float(above) / (float(below) if below else 1.0)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"'{text}' is not an exposure time; write 0.25 or 1/4") from None
    return value


def _from_table(paths: Sequence[str | Path], table: Path) -> list[Exposure]:
    """Rows of a CSV by the name of their file; columns as in COLUMNS."""
    try:
        rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{table} cannot be read: {error}") from error
    if not rows or "file" not in {k.lower() for k in rows[0] if k}:
        raise FileError(f"{table} has no column 'file'; the header must be file,seconds or file,ev")
    by_name: dict[str, Exposure] = {}
    for row in rows:
        fields = {(k or "").lower().strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str)}
        found = {}
        for part, names in COLUMNS.items():
            text = next((fields[n] for n in names if fields.get(n)), "")
            if text:
                found[part] = number_of(text)
        by_name[Path(fields.get("file", "")).name] = Exposure(**found, source=table.name)
    out = []
    for path in paths:
        known = by_name.get(Path(path).name)
        if known is None or known.relative is None:
            raise FileError(f"{table} has no exposure for {Path(path).name}; add a row for it")
        out.append(known)
    return out


_FRACTION = re.compile(r"(?<![\d.])1[-_/](\d{1,5})(?:s|sec)?(?![\d.])", re.I)
_SECONDS = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)(?:s|sec)(?![a-z0-9])", re.I)
_EV = re.compile(r"(?:ev[ _]?([+-]?\d+(?:\.\d+)?))|(?:([+-]?\d+(?:\.\d+)?)[ _]?ev)", re.I)


def name_exposure(path: str | Path) -> Exposure:
    """An exposure in a file name: room_1-30s.jpg, room_0.25s.jpg, room_ev-2.jpg, room_+2ev.jpg."""
    stem = Path(path).stem
    if found := _EV.search(stem):
        return Exposure(ev=float(found[1] or found[2]), source="file name")
    if found := _FRACTION.search(stem):
        return Exposure(seconds=1 / max(int(found[1]), 1), source="file name")
    if (found := _SECONDS.search(stem)) and float(found[1]) > 0:
        return Exposure(seconds=float(found[1]), source="file name")
    return Exposure()

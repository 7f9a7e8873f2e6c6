"""What a caller may give for pairs: records, tuples, paths, Images, one or many; and settings that a row of a manifest has for
its own files: domain, scale, display, layer ..., for both sides or one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hdrq.encoding.displays import display
from hdrq.encoding.photometry import Photometry
from hdrq.encoding.settings import Side
from hdrq.errors import UsageError
from hdrq.records import MAIN_IMAGE, PRIMARIES, Image, Pair, Selection, Viewing

One = str | Path | Image
Pairs = Pair | One | tuple[One, One] | Iterable[Pair | One | tuple[One, One]]
NUMBERS = ("scale", "peak", "white", "ppd")
BOTH = (*NUMBERS, "domain", "display", "primaries", "file_primaries")
OF_A_SIDE = ("domain", "scale", "display", "primaries")
SELECTED = ("layer", "view", "part", "frames")
COLUMNS = (*BOTH, *(f"{side}_{key}" for side in ("ref", "dist") for key in OF_A_SIDE))


def pairs_of(given: Pairs, full_reference: bool) -> Iterator[Pair]:
    """Pair records of the given inputs.

    One pair of two paths or Images is understood as such: where a reference is needed, ("ref.exr", "dist.exr").
    raises  UsageError for anything that is neither, when it is met; at once where the whole is wrong
    """
    if isinstance(given, Pair):
        return iter([given])
    if isinstance(given, str | Path | Image):
        if full_reference:
            raise UsageError(
                f"one image was given ({_short(given)}) and the metrics compare two; give (reference, test) or a list of pairs"
            )
        return iter([Pair(dist=given)])
    if full_reference and isinstance(given, tuple | list) and len(given) == 2:
        ref, dist = given
        if isinstance(ref, str | Path | Image) and isinstance(dist, str | Path | Image):
            return iter([Pair(ref=ref, dist=dist)])
    if not isinstance(given, Iterable):
        raise UsageError(f"pairs are (reference, test) paths or Images, not {type(given).__name__}")
    return (_pair(item, full_reference) for item in given)


def _pair(item: Any, full_reference: bool) -> Pair:
    if isinstance(item, Pair):
        return item
    if isinstance(item, str | Path | Image):
        if full_reference:
            raise UsageError(f"{_short(item)} is one image; a pair is (reference, test)")
        return Pair(dist=item)
    try:
        ref, dist = item
    except (TypeError, ValueError):
        raise UsageError(f"a pair is (reference, test), not {_short(item)}") from None
    for side in (ref, dist):
        if not isinstance(side, str | Path | Image):
            raise UsageError(f"a pair holds paths or Images, not {type(side).__name__}")
    return Pair(ref=ref, dist=dist)


def _short(item: Any) -> str:
    return (item.path or "an Image") if isinstance(item, Image) else str(item)[:80]


def label(side: One | None) -> str:
    """One side of a pair as rows name it."""
    if isinstance(side, Image):
        return side.path or "(image)"
    return str(side or "")


def selections(
    pair: Pair, both: Selection, ref: Selection = MAIN_IMAGE, dist: Selection = MAIN_IMAGE
) -> tuple[Selection, Selection]:
    """What is read of the reference's file and of the test image's: by the pair's own columns, else by the call's.

    both, ref, dist  settings of the call for all files, and for those of one side
    """
    found = []
    for name, side in (("ref", ref), ("dist", dist)):
        columns = {key: (f"{name}_{key}", key) for key in SELECTED}
        said = {
            key: next((t for c in names if (t := str(pair.carried.get(c) or "").strip())), None)
            for key, names in columns.items()
        }
        found.append(
            Selection(**{key: said[key] or getattr(side, key) or getattr(both, key) for key in SELECTED})
        )
    return found[0], found[1]


def refuse_without_reference(light: Side, chosen: Selection, matched: bool) -> None:
    """Raise UsageError for what is said of references, where no metric reads any."""
    stated = {"--match-response": matched or None}
    stated |= {f"--ref-{key}": getattr(light, key) for key in OF_A_SIDE}
    stated |= {f"--ref-{key}": getattr(chosen, key) for key in SELECTED}
    for option, value in stated.items():
        if value is not None:
            raise UsageError(f"{option} has no effect with metrics that read no reference; leave it out")


def for_pair(photometry: Photometry, pair: Pair) -> Photometry:
    """The photometry of one pair: its own columns count before the settings of the call.

    raises  UsageError for a number that is none or not positive, and for names that do not exist
    """
    said = {key: str(pair.carried[key]).strip() for key in COLUMNS if str(pair.carried.get(key, "")).strip()}
    if not said:
        return photometry
    changes: dict[str, Any] = {
        key: said[key] for key in ("domain", "primaries", "file_primaries") if key in said
    }
    scales = [key for key in ("scale", "peak", "white") if key in said]
    if len(scales) > 1:
        raise UsageError(f"{pair.dist}: the columns {scales[0]} and {scales[1]} both set the scale; fill one")
    if scales:
        changes |= {"scale": None, "peak": None, "white": None, scales[0]: _number(said, scales[0], pair)}
    for key in (k for k in said if k.endswith("primaries")):
        if said[key] not in PRIMARIES:
            raise UsageError(
                f"{pair.dist}: unknown primaries '{said[key]}'; choose one of {', '.join(PRIMARIES)}"
            )
    if "display" in said:
        changes["display"] = display(said["display"])
        changes["viewing"] = changes["display"].viewing or photometry.viewing
    if "ppd" in said:
        changes["viewing"] = Viewing(_number(said, "ppd", pair))
    for name, old in (("ref", photometry.ref), ("dist", photometry.dist)):
        own = {key: said[f"{name}_{key}"] for key in OF_A_SIDE if f"{name}_{key}" in said}
        if own:
            changes[name] = replace(old, **_side(own, name, said, pair))
    return replace(photometry, **changes)


def _side(own: Mapping[str, str], name: str, said: Mapping[str, str], pair: Pair) -> dict[str, Any]:
    found: dict[str, Any] = dict(own)
    if "scale" in own:
        found["scale"] = _number(said, f"{name}_scale", pair)
    if "display" in own:
        found["display"] = display(own["display"])
    return found


def _number(said: Mapping[str, str], key: str, pair: Pair) -> float:
    try:
        value = float(said[key])
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"{pair.dist}: the column {key} must be a positive number, not '{said[key]}'")
    return value

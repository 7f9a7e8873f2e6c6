"""What the shared options say, as records of the API: display, viewing, photometry, selection of an image, cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

import hdrq
from hdrq.cli._messages import say
from hdrq.cli._options import PREPARED, SELECTED, TRAINING_READ
from hdrq.errors import UsageError

if TYPE_CHECKING:
    from hdrq.records import Display, Selection, Viewing
    from hdrq.work import Spread


def display_of(options: dict[str, Any]) -> Display | None:
    """The display that the options describe; None without such options."""
    changes = {
        "peak_nits": options.get("display_peak"),
        "black_nits": options.get("black"),
        "contrast": options.get("contrast"),
        "ambient_lux": options.get("ambient"),
        "reflectance": options.get("reflectance"),
    }
    if options.get("black") is not None and options.get("contrast") is not None:
        raise UsageError("give only one of --black and --contrast")
    if options.get("display") is None and all(v is None for v in changes.values()):
        return None
    if options.get("display") is None:
        raise UsageError(
            "--display-peak, --black, --contrast, --ambient and --reflectance modify a --display; add it"
        )
    return hdrq.display(options["display"], **changes)


def viewing_of(options: dict[str, Any], display: Display | None = None) -> Viewing:
    """Pixels per degree: given, computed from the geometry, or those of a display of known size."""
    from hdrq.records import Viewing

    parts = [options.get(k) for k in ("screen", "diagonal", "distance")]
    if options.get("ppd") is not None:
        if any(p is not None for p in parts):
            raise UsageError("give either --ppd or --screen, --diagonal and --distance")
        return Viewing(options["ppd"])
    if all(p is None for p in parts):
        return (display.viewing if display is not None else None) or Viewing()
    if any(p is None for p in parts):
        raise UsageError("--screen, --diagonal and --distance must be given together; or give --ppd")
    try:
        width, height = (int(n) for n in options["screen"].lower().split("x"))
    except ValueError as error:
        raise UsageError(f"--screen is WIDTHxHEIGHT such as 3840x2160, not '{options['screen']}'") from error
    return Viewing.from_screen(width, height, options["diagonal"], options["distance"])


def photometry_of(options: dict[str, Any]) -> hdrq.Photometry:
    """Everything about the light in one record; contradictions are refused."""
    given = [k for k in ("scale", "peak", "white") if options.get(k) is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} both set the scale; give only one")
    display = display_of(options)
    return hdrq.Photometry(
        display=display,
        viewing=viewing_of(options, display),
        scale=options.get("scale"),
        peak=options.get("peak"),
        white=options.get("white"),
        domain=options.get("domain"),
        nonfinite=options.get("nonfinite") or "error",
        primaries=options.get("primaries"),
        file_primaries=options.get("file_primaries"),
        ref=_side_of(options, "ref"),
        dist=_side_of(options, "dist"),
    )


def _side_of(options: dict[str, Any], side: str) -> hdrq.Side:
    """The options that describe the files of one side."""
    scale, shown = options.get(f"{side}_scale"), options.get(f"{side}_display")
    return hdrq.Side(
        options.get(f"{side}_domain"),
        scale,
        hdrq.display(shown) if shown else None,
        options.get(f"{side}_primaries"),
    )


def files_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `training_read_options` that were given, by name; they are taken out of `options`."""
    given = {name: options.pop(name) for name in TRAINING_READ}
    return {name: value for name, value in given.items() if value not in (None, "error")}


def selection_of(options: dict[str, Any], side: str = "") -> Selection:
    """The image of a file that the options select; side: "ref" or "dist", for the files of that side only."""
    from hdrq.records import Selection

    prefix = f"{side}_" if side else ""
    return Selection(**{name: options.get(prefix + name) for name, *_ in SELECTED})


def set_values(texts: Iterable[str], example: str, empty: bool = False) -> dict[str, str]:
    """{name: value} of the texts of --set; example: one that is right, for the error; empty: whether values may be empty."""
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and (empty or value.strip())):
            raise UsageError(f"--set takes NAME=VALUE such as {example}, not '{text}'")
        found[name.strip()] = value.strip()
    return found


@contextmanager
def spread_of(options: dict[str, Any]) -> Iterator[Spread | None]:
    """The `Spread` that --cluster names; None without it, in which case Dask is not imported."""
    if not options.get("cluster"):
        yield None
        return
    prepared = click.get_current_context().meta.pop(PREPARED, None)
    with hdrq.connect(options["cluster"], say, options.get("device") or "auto", prepared) as cluster:
        yield cluster

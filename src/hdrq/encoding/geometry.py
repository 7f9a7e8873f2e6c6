"""Pixels per degree at the centre of a display, by the rules of ColorVideoVDP's display geometry."""

from __future__ import annotations

from collections.abc import Sequence
from math import atan, degrees, hypot, radians, sqrt, tan

from hdrq.errors import UsageError

INCH = 0.0254  # metres


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

"""How the files of a command are read: which image of a file, and what the user says of its values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from hdrq import io
from hdrq.encoding.photometry import Photometry, emit_for, factor_of, relabel
from hdrq.errors import UsageError
from hdrq.records import BT709, Image, Primaries, Selection


@dataclass(frozen=True)
class Reading:
    """What holds for all files of a command; None: what each file states.

    layer, view, part  which image of a file, as in `Selection`
    domain             encoding or domain of the files;  file_primaries  their primaries
    scale              cd/m² of a value of 1 in files of light
    nonfinite          NaN and Inf: "error" refuses the file, "clamp" replaces them
    """

    layer: str | None = None
    view: str | None = None
    part: str | None = None
    domain: str | None = None
    file_primaries: str | None = None
    scale: float | None = None
    nonfinite: Literal["error", "clamp"] = "error"

    def __post_init__(self) -> None:
        if self.nonfinite not in ("error", "clamp"):
            raise UsageError(f"nonfinite is error or clamp, not '{self.nonfinite}'")
        if self.scale is not None and not (self.scale > 0 and isfinite(self.scale)):
            raise UsageError(f"scale must be a positive number of cd/m², not {self.scale:g}")
        # refuses unknown domains and primaries
        _ = self.photometry

    @property
    def photometry(self) -> Photometry:
        """The part of it that concerns values."""
        return Photometry(
            domain=self.domain,
            file_primaries=self.file_primaries,
            scale=self.scale,
            nonfinite=self.nonfinite,
        )

    @property
    def text(self) -> str:
        """JSON of what differs from the default; "" where nothing does."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return json.dumps(given) if given else ""

    def image(self, path: str | Path) -> Image:
        """The image of a file, with the domain and the primaries that it has or is said to have."""
        chosen = Selection(self.layer, self.view, self.part)
        return relabel(io.read_one(path, chosen), self.photometry)

    def light(self, image: Image, primaries: Primaries = BT709) -> Image:
        """The light, cd/m², of an image, without a display."""
        return emit_for(image, self.photometry, factor_of(image, self.photometry), primaries)


AS_STATED = Reading()


def reading_of(files: Mapping[str, Any]) -> Reading:
    """A reading of named properties, such as {"domain": "pq"}."""
    known = [f.name for f in fields(Reading)]
    if unknown := sorted(set(files) - set(known)):
        raise UsageError(f"files have no property '{unknown[0]}'; choose from {', '.join(known)}")
    given = {key: value for key, value in files.items() if value is not None}
    for key, value in given.items():
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise UsageError(f"{key} of files cannot be {value!r}; it is a text or a number")
    if isinstance(given.get("scale"), str):
        try:
            given["scale"] = float(given["scale"])
        except ValueError:
            raise UsageError(f"scale must be a number of cd/m², not '{given['scale']}'") from None
    given |= {key: str(value) for key, value in given.items() if key != "scale"}
    return Reading(**given)


def parsed(text: str) -> Reading:
    """The reading of `Reading.text`."""
    return reading_of(json.loads(text) if text else {})

"""What the files of a stack hold, where they do not say so themselves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from hdrq.encoding.emission import finite
from hdrq.encoding.photometry import Photometry, relabel
from hdrq.errors import UsageError
from hdrq.io import identify, read_one
from hdrq.io.raw import Factors, Sensor
from hdrq.records import MAIN_IMAGE, Image, Selection


@dataclass(frozen=True)
class FileSettings:
    """What the files hold, where they do not say so: which image (of a file with a gain map the SDR one), and its meaning.

    photometry  domain, primaries of the files, and what becomes of NaN and Inf
    """

    select: Selection = MAIN_IMAGE
    photometry: Photometry = field(default_factory=Photometry)

    def read(self, path: str | Path) -> Image:
        """The image, in the domain and the primaries that the user says it has."""
        base = self.select.layer is None and identify(path).name in ("jpeg", "avif", "jxl")
        select = replace(self.select, layer="base") if base else self.select
        image = relabel(read_one(path, select), self.photometry)
        if self.photometry.nonfinite == "clamp":
            pixels, notes = finite(image, "clamp")
            image = image.with_pixels(pixels, notes=(*image.notes, *notes))
        return image


def balance_of(sensor: Sensor | None, balance: str | Factors, name: str) -> str | Factors:
    """The white balance of a raw frame; without a sensor the one asked for, UsageError where that is for raw files."""
    if sensor is not None:
        return sensor.balance
    if balance != "camera":
        raise UsageError(f"{name} is not a raw file; --balance is for raw files")
    return balance

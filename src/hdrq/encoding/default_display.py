"""The display that shows a file's code where none is asked for."""

from __future__ import annotations

from dataclasses import replace

from hdrq.encoding.displays import display as shelf_display
from hdrq.records import Display, Image


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
        return shelf_display("sdr")
    if is_linear_code(image):
        return replace(shelf_display("sdr"), eotf="linear")
    return shelf_display("hlg-1000" if image.domain == "hlg" else "absolute")

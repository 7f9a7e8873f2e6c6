"""The display that an image is shown on, and the luminance of a pixel value of 1."""

from __future__ import annotations

from dataclasses import replace

import torch

from hdrq.encoding.displays import default_screen, is_linear_code
from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.emission import LIGHT, SDR_WHITE
from hdrq.encoding.settings import Photometry
from hdrq.errors import PixelError
from hdrq.records import Display, Image

# cd/m²: below these, a file is probably relative
_DIM_MEAN, _DIM_PEAK = 1.0, 100.0


def screen_of(image: Image, photometry: Photometry) -> Display:
    """The display that an image is shown on: the requested one, else the default for its domain, whose peak --white sets.

    Code with a linear curve is shown by this curve on SDR displays, whatever theirs is.
    """
    own = _by_own_curve(image, photometry)
    if (requested := photometry.display) is not None:
        return replace(requested, eotf="linear") if own else requested
    if is_linear_code(image) and not own:
        return shelf_display("absolute")
    usual, white = default_screen(image), photometry.white
    if white is None or usual.eotf == "absolute" or white == usual.peak_nits:
        return usual
    black = usual.black_nits * white / usual.peak_nits
    return replace(usual, name=f"{usual.name}+peak_nits={white:g}", peak_nits=white, black_nits=black)


def as_scene(image: Image, photometry: Photometry) -> Photometry:
    """The photometry by which code with a linear curve is light of a scene, such as a developed raw file: no black is added."""
    if photometry.display is None and is_linear_code(image):
        return replace(photometry, display=shelf_display("absolute"))
    return photometry


def factor_of(reference: Image, photometry: Photometry) -> float:
    """cd/m² of a pixel value of 1, the same for a reference and its test image."""
    if photometry.peak is not None and reference.domain in LIGHT:
        finite = reference.pixels[torch.isfinite(reference.pixels)]
        brightest = float(finite.max()) if finite.numel() else 0.0
        if brightest <= 0:
            raise PixelError(f"{reference.path or 'the reference'} is black, so that --peak cannot scale it")
        return photometry.peak / brightest
    return photometry.scale or photometry.white or 1.0


def looks_relative(image: Image, photometry: Photometry) -> str | None:
    """A note if light that is taken as cd/m² is probably relative, else None."""
    if image.domain not in LIGHT or not photometry.assumes_absolute or image.white_nits or image.displayed:
        return None
    if image.exposed:
        return (
            f"{image.path or 'the image'} is a single exposure: metrics of light take 1.0, where the sensor clips, as 1 cd/m²; "
            "state its luminance with --scale, --peak or --white"
        )
    if is_linear_code(image) or screen_of(image, photometry).eotf == "linear":
        return None
    if image.pixels.numel() == 0:
        return None
    mean, peak = float(image.pixels.mean()), float(image.pixels.max())
    if not (mean < _DIM_MEAN or peak < _DIM_PEAK):
        return None
    return (
        f"{image.path or 'the image'} seems to be relative (mean {mean:.3g}, peak {peak:.3g}) but is interpreted as cd/m²; "
        "state its luminance with --scale, --peak or --white"
    )


def _by_own_curve(image: Image, photometry: Photometry) -> bool:
    """Whether an image is code with a linear curve that an SDR display shows; with --scale or --peak it is light."""
    scaled = photometry.white is None and not photometry.assumes_absolute
    d = photometry.display
    return (
        is_linear_code(image)
        and not scaled
        and (d is None or d.eotf not in ("absolute", "light", "pq", "hlg"))
    )


def factor_of_linear_code(
    image: Image, photometry: Photometry, factor: float
) -> tuple[float, tuple[str, ...]]:
    """(what `emit` multiplies code with a linear curve by, a note on the luminance of its white)."""
    if _by_own_curve(image, photometry):
        white = screen_of(image, photometry).peak_nits
        return 1.0, (f"linear code: 1.0 = {white:g} cd/m², the white of the display",)
    if not photometry.assumes_absolute:
        return factor, ()
    return SDR_WHITE, (f"linear code: 1.0 = {SDR_WHITE:g} cd/m²",)

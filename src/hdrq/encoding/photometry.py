"""Conversion from the values of a file to the input of a metric: scale, display, primaries, encoding.

Everything that a score depends on besides the pixels is in one `Photometry`; the input that a metric needs is a
`InputSpec`; what both images of a call have in common is a `Terms`. `metric_input` applies them, in the same way to both images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from hdrq.encoding.display_choice import factor_of, factor_of_linear_code, looks_relative, screen_of
from hdrq.encoding.displays import is_linear_code
from hdrq.encoding.emission import (
    LIGHT,
    SDR_WHITE,
    decode,
    emit,
    encode,
    finite,
    outside,
    range_notes,
    white_of,
)
from hdrq.encoding.settings import Photometry, Side, refuse_unknown_primaries
from hdrq.errors import PixelError
from hdrq.image.caching import shared
from hdrq.image.color import LUMINANCE, convert, luma, rgb_to_xyz, weigh, working_in
from hdrq.records import BT709, BT2020, P3, PRIMARIES, Encoding, Image, Primaries
from hdrq.registry import find

__all__ = [
    "LIGHT",
    "SDR_WHITE",
    "InputSpec",
    "Photometry",
    "Side",
    "Terms",
    "decode",
    "emit",
    "encode",
    "factor_of",
    "looks_relative",
    "refuse_unknown_primaries",
    "screen_of",
    "white_of",
]


@dataclass(frozen=True)
class InputSpec:
    """Input of a metric: light ("nits", "linear") or code of `encoding` (None: as stored in the file)."""

    reads: str
    encoding: str | None = None
    tonemapper: str | None = None
    channel: str | None = None
    grey: bool = False
    codes: bool = False
    space: str = "working"


@dataclass(frozen=True)
class Terms:
    """What applies to all images of a call, so that both are converted in the same way.

    primaries  the working primaries
    exact      luminance by the exact matrix of the primaries; False: all files are BT.709, and its usual six digits are used
    stored     code is compared as stored in the files
    eight_bit  all files have 8 bits, for which MATLAB rounds luma
    white      cd/m² of 1.0 in relative encodings; None: 100, for HLG 1000
    """

    primaries: Primaries = BT709
    exact: bool = False
    stored: bool = False
    eight_bit: bool = False
    white: float | None = None


@shared
def emit_for(
    image: Image, photometry: Photometry, factor: float, primaries: Primaries | None = BT709
) -> Image:
    """`emit` with the arguments of the photometry; a file's whiteLuminance is used where the user gives no scale."""
    said: tuple[str, ...] = ()
    screen = screen_of(image, photometry)
    if photometry.assumes_absolute and image.domain in LIGHT and image.white_nits and not image.displayed:
        factor = image.white_nits
        said = (f"whiteLuminance: 1.0 is {factor:g} cd/m²",)
    elif is_linear_code(image):
        factor, said = factor_of_linear_code(image, photometry, factor)
    light = emit(
        image,
        screen,
        scale=factor,
        nonfinite=photometry.nonfinite,
        primaries=primaries,
        white=photometry.white or photometry.peak,
    )
    return replace(light, notes=(*light.notes, *said)) if said else light


def working_primaries(
    images: Sequence[Image], photometries: Sequence[Photometry], factors: Sequence[float]
) -> Primaries:
    """The requested working primaries, else the smallest of BT.709, P3 and BT.2020 that contain every image."""
    stated = photometries[0].primaries
    if stated is not None:
        return PRIMARIES[stated]
    wide = [
        emit_for(i, p, f, None)
        for i, p, f in zip(images, photometries, factors, strict=True)
        if i.primaries != BT709 and i.pixels.shape[1] == 3
    ]
    for candidate in (BT709, P3):
        if not any(bool(outside(convert(i.pixels, i.primaries, candidate)).any()) for i in wide):
            return candidate
    return BT2020


def common_white(photometry: Photometry) -> float | None:
    """cd/m² of 1.0 in relative encodings by --white, --peak or the display of both sides; None: the encoding's default."""
    d = photometry.display
    shown = d.peak_nits if d is not None and d.eotf not in ("absolute", "light") else None
    return photometry.white or photometry.peak or shown


@shared
def metric_input(
    image: Image, spec: InputSpec, photometry: Photometry, factor: float = 1.0, terms: Terms = Terms()
) -> Tensor:
    """The input of a metric from one image: (N, C, H, W)."""
    if spec.reads in LIGHT and spec.encoding is None:
        return _in_space(_emitted(image, spec, photometry, factor, terms), spec, terms)
    if terms.stored:
        code, encoding = finite(image, photometry.nonfinite)[0], find("encoding", image.domain)
    else:
        code, encoding = _encoded(image, spec, photometry, factor, terms)
    if code.shape[1] == 3 and (spec.grey or spec.channel == "luma"):
        code = luma(code)
        # MATLAB's rgb2gray of uint8 is uint8, as in the authors' programs
        if terms.stored and terms.eight_bit:
            code = (code * 255).round() / 255
    return code * encoding.codes if spec.codes else code


def _wants_luminance(image: Image, spec: InputSpec, terms: Terms) -> bool:
    """Whether the metric gets only one channel, the luminance."""
    if spec.channel == "y":
        return True
    if spec.reads in LIGHT and spec.encoding is None:
        return spec.grey or (spec.space == "luminance" and terms.exact)
    return spec.grey and spec.channel != "luma" and stage_of(image, spec, terms)[0].grey == "luminance"


def _emitted(image: Image, spec: InputSpec, photometry: Photometry, factor: float, terms: Terms) -> Image:
    """Light in the working primaries; in the file's own for luminance that no display clips."""
    uncut = screen_of(image, photometry).eotf == "absolute" and not spec.tonemapper
    own = uncut and _wants_luminance(image, spec, terms)
    return emit_for(image, photometry, factor, None if own else terms.primaries)


def _in_space(light: Image, spec: InputSpec, terms: Terms) -> Tensor:
    """Light in the form that a metric of light needs."""
    if light.pixels.shape[1] == 1:
        return light.pixels
    if _wants_luminance(light, spec, terms):
        return luminance_of(light, terms)
    if spec.space in PRIMARIES:
        return convert(light.pixels, light.primaries, PRIMARIES[spec.space])
    return light.pixels.clamp(min=0) if terms.exact else light.pixels


def luminance_of(light: Image, terms: Terms) -> Tensor:
    """Luminance, cd/m², (N, 1, H, W)."""
    weights = LUMINANCE if not terms.exact else tuple(float(w) for w in rgb_to_xyz(light.primaries)[1])
    return weigh(light.pixels, weights)


def _encoded(
    image: Image, spec: InputSpec, photometry: Photometry, factor: float, terms: Terms
) -> tuple[Tensor, Encoding]:
    """Code of light, by the stages of the spec."""
    encoding, white = stage_of(image, spec, terms)
    emitted = _emitted(image, spec, photometry, factor, terms)
    light = emitted.pixels
    if spec.tonemapper:
        with working_in(emitted.primaries):
            light = find("tonemapper", spec.tonemapper)(light) * SDR_WHITE
    if _wants_luminance(image, spec, terms):
        light = luminance_of(emitted.with_pixels(light), terms)
    elif terms.exact:
        light = light.clamp(min=0)
    return encoding.encode(light, white), encoding


def stage_of(image: Image, spec: InputSpec, terms: Terms) -> tuple[Encoding, float]:
    """The encoding from light to code, and the luminance of its 1.0 where it is relative."""
    encoding: Encoding = find("encoding", spec.encoding or ("srgb" if spec.tonemapper else image.domain))
    if spec.tonemapper:
        return encoding, SDR_WHITE
    return encoding, white_of(encoding, None, terms.white)


def encoding_notes(
    image: Image, spec: InputSpec, photometry: Photometry, factor: float, terms: Terms
) -> tuple[str, ...]:
    """Notes on how this image was converted, for the user."""
    if terms.stored and not (spec.reads in LIGHT and spec.encoding is None):
        return finite(image, photometry.nonfinite)[1]
    light = _emitted(image, spec, photometry, factor, terms)
    notes = light.notes[0 if image.displayed else len(image.notes) :]
    if (spec.reads in LIGHT and spec.encoding is None) or spec.tonemapper:
        return notes
    encoding, white = stage_of(image, spec, terms)
    if not encoding.absolute:
        notes = (*notes, f"{encoding.name}: 1.0 = {white:g} cd/m²")
    return (*notes, *range_notes(light.pixels, encoding, white))


def relabel(image: Image, photometry: Photometry) -> Image:
    """The image in the domain and the primaries the user says it has."""
    held = photometry.file_primaries
    if held is not None and image.pixels.shape[1] == 3 and not image.displayed:
        image = replace(image, primaries=PRIMARIES[held])
    if photometry.domain is None or photometry.domain == image.domain:
        return image
    return replace(image, domain=photometry.domain)


def as_image(pixels: Image | Tensor, domain: str = "nits", primaries: Primaries = BT709) -> Image:
    """An Image of a tensor, which is taken as light in cd/m²."""
    if isinstance(pixels, Image):
        return pixels
    if pixels.dim() == 3:
        pixels = pixels[None]
    if pixels.dim() != 4 or pixels.shape[1] not in (1, 3):
        raise PixelError(f"an image is (N, C, H, W) with 1 or 3 channels, not {tuple(pixels.shape)}")
    return Image(pixels, domain, primaries)

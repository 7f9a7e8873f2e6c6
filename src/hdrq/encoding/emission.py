"""Conversion between light and code: light emitted by a display, code of light, light of code, and cd/m² of relative light."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from hdrq.arguments import checked, refuse_not_positive
from hdrq.encoding.display_model import about, gain_offset_gamma, hlg_light, lifted, lowest, show
from hdrq.encoding.displays import default_screen, is_linear_code
from hdrq.errors import DomainError, PixelError, UsageError
from hdrq.image.arithmetic import all_finite, extremes
from hdrq.image.color import convert
from hdrq.image.statistics import luminance
from hdrq.records import Display, Encoding, Image, Primaries
from hdrq.registry import find, names

LIGHT = ("linear", "nits")
# cd/m², default luminance of 1.0 in relative encodings
SDR_WHITE = 100.0
# cd/m², nominal peak of BT.2100
HLG_WHITE = 1000.0
# relative to a pixel's largest channel, and cd/m²: negatives from rounding in conversions of primaries
_ROUNDING = (1e-3, 1e-4)
# code nearer to 0 or 1 is there but for rounding
_STEP = 1e-6


def in_float64(image: Image) -> Image:
    """The image in double precision; integer code gets back the digits that float32 lost."""
    pixels = image.pixels.double()
    if image.bits and image.domain not in LIGHT and image.pixels.dtype == torch.float32:
        most = 2**image.bits - 1
        whole = (pixels * most).round() / most
        pixels = torch.where((whole - pixels).abs() < 2.0**-23 * (1 + pixels.abs()), whole, pixels)
    return image.with_pixels(pixels)


@checked
def emit(
    image: Image,
    display: Display | None = None,
    *,
    scale: float = 1.0,
    nonfinite: Literal["error", "clamp"] = "error",
    primaries: Primaries | None = None,
    white: float | None = None,
) -> Image:
    """The light emitted by the display: domain "nits", cd/m², in `primaries` (None: the image's own).

    Display code (srgb, gamma, pq, hlg) is converted by the display's EOTF. Other code is decoded to light; `white` is the
    luminance of 1.0 in relative encodings of it.
    Light is multiplied by `scale`; on `absolute` it is unchanged, on a "linear" display 1.0 becomes the peak, on any
    other it is clipped to the display's range. Negative values become black; these, values that the display cannot
    show and colours outside `primaries` are counted in `notes`. Light that was displayed before is only converted.

    raises  DomainError where the display expects other code; PixelError for NaN or Inf under nonfinite="error"
    """
    refuse_not_positive(scale=scale, white=white)
    display = display or default_screen(image)
    target = primaries or image.primaries
    pixels, notes = finite(image, nonfinite)
    if image.displayed:
        light, said = _converted(pixels, image, target)
    elif image.domain in ("srgb", "gamma", "hlg", "pq") or (
        is_linear_code(image) and display.eotf == "linear" and scale == 1
    ):
        light, said = _signal_light(pixels, image, display)
        light, outside = _converted(light, image, target)
        said = (*said, *outside)
        if image.domain == "pq" and display.eotf == "pq":
            said = (*said, *_beyond(light, display), *about(display))
            light = show(light, display)
    else:
        said = ()
        if image.domain in LIGHT:
            light = pixels * scale if scale != 1 else pixels
        else:
            encoding: Encoding = find("encoding", image.domain)
            white = white_of(encoding, display, white)
            light = encoding.decode(pixels, white)
            said = () if encoding.absolute else (f"{encoding.name}: 1.0 = {white:g} cd/m²",)
        light, below = _without_negatives(light, image)
        light, outside = _converted(light, image, target)
        said = (*said, *below, *outside)
        if display.eotf == "linear" and image.domain in LIGHT:
            light = gain_offset_gamma(light, display)
        elif display.eotf != "absolute":
            said = (*said, *_beyond(light, display), *about(display))
            light = show(light, display)
    return Image(
        light,
        "nits",
        target,
        notes=(*image.notes, *notes, *said),
        path=image.path,
        displayed=True,
        frame_rate=image.frame_rate,
    )


def white_of(encoding: Encoding, display: Display | None = None, white: float | None = None) -> float:
    """cd/m² of 1.0 in a relative encoding: the given white, else the display's peak, else 100 (HLG: 1000)."""
    if white is not None:
        return white
    if display is not None and display.eotf not in ("absolute", "light"):
        return display.peak_nits
    return HLG_WHITE if encoding.name == "hlg" else SDR_WHITE


def outside(light: Tensor) -> Tensor:
    """Mask of values that are negative by more than the rounding of a conversion between primaries."""
    light = light.detach()
    share, nits = _ROUNDING
    return light < -(share * light.amax(1, keepdim=True).clamp(min=0) + nits)


def _converted(light: Tensor, image: Image, target: Primaries) -> tuple[Tensor, tuple[str, ...]]:
    """Light in other primaries; colours outside their gamut are clipped and counted."""
    if light.shape[1] == 1 or image.primaries == target:
        return light, ()
    light = convert(light, image.primaries, target)
    note = gamut_note(outside(light), target)
    return (light.clamp(min=0) if note else light), note


def gamut_note(beyond: Tensor, gamut: Primaries, how: str = "clipped") -> tuple[str, ...]:
    """How many values a mask marks as outside a gamut, and what became of them; () for none."""
    count = int(beyond.sum())
    if count == 0:
        return ()
    return (f"{count:,} values ({_percent(100 * count / beyond.numel())} %){outside_gamut(gamut, how)}",)


def outside_gamut(gamut: Primaries, how: str = "clipped") -> str:
    """The end of a `gamut_note`, by which it is known among other notes."""
    return f" outside the {gamut.name} gamut, {how}"


def _signal_light(code: Tensor, image: Image, d: Display) -> tuple[Tensor, tuple[str, ...]]:
    """Light of display code on a display, in the image's own primaries, and notes; PQ is not yet clipped to the display."""
    domain = image.domain
    said = _beyond_code(code)
    if domain in ("pq", "hlg"):
        if d.eotf not in (domain, "absolute"):
            raise DomainError(_mismatch(image, d, f"a {domain.upper()} display such as hdr-{domain}-1000"))
        if d.eotf == "hlg":
            light = hlg_light(code, d)
            return lifted(light, d), (*said, *_beyond(light, d))
        decoded: Tensor = find("encoding", domain).decode(code, HLG_WHITE)
        return decoded, said
    if d.eotf == "light":
        raise DomainError(_mismatch(image, d, "an SDR display such as standard-4k"))
    if d.eotf in ("pq", "hlg"):
        raise DomainError(
            _mismatch(image, d, f"--domain {d.eotf} if the file holds such code, or an SDR display")
        )
    if d.eotf != "absolute":
        # its curve is not that of the display
        own = domain == "gamma" and d.eotf == "srgb"
        return gain_offset_gamma(code, replace(d, eotf="2.2") if own else d), said
    encoding: Encoding = find("encoding", domain)
    return encoding.decode(code, SDR_WHITE), ()


def _beyond_code(code: Tensor) -> tuple[str, ...]:
    """The share of code outside 0..1, which a display clips."""
    code = code.detach()
    if code.numel() == 0 or (float(code.min()) >= -_STEP and float(code.max()) <= 1 + _STEP):
        return ()
    count = int(((code < -_STEP) | (code > 1 + _STEP)).sum())
    return (f"{count:,} values ({_percent(100 * count / code.numel())} %) of code outside 0..1, clipped",)


def _mismatch(image: Image, d: Display, way_out: str) -> str:
    return f"{image.path or 'the image'} holds {image.domain} code, which {d.name} (EOTF {d.eotf}) does not show; use {way_out}"


def finite(image: Image, nonfinite: str) -> tuple[Tensor, tuple[str, ...]]:
    """The pixels without NaN and Inf, and a note on what was replaced."""
    if nonfinite not in ("error", "clamp"):
        raise UsageError(f"nonfinite: '{nonfinite}' is not one of error, clamp")
    pixels = image.pixels
    if all_finite(pixels):
        return pixels, ()
    broken = ~torch.isfinite(pixels)
    count = int(broken.sum())
    nans = int(torch.isnan(pixels).sum())
    first = broken.any(dim=1)[0].nonzero()[0].tolist() if pixels.dim() == 4 and broken[0].any() else [0, 0]
    kinds = " and ".join(f"{n:,} {kind}" for n, kind in ((nans, "NaN"), (count - nans, "Inf")) if n)
    fact = f"{kinds} values, the first at row {first[0]}, column {first[1]}"
    if nonfinite == "error":
        raise PixelError(f"{image.path or 'the image'} has {fact}; correct the file or add --nonfinite clamp")
    top = float(torch.where(broken, torch.zeros_like(pixels), pixels).max())
    return torch.nan_to_num(pixels, nan=0.0, posinf=top, neginf=0.0), (f"{fact}, clamped",)


def _without_negatives(light: Tensor, image: Image) -> tuple[Tensor, tuple[str, ...]]:
    """Light with negative values set to black, and a note with their number."""
    if light.numel() == 0 or float(light.detach().min()) >= 0:
        return light, ()
    count = int((light.detach() < 0).sum())
    share = 100 * count / light.numel()
    note = f"{count:,} negative values ({share:.2g} %, out of the {image.primaries.name} gamut or noise) clamped to black"
    return light.clamp(min=0), (note,)


def _beyond(light: Tensor, d: Display) -> tuple[str, ...]:
    """The share of light outside the display's range, in one line."""
    light, low = light.detach(), lowest(d)
    least, greatest = extremes(light)
    if least >= low * (1 - _STEP) and greatest <= d.peak_nits * (1 + _STEP):
        return ()
    count = int((light > d.peak_nits * (1 + _STEP)).sum() + (light < low * (1 - _STEP)).sum())
    if count == 0:
        return ()
    share = _percent(100 * count / light.numel())
    return (
        f"{count:,} values ({share} %) outside the range of {d.name}, {low:g}..{d.peak_nits:g} cd/m², clipped",
    )


@checked
def encode(light: Image, encoding: str, white: float | None = None) -> Image:
    """Code of light. `white`, cd/m², is the luminance of 1.0 in relative encodings (default 100, for HLG 1000).

    Values outside the range of the encoding are clamped and counted in `notes`.
    """
    refuse_not_positive(white=white)
    if light.domain != "nits":
        raise DomainError(
            f"only light in nits can be encoded, not {light.domain}; show it on a display first"
        )
    found: Encoding = find("encoding", encoding)
    top = white_of(found, None, white)
    notes = (*light.notes, *range_notes(light.pixels, found, top))
    return light.with_pixels(found.encode(light.pixels, top), domain=encoding, notes=notes, displayed=False)


@checked
def decode(code: Image, white: float | None = None) -> Image:
    """Light of code, cd/m²; inverse of `encode`."""
    refuse_not_positive(white=white)
    if code.domain in LIGHT:
        raise DomainError(f"the image is already light ({code.domain})")
    found: Encoding = find("encoding", code.domain)
    return code.with_pixels(found.decode(code.pixels, white_of(found, None, white)), domain="nits")


def refuse_unknown_domain(domain: str | None) -> None:
    """Raise for a domain that is neither light nor an encoding."""
    known = dict.fromkeys((*LIGHT, *names("encoding")))
    if domain is not None and domain not in known:
        raise DomainError(f"unknown domain '{domain}'; choose one of {', '.join(known)}")


def _percent(share: float) -> str:
    """A percentage with two significant digits, without an exponent."""
    return f"{share:.2g}" if share < 99.5 else f"{share:.0f}"


def range_notes(light: Tensor, encoding: Encoding, white: float) -> tuple[str, ...]:
    """Notes if light exceeds the range of an encoding. Black (0) is its lowest code and is not counted."""
    low, top = encoding.nits[0], white if encoding.name == "hlg" else encoding.nits[1]
    light = light.detach()
    least, greatest = extremes(light)
    high, dark, found = top * (1 + 1e-4), low * (1 - 1e-4), []
    # NaN is beyond both; to count takes ten times as long
    if not greatest <= high:
        found.append((f"above {top:g} cd/m², the maximum", light > high))
    if not least >= dark:
        found.append((f"between 0 and {low:g} cd/m², the minimum", (light > 0) & (light < dark)))
    return tuple(
        f"{count:,} values ({_percent(100 * count / light.numel())} %) {what} of {encoding.name}, clamped"
        for what, beyond in found
        if (count := int(beyond.sum()))
    )


# cd/m², for the geometric mean of a relative scene: 18 % of the white of ITU-R BT.2408-7, section 2.1, which is 203 cd/m²
ANCHOR_NITS = 0.18 * 203


def anchored(light: Tensor) -> Tensor:
    """Relative light as cd/m²: the geometric mean luminance of each image becomes ANCHOR_NITS."""
    return light * (ANCHOR_NITS / geometric_mean(light))


def geometric_mean(light: Tensor) -> Tensor:
    """Geometric mean luminance of the pixels that are not black, for every image of a batch."""
    y = luminance(light)
    lit = y > 0
    logs = torch.where(lit, y.clamp(min=1e-30).log(), 0.0)
    return (logs.sum((1, 2, 3)) / lit.sum((1, 2, 3)).clamp(min=1)).exp().view(-1, 1, 1, 1)

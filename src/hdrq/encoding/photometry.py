"""From what a file holds to what a metric reads: scale, display, primaries, encoding.

Everything a number depends on besides the pixels is in one `Photometry`; what a metric wants to be
handed is one `Wish`. `hand(image, wish, photometry)` brings the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from hdrq.encoding.display_model import gain_offset_gamma, show, show_hlg
from hdrq.encoding.displays import display as shelf_display
from hdrq.errors import DomainError, PixelError
from hdrq.image.arithmetic import all_finite
from hdrq.image.color import convert, luma, luminance
from hdrq.image.sharing import shared
from hdrq.records import BT709, Display, Encoding, Image, Primaries, Viewing
from hdrq.registry import find, names

LIGHT = ("linear", "nits")
SDR_WHITE = 100.0  # cd/m², what relative encodings call 1.0 where no display or option says otherwise
_DIM_MEAN, _DIM_PEAK = 1.0, 100.0  # cd/m²: below these a file looks relative


@dataclass(frozen=True)
class Photometry:
    """What turns numbers into light.

    display    None: by what the file holds (sRGB code on `sdr`, HLG on its screen, PQ and light as they are)
    scale      cd/m² of a pixel value of 1 in a relative file; None: the values are cd/m² already
    peak       cd/m² at which the reference's brightest value is put (and the test's, by the same factor)
    white      cd/m² of a pixel value of 1, and what relative encodings (mu, srgb, linear) call 1.0
    domain     what the files hold, where they cannot say so themselves (untagged PQ in a PNG)
    nonfinite  NaN and Inf: "error" refuses the file, "clamp" makes NaN black and Inf the largest value
    """

    display: Display | None = None
    viewing: Viewing = field(default_factory=Viewing)
    scale: float | None = None
    peak: float | None = None
    white: float | None = None
    domain: str | None = None
    nonfinite: Literal["error", "clamp"] = "error"

    @property
    def assumes_absolute(self) -> bool:
        """Whether nothing but convention says that light is in cd/m²."""
        return self.scale is None and self.peak is None and self.white is None


@dataclass(frozen=True)
class Wish:
    """What one side of a metric wants: light ("nits", "linear") or code of `encoding` (None: as the file has it)."""

    reads: str
    encoding: str | None = None
    tonemapper: str | None = None
    channel: str | None = None
    grey: bool = False
    codes: bool = False


def screen_of(image: Image, photometry: Photometry) -> Display:
    """The display an image is shown on: the one asked for, else the one its domain goes with."""
    if photometry.display is not None:
        return photometry.display
    if image.domain in ("srgb", "gamma"):
        return shelf_display("sdr")
    return shelf_display("hdr-hlg-1000" if image.domain == "hlg" else "absolute")


def emit(
    image: Image,
    display: Display | None = None,
    *,
    scale: float = 1.0,
    nonfinite: Literal["error", "clamp"] = "error",
) -> Image:
    """The light that leaves the screen: domain "nits", cd/m², BT.709 primaries.

    Code goes through the display's EOTF. Light is multiplied by `scale`; on `absolute` it stays as it is,
    on a "linear" display 1.0 becomes the peak, on any other it is cut to what the screen can show.
    Negative values (after the primaries) become the display's black, and are counted in `notes`.

    raises  DomainError where the display expects other code; PixelError for NaN or Inf under nonfinite="error"
    """
    display = display or screen_of(image, Photometry())
    pixels, notes = _finite(image, nonfinite)
    if image.domain in LIGHT:
        light = convert(pixels * scale if scale != 1 else pixels, image.primaries)
        light, below = _without_negatives(light, image)
        if display.eotf == "linear":
            light = gain_offset_gamma(light, display)
        elif display.eotf != "absolute":
            below = (*below, *_beyond(light, display))
            light = show(light, display)
    else:
        light, below = _without_negatives(
            convert(_signal_light(pixels, image, display), image.primaries), image
        )
        light = light.clamp(min=display.black_nits) if below else light
    return Image(light, "nits", BT709, notes=(*image.notes, *notes, *below), path=image.path)


def _signal_light(code: Tensor, image: Image, d: Display) -> Tensor:
    """Light of code on a display, in the image's own primaries."""
    domain = image.domain
    if domain in ("pq", "hlg"):
        if d.eotf not in (domain, "absolute"):
            raise DomainError(_mismatch(image, d, f"a {domain.upper()} display such as hdr-{domain}-1000"))
        if d.eotf == "hlg":
            return show_hlg(code, d)
        light = find("encoding", domain).decode(code, 1000.0)
        return light if d.eotf == "absolute" else show(light, d)
    if domain in ("srgb", "gamma"):
        if d.eotf == "light":
            raise DomainError(_mismatch(image, d, "an SDR display such as standard-4k"))
        if d.eotf in ("pq", "hlg"):
            raise DomainError(
                _mismatch(image, d, f"--domain {d.eotf} if that is what the file holds, or an SDR display")
            )
        if d.eotf != "absolute":
            return gain_offset_gamma(code, d)
    encoding: Encoding = find("encoding", domain)
    return encoding.decode(code, SDR_WHITE)


def _mismatch(image: Image, d: Display, way_out: str) -> str:
    return f"{image.path or 'the image'} holds {image.domain} code, which {d.name} (EOTF {d.eotf}) does not show; use {way_out}"


def _finite(image: Image, nonfinite: str) -> tuple[Tensor, tuple[str, ...]]:
    """The pixels without NaN and Inf, and what was done about them."""
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
        raise PixelError(f"{image.path or 'the image'} has {fact}; mend the file or add --nonfinite clamp")
    top = float(torch.where(broken, torch.zeros_like(pixels), pixels).max())
    return torch.nan_to_num(pixels, nan=0.0, posinf=top, neginf=0.0), (f"{fact}, clamped",)


def _without_negatives(light: Tensor, image: Image) -> tuple[Tensor, tuple[str, ...]]:
    """Light with negatives set to black, and how many there were."""
    if light.numel() == 0 or float(light.detach().min()) >= 0:
        return light, ()
    count = int((light.detach() < 0).sum())
    share = 100 * count / light.numel()
    note = f"{count:,} negative values ({share:.2g} %, out of the BT.709 gamut or noise) clamped to black"
    return light.clamp(min=0), (note,)


def _beyond(light: Tensor, d: Display) -> tuple[str, ...]:
    """How much of the light a screen cannot show, in one line."""
    outside = (light.detach() > d.peak_nits).sum() + (light.detach() < d.black_nits).sum()
    count = int(outside)
    if count == 0:
        return ()
    share = 100 * count / light.numel()
    return (
        f"{count:,} values ({share:.3g} %) beyond what {d.name} shows, {d.black_nits:g}..{d.peak_nits:g} cd/m², cut",
    )


def factor_of(reference: Image, photometry: Photometry) -> float:
    """cd/m² of a pixel value of 1, the same for a reference and its test image."""
    if photometry.peak is not None:
        finite = reference.pixels[torch.isfinite(reference.pixels)]
        brightest = float(finite.max()) if finite.numel() else 0.0
        if brightest <= 0:
            raise PixelError(f"{reference.path or 'the reference'} is black; --peak needs a brightest value")
        return photometry.peak / brightest
    return photometry.scale or photometry.white or 1.0


def looks_relative(image: Image, photometry: Photometry) -> str | None:
    """One line if light that is taken for cd/m² has the look of a relative file, else None."""
    if image.domain not in LIGHT or not photometry.assumes_absolute or image.white_nits:
        return None
    if photometry.display is not None and photometry.display.eotf == "linear":
        return None
    if image.pixels.numel() == 0:
        return None
    mean, peak = float(image.pixels.mean()), float(image.pixels.max())
    if not (mean < _DIM_MEAN or peak < _DIM_PEAK):
        return None
    return (
        f"{image.path or 'the image'} looks relative (mean {mean:.3g}, peak {peak:.3g}) but is taken as cd/m²; "
        "say what it is with --scale, --peak or --white"
    )


def encode(light: Image, encoding: str, white: float | None = None) -> Image:
    """Code of light. `white`, cd/m², is what relative encodings call 1.0 (default 100)."""
    if light.domain != "nits":
        raise DomainError(
            f"only light in nits can be encoded, not {light.domain}; emit it from a display first"
        )
    found: Encoding = find("encoding", encoding)
    return light.with_pixels(found.encode(light.pixels, white or SDR_WHITE), domain=encoding)


def decode(code: Image, white: float | None = None) -> Image:
    """Light of code, cd/m²; the inverse of `encode`."""
    if code.domain in LIGHT:
        raise DomainError(f"the image is light ({code.domain}) already; there is nothing to decode")
    found: Encoding = find("encoding", code.domain)
    return code.with_pixels(found.decode(code.pixels, white or SDR_WHITE), domain="nits")


def white_of(display: Display, photometry: Photometry) -> float:
    """cd/m² that relative encodings call 1.0."""
    if photometry.white or photometry.peak:
        return float(photometry.white or photometry.peak or SDR_WHITE)
    return SDR_WHITE if display.eotf == "absolute" else display.peak_nits


@shared
def hand(image: Image, wish: Wish, photometry: Photometry, factor: float = 1.0) -> Tensor:
    """What a metric asked for, made of one image: (N, C, H, W)."""
    if wish.reads in LIGHT and wish.encoding is None:
        light = emit_for(image, photometry, factor).pixels
        return luminance(light) if wish.grey or wish.channel == "y" else light
    own = image.domain not in LIGHT and wish.encoding in (None, image.domain)
    if own and wish.tonemapper is None and wish.channel != "y" and image.primaries == BT709:
        code, encoding = _finite(image, photometry.nonfinite)[0], find("encoding", image.domain)
        eight_bit = image.bits == 8
    else:
        code, encoding = _encoded(image, wish, photometry, factor)
        eight_bit = False
    if code.shape[1] == 3 and (wish.grey or wish.channel == "luma"):
        code = luma(code)
        if eight_bit:  # MATLAB's rgb2gray of uint8 is uint8, and the authors' programs read it so
            code = (code * 255).round() / 255
    return code * encoding.codes if wish.codes else code


@shared
def emit_for(image: Image, photometry: Photometry, factor: float) -> Image:
    """`emit` with everything taken from the photometry; a file's own whiteLuminance counts where the user says nothing."""
    if photometry.assumes_absolute and image.domain in LIGHT and image.white_nits:
        factor = image.white_nits
        said: tuple[str, ...] = (f"whiteLuminance: 1.0 is {factor:g} cd/m²",)
    else:
        said = ()
    light = emit(image, screen_of(image, photometry), scale=factor, nonfinite=photometry.nonfinite)
    return replace(light, notes=(*light.notes, *said)) if said else light


def _encoded(image: Image, wish: Wish, photometry: Photometry, factor: float) -> tuple[Tensor, Encoding]:
    """Code made of light, by the stages of the wish."""
    name = wish.encoding or ("srgb" if wish.tonemapper else image.domain)
    encoding: Encoding = find("encoding", name)
    light = emit_for(image, photometry, factor).pixels
    white = white_of(screen_of(image, photometry), photometry)
    if wish.tonemapper:
        light, white = find("tonemapper", wish.tonemapper)(light) * SDR_WHITE, SDR_WHITE
    if wish.channel == "y" or (wish.grey and encoding.grey == "luminance" and wish.channel != "luma"):
        light = luminance(light)
    return encoding.encode(light, white), encoding


def relabel(image: Image, photometry: Photometry) -> Image:
    """The image in the domain the user says it has."""
    if photometry.domain is None or photometry.domain == image.domain:
        return image
    if photometry.domain not in (*LIGHT, *names("encoding")):
        raise DomainError(
            f"no domain is called '{photometry.domain}'; there are {', '.join((*LIGHT, *names('encoding')))}"
        )
    return replace(image, domain=photometry.domain)


def placed(image: Image, device: torch.device | None, dtype: torch.dtype | None) -> Image:
    """The image on a device in a precision.

    In float64, code of integer files becomes k / (2^bits - 1) again: readers hold it in float32, 3e-8 away.
    """
    pixels = image.pixels.to(device=device, dtype=dtype)
    if pixels is image.pixels:
        return image
    if (
        image.bits
        and image.domain not in LIGHT
        and image.pixels.dtype == torch.float32
        and dtype == torch.float64
    ):
        most = 2**image.bits - 1
        whole = (pixels * most).round() / most
        pixels = torch.where((whole - pixels).abs() < 2.0**-23 * (1 + pixels.abs()), whole, pixels)
    return replace(image, pixels=pixels)


def as_image(pixels: Image | Tensor, domain: str = "nits", primaries: Primaries = BT709) -> Image:
    """An Image of a bare tensor, which is taken as light in cd/m²."""
    if isinstance(pixels, Image):
        return pixels
    if pixels.dim() == 3:
        pixels = pixels[None]
    if pixels.dim() != 4 or pixels.shape[1] not in (1, 3):
        raise PixelError(f"a picture is (N, C, H, W) with 1 or 3 channels, not {tuple(pixels.shape)}")
    return Image(pixels, domain, primaries)

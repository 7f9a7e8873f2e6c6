"""The images of one comparison before the metric: placed on the device, labelled with what their files hold, refused where they
cannot be compared; and what they share: photometry of each side, luminance of 1.0, and whether code stays as stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hdrq.cards import Metric
from hdrq.encoding.emission import in_float64
from hdrq.encoding.photometry import LIGHT, InputSpec, Photometry, Terms, factor_of, relabel
from hdrq.errors import DomainError, PixelError, UsageError
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import BT709, Encoding, Image
from hdrq.registry import find

# of SDR images
DISPLAY_CODE = ("srgb", "gamma")
PHOTOGRAPH = "the developed light as sRGB code, white where the sensor clips"


def name_of(image: Image) -> str:
    """The image's path, where it has one."""
    return image.path or "the image"


def refuse_unfit(metric: Metric, images: Sequence[Image], as_stored: bool) -> None:
    """Raise for images that are too small, hold light where code is compared, mix encodings, or are in the wrong order.

    as_stored  whether the metric compares code and no stage names its encoding
    """
    h, w = images[-1].size
    if min(h, w) < metric.card.side:
        raise PixelError(
            f"{name_of(images[-1])} is {w}x{h}, and {metric.name} needs at least {metric.card.side} pixels per side"
        )
    for image in images:
        if as_stored and image.domain in LIGHT:
            raise DomainError(light_needs_encoding(metric.name, name_of(image)))
    if len(images) < 2:
        return
    a, b = images
    held = a.pixels.shape[0], b.pixels.shape[0]
    if held[0] != held[1] and held[0] > 1 and not metric.card.stack:
        raise PixelError(
            f"{name_of(a)} holds {held[0]} images and {name_of(b)} {held[1]}, and {metric.name} compares them pair by pair; "
            "give the same number of each"
        )
    if as_stored and a.domain != b.domain:
        raise DomainError(
            f"{metric.name} cannot compare {a.domain} code ({name_of(a)}) with {b.domain} code ({name_of(b)}) value by "
            f"value; write pu21:{metric.name}, or --ref-domain and --dist-domain where a file is tagged wrongly"
        )
    if _asymmetric(metric) and a.domain in DISPLAY_CODE and b.domain not in DISPLAY_CODE:
        raise DomainError(
            f"{metric.name} compares an HDR reference with an SDR test image, but {name_of(a)} is {_kind(a)} and "
            f"{name_of(b)} is {_kind(b)}; give the HDR image first"
        )


def order_notes(metric: Metric, images: Sequence[Image]) -> tuple[str, ...]:
    """A note where a metric of an HDR reference and an SDR test image gets another kind of file on either side."""
    if len(images) < 2 or not _asymmetric(metric):
        return ()
    a, b = images
    notes = []
    if a.domain in DISPLAY_CODE:
        notes.append(
            f"{Path(name_of(a)).name} is {a.domain} code, and {metric.name} expects an HDR reference"
        )
    if b.domain not in DISPLAY_CODE:
        notes.append(
            f"{Path(name_of(b)).name} is {_kind(b)}, and {metric.name} expects {metric.card.reads} code"
        )
    return tuple(notes)


def _kind(image: Image) -> str:
    return "light" if image.domain in LIGHT else f"{image.domain} code"


def primaries_notes(terms: Terms) -> tuple[str, ...]:
    """A note on the working primaries, where they are not BT.709."""
    return () if terms.stored or not terms.exact else (f"working primaries {terms.primaries.name}",)


def light_needs_encoding(name: str, path: str) -> str:
    """The error for a metric of code that was given light."""
    return f"{name} compares code, and {path} holds light; write pu21:{name} or pq:{name}"


def sizes_differ(ref: Image, dist: Image) -> str:
    """The error for images of two sizes."""
    (h, w), (y, x) = ref.size, dist.size
    return f"{name_of(ref)} is {w}x{h} but {name_of(dist)} is {x}x{y}; crop or resize one of them"


def refuse_other_rate(ref: Image, dist: Image) -> None:
    """Raise for clips of different frame rates, whose frames do not correspond."""
    a, b = ref.frame_rate, dist.frame_rate
    if a and b and abs(a / b - 1) > 1e-3:
        raise PixelError(
            f"{name_of(ref)} has {a:.6g} frames per second and {name_of(dist)} {b:.6g}; "
            "select corresponding frames with --ref-frames and --dist-frames, or convert one"
        )


def _asymmetric(metric: Metric) -> bool:
    """Whether the reference is light and the test image is code."""
    return metric.card.reference_reads in LIGHT and metric.card.reads not in LIGHT


def sides_of(photometry: Photometry, count: int) -> list[Photometry]:
    """The photometry of each image."""
    return [photometry.of(photometry.ref), photometry.of(photometry.dist)][-count:]


def factors_of(images: tuple[Image, ...], p: Photometry) -> list[float]:
    """cd/m² of a pixel value of 1 in each image: the reference's for both, unless a side has its own scale."""
    if (
        p.peak is not None
        and len(images) == 2
        and images[0].domain not in LIGHT
        and images[1].domain in LIGHT
    ):
        raise UsageError(
            f"--peak sets the brightest value of a relative reference, and {name_of(images[0])} holds "
            f"{images[0].domain} code; give --dist-scale for the test image"
        )
    common = factor_of(images[0], p)
    return [side.scale if side.scale is not None else common for side in (p.ref, p.dist)[-len(images) :]]


def takes_code(spec: InputSpec) -> bool:
    """Whether the input is code, not light."""
    return spec.encoding is not None or spec.reads not in LIGHT


def compared_as_stored(
    images: tuple[Image, ...], specs: tuple[InputSpec, ...], photometry: Photometry
) -> bool:
    """Whether code is compared as stored: all files have the requested encoding and the same gamut.

    Where a stage names the encoding, the value does not depend on whether the files hold the code or its light. So these
    are no such cases: code of luminance for colours and a metric of one channel; absolute code and a requested display,
    which shows its light; requested primaries; and one image alone in wide primaries, whose light is encoded in those that
    it needs.
    """
    compared = [(i, w) for i, w in zip(images, specs, strict=True) if takes_code(w)]
    return bool(compared) and all(
        i.domain not in LIGHT
        and w.encoding in (None, i.domain)
        and w.tonemapper is None
        and w.channel != "y"
        and i.primaries == compared[0][0].primaries
        and i.domain == compared[0][0].domain
        and not (w.encoding and _taken_as_light(i, w, photometry, alone=len(images) == 1))
        for i, w in compared
    )


def _taken_as_light(image: Image, spec: InputSpec, photometry: Photometry, alone: bool) -> bool:
    """Whether the light of code in the encoding of a stage counts, not the code."""
    if photometry.primaries is not None or (alone and image.primaries != BT709):
        return True
    if photometry.display is not None and find("encoding", image.domain).absolute:
        return True
    return spec.grey and spec.channel is None and _of_luminance(image)


def _of_luminance(image: Image) -> bool:
    """Whether one channel of such code is that of luminance, and the image has three."""
    encoding: Encoding = find("encoding", image.domain)
    return encoding.grey == "luminance" and image.pixels.shape[1] == 3


def moved_to(image: Image, device: torch.device | None, dtype: torch.dtype | None) -> Image:
    """The image on a device and in a precision. In float64, integer code gets back the digits that float32 lost."""
    moved = image.pixels.to(device=device)
    if moved.dtype == torch.float32 and dtype == torch.float64:
        return in_float64(image.with_pixels(moved))
    pixels = moved.to(dtype=dtype)
    if pixels is image.pixels:
        return image
    return image.with_pixels(pixels)


def photograph(image: Image, spec: InputSpec) -> Image:
    """A single camera exposure as sRGB code, where code is compared; any other image unchanged."""
    code = spec.reads not in LIGHT and spec.encoding in (None, "srgb") and spec.tonemapper is None
    if not (code and image.exposed and image.domain == "linear"):
        return image
    notes = (*image.notes, PHOTOGRAPH)
    return image.with_pixels(linear_to_srgb(image.pixels.clamp(0, 1)), domain="srgb", notes=notes)


def labelled(images: tuple[Image, ...], photometry: Photometry) -> tuple[Image, ...]:
    """Each image in the domain that the user states for its file.

    What is said of both sides counts for files of one kind; where one file is of floats and the other of integers, only
    the integers, which could not say themselves what they are, are taken for it.
    """
    kinds = {i.bits is None for i in images}
    stated = photometry.domain
    labelled_images = []
    for image, side in zip(images, (photometry.ref, photometry.dist)[-len(images) :], strict=True):
        own = side.domain
        if image.displayed:
            labelled_images.append(image)
        elif (
            own is None
            and stated is not None
            and len(kinds) == 2
            and image.bits is None
            and image.domain in LIGHT
        ):
            note = f"is a float file and stays {image.domain}; --domain {stated} is taken for the other"
            said = image.notes if note in image.notes else (*image.notes, note)
            labelled_images.append(
                relabel(replace(image, notes=said), replace(photometry.of(side), domain=None))
            )
        else:
            labelled_images.append(relabel(image, photometry.of(side)))
    return tuple(labelled_images)


def labelled_as(frame: Image, first: Image | Tensor | None, taken: Image) -> Image:
    """A frame of a clip in the domain and primaries that its first frame, read as `first`, was taken for."""
    if isinstance(first, Image) and (frame.domain, frame.primaries) == (first.domain, first.primaries):
        return replace(frame, domain=taken.domain, primaries=taken.primaries)
    return frame

"""Refusal of images that a metric cannot compare, and notes on what it compared, in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hdrq.cards import Metric
from hdrq.encoding.photometry import LIGHT, Terms
from hdrq.errors import DomainError, PixelError
from hdrq.records import Image

DISPLAY_CODE = ("srgb", "gamma")  # of SDR images


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


def about_terms(terms: Terms) -> tuple[str, ...]:
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

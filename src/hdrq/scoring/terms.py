"""What the images of one comparison share: photometry of each side, luminance of 1.0, and whether code stays as stored."""

from __future__ import annotations

from hdrq.encoding.photometry import LIGHT, Photometry, Wish, factor_of
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.scoring.refusals import name_of


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


def stored(images: tuple[Image, ...], wishes: tuple[Wish, ...]) -> bool:
    """Whether code is compared as stored: all files have the requested encoding and the same gamut."""
    compared = [(i, w) for i, w in zip(images, wishes, strict=True) if w.encoding or w.reads not in LIGHT]
    return bool(compared) and all(
        i.domain not in LIGHT
        and w.encoding in (None, i.domain)
        and w.tonemapper is None
        and w.channel != "y"
        and i.primaries == compared[0][0].primaries
        and i.domain == compared[0][0].domain
        for i, w in compared
    )

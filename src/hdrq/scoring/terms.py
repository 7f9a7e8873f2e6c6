"""What the images of one comparison share: photometry of each side, luminance of 1.0, and whether code stays as stored."""

from __future__ import annotations

from hdrq.encoding.photometry import LIGHT, InputSpec, Photometry, factor_of
from hdrq.errors import UsageError
from hdrq.records import BT709, Encoding, Image
from hdrq.registry import find
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


def takes_code(spec: InputSpec) -> bool:
    """Whether the input is code, not light."""
    return spec.encoding is not None or spec.reads not in LIGHT


def stored(images: tuple[Image, ...], specs: tuple[InputSpec, ...], photometry: Photometry) -> bool:
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

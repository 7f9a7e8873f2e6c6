"""Images as a call takes them: on the device, in its precision, labelled with what their files hold."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from hdrq.encoding.emission import in_float64
from hdrq.encoding.photometry import LIGHT, InputSpec, Photometry, relabel
from hdrq.image.transfer import linear_to_srgb
from hdrq.records import Image


def placed(image: Image, device: torch.device | None, dtype: torch.dtype | None) -> Image:
    """The image on a device and in a precision. In float64, integer code gets back the digits that float32 lost."""
    moved = image.pixels.to(device=device)
    if moved.dtype == torch.float32 and dtype == torch.float64:
        return in_float64(image.with_pixels(moved))
    pixels = moved.to(dtype=dtype)
    if pixels is image.pixels:
        return image
    return image.with_pixels(pixels)


PHOTOGRAPH = "the developed light as sRGB code, white where the sensor clips"


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

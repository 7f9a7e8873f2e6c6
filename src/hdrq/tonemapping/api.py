"""hdrq.tonemap and hdrq.expand: operators by name, for images, tensors and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.photometry import Photometry, as_image, relabel
from hdrq.io import read
from hdrq.records import Display, Image
from hdrq.scoring.module import pixels_of
from hdrq.tonemapping.networks import operator_named
from hdrq.tonemapping.tonemap import expand as expand_with
from hdrq.tonemapping.tonemap import plan
from hdrq.tonemapping.tonemap import tonemap as tonemap_with

Source = Image | Tensor | np.ndarray | str | Path
_CHOICES = (
    "colour",
    "saturation",
    "levels",
    "gamut",
    "wrap",
    "auto",
    "bits",
    "dither",
    "seed",
    "primaries",
)


def tonemap(
    image: Source,
    operator: str,
    *,
    display: str | Display | None = None,
    photometry: Photometry | None = None,
    **options: Any,
) -> Image:
    """Code for a display of an image's light: `hdrq.tonemap(image, "reinhard", key=0.18)`.

    image    an Image, a path, or a tensor (N, C, H, W) of light in cd/m²
    display  on which the result is shown; None: an SDR display
    options  of the operator by name, and colour=, saturation=, levels=(stops, exponent), gamut=, wrap=, bits=, dither=, seed=,
             primaries=. auto=True (or the name of weights) predicts the parameters by a network, where there are weights for
             the operator
    """
    screen = shelf_display(display) if isinstance(display, str) else display
    choices = {key: options.pop(key) for key in _CHOICES if key in options and not _owns(operator, key)}
    if "auto" in choices:
        choices["auto"] = {True: "default", False: ""}.get(choices["auto"], choices["auto"])
    return tonemap_with(
        _image(image, photometry), plan(operator, options, display=screen, **choices), photometry
    )


def expand(image: Source, operator: str, **options: Any) -> Image:
    """Light, cd/m², of an SDR image: `hdrq.expand(image, "akyuz")`."""
    found = operator_named("expander", operator)
    return expand_with(_image(image, None, "srgb"), found, found.settings(options))


def _owns(operator: str, key: str) -> bool:
    """Whether the operator itself has an option of this name."""
    return key in operator_named("tonemapper", operator).options


def _image(source: Source, photometry: Photometry | None, domain: str = "nits") -> Image:
    if isinstance(source, str | Path):
        image = read(source)
        return relabel(image, photometry) if photometry is not None else image
    return as_image(pixels_of(source), domain)

"""Light for a no-reference metric of code: the tone curve on its card, where the request has no stage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from hdrq.cards import Reading
from hdrq.encoding.photometry import LIGHT, as_image
from hdrq.records import Image
from hdrq.scoring.placing import labelled, placed

if TYPE_CHECKING:
    from hdrq.scoring.scorer import Scorer


def toned(scorer: Scorer, image: Image | Tensor | None) -> Scorer | None:
    """The metric behind the tone curve on its card; None where the image is not light or nothing needs tone mapping."""
    curve = scorer.metric.card.light
    if not curve or scorer.full_reference or image is None or not scorer.compares_code_as_stored():
        return None
    (seen,) = labelled((placed(as_image(image), scorer.device, scorer.dtype),), scorer.photometry)
    return replace(scorer, dist=replace(scorer.dist, tonemapper=curve)) if seen.domain in LIGHT else None


def read_toned(scorer: Scorer, image: Image | Tensor | None, maps: bool) -> Reading | None:
    """The Reading of the tone-mapped image, with a note; None where nothing needs tone mapping."""
    if (mapped := toned(scorer, image)) is None:
        return None
    reading = mapped.read(image, None, maps)
    curve, name = scorer.metric.card.light, scorer.metric.name
    said = f"light was tone-mapped with {curve} (choose another with OPERATOR:{name})"
    return replace(reading, notes=(said, *reading.notes))

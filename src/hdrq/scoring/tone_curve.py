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


def read_toned(scorer: Scorer, image: Image | Tensor | None, maps: bool) -> Reading | None:
    """The Reading of the tone-mapped image, with a note; None where nothing needs tone mapping."""
    curve = scorer.metric.card.light
    if not curve or scorer.full_reference or image is None or not scorer.compares_code_as_stored():
        return None
    (seen,) = labelled((placed(as_image(image), scorer.device, scorer.dtype),), scorer.photometry)
    if seen.domain not in LIGHT:
        return None
    reading = replace(scorer, dist=replace(scorer.dist, tonemapper=curve)).read(image, None, maps)
    said = f"light was tone-mapped with {curve} (choose another with OPERATOR:{scorer.metric.name})"
    return replace(reading, notes=(said, *reading.notes))

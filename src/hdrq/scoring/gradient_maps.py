"""Where a no-reference network looks: how strongly each pixel changes its score."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from hdrq.cards import Reading
from hdrq.image.caching import sharing
from hdrq.records import Image
from hdrq.scoring.scorer import Scorer

# meaning of these maps, as Reading.shows
GRADIENT = "gradient"
# peaks on the card: measured 10.8 for koncept512, 7 for qdnet, 5.3 for imqnet, 1.1 for nr
COST = 11.0


def has_gradient_map(scorer: Scorer) -> bool:
    """Whether a metric is a network that scores one image, with a gradient and without a map of its own."""
    card = scorer.metric.card
    return not scorer.full_reference and card.net is not None and card.trainable and "maps" not in card.needs


def gradient_map(scorer: Scorer, image: Image | Tensor) -> Tensor:
    """Magnitude of the derivative of the value by each pixel of the code that the metric reads, (N, 1, H, W), at least 0.

    The magnitude is the Euclidean norm over the channels; code is scaled so that 1.0 is an SDR white. Light that a metric
    of code takes through a tone curve is mapped first, and the derivative is that by the code.

    Source: Zhu et al., MetaIQA, CVPR 2020, section 4.5: maps of gradient magnitude
    """
    scorer = scorer.with_tone_curve(image) or scorer
    with torch.inference_mode(False), torch.enable_grad(), sharing(fresh=True):
        images, terms = scorer.prepare(None, image)
        (pixels,) = scorer.inputs(images, terms)
        # clone: pixels of inference mode have no gradient
        leaf = pixels.detach().clone().requires_grad_()
        value = scorer.compute(images[-1], False, terms, leaf).value
        (slope,) = torch.autograd.grad(value.sum(), leaf)
    result: Tensor = slope.norm(dim=1, keepdim=True)
    return result


def read_with_map(scorer: Scorer, ref: Image | None, dist: Image) -> Reading:
    """The Reading with the metric's own map, or that of the gradient where it is a network without a reference."""
    reading = scorer.read(ref, dist, maps=True)
    if reading.map is not None or not has_gradient_map(scorer):
        return reading
    return replace(reading, map=gradient_map(scorer, dist), shows=GRADIENT)

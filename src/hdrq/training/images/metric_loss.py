"""Any metric whose gradient may be trained on, as a loss. Its card gives the direction and what it compares."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hdrq.encoding.photometry import LIGHT
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.scoring.module import metric
from hdrq.training.images.image_recipe import Answer


class MetricLoss:
    """best - value of a metric that is better higher, value - best of one that is better lower.

    best is the value of identical images, or the good end of the metric's span, or 0 where both are open.
    A metric that compares code with light compares the answer with the scene's light, one that compares with an exposure
    stack with the exposures, and any other with the target.
    """

    adversarial = False
    net: nn.Module | None = None

    def __init__(self, text: str, *, judge: bool = False) -> None:
        """judge  the value is only reported, so that the metric needs no gradient."""
        self.text = text
        self.metric = metric(text)
        self.card = self.metric.scorer.metric.card
        if not judge and not self.card.trainable:
            raise UsageError(f"the card of {text} allows no training by its gradient; use another metric")
        self.side = self.card.side  # of the smallest image that it can read, pixels
        self.higher = self.metric.better == "higher"
        end = self.metric.span[1 if self.higher else 0]
        self.best = self.metric.best if self.metric.best is not None else end if end is not None else 0.0

    def __call__(self, answer: Answer, nits: float, critic: nn.Module | None = None) -> Tensor:
        value = self.value(answer, nits)
        return (self.best - value if self.higher else value - self.best).mean()

    def value(self, answer: Answer, nits: float) -> Tensor:
        """The metric of every image of a batch, (N,)."""
        unit = answer.nits or nits
        found: Tensor
        dist = _image(answer.image, answer.domain, unit)
        if self.card.stack:
            stack = self._needed(answer.stack, "exposure stack")
            each = [
                self.metric(Image(s, "srgb"), Image(d[None], answer.domain))
                for s, d in zip(stack, answer.image)
            ]
            return torch.cat([v.reshape(1) for v in each])
        if self.card.reference is None:
            found = self.metric(dist)
            return found
        crosses = self.card.reference_reads in LIGHT and self.card.reads not in LIGHT
        if crosses and answer.domain not in LIGHT:
            found = self.metric(_image(self._needed(answer.light, "scene"), "linear", unit), dist)
            return found
        found = self.metric(_image(self._needed(answer.target, "target"), answer.domain, unit), dist)
        return found

    def _needed(self, found: Tensor | None, what: str) -> Tensor:
        if found is None:
            raise UsageError(f"{self.text} compares with the {what}, which this recipe does not have")
        return found


def _image(pixels: Tensor, domain: str, nits: float) -> Image:
    """An image of the answer's domain; linear light becomes cd/m²."""
    return Image(pixels * nits, "nits") if domain == "linear" else Image(pixels, domain)

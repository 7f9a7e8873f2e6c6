"""Losses on images: an entry of training/images/losses is a function of the network's image and of what its card needs.

`of("mu:l1")` is a loss by its text, "[encoding:]name[,option=value]...". A name that is not on the shelf is a metric, whose
gradient is used where its card allows it: "hdrvdp3", "pu21:ssim", "tmqi".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hdrq.cards import options_of, settings_of
from hdrq.encoding.emission import white_of
from hdrq.encoding.photometry import LIGHT
from hdrq.errors import UsageError
from hdrq.nn.weights import load
from hdrq.records import Encoding, Image
from hdrq.registry import find, names
from hdrq.scoring.module import metric
from hdrq.training.images.critic import PatchCritic
from hdrq.training.images.image_recipe import ImageOutput

NEEDS = ("target", "light", "stack", "mask", "transformed", "critic")


# parts of an output that have its domain, so that they may be encoded
_PICTURES = ("image", "predicted", "target")


@dataclass(frozen=True)
class LossCard:
    """Description of a loss.

    needs     what follows the network's image in its arguments, see ImageOutput: "target", "light", "stack", "mask",
              "transformed"; or "critic", the discriminator
    of        the part of the output that is the first argument: "image", or "predicted"
    coded     whether the image and the target may be encoded before the loss ("mu:l1")
    code      whether it reads the image as code 0..1, so that light has to be encoded before
    net       name of a network with weights in nn/nets that is passed as `net`; "" for none
    critics   of an adversarial loss: the loss of the discriminator, (its output for images of the network, to real ones)
    side      of the smallest image that it can read, pixels, by all its options
    """

    title: str
    source: str
    needs: tuple[str, ...] = ("target",)
    of: Literal["image", "predicted"] = "image"
    coded: bool = True
    code: bool = False
    net: str = ""
    critics: Callable[[Tensor, Tensor], Tensor] | None = None
    side: Callable[[Mapping[str, Any]], int] = lambda options: 1


@dataclass(frozen=True)
class Loss:
    """A card and its function (image, *needs, **options) -> scalar; smaller is better."""

    name: str
    card: LossCard
    function: Callable[..., Tensor]


def loss(card: LossCard) -> Callable[[Callable[..., Tensor]], Loss]:
    """Turn a function into a Loss with the name of the function, "-" for "_"."""

    def wrap(function: Callable[..., Tensor]) -> Loss:
        return Loss(function.__name__.replace("_", "-"), card, function)

    return wrap


@dataclass(frozen=True)
class BoundLoss:
    """A loss with its encoding, options and network, ready to be computed."""

    text: str
    entry: Loss
    encoding: str
    options: Mapping[str, Any] = field(default_factory=dict)
    net: nn.Module | None = None

    @property
    def side(self) -> int:
        """Side of the smallest image that it can read, pixels; of an adversarial loss, with one scale."""
        known = {name: o.default for name, o in options_of(self.entry.function, ("net",)).items()}
        return self.entry.card.side({**known, **self.options})

    @property
    def adversarial(self) -> bool:
        """Whether the loss trains a critic."""
        return self.entry.card.critics is not None

    def __call__(self, output: ImageOutput, nits: float, critic: PatchCritic | None = None) -> Tensor:
        """The loss of a batch.

        nits    cd/m² of linear 1.0, where the output does not state it
        critic  the discriminator, for adversarial losses: the loss is the mean over its scales
        """
        self._refuse_light(output)
        order = (self.entry.card.of, *self.entry.card.needs)
        given: dict[str, Any] = {}
        for need in order:
            if need == "critic":
                continue
            found = getattr(output, need)
            if found is None:
                raise UsageError(
                    f"the loss {self.text} needs the {need} of an output, which this recipe does not have"
                )
            given[need] = self.as_read(found, output, nits) if need in _PICTURES else found
        extra = {"net": self.net} if self.net is not None else {}
        values = [
            self.entry.function(*({**given, "critic": one}[need] for need in order), **self.options, **extra)
            for one in (critic.scales if critic is not None and self.adversarial else (None,))
        ]
        return torch.stack(values).mean() if len(values) > 1 else values[0]

    def _refuse_light(self, output: ImageOutput) -> None:
        """Raise UsageError for a loss of code where the network gives light and no encoding is named."""
        if self.entry.card.code and output.domain == "linear" and not self.encoding:
            coded = self.entry.card.coded
            way = f"name an encoding, such as mu:{self.text}" if coded else "use a recipe whose image is code"
            raise UsageError(f"the loss {self.text} reads code, but the network's image is light; {way}")

    def as_read(self, image: Tensor, output: ImageOutput, nits: float) -> Tensor:
        """An image of the output's domain as this loss reads it."""
        if not self.encoding:
            return image
        if output.domain != "linear":
            raise UsageError(
                f"{self.text}: the network's image is {output.domain} code already; leave out {self.encoding}:"
            )
        unit = output.nits or nits
        code: Encoding = find("encoding", self.encoding)
        return code.encode(image * unit, white_of(code, None, unit))


def of(text: str) -> Any:
    """A loss by its text: a BoundLoss, or a MetricLoss for a metric.

    Raises UsageError for unknown names and options, and MissingPart without the weights of its network.
    """
    head, *rest = text.split(",")
    *stages, name = head.strip().split(":")
    if name not in names("loss"):
        return MetricLoss(text)
    entry: Loss = find("loss", name)
    if len(stages) > 1:
        raise UsageError(f"{text}: a loss takes one encoding, such as mu:{name}")
    if stages:
        find("encoding", stages[0])
        if not entry.card.coded:
            raise UsageError(f"{name} encodes images itself; leave out {stages[0]}:")
    given = {}
    for part in rest:
        key, sign, value = part.partition("=")
        if not sign:
            raise UsageError(f"{text}: an option is NAME=VALUE, not '{part}'")
        given[key.strip()] = value.strip()
    options = settings_of(options_of(entry.function, ("net",)), given, name)
    net = load(entry.card.net) if entry.card.net else None
    bound = BoundLoss(text, entry, stages[0] if stages else "", options, net)
    if bound.side < 1:
        raise UsageError(f"{text} would read no pixels; its options are too small")
    return bound


class MetricLoss:
    """best - value of a metric that is better higher, value - best of one that is better lower.

    best is the value of identical images, or the good end of the metric's span, or 0 where both are open.
    A metric that compares code with light compares the output with the scene's light, one that compares with an exposure
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
        # of the smallest image that it can read, pixels
        self.side = self.card.side
        self.higher = self.metric.better == "higher"
        end = self.metric.span[1 if self.higher else 0]
        self.best = self.metric.best if self.metric.best is not None else end if end is not None else 0.0

    def __call__(self, output: ImageOutput, nits: float, critic: PatchCritic | None = None) -> Tensor:
        value = self.value(output, nits)
        return (self.best - value if self.higher else value - self.best).mean()

    def value(self, output: ImageOutput, nits: float) -> Tensor:
        """The metric of every image of a batch, (N,)."""
        unit = output.nits or nits
        found: Tensor
        dist = _image(output.image, output.domain, unit)
        if self.card.stack:
            stack = self._needed(output.stack, "exposure stack")
            each = [
                self.metric(Image(s, "srgb"), Image(d[None], output.domain))
                for s, d in zip(stack, output.image)
            ]
            return torch.cat([v.reshape(1) for v in each])
        if self.card.reference is None:
            found = self.metric(dist)
            return found
        crosses = self.card.reference_reads in LIGHT and self.card.reads not in LIGHT
        if crosses and output.domain not in LIGHT:
            found = self.metric(_image(self._needed(output.light, "scene"), "linear", unit), dist)
            return found
        found = self.metric(_image(self._needed(output.target, "target"), output.domain, unit), dist)
        return found

    def _needed(self, found: Tensor | None, what: str) -> Tensor:
        if found is None:
            raise UsageError(f"{self.text} compares with the {what}, which this recipe does not have")
        return found


def _image(pixels: Tensor, domain: str, nits: float) -> Image:
    """An image of the output's domain; linear light becomes cd/m²."""
    return Image(pixels * nits, "nits") if domain == "linear" else Image(pixels, domain)

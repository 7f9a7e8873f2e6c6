"""Settings of the training of a network whose output is an image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from hdrq.encoding.reading import Reading, reading_of
from hdrq.errors import UsageError
from hdrq.training.images.critic import MOST
from hdrq.training.overrides import no_such_setting, parsed, refuse_unknown, scalar

# settings that may change when a training is resumed
LENGTH = ("epochs", "patience")
_OPTIMISERS = ("adamw", "adam", "sgd")
_SCHEDULES = ("constant", "exponential", "cosine", "steps")
_RESPONSES = ("random", "srgb", "linear")
# settings that are lists of numbers; other lists are of texts
_NUMBERS = ("exposed", "ev", "electrons")
# names of settings in files and commands of version 0.1
_FORMER = {"judged": "metrics"}
# values of settings that came later, with which a training is what it was before
_LATER = {"critic_scales": 1}
_AT_LEAST_1 = ("crop", "batch", "steps", "epochs", "held_crops", "critic_scales")


@dataclass(frozen=True)
class ImageSettings:
    """All settings of one training.

    net, options   name of the network and its build options
    start          initial weights by name, "" for random ones
    crop           side of the square crops, pixels
    zoom           largest factor by which a window of a scene is reduced to a crop
    swap           whether the channels of an example are permuted
    exposed        smallest and largest share of well-exposed pixels of an example's (middle) exposure
    response       camera responses: "random" of a family, "srgb" or "linear"
    ev             exposures of a bracket, stops relative to the middle one, from the shortest
    shift          largest global shift between neighbouring frames of a bracket, pixels
    turn           largest rotation between neighbouring frames, degrees
    moving         largest number of moving patches in a bracket;  speed  their largest shift between frames, pixels
    electrons      smallest and largest number of electrons that saturate a pixel; 0 for no photon noise
    read           standard deviation of the read noise, electrons
    bits           of the code of a photograph, 0 for no rounding
    nits           luminance of linear 1.0 for losses and metrics that read absolute light, cd/m²
    loss           weights of the losses by their text: "[encoding:]name[,option=value]", or a metric
    metrics        metrics that are computed on held-out examples in addition to the losses
    best_by        the one that chooses the best epoch; "" for the sum of the losses
    batch          examples per step;  steps  per epoch;  epochs  number of epochs
    rate, decay    learning rate and weight decay;  critic_rate  of the discriminator of adversarial losses
    critic_scales  number of discriminators: of the image, of its half, and so on; their losses are averaged
    optimiser      adamw, adam or sgd
    schedule, floor, warmup  learning rate schedule, its final share of the rate, share of the training in which it rises
    clip           largest gradient norm, 0 for no limit;  ema  decay of the weight average, 0 for none
    patience       epochs without improvement before training stops, 0 for no limit
    holdout        share of the scenes held out;  held_scenes  these scenes instead
    held_crops     examples of each held-out scene
    files          what the scenes hold, where they do not state it, see `hdrq.encoding.reading.Reading`
    """

    net: str
    options: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    crop: int = 64
    zoom: float = 4.0
    swap: bool = True
    exposed: tuple[float, ...] = (0.5, 0.75)
    response: str = "random"
    ev: tuple[float, ...] = (-2.0, 0.0, 2.0)
    shift: float = 4.0
    turn: float = 0.3
    moving: int = 2
    speed: float = 8.0
    electrons: tuple[float, ...] = (2000.0, 20000.0)
    read: float = 4.0
    bits: int = 8
    nits: float = 1000.0
    loss: Mapping[str, float] = field(default_factory=lambda: {"mu:l1": 1.0})
    metrics: tuple[str, ...] = ()
    best_by: str = ""
    batch: int = 8
    steps: int = 200
    epochs: int = 10
    rate: float = 1e-3
    critic_rate: float = 1e-4
    critic_scales: int = 1
    decay: float = 0.0
    optimiser: str = "adam"
    schedule: str = "cosine"
    floor: float = 0.01
    warmup: float = 0.0
    clip: float = 1.0
    ema: float = 0.0
    patience: int = 0
    holdout: float = 0.2
    held_scenes: tuple[str, ...] = ()
    held_crops: int = 4
    seed: int = 0
    files: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        reading_of(self.files)
        for name in _AT_LEAST_1:
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is at least 1, not {getattr(self, name)}")
        if self.critic_scales > MOST:
            raise UsageError(f"critic_scales is at most {MOST}, not {self.critic_scales}")
        for name, known in (("optimiser", _OPTIMISERS), ("schedule", _SCHEDULES), ("response", _RESPONSES)):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is one of {', '.join(known)}, not '{getattr(self, name)}'")
        if not (len(self.exposed) == 2 and 0 <= self.exposed[0] < self.exposed[1] <= 1):
            raise UsageError(f"exposed is two shares such as [0.5, 0.75], not {list(self.exposed)}")
        if list(self.ev) != sorted(set(self.ev)) or not self.ev:
            raise UsageError(f"ev is a list of increasing stops such as [-2, 0, 2], not {list(self.ev)}")
        if not (len(self.electrons) == 2 and 0 <= self.electrons[0] <= self.electrons[1]):
            raise UsageError(f"electrons is two numbers such as [2000, 20000], not {list(self.electrons)}")
        if not self.loss:
            raise UsageError("a training needs a loss; see: hdrq list losses")
        if not 0 <= self.holdout < 1:
            raise UsageError(f"holdout is a share below 1, not {self.holdout}")
        if self.zoom < 1 or self.rate <= 0 or self.nits <= 0:
            raise UsageError("zoom is at least 1, and rate and nits are positive")

    @property
    def reading(self) -> Reading:
        """How the scenes are read."""
        return reading_of(self.files)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any setting except the length of the training."""
        # so that the digests of earlier trainings still hold
        former = {new: old for old, new in _FORMER.items()}
        values = {
            former.get(k, k): v
            for k, v in asdict(self).items()
            if k not in LENGTH and (k, v) not in _LATER.items()
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def plain(values: Mapping[str, Any]) -> ImageSettings:
    """Settings from JSON values, as stored in a run folder or in a recipe."""
    values = {_FORMER.get(k, k): v for k, v in values.items()}
    refuse_unknown(values, [f.name for f in fields(ImageSettings)])
    made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return ImageSettings(**made)


def adjusted(settings: ImageSettings, overrides: Mapping[str, Any]) -> ImageSettings:
    """Settings with some replaced; texts are converted to the type of the setting, and loss.NAME sets one weight."""
    known = {f.name: getattr(settings, f.name) for f in fields(ImageSettings)}
    changes: dict[str, Any] = {}
    for key, value in overrides.items():
        head, dot, inner = key.partition(".")
        head = head.replace("-", "_")
        head = _FORMER.get(head, head)
        if head not in known:
            raise no_such_setting(key, known)
        old = changes.get(head, known[head])
        if not dot:
            changes[head] = _converted(old, value, head)
        elif not isinstance(old, Mapping):
            raise UsageError(f"{head} has no parts; write {head}=VALUE instead of {key}")
        elif head == "loss" and parsed(value) == 0:
            changes[head] = {k: v for k, v in old.items() if k != inner}
        else:
            changes[head] = {**old, inner: parsed(value)}
    return replace(settings, **changes)


def reduced(settings: ImageSettings, small: Mapping[str, Any], side: int = 1) -> ImageSettings:
    """The same settings reduced to a smoke test: two short epochs of small crops, with the small build options.

    side  of the smallest crop that the losses can read, pixels
    """
    return replace(
        settings,
        options={**settings.options, **small},
        crop=min(settings.crop, max(64, side)),
        batch=min(settings.batch, 2),
        steps=3,
        epochs=2,
        held_crops=1,
        start="",
    )


def changed(before: ImageSettings, after: ImageSettings) -> list[str]:
    """ "rate was 0.001 and is 0.01", for every differing setting that must not change in a resumed training."""
    return [
        f"{f.name} was {getattr(before, f.name)} and is {getattr(after, f.name)}"
        for f in fields(ImageSettings)
        if f.name not in LENGTH and getattr(before, f.name) != getattr(after, f.name)
    ]


def _converted(old: Any, value: Any, name: str) -> Any:
    """`value` converted to the type of the setting it replaces."""
    if isinstance(old, str):
        return str(value)
    if isinstance(old, bool | int | float):
        return scalar(old, value, name)
    found = parsed(value)
    if isinstance(old, tuple):
        if isinstance(found, str):
            found = [part.strip() for part in found.split(",") if part.strip()]
        parts = tuple(found) if isinstance(found, list | tuple) else (found,)
        if name in _NUMBERS:
            return tuple(scalar(0.0, part, f"every number of {name}") for part in parts)
        return tuple(str(part) for part in parts)
    if not isinstance(found, Mapping):
        raise UsageError(f"{name} is a mapping; set one part: {name}.NAME=VALUE")
    return dict(found)

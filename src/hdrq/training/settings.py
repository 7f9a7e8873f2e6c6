"""Settings of a training: each has a name, a default and a check. `overrides` makes them from recipes and text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hdrq.encoding.reading import Reading, reading_of
from hdrq.errors import UsageError
from hdrq.nn.net import Net
from hdrq.registry import find
from hdrq.training.losses import LOSSES

ALIGNMENTS = ("", "coral", "deep-coral", "mmd", "adversary")
SCHEDULES = ("constant", "exponential", "cosine", "steps", "staircase", "compounding")
PRECISIONS = ("float32", "bfloat16", "float16")
OPTIMISERS = ("adamw", "adam", "sgd")
CRITERIA = ("srocc", "plcc", "mae", "mse")
INPUTS = ("patches", "crops", "whole", "resized")
# settings that may change when a training is resumed
LENGTH = ("epochs", "steps", "patience")
SCENES = ("held_scenes", "test_scenes", "test_distortions")
# At their defaults these are no part of the digest, which older runs lack.
_LATER = (
    *("held_from", "source_weight", "target_batch", "display_spread", "files", "align_layer", "aligned"),
    *SCENES,
)
# largest count of anything
_MANY = 10**9
_TINY, _BELOW_1, _HUGE = 1e-30, 1 - 1e-9, 1e30
# Ends of the settings that are numbers, both included.
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("batch", "accumulate", "epochs", "patches", "test_patches", "crop"), (1, _MANY)),
    **dict.fromkeys(("target_repeat", "repeats", "every"), (1, _MANY)),
    **dict.fromkeys(("target_batch", "steps", "patience", "margin"), (0, _MANY)),
    **dict.fromkeys(("rate", "fall", "aspect"), (_TINY, _HUGE)),
    **dict.fromkeys(("head_rate", "decay", "clip", "align_weight", "display_spread"), (0, _HUGE)),
    **dict.fromkeys(("source_weight", "target_weight"), (0, _HUGE)),
    **dict.fromkeys(("ema", "beta2", "warmup"), (0, _BELOW_1)),
    **dict.fromkeys(("floor", "align_ema"), (_TINY, 1)),
    "seed": (0, 2**31 - 1),
}


@dataclass(frozen=True)
class Settings:
    """All settings of one training: those of a recipe with overrides.

    net, options       name of the network and its build options
    start              initial weights (a name that `hdrq models` lists, or a backbone), "" for random ones
    encoding           code that the network reads: "srgb", "pu21", "pq" ...
    white              code that the network maps to 1: "sdr" (code 1.0), "255" (the code of 100 cd/m²) or "pmax" (the code of
                       10,000 cd/m²)
    source, target     dataset names; a target without labels takes part only in domain adaptation
    *_subset           subset of a dataset, where it has subsets
    *_display          display that shows the images, see hdrq.training.display_augmentation
    labels             conversion from subjective scores to labels: unit, loss, kadid, jod, raw ...
    target_labels      the same for the target; "" leaves it unlabelled
    target_batch       images of the target per step, 0 for as many as of the source
    target_repeat      passes over the target in one epoch
    input              "patches" (sampled), "crops" (one crop per image), "whole" (whole images; those of a batch have one
                       size), or "resized" (to aspect*crop x crop, regardless of the image's aspect ratio)
    patches            number of patches per image;  test_patches  the same in validation
    aligned            whether the patches of a reference lie at the places of those of the test image
    crop               height of a crop or of a resized image; as text also WxH, such as 1024x768
    margin             pixels by which a resized image exceeds the crop in a training step
    aspect             width divided by height of a crop or of a resized image
    batch              images per step and domain;  accumulate  steps whose gradients are added before an update
    loss               weights of the losses by name;  source_weight, target_weight  of the losses on the two domains
    display_spread     factor on the standard deviations of simulated displays; 0 shows every batch on the mean display
    align, align_weight, align_ema  domain adaptation: its loss, weight and running average (Coral)
    align_layer        part of the network whose output is aligned, such as transformer.blocks.2 or convs.6; "" for that of
                       the paper
    rate, head_rate    learning rates (head_rate 0: the same for all parameters);  decay  weight decay
    optimiser, beta2   adamw, adam or sgd; decay of the squared gradient
    schedule, floor, per  learning rate schedule, its final share of the initial rate, update per "step" or "epoch"
    warmup             share of the training over which the rate first rises
    fall, every        factor and period in epochs of the schedules "staircase" and "compounding"
    stages             (epochs, rate) in sequence; each starts from the best weights with a new optimiser
    clip               largest gradient norm, 0 for no limit;  ema  decay of the weight average, 0 for none
    epochs, steps      length; steps 0 for no limit
    precision          float32, bfloat16 or float16
    holdout            share of the scenes held out for validation;  held_subset  a subset of the dataset instead
    held_scenes        these scenes instead of a share;  held_from  "source" or "target": the domain they belong to
    test_scenes        scenes that are neither trained on nor validated on;  test_distortions  distortions likewise
    patience           epochs without improvement before training stops, 0 for no limit
    best_by            criterion of the best epoch: highest srocc or plcc, lowest mae or mse
    meta               settings of meta-learning (hdrq.training.meta_tasks), empty for none
    terms              weights of additional losses of the network (qdnet: kl, same, moved)
    repeats            number of patch samplings that validation averages over
    files              what the images hold, where they do not state it: files.domain, files.file_primaries, files.scale,
                       files.nonfinite, files.layer, files.view, files.part
    """

    net: str
    options: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    encoding: str = "pu21"
    white: str = "pmax"
    source: str = ""
    source_subset: str = ""
    source_display: str = "sdr"
    labels: str = "loss"
    target: str = ""
    target_subset: str = ""
    target_display: str = "hdr"
    target_labels: str = ""
    target_repeat: int = 1
    target_weight: float = 1.0
    input: str = "patches"
    patches: int = 384
    crop: int = 224
    flips: bool = True
    batch: int = 16
    accumulate: int = 1
    loss: Mapping[str, float] = field(default_factory=lambda: {"mae": 1.0})
    align: str = ""
    align_weight: float = 0.025
    align_ema: float = 1.0
    rate: float = 1e-4
    head_rate: float = 0.0
    decay: float = 0.01
    schedule: str = "exponential"
    floor: float = 0.01
    per: str = "step"
    warmup: float = 0.0
    clip: float = 1.0
    ema: float = 0.0
    epochs: int = 20
    steps: int = 0
    precision: str = "float32"
    holdout: float = 0.2
    patience: int = 0
    test_patches: int = 512
    repeats: int = 1
    seed: int = 0
    held_subset: str = ""
    margin: int = 0
    aspect: float = 1.0
    optimiser: str = "adamw"
    beta2: float = 0.999
    fall: float = 0.9
    every: int = 1
    stages: tuple[tuple[int, float], ...] = ()
    best_by: str = "srocc"
    meta: Mapping[str, Any] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)
    source_weight: float = 1.0
    target_batch: int = 0
    display_spread: float = 1.0
    held_from: str = "source"
    held_scenes: tuple[str, ...] = ()
    test_scenes: tuple[str, ...] = ()
    test_distortions: tuple[str, ...] = ()
    files: Mapping[str, Any] = field(default_factory=dict)
    align_layer: str = ""
    aligned: bool = True

    def __post_init__(self) -> None:
        reading_of(self.files)
        for name, choices in (
            ("align", ALIGNMENTS),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
            ("input", INPUTS),
            ("per", ("step", "epoch")),
            ("white", ("sdr", "255", "pmax")),
            ("optimiser", OPTIMISERS),
            ("best_by", CRITERIA),
            ("held_from", ("source", "target")),
        ):
            _one_of(name, getattr(self, name), choices)
        for name, (low, high) in _RANGES.items():
            _refuse_beyond(name, getattr(self, name), low, high)
        if not 0 <= self.holdout < 1:
            raise UsageError(f"holdout is a share of the scenes in [0, 1), not {self.holdout:g}")
        for name in ("loss", "terms"):
            _weights(name, getattr(self, name))
        for epochs, rate in self.stages:
            _refuse_beyond("the epochs of a stage", epochs, 1, _MANY)
            _refuse_beyond("the rate of a stage", rate, _TINY, _HUGE)
        if self.stages and sum(int(e) for e, _ in self.stages) != self.epochs:
            raise UsageError(
                f"stages add up to {sum(int(e) for e, _ in self.stages)} epochs, not to {self.epochs}"
            )
        if self.align and not self.target:
            raise UsageError(f"--da {self.align} needs a second domain; name it with --target")
        if self.held_from == "target" and not self.target_labels:
            raise UsageError(
                "held_from=target needs a target with labels; name them with --set target_labels="
            )
        if self.align_layer and not self.align:
            raise UsageError(
                "align_layer has no effect without domain adaptation; add --da, such as --da coral"
            )
        if not self.aligned and self.input != "patches":
            raise UsageError(f"aligned=false is for input=patches, not for {self.input}; leave it out")
        if both := sorted(set(self.held_scenes) & set(self.test_scenes)):
            raise UsageError(
                f"scene {both[0]} is in held_scenes and in test_scenes; leave it out of one of them"
            )

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any setting except the length of the training."""
        usual = Settings("")
        unset = {name for name in _LATER if getattr(self, name) == getattr(usual, name)}
        values = {k: v for k, v in asdict(self).items() if k not in LENGTH and k not in unset}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def held_dataset(self) -> str:
        """Dataset whose scenes are held out."""
        return self.target if self.held_from == "target" else self.source

    @property
    def held_dataset_subset(self) -> str:
        """Subset of the dataset whose scenes are held out."""
        return self.target_subset if self.held_from == "target" else self.source_subset

    @property
    def held_dataset_labels(self) -> str:
        """Labels of the dataset whose scenes are held out."""
        return self.target_labels if self.held_from == "target" else self.labels

    @property
    def held_display(self) -> str:
        """Display that shows the images which are validated on and tested on."""
        return self.target_display if self.held_from == "target" else self.source_display

    @property
    def reading(self) -> Reading:
        """How the images are read."""
        return reading_of(self.files)

    @property
    def frame(self) -> tuple[int, int]:
        """(height, width) of a crop or of a resized image."""
        return self.crop, round(self.aspect * self.crop)

    @property
    def levels(self) -> int:
        """Number of pyramid levels that patches are cut from: the number of levels that the network embeds."""
        shelf: Net = find("net", self.net)
        return int(shelf.option("scales", self.options, 1))


def differences(before: Settings, after: Settings) -> list[str]:
    """ "rate was 0.0001 and is 0.0003", for every differing setting that must not change in a resumed training."""
    return [
        f"{f.name} was {getattr(before, f.name)} and is {getattr(after, f.name)}"
        for f in fields(Settings)
        if f.name not in LENGTH and getattr(before, f.name) != getattr(after, f.name)
    ]


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        shown = ", ".join(c or "none" for c in choices)
        raise UsageError(f"{name} is one of {shown}, not '{value}'")


def _refuse_beyond(name: str, value: float, low: float, high: float) -> None:
    """Raise UsageError where a number is not in [low, high]."""
    if low <= value <= high:
        return
    least = {0: "must not be negative", _TINY: "must be positive"}.get(low, f"must be at least {low:g}")
    most = f"must be below 1, and at least {low:g}" if high == _BELOW_1 else f"must be at most {high:g}"
    raise UsageError(f"{name} {least if value < low else most}, not {value:g}")


def _weights(name: str, weights: Mapping[str, float]) -> None:
    """Raise UsageError where weights of losses are not finite numbers of 0 or more, or a needed one is missing."""
    for key, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= _HUGE:
            raise UsageError(f"{name}.{key} is a weight of 0 or more, not {weight!r}")
    if unknown := sorted(set(weights) - set(LOSSES)) if name == "loss" else []:
        raise UsageError(f"there is no loss '{unknown[0]}'; use one of {', '.join(LOSSES)}")
    if name == "loss" and not any(weights.values()):
        raise UsageError("loss has no weight above 0; name a loss, such as loss.mae=1")

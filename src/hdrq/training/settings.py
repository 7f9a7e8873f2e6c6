"""A training run, spelled out: every setting has a name, a default and a check."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from hdrq.errors import UsageError
from hdrq.records import Recipe

ALIGNMENTS = ("", "coral", "deep-coral", "mmd", "adversary")
SCHEDULES = ("constant", "exponential", "cosine", "steps", "staircase", "compounding")
PRECISIONS = ("float32", "bfloat16", "float16")
OPTIMISERS = ("adamw", "adam", "sgd")
JUDGES = ("srocc", "plcc", "mae", "mse")
# Settings younger than the first checkpoints: a run that leaves them alone keeps the digest it had.
_LATER = (
    "held_subset",
    "margin",
    "aspect",
    "optimiser",
    "beta2",
    "fall",
    "every",
    "stages",
    "best_by",
    "meta",
    "terms",
)


@dataclass(frozen=True)
class Run:
    """One training, as a recipe with its overrides.

    net, options       shelf name of the network and what it is built with
    start              weights to begin from (a name hdrq models knows), "" for from scratch
    encoding           code the network sees: "srgb", "pu21", "pq" ...
    white              what the network calls 1: "sdr" (code 1.0) or "pmax" (the code of 10 000 cd/m²)
    source, target     dataset names; a target without labels takes part in the alignment only
    *_subset           part of a dataset, where it has parts
    *_screen           screen the pictures are shown on, see hdrq.training.display_augmentation
    labels             pipeline from opinions to targets: unit, loss, kadid, jod, raw
    target_labels      the same for the target; "" leaves it unlabelled
    target_repeat      how often the target is gone through in an epoch
    feed               "patches" (sampler), "crops" (one crop per picture), "pictures" (whole), or "squeezed"
                       (resized whole to aspect*(crop) x crop, whatever its shape)
    patches, scales    of the sampler;  crop  side of a crop, height of a squeezed picture
    margin             pixels by which a squeezed picture is larger before the crop of a training step
    aspect             width over height of a squeezed picture
    batch              pictures per step and domain;  accumulate  steps added up before an update
    loss               weights of named losses;  target_weight  of the target's
    align, align_weight  domain alignment and its weight
    rate, head_rate    learning rates (head_rate 0: the same everywhere);  decay  weight decay
    optimiser, beta2   adamw, adam or sgd; memory of the squared gradient
    schedule, floor, per  how the rate falls, to which share, per "step" or "epoch";  warmup  share of the steps
    fall, every        of the schedules "staircase" and "compounding", in epochs
    stages             (epochs, rate) one after another; each begins with the best weights and a fresh optimiser
    clip               gradient norm, 0 for none;  ema  decay of averaged weights, 0 for none
    holdout            share of scenes kept for validation;  held_subset  part of the dataset kept instead
    patience           epochs without a better one, 0 for no limit;  best_by  srocc, plcc, mae or mse
    meta               settings of meta-learning (hdrq.training.meta_learning), empty for none
    terms              weights of losses that a network brings itself (qdnet: kl, same, moved)
    test_patches, repeats  how validation looks
    """

    net: str
    options: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""
    encoding: str = "pu21"
    white: str = "pmax"
    source: str = ""
    source_subset: str = ""
    source_screen: str = "sdr"
    labels: str = "loss"
    target: str = ""
    target_subset: str = ""
    target_screen: str = "hdr"
    target_labels: str = ""
    target_repeat: int = 1
    target_weight: float = 1.0
    feed: str = "patches"
    patches: int = 384
    scales: int = 1
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

    def __post_init__(self) -> None:
        _within("align", self.align, ALIGNMENTS)
        _within("schedule", self.schedule, SCHEDULES)
        _within("precision", self.precision, PRECISIONS)
        _within("feed", self.feed, ("patches", "crops", "pictures", "squeezed"))
        _within("per", self.per, ("step", "epoch"))
        _within("white", self.white, ("sdr", "pmax"))
        _within("optimiser", self.optimiser, OPTIMISERS)
        _within("best_by", self.best_by, JUDGES)
        for name in (
            "batch",
            "accumulate",
            "epochs",
            "patches",
            "scales",
            "crop",
            "target_repeat",
            "repeats",
            "every",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("rate", "floor", "fall", "aspect"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} must be positive, not {getattr(self, name):g}")
        if not 0 <= self.holdout < 1:
            raise UsageError(f"holdout is a share of the scenes in [0, 1), not {self.holdout:g}")
        if self.stages and sum(int(e) for e, _ in self.stages) != self.epochs:
            raise UsageError(
                f"stages add up to {sum(int(e) for e, _ in self.stages)} epochs, not to {self.epochs}"
            )
        if self.align and not self.target:
            raise UsageError(f"--da {self.align} brings two domains together; name the second with --target")

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any setting."""
        usual = asdict(Run(self.net))
        values = {k: v for k, v in asdict(self).items() if k not in _LATER or v != usual[k]}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _within(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        shown = ", ".join(c or "none" for c in choices)
        raise UsageError(f"{name} is one of {shown}, not '{value}'")


def from_recipe(recipe: Recipe, overrides: Mapping[str, Any], variant: str = "") -> Run:
    """The recipe's settings, those of a variant over them, and the user's over those."""
    if variant and variant not in recipe.variants:
        some = ", ".join(recipe.variants) or "none"
        raise UsageError(f"{recipe.name} has no variant '{variant}'; it has {some}")
    settings = {**recipe.settings, **(recipe.variants[variant] if variant else {})}
    return adjust(Run(net=recipe.net, **settings), overrides)


def adjust(run: Run, overrides: Mapping[str, Any]) -> Run:
    """A run with settings replaced; texts become what the setting is."""
    known = {f.name: getattr(run, f.name) for f in fields(Run)}
    changes: dict[str, Any] = {}
    for key, value in overrides.items():
        head, dot, inner = key.replace("-", "_").partition(".")
        if head not in known:
            raise UsageError(f"a run has no setting '{key}'; it has {', '.join(known)}")
        if dot:
            nested = dict(changes.get(head, known[head]))
            nested[inner] = _parsed(value)
            changes[head] = nested
        else:
            changes[head] = _like(known[head], value, head)
    return replace(run, **changes)


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except json.JSONDecodeError:
        return text


def _like(old: Any, value: Any, name: str) -> Any:
    """`value` in the type of the setting it replaces."""
    if not isinstance(value, str) or isinstance(old, str):
        return value
    parsed = _parsed(value)
    if isinstance(old, tuple):
        if not isinstance(parsed, list) or not all(isinstance(p, list) and len(p) == 2 for p in parsed):
            raise UsageError(f"{name} is a list of pairs such as [[40, 1e-4], [20, 2e-5]], not '{value}'")
        return tuple((int(e), float(r)) for e, r in parsed)
    if isinstance(old, bool):
        if not isinstance(parsed, bool):
            raise UsageError(f"{name} is true or false, not '{value}'")
        return parsed
    if isinstance(old, int) and isinstance(parsed, float) and not parsed.is_integer():
        raise UsageError(f"{name} is a whole number, not {value}")
    if isinstance(old, (int, float)):
        if not isinstance(parsed, (int, float)):
            raise UsageError(f"{name} is a number, not '{value}'")
        return type(old)(parsed)
    if not isinstance(parsed, dict):
        raise UsageError(f"{name} is a mapping such as '{{\"mae\": 1}}'; or set one part: {name}.mae=1")
    return parsed


_LEAST = {"koncept512": 96}  # pixels a side that a network needs


def small(run: Run) -> Run:
    """The same recipe for a laptop: a few steps of small batches of small pictures through the same code."""
    shrunk: dict[str, Any] = {
        "batch": min(run.batch, 2),
        "patches": min(run.patches, 32),
        "test_patches": 32,
        "crop": min(run.crop, _LEAST.get(run.net, 64)),
        "margin": min(run.margin, 8),
        "epochs": max(1, len(run.stages)),
        "stages": tuple((1, rate) for _, rate in run.stages),
        "steps": 4,
        "start": "",
    }
    if run.meta:
        shrunk["meta"] = {**run.meta, "tasks": 2, "most": 2}
    if run.net == "vtamiq":
        shrunk["options"] = {**run.options, "width": 48, "depth": 2, "heads": 3, "mlp": 96, "reduction": 8}
    return replace(run, **shrunk)

"""One training of a network whose output is an image, from its arguments to weights with a card."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hdrq.errors import UsageError
from hdrq.nn.net import Net
from hdrq.nn.weight_files import find_card, install, read_state, refuse_name, refuse_taken
from hdrq.nn.weights import save as save_weights
from hdrq.registry import find, names
from hdrq.training.checkpoint import load_best
from hdrq.training.estimate import duration
from hdrq.training.images import loss as losses
from hdrq.training.images.image_loop import (
    ImageLearner,
    ImageStep,
    ImageValidation,
    batch_of,
    chance_of,
    fit_images,
)
from hdrq.training.images.image_loop import Record as LoopRecord
from hdrq.training.images.image_recipe import ImageRecipe
from hdrq.training.images.image_settings import ImageSettings, adjusted, changed, plain, reduced
from hdrq.training.images.loss import MetricLoss
from hdrq.training.images.scenes import Scene, read_scenes, split
from hdrq.training.network import explain_options
from hdrq.training.provenance import code_version
from hdrq.training.random_state import RandomState
from hdrq.training.request import TrainingRequest
from hdrq.training.run_folder import (
    entries_of,
    refuse_changes,
    refuse_shorter,
    refuse_used,
    removed_if_refused,
    write_settings,
)


@dataclass(frozen=True)
class ImagePlan:
    """A training that has passed all checks."""

    name: str
    recipe: ImageRecipe
    settings: ImageSettings
    folder: Path
    request: TrainingRequest
    scenes: list[Scene]
    held_out: list[Scene]


@dataclass(frozen=True)
class ImageBegun:
    """All checks of a training have passed and it begins."""

    plan: ImagePlan


@dataclass(frozen=True)
class ImageTrained:
    """The weights of the best epoch: path of their card, and the scores on the held-out scenes."""

    card: Path
    name: str
    scores: Mapping[str, float]


Record = ImageBegun | LoopRecord | ImageTrained


def as_images(request: TrainingRequest) -> TrainingRequest | None:
    """The arguments where they ask for a network whose output is an image, by recipe or by run folder; else None."""
    name = request.recipe
    if not name and request.resume and request.output is not None and not (request.metric or request.dataset):
        name = str((entries_of(request.output) or {}).get("recipe", ""))
    if name not in names("recipe") or not isinstance(find("recipe", name), ImageRecipe):
        return None
    return replace(request, recipe=name)


def plan_images(request: TrainingRequest) -> ImagePlan:
    """Choose the settings, read the scenes and check everything, so that errors come before training."""
    recipe: ImageRecipe = find("recipe", request.recipe)
    for given in ("metric", "dataset", "align", "target", "like", "lower"):
        if getattr(request, given):
            option = {"align": "da"}.get(given, given)
            raise UsageError(f"{recipe.name} trains on HDR scenes; leave out --{option}")
    name = request.name or recipe.name
    refuse_name(name)
    folder = request.output or Path("runs") / (name + ("-small" if request.small else ""))
    refuse_used(folder, request.resume)
    shelf: Net = find("net", recipe.net)
    settings = recipe.chosen(request.variant)
    if request.small:
        settings = reduced(settings, shelf.small, _side_of(settings)[0])
    settings = adjusted(settings, dict(request.settings))
    data = request.data
    if request.resume and (held := entries_of(folder)):
        name = str(held.get("name", "")) or name
        before = plain(held["settings"])
        data = data or (Path(held["data"]) if held.get("data") else None)
        settings = adjusted(before, dict(request.settings))
        refuse_changes(folder, changed(before, settings))
        refuse_shorter(folder, settings, request.settings)
    side, text = _side_of(settings)
    if settings.crop < side:
        raise UsageError(f"{text} reads images of at least {side} pixels a side; use --set crop={side}")
    if not request.replace:
        refuse_taken(name, folder)
    with RandomState(settings.seed, torch.device("cpu")):
        start_of(settings)(shelf.built(settings.options))
    scenes, held_out = split(
        read_scenes(data, settings.reading), settings.holdout, settings.held_scenes, settings.seed
    )
    return ImagePlan(name, recipe, settings, folder, replace(request, data=data), scenes, held_out)


def _side_of(settings: ImageSettings) -> tuple[int, str]:
    """(side of the smallest image that every loss and metric can read, the text of the one that needs it)."""
    read = [losses.of(text) for text in settings.loss]
    read += [MetricLoss(text, judge=True) for text in settings.metrics]
    halvings = settings.critic_scales - 1
    return max((r.side << halvings if r.adversarial else r.side, r.text) for r in read)


def train_images(
    request: TrainingRequest, device: torch.device, *, installed: bool = True
) -> Iterator[Record]:
    """Train by the arguments. Yields ImageBegun, steps, validations and files, and finally ImageTrained."""
    made = plan_images(request)
    yield ImageBegun(made)
    data = str(made.request.data.resolve()) if made.request.data is not None else ""
    with removed_if_refused(made.folder) as begins:
        write_settings(made.folder, made.settings, name=made.name, recipe=made.recipe.name, data=data)
        for record in fit_images(
            made.recipe,
            made.settings,
            made.scenes,
            made.held_out,
            made.folder,
            device=device,
            start=start_of(made.settings),
            resume=made.request.resume,
        ):
            begins()
            yield record
    yield publish_images(made, installed and not made.request.small)


def publish_images(plan: ImagePlan, installed: bool) -> ImageTrained:
    """Save best.pt as weights with a card in the run folder, and where `installed` in the user's weights folder."""
    settings, scores = plan.settings, load_best(plan.folder, "seen")
    with RandomState(settings.seed, torch.device("cpu")):
        module: nn.Module = find("net", settings.net).built(settings.options)
    module.load_state_dict(load_best(plan.folder))
    lists = {
        part: {
            "scenes": sorted(s.name for s in scenes),
            "digest": sha256("\n".join(sorted(s.name for s in scenes)).encode()).hexdigest()[:16],
        }
        for part, scenes in (("source", plan.scenes), ("held_out", plan.held_out))
    }
    save_weights(
        module,
        name=plan.name,
        net=settings.net,
        options=settings.options,
        encoding=plan.recipe.encoding,
        recipe=f"{plan.recipe.name} {settings.digest}"
        + (f", started from {settings.start}" if settings.start else ""),
        data=f"{len(plan.scenes)} HDR scenes",
        results={"held_out_scenes": len(plan.held_out), "run": settings.digest, "default": False, **scores},
        folder=plan.folder,
        training={"code": code_version(), "recipe": plan.recipe.name, "settings": asdict(settings), **lists},
    )
    card = install(plan.name, plan.folder) if installed else plan.folder / f"{plan.name}.json"
    return ImageTrained(card, plan.name, {k: float(v) for k, v in scores.items()})


def start_of(settings: ImageSettings) -> Any:
    """A function that loads the initial weights into a new module; every key and shape is checked."""
    if not settings.start:
        return lambda module: None
    card, path = find_card(settings.start)
    if card.net != settings.net:
        raise UsageError(f"{card.name} holds weights of {card.net}, not of {settings.net}")

    def put(module: nn.Module) -> None:
        wanted = module.state_dict()
        state = find("net", settings.net).filled(read_state(card, path), **settings.options).state_dict()
        module.load_state_dict({k: state[k].to(wanted[k].dtype) for k in wanted})

    return put


__all__ = [
    "ImageBegun",
    "ImagePlan",
    "ImageStep",
    "ImageTrained",
    "ImageValidation",
    "Record",
    "as_images",
    "plan_images",
    "publish_images",
    "start_of",
    "train_images",
]


def estimate_images(plan: ImagePlan, device: torch.device) -> list[str]:
    """Lines on the size of the network and the time of its training; nothing is written.

    Raises UsageError where the network cannot be built or computed with its options.
    """
    settings = plan.settings
    with RandomState(settings.seed, device):
        learner = ImageLearner(plan.recipe, replace(settings, batch=1), device, start_of(settings))
        example = plan.recipe.example(plan.scenes, settings, chance_of(settings.seed, 0, 0))
        batch, began = batch_of([example], device), time.perf_counter()
        with explain_options(settings.net, settings.options):
            learner.step(batch, 1.0)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds, steps = (time.perf_counter() - began) * settings.batch, settings.epochs * settings.steps
    parameters = sum(p.numel() for p in learner.module.parameters())
    return [
        f"network  {parameters:,} parameters",
        f"time     about {seconds:.2f} s a step x {steps:,} steps = {duration(seconds * steps)} on {device}",
    ]

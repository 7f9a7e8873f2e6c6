"""What a training would do: its settings, its plan, and an estimate from one step. Nothing is trained or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from hdrq.registry import find
from hdrq.training.estimate import check_plan, estimate
from hdrq.training.experiment import check_experiment
from hdrq.training.experiment_file import Experiment
from hdrq.training.image_checks import Checked, Remark
from hdrq.training.images.image_run import ImagePlan, as_images, estimate_images, plan_images
from hdrq.training.plan import Plan, chosen, plan, repeated
from hdrq.training.request import TrainingRequest


@dataclass(frozen=True)
class Chosen:
    """The settings of a training, known before its data; recipe and its source are "" where a network is fine-tuned."""

    recipe: str
    variant: str
    source: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Planned:
    """The plan of a training, whose arguments have passed all checks."""

    plan: Plan | ImagePlan | Experiment


@dataclass(frozen=True)
class Estimate:
    """Lines on the data, the network, time and memory of a training, from one step that was computed."""

    lines: tuple[str, ...]


def preview(
    request: TrainingRequest, experiment: Experiment | None, device: torch.device
) -> Iterator[Chosen | Planned | Checked | Remark | Estimate]:
    """The settings, the plan, a record of every image that is checked, and an estimate. Errors of the training appear here."""
    if (images := as_images(request)) is not None:
        made = plan_images(images)
        yield Chosen(made.recipe.name, images.variant, made.recipe.source, asdict(made.settings))
        yield Planned(made)
        yield Estimate(tuple(estimate_images(made, device)))
        return
    if experiment is not None:
        yield from check_experiment(experiment)
        yield Planned(experiment)
        return
    _, recipe, settings, _ = chosen(repeated(request))
    source = find("recipe", recipe).source if recipe else ""
    yield Chosen(recipe, request.variant, source, asdict(settings))
    found = plan(request)
    yield Planned(found)
    yield from check_plan(found)
    yield Estimate(tuple(estimate(found, device)))

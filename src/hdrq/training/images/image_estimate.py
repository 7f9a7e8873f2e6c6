"""What a dry run of a network that answers with images computes: one step of one example, whose errors appear here."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from hdrq.training.estimate import clock
from hdrq.training.images.image_loop import ImageLearner, batch_of, chance_of
from hdrq.training.images.image_run import ImagePlan, start_of
from hdrq.training.network import explain_options
from hdrq.training.random_state import RandomState


def estimate_images(made: ImagePlan, device: torch.device) -> list[str]:
    """Lines on the size of the network and the time of its training; nothing is written.

    Raises UsageError where the network cannot be built or computed with its options.
    """
    settings = made.settings
    with RandomState(settings.seed, device):
        learner = ImageLearner(made.recipe, replace(settings, batch=1), device, start_of(settings))
        example = made.recipe.example(made.scenes, settings, chance_of(settings.seed, 0, 0))
        batch, began = batch_of([example], device), time.perf_counter()
        with explain_options(settings.net, settings.options):
            learner.step(batch, 1.0)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds, steps = (time.perf_counter() - began) * settings.batch, settings.epochs * settings.steps
    parameters = sum(p.numel() for p in learner.module.parameters())
    return [
        f"network  {parameters:,} parameters",
        f"time     about {seconds:.2f} s a step x {steps:,} steps = {clock(seconds * steps)} on {device}",
    ]

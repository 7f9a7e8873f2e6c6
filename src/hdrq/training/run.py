"""One training, from its plan to weights with a card."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from hdrq.errors import HdrqError
from hdrq.nn.weight_files import install
from hdrq.nn.weights import save as save_weights
from hdrq.training.checkpoint import Record as LoopRecord
from hdrq.training.checkpoint import load_best
from hdrq.training.image_cache import PIXELS, ImageCache
from hdrq.training.image_checks import Checked, Remark, check_images, from_cache, image_parts
from hdrq.training.loop import fit
from hdrq.training.network import build_apart
from hdrq.training.plan import Plan
from hdrq.training.provenance import training_record
from hdrq.training.run_folder import removed_if_refused, write_settings


@dataclass(frozen=True)
class Begun:
    """All checks of a training have passed and it begins."""

    plan: Plan


@dataclass(frozen=True)
class Trained:
    """The weights of the best epoch.

    card    path of their card in the user's weights folder; with small, in the run folder
    metric  request that scores with them, such as "norvdpnetpp@mine"
    seen    srocc, plcc, mae and epoch on the held-out scenes; empty without held-out scenes
    """

    card: Path
    metric: str
    seen: Mapping[str, float]


Record = Checked | Remark | Begun | LoopRecord | Trained


def train_by(
    plan: Plan, device: Any, tensorboard: bool = False, *, installed: bool = True
) -> Iterator[Record]:
    """Train by a plan. Yields Checked for every image, Begun, steps, validations and files, and finally Trained.

    installed  whether the weights are copied to the user's folder of weights
    """
    with removed_if_refused(plan.folder) as begins:
        yield from _checked(plan)
        yield Begun(plan)
        write_settings(
            plan.folder,
            plan.settings,
            name=plan.name,
            recipe=plan.recipe,
            variant=plan.request.variant,
            data=str(plan.request.data.resolve()) if plan.request.data is not None else "",
            lower=plan.request.lower,
        )
        for record in fit(
            plan.settings,
            plan.source,
            plan.held_out,
            plan.folder,
            target=plan.target,
            device=device,
            start=plan.start,
            resume=plan.request.resume,
            tensorboard=tensorboard,
        ):
            begins()
            yield record
    yield publish(plan, installed and not plan.request.small)


def _checked(made: Plan) -> Iterator[Checked | Remark]:
    """Decode all images into the cache of the training; a fault raises and leaves no files."""
    images = ImageCache(made.folder / PIXELS, made.settings.reading)
    parts = image_parts(made.settings, made.source, made.held_out, made.target)
    try:
        yield from check_images(made.settings, parts, from_cache(images), few=made.request.small)
    except HdrqError:
        shutil.rmtree(images.folder, ignore_errors=True)
        raise


def publish(plan: Plan, installed: bool) -> Trained:
    """Save best.pt as weights with a card in the run folder, and where `installed` in the user's weights folder."""
    settings = plan.settings
    seen = load_best(plan.folder, "seen")
    # of which the few steps may leave a network that gives all images one score
    small = plan.request.small
    if plan.held_out and not small and not isfinite(float(seen.get("srocc", float("nan")))):
        raise HdrqError(
            f"the network gives all {len(plan.held_out)} held-out images the same score, so it has learnt nothing; "
            "train longer or at another rate: --resume --set epochs=N, or --set rate=R in another folder"
        )
    module = build_apart(settings)
    module.load_state_dict(load_best(plan.folder))
    results: dict[str, Any] = {
        "held_out_scenes": sorted({i.scene for i in plan.held_out}),
        "held_out_images": len(plan.held_out),
        "run": settings.digest,
        # used only when named, so that training does not change other scores
        "default": False,
        **seen,
    }
    if plan.mos is not None:
        worst, best = plan.mos
        higher = settings.labels == "unit"
        results["mos"] = [worst, best - worst] if higher else [best, worst - best]
    began = f", started from {settings.start}" if settings.start else ""
    save_weights(
        module,
        name=plan.name,
        net=settings.net,
        options=settings.options,
        encoding=settings.encoding,
        white="sdr" if settings.encoding == "srgb" else settings.white,
        recipe=f"{plan.recipe or 'fine-tuned'} {settings.digest}{began}",
        data=f"{len(plan.source)} images of {_data_names(plan)}",
        results=results,
        folder=plan.folder,
        training=training_record(plan.request, plan.settings, plan.source, plan.held_out, plan.target),
    )
    card = install(plan.name, plan.folder) if installed else plan.folder / f"{plan.name}.json"
    stage = "" if settings.encoding == "srgb" else f"{settings.encoding}:"
    return Trained(card, f"{stage}{settings.net}@{plan.name}", {k: float(v) for k, v in seen.items()})


def _data_names(made: Plan) -> str:
    data = made.request.data
    return data.name if data is not None and data.suffix else made.settings.source

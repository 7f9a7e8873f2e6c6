"""Train a network by a recipe or on the user's images and scores; the weights are saved with a card and a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from hdrq.errors import HdrqError
from hdrq.nn.weight_files import install
from hdrq.nn.weights import save as save_weights
from hdrq.scoring.batch import device_of
from hdrq.training.checkpoint import Record as LoopRecord
from hdrq.training.checkpoint import Saved, Step, Validation, load_best
from hdrq.training.choice import Asked
from hdrq.training.loop import fit
from hdrq.training.network import build_apart
from hdrq.training.plan import Plan, plan
from hdrq.training.provenance import training_record
from hdrq.training.run_folder import write_settings


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


Record = Begun | LoopRecord | Trained


def train(
    *,
    dataset: str = "",
    metric: str = "",
    data: str | Path | None = None,
    recipe: str = "",
    variant: str = "",
    align: str | None = None,
    target: str = "",
    lower: bool = False,
    name: str = "",
    output: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    small: bool = False,
    resume: bool = False,
    replace: bool = False,
    like: str | Path = "",
    device: str = "auto",
    tensorboard: bool = False,
) -> Iterator[Record]:
    """Train a network. Yields Begun, then steps, validations and files as they occur, and finally Trained.

        for record in hdrq.train(dataset="csv", data="mine.csv", metric="norvdpnet++"):
            ...

    dataset     name of a dataset (`hdrq.names("dataset")`), several joined by "+", or "csv" with `data`
    metric      [code:]network[@weights]; with weights, or on a CSV, the network is fine-tuned
    data        folder of the dataset, or the CSV file; columns dist, mos and optionally ref, scene, distortion
    recipe      name of a recipe, instead of dataset and metric;  variant  of the recipe
    align       domain adaptation: coral, deep-coral, mmd or adversary;  target  dataset of the second domain
    lower       lower subjective scores are better, where the dataset does not state a direction
    name        of the weights; by default that of the recipe, or NETWORK-FILE
    output      run folder; by default runs/NAME
    settings    overrides by name; see hdrq.training.settings.Settings
    small       reduce everything to a smoke test
    resume      continue the training in the run folder; a larger `epochs` extends it
    replace     replace weights of the same name
    like        card (its path, or the name of installed weights) of a training to repeat with all its settings
    device      auto, cpu, cuda or cuda:N

    Raises UsageError, MissingPart or FileError before training where data, initial weights or settings do not fit.
    """
    asked = Asked(
        recipe=recipe,
        variant=variant,
        metric=metric,
        dataset=dataset,
        data=Path(data) if data is not None else None,
        align=align,
        target=target,
        lower=lower,
        name=name,
        output=Path(output) if output is not None else None,
        settings=dict(settings or {}),
        small=small,
        resume=resume,
        replace=replace,
        like=str(like),
    )
    where = device_of(device)
    made = plan(asked)
    return _records(made, where, tensorboard)


def _records(made: Plan, device: Any, tensorboard: bool) -> Iterator[Record]:
    yield Begun(made)
    write_settings(
        made.folder,
        made.settings,
        name=made.name,
        recipe=made.recipe,
        variant=made.asked.variant,
        data=str(made.asked.data.resolve()) if made.asked.data is not None else "",
        lower=made.asked.lower,
    )
    yield from fit(
        made.settings,
        made.source,
        made.held_out,
        made.folder,
        target=made.target,
        device=device,
        start=made.start,
        resume=made.asked.resume,
        tensorboard=tensorboard,
    )
    yield publish(made)


def publish(made: Plan) -> Trained:
    """Save best.pt as weights with a card, in the run folder and in the user's weights folder."""
    settings = made.settings
    seen = load_best(made.folder, "seen")
    if made.held_out and not isfinite(float(seen.get("srocc", float("nan")))):
        raise HdrqError(
            f"the network gives all {len(made.held_out)} held-out images the same score, so it has learnt nothing; "
            "train longer or at another rate: --resume --set epochs=N, or --set rate=R in another folder"
        )
    module = build_apart(settings)
    module.load_state_dict(load_best(made.folder))
    results: dict[str, Any] = {
        "held_out_scenes": sorted({i.scene for i in made.held_out}),
        "held_out_images": len(made.held_out),
        "run": settings.digest,
        "default": False,  # used only when named, so that training does not change other scores
        **seen,
    }
    if made.mos is not None:
        worst, best = made.mos
        higher = settings.labels == "unit"
        results["mos"] = [worst, best - worst] if higher else [best, worst - best]
    began = f", started from {settings.start}" if settings.start else ""
    save_weights(
        module,
        name=made.name,
        net=settings.net,
        options=settings.options,
        encoding=settings.encoding,
        white="sdr" if settings.encoding == "srgb" else settings.white,
        recipe=f"{made.recipe or 'fine-tuned'} {settings.digest}{began}",
        data=f"{len(made.source)} images of {_data_names(made)}",
        results=results,
        folder=made.folder,
        training=training_record(made),
    )
    card = made.folder / f"{made.name}.json" if made.asked.small else install(made.name, made.folder)
    stage = "" if settings.encoding == "srgb" else f"{settings.encoding}:"
    return Trained(card, f"{stage}{settings.net}@{made.name}", {k: float(v) for k, v in seen.items()})


def _data_names(made: Plan) -> str:
    data = made.asked.data
    return data.name if data is not None and data.suffix else made.settings.source


__all__ = ["Begun", "Record", "Saved", "Step", "Trained", "Validation", "train"]

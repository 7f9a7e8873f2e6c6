"""What others use of training: hdrq.train, and the records that it yields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hdrq.arguments import checked
from hdrq.errors import UsageError
from hdrq.image.devices import device_of
from hdrq.training.checkpoint import Saved, Step, Validation, tensorboard_class
from hdrq.training.distributed import ProcessLost
from hdrq.training.experiment import Record as ExperimentRecord
from hdrq.training.experiment import SplitTested, experiment_of, train_parts
from hdrq.training.experiment_file import Experiment
from hdrq.training.image_checks import Checked, Remark
from hdrq.training.images.image_run import (
    ImageBegun,
    ImagePlan,
    ImageStep,
    ImageTrained,
    ImageValidation,
    as_images,
    train_images,
)
from hdrq.training.images.image_run import Record as ImageRecord
from hdrq.training.plan import Plan, plan
from hdrq.training.preview import Chosen, Estimate, Planned, preview
from hdrq.training.request import TrainingRequest
from hdrq.training.run import Begun, Trained, train_by
from hdrq.training.run import Record as RunRecord
from hdrq.training.splits import FOLDS, Part

__all__ = [
    "Begun",
    "Checked",
    "Chosen",
    "Estimate",
    "Experiment",
    "ImageBegun",
    "ImagePlan",
    "ImageStep",
    "ImageTrained",
    "ImageValidation",
    "Part",
    "Plan",
    "Planned",
    "ProcessLost",
    "Record",
    "Remark",
    "Saved",
    "SplitTested",
    "Step",
    "Trained",
    "Validation",
    "train",
]

Record = RunRecord | ExperimentRecord | ImageRecord | Chosen | Planned | Estimate


@checked
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
    protocol: str = "",
    repeats: int = 0,
    folds: int = FOLDS,
    test: str | Sequence[str] = (),
    device: str | torch.device = "auto",
    tensorboard: bool = False,
    dry_run: bool = False,
) -> Iterator[Record]:
    """Train a network. Yields Begun, then steps, validations and files as they occur, and finally Trained.

        for record in hdrq.train(dataset="csv", data="mine.csv", metric="norvdpnet++"):
            ...

    dataset     name of a dataset (`hdrq.names("dataset")`), several joined by "+", or "csv" with `data`
    metric      [code:]network[@weights]; with weights, or on a CSV, the network is fine-tuned
    data        folder of the dataset, or the CSV file; columns dist, mos and optionally ref, scene, distortion. For a
                recipe whose network outputs images: a folder of HDR scenes, or a CSV with the column file
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
    protocol    train once per split and test on the held-out images: folds, splits, lodo (leave one distortion out) or
                cross; then Part and SplitTested frame the records of each training, and Experiment ends them
    repeats     of folds, lodo and cross with other seeds (default 1); number of splits (default 10)
    folds       number of folds of the protocol folds: one tests, one validates, the rest trains
    test        test datasets of the protocol cross: NAME[:SUBSET][=FOLDER]
    device      auto, cpu, cuda or cuda:N
    dry_run     check everything, compute one step, and train nothing; yields Chosen, Planned, Checked and Estimate

    Raises UsageError, MissingPart or FileError before training where data, initial weights or settings do not fit.
    """
    request = TrainingRequest(
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
    if (images := as_images(request)) is not None:
        if protocol or repeats or test or tensorboard:
            raise UsageError(f"--protocol, --repeats, --test and --tensorboard are not for {images.recipe}")
        return preview(images, None, where) if dry_run else train_images(images, where)
    if tensorboard:
        tensorboard_class()
    test_sets = (test,) if isinstance(test, str) else tuple(test)
    experiment = experiment_of(request, protocol, repeats, folds, tuple(j for j in test_sets if j))
    if dry_run:
        return preview(request, experiment, where)
    if experiment is not None:
        return train_parts(experiment, where, tensorboard)
    return train_by(plan(request), where, tensorboard)

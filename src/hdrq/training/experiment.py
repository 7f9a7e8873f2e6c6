"""Experiments: train once per split, test on the held-out images, aggregate. They can be resumed with the same result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, direction_of, locate
from hdrq.registry import find
from hdrq.training.batches import BatchLoader, Item
from hdrq.training.checkpoint import BEST, LAST, Step, load_best
from hdrq.training.choice import display_for
from hdrq.training.data import items_of_dataset, items_to_test, label_direction
from hdrq.training.experiment_file import (
    COLUMNS,
    EXPERIMENT,
    PREDICTIONS,
    ROWS,
    SUMMARY,
    Experiment,
    Prediction,
    SplitRow,
    continued,
    read_csv,
    read_experiment,
    resumed,
    split_rows,
    summaries,
    write_csv,
    write_experiment,
)
from hdrq.training.image_cache import PIXELS, ImageCache
from hdrq.training.image_checks import Checked, Remark, check_images, from_files, image_parts, refuse_missing
from hdrq.training.image_checks import Part as ImagePart
from hdrq.training.network import build_apart
from hdrq.training.overrides import adjust
from hdrq.training.plan import Plan, chosen, name_of, plan, repeated
from hdrq.training.request import TrainingRequest
from hdrq.training.run import Record as RunRecord
from hdrq.training.run import train_by
from hdrq.training.run_folder import SETTINGS, removed_if_refused
from hdrq.training.settings import Settings
from hdrq.training.splits import FOLDS, PROTOCOLS, REPEATS, CrossDataset, Part, parts_of
from hdrq.training.validation import predict


@dataclass(frozen=True)
class SplitTested:
    """One split is finished: a row for each test dataset."""

    part: Part
    rows: tuple[SplitRow, ...]


Record = RunRecord | Part | SplitTested | Experiment


def experiment_of(
    request: TrainingRequest, protocol: str, repeats: int, folds: int, test_sets: tuple[str, ...]
) -> Experiment | None:
    """The experiment that the arguments ask for, or that a run folder holds; None for a single training."""
    stored = request.output / EXPERIMENT if request.output is not None else None
    held = read_experiment(stored) if request.resume and stored is not None and stored.exists() else None
    if held is None and folds != FOLDS and protocol != "folds":
        raise UsageError("--folds has no effect without --protocol folds")
    if held is None and not protocol:
        for option, given in (("repeats", repeats), ("test", test_sets)):
            if given:
                raise UsageError(
                    f"--{option} has no effect without --protocol; name one of {', '.join(PROTOCOLS)}"
                )
        return None
    if held is not None:
        request = resumed(request, held, stored)
        protocol, repeats = continued(held, protocol, repeats, stored)
        folds, test_sets = int(held["folds"]), tuple(held["test_sets"])
    if protocol not in PROTOCOLS:
        raise UsageError(f"unknown protocol of training '{protocol}'; choose one of {', '.join(PROTOCOLS)}")
    if (protocol == "cross") != bool(test_sets):
        raise UsageError(
            "--protocol cross needs test datasets: --test NAME"
            if protocol == "cross"
            else f"--test is for --protocol cross, not for {protocol}"
        )
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("--protocol runs in one process; start one experiment on each device instead")
    repeats = repeats or REPEATS[protocol]
    made = repeated(replace(request, resume=False))
    _, recipe, settings, _ = chosen(made)
    name = name_of(made, recipe, settings)
    name = name if held is not None else f"{name}-{protocol}"
    folder = request.output or Path("runs") / (name + ("-small" if request.small else ""))
    if held is None and request.resume and (folder / EXPERIMENT).exists():
        return experiment_of(replace(request, output=folder), protocol, repeats, folds, test_sets)
    if held is None and request.resume:
        raise UsageError(
            f"{folder} holds no experiment to resume; leave out --resume, or name its folder with -o"
        )
    if held is None and (folder / EXPERIMENT).exists():
        raise UsageError(
            f"{folder} holds an experiment already; add --resume to go on with it, or name another folder with -o"
        )
    parts = parts_of(settings, made.data, made.better, protocol, repeats, folds)
    like = str(Path(made.like).resolve()) if made.like.endswith(".json") else made.like
    # as a resumed experiment names the images
    data = made.data.resolve() if made.data is not None else None
    request = replace(made, output=folder, name=name, resume=False, like=like, data=data)
    found = tuple(map(CrossDataset.parse, test_sets))
    experiment = Experiment(name, protocol, folder, tuple(parts), found, request, repeats, folds)
    _check(experiment, settings)
    return experiment


def _check(experiment: Experiment, settings: Settings) -> None:
    """Raise before the first training where data, initial weights or a split do not fit."""
    slugs = [p.slug for p in experiment.parts]
    if len(set(slugs)) < len(slugs):
        twice = next(s for s in slugs if slugs.count(s) > 1)
        raise UsageError(f"two splits would share the folder {twice}; give the distortions other names")
    for dataset in experiment.test_sets:
        refuse_missing(_items(settings, experiment.request, dataset)[0])
    for part in experiment.parts if not experiment.test_sets else ():
        refuse_missing(_items(adjust(settings, part.settings), experiment.request, None)[0])
    plan(_asked_of(experiment, experiment.parts[0]))


def check_experiment(experiment: Experiment) -> Iterator[Checked | Remark]:
    """Read all images, of which the first split trains on some and tests on the others, and those of the test datasets."""
    made = plan(_asked_of(experiment, experiment.parts[0]))
    parts = list(image_parts(made.settings, made.source, made.held_out, made.target))
    for dataset in experiment.test_sets or (None,):
        items, display, _, _ = _items(made.settings, made.request, dataset)
        parts.append(ImagePart(items, display, trained=False))
    look = from_files(made.settings.reading)
    yield from check_images(made.settings, parts, look, few=experiment.request.small)


def _asked_of(experiment: Experiment, part: Part) -> TrainingRequest:
    """The arguments of the training of one split."""
    folder = experiment.folder / part.slug
    return replace(
        experiment.request,
        output=folder,
        name=f"{experiment.name}-{part.slug}",
        settings={**dict(experiment.request.settings), **part.settings},
        resume=(folder / SETTINGS).exists(),
        replace=True,
    )


def train_parts(experiment: Experiment, device: Any, tensorboard: bool = False) -> Iterator[Record]:
    """Train and test every unfinished split. Yields Part, the records of its training, and SplitTested for each.

    Checked comes first for every image of the experiment.
    """
    yield from check_experiment(experiment)
    with removed_if_refused(experiment.folder) as begins:
        write_experiment(experiment)
        yield from _trained_parts(experiment, device, tensorboard, begins)


def _trained_parts(
    experiment: Experiment, device: Any, tensorboard: bool, begins: Callable[[], None]
) -> Iterator[Record]:
    """The records of every part, and the experiment with its summaries; `begins` is called at the first step."""
    predictions: list[Prediction] = []
    rows: list[SplitRow] = []
    for part in experiment.parts:
        folder = experiment.folder / part.slug
        yield part
        if not (folder / PREDICTIONS).exists():
            made = plan(_asked_of(experiment, part))
            records = train_by(made, device, tensorboard, installed=False)
            for record in records:
                if isinstance(record, Step):
                    begins()
                # said of all images before
                if not isinstance(record, Remark):
                    yield record
            write_csv(folder / PREDICTIONS, _predictions(experiment, part, made, device), COLUMNS)
            for name in (LAST, BEST):
                (folder / name).unlink(missing_ok=True)
        found = read_csv(folder / PREDICTIONS)
        own = split_rows(folder, found)
        predictions += found
        rows += own
        write_csv(experiment.folder / PREDICTIONS, predictions, COLUMNS)
        write_csv(experiment.folder / ROWS, map(asdict, rows), [f.name for f in fields(SplitRow)])
        yield SplitTested(part, tuple(own))
    last = summaries(rows, predictions)
    write_csv(experiment.folder / SUMMARY, (s.flat for s in last), list(last[0].flat))
    yield replace(experiment, rows=tuple(rows), summaries=tuple(last))


def _predictions(experiment: Experiment, part: Part, made: Plan, device: Any) -> Iterator[dict[str, Any]]:
    """A row for every image that the split holds out, or for every image of the test datasets."""
    settings = made.settings
    module = build_apart(settings)
    module.load_state_dict(load_best(made.folder))
    module.to(device)
    cache = ImageCache(made.folder / PIXELS, settings.reading)
    metric = f"{settings.net}@{experiment.name}"
    for dataset in experiment.test_sets or (None,):
        items, display, title, toward = _items(settings, made.request, dataset)
        loader = BatchLoader(settings, items, display, cache, 3)
        values = predict(module, settings, loader, items, device)
        for item, value in zip(items, values.tolist(), strict=True):
            yield {
                "dist": item.dist,
                "ref": item.ref or "",
                "metric": metric,
                "value": float(value),
                "better": label_direction(settings, toward),
                "mos": item.label,
                "mos_better": toward,
                "scene": item.scene,
                "distortion": item.distortion,
                "split": part.name if dataset is None else f"{part.name} on {title}",
                "test_set": title,
            }
    shutil.rmtree(cache.folder, ignore_errors=True)


def _items(
    settings: Settings, request: TrainingRequest, dataset: CrossDataset | None
) -> tuple[list[Item], str, str, str]:
    """(items with their subjective scores as labels, display, name of the dataset, direction of its scores)."""
    name = settings.held_dataset.split("+")[0] if dataset is None else dataset.name
    card: Dataset = find("dataset", name)
    where, subset = (
        (request.data, settings.held_dataset_subset)
        if dataset is None
        else (dataset.data or request.data, dataset.subset)
    )
    toward = direction_of(card, islice(card.pairs(locate(card, where), subset or None), 50), request.better)
    if dataset is None:
        raw = replace(settings, labels="raw", target_labels="raw" if settings.target_labels else "")
        items, display, title = (
            items_to_test(raw, request.data, request.better),
            settings.held_display,
            settings.held_dataset,
        )
    else:
        items = items_of_dataset(
            settings, dataset.name, dataset.subset, dataset.data or request.data, request.better
        )
        display, title = display_for(dataset.name, settings.source_display), dataset.title
    if len(items) < 2:
        raise UsageError(f"{len(items)} images of {title} remain to test on; at least two are needed")
    return items, display, title, toward

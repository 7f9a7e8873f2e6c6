"""From the arguments to a plan of the training: settings chosen, data listed, everything checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from hdrq.errors import UsageError
from hdrq.evaluation.archive import Dataset, direction_of, locate
from hdrq.nn.weight_files import refuse_name, refuse_taken
from hdrq.registry import find
from hdrq.training.batches import Item
from hdrq.training.choice import settings_for
from hdrq.training.data import data_of, refuse_other_direction
from hdrq.training.image_checks import refuse_missing
from hdrq.training.layers import refuse_ablation
from hdrq.training.meta_tasks import Meta
from hdrq.training.network import build_apart
from hdrq.training.overrides import adjust
from hdrq.training.provenance import departures, recorded, training_record
from hdrq.training.request import TrainingRequest
from hdrq.training.run_folder import read_settings, refuse_changes, refuse_shorter, refuse_used
from hdrq.training.settings import LENGTH, Settings, differences
from hdrq.training.start_weights import start_weights


@dataclass(frozen=True)
class Plan:
    """A training that has passed all checks.

    recipe   name of the recipe, "" for fine-tuning
    start    loads the initial weights into a new module
    mos      (worst, best) subjective score that the labels 0..1 stand for; None for other kinds of labels
    notes    information for the user before training starts
    """

    name: str
    recipe: str
    settings: Settings
    folder: Path
    request: TrainingRequest
    source: list[Item]
    held_out: list[Item]
    target: list[Item]
    start: Callable[[nn.Module], None]
    mos: tuple[float, float] | None
    notes: tuple[str, ...] = ()


def plan(request: TrainingRequest) -> Plan:
    """Choose the settings and check data, initial weights, references and names, so that errors come before training."""
    request, recipe, settings, notes = chosen(repeated(request))
    name = name_of(request, recipe, settings)
    refuse_name(name)
    folder = request.output or Path("runs") / (name + ("-small" if request.small else ""))
    refuse_used(folder, request.resume)
    start = start_weights(settings)
    module = build_apart(settings)
    start(module)
    if settings.terms and not hasattr(module, "decode"):
        raise UsageError(f"{settings.net} has no terms such as {min(settings.terms)}; leave them out")
    refuse_ablation(settings, module)
    if not request.replace:
        refuse_taken(name, folder)
    refuse_other_direction(settings, request.better)
    if settings.meta:
        Meta.of(settings)
    source, held_out, target = data_of(settings, request.data, request.better)
    refuse_missing([*source, *held_out, *target])
    mos = _scores_meant(settings, request)
    notes = [*notes, *_unscored(settings, request)]
    made = Plan(name, recipe, settings, folder, request, source, held_out, target, start, mos, tuple(notes))
    if not request.like:
        return made
    now = training_record(request, settings, source, held_out, target)
    return replace(made, notes=(*notes, *departures(recorded(request.like)[0], now)))


def name_of(request: TrainingRequest, recipe: str, settings: Settings) -> str:
    """The name of the weights: the one asked for, else that of the recipe or NETWORK-FILE."""
    return request.name or recipe or f"{settings.net}-{_stem(request)}"


def repeated(request: TrainingRequest) -> TrainingRequest:
    """The arguments, completed from the card of the training to repeat."""
    if not request.like:
        return request
    given = [
        name
        for name in ("recipe", "variant", "metric", "dataset", "align", "target")
        if getattr(request, name)
    ]
    if given:
        option = "da" if given[0] == "align" else given[0]
        raise UsageError(
            f"--like takes everything from the card; leave out --{option}, or change a setting with --set"
        )
    card, _ = recorded(request.like)
    before = card.training["arguments"]
    return replace(
        request, name=request.name or f"{card.name}-again", lower=request.lower or bool(before.get("lower"))
    )


def chosen(request: TrainingRequest) -> tuple[TrainingRequest, str, Settings, list[str]]:
    """(arguments completed from the run folder, name of the recipe, settings, notes)."""
    folder = _folder_named(request)
    if request.resume and folder is not None and (held := read_settings(folder)):
        before, more = held
        request = replace(
            request,
            output=folder,
            name=str(more.get("name", "")) or request.name,
            data=request.data or (Path(more["data"]) if more.get("data") else None),
            lower=request.lower or bool(more.get("lower")),
        )
        if not (request.recipe or request.dataset or request.metric):
            after = adjust(before, dict(request.settings))
            recipe = str(more.get("recipe", ""))
        else:
            recipe, after, _ = settings_for(request)
        refuse_changes(folder, differences(before, after))
        if not {"epochs", "steps"} & {*request.settings}:
            after = replace(after, **{k: getattr(before, k) for k in LENGTH if k not in request.settings})
        refuse_shorter(folder, after, request.settings)
        return request, recipe, after, []
    if request.resume and folder is not None:
        refuse_used(folder, resume=True)
    recipe, settings, notes = settings_for(request)
    return request, recipe, settings, notes


def _folder_named(request: TrainingRequest) -> Path | None:
    """The run folder, where it follows from the arguments."""
    name = request.name or request.recipe
    if request.resume and not (name or request.output) and (request.dataset or request.like):
        asked = repeated(request)
        recipe, settings, _ = settings_for(asked)
        name = name_of(asked, recipe, settings)
    return request.output or (Path("runs") / (name + ("-small" if request.small else "")) if name else None)


def _stem(request: TrainingRequest) -> str:
    where = request.data if request.data is not None and request.data.suffix else None
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", where.stem if where is not None else request.dataset) or "tuned"


def _scores_meant(settings: Settings, request: TrainingRequest) -> tuple[float, float] | None:
    """(worst, best) subjective score, where the labels are the scores scaled to 0..1."""
    if settings.labels not in ("unit", "loss") or "+" in settings.source:
        return None
    dataset: Dataset = find("dataset", settings.source)
    pairs = list(dataset.pairs(locate(dataset, request.data), settings.source_subset or None))
    scores = [p.mos for p in pairs if p.mos is not None]
    if not scores:
        return None
    ends = (min(scores), max(scores))
    return ends[::-1] if direction_of(dataset, pairs, request.better) == "lower" else ends


def _unscored(settings: Settings, request: TrainingRequest) -> list[str]:
    """A note for each dataset of which some images have no subjective score to train on."""
    parts = [(settings.source, settings.source_subset)] if settings.labels else []
    parts += [(settings.target, settings.target_subset)] if settings.target_labels else []
    notes = []
    for name, subset in ((one, subset) for several, subset in parts for one in several.split("+") if one):
        dataset: Dataset = find("dataset", name)
        pairs = list(dataset.pairs(locate(dataset, request.data), subset or None))
        if unscored := sum(p.mos is None for p in pairs):
            notes.append(
                f"{unscored} of {len(pairs)} images of {name} have no subjective score and are left out"
            )
    return notes

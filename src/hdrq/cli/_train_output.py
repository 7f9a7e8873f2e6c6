"""Output of a training: progress, the rows of an experiment and their summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hdrq.cli import _tables
from hdrq.cli._messages import Notes, note, quiet, tell
from hdrq.cli._progress import meter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hdrq.training.api import Experiment, ImagePlan, Plan, Record

_FIGURES = ("srocc", "krocc", "plcc", "rmse")


def follow(records: Iterator[Record], small: bool) -> None:
    """Show the progress of a training: a line per validation, and a bar where stderr is a terminal."""
    import sys

    from tqdm import tqdm

    from hdrq.training.api import (
        Begun,
        Checked,
        Experiment,
        ImageBegun,
        ImageStep,
        ImageTrained,
        ImageValidation,
        Part,
        Remark,
        SplitTested,
        Step,
        Trained,
        Validation,
    )

    bar = tqdm(unit="step", disable=quiet() or not sys.stderr.isatty(), dynamic_ncols=True, leave=False)
    single = True
    for record in records:
        if isinstance(record, Checked):
            bar.set_description("images")
            bar.total, bar.n = (record.total, record.done) if record.done < record.total else (None, 0)
            bar.refresh()
        elif isinstance(record, Remark):
            note(record.text)
        elif isinstance(record, Begun):
            bar.set_description("")
            for line in _begun(record.plan):
                tell(f"hdrq: {line}")
        elif isinstance(record, Step):
            bar.update()
            bar.set_postfix(epoch=record.epoch, loss=f"{record.loss:.4f}", aligned=f"{record.aligned:.4f}")
        elif isinstance(record, Validation):
            mark = "  best" if record.best else ""
            line = f"epoch {record.epoch}: SROCC {record.srocc:.4f}, PLCC {record.plcc:.4f}, MAE {record.mae:.4f}{mark}"
            tell(line)
        elif isinstance(record, ImageBegun):
            scene_notes(record.plan)
            for line in image_plan(record.plan):
                tell(f"hdrq: {line}")
        elif isinstance(record, ImageStep):
            bar.update()
            bar.set_postfix(epoch=record.epoch, loss=f"{record.loss:.4f}")
        elif isinstance(record, ImageValidation):
            values = ", ".join(f"{name} {value:.4f}" for name, value in record.scores.items())
            tell(f"epoch {record.epoch}: {values}{'  best' if record.best else ''}")
        elif isinstance(record, ImageTrained):
            bar.close()
            click.echo(str(record.card))
        elif isinstance(record, Part):
            single = False
            tell(f"hdrq: {record.name} ({record.number} of {record.total})")
        elif isinstance(record, SplitTested):
            for row in record.rows:
                tell(
                    f"hdrq: {row.split}, {row.test_set}: SROCC {row.srocc:.4f}, PLCC {row.plcc:.4f} on {row.images} images"
                )
        elif isinstance(record, Experiment):
            bar.close()
            _experiment(record)
        elif isinstance(record, Trained) and single:
            bar.close()
            where = "" if not small else f"HDRQ_MODELS={record.card.parent} "
            tell(f"hdrq: use the weights with: {where}hdrq score ... -m '{record.metric}'")
            click.echo(str(record.card))


def _begun(plan: Plan) -> list[str]:
    """Show the data of a training, and its notes."""
    target = f", {len(plan.target)} of the target" if plan.target else ""
    return [
        f"{plan.name}: {len(plan.source)} images, {len(plan.held_out)} held out{target}; run folder {plan.folder}",
        *plan.notes,
    ]


def preview(records: Iterator[Record]) -> None:
    """Show what a training would do: settings, data, size and time; a bar while images are checked."""
    from hdrq.training.api import Checked, Chosen, Estimate, Planned, Remark

    with meter(label="images") as shown:
        for record in records:
            if isinstance(record, Chosen):
                if record.recipe:
                    variant = f", variant {record.variant}" if record.variant else ""
                    click.echo(f"recipe   {record.recipe}{variant} ({record.source})")
                for key, value in record.settings.items():
                    click.echo(f"  {key} = {value}")
            elif isinstance(record, Planned):
                for line in _planned(record.plan):
                    click.echo(line)
            elif isinstance(record, Checked):
                shown(1)
            elif isinstance(record, Remark):
                note(record.text)
            elif isinstance(record, Estimate):
                click.echo("\n".join(record.lines))


def _planned(made: Plan | ImagePlan | Experiment) -> list[str]:
    """The lines of a plan."""
    from hdrq.training.api import Experiment, ImagePlan

    if isinstance(made, Experiment):
        return _experiment_plan(made)
    if isinstance(made, ImagePlan):
        scene_notes(made)
        return [f"plan     {line}" for line in image_plan(made)]
    notes = [f"note     {text}" for text in made.notes]
    return [f"name     {made.name}", f"folder   {made.folder}", *notes]


def image_plan(plan: ImagePlan) -> list[str]:
    """Show the scenes of a training of a network whose output is an image."""
    counts = f"{len(plan.scenes)} scenes, {len(plan.held_out)} held out"
    return [f"{plan.name}: {counts}; run folder {plan.folder}"]


def scene_notes(plan: ImagePlan) -> None:
    """Print what was changed in reading the scenes, each kind of note once."""
    notes = Notes()
    for scene in (*plan.scenes, *plan.held_out):
        for text in scene.notes:
            notes.add(f"{scene.name}: {text}", [scene.name])
    notes.finish()


def _experiment(found: Experiment) -> None:
    """A table of the splits with mean, median and standard deviation, one of the distortions, and where the files are."""
    several = len(found.test_sets) > 1
    heads = ["split", *(["test set"] if several else []), "images", *(f.upper() for f in _FIGURES)]
    right = heads[1 + several :]
    lines = [
        [r.split, *([r.test_set] if several else []), f"{r.images}"]
        + [_tables.number(getattr(r, f)) for f in _FIGURES]
        for r in found.rows
    ]
    for whole in (s for s in found.summaries if s.group == "all" and s.splits > 1):
        for name, values in (
            ("mean", whole.mean),
            ("median", whole.median),
            ("standard deviation", whole.sd),
        ):
            cells = [_tables.number(values[f]) for f in _FIGURES]
            lines.append([name, *([whole.test_set] if several else []), f"{whole.images}", *cells])
    _tables.show_table(heads, lines, f"{found.name}: images that each training left out", right)
    kinds = [s for s in found.summaries if s.group != "all"]
    if kinds and found.protocol != "lodo":
        heads = ["distortion", *(["test set"] if several else []), "splits", "SROCC", "median", "sd", "PLCC"]
        lines = [
            [s.group, *([s.test_set] if several else []), f"{s.splits}"]
            + [_tables.number(v) for v in (s.mean["srocc"], s.median["srocc"], s.sd["srocc"], s.mean["plcc"])]
            for s in kinds
        ]
        _tables.show_table(heads, lines, "by distortion, mean over splits", heads[1 + several :])
    tell(f"hdrq: wrote rows.csv, summary.csv and predictions.csv to {found.folder}")
    tell(f"hdrq: evaluate the predictions with: hdrq evaluate --scores {found.predictions} --by split")
    click.echo(str(found.folder / "rows.csv"))


def _experiment_plan(found: Experiment) -> list[str]:
    """The trainings and tests of an experiment."""
    lines = [f"name     {found.name}", f"folder   {found.folder}"]
    for part in found.parts:
        changes = ", ".join(
            f"{len(v)} {k.replace('_', ' ')}" if isinstance(v, tuple) else f"{k} {v}"
            for k, v in part.settings.items()
        )
        lines.append(f"split    {part.name}: {changes}")
    lines += [f"test set {dataset.title}" for dataset in found.test_sets]
    return lines

"""hdrq train: networks from SDR to HDR."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hdrq.cli import options as _options
from hdrq.cli.app import say
from hdrq.errors import UsageError
from hdrq.registry import find, names

if TYPE_CHECKING:
    from hdrq.training.settings import Run

_TARGETS = {"": "hs", "sihdr": "hu-sihdr", "kadid": "hu-kadid", "upiq": "hl"}


@click.command(short_help="Train networks; re-target them from SDR to HDR.")
@click.option("--recipe", metavar="NAME", help="A whole recipe. See: hdrq list recipes.")
@click.option(
    "--variant", metavar="NAME", default="", help="Other settings of the recipe: paper, program ..."
)
@click.option(
    "-m",
    "--metric",
    "net",
    metavar="NAME",
    help="Network to train, where no recipe is named.  [default: vtamiq]",
)
@click.option("--dataset", metavar="NAME", help="What to learn from. See: hdrq list datasets.")
@click.option("--da", metavar="KIND", help="Domain adaptation: coral, deep-coral, mmd, adversary.")
@click.option("--target", metavar="NAME", help="The other domain.  [default: the dataset on HDR screens]")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the datasets are.  [default: $HDRQ_DATA]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any setting; see --dry-run for their names.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run folder.  [default: runs/RECIPE]",
)
@click.option("--resume", is_flag=True, help="Go on from the run folder's last checkpoint.")
@click.option("--tensorboard", is_flag=True, help="Write the curves for TensorBoard too.")
@click.option("--small", is_flag=True, help="Shrink the recipe to a smoke test through the same code.")
@click.option(
    "--dry-run", is_flag=True, help="Show the recipe, the data found and an estimate; train nothing."
)
@_options.device_option
def train(**options: Any) -> None:
    """Train a network, by a recipe or by what is asked for.

    \b
    hdrq train --recipe vtamiq-hs --data ~/iqa
    hdrq train --dataset kadid --da coral                  # as vtamiq-hs
    hdrq train --dataset kadid --da coral --target sihdr --set rate=3e-5
    hdrq train --dataset kadid -m metaiqa                  # as metaiqa-meta; of livec: metaiqa-finetune
    torchrun --nproc_per_node 4 -m hdrq train --recipe vtamiq-srgb
    """
    run, name = _resolve(options)
    from hdrq.scoring.batch import device_of
    from hdrq.training.settings import small

    run = small(run) if options["small"] else run
    folder = options["output"] or Path("runs") / (name + ("-small" if options["small"] else ""))
    device = device_of(options["device"])
    from hdrq.training.data import data_of

    if options["dry_run"]:
        _show(run, name, options["variant"], folder, options["data"], str(device))
        return
    source, held_out, target = data_of(run, options["data"])
    last = folder / "last.pt"
    if last.exists() and not options["resume"]:
        raise UsageError(f"{last} is there already; add --resume to go on, or name another folder with -o")
    from hdrq.training.meta_learning import meta_train
    from hdrq.training.start_weights import starter
    from hdrq.training.train import train as one_by_one

    learn = meta_train if run.meta else one_by_one
    records = learn(
        run,
        source,
        held_out,
        folder,
        target=target,
        device=device,
        start=starter(run),
        resume=options["resume"],
        tensorboard=options["tensorboard"],
    )
    _follow(records, len(source), len(held_out), len(target), name)
    from hdrq.training.validation import publish

    card = publish(folder, run, name, run.source, [i.scene for i in held_out])
    click.echo(
        f"{card}; use it as {run.net}@{name} with HDRQ_MODELS={folder}, or copy it where hdrq models list looks"
    )


def _resolve(options: dict[str, Any]) -> tuple[Run, str]:
    """(run, recipe's name): the recipe asked for, or the one that fits what is asked for."""
    from hdrq.training.settings import from_recipe

    net = options["net"] or "vtamiq"
    name = options["recipe"]
    asked: dict[str, Any] = {}
    if name is None:
        if not options["dataset"]:
            raise UsageError("name a --recipe or a --dataset; see: hdrq list recipes")
        name = _fitting(net, options["dataset"], options["da"], options["target"] or "")
    recipe = find("recipe", name)
    for key, value in (
        ("source", options["dataset"]),
        ("align", options["da"]),
        ("target", options["target"]),
    ):
        if value is not None:
            asked[key] = value
    if (
        options["dataset"]
        and not options["target"]
        and recipe.settings.get("target") == recipe.settings.get("source")
    ):
        asked["target"] = options["dataset"]
    for text in options["settings"]:
        key, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"--set takes NAME=VALUE, not '{text}'")
        asked[key.strip()] = value.strip()
    return from_recipe(recipe, asked, options["variant"]), name


def _fitting(net: str, dataset: str, da: str | None, target: str) -> str:
    """The recipe that trains a network on a dataset, with adaptation or without."""
    kind = _TARGETS.get(target, "hu-kadid") if da else "pu"
    known = [name for name in names("recipe") if find("recipe", name).net == net]
    if not known:
        some = sorted({find("recipe", name).net for name in names("recipe")})
        raise UsageError(f"no recipe trains {net}; there are some for {', '.join(some)}")
    first = [name for name in (f"{net}-{kind}", f"{net}-pu") if name in known]
    if not first:
        tells = all(find("dataset", one).distortions > 1 for one in dataset.split("+"))
        first = [name for name in known if bool(find("recipe", name).settings.get("meta")) == tells] or known
    if da and find("recipe", first[0]).settings.get("target") is None:
        raise UsageError(f"no recipe adapts {net}; see: hdrq list recipes")
    return first[0]


def _show(run: Run, name: str, variant: str, folder: Path, data: Path | None, device: str) -> None:
    """What would happen: settings, data, size, and time by one measured step where there is data."""
    from hdrq.training.estimate import estimate

    shown = f"{name}, variant {variant}" if variant else name
    click.echo(f"recipe   {shown} ({find('recipe', name).source})")
    click.echo(f"folder   {folder}")
    for key, value in asdict(run).items():
        click.echo(f"  {key} = {value}")
    for line in estimate(run, data, device):
        click.echo(line)


def _follow(records: Any, source: int, held_out: int, target: int, name: str) -> None:
    """Show a run as it goes: a line per validation, a bar where somebody watches."""
    import sys

    from tqdm import tqdm

    from hdrq.training.train import Step
    from hdrq.training.validation import Validation

    say(
        f"hdrq: {name}: {source} pictures, {held_out} held out"
        + (f", {target} of the target" if target else "")
    )
    bar = tqdm(unit="step", disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False)
    for record in records:
        if isinstance(record, Step):
            bar.update()
            bar.set_postfix(epoch=record.epoch, loss=f"{record.loss:.4f}", aligned=f"{record.aligned:.4f}")
        elif isinstance(record, Validation):
            mark = "  best" if record.best else ""
            line = f"epoch {record.epoch}: SROCC {record.srocc:.4f}, PLCC {record.plcc:.4f}, MAE {record.mae:.4f}{mark}"
            bar.write(line, file=sys.stderr) if not bar.disable else say(line)
    bar.close()

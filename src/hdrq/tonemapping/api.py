"""What others use of tone mapping: hdrq.tonemap and hdrq.expand for images, hdrq.tonemap_files ... for files and folders.

A `plan` states how images are tone mapped; parameter files keep it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq import io
from hdrq.arguments import checked
from hdrq.encoding.convert import Converted
from hdrq.encoding.displays import display as shelf_display
from hdrq.encoding.photometry import Photometry, as_image, relabel
from hdrq.errors import UsageError
from hdrq.image.devices import device_of
from hdrq.io.outputs import refuse_inputs
from hdrq.records import MAIN_IMAGE, Display, Image, Selection
from hdrq.scoring.binding import metric
from hdrq.scoring.module import pixels_of
from hdrq.tonemapping import enhance, files
from hdrq.tonemapping.contact_sheet import Tile, operators_of, sheet, tiles
from hdrq.tonemapping.file_names import Jobs
from hdrq.tonemapping.file_names import jobs as jobs_of
from hdrq.tonemapping.files import Written
from hdrq.tonemapping.networks import operator_named
from hdrq.tonemapping.optimize import Step, Tuned, steps_of, tune, value_of_file
from hdrq.tonemapping.plan import (
    CHOICES,
    DISPLAY_CHANGES,
    Expansion,
    Plan,
    expansion,
    parameters_of,
    plan,
    read_parameters,
)
from hdrq.tonemapping.tonemap import expand as expand_with
from hdrq.tonemapping.tonemap import scene_of
from hdrq.tonemapping.tonemap import tonemap as tonemap_with
from hdrq.work import Results, Spread, here

__all__ = [
    "CHOICES",
    "DISPLAY_CHANGES",
    "Expansion",
    "Jobs",
    "Plan",
    "Tile",
    "Tuned",
    "Written",
    "compare",
    "enhance_files",
    "expand",
    "expand_files",
    "expansion",
    "jobs",
    "optimize",
    "parameters_of",
    "plan",
    "read_parameters",
    "tonemap",
    "tonemap_files",
]

Source = Image | Tensor | np.ndarray | str | Path
# of a plan; a parameter file keeps all but the last two
_CHOICES = (*CHOICES, "auto", "seed")


@checked
def tonemap(
    image: Source,
    operator: str,
    *,
    display: str | Display | None = None,
    photometry: Photometry | None = None,
    **options: Any,
) -> Image:
    """Code for a display of an image's light: `hdrq.tonemap(image, "reinhard", key=0.18)`.

    image    an Image, a path, or a tensor (N, C, H, W) of light in cd/m²
    display  on which the result is shown; None: an SDR display
    options  of the operator by name, and colour=, saturation=, levels=(stops, exponent), gamut=, wrap=, bits=, dither=, seed=,
             primaries=. auto=True (or the name of weights) predicts the parameters by a network, where there are weights for
             the operator
    """
    return tonemap_with(_image(image, photometry), plan_of(operator, options, display), photometry)


@checked
def expand(image: Source, operator: str, **options: Any) -> Image:
    """Light, cd/m², of an SDR image: `hdrq.expand(image, "akyuz")`."""
    return expand_with(_image(image, None, "srgb"), expansion(operator, options))


def _image(source: Source, photometry: Photometry | None, domain: str = "nits") -> Image:
    if isinstance(source, str | Path):
        image = io.read(source)
        return relabel(image, photometry) if photometry is not None else image
    return as_image(pixels_of(source), domain)


@checked
def tonemap_files(
    sources: str | Path | Sequence[str | Path] | Jobs,
    target: str | Path | None = None,
    operator: str | Plan = "reinhard",
    *,
    suffix: str | None = None,
    photometry: Photometry | None = None,
    select: Selection = MAIN_IMAGE,
    device: str | torch.device = "auto",
    temporal: float | None = None,
    gain_map: float | None = None,
    spread: Spread | None = None,
    **options: Any,
) -> Results[Written]:
    """Tone-map files, patterns and folders. Yields a record of each file, written or failed; `len` gives their number.

        for done in hdrq.tonemap_files("scenes/", "images/", "drago", suffix=".jpg"):
            print(done.target, done.error)

    sources   files, patterns such as *.exr and folders; or (input, output) pairs, without a target
    target    the output: a file, or a folder
    operator  a name with `options` as in hdrq.tonemap, or a plan
    temporal  the files are the frames of a video: statistics are smoothed with this time constant, frames
    gain_map  stops of headroom: JPEGs are written with a gain map to the scene's light (Ultra HDR)
    spread    divides the files among other processes
    """
    todo = jobs(sources, target, suffix)
    if isinstance(operator, Plan):
        _refuse_options(options, "plan")
    made = operator if isinstance(operator, Plan) else plan_of(operator, options)
    place = str(device) if spread else device_of(device)
    light = photometry or Photometry()
    done = files.tonemap_files(todo, made, light, place, temporal, select, gain_map, spread or here)
    return Results(done, len(todo))


@checked
def expand_files(
    sources: str | Path | Sequence[str | Path] | Jobs,
    target: str | Path | None,
    operator: str | Expansion,
    *,
    suffix: str | None = None,
    mask: str | None = None,
    photometry: Photometry | None = None,
    primaries: str | None = None,
    select: Selection = MAIN_IMAGE,
    spread: Spread | None = None,
    **options: Any,
) -> Results[Written]:
    """Expand files of SDR code to light, as `tonemap_files`.

    operator   a name with `options` as in hdrq.expand, or an `expansion`
    mask       such as "-clipped": end of the names of masks of clipped pixels, which are written beside the results
    primaries  of the light, by name; None: those of each file
    """
    if isinstance(operator, Expansion):
        _refuse_options(options, "expansion")
    made = operator if isinstance(operator, Expansion) else expansion(operator, options)
    todo = jobs(sources, target, suffix, ".exr")
    if mask:
        refuse_inputs([files.mask_of(out, mask) for _, out in todo], [p for p, _ in todo])
    light = photometry or Photometry()
    done = files.expand_files(todo, made, light, mask, select, spread or here, primaries)
    return Results(done, len(todo))


def _refuse_options(options: Mapping[str, Any], holder: str) -> None:
    """Raise UsageError for options beside a plan or an expansion, which has its own."""
    if options:
        raise UsageError(
            f"{next(iter(options))} has no effect beside a ready {holder}; state it where the {holder} is made"
        )


@checked
def enhance_files(
    sources: str | Path | Sequence[str | Path] | Jobs,
    target: str | Path | None,
    network: str,
    quality: float | Sequence[float],
    *,
    suffix: str | None = None,
    select: Selection = MAIN_IMAGE,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> Results[Converted]:
    """Reconstruct tone-mapped images with a quality, by NET[@WEIGHTS]; of several qualities, a sheet of each image."""
    place, found = device_of(device), enhance.enhancer(network)
    todo = jobs(sources, target, suffix)
    return Results(enhance.enhance_files(todo, found, quality, place, seed, select), len(todo))


def compare(
    source: str | Path,
    target: str | Path,
    operators: str,
    score: str | None = "tmqi",
    *,
    photometry: Photometry | None = None,
    select: Selection = MAIN_IMAGE,
    **choices: Any,
) -> tuple[Results[Tile], Callable[[Sequence[Tile]], tuple[str, ...]]]:
    """(tiles of a contact sheet of one image as they are made, a function that writes them to `target` and gives its notes).

    operators  "all", or names separated by commas;  score  a metric that is written under each image, None for none
    choices    of the plan: colour, saturation, levels, gamut, wrap, primaries
    """
    jobs(source, target)
    chosen = operators_of(operators)
    scorer = metric(score) if score else None
    light = photometry or Photometry()
    image = files.read(Path(source), light, select)
    # invalid choices are refused here, once
    plan(chosen[0], **choices)
    made = tiles(image, chosen, scorer, light, **choices)
    return Results(made, len(chosen)), lambda found: io.write(target, sheet(found, score or "none"))


def optimize(
    source: str | Path,
    made: Plan,
    by: str,
    *,
    iterations: int = 60,
    seed: int = 0,
    photometry: Photometry | None = None,
    select: Selection = MAIN_IMAGE,
) -> tuple[Results[Step | Tuned], Callable[[str], float]]:
    """(the steps of a search for the best parameters of a plan and at last Tuned, the metric's value of another operator).

    by  the metric that is optimised
    """
    light, scorer = photometry or Photometry(), metric(by)
    image = files.read(Path(source), light, select)
    steps: Iterator[Step | Tuned] = tune(
        image, made, scorer, iterations=iterations, seed=seed, photometry=light
    )

    def value_of(operator: str) -> float:
        """With the operator's defaults, of the written code."""
        other = replace(made, operator=plan(operator).operator, settings={}).for_image(image, light)
        return value_of_file(scene_of(image, light, other)[0], other, scorer)

    return Results(steps, steps_of(iterations)), value_of


def plan_of(operator: str, options: Mapping[str, Any], display: str | Display | None = None) -> Plan:
    """A plan from the keyword arguments of hdrq.tonemap."""
    shown = display if display is not None else options.get("display")
    screen = shelf_display(shown) if isinstance(shown, str) else shown
    found = operator_named("tonemapper", operator)
    settings = {key: value for key, value in options.items() if key != "display"}
    choices = {key: settings.pop(key) for key in _CHOICES if key in settings and key not in found.options}
    if "auto" in choices:
        choices["auto"] = {True: "default", False: ""}.get(choices["auto"], choices["auto"])
    return plan(found, settings, display=screen, **choices)


def jobs(
    sources: str | Path | Sequence[str | Path] | Jobs,
    target: str | Path | None,
    suffix: str | None = None,
    default: str = ".png",
) -> Jobs:
    """(input, output) of every file.

    suffix  of the files in an output folder, `default` where None; UsageError where the output is a file
    """
    if target is not None:
        named = [Path(sources)] if isinstance(sources, str | Path) else [Path(str(s)) for s in sources]
        found = jobs_of(named, Path(target), suffix or default)
        if suffix is not None and found and found[0][1] == Path(target):
            raise UsageError(f"--suffix is only for output folders; {target} has a suffix")
        return found
    if isinstance(sources, str | Path) or not all(isinstance(pair, tuple) for pair in sources):
        raise UsageError("give an output, or (input, output) pairs")
    return [(Path(pair[0]), Path(pair[1])) for pair in sources if isinstance(pair, tuple)]

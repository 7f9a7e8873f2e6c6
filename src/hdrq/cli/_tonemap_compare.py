"""hdrq tonemap --compare: a contact sheet of operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hdrq.cli import options as _options
from hdrq.cli import progress as _progress
from hdrq.cli._tonemap_options import DISPLAY
from hdrq.cli.app import SOME_FAILED, note, say
from hdrq.errors import UsageError


def scene_photometry(options: dict[str, Any]) -> Any:
    """How the input is read: --display and --primaries describe the output."""
    return _options.photometry_of({**options, **dict.fromkeys((*DISPLAY, "primaries"))})


def compare(sources: list[Path], target: Path, options: dict[str, Any], given: set[str]) -> None:
    """Write the contact sheet of the operators given by --compare."""
    from hdrq import io
    from hdrq.scoring.binding import metric
    from hdrq.tonemapping.contact_sheet import operators_of, sheet, tiles
    from hdrq.tonemapping.file_names import jobs
    from hdrq.tonemapping.files import read
    from hdrq.tonemapping.tonemap import plan

    if len(sources) != 1 or sources[0].is_dir():
        raise UsageError("--compare takes one image")
    jobs(sources, target, ".png")
    chosen = operators_of(options["compare"])
    label = options["score"] or "tmqi"
    scorer = None if label == "none" else metric(label)
    photometry = scene_photometry(options)
    image = read(sources[0], photometry, _options.selection_of(options))
    choices = {n: options[n] for n in ("colour", "saturation", "levels", "gamut", "wrap", "primaries")}
    plan(chosen[0], **choices)  # invalid choices are refused here, once
    found = list(_progress.bar(tiles(image, chosen, scorer, photometry, **choices), len(chosen)))
    made = [tile for tile in found if not tile.error]
    for tile in found if made else ():
        if tile.error:
            say(f"hdrq: {tile.operator}: {tile.error}")
    if scorer is not None and made and all(tile.score is None for tile in made):
        side = scorer.metric.card.side
        note(f"no scores on the sheet: {label} needs at least {side} pixels a side")
    for text in io.write(target, sheet(found, label)):
        note(text)
    if any(tile.error for tile in found):
        raise SystemExit(SOME_FAILED)

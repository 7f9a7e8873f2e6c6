"""hdrq tonemap --compare: a contact sheet of operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hdrq
from hdrq.cli import _records
from hdrq.cli import progress as _progress
from hdrq.cli._tonemap_options import DISPLAY
from hdrq.cli.app import SOME_FAILED, note, say
from hdrq.errors import UsageError


def scene_photometry(options: dict[str, Any]) -> Any:
    """How the input is read: --display and --primaries describe the output."""
    return _records.photometry_of({**options, **dict.fromkeys((*DISPLAY, "primaries"))})


def contact_sheet(sources: list[Path], target: Path, options: dict[str, Any], given: set[str]) -> None:
    """Write the contact sheet of the operators given by --compare."""
    from hdrq.tonemapping.api import compare

    if len(sources) != 1 or sources[0].is_dir():
        raise UsageError("--compare takes one image")
    label = options["score"] or "tmqi"
    choices = {n: options[n] for n in ("colour", "saturation", "levels", "gamut", "wrap", "primaries")}
    tiles, write = compare(
        sources[0],
        target,
        options["compare"],
        None if label == "none" else label,
        photometry=scene_photometry(options),
        select=_records.selection_of(options),
        **choices,
    )
    found = list(_progress.bar(tiles, len(tiles)))
    made = [tile for tile in found if not tile.error]
    for tile in found if made else ():
        if tile.error:
            say(f"hdrq: {tile.operator}: {tile.error}")
    if label != "none" and made and all(tile.score is None for tile in made):
        side = hdrq.metric(label).scorer.metric.card.side
        note(f"the contact sheet has no scores: {label} needs images of at least {side} pixels a side")
    for text in write(found):
        note(text)
    if any(tile.error for tile in found):
        raise SystemExit(SOME_FAILED)

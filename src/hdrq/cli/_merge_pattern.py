"""hdrq merge --pattern: its options, and the merge of a sequence."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

import click

import hdrq
from hdrq.cli import _merge_settings, _options
from hdrq.cli._idle import Dependent, given
from hdrq.cli._outputs import report
from hdrq.errors import UsageError

# options without use for sequences, with the reason
_IDLE = {
    "ghost_mask": "there are several frames",
    "plot_response": "use --save-response",
    "report": "what was found of a frame is in its header",
    "cluster": "frames are merged in order",
}

pattern_options = _options.stack(
    click.option(
        "--pattern",
        type=click.Choice(["none", "alternating", "bayer-me"]),
        default="none",
        show_default=True,
        help="Frames of a video whose exposure alternates, or mosaics whose pixels have different exposures; each frame gives "
        "one image, written to the folder of -o.",
    ),
    click.option(
        "--cycle",
        cls=Dependent,
        needs={"pattern": ("alternating",)},
        type=click.Choice(["2", "3"]),
        metavar="2|3",
        help="With --pattern alternating: frames after which exposures repeat; needed with --estimate-exposures.",
    ),
    click.option(
        "--neighbours",
        cls=Dependent,
        needs={"pattern": ("alternating",)},
        type=click.Choice(["both", "nearest", "previous"]),
        default="both",
        show_default=True,
        help="With --pattern alternating: frames of every other exposure to merge with each frame: before and after it, the "
        "nearer, or before it.",
    ),
    click.option(
        "--layout",
        cls=Dependent,
        needs={"pattern": ("bayer-me",)},
        default="",
        metavar="NAME|TILE",
        help="With --pattern bayer-me: exposures of the pixels: rows (pairs), columns, checker, quad, or a tile of numbers such "
        "as 0011/0011/1100/1100; --times or --ev and --gains state the exposure of each number.",
    ),
    click.option(
        "--gains",
        cls=Dependent,
        needs={"pattern": ("bayer-me",)},
        metavar="G0,G1,...",
        help="With --pattern bayer-me: amplification of each exposure of the layout.",
    ),
    click.option(
        "--filters",
        cls=Dependent,
        needs={"pattern": ("bayer-me",)},
        type=click.Choice(["auto", "rggb", "bggr", "grbg", "gbrg", "none"]),
        default="auto",
        show_default=True,
        help="With --pattern bayer-me: colours of the four top left pixels, for files that are not raw; none is monochrome.",
    ),
    click.option(
        "--noise",
        cls=Dependent,
        needs={"pattern": ("bayer-me",)},
        metavar="FULL,READ",
        help="With --pattern bayer-me: electrons that saturate a pixel, and read noise in electrons.  [default: 15000,4]",
    ),
    click.option(
        "--resume",
        cls=Dependent,
        needs={"pattern": ("alternating", "bayer-me")},
        is_flag=True,
        help="With --pattern: leave out frames that the folder of -o already has.",
    ),
)


def merged(paths: tuple[Path, ...], output: str, options: dict[str, Any]) -> Any:
    """The merge of a single mosaic to a file; None for a sequence, of which every frame is written to a folder."""
    from hdrq.merging.api import refuse_outputs

    for name, why in _IDLE.items():
        if options[name]:
            raise UsageError(f"--pattern does not take --{name.replace('_', '-')}: {why}; leave it out")
    if "crop" in given(click.get_current_context()) and options["crop"] != "reference":
        raise UsageError("--pattern writes the whole of every frame; leave out --crop common")
    settings = _merge_settings.settings(options)
    suffixed = bool(Path(output).suffix) and not Path(output).is_dir()
    if options["pattern"] == "bayer-me" and len(paths) == 1 and suffixed and not _of_frames(paths[0]):
        if options["resume"]:
            raise UsageError("--resume goes on with a sequence, and this is one mosaic; leave it out")
        refuse_outputs(output, settings, paths, save_response=options["save_response"])
        return next(iter(hdrq.merge([str(paths[0])], settings, pattern=options["pattern"])))
    if suffixed:
        raise UsageError(
            f"a sequence is written to a folder, but {output} has a suffix; name a folder with -o"
        )
    done = hdrq.merge_sequence(
        [str(p) for p in paths],
        output,
        settings,
        suffix=options["suffix"],
        depth=options["depth"],
        resume=options["resume"],
        save_response=options["save_response"],
    )
    report(done, len(done), operator.attrgetter("name"))
    return None


def _of_frames(path: Path) -> bool:
    """Whether a path is a folder or a clip."""
    from hdrq.merging.api import is_clip

    return path.is_dir() or is_clip(path)

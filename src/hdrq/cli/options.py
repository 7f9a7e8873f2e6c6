"""Options that several commands share, and the records they become."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hdrq.cli import _complete
from hdrq.cli._numbers import NOT_NEGATIVE, POSITIVE, SHARE
from hdrq.errors import UsageError

if TYPE_CHECKING:
    from hdrq.encoding.photometry import Photometry, Side
    from hdrq.records import Display, Selection, Viewing

F = TypeVar("F", bound=Callable[..., Any])


def _stack(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def wrap(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return wrap


def _be_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["hdrq.quiet"] = True


quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_be_quiet,
    help="No notes and no progress, errors only.",
)

display_options = _stack(
    click.option(
        "--display",
        metavar="NAME|FILE.toml",
        shell_complete=_complete.of("display"),
        help="Screen the pictures are seen on. Default: sdr for sRGB code, absolute for light.",
    ),
    click.option("--display-peak", type=POSITIVE, metavar="NITS", help="The display's white, cd/m²."),
    click.option("--black", type=NOT_NEGATIVE, metavar="NITS", help="The display's black, cd/m²."),
    click.option("--contrast", type=POSITIVE, metavar="RATIO", help="Black as the peak over this ratio."),
    click.option("--ambient", type=NOT_NEGATIVE, metavar="LUX", help="Light falling on the display."),
    click.option(
        "--reflectance", type=SHARE, metavar="SHARE", help="Share of the ambient light thrown back."
    ),
)

_SELECTED = (  # which image of a file is read
    ("layer", "NAME", "Layer of an EXR, or base or hdr of a file with a gain map."),
    ("view", "NAME", "View of a stereo EXR."),
    ("part", "NAME|N", "Part of an EXR, or page of a TIFF."),
    ("frames", "N|A:B:STEP", "Frames of a clip, counted from 0, such as 0:100:10."),
)

# What every command that reads images takes of them: which image, and what its numbers are.
read_options = _stack(
    *(click.option(f"--{name}", metavar=kind, help=help) for name, kind, help in _SELECTED),
    click.option(
        "--domain",
        metavar="NAME",
        shell_complete=_complete.of("encoding", also=("linear", "nits")),
        help="What the files hold, e.g. pq for untagged PQ code.",
    ),
    click.option(
        "--file-primaries",
        metavar="NAME",
        help="Primaries of files that do not state them: bt709, p3, bt2020, adobe-rgb, xyz.",
    ),
    click.option(
        "--nonfinite",
        type=click.Choice(["error", "clamp"]),
        default="error",
        show_default=True,
        help="NaN and Inf: refuse the file, or clamp and say so.",
    ),
)

scale_options = _stack(
    click.option(
        "--scale", type=POSITIVE, metavar="NITS", help="Relative files: a value of 1 is this many cd/m²."
    ),
    click.option(
        "--peak", type=POSITIVE, metavar="NITS", help="Relative files: the reference's brightest value."
    ),
    click.option(
        "--white",
        type=POSITIVE,
        metavar="NITS",
        help="Relative files: a value of 1, which relative encodings (mu, srgb, linear) then call 1.",
    ),
)

light_options = _stack(display_options, scale_options, read_options)

working_option = click.option(
    "--primaries",
    metavar="NAME",
    help="Working primaries of metrics of RGB: bt709, p3, bt2020.  [default: the smallest that hold both images]",
)


def _of_side(side: str, files: str) -> tuple[Callable[[Any], Any], ...]:
    """The options of what a file holds, for the files of one side."""
    return (
        click.option(f"--{side}-domain", metavar="NAME", help=f"What the {files} hold."),
        click.option(
            f"--{side}-scale",
            type=POSITIVE,
            metavar="NITS",
            help=f"Of the {files}: a value of 1 is this many cd/m².",
        ),
        click.option(f"--{side}-primaries", metavar="NAME", help=f"Primaries of the {files}."),
        click.option(
            f"--{side}-display",
            metavar="NAME|FILE.toml",
            shell_complete=_complete.of("display"),
            help=f"Screen of the {files}.",
        ),
        *(
            click.option(f"--{side}-{name}", metavar=kind, help=f"--{name} of the {files}.")
            for name, kind, _ in _SELECTED
        ),
    )


side_options = _stack(*_of_side("ref", "reference files"), *_of_side("dist", "test files"))

viewing_options = _stack(
    click.option(
        "--ppd",
        type=POSITIVE,
        metavar="N",
        help="Pixels per degree of visual angle.  [default: the display's, else 45]",
    ),
    click.option("--screen", metavar="WxH", help="With --diagonal and --distance: the screen's pixels."),
    click.option("--diagonal", type=POSITIVE, metavar="INCHES", help="The screen's diagonal."),
    click.option("--distance", type=POSITIVE, metavar="METRES", help="From the eye to the screen."),
)

device_option = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:i]", help="Where to compute."
)

cluster_option = click.option(
    "--cluster",
    metavar="local[:N]|tcp://HOST:PORT|FILE.toml",
    help="Divide the work among processes of this machine, workers of a Dask scheduler, or jobs of a queueing system.",
)


def _outputs(*formats: str) -> Callable[[F], F]:
    return _stack(
        click.option(
            "--format",
            "format_",
            type=click.Choice(formats),
            help="Default: a table at a terminal, CSV when piped, the suffix of -o.",
        ),
        click.option("-o", "--output", metavar="FILE", help="Write here instead, whole or not at all."),
    )


output_options = _outputs("table", "csv", "json", "jsonl")
row_output_options = _outputs("table", "csv", "json", "jsonl", "parquet")


def display_of(options: dict[str, Any]) -> Display | None:
    """The display that the options describe; None when they say nothing."""
    from hdrq.encoding.displays import display

    changes = {
        "peak_nits": options.get("display_peak"),
        "black_nits": options.get("black"),
        "contrast": options.get("contrast"),
        "ambient_lux": options.get("ambient"),
        "reflectance": options.get("reflectance"),
    }
    if options.get("black") is not None and options.get("contrast") is not None:
        raise UsageError("--black and --contrast say the same thing twice; keep one")
    if options.get("display") is None and all(v is None for v in changes.values()):
        return None
    if options.get("display") is None:
        raise UsageError(
            "--display-peak, --black, --contrast, --ambient and --reflectance change a --display; name one"
        )
    return display(options["display"], **changes)


def viewing_of(options: dict[str, Any], display: Display | None = None) -> Viewing:
    """Pixels per degree: given, worked out from the screen, or those of a display whose size is known."""
    from hdrq.records import Viewing

    parts = [options.get(k) for k in ("screen", "diagonal", "distance")]
    if options.get("ppd") is not None:
        if any(p is not None for p in parts):
            raise UsageError("--ppd and --screen/--diagonal/--distance say the same thing twice; keep one")
        return Viewing(options["ppd"])
    if all(p is None for p in parts):
        return (display.viewing if display is not None else None) or Viewing()
    if any(p is None for p in parts):
        raise UsageError("--screen, --diagonal and --distance belong together, or give --ppd")
    try:
        width, height = (int(n) for n in options["screen"].lower().split("x"))
    except ValueError as error:
        raise UsageError(f"--screen is WIDTHxHEIGHT such as 3840x2160, not '{options['screen']}'") from error
    return Viewing.from_screen(width, height, options["diagonal"], options["distance"])


def photometry_of(options: dict[str, Any]) -> Photometry:
    """Everything about the light in one record; contradictions are refused."""
    from hdrq.encoding.photometry import Photometry

    given = [k for k in ("scale", "peak", "white") if options.get(k) is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} both set the scale; keep one")
    display = display_of(options)
    return Photometry(
        display=display,
        viewing=viewing_of(options, display),
        scale=options.get("scale"),
        peak=options.get("peak"),
        white=options.get("white"),
        domain=options.get("domain"),
        nonfinite=options.get("nonfinite") or "error",
        primaries=options.get("primaries"),
        file_primaries=options.get("file_primaries"),
        ref=_side_of(options, "ref"),
        dist=_side_of(options, "dist"),
    )


def _side_of(options: dict[str, Any], side: str) -> Side:
    """What the options say of the files of one side."""
    from hdrq.encoding.displays import display
    from hdrq.encoding.photometry import Side

    scale, shown = options.get(f"{side}_scale"), options.get(f"{side}_display")
    return Side(
        options.get(f"{side}_domain"),
        scale,
        display(shown) if shown else None,
        options.get(f"{side}_primaries"),
    )


def selection_of(options: dict[str, Any], side: str = "") -> Selection:
    """Which image of a file the options choose; side: "ref" or "dist", of the files of that side only."""
    from hdrq.records import Selection

    prefix = f"{side}_" if side else ""
    return Selection(**{name: options.get(prefix + name) for name, *_ in _SELECTED})

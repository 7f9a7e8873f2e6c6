"""Options shared by several commands, and the records they are converted to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

import hdrq
from hdrq.cli import _complete
from hdrq.cli._numbers import NOT_NEGATIVE, POSITIVE, SHARE
from hdrq.errors import UsageError

if TYPE_CHECKING:
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
    help="Print only errors, no notes and no progress.",
)

display_options = _stack(
    click.option(
        "--display",
        metavar="NAME|FILE.toml",
        shell_complete=_complete.of("display"),
        help="Display on which the images are viewed.  [default: sdr for sRGB code, absolute for light]",
    ),
    click.option(
        "--display-peak", type=POSITIVE, metavar="NITS", help="Peak luminance (white) of the display, cd/m²."
    ),
    click.option("--black", type=NOT_NEGATIVE, metavar="NITS", help="Black level of the display, cd/m²."),
    click.option(
        "--contrast",
        type=POSITIVE,
        metavar="RATIO",
        help="Contrast of the display, peak over black; it replaces --black.",
    ),
    click.option("--ambient", type=NOT_NEGATIVE, metavar="LUX", help="Ambient illuminance on the display."),
    click.option(
        "--reflectance",
        type=SHARE,
        metavar="SHARE",
        help="Share of the ambient light that the display reflects.",
    ),
)

_SELECTED = (  # which image of a file is read
    ("layer", "NAME", "Layer of an EXR, or base or hdr of a file with a gain map."),
    ("view", "NAME", "View of a stereo EXR."),
    ("part", "NAME|N", "Part of an EXR, or page of a TIFF."),
    ("frames", "N|A:B:STEP", "Frames of a clip, counted from 0, such as 0:100:10."),
)

_MEANING = (
    click.option(
        "--domain",
        metavar="NAME",
        shell_complete=_complete.of("encoding", also=("linear", "nits")),
        help="Encoding or domain of the files, such as pq for untagged PQ code.",
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
        help="What to do with NaN and Inf: refuse the file, or clamp them and print a note.",
    ),
)


def _which(*names: str) -> tuple[Callable[[Any], Any], ...]:
    return tuple(
        click.option(f"--{name}", metavar=kind, help=help) for name, kind, help in _SELECTED if name in names
    )


# Options of every command that reads images: which image of a file, and the meaning of its values.
read_options = _stack(*_which("layer", "view", "part", "frames"), *_MEANING)

_scale = click.option(
    "--scale",
    type=POSITIVE,
    metavar="NITS",
    help="Luminance that a value of 1 stands for in files of relative light, cd/m².",
)

scale_options = _stack(
    _scale,
    click.option(
        "--peak",
        type=POSITIVE,
        metavar="NITS",
        help="Luminance that the maximum of the reference stands for in files of relative light, cd/m².",
    ),
    click.option(
        "--white",
        type=POSITIVE,
        metavar="NITS",
        help="Relative files: luminance of a value of 1 and of code 1 in relative encodings (mu, srgb, linear), cd/m².",
    ),
)

# The same for commands that learn from images, and show them on displays of their own.
training_read_options = _stack(_scale, *_which("layer", "view", "part"), *_MEANING)
_TRAINING_READ = ("scale", "layer", "view", "part", "domain", "file_primaries", "nonfinite")

light_options = _stack(display_options, scale_options, read_options)

working_option = click.option(
    "--primaries",
    metavar="NAME",
    help="Working primaries of metrics of RGB: bt709, p3, bt2020.  [default: the smallest that contain both images]",
)


def _of_side(side: str, files: str) -> tuple[Callable[[Any], Any], ...]:
    """The options that describe the files of one side."""
    return (
        click.option(f"--{side}-domain", metavar="NAME", help=f"Encoding or domain of the {files}."),
        click.option(
            f"--{side}-scale",
            type=POSITIVE,
            metavar="NITS",
            help=f"Luminance of a value of 1 in the {files}, cd/m².",
        ),
        click.option(f"--{side}-primaries", metavar="NAME", help=f"Primaries of the {files}."),
        click.option(
            f"--{side}-display",
            metavar="NAME|FILE.toml",
            shell_complete=_complete.of("display"),
            help=f"Display of the {files}.",
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
    click.option(
        "--screen",
        metavar="WxH",
        help="Resolution of the display, for the pixels per degree; needs --diagonal and --distance.",
    ),
    click.option("--diagonal", type=POSITIVE, metavar="INCHES", help="Diagonal of the display, inches."),
    click.option("--distance", type=POSITIVE, metavar="METRES", help="Viewing distance, metres."),
)

device_option = click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:i]", help="Device that computes."
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
            help="Output format.  [default: by the suffix of -o; without -o a table at a terminal and CSV in a pipe]",
        ),
        click.option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write to this file instead of stdout. The file is complete or not written.",
        ),
    )


output_options = _outputs("table", "csv", "json", "jsonl")
paper_output_options = _outputs("table", "csv", "json", "jsonl", "latex", "markdown")
row_output_options = _outputs("table", "csv", "json", "jsonl", "parquet")


def display_of(options: dict[str, Any]) -> Display | None:
    """The display that the options describe; None without such options."""
    changes = {
        "peak_nits": options.get("display_peak"),
        "black_nits": options.get("black"),
        "contrast": options.get("contrast"),
        "ambient_lux": options.get("ambient"),
        "reflectance": options.get("reflectance"),
    }
    if options.get("black") is not None and options.get("contrast") is not None:
        raise UsageError("give only one of --black and --contrast")
    if options.get("display") is None and all(v is None for v in changes.values()):
        return None
    if options.get("display") is None:
        raise UsageError(
            "--display-peak, --black, --contrast, --ambient and --reflectance modify a --display; add it"
        )
    return hdrq.display(options["display"], **changes)


def viewing_of(options: dict[str, Any], display: Display | None = None) -> Viewing:
    """Pixels per degree: given, computed from the geometry, or those of a display of known size."""
    from hdrq.records import Viewing

    parts = [options.get(k) for k in ("screen", "diagonal", "distance")]
    if options.get("ppd") is not None:
        if any(p is not None for p in parts):
            raise UsageError("give either --ppd or --screen, --diagonal and --distance")
        return Viewing(options["ppd"])
    if all(p is None for p in parts):
        return (display.viewing if display is not None else None) or Viewing()
    if any(p is None for p in parts):
        raise UsageError("--screen, --diagonal and --distance must be given together; or give --ppd")
    try:
        width, height = (int(n) for n in options["screen"].lower().split("x"))
    except ValueError as error:
        raise UsageError(f"--screen is WIDTHxHEIGHT such as 3840x2160, not '{options['screen']}'") from error
    return Viewing.from_screen(width, height, options["diagonal"], options["distance"])


def photometry_of(options: dict[str, Any]) -> hdrq.Photometry:
    """Everything about the light in one record; contradictions are refused."""
    given = [k for k in ("scale", "peak", "white") if options.get(k) is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} both set the scale; give only one")
    display = display_of(options)
    return hdrq.Photometry(
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


def _side_of(options: dict[str, Any], side: str) -> hdrq.Side:
    """The options that describe the files of one side."""
    scale, shown = options.get(f"{side}_scale"), options.get(f"{side}_display")
    return hdrq.Side(
        options.get(f"{side}_domain"),
        scale,
        hdrq.display(shown) if shown else None,
        options.get(f"{side}_primaries"),
    )


def files_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `training_read_options` that were given, by name; they are taken out of `options`."""
    given = {name: options.pop(name) for name in _TRAINING_READ}
    return {name: value for name, value in given.items() if value not in (None, "error")}


def selection_of(options: dict[str, Any], side: str = "") -> Selection:
    """The image of a file that the options select; side: "ref" or "dist", for the files of that side only."""
    from hdrq.records import Selection

    prefix = f"{side}_" if side else ""
    return Selection(**{name: options.get(prefix + name) for name, *_ in _SELECTED})

"""Options shared by several commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hdrq.cli import _complete
from hdrq.cli._numbers import NOT_NEGATIVE, POSITIVE, SHARE

if TYPE_CHECKING:
    pass

F = TypeVar("F", bound=Callable[..., Any])


def stack(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several options as one decorator."""

    def wrap(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return wrap


def _be_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta["hdrq.quiet"] = True


# In the context's meta: processes of --cluster local whose start has begun.
PREPARED = "hdrq.cluster.prepared"


def _prepare(ctx: click.Context, param: click.Parameter, where: str | None) -> str | None:
    """Begin the start of processes of this machine while the command imports and checks what it needs."""
    if where and not ctx.resilient_parsing:
        from hdrq.cluster.api import prepare

        if (processes := prepare(where)) is not None:
            ctx.meta[PREPARED] = processes
            ctx.call_on_close(processes.close)
    return where


quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_be_quiet,
    help="Print only errors, no notes and no progress.",
)

display_options = stack(
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

# which image of a file is read
SELECTED = (
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
        click.option(f"--{name}", metavar=kind, help=help) for name, kind, help in SELECTED if name in names
    )


# Options of every command that reads images: which image of a file, and the meaning of its values.
read_options = stack(*_which("layer", "view", "part", "frames"), *_MEANING)

_scale = click.option(
    "--scale",
    type=POSITIVE,
    metavar="NITS",
    help="Luminance that a value of 1 stands for in files of relative light, cd/m².",
)

scale_options = stack(
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
training_read_options = stack(_scale, *_which("layer", "view", "part"), *_MEANING)
TRAINING_READ = ("scale", "layer", "view", "part", "domain", "file_primaries", "nonfinite")

light_options = stack(display_options, scale_options, read_options)

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
            for name, kind, _ in SELECTED
        ),
    )


side_options = stack(*_of_side("ref", "reference files"), *_of_side("dist", "test files"))

viewing_options = stack(
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
    callback=_prepare,
    help="Divide the work among processes of this machine, workers of a Dask scheduler, or jobs of a queueing system.",
)


def _outputs(*formats: str) -> Callable[[F], F]:
    return stack(
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

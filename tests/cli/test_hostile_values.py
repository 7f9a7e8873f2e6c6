"""Every command with every option it has, on hostile values of each: an exit code and one line, and no traceback.

The cases are made from the tree of commands, so that a new option is covered by being there. A new command needs an
example in EXAMPLES, small enough to run hundreds of times.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import torch

import hdrq
from hdrq.cli import main
from hdrq.cli._idle import Dependent
from hdrq.cli._numbers import Number
from hdrq.cli.app import command_line
from hdrq.errors import UsageError
from hdrq.records import Image

SIDE = 16
# Command -> arguments that work, or with only the option under test to blame; {out} is a file that is not there.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "completion": ("bash",),
    "demo": ("{out} --size 16x16",),
    "distill": (
        "--teacher pu-psnr --images {images} --distortions noise -n 4 --crop 32 --make-set recipes -o {out}",
    ),
    "encode": ("ref.exr {out}.exr --to pu21", "code.png {out}.exr --to pu21 --display sdr"),
    "evaluate": (
        "--scores table.csv --draws 0 --protocol splits --splits 2 --fit line",
        "--dataset csv --data list.csv -m psnr --draws 0",
    ),
    "info": ("ref.exr",),
    "list": ("encodings",),
    "merge": (
        "a.png b.png -o {out}.exr --times 1,4 --align none --deghost none --response srgb",
        "a.png b.png -o {out}.png --fuse --align none",
    ),
    "models fetch": ("nothing-of-this-name",),
    "models import": ("code.png --as norvdpnet",),
    "models list": ("",),
    "models show": ("diqm-small",),
    "models verify": ("nothing-of-this-name",),
    "score": ("ref.exr dist.exr -m pu-psnr", "code.png code.png -m psnr --display sdr"),
    "table join": ("part.csv -o made.csv",),
    "tonemap": (
        "ref.exr {out}.png",
        "ref.exr {out}.png --optimize pu-psnr --iterations 1",
        "code.png {out}.exr --expand rempel",
        "ref.exr {out}.png --compare gamma --score none",
        "code.png {out}.png --enhance qdnet@none --quality 0.5",
    ),
    "train": ("--dataset csv --data list.csv -m norvdpnet++ --set holdout=0.5 --dry-run",),
}
PLACES = ("folder", "broken", "theirs/file.exr", "no/such/file.exr")
EVERY = ("nan", "inf", "-1", "", "9" * 40, *PLACES)  # for each option and argument, whatever its type
TEXTS = ("1e309", "[/x]", "a=b", ",", "é\udcff", "x" * 300)
NUMBERS = ("-inf", "1e309", "x", "1,5")
# Examples that name what is not there, since nothing small enough is.
REFUSED = ("nothing-of-this-name", "code.png --as", "qdnet@none")


def commands(
    group: click.Group = command_line, before: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """("models import", its command) of every command there is."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from commands(found, (*before, name))
        else:
            yield " ".join((*before, name)), found


COMMANDS = dict(commands())


def values_of(option: click.Parameter) -> tuple[str, ...]:
    if isinstance(option.type, Number):
        return (*EVERY, *NUMBERS)
    if isinstance(option.type, click.Choice):
        return (*EVERY, *option.type.choices)
    return (*EVERY, *TEXTS)


def needed(command: click.Command, option: click.Parameter) -> list[str]:
    """The options without which an option is refused, whatever its value."""
    found = []
    for name, values in option.needs.items() if isinstance(option, Dependent) else ():
        other = next(p for p in command.params if p.name == name)
        flag = getattr(other, "is_flag", False)
        found.append([other.opts[-1], *([] if flag else [next(iter(values), "made-too")])])
    return found[0] if found else []


def cases(command: click.Command, example: list[str]) -> Iterator[list[str]]:
    """The example with one option more, at each hostile value; then with each of its own words replaced."""
    for option in command.params:
        start = [*example, *needed(command, option)]
        if isinstance(option, click.Option) and option.is_flag:
            yield from ([*start, name] for name in (*option.opts, *option.secondary_opts))
        elif isinstance(option, click.Option):
            yield from ([*start, option.opts[-1], *[v] * option.nargs] for v in values_of(option))
    for place, word in enumerate(example):
        if not word.startswith("-"):
            yield from ([*example[:place], v, *example[place + 1 :]] for v in (*EVERY, *TEXTS))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Inputs in a folder that every user may enter and write to, and a file that only another one may read."""
    place = Path(tempfile.mkdtemp(prefix="hdrq-hostile-"))
    place.chmod(0o777)
    x = torch.linspace(1, 300, SIDE * SIDE).reshape(1, 1, SIDE, SIDE).repeat(1, 3, 1, 1)
    for name, light in (("ref.exr", x), ("dist.exr", x * 1.1)):
        hdrq.write(place / name, Image(light))
    for name, code in (("code.png", x / 300), ("a.png", (x / 300).clamp(max=0.7)), ("b.png", x / 310)):
        hdrq.write(place / name, Image(code, domain="srgb", bits=8))
    for seed, name in enumerate("cdefgh"):  # large enough for a network
        random = torch.Generator().manual_seed(seed)
        code = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=random), 64, mode="bilinear")
        hdrq.write(place / f"{name}.jpg", Image(code, domain="srgb", bits=8))
    (place / "images").mkdir()
    hdrq.write(place / "images" / "s.exr", Image(torch.rand(1, 3, 48, 48) * 100))
    lines = "".join(f"i{i}.png,s{i % 3},{i + 0.1 * (i % 2)},{20 + i}\n" for i in range(12))
    (place / "table.csv").write_text("dist,scene,mos,psnr\n" + lines)
    pairs = "".join(f"{name}.jpg,c.jpg,{i},s{i}\n" for i, name in enumerate("defgh"))
    (place / "list.csv").write_text("dist,ref,mos,scene\n" + pairs)
    scored = ["score", *(str(place / n) for n in ("ref.exr", "dist.exr")), "-m", "pu-psnr", "--shard", "1/1"]
    assert called([*scored, "-o", str(place / "part.csv"), "--quiet"])[0] == 0
    (place / "folder").mkdir()
    (place / "broken").symlink_to("nowhere/at/all")
    (place / "theirs").mkdir()
    (place / "theirs" / "file.exr").write_bytes((place / "ref.exr").read_bytes())
    (place / "theirs" / "file.exr").chmod(0)
    (place / "theirs").chmod(0o555)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def as_somebody_else() -> Iterator[None]:
    """Root may read every file, so that for root the command runs as nobody."""
    if not hasattr(os, "seteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def called(arguments: list[str]) -> tuple[object, str]:
    """(exit code, stderr) of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
        main(arguments)
    return left.value.code, err.getvalue()


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file."""
    found = ((p, p.stat()) for p in folder.rglob("*") if p.is_file())
    return {str(p): (info.st_size, info.st_mtime_ns) for p, info in found}


def fault_of(arguments: list[str], code: object, said: str) -> str:
    """What is wrong with an answer, or nothing."""
    lines = [line for line in said.splitlines() if "note:" not in line]
    if code not in (0, 1, 2, 3):
        return f"exit code {code}"
    if "internal error" in said or "Traceback" in said or "Warning" in said:
        return "internal error"
    inputs = 1 if code == 2 else 2  # no example has more, and each that fails has a line
    if code in (2, 3) and not 1 <= len(lines) <= inputs:
        return f"{len(lines)} lines"
    if code == 1 and not lines:
        return "a failure without a line"
    if code and not all(line.startswith("hdrq") for line in lines):
        return "a line that is not hdrq's"
    if "" in arguments and code != 2:
        return "an empty value is taken"
    return ""


@pytest.mark.parametrize("name", COMMANDS)
def test_hostile_values_end_with_one_line(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HDRQ_MODELS", str(folder / "models"))
    monkeypatch.setenv("MPLCONFIGDIR", str(folder))
    # drawing takes as long as all the rest
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda _, path, **kind: Path(path).touch())
    before, inputs, wrong = {*folder.iterdir()}, state(folder), []
    for text in EXAMPLES[name]:
        example = text.format(out="made", images="images").split()
        for given in (example, *cases(COMMANDS[name], example)):
            with as_somebody_else() if "theirs/file.exr" in given else contextlib.nullcontext():
                code, said = called([*name.split(), *given])
            fault = fault_of(given, code, said)
            if given is example and code and not any(part in text for part in REFUSED):
                fault = "the example fails, so that its cases show nothing"
            if fault:
                wrong.append(f"{fault}: hdrq {name} {' '.join(map(ascii, given))}: {said[:300]!a}")
            for made in {
                *folder.iterdir(),
                *(folder / "folder").iterdir(),
            } - before:  # no case finds another one's
                shutil.rmtree(made) if made.is_dir() and not made.is_symlink() else made.unlink()
            if (now := state(folder)) != inputs:
                changed = [path for path in inputs if inputs[path] != now.get(path)]
                wrong.append(f"{changed} changed: hdrq {name} {' '.join(map(ascii, given))}")
                inputs = now
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_number_is_checked_when_it_is_parsed(name: str) -> None:
    """NaN and infinity are refused for every option that is a number, whatever it is used for."""
    for option in COMMANDS[name].params:
        assert not isinstance(option.type, click.types.FloatParamType | click.types.IntParamType), option.name
        if isinstance(option.type, Number):
            for value in ("nan", "inf", "-inf", "1e309", "x"):
                with pytest.raises(UsageError, match=rf"^{option.opts[-1]} must be .*not {value}$"):
                    option.type.convert(value, option, None)

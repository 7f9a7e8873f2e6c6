"""Conveniences of the prompt: the Tab key, --quiet, grouped notes, several test images, tables that fit the terminal."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import torch
from click.shell_completion import BashComplete

import hdrq
from hdrq.cli._score_output import _laid_out
from hdrq.cli.app import command_line
from hdrq.errors import FileError, UsageError
from hdrq.io.pairing import image_files
from hdrq.records import Image
from hdrq.scoring.rows import joined


def light(path: Path, seed: int, top: float = 300.0) -> Path:
    random = torch.Generator().manual_seed(seed)
    hdrq.write(path, Image(top * (0.02 + 0.98 * torch.rand(1, 3, 24, 24, generator=random))))
    return path


def offered(*words: str) -> list[str]:
    """What Tab gives at the end of the last word."""
    *arguments, incomplete = words
    found = BashComplete(command_line, {}, "hdrq", "_HDRQ_COMPLETE").get_completions(arguments, incomplete)
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("typed", "among"),
    [
        ("pu-s", "pu-ssim"),
        ("pu21:ss", "pu21:ssim"),
        ("y:pu21:ps", "y:pu21:psnr"),
        ("pu-ssim,gm", "pu-ssim,gmsd"),
        ("pu-ssim,pu-ps", "pu-ssim,pu-psnr"),
        ("hdrvdp3,ta", "hdrvdp3,task="),
        ("hdrvdp3,task=s", "hdrvdp3,task=side-by-side"),
        ("pu-vtamiq@", "pu-vtamiq@pu-vtamiq-lite2"),
        ("norvdpnet++@norvdp", "norvdpnet++@norvdpnetpp-small-sdr"),
    ],
)
def test_tab_completes_every_part_of_a_metric(typed: str, among: str) -> None:
    found = offered("score", "-m", typed)
    assert among in found
    assert all(word.startswith(typed) for word in found)


def test_tab_knows_names_with_underscores() -> None:
    assert "ms-ssim" in offered("score", "-m", "ms_s")
    assert "pu-ms-ssim" in offered("score", "-m", "pu-ms_s")


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (("evaluate", "--dataset", "ka"), "kadid"),
        (("train", "--dataset", ""), "csv"),
        (("train", "--recipe", "vtamiq"), "vtamiq-srgb"),
        (("tonemap", "--compare", "drago,rein"), "drago,reinhard"),
        (("distill", "--distortions", "noise,bl"), "noise,blur"),
        (("score", "--domain", "p"), "pq"),
        (("models", "show", "diqm"), "diqm-small"),
    ],
)
def test_tab_completes_names(words: tuple[str, ...], among: str) -> None:
    assert among in offered(*words)


def test_tab_of_bash_completes_behind_signs_that_divide_words_there(tmp_path: Path) -> None:
    if shutil.which("bash") is None or sys.platform == "win32":
        pytest.skip("no bash here")
    script = tmp_path / "try.sh"
    asked = ("hdrq score -m pu21:ss", "hdrq score -m vtamiq@pu")
    script.write_text(
        f'hdrq() {{ "{sys.executable}" -m hdrq "$@"; }}\ncompopt() {{ :; }}\neval "$(hdrq completion bash)"\n'
        + "".join(
            f'COMP_LINE="{line}"; COMP_POINT={len(line)}; COMPREPLY=(); _hdrq_completion hdrq; echo "${{COMPREPLY[@]}}"\n'
            for line in asked
        )
    )
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, env=dict(os.environ))
    first, second = done.stdout.splitlines()
    assert first.split() == ["ssim", "ssimulacra2"], done.stderr
    assert second.split() == ["pu-vtamiq-lite2", "pu-vtamiq-small"]


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_tab_completes_after_a_comma_and_names_of_files_as_well(shell: str, tmp_path: Path) -> None:
    """Before: fish dropped what follows a comma, and no shell gave the files of `hdrq score REF`."""
    if shutil.which(shell) is None or sys.platform == "win32":
        pytest.skip(f"no {shell} here")
    (tmp_path / "photo.exr").touch()
    program = tmp_path / "hdrq"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hdrq "$@"\n')
    program.chmod(0o755)
    environment = dict(os.environ, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    lines = ("hdrq score -m psnr,pu-ssi", "hdrq score pho", "hdrq evaluate --dataset=kadi")
    wanted = ["psnr,pu-ssim", "psnr,pu-ssimulacra2"]
    if shell == "fish":
        asked = "; ".join(f"complete -C '{line}'" for line in lines)
        script = f"hdrq completion fish | source; {asked}"
        wanted += ["photo.exr", "--dataset=kadid", "--dataset=kadis"]
    else:
        script = 'compopt() { :; }\neval "$(hdrq completion bash)"; complete -p hdrq\n' + "".join(
            f'COMP_LINE="{line}"; COMP_POINT={len(line)}; _hdrq_completion hdrq; printf "%s\\n" "${{COMPREPLY[@]}}"\n'
            for line in lines
        )
        # where nothing is offered, as for pho, bash offers files by itself
        wanted = ["complete -o default -o nosort -F _hdrq_completion hdrq", *wanted, "kadid", "kadis"]
    done = subprocess.run(
        [shell, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert [line for line in done.stdout.splitlines() if line] == wanted, done.stderr


@pytest.mark.parametrize("typed", ["pu-ssim,gm", "hdrvdp3,task=s", "pu-vtamiq@"])
def test_tab_needs_no_torch(typed: str) -> None:
    """Before: options of a metric and names of weights took seconds, since torch was imported for them."""
    code = (
        "import sys\nfrom click.shell_completion import BashComplete\nfrom hdrq.cli.app import command_line\n"
        "tab = BashComplete(command_line, {}, 'hdrq', '_HDRQ_COMPLETE')\n"
        f"print(len(tab.get_completions(['score', '-m'], {typed!r})), 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    found, *heavy = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert int(found) > 0
    assert heavy == ["False", "False"]


def commands(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context, found = click.Context(group), []
    for name in group.list_commands(context):
        below = group.get_command(context, name)
        found += commands(below, (*before, name)) if isinstance(below, click.Group) else [(*before, name)]
    return found


@pytest.mark.parametrize("words", commands(command_line), ids=" ".join)
def test_every_command_can_be_quiet(run, words: tuple[str, ...]) -> None:
    code, out, _ = run(*words, "--help")
    assert code == 0
    assert out.count("-q, --quiet") == 1


def test_quiet_leaves_errors_and_numbers(run, tmp_path: Path) -> None:
    ref, dist = light(tmp_path / "ref.exr", 1, 0.9), light(tmp_path / "dist.exr", 2, 0.9)
    _, loud, noted = run("score", ref, dist, "-m", "pu-psnr")
    code, out, err = run("score", ref, dist, tmp_path / "none.exr", "-m", "pu-psnr", "--quiet")
    assert "seems to be relative" in noted
    assert code == 1
    assert out.startswith(loud)
    assert err == f"hdrq: {tmp_path / 'none.exr'} does not exist; check the name\n"


def test_notes_are_grouped_by_kind_and_counted(run, tmp_path: Path) -> None:
    for folder in ("refs", "dists"):
        (tmp_path / folder).mkdir()
        for i in range(12):
            light(tmp_path / folder / f"i{i}.exr", i + len(folder), 0.5 + i / 30)
    code, _, err = run("score", tmp_path / "refs", tmp_path / "dists", "-m", "pu-psnr,pu-mae")
    first, rest = err.splitlines()
    assert code == 0
    assert first.endswith("but is interpreted as cd/m², state its luminance with --scale, --peak or --white")
    assert rest.startswith("hdrq: note: 23 more like: ")


def test_a_note_is_never_divided(run, tmp_path: Path) -> None:
    text = joined(["a is relative; say so", "b: 1; 2; 3", "a is relative; say so", ""])
    assert text.split("; ") == ["a is relative, say so", "b: 1, 2, 3"]


def test_several_test_images_have_one_reference(run, tmp_path: Path) -> None:
    ref, *dists = (light(tmp_path / f"{n}.exr", i) for i, n in enumerate("rabc"))
    _, out, _ = run("score", ref, *dists, "-m", "pu-psnr")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(r["ref"], r["dist"]) for r in rows] == [(str(ref), str(d)) for d in dists]
    for row, dist in zip(rows, dists, strict=True):
        _, alone, _ = run("score", ref, dist, "-m", "pu-psnr")
        assert row["value"] == next(csv.DictReader(io.StringIO(alone)))["value"]


def test_the_foot_of_a_table_says_what_was_done(run, tmp_path: Path) -> None:
    ref, *dists = (light(tmp_path / f"{n}.exr", i) for i, n in enumerate("rab"))
    options = ("-m", "pu-psnr", "--format", "table")
    _, plain, _ = run("score", ref, *dists, *options)
    _, out, _ = run("score", ref, *dists, *options, "--sort", "--match-response")
    assert "all columns: --format csv" in " ".join(plain[plain.index("└") :].split())
    assert "response matched" not in plain
    assert "best first" not in plain
    assert "[bold]" not in plain
    assert "mean" in plain
    foot = " ".join(out[out.index("└") :].split())
    assert "response matched to the reference, best first by pu21:psnr" in foot


HEADS = [f"pu21:metric-{i} ↑\ndB" for i in range(15)]


@pytest.mark.parametrize(("images", "parts", "first"), [(1, 1, "metric"), (3, 1, "metric"), (9, 5, "test")])
def test_a_wide_table_is_turned_or_divided(images: int, parts: int, first: str) -> None:
    names = [[f"image {i}.exr"] for i in range(images)]
    cells = [[(f"{i}.{k:04d}", "") for k in range(15)] for i in range(images)]
    found = _laid_out(["test"], names, HEADS, cells, 80)
    assert len(found) == parts
    assert all(columns[0] == first for columns, _ in found)
    shown = {str(cell) for _, lines in found for line in lines for cell in line[1:]}
    assert shown == {text for row in cells for text, _ in row}
    if parts > 1:
        assert [h for columns, _ in found for h in columns[1:]] == HEADS
    (whole,) = _laid_out(["test"], names, HEADS, cells, 400)
    assert whole[0] == ["test", *HEADS]


def test_fifteen_metrics_fit_into_80_columns(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    ref, dist = light(tmp_path / "ref.exr", 1), light(tmp_path / "a_name_of_some_length.exr", 2)
    names = [f"pu-{n}" for n in ("psnr", "ssim", "gmsd", "mse", "mae", "vifp", "mdsi", "vsi", "psnr-hvs")]
    _, out, _ = run("score", ref, dist, "-m", ",".join(names), "--format", "table")
    assert all(name.replace("pu-", "pu21:") in out for name in names)
    assert max(len(re.sub("\x1b\\[[0-9;]*m", "", line)) for line in out.splitlines()) <= 80


@pytest.mark.skipif(sys.platform == "win32", reason="rights of folders are another matter there")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch) -> None:
    closed = tmp_path / "images" / "closed"
    closed.mkdir(parents=True)
    light(tmp_path / "images" / "a.exr", 1)
    light(closed / "b.exr", 2)
    listed = os.scandir

    def scandir(place):
        if Path(place) == closed:  # root reads every folder
            raise PermissionError(13, "Permission denied", str(place))
        return listed(place)

    assert [p.name for p in image_files(tmp_path / "images")] == ["a.exr", "b.exr"]
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(FileError, match=f"^{re.escape(str(closed))} cannot be listed: Permission denied$"):
        image_files(tmp_path / "images")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
@pytest.mark.parametrize(
    "use",
    [
        lambda: hdrq.metric("pu-psnr", device="cuda"),
        lambda: hdrq.metric("norvdpnet++", device="cuda:0"),
        lambda: list(hdrq.score([(Image(LIGHT), Image(LIGHT))], ["pu-psnr"], device="cuda")),
        lambda: hdrq.merge([Image(LIGHT), Image(2 * LIGHT)], times=[1, 2], device="cuda"),
        lambda: list(hdrq.distill(teacher="pu-psnr", images=["none"], device="cuda")),
        lambda: list(hdrq.train(dataset="csv", data="none.csv", metric="norvdpnet++", device="cuda")),
    ],
)
def test_a_device_that_is_not_there_is_refused_from_python_too(use) -> None:
    with pytest.raises(UsageError, match=r"^no CUDA device is available here; use the device cpu or auto$"):
        use()


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown device 'gpu'; use auto, cpu, cuda or cuda:0"):
        hdrq.metric("pu-psnr", device="gpu")


LIGHT = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) + 0.1


def test_test_images_of_one_name_are_shown_with_their_folder(run, tmp_path: Path) -> None:
    """Before: two rows called p.png, of which nobody knew the folder."""
    for folder in ("refs", "mild", "strong"):
        (tmp_path / folder).mkdir()
        for name in "pq":
            code = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
            hdrq.write(tmp_path / folder / f"{name}.png", Image(code, domain="srgb", bits=8))
    folders = [tmp_path / name for name in ("refs", "mild", "strong")]
    _, out, _ = run("score", *folders, "-m", "psnr", "--format", "table")
    for name in ("mild/p.png", "strong/p.png", "mild/q.png", "strong/q.png"):
        assert f" {name} " in out
    assert "refs/" not in out
    _, out, _ = run("score", *folders[:2], "-m", "psnr", "--format", "table")
    assert "mild/" not in out


CLOSED = "standard output is closed; open it, or write to a file with -o"


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("command", "closed", "code", "out", "err"),
    [
        ("--version", ">&-", 3, "", CLOSED),
        ("score a.exr a.exr -m pu-psnr -q", ">&-", 3, "", CLOSED),
        ("score a.exr a.exr -m pu-psnr -q -o s.csv", "<&- >&- 2>&-", 0, "", ""),
        ("score a.exr a.exr -m pu-psnr", "2>&-", 0, "inf", ""),
        ("score --pairs - -m pu-psnr", "<&-", 3, "", "it has nothing"),
        ("score a.exr b.exr -m pu-psm", "2>&-", 2, "", ""),
    ],
)
def test_streams_that_the_caller_closed(tmp_path, command, closed, code, out, err) -> None:
    light(tmp_path / "a.exr", 0)
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -m hdrq {command} {closed}'],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == code
    assert out in done.stdout
    assert bool(done.stdout) == bool(out)
    assert err in done.stderr
    assert len(done.stderr.splitlines()) == bool(err)
    assert (tmp_path / "s.csv").exists() == ("-o" in command)

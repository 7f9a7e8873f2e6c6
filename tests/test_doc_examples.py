"""The examples of README.md and docs/ run: Python and commands as printed; the options of every other command exist."""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Picture

import hdrq
from hdrq.cli.app import command_line
from hdrq.registry import find
from hdrq.scoring.request import parse
from shooting import demo_bracket, demo_mosaic

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}

# What a test makes smaller: the example's words, and those that it is run with.
SMALLER = {
    'metric="norvdpnet++")': 'metric="norvdpnet++", settings={"epochs": 1}, small=True)',
    "n=2000": 'n=40, crop=64, settings={"epochs": 1, "batch": 8}, displays=[]',
    "local:4": "local:1",
    '"hdrvdp3"]': '"pu-ssim"]',
}


def blocks(page: str, *kinds: str) -> list[str]:
    return [
        text for kind, text in re.findall(r"^```(\w*)\n(.*?)^```", TEXTS[page], re.S | re.M) if kind in kinds
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """The files that the examples name, small."""
    folder: Path = tmp_path_factory.mktemp("examples")
    ref, dist = hdrq.demo_scene(176, 164)
    for name, image in (
        ("ref", ref),
        ("dist", dist),
        ("scene", ref),
        ("photo", dist),
        ("a", ref),
        ("b", dist),
    ):
        hdrq.write(folder / f"{name}.exr", image)
    hdrq.write(folder / "tonemapped.png", hdrq.tonemap(ref, "reinhard"))
    for place in ("refs", "dists", "hdr", "shots"):
        (folder / place).mkdir()
    for i in range(6):
        hdrq.write(folder / "hdr" / f"s{i}.exr", hdrq.Image(ref.pixels.roll(20 * i, -1) * (1 + i)))
    for i in range(2):
        hdrq.write(folder / "refs" / f"{i}.exr", hdrq.Image(ref.pixels.roll(20 * i, -1)))
        hdrq.write(folder / "dists" / f"{i}.exr", hdrq.Image(dist.pixels.roll(20 * i, -1)))
    for name, seconds in zip("abc", (1 / 60, 1 / 15, 1 / 4)):
        code = hdrq.encode(hdrq.Image((ref.pixels * seconds / 2).clamp(max=100)), "srgb")
        for path in (folder / f"{name}.jpg", folder / "shots" / f"{name}_1-{round(1 / seconds)}s.jpg"):
            hdrq.write(path, code, quality=98)
    random = np.random.default_rng(0)
    lines = ["dist,mos"]
    for i in range(10):
        Picture.fromarray(random.integers(0, 256, (96, 96, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{i * 7 % 10}")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def there(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of these files is the current folder and the user's home."""
    folder = tmp_path / "home"
    shutil.copytree(files, folder)
    monkeypatch.chdir(folder)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    return folder


def test_the_examples_of_the_python_page_run_as_printed(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(command_line, ["demo", "."]).exit_code == 0
    found = blocks("python.md", "pycon")
    assert len(found) > 10
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    names: dict[str, object] = {}
    for number, block in enumerate(found):
        test = parser.get_doctest(block, names, f"block {number + 1}", "python.md", 0)
        runner.run(test, out=said.append, clear_globs=False)
        names = test.globs
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


PLAIN = [
    pytest.param(page, number, id=f"{page}-{number}")
    for page in TEXTS
    if page != "adding_a_metric.md"  # a file of its own, see below
    for number in range(len(blocks(page, "python")))
]


@pytest.mark.parametrize(("page", "number"), PLAIN)
def test_python_examples_without_output_run(page: str, number: int, there: Path) -> None:
    block = blocks(page, "python")[number]
    for words, smaller in SMALLER.items():
        block = block.replace(words, smaller)
    light = hdrq.read("ref.exr")
    names: dict[str, Any] = {
        "__name__": "__main__",
        "hdrq": hdrq,
        "pairs": [("ref.exr", "dist.exr")],
        "light": light,
        "sdr": hdrq.tonemap(light, "reinhard"),
    }
    if "clip.mp4" in block:
        pytest.importorskip("av")
        import imageio.v3

        imageio.v3.imwrite(
            "clip.mp4", np.zeros((100, 32, 32, 3), np.uint8), plugin="pyav", codec="mpeg4", fps=25
        )
    exec(compile(block, page, "exec"), names)


def test_the_metric_of_the_page_is_scored_by_its_name_from_a_package_of_its_own(
    there: Path, tmp_path
) -> None:
    (source,) = blocks("adding_a_metric.md", "python")
    (points,) = blocks("adding_a_metric.md", "toml")
    group, name, target = re.findall(r'entry-points\."([\w.]+)"\]\n([\w-]+) = "([\w.:]+)"', points)[0]
    module = tmp_path / Path(*target.split(":")[0].split(".")).with_suffix(".py")
    module.parent.mkdir()
    module.write_text(source)
    info = tmp_path / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    (command,) = re.findall(r"`hdrq (score [^`]* -m log-mae[^`]*)`", TEXTS["adding_a_metric.md"])
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "hdrq", *command.split(), "--format", "csv"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert ',"log-mae,floor=0.01",' in done.stdout
    assert ",decades,lower," in done.stdout


# --- commands -----------------------------------------------------------------------------------------


def words_of(line: str) -> list[str]:
    """The words of one command, up to a comment, a pipe or a redirection."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>()")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("$;|&<>()"):
            break
        words.append(word)
    return [w for w in words if w != "..."]


def commands(page: str) -> Iterator[str]:
    """What stands behind `hdrq` in every line of shell on a page, in its tables and in its text."""
    for block in blocks(page, "sh", "", "text"):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:\$ |.*-m )?hdrq (?!\[)(\w.*[^.])\.?$", line.strip()):
                yield found[1]
    prose = re.sub(r"^```.*?^```", "", TEXTS[page], flags=re.S | re.M)
    for code in re.findall(r"`hdrq (\w[^`]*)`", prose):
        if (" -" in code and not re.search(r"--help|\b[A-Z]{4,}$", code)) or page == "README.md":
            yield code


COMMANDS = sorted({(page, line) for page in TEXTS for line in commands(page)})


def test_the_commands_of_the_pages_are_found() -> None:
    assert len(COMMANDS) > 100
    assert {"README.md", "training.md", "merging.md", "scaling.md", "cli.md"} <= {
        page for page, _ in COMMANDS
    }


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_of_the_pages_have_options_that_exist(page: str, line: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words, command = words_of(line), command_line
    context = click.Context(command, info_name="hdrq")
    while isinstance(command, click.Group):
        name, command, words = command.resolve_command(context, words)
        context = click.Context(command, info_name=name, parent=context)
    try:
        given = command.make_context(context.info_name, words, parent=context.parent).params
    except (click.MissingParameter, click.BadOptionUsage):  # a command named in a sentence, not shown whole
        if page == "README.md" or len(words) > 2:
            raise
        return
    names = () if given.get("scores") else given.get("metrics")  # with --scores: columns of a table
    for text in names or ():
        for part in text.split(","):
            if "=" not in part and "..." not in part:
                find("metric", parse(part).metric)


# The README's examples, and what is added so that they are short; None: what a test has no data for.
ADDED: dict[str, tuple[str, ...] | None] = {
    "evaluate --dataset livec": None,
    "train ": ("--dry-run",),
    "distill ": ("--dry-run", "-n", "40", "--crop", "64"),
}


def test_the_commands_of_the_readme_run_one_after_the_other(there: Path, run, monkeypatch) -> None:
    for line in dict.fromkeys(commands("README.md")):
        added = next((words for begin, words in ADDED.items() if line.startswith(begin)), ())
        if added is None:
            continue
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ref,dist\nref.exr,dist.exr\n")))
        words: list[str] = []
        for word in words_of(line):
            words += sorted(map(str, there.glob(word))) if "*" in word else [os.path.expanduser(word)]
        code, _, err = run(*words, *added)
        assert code == 0, f"hdrq {line}: {err}"


def printed(page: str) -> Iterator[tuple[str, str]]:
    """(command, output) of every `$ hdrq ...` of a page."""
    for block in blocks(page, "", "text", "sh"):
        for piece in re.split(r"^\$ hdrq ", block, flags=re.M)[1:]:
            command, _, output = piece.partition("\n")
            yield command, output


def same(page: str, command: str, run, **changes: str) -> None:
    """The output of the command is what the page prints; that of stderr comes first."""
    words: list[str] = []
    for word in words_of(command):
        word = changes.get(word, word)
        words += sorted(str(p) for p in Path().glob(word)) if "*" in word and "/" in word else [word]
    _, out, err = run(*words, *(["--format", "table"] if words[0] == "evaluate" else []))
    shown = err if "/dev/null" in command else err + out
    expected = dict(printed(page))[command]
    lines = [[line.rstrip() for line in text.replace("\\", "/").splitlines()] for text in (shown, expected)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize("command", [command for command, _ in printed("merging.md")])
def test_the_output_on_the_merging_page_is_what_is_printed(command: str, run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    demo_bracket(tmp_path / "shots")
    demo_mosaic(tmp_path)
    same("merging.md", command, run)


@pytest.mark.shared
@pytest.mark.parametrize("command", [command for command, _ in printed("evaluate.md")])
def test_the_output_on_the_evaluation_page_is_what_is_printed(command: str, run, shared: Path) -> None:
    same(
        "evaluate.md",
        command,
        run,
        **{word: str(shared / "data/labels" / word) for word in command.split() if ".csv" in word},
    )


def test_no_page_prints_the_output_of_a_command_that_no_test_runs() -> None:
    assert {page for page in TEXTS if any(printed(page))} == {"merging.md", "evaluate.md"}

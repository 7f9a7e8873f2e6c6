"""The layout of hdrq: imports, sizes of files, names, and a command line whose help needs no torch."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import click
import pytest

import hdrq
from hdrq.registry import SHELVES, find, names

HOME = Path(hdrq.__file__).parent
GROUND = ("arguments", "errors", "records", "registry", "cards", "process", "work")
MAY_IMPORT = {  # a package and what it may import; every part may import the ground
    **dict.fromkeys(GROUND, ()),
    "image": (),
    "io": ("image",),
    "encoding": ("io", "image"),
    "nn": ("encoding", "io", "image"),
    "scoring": ("nn", "encoding", "io", "image"),
    "tonemapping": ("scoring", "nn", "encoding", "io", "image"),
    "merging": ("nn", "encoding", "io", "image"),
    "evaluation": ("scoring", "nn", "encoding", "io", "image"),
    "training": (
        "evaluation",
        "scoring",
        "tonemapping",
        "nn",
        "encoding",
        "io",
        "image",
    ),  # networks predict the parameters of operators
    "distillation": (
        "training",
        "scoring",
        "evaluation",
        "tonemapping",
        "merging",
        "nn",
        "encoding",
        "io",
        "image",
    ),  # methods of capture are distortions
    "cluster": ("io",),
    "cli": None,
}
FILES = sorted(p for p in HOME.rglob("*.py") if p.parent != HOME or p.stem not in ("__init__", "__main__"))
TYPE_ONLY = ("hdrq",)


def package_of(module: str) -> str:
    """The package of a dotted module name below hdrq."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> list[str]:
    """Every hdrq module a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hdrq"):
            found += [f"{node.module}.{a.name}" if node.module == "hdrq" else node.module for a in node.names]
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("hdrq.")]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_imports_point_one_way(path: Path) -> None:
    parts = path.relative_to(HOME).with_suffix("").parts
    here, allowed = parts[0], MAY_IMPORT[parts[0]]
    shelf = ".".join(parts[:-1]) in SHELVES.values() and here != "cli"
    for module in imports(path):
        there = package_of(module)
        if there and there != here and allowed is not None:
            assert there in (*allowed, *GROUND), f"{here} must not import {module}"
        if shelf and path.stem != "__init__":
            below = f"hdrq.{'.'.join(parts[:-1])}."
            assert not module.startswith(below), f"entries must not import each other: {module}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nor within functions or for types: what two modules need lies in one below both."""
    modules = {
        ".".join(p.relative_to(HOME.parent).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES
    }
    graph = {}
    for name, path in modules.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                found |= {f"{node.module}.{a.name}" for a in node.names}
                found |= (
                    {node.module}
                    if any(f"{node.module}.{a.name}" not in modules for a in node.names)
                    else set()
                )
            elif isinstance(node, ast.Import):
                found |= {a.name for a in node.names}
        graph[name] = found & set(modules) - {name}
    circle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_a_file_has_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in ("utils", "common", "helpers", "base", "core", "misc")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_a_comment_stands_above_its_code(path: Path) -> None:
    """On a line of its own; those for tools (type: ignore, noqa, fmt: skip) stand where the tools read them."""
    text = path.read_text(encoding="utf-8")
    behind = [
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
        and token.line[: token.start[1]].strip()
        and not re.search(r"# (type: ignore|noqa|fmt:|pragma)", token.string)
    ]
    assert behind == [], "lines"


OPEN_TO_COMMANDS = {  # besides the public API, hdrq and hdrq.PACKAGE.api
    *("errors", "records", "registry", "cards", "work"),  # what every part shares
    "process",  # set-up of the command's own process, in app.py
    "io",  # whose __init__ is its public API
    "io.rows",  # rows as text: the command prints the tables that the library reads
    "scoring.request",  # completion, which must not import torch as an api does
    "nn.weight_files",
}


@pytest.mark.parametrize("path", sorted((HOME / "cli").glob("*.py")), ids=lambda p: p.stem)
def test_a_command_calls_the_public_api_and_nothing_below(path: Path) -> None:
    """HOUSE section 5: what the command can do, a script can do; so commands import no module behind an api."""
    for module in imports(path):
        name = module.removeprefix("hdrq.")
        package, _, rest = name.partition(".")
        allowed = package == "cli" or rest == "api" or name in OPEN_TO_COMMANDS
        assert allowed, f"{path.name} imports {module}; offer it in hdrq.{package}.api"


def test_an_api_lists_what_it_offers_and_describes_every_function() -> None:
    for path in sorted(HOME.glob("*/api.py")):
        module = importlib.import_module(f"hdrq.{path.parent.name}.api")
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found) or inspect.isclass(found):
                assert (found.__doc__ or "").strip(), f"{module.__name__}.{name} has no docstring"


def test_threads_of_generators_do_not_wait_for_themselves() -> None:
    """A generator that nobody finishes may be closed in its own thread: see hdrq.work.background_threads."""
    found = [
        p
        for p in HOME.rglob("*.py")
        if re.search(r"with [^\n]*ThreadPoolExecutor\(", p.read_text(encoding="utf-8"))
    ]
    assert not found


def test_every_package_has_its_place() -> None:
    packages = {p.relative_to(HOME).parts[0].removesuffix(".py") for p in FILES}
    assert packages <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    "init", sorted(HOME.glob("*/**/__init__.py")), ids=lambda p: str(p.parent.relative_to(HOME))
)
def test_a_package_says_what_each_of_its_modules_holds(init: Path) -> None:
    """A line for each module and package within; of shelves, whose entries speak for themselves, the heading is enough."""
    if ".".join(init.parent.relative_to(HOME).parts) in SHELVES.values():
        return
    text = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
    modules = {p.stem for p in init.parent.glob("*.py")} - {"__init__"}
    packages = {p.parent.name for p in init.parent.glob("*/__init__.py")}
    assert set(re.findall(r"^(\w+)/?  ", text, re.MULTILINE)) == modules | packages, init


def test_the_ground_needs_the_standard_library_only() -> None:
    code = "import sys, hdrq.errors, hdrq.records, hdrq.cards, hdrq.registry\n"
    code += "print('torch' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


@pytest.mark.parametrize("arguments", [["--help"], *([c, "--help"] for c in names("command"))], ids=" ".join)
def test_help_needs_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom hdrq.cli import main\n"
        f"try: main({arguments!r})\n"
        "finally: print('torch' in sys.modules, 'numpy' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stderr.split() == ["False", "False"]
    assert "Usage: hdrq" in done.stdout


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command with its name at the prompt, and all commands below it."""
    yield name, command
    for below, other in getattr(command, "commands", {}).items():
        yield from commands(other, f"{name} {below}")


def test_every_option_says_in_sentences_what_it_does() -> None:
    for command in names("command"):
        for name, found in commands(find("command", command), command):
            for option in found.params:
                if isinstance(option, click.Option):
                    text = re.sub(r"\s*\[default: .*\]$", "", option.help or "", flags=re.DOTALL)
                    assert text.endswith("."), f"hdrq {name} {option.opts[0]}: '{text}' is no sentence"
                    assert text[0].isupper() or text[0] == "-", f"hdrq {name} {option.opts[0]}: '{text}'"


@pytest.mark.parametrize("kind", sorted(SHELVES))
def test_every_entry_can_be_loaded(kind: str) -> None:
    for name in names(kind):
        if kind == "display":
            from hdrq.encoding.displays import display

            assert display(name).peak_nits > 0
        else:
            assert find(kind, name) is not None


def test_every_card_is_filled_in() -> None:
    for name in names("metric"):
        found = find("metric", name)
        assert found.name == name
        assert found.card.title
        assert found.card.source
        assert found.card.better in ("higher", "lower")


@pytest.mark.parametrize("kind", sorted(set(SHELVES) - {"command", "display"}))
def test_every_entry_states_its_source(kind: str) -> None:
    """`hdrq list KIND` shows where an entry is from."""
    for name in names(kind):
        found = find(kind, name)
        assert getattr(found, "card", found).source.strip(), f"{kind} {name}"


# Words that are names of entries and also mean something else: transfer functions, file formats, weights, losses ...
_PLAIN_WORDS = {
    *(
        "avif",
        "contrast",
        "csv",
        "exponential",
        "exposure",
        "gamma",
        "jpeg",
        "jpeg2000",
        "linear",
        "mae",
        "mse",
    ),
    *("blur", "noise", "robertson", "saturation", "sigmoid"),
}
_MAY_NAME = {  # file: (names, why)
    "distillation/api.py": ("jpegxt", "jpeg-pu", "noise", "blur"),  # the default distortions
    "cli/merge.py": ("photon-count",),  # the default rule, shown in the help, which imports no task
    "cli/_tonemap_tasks.py": ("reinhard", "tmqi"),  # the default operator, and the score on contact sheets
    "evaluation/tampere.py": None,  # what three datasets of one laboratory call our distortions
    "merging/averaging.py": ("photon-count",),  # the default rule
    "scoring/features/cvvdp/vision.py": ("cvvdp",),  # its own table of numbers
    "scoring/metrics/hdr_flip.py": ("hable", "reinhard"),  # curves of FLIP, not our operators
    "tonemapping/api.py": ("reinhard", "tmqi"),  # the default operator, and the score on contact sheets
    "tonemapping/color_correction.py": ("schlick",),  # a saturation rule by that author
    "training/adaptation_recipes.py": None,  # what the recipes of one paper share
    "training/data.py": ("kadid",),  # a way to linearise scores, called after its dataset
}


def test_the_engine_names_no_entry() -> None:
    """Adding or removing an entry is one file: no name of a metric, network, operator ... outside its shelf."""
    kinds = [k for k in SHELVES if k not in ("command", "encoding", "display")]
    every = {name for kind in kinds for name in names(kind)} - _PLAIN_WORDS
    shelves = {HOME.joinpath(*SHELVES[kind].split(".")) for kind in kinds}
    found = []
    for path in FILES:
        allowed = _MAY_NAME.get(path.relative_to(HOME).as_posix(), ())
        if path.parent in shelves or allowed is None:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in every and node.value not in allowed:
                found.append(f"{path.relative_to(HOME)}:{node.lineno} {node.value}")
    assert found == []


def test_modules_that_texts_import_exist() -> None:
    """Also in programs that tests hold as text, some of which run only where an optional package is installed."""
    root = Path(__file__).parents[1]
    pages = [*root.glob("tests/**/*.py"), *root.glob("docs/*.md"), root / "README.md"]
    found = {
        (name, path.relative_to(root).as_posix())
        for path in pages
        for name in re.findall(
            r"^\s*(?:from|import) (hdrq[\w.]*)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    modules = {name: HOME.parent.joinpath(*name.split(".")) for name, _ in found}
    missing = {n for n, p in modules.items() if not p.is_dir() and not p.with_suffix(".py").is_file()}
    assert sorted(f"{path}: {name}" for name, path in found if name in missing) == []


def test_files_of_tests_have_names_of_their_own() -> None:
    """pytest imports them by their last name, so that of two of one name either may be found, `conftest` too."""
    files = [p for p in Path(__file__).parent.rglob("*.py") if p.stem != "conftest"]
    names = Counter(p.stem for p in files)
    assert [p.name for p in files if names[p.stem] > 1] == []
    asked = re.compile(r"^\s*(?:from|import) conftest\b", re.MULTILINE)
    assert [p.name for p in files if asked.search(p.read_text(encoding="utf-8"))] == []

"""Names of entries. A folder is the registry: scoring/metrics/ms_ssim.py holds `ms_ssim`, with the name ms-ssim.

Other packages add entries by entry points, one group per kind: "hdrq.metrics", "hdrq.encodings", "hdrq.tonemappers" ...
(`plural` of a kind). The entry point's name is the entry's name; its object is what a file here would contain.
"""

from __future__ import annotations

import difflib
import importlib
from functools import cache
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

from hdrq.arguments import checked
from hdrq.errors import MissingPart, UnknownName, UsageError

SHELVES = {
    "metric": "scoring.metrics",
    "encoding": "encoding.encodings",
    "display": "encoding.displays",
    "net": "nn.nets",
    "tonemapper": "tonemapping.operators",
    "expander": "tonemapping.expanders",
    "merger": "merging.rules",
    "response": "merging.response.estimators",
    "distortion": "distillation.distortions",
    "dataset": "evaluation.datasets",
    "recipe": "training.recipes",
    "loss": "training.images.losses",
    "command": "cli",
}
_HOME = Path(__file__).parent
# the module of cli/ without an underscore that is no command
_NO_COMMANDS = ("app",)


def plural(kind: str) -> str:
    """The plural of a kind, as in `hdrq list`."""
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


@cache
def names(kind: str) -> tuple[str, ...]:
    """The entries of a kind, from the names of files; nothing is imported.

    A file that would hide a module of the standard library ends in _ (csv_.py is csv).
    """
    if kind not in SHELVES:
        raise UnknownName(f"unknown kind '{kind}'; kinds are {', '.join(SHELVES)}")
    folder = _HOME.joinpath(*SHELVES[kind].split("."))
    files = (f for f in folder.iterdir() if f.suffix in (".py", ".toml") and not f.name.startswith("_"))
    found = {f.stem.rstrip("_").replace("_", "-") for f in files}
    if kind == "command":
        return tuple(sorted(found.difference(_NO_COMMANDS)))
    return tuple(sorted(found | set(added(kind))))


@cache
def added(kind: str) -> dict[str, EntryPoint]:
    """Entry points of other packages by name; those with the name of an entry here are ignored."""
    folder = _HOME.joinpath(*SHELVES[kind].split("."))
    group = f"hdrq.{plural(kind)}"
    found: dict[str, EntryPoint] = {}
    for entry in _entry_points():
        if entry.group == group:
            found.setdefault(entry.name.replace("_", "-"), entry)
    return {name: e for name, e in found.items() if not _file(folder, name)}


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """Those of hdrq's groups. The environment is read once, and only files that name hdrq are parsed."""
    return tuple(
        entry
        for package in distributions()
        if "[hdrq." in (package.read_text("entry_points.txt") or "")
        for entry in package.entry_points
    )


def _file(folder: Path, name: str) -> str:
    """The stem of the file that contains an entry; "" where there is none."""
    stem = name.replace("-", "_")
    there = (
        s for s in (stem, f"{stem}_") for suffix in (".py", ".toml") if (folder / f"{s}{suffix}").exists()
    )
    return next(there, "")


def check(kind: str, name: str) -> str:
    """The name itself; UnknownName with the nearest names otherwise."""
    known = names(kind)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"see: hdrq list {plural(kind)}"
    raise UnknownName(f"unknown {kind} '{name}'; {hint}")


def find(kind: str, name: str) -> Any:
    """The object that the entry's file is named after, imported now."""
    stem = check(kind, name).replace("-", "_")
    if kind != "command" and name in added(kind):
        return _loaded(kind, name)
    file = _file(_HOME.joinpath(*SHELVES[kind].split(".")), name)
    module = importlib.import_module(f"hdrq.{SHELVES[kind]}.{file}")
    # `list` would hide a builtin
    found = getattr(module, stem, None) or getattr(module, stem + "_", None)
    if found is None:
        raise MissingPart(f"{module.__file__} defines no '{stem}'; an entry has the name of its file")
    return found


@cache
def _loaded(kind: str, name: str) -> Any:
    """The entry of another package; an error names the package."""
    entry = added(kind)[name]
    package = entry.dist.name if entry.dist else entry.module
    try:
        found = entry.load()
    except Exception as error:
        raise MissingPart(
            f"the {kind} '{name}' of the package {package} cannot be loaded ({type(error).__name__}: {error}); "
            f"repair or uninstall {package}"
        ) from error
    own = getattr(found, "name", name)
    if own != name:
        raise UsageError(
            f"the package {package} registers the {kind} '{own}' as '{name}'; its entry point must be called {own}"
        )
    return found


@checked
def dataset(name: str) -> Any:
    """The description of a dataset: `hdrq.dataset("kadid")`."""
    return find("dataset", name)

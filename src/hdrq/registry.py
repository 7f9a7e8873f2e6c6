"""Names of entries. A folder is the registry: scoring/metrics/ms_ssim.py holds `ms_ssim`, known as ms-ssim."""

from __future__ import annotations

import difflib
import importlib
from functools import cache
from pathlib import Path
from typing import Any

from hdrq.errors import UnknownName

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
    "command": "cli",
}
_HOME = Path(__file__).parent
_NO_COMMANDS = ("app", "options", "progress", "tables")  # modules of cli/ that commands share


def plural(kind: str) -> str:
    """What `hdrq list` calls the entries of a kind."""
    return f"{kind}s"


@cache
def names(kind: str) -> tuple[str, ...]:
    """The entries of a kind, by looking at the folder; nothing is imported.

    A file that would hide a module of the standard library ends in _ (csv_.py is csv).
    """
    folder = _HOME.joinpath(*SHELVES[kind].split("."))
    files = (f for f in folder.iterdir() if f.suffix in (".py", ".toml") and not f.name.startswith("_"))
    found = {f.stem.rstrip("_").replace("_", "-") for f in files}
    return tuple(sorted(found.difference(_NO_COMMANDS) if kind == "command" else found))


def check(kind: str, name: str) -> str:
    """The name itself, or UnknownName with the nearest ones."""
    known = names(kind)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"see: hdrq list {plural(kind)}"
    raise UnknownName(f"no {kind} is called '{name}'; {hint}")


def find(kind: str, name: str) -> Any:
    """The object that the entry's file is named after, imported now."""
    stem = check(kind, name).replace("-", "_")
    folder = _HOME.joinpath(*SHELVES[kind].split("."))
    file = stem if (folder / f"{stem}.py").exists() else stem + "_"
    module = importlib.import_module(f"hdrq.{SHELVES[kind]}.{file}")
    return getattr(module, stem, None) or getattr(module, stem + "_")  # `list` would hide a builtin


def dataset(name: str) -> Any:
    """The description of a dataset: `hdrq.dataset("kadid")`."""
    return find("dataset", name)

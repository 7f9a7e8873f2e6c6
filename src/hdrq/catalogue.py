"""Names. A folder is the registry: metrics/ms_ssim.py holds `ms_ssim` and is known as ms-ssim."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hdrq.errors import UnknownName, UsageError

SHELVES = {
    "metric": "metrics",
    "encoding": "encodings",
    "display": "displays",
    "net": "nets",
    "tonemapper": "tonemappers",
    "expander": "expanders",
    "merger": "mergers",
    "distortion": "distortions",
    "dataset": "datasets",
    "recipe": "recipes",
    "command": "cli",
}
CHANNELS = ("y", "luma")  # stages that leave one channel: luminance of light, luma of code
_HOME = Path(__file__).parent


@cache
def names(kind: str) -> tuple[str, ...]:
    """What stands on a shelf, by looking at the folder; nothing is imported."""
    folder = _HOME / SHELVES[kind]
    files = (f for f in folder.iterdir() if f.suffix in (".py", ".toml") and not f.name.startswith("_"))
    return tuple(sorted(f.stem.replace("_", "-") for f in files))


def check(kind: str, name: str) -> str:
    """The name itself, or UnknownName with the nearest ones."""
    known = names(kind)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"see: hdrq list {SHELVES[kind]}"
    raise UnknownName(f"no {kind} is called '{name}'; {hint}")


def find(kind: str, name: str) -> Any:
    """The object a shelf's file is named after, imported now."""
    stem = check(kind, name).replace("-", "_")
    module = importlib.import_module(f"hdrq.{SHELVES[kind]}.{stem}")
    return getattr(module, stem, None) or getattr(module, stem + "_")  # list_ would hide a builtin as list


@dataclass(frozen=True)
class Request:
    """A metric as asked for: [stage:]...metric[@weights][,option=value]..."""

    stages: tuple[str, ...]
    metric: str
    weights: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The canonical text: one spelling for one meaning, so that rows can be compared."""
        head = ":".join((*self.stages, self.metric)) + (f"@{self.weights}" if self.weights else "")
        return ",".join([head, *(f"{k}={v}" for k, v in sorted(self.options))])


_SHORT = {"pu": "pu21", "log": "log10"}


def parse(text: str) -> Request:
    """Read the grammar and undo short forms (pu-ssim is pu21:ssim). Names are checked, options are not."""
    head, *pairs = (part.strip() for part in text.strip().split(","))
    options = []
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not (sign and key and value):
            raise UsageError(f"'{pair}' in '{text}' is not option=value")
        options.append((key.strip().replace("-", "_"), value.strip()))
    if len({key for key, _ in options}) < len(options):
        raise UsageError(f"an option is given twice in '{text}'")
    head, _, weights = head.partition("@")
    *stages, name = (
        part.lower().replace("++", "pp") for part in head.split(":")
    )  # norvdpnet++ is a file norvdpnetpp
    stages = [_SHORT.get(stage, stage) for stage in stages]
    if name not in names("metric"):
        prefix, _, rest = name.partition("-")
        encoding = _SHORT.get(prefix, prefix)
        if encoding in names("encoding") and rest:
            near = difflib.get_close_matches(rest, names("metric"), n=1, cutoff=0.5)
            if rest not in names("metric") and near:
                raise UnknownName(f"no metric is called '{name}'; did you mean {prefix}-{near[0]}?")
            if rest in names("metric"):
                stages, name = [*stages, encoding], rest
    for stage in stages:
        if stage not in CHANNELS and stage not in names("encoding") and stage not in names("tonemapper"):
            near = difflib.get_close_matches(
                stage, (*CHANNELS, *names("encoding"), *names("tonemapper")), n=3
            )
            hint = f"did you mean {', '.join(near)}?" if near else "see: hdrq list encodings"
            raise UnknownName(f"no stage is called '{stage}' in '{text}'; {hint}")
    return Request(tuple(stages), check("metric", name), weights, tuple(options))


def split_requests(texts: tuple[str, ...] | list[str]) -> list[Request]:
    """Requests from repeated and comma-separated arguments; a part with '=' belongs to the metric before it."""
    requests = []
    for text in texts:
        parts: list[str] = []
        for part in text.split(","):
            if "=" in part and parts:
                parts[-1] += "," + part
            elif part.strip():
                parts.append(part)
        requests += [parse(part) for part in parts]
    return list(dict.fromkeys(requests))

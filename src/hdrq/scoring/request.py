"""Metric requests, [stage:]...metric[@weights][,option=value]..., and the options and networks that they may name, read without
importing torch, so that completion answers at once. Metrics of other packages are imported.
"""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path

from hdrq.errors import UnknownName, UsageError
from hdrq.registry import added, check, find, names

# stages that leave one channel: luminance of light, luma of code
CHANNELS = ("y", "luma")
_HOME = Path(__file__).parents[1]
# by the engine, as Card.needs lists them
_SUPPLIED = ("display", "net", "encoding", "primaries", "maps")


@dataclass(frozen=True)
class Request:
    """A metric request: [stage:]...metric[@weights][,option=value]..."""

    stages: tuple[str, ...]
    metric: str
    weights: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The canonical text, one spelling per meaning, so that rows can be compared."""
        head = ":".join((*self.stages, self.metric)) + (f"@{self.weights}" if self.weights else "")
        return ",".join([head, *(f"{k}={v}" for k, v in sorted(self.options))])


_SHORT = {"pu": "pu21", "log": "log10"}


def parse(text: str) -> Request:
    """Parse a request and expand short forms (pu-ssim is pu21:ssim). Names are checked, options are not."""
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
    # norvdpnet++ is the file norvdpnetpp
    *stages, name = (part.lower().replace("++", "pp").replace("_", "-") for part in head.split(":"))
    stages = [_SHORT.get(stage, stage) for stage in stages]
    if name not in names("metric"):
        prefix, _, rest = name.partition("-")
        encoding = _SHORT.get(prefix, prefix)
        if encoding in names("encoding") and rest:
            near = difflib.get_close_matches(rest, names("metric"), n=1, cutoff=0.5)
            if rest not in names("metric") and near:
                raise UnknownName(f"unknown metric '{name}'; did you mean {prefix}-{near[0]}?")
            if rest in names("metric"):
                stages, name = [*stages, encoding], rest
    for stage in stages:
        if stage not in CHANNELS and stage not in names("encoding") and stage not in names("tonemapper"):
            near = difflib.get_close_matches(
                stage, (*CHANNELS, *names("encoding"), *names("tonemapper")), n=3
            )
            hint = f"did you mean {', '.join(near)}?" if near else "see: hdrq list encodings"
            raise UnknownName(f"unknown stage '{stage}' in '{text}'; {hint}")
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


def options_of_metric(name: str) -> dict[str, tuple[str, ...]]:
    """The options of a metric, each with the words it may be; none where any number or text may be given."""
    if name in added("metric"):
        return {o.name: tuple(map(str, o.choices)) for o in find("metric", name).options.values()}
    tree = _parsed(_file_of_metric(name))
    arguments = _function_in(tree, name).args.kwonlyargs
    return {a.arg: _choices(tree, a.annotation) for a in arguments if a.arg not in _SUPPLIED}


def net_of_metric(name: str) -> str:
    """The network of a learned metric, "" for others."""
    if name in added("metric"):
        return find("metric", name).card.net or ""
    for decorator in _function_in(_parsed(_file_of_metric(name)), name).decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.keyword) and node.arg == "net" and isinstance(node.value, ast.Constant):
                return str(node.value.value)
    return ""


def _file_of_metric(name: str) -> Path:
    return _HOME / "scoring" / "metrics" / f"{check('metric', name).replace('-', '_')}.py"


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _function_in(tree: ast.Module, name: str) -> ast.FunctionDef:
    wanted = name.replace("-", "_")
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == wanted)


def _choices(tree: ast.Module, annotation: ast.expr | None) -> tuple[str, ...]:
    """The words of a Literal, which may be among other types, or have a name that is imported."""
    if isinstance(annotation, ast.BinOp):
        return (*_choices(tree, annotation.left), *_choices(tree, annotation.right))
    if isinstance(annotation, ast.Subscript):
        if isinstance(annotation.value, ast.Name) and annotation.value.id == "Literal":
            held = annotation.slice
            words = held.elts if isinstance(held, ast.Tuple) else [held]
            return tuple(str(word.value) for word in words if isinstance(word, ast.Constant))
        return ()
    return _named(tree, annotation.id) if isinstance(annotation, ast.Name) else ()


def _named(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The choices of a name that the module, or the module of hdrq that it imports the name from, gives to a Literal."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            return _choices(tree, node.value)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hdrq."):
            imported = next((a.name for a in node.names if (a.asname or a.name) == name), "")
            path = _HOME.joinpath(*(node.module or "").split(".")[1:]).with_suffix(".py")
            if imported and path.exists():
                return _named(_parsed(path), imported)
    return ()

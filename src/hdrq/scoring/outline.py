"""What the file of a metric says of its options and its network, read without importing it: completion answers before torch
would be loaded. Metrics of other packages are imported.
"""

from __future__ import annotations

import ast
from pathlib import Path

from hdrq.registry import added, check, find

_HOME = Path(__file__).parents[1]
_SUPPLIED = ("display", "net", "encoding", "primaries", "maps")  # by the engine, as Card.needs lists them


def options_of_metric(name: str) -> dict[str, tuple[str, ...]]:
    """The options of a metric, each with the words it may be; none where any number or text may be given."""
    if name in added("metric"):
        return {o.name: tuple(map(str, o.choices)) for o in find("metric", name).options.values()}
    tree = _tree(_file(name))
    arguments = _function(tree, name).args.kwonlyargs
    return {a.arg: _choices(tree, a.annotation) for a in arguments if a.arg not in _SUPPLIED}


def net_of_metric(name: str) -> str:
    """The network of a learned metric, "" for others."""
    if name in added("metric"):
        return find("metric", name).card.net or ""
    for decorator in _function(_tree(_file(name)), name).decorator_list:
        for node in ast.walk(decorator):
            if isinstance(node, ast.keyword) and node.arg == "net" and isinstance(node.value, ast.Constant):
                return str(node.value.value)
    return ""


def _file(name: str) -> Path:
    return _HOME / "scoring" / "metrics" / f"{check('metric', name).replace('-', '_')}.py"


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _function(tree: ast.Module, name: str) -> ast.FunctionDef:
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
                return _named(_tree(path), imported)
    return ()

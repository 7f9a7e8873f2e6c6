"""The house stands as designed: floors, file sizes, names, and a door that opens without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hdrq
from hdrq.catalogue import SHELVES, find, names

HOME = Path(hdrq.__file__).parent
FLOORS = {
    "errors": 0,
    "types": 0,
    "catalogue": 0,
    "heap": 0,
    **dict.fromkeys(("ops", "io", "layers", "sampling", "weights", "archives"), 1),
    **{shelf: 2 for shelf in SHELVES.values() if shelf != "cli"},
    "engine": 3,
    "cli": 4,
}
FILES = sorted(p for p in HOME.rglob("*.py") if p.parent != HOME or p.stem not in ("__init__", "__main__"))
TYPE_ONLY = ("hdrq",)


def room(module: str) -> str:
    """The room of a dotted module name below hdrq."""
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
def test_imports_point_down(path: Path) -> None:
    here = path.relative_to(HOME).parts[0].removesuffix(".py")
    for module in imports(path):
        there = room(module)
        if there not in FLOORS:
            continue
        assert FLOORS[there] <= FLOORS[here], f"{here} must not import {module}"
        if FLOORS[here] == 2 and there == here and path.stem != "__init__":
            assert module == f"hdrq.{here}", f"entries of {here} must not know each other: {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_a_file_fits_in_a_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 330
    assert path.stem not in ("utils", "common", "helpers", "base", "core", "misc")


def test_every_room_has_a_floor() -> None:
    rooms = {p.relative_to(HOME).parts[0].removesuffix(".py") for p in FILES}
    assert rooms <= set(FLOORS)


def test_the_ground_needs_the_standard_library_only() -> None:
    code = "import sys, hdrq.errors, hdrq.types, hdrq.catalogue; print('torch' in sys.modules, 'numpy' in sys.modules)"
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


@pytest.mark.parametrize("kind", sorted(SHELVES))
def test_every_name_on_a_shelf_can_be_taken_down(kind: str) -> None:
    for name in names(kind):
        if kind == "display":
            from hdrq.displays import display

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

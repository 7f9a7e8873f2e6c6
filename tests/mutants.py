"""Mutation testing: change one operator, constant or bound at a time and see whether a test notices.

    python tests/mutants.py --count 50 --seed 0 [--only scoring/metrics] [--jobs 2]

Lines are drawn at random from the arithmetic of the packages. Every mutant is tried in a copy of the source tree, first
with the tests of its package, then with the others. Survivors are printed as file:line with the change. A survivor is
either a gap in the tests, or equivalent (the change cannot alter any result).
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = {  # where the arithmetic is, and the tests that should notice
    "image": "metric tonem filter merge io",
    "encoding": "encod light photom display wide",
    "scoring": "metric hdrvdp score cvvdp flip color broadcast butter ssimul nlpd sampling golden",
    "tonemapping": "tonem optim",
    "merging": "merge",
    "evaluation": "evaluate agreement dataset report",
    "training": "train loss",
    "distillation": "distill distort small",
    "nn": "net weight learned quality",
}
SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Lt: ast.GtE, ast.Gt: ast.LtE,
         ast.LtE: ast.Gt, ast.GtE: ast.Lt}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    path: Path
    line: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.before}  ->  {self.after}"


def mutants(path: Path) -> Iterator[Mutant]:
    """Every one-place change of a file's arithmetic, by position in its text."""
    text = path.read_text(encoding="utf-8")
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            changed = _changed(node)
            if changed is None or not hasattr(node, "end_col_offset") or node.lineno != node.end_lineno:
                continue
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.lineno - 1] + node.end_col_offset
            before = text.encode()[begin:end].decode()
            yield Mutant(path, node.lineno, begin, end, before, changed)


def _changed(node: ast.AST) -> str | None:
    """The text of a changed node, or None where there is nothing to change."""
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPS:
        return f"({ast.unparse(ast.BinOp(node.left, SWAPS[type(node.op)](), node.right))})"
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPS:
        return f"({ast.unparse(ast.Compare(node.left, [SWAPS[type(node.ops[0])]()], node.comparators))})"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return f"({ast.unparse(node.operand)})"
    if isinstance(node, ast.Constant) and type(node.value) is float and node.value:
        return repr(node.value * 1.1)
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value > 1:
        return repr(node.value + 1)
    return None


def survives(mutant: Mutant, jobs: int) -> bool:
    """Whether the suite passes with the change."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "models").symlink_to(ROOT / "models")
        target = source / mutant.path.relative_to(ROOT / "src")
        text = target.read_bytes()
        target.write_bytes(text[: mutant.start] + mutant.after.encode() + text[mutant.end :])
        package = mutant.path.relative_to(ROOT / "src/hdrq").parts[0]
        words = PACKAGES[package].split()
        tests = sorted((ROOT / "tests").glob("test_*.py"))
        near = [t for t in tests if any(w in t.stem for w in words)]
        far = [t for t in tests if t not in near]
        env = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        for some in (near, far):
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-x",
                "-n",
                str(jobs),
                "-p",
                "no:cacheprovider",
                *map(str, some),
            ]
            if some and subprocess.run(command, env=env, cwd=ROOT, capture_output=True).returncode:
                return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a path below src/hdrq")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    files = [p for package in PACKAGES for p in sorted((ROOT / "src/hdrq" / package).rglob("*.py"))]
    files = [p for p in files if str(p.relative_to(ROOT / "src/hdrq")).startswith(asked.only)]
    found = [m for p in files for m in mutants(p)]
    drawn = random.Random(asked.seed).sample(found, min(asked.count, len(found)))
    alive = []
    for i, mutant in enumerate(drawn, 1):
        lives = survives(mutant, asked.jobs)
        print(f"[{i}/{len(drawn)}] {'SURVIVES' if lives else 'caught  '} {mutant}", flush=True)
        alive += [mutant] if lives else []
    print(f"{len(drawn) - len(alive)} of {len(drawn)} caught ({len(found)} possible changes)")


if __name__ == "__main__":
    main()

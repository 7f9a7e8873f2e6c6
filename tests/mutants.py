"""Mutation testing: change one operator, constant or bound at a time and see whether a test notices.

    python tests/mutants.py --count 50 --seed 0 [--only scoring/metrics]

The suite runs once with coverage, which says which tests execute a line and how long each takes (runs/mutants; remove it
after changes to the tests). Lines are then drawn at random from the arithmetic of the packages, and every mutant is tried in a
copy of the source tree with the tests that execute its line, quickest first. Survivors are printed as file:line with the
change. A survivor is either a gap in the tests, or equivalent (the change cannot alter any result).
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
from xml.etree import ElementTree

from coverage import CoverageData

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "image",
    "encoding",
    "scoring",
    "tonemapping",
    "merging",
    "evaluation",
    "training",
    "distillation",
    "nn",
)
KEPT = ROOT / "runs" / "mutants"  # what the run with coverage found
LONGEST = 600.0  # seconds of tests for one mutant, by their times in the run with coverage
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


class Suite:
    """Which tests execute a line, and how long each takes."""

    def __init__(self) -> None:
        data, times = KEPT / "coverage", KEPT / "times.xml"
        if not times.exists():
            KEPT.mkdir(parents=True, exist_ok=True)
            command = [
                "-m",
                "pytest",
                "-q",
                "-n",
                "auto",
                "--cov=hdrq",
                "--cov-context=test",
                "--cov-report=",
            ]
            env = os.environ | {"COVERAGE_FILE": str(data)}
            subprocess.run([sys.executable, *command, f"--junitxml={times}"], env=env, cwd=ROOT, check=True)
        self.data = CoverageData(str(data))
        self.data.read()
        self.seconds: dict[str, float] = {}
        for case in ElementTree.parse(times).iter("testcase"):
            module = case.get("classname", "").replace(".", "/")
            self.seconds[f"{module}.py::{case.get('name')}"] = float(case.get("time", 0))

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that execute the mutant's line, quickest first, as far as the time for one mutant reaches."""
        contexts = self.data.contexts_by_lineno(str(mutant.path)).get(mutant.line, [])
        found = {context.partition("|")[0] for context in contexts} & set(self.seconds)
        chosen, total = [], 0.0
        for test in sorted(found, key=lambda t: (self.seconds[t], t)):
            total += self.seconds[test]
            if total > LONGEST:
                break
            chosen.append(test)
        return chosen


def survives(mutant: Mutant, tests: list[str]) -> bool:
    """Whether all of the tests pass with the change."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "models").symlink_to(ROOT / "models")
        target = source / mutant.path.relative_to(ROOT / "src")
        text = target.read_bytes()
        target.write_bytes(text[: mutant.start] + mutant.after.encode() + text[mutant.end :])
        listed = Path(folder) / "tests.txt"
        listed.write_text("\n".join(tests))
        env = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            f"@{listed}",
        ]
        return not subprocess.run(command, env=env, cwd=ROOT, capture_output=True).returncode


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a path below src/hdrq")
    asked = parser.parse_args()
    files = [p for package in PACKAGES for p in sorted((ROOT / "src/hdrq" / package).rglob("*.py"))]
    files = [p for p in files if str(p.relative_to(ROOT / "src/hdrq")).startswith(asked.only)]
    found = [m for p in files for m in mutants(p)]
    drawn = random.Random(asked.seed).sample(found, min(asked.count, len(found)))
    suite, alive = Suite(), []
    for i, mutant in enumerate(drawn, 1):
        tests = suite.tests(mutant)
        lives = not tests or survives(mutant, tests)
        print(
            f"[{i}/{len(drawn)}] {'SURVIVES' if lives else 'caught  '} {mutant} ({len(tests)} tests)",
            flush=True,
        )
        alive += [mutant] if lives else []
    print(f"{len(drawn) - len(alive)} of {len(drawn)} caught ({len(found)} possible changes)")


if __name__ == "__main__":
    main()

"""Mutation testing: change one operator, constant or bound at a time and see whether a test notices.

    python tests/mutants.py --record                                 once: which tests execute which line
    python tests/mutants.py --count 50 --seed 0 [--only scoring/metrics]

`--record` runs the suite on Python 3.12 or newer (tests/executed.py), one folder of tests after another, and keeps what it finds
in runs/mutants; interrupted, it goes on with the next folder. It is worth repeating after larger changes (remove runs/mutants):
a line is found again by its function and its text, wherever it has moved. Of tests that were not recorded, those
that name the changed module are taken, or an entry that imports it.

Lines are drawn at random from the arithmetic of the packages: from the functions, without their decorators (what a card says
is declared, not computed) and without guards like clamp(min=1e-9). Each mutant is tried in a copy of the source tree with the
tests that execute its line, until one fails: those that hold numbers to known ones first, then the quickest. A process that
has imported what all tests need is forked for each. Survivors are printed as file:line with the change. A survivor is either
a gap in the tests, to be closed, or equivalent (the change cannot alter any result); tests/mutants.toml lists those with the
reason.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HDRQ = ROOT / "src" / "hdrq"
TESTS = ROOT / "tests"
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
KEPT = ROOT / "runs" / "mutants"  # what --record found
ARGUED = TESTS / "mutants.toml"
SHELVES = ("scoring/metrics", "tonemapping/operators", "tonemapping/expanders", "merging/rules", "encoding/encodings",
           "evaluation/datasets", "nn/nets", "distillation/distortions", "training/recipes")  # fmt: skip
LONGEST = 900  # seconds of computing for one mutant
MOST = 120  # tests of one mutant that are chosen by name
GOLDEN = re.compile(
    "golden|number|program|paper|parity|formula|difference|they_were"
)  # names of tests that hold values to known ones
PRELOADED = [
    "torch",
    "scipy.stats",
    "scipy.optimize",
    "scipy.ndimage",
    "pytest",
    "hypothesis",
    "click",
    "PIL.Image",
]
BY_DIMENSION = frozenset(  # functions whose negative numbers are dimensions
    re.findall(
        r"\w+",
        "amax amin sum mean std var any all cumsum diff narrow index_select select transpose movedim flip rot90 squeeze "
        "unsqueeze flatten unfold repeat_interleave cat stack slide forward_difference backward_difference fft ifft",
    )
)
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
    function: str
    text: str  # of the line
    kept: bool = (
        False  # in a function whose results are kept, which only the first test that needs them executes
    )

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.before}  ->  {self.after}"

    def applied(self, text: bytes) -> bytes:
        return text[: self.start] + self.after.encode() + text[self.end :]


def mutants(path: Path) -> list[Mutant]:
    """Every one-place change of the arithmetic of a file's functions, by position in its text."""
    text = path.read_bytes()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found, within, lines = {}, functions(path), text.decode().splitlines()
    parsed = ast.parse(text)
    guards = _guards(parsed)
    for function in ast.walk(parsed):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in (n for statement in [function.args, *function.body] for n in ast.walk(statement)):
            changed = None if node in guards else _changed(node)
            if changed is None or not isinstance(node, ast.expr) or node.lineno != node.end_lineno:
                continue
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.lineno - 1] + (node.end_col_offset or 0)
            at = within[node.lineno], lines[node.lineno - 1].strip(), _is_kept(function)
            found[begin, end] = Mutant(path, node.lineno, begin, end, text[begin:end].decode(), changed, *at)
    return [found[place] for place in sorted(found)]


def _is_kept(function: ast.FunctionDef) -> bool:
    """Whether a decorator keeps the results."""
    names = (ast.unparse(d).partition("(")[0].rpartition(".")[2] for d in function.decorator_list)
    return any(n in ("cached", "cache", "lru_cache", "cached_property") for n in names)


def _guards(tree: ast.AST) -> set[ast.AST]:
    """What any number of that size serves for, and signs that change nothing.

    Tiny bounds and addends only keep a denominator or a logarithm from 0. Of an image (N, C, H, W), dimension 2 is dimension -2:
    of such an index the number is changed, not the sign.
    """
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        indices: list[ast.AST] = []
        if isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "shape":
            indices = [node.slice]
        if isinstance(node, ast.Call) and _called(node) in BY_DIMENSION:
            indices = [*node.args, *(k.value for k in node.keywords if k.arg in ("dim", "dims"))]
        for n in (n for index in indices for n in _indices(index)):
            if isinstance(n, ast.UnaryOp) and isinstance(n.operand, ast.Constant) and n.operand.value == 2:
                found.add(n)
        if (
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Add)
            and isinstance(node.right, ast.Constant)
        ):
            found |= (
                {node, node.right} if type(node.right.value) is float and node.right.value < 1e-9 else set()
            )
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            bounds = [k.value for k in node.keywords if k.arg == "min"] if name in ("clamp", "clamp_") else []
            bounds += node.args if name in ("max", "maximum") else []
            found |= {
                b
                for b in bounds
                if isinstance(b, ast.Constant) and type(b.value) is float and 0 < b.value < 1e-5
            }
    return found


def _called(node: ast.Call) -> str:
    name: str = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name


def _indices(node: ast.AST) -> list[ast.AST]:
    """An index, the indices of a tuple, or the ends of a slice."""
    if isinstance(node, ast.Tuple | ast.List):
        return [n for element in node.elts for n in _indices(element)]
    if isinstance(node, ast.Slice):
        return [n for n in (node.lower, node.upper) if n is not None]
    return [node]


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


def functions(path: Path) -> list[str]:
    """The innermost function or class of each line, "" outside; the first line of a file has index 1."""
    text = path.read_text(encoding="utf-8")
    names = [""] * (text.count("\n") + 2)

    def name(node: ast.AST, outer: str) -> None:
        for child in ast.iter_child_nodes(node):
            own = outer
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                own = f"{outer}.{child.name}" if outer else child.name
                first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
                for line in range(first, (child.end_lineno or first) + 1):
                    names[line] = own
            name(child, own)

    name(ast.parse(text), "")
    return names


def folders() -> dict[str, list[str]]:
    """What is recorded at a time: each folder of tests, and the files beside them as one."""
    parts = {p.name: [f"tests/{p.name}"] for p in sorted(TESTS.iterdir()) if any(p.glob("**/test_*.py"))}
    return parts | {"top": [f"tests/{p.name}" for p in sorted(TESTS.glob("test_*.py"))]}


def record(wanted: list[str]) -> None:
    """runs/mutants/FOLDER.json for each folder without one: the seconds of each test, and the tests of each line."""
    if sys.version_info < (3, 12):
        sys.exit(
            "recording executed lines needs Python 3.12 or newer; run it in an environment of that version"
        )
    KEPT.mkdir(parents=True, exist_ok=True)
    for name, paths in folders().items():
        kept, raw = (KEPT / f"{name}{suffix}" for suffix in (".json", ".raw"))
        if kept.exists() or (wanted and name not in wanted):
            continue
        command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", "-p", "no:cacheprovider", "-p", "executed",
                   "--executed", str(raw), *paths]  # fmt: skip
        subprocess.run(command, env=os.environ | {"PYTHONPATH": str(TESTS)}, cwd=ROOT)
        parts = sorted(KEPT.glob(f"{raw.name}*"))
        kept.write_text(json.dumps(condensed([json.loads(p.read_text()) for p in parts], HDRQ)))
        for part in parts:
            part.unlink()
        print(f"{name}: recorded", flush=True)


def condensed(parts: list[dict[str, Any]], source: Path) -> dict[str, Any]:
    """{"seconds": {test: seconds}, "lines": {"file::function": {text of a line: [tests by number]}}} of what processes wrote."""
    seconds: dict[str, float] = {}
    lines: dict[str, dict[str, list[int]]] = {}
    for part in parts:
        first = len(seconds)
        seconds |= part["seconds"]
        for file, found in part["lines"].items():
            text, within = (
                ["", *(source / file).read_text(encoding="utf-8").splitlines()],
                functions(source / file),
            )
            for line, tests in ((int(k), v) for k, v in found.items()):
                own = lines.setdefault(f"{file}::{within[line]}", {}).setdefault(text[line].strip(), [])
                own.extend(first + t for t in tests)
    return {"seconds": seconds, "lines": lines}


class Suite:
    """Which tests can notice a change."""

    def __init__(self) -> None:
        self.recorded = {p.stem: json.loads(p.read_text()) for p in sorted(KEPT.glob("*.json"))}
        self.names, self.known = set(collected()), {t for r in self.recorded.values() for t in r["seconds"]}
        self.texts = {
            p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in TESTS.rglob("test_*.py")
        }
        self.importers = importers()

    def tests(self, mutant: Mutant, longest: float) -> list[str]:
        """Tests recorded at the line, or else in its function, or else in its file, as many as `longest` seconds allow,
        known numbers and then the quickest first; and of those without a record, the ones whose name or file names the
        module, or an entry that imports it."""
        seconds: dict[str, float] = {}
        for found in self.recorded.values():
            names = list(found["seconds"])
            seconds |= {names[i]: found["seconds"][names[i]] for i in self._numbers(found["lines"], mutant)}
        chosen, total = [], 0.0
        goldens = [t for t in seconds if seconds[t] < 3 and GOLDEN.search(t.rpartition("/")[2])]
        for test in sorted(seconds, key=lambda t: (t not in goldens, seconds[t], t)):
            if (total := total + seconds[test]) > longest and len(chosen) > 2:
                break
            chosen.append(test)
        pages = mutant.path.parent.relative_to(HDRQ).as_posix() in SHELVES  # they state defaults
        return chosen + self._naming(mutant) + (["tests/test_docs.py"] if pages else [])

    @staticmethod
    def _numbers(lines: dict[str, dict[str, list[int]]], mutant: Mutant) -> set[int]:
        file = str(mutant.path.relative_to(HDRQ))
        own = lines.get(f"{file}::{mutant.function}", {})
        if own.get(mutant.text) and not mutant.kept:
            return set(own[mutant.text])
        whole = {
            i
            for key, found in lines.items()
            if key.startswith(f"{file}::")
            for tests in found.values()
            for i in tests
        }
        return whole if mutant.kept else {i for tests in own.values() for i in tests} or whole

    def _naming(self, mutant: Mutant) -> list[str]:
        """Tests that name the module, golden numbers first."""
        ranks: dict[str, float] = {}
        parent, _, last = _module(mutant.path).rpartition(".")
        imports = re.compile(rf"{re.escape(parent)}(\.{last}\b| import [^\n]*\b{last}\b)")
        function = re.compile(rf"\b{mutant.function.rpartition('.')[2]}\b")
        files = {n: 2.0 * bool(imports.search(t)) + bool(function.search(t)) for n, t in self.texts.items()}
        files = {n: rank + 2 * (last in n) + 0.1 * ("golden" in n) for n, rank in files.items()}
        entries = [name.replace("_", "-") for name in self._entries(mutant.path)]
        for test in self.names - self.known:
            file, _, case = test.partition("::")
            named = case.partition("[")[2]
            at = next(
                (i for i, e in enumerate(entries) if re.search(rf"(?<![\w-]){e}(?![\w-])", named)), None
            )
            if at is not None and _folder(test) != "top":
                golden = bool(GOLDEN.search(test))
                ranks[test] = 10 + 3 * golden - at
            elif files[file] >= 2:
                ranks[test] = files[file]
        best = sorted(ranks, key=lambda t: (-ranks[t], t))
        return best[:MOST]

    def _entries(self, path: Path) -> list[str]:
        """The entries that import a module, the nearest first; the entry itself where it is one."""
        found, front, seen = [], [path], {path}
        while front and len(found) < 5:
            found += [p.stem.strip("_") for p in front if p.parent.relative_to(HDRQ).as_posix() in SHELVES]
            front = sorted({i for p in front for i in self.importers.get(p, ()) if i not in seen})
            seen |= set(front)
        return found[:5]


def _module(path: Path) -> str:
    return ".".join(path.relative_to(HDRQ.parent).with_suffix("").parts)


def _folder(test: str) -> str:
    parts = test.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 else "top"


def collected() -> list[str]:
    """The names of all tests, from a run that only collects them; kept in runs/mutants."""
    kept = KEPT / "names.txt"
    changed = max(p.stat().st_mtime for p in TESTS.rglob("*.py"))
    if not kept.exists() or kept.stat().st_mtime < changed:
        KEPT.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", "tests"]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
        kept.write_text("\n".join(line for line in told.splitlines() if "::" in line))
    return kept.read_text().splitlines()


def importers() -> dict[Path, set[Path]]:
    """The files that import each file."""
    found: dict[Path, set[Path]] = {}
    for path in HDRQ.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hdrq"):
                base = HDRQ.parent / str(node.module).replace(".", "/")
                for target in (base.with_suffix(".py"), *(base / f"{a.name}.py" for a in node.names)):
                    found.setdefault(target, set()).add(path)
    return found


class First:
    """A plugin of pytest that writes down the first test that fails."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.path.exists():
            self.path.write_text(report.nodeid)


def attempt(folder: str, tests: list[str]) -> None:
    """Run tests on the source tree in a folder; in a process of its own, whose exit code tells."""
    import resource  # not on Windows, where only the list of mutants is of use

    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST))  # a change may keep a loop from its end
    quiet = os.open(Path(folder) / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.chdir(ROOT)
    source = str(Path(folder) / "src")
    sys.path.insert(0, source)
    os.environ |= {"PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    options = ["-q", "-x", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly"]
    os._exit(int(pytest.main([*options, *tests], plugins=[First(Path(folder) / "first")])))


def noticed(mutant: Mutant, tests: list[str], tree: Path, forked: Any) -> str:
    """The test that fails with the change, the exit code of a run that ended otherwise, or "" where all pass.

    tree  a copy of src as it was when the mutants were drawn
    """
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(tree, source)
        (Path(folder) / "models").symlink_to(ROOT / "models")
        target = source / mutant.path.relative_to(ROOT / "src")
        target.write_bytes(mutant.applied(target.read_bytes()))
        process = forked.Process(target=attempt, args=(folder, tests))
        process.start()
        process.join()
        first = Path(folder) / "first"
        if first.exists():
            return first.read_text()
        return "" if process.exitcode == 0 else f"exit code {process.exitcode}"


def argued() -> list[dict[str, str]]:
    """The changes that are equivalent, with the reason."""
    found: list[dict[str, str]] = tomllib.loads(ARGUED.read_text(encoding="utf-8"))["equivalent"]
    return found


def why_equivalent(mutant: Mutant, listed: list[dict[str, str]]) -> str:
    own = mutant.path.relative_to(HDRQ).as_posix(), mutant.text, f"{mutant.before} -> {mutant.after}"
    return next((e["why"] for e in listed if (e["file"], e["line"], e["change"]) == own), "")


def drawn(count: int, seed: int, only: str = "") -> tuple[list[Mutant], int]:
    """Some of all possible changes, and how many there are."""
    files = [p for package in PACKAGES for p in sorted((HDRQ / package).rglob("*.py"))]
    found = [m for p in files if p.relative_to(HDRQ).as_posix().startswith(only) for m in mutants(p)]
    return random.Random(seed).sample(found, min(count, len(found))), len(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a path below src/hdrq")
    parser.add_argument("--longest", type=float, default=60, help="seconds of recorded tests for one mutant")
    parser.add_argument("--numbers", type=int, nargs="+", help="of the drawn ones, to try again")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tried at a time")
    parser.add_argument("--record", nargs="*", metavar="FOLDER", help="of tests; all without one")
    asked = parser.parse_args()
    if asked.record is not None:
        return record(asked.record)
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # before numpy and torch are imported
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(PRELOADED)
    chosen, possible = drawn(asked.count, asked.seed, asked.only)
    suite, listed, counts = Suite(), argued(), Counter()

    def tried(numbered: tuple[int, Mutant]) -> None:
        i, mutant = numbered
        if why := why_equivalent(mutant, listed):
            verdict, told = "equivalent", why
        else:
            tests = suite.tests(mutant, asked.longest)
            told = noticed(mutant, tests, tree, forked) if tests else ""
            verdict, told = ("caught", told) if told else ("SURVIVES", f"{len(tests)} tests")
        counts[verdict] += 1
        print(f"[{i}/{len(chosen)}] {verdict}: {mutant} ({told})", flush=True)

    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(asked.jobs) as pool:
        tree = Path(folder) / "src"
        shutil.copytree(ROOT / "src", tree, ignore=shutil.ignore_patterns("__pycache__"))
        list(
            pool.map(
                tried,
                (c for c in enumerate(chosen, 1) if c[0] in (asked.numbers or range(1, len(chosen) + 1))),
            )
        )
    print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()), f"of {possible} possible changes")


if __name__ == "__main__":
    main()

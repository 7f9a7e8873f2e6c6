"""The program that changes lines at random, and its list of changes that cannot alter a result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mutants

SNIPPET = """def f(x):
    return -x + 0.5 if x < 3 else x[-1]


LIMIT = 2.0
"""


def test_a_mutant_is_one_place_of_a_functions_arithmetic(tmp_path: Path) -> None:
    path = tmp_path / "snippet.py"
    path.write_text(SNIPPET)
    found = mutants.mutants(path)
    assert {(m.before, m.after) for m in found} == {
        ("-x + 0.5", "(-x - 0.5)"),
        ("-x", "(x)"),
        ("0.5", "0.55"),
        ("x < 3", "(x >= 3)"),
        ("3", "4"),
        ("-1", "(1)"),
    }
    assert all(m.function == "f" and m.line == 2 for m in found)
    changed = next(m for m in found if m.before == "0.5").applied(SNIPPET.encode()).decode()
    assert changed == SNIPPET.replace("0.5", "0.55", 1)


def test_the_sign_of_a_size_before_the_last_is_not_changed(tmp_path: Path) -> None:
    """Dimension 2 is dimension -2 of an image; -3 is not."""
    path = tmp_path / "snippet.py"
    path.write_text(
        "def f(x):\n    return x.shape[-2:], x.shape[-1], x[-2], x.amax((-2, -1), keepdim=True), x.clamp(-2)\n"
    )
    found = [(m.before, m.after) for m in mutants.mutants(path)]
    assert found == [
        ("2", "3"), ("-1", "(1)"), ("-2", "(2)"), ("2", "3"), ("2", "3"), ("-1", "(1)"), ("-2", "(2)"), ("2", "3")
    ]  # fmt: skip


def test_functions_that_keep_results_have_all_tests_of_their_file(tmp_path: Path, monkeypatch) -> None:
    """Only the first test that needs a kept result executes their lines."""
    path = mutants.HDRQ / "encoding" / "encodings" / "pu08.py"
    kept = next(m for m in mutants.mutants(path) if m.function == "_table")
    plain = next(m for m in mutants.mutants(path) if m.function == "_encode")
    file = "encoding/encodings/pu08.py"
    lines = {f"{file}::_table": {kept.text: [1]}, f"{file}::_encode": {plain.text: [2, 3]}}
    assert (kept.kept, plain.kept) == (True, False)
    assert mutants.Suite._numbers(lines, kept) == {1, 2, 3}
    assert mutants.Suite._numbers(lines, plain) == {2, 3}


def test_what_processes_recorded_becomes_one_map(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def f(x):\n    y = x\n    return y\n")
    parts = [
        {"seconds": {"a": 1.0, "b": 2.0}, "lines": {"m.py": {"2": [0, 1], "3": [1]}}},
        {"seconds": {"c": 3.0}, "lines": {"m.py": {"3": [0]}}},
    ]
    assert mutants.condensed(parts, tmp_path) == {
        "seconds": {"a": 1.0, "b": 2.0, "c": 3.0},
        "lines": {"m.py::f": {"y = x": [0, 1], "return y": [1, 2]}},
    }


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_each_test_is_recorded_at_every_line_that_it_executes(tmp_path: Path) -> None:
    suite, out = tmp_path / "test_it.py", tmp_path / "raw"
    suite.write_text(
        "from hdrq.image.transfer import linear_to_srgb\nimport torch\n"
        "def test_a(): linear_to_srgb(torch.zeros(1))\ndef test_b(): pass\ndef test_c(): test_a()\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "executed",
        "--executed",
        str(out),
        str(suite),
    ]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(mutants.TESTS), *sys.path])}
    subprocess.run(command, check=True, env=env, cwd=tmp_path)
    found = json.loads(out.read_text())
    assert [name.partition("::")[2] for name in found["seconds"]] == ["test_a", "test_b", "test_c"]
    assert [0, 2] in found["lines"][os.path.join("image", "transfer.py")].values()


@pytest.mark.parametrize("entry", mutants.argued(), ids=lambda e: f"{e['file']}: {e['change']}")
def test_a_listed_change_is_still_possible(entry: dict[str, str]) -> None:
    """Where the line was changed, the argument is to be made again or the entry removed."""
    assert any(mutants.why_equivalent(m, [entry]) for m in mutants.mutants(mutants.HDRQ / entry["file"]))
    assert len(entry["why"]) > 20

"""The program that changes lines at random, and its list of changes that cannot alter a result."""

from __future__ import annotations

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


@pytest.mark.parametrize("entry", mutants.argued(), ids=lambda e: f"{e['file']}: {e['change']}")
def test_a_listed_change_is_still_possible(entry: dict[str, str]) -> None:
    """Where the line was changed, the argument is to be made again or the entry removed."""
    assert any(mutants.why_equivalent(m, [entry]) for m in mutants.mutants(mutants.HDRQ / entry["file"]))
    assert len(entry["why"]) > 20

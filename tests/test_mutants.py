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


@pytest.mark.parametrize("entry", mutants.argued(), ids=lambda e: f"{e['file']}: {e['change']}")
def test_a_listed_change_is_still_possible(entry: dict[str, str]) -> None:
    """Where the line was changed, the argument is to be made again or the entry removed."""
    assert any(mutants.why_equivalent(m, [entry]) for m in mutants.mutants(mutants.HDRQ / entry["file"]))
    assert len(entry["why"]) > 20

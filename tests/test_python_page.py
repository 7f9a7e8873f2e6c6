"""The examples of docs/python.md run, and print what the page says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from click.testing import CliRunner

from hdrq.cli.app import command_line

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


def test_the_examples_of_the_python_page_run_as_printed(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(command_line, ["demo", "."]).exit_code == 0
    blocks = re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(blocks) > 10
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        test = parser.get_doctest(block, names, f"block {number + 1}", str(PAGE), 0)
        runner.run(test, out=said.append, clear_globs=False)
        names = test.globs
    assert runner.summarize(verbose=False).failed == 0, "".join(said)

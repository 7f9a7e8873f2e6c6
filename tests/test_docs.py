"""The documentation is true: generated pages are those of this code, links lead somewhere, NOTICE names every table."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from hdrq.registry import names

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built() -> dict[str, str]:
    """In a process of its own: click keeps the help option of a command as it was first called, here by other tests."""
    code = """
import json, sys, build, build_tonemapping
pages = {**build.PAGES, "tonemapping.md": build_tonemapping.page}
sys.stdout.buffer.write(json.dumps({name: page() for name, page in pages.items()}).encode())
"""
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "docs", capture_output=True, check=True)
    pages: dict[str, str] = json.loads(told.stdout)
    return pages


@pytest.mark.parametrize("page", ["metrics.md", "cli.md", "tonemapping.md"])
def test_generated_pages_are_those_of_this_code(page: str, built: dict[str, str]) -> None:
    stated = re.search(r"^click==(\S+)", (ROOT / "constraints.txt").read_text(), re.M)
    if page == "cli.md" and stated and stated[1] != version("click"):
        pytest.skip(
            "releases of click write the usage line differently; the page is that of constraints.txt's"
        )
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == built[page], "run: make docs"


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda p: p.name
)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_files_that_the_notice_names_exist() -> None:
    """Licences of other programs belong to the file that holds their numbers, wherever it moves."""
    named = re.findall(r"src/hdrq/[\w/]+(?:\.\w+)?", (ROOT / "NOTICE").read_text(encoding="utf-8"))
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_no_page_names_a_path_of_this_machine() -> None:
    for page in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "NOTICE"]:
        assert not re.search(r"/(work|root|home)/\w", page.read_text(encoding="utf-8")), page.name


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_modules_that_pages_for_developers_name_exist(page: str) -> None:
    named = re.findall(r"`(\w+(?:/\w+)+\.py)`", (ROOT / page).read_text(encoding="utf-8"))
    named = [name for name in named if "/NAME." not in name]
    assert len(named) > 4
    homes = (ROOT / "src", ROOT / "src" / "hdrq", ROOT / "src" / "hdrq" / "evaluation", ROOT)
    for module in named:
        assert any((home / module).exists() for home in homes), module


def test_every_operator_has_a_small_picture() -> None:
    for name in names("tonemapper"):
        assert (ROOT / "docs" / "img" / f"tone_{name}.jpg").stat().st_size < 40_000

"""Shared by every test: where ../shared is, and how to load a golden input."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does; read when numpy is imported

import numpy as np
import pytest
import torch

from shared_folder import SHARED

# two threads that wait for each other are many times slower than one where others compute as well
THREADS = "1" if "PYTEST_XDIST_WORKER" in os.environ else os.environ.get("OMP_NUM_THREADS", "2")
torch.set_num_threads(min(int(THREADS), os.cpu_count() or 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `shared` skip where the golden numbers are not at hand."""
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason="needs the golden numbers and images of ../shared")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    return SHARED


@pytest.fixture(scope="session")
def golden():
    """golden("pu21") is that folder's golden.json."""
    return lambda folder: json.loads((SHARED / "golden" / folder / "golden.json").read_text())


@pytest.fixture(scope="session")
def golden_input():
    """golden_input("nancy_ref") is (1, C, H, W) float64, values as stored (uint8 stays 0..255)."""

    def load(name: str, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        a = np.load(SHARED / "golden" / "inputs" / f"{name}.npz")["a"].astype(np.float64)
        a = a[..., None] if a.ndim == 2 else a
        return torch.from_numpy(a).permute(2, 0, 1)[None].to(dtype).contiguous()

    return load


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """run("score", ...) is (exit code, stdout, stderr) of the command line, which never shows a traceback."""
    from hdrq.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(a) for a in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(left.value.code or 0), said.out, said.err

    return call

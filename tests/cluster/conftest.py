"""A cache of remote files for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

import hdrq.io.remote as remote_module


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HDRQ_CACHE", str(folder))
    monkeypatch.setattr(remote_module, "_held", {})
    return folder

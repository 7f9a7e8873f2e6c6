"""A cache of remote files for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

import hdrq.io.remote_cache as cache_module


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HDRQ_CACHE", str(folder))
    monkeypatch.setattr(cache_module, "_held", {})
    return folder

"""Google's object store by gcsfs, on an emulator: the same reads, writes and failures as at s3://."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from object_store import run, three_pairs

import hdrq
from hdrq.errors import FileError
from hdrq.io.pairing import pair_paths
from hdrq.io.rows import read_rows
from hdrq.records import Image

fsspec = pytest.importorskip("fsspec")
gcsfs = pytest.importorskip("gcsfs")
emulator = pytest.importorskip("gcp_storage_emulator.server")
BUCKET = "gs://pictures"


@pytest.fixture(scope="module")
def store():
    """A made-up Google Cloud Storage on this machine; its file system."""
    running = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="pictures")
    running.start()
    host, port = running._api._httpd.server_address[:2]
    patch = pytest.MonkeyPatch()
    patch.setenv("STORAGE_EMULATOR_HOST", f"http://{host}:{port}")
    patch.setenv("NO_PROXY", "127.0.0.1")
    gcsfs.GCSFileSystem.clear_instance_cache()
    yield fsspec.filesystem("gs", use_listings_cache=False)
    gcsfs.GCSFileSystem.clear_instance_cache()
    patch.undo()
    running.stop()


@pytest.fixture(scope="module")
def pairs(store, tmp_path_factory) -> Path:
    return three_pairs(store, tmp_path_factory.mktemp("pairs"))


def test_a_list_there_is_scored_as_one_here(store, pairs, tmp_path):
    run("--pairs", pairs / "list.csv", "-m", "pu-psnr", "-o", tmp_path / "here.csv")
    run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", tmp_path / "there.csv")
    here, there = (list(read_rows(tmp_path / f"{n}.csv")) for n in ("here", "there"))
    assert [r["value"] for r in here] == [r["value"] for r in there]
    assert there[0]["dist"] == f"{BUCKET}/set/dists/p0.exr"


def test_folders_there_pair_by_name(store, pairs):
    found = pair_paths(f"{BUCKET}/set/refs", f"{BUCKET}/set/dists").pairs
    assert [(str(p.ref), str(p.dist)) for p in found] == [
        (f"{BUCKET}/set/refs/p{i}.exr", f"{BUCKET}/set/dists/p{i}.exr") for i in range(3)
    ]


def test_a_table_is_written_there_and_resumed(store, pairs, monkeypatch):
    out = f"{BUCKET}/scores.csv"
    run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", out)
    first = store.cat_file("pictures/scores.csv")
    assert first.count(b"\n") == 4
    monkeypatch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("was computed again"))
    run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", out, "--resume")
    assert store.cat_file("pictures/scores.csv") == first


def test_a_changed_file_is_fetched_again_and_a_missing_one_named(store, tmp_path):
    for seed in (1, 2):
        pixels = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
        hdrq.write(tmp_path / "x.exr", Image(pixels), depth="float")
        store.put_file(str(tmp_path / "x.exr"), "pictures/changing.exr")
        assert torch.equal(hdrq.read(f"{BUCKET}/changing.exr").pixels, pixels)
    with pytest.raises(FileError, match=r"^gs://pictures/none\.exr does not exist; check the name$"):
        hdrq.read(f"{BUCKET}/none.exr")


def test_a_file_that_vanishes_there_is_a_failed_row(store, pairs, tmp_path):
    store.rm_file("pictures/set/dists/p1.exr")
    try:
        run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", tmp_path / "o.csv", code=1)
    finally:
        store.put_file(str(pairs / "dists" / "p1.exr"), "pictures/set/dists/p1.exr")
    rows = list(read_rows(tmp_path / "o.csv"))
    assert [r["status"] for r in rows] == ["ok", "failed", "ok"]
    assert rows[1]["error"] == f"{BUCKET}/set/dists/p1.exr does not exist; check the name"

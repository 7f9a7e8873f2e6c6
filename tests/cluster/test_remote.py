"""Remote files: read through a bounded cache, written whole, and never more trusted than local ones."""

from __future__ import annotations

import os
import threading
import time
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from object_store import light, run, three_pairs

import hdrq
import hdrq.io.remote_cache as cache_module
from hdrq.cli import main
from hdrq.errors import FileError, TooLarge, UsageError
from hdrq.io.atomic import atomic
from hdrq.io.pairing import alone, pair_paths
from hdrq.io.remote import address_of, is_folder, join, parent, uploaded
from hdrq.io.remote_cache import local
from hdrq.io.rows import read_rows

fsspec = pytest.importorskip("fsspec")
server = pytest.importorskip("moto.server")
BUCKET = "s3://pictures"


@pytest.fixture(scope="module")
def store():
    """A made-up S3 on this machine; its file system."""
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    said = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": "127.0.0.1"}  # fmt: skip
    patch = pytest.MonkeyPatch()
    for name, value in said.items():
        patch.setenv(name, value)
    patch.delenv("AWS_PROFILE", raising=False)
    found = fsspec.filesystem("s3", use_listings_cache=False)
    found.mkdir("pictures")
    yield found
    patch.undo()
    running.stop()


@pytest.fixture(scope="module")
def pairs(store, tmp_path_factory) -> Path:
    home = three_pairs(store, tmp_path_factory.mktemp("pairs"))
    store.put(str(home), "pictures/", recursive=True)
    return home


def cached(cache: Path) -> list[Path]:
    return sorted(p for p in (cache / "files").rglob("*") if p.is_file())


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("s3://b/x.exr", "s3://b/x.exr"),
        (Path("s3://b/x.exr"), "s3://b/x.exr"),
        ("S3://b/x.exr", "s3://b/x.exr"),
        (Path("zip://a.exr::s3://b/x.zip"), "zip://a.exr::s3://b/x.zip"),
        ("zip://a.exr::/tmp/x.zip", "zip://a.exr::/tmp/x.zip"),
        ("https://host/x.exr?a=1", "https://host/x.exr?a=1"),
        ("/tmp/s3:/x.exr", None),
        ("x.exr", None),
        ("ftp://host/x.exr", None),
        ("s3:", None),
        (None, None),
        (3, None),
    ],
)
def test_an_address_is_known_by_its_protocol(path, url):
    assert address_of(path) == url


def test_relative_names_belong_to_the_folder_of_their_list():
    assert join("s3://b/set", "a/x.exr") == "s3://b/set/a/x.exr"
    assert join(Path("/data"), "x.exr") == Path("/data/x.exr")
    assert join(Path("/data"), "s3://b/x.exr") == "s3://b/x.exr"
    assert parent("s3://b/set/list.csv") == "s3://b/set"
    assert parent("set/list.csv") == Path("set")


def test_an_image_is_read_once_and_named_by_its_address(store, pairs, cache):
    image = hdrq.read(f"{BUCKET}/set/refs/p0.exr")
    assert image.path == f"{BUCKET}/set/refs/p0.exr"
    assert torch.equal(image.pixels, hdrq.read(pairs / "refs" / "p0.exr").pixels)
    (copy,) = cached(cache)
    assert copy.name == "p0.exr"
    before = copy.stat().st_ino
    assert torch.equal(hdrq.read(Path(f"{BUCKET}/set/refs/p0.exr")).pixels, image.pixels)
    assert [p.stat().st_ino for p in cached(cache)] == [before]


def test_a_file_that_changed_is_fetched_again(store, tmp_path):
    for seed in (1, 2):
        hdrq.write(tmp_path / "x.exr", light(seed), depth="float")
        store.put_file(str(tmp_path / "x.exr"), "pictures/changing.exr")
        assert torch.equal(hdrq.read(f"{BUCKET}/changing.exr").pixels, light(seed).pixels)


def test_a_list_of_addresses_is_scored_as_a_list_of_files(store, pairs, tmp_path):
    run("--pairs", pairs / "list.csv", "-m", "pu-psnr", "-o", tmp_path / "here.csv")
    run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", tmp_path / "there.csv")
    here, there = (list(read_rows(tmp_path / f"{n}.csv")) for n in ("here", "there"))
    assert [r["value"] for r in here] == [r["value"] for r in there]
    assert there[0]["dist"] == f"{BUCKET}/set/dists/p0.exr"
    assert there[0]["note"] == "n0"
    mixed = tmp_path / "mixed.csv"
    mixed.write_text(f"ref,dist\n{pairs}/refs/p0.exr,{BUCKET}/set/dists/p0.exr\n")
    run("--pairs", mixed, "-m", "pu-psnr", "-o", tmp_path / "mixed.out.csv")
    assert next(read_rows(tmp_path / "mixed.out.csv"))["value"] == here[0]["value"]


def test_folders_pair_by_name(store, pairs):
    found = pair_paths(f"{BUCKET}/set/refs/", f"{BUCKET}/set/dists")
    assert [(str(p.ref), str(p.dist)) for p in found.pairs] == [
        (f"{BUCKET}/set/refs/p{i}.exr", f"{BUCKET}/set/dists/p{i}.exr") for i in range(3)
    ]
    assert [p.scene for p in found.pairs] == ["p0", "p1", "p2"]
    one = pair_paths(str(pairs / "refs" / "p0.exr"), f"{BUCKET}/set/dists")
    assert [(p.ref, p.dist) for p in one.pairs][2] == (
        pairs / "refs" / "p0.exr",
        f"{BUCKET}/set/dists/p2.exr",
    )
    assert [p.dist for p in alone([f"{BUCKET}/set/refs"])] == [
        f"{BUCKET}/set/refs/p{i}.exr" for i in range(3)
    ]
    with pytest.raises(UsageError, match="is a folder and"):
        pair_paths(f"{BUCKET}/set/refs", f"{BUCKET}/set/dists/p0.exr")
    assert not is_folder(f"{BUCKET}/set/refs/p0.exr")


def test_a_table_is_written_to_the_store_whole_and_resumed(store, pairs, cache, monkeypatch):
    out = f"{BUCKET}/scores.csv"
    run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", out)
    first = store.cat_file("pictures/scores.csv")
    assert first.count(b"\n") == 4
    assert not any(p.is_file() for p in (cache / "journals").rglob("*"))
    with monkeypatch.context() as patch:
        patch.setattr("hdrq.scoring.scorer.Scorer.read", lambda *a, **k: pytest.fail("was computed again"))
        run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", out, "--resume")
    assert store.cat_file("pictures/scores.csv") == first
    hdrq.write(pairs / "other.exr", light(77), depth="float")
    store.put_file(str(pairs / "other.exr"), "pictures/set/dists/p1.exr")
    try:
        run("--pairs", f"{BUCKET}/set/list.csv", "-m", "pu-psnr", "-o", out, "--resume")
        lines, before = store.cat_file("pictures/scores.csv").splitlines(), first.splitlines()
        assert [a == b for a, b in zip(lines, before, strict=True)] == [True, True, False, True]
    finally:
        store.put_file(str(pairs / "dists" / "p1.exr"), "pictures/set/dists/p1.exr")


def test_shards_in_the_store_are_joined_there(store, pairs, tmp_path):
    from hdrq.cli.table import table as table_command

    run("--pairs", pairs / "list.csv", "-m", "pu-psnr", "-o", tmp_path / "whole.csv")
    parts = [f"{BUCKET}/part{k}.parquet" for k in (1, 2)]
    for k, part in enumerate(parts, 1):
        run("--pairs", pairs / "list.csv", "-m", "pu-psnr", "-o", part, "--shard", f"{k}/2")
    done = CliRunner().invoke(
        table_command, ["join", *parts, "-o", f"{BUCKET}/all.csv"], catch_exceptions=False
    )
    assert done.exit_code == 0
    stored = store.cat_file("pictures/all.csv").splitlines()
    assert stored == (tmp_path / "whole.csv").read_bytes().splitlines()


def test_what_was_not_finished_is_not_in_the_store(store):
    def write() -> None:
        with atomic(f"{BUCKET}/half.csv") as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert not store.exists("pictures/half.csv")


def test_a_folder_is_encoded_from_the_store_into_the_store(store, pairs, tmp_path):
    for source, target in ((f"{BUCKET}/set/refs", f"{BUCKET}/coded"), (pairs / "refs", tmp_path / "coded")):
        Path(tmp_path / "coded").mkdir(exist_ok=True)
        with pytest.raises(SystemExit) as left:
            main(["encode", str(source), str(target), "--to", "pq", "--suffix", ".png"])
        assert left.value.code == 0
    assert not Path("s3:").exists()
    for i in range(3):
        assert store.cat_file(f"pictures/coded/p{i}.png") == (tmp_path / "coded" / f"p{i}.png").read_bytes()


def test_a_file_that_vanishes_is_a_failed_row(store, pairs, tmp_path, monkeypatch):
    reads = []

    def vanish(self, *arguments, **options):
        reads.append(1)
        if len(reads) == 2:
            store.rm_file("pictures/set/dists/p2.exr")
        return original(self, *arguments, **options)

    from hdrq.scoring.scorer import Scorer

    original = Scorer.read
    monkeypatch.setattr(Scorer, "read", vanish)
    try:
        run(
            "--pairs",
            f"{BUCKET}/set/list.csv",
            "-m",
            "pu-psnr",
            "-o",
            tmp_path / "o.csv",
            "--jobs",
            1,
            code=1,
        )
    finally:
        store.put_file(str(pairs / "dists" / "p2.exr"), "pictures/set/dists/p2.exr")
    rows = list(read_rows(tmp_path / "o.csv"))
    assert [r["status"] for r in rows] == ["ok", "ok", "failed"]
    assert rows[2]["error"] == f"{BUCKET}/set/dists/p2.exr does not exist; check the name"


def test_a_file_that_ends_early_is_not_kept(store, pairs, cache, monkeypatch):
    whole = cache_module.info_of
    monkeypatch.setattr(cache_module, "info_of", lambda url: (whole(url)[0] + 9, *whole(url)[1:]))
    with pytest.raises(FileError, match=r"p0.exr ended after \d+ of \d+ bytes"):
        local(f"{BUCKET}/set/refs/p0.exr")
    assert cached(cache) == []


def test_a_damaged_file_is_named_by_its_address(store, tmp_path):
    store.pipe_file("pictures/bad.exr", b"v/1\x01 and no more")
    with pytest.raises(FileError, match=r"^s3://pictures/bad\.exr ") as caught:
        hdrq.read(f"{BUCKET}/bad.exr")
    assert "cache" not in str(caught.value)


def test_the_cache_is_bounded_and_keeps_what_was_used_last(store, cache, monkeypatch):
    monkeypatch.setattr(cache_module, "_IN_USE", 0.0)
    monkeypatch.setenv("HDRQ_CACHE_GIB", str(2500 / 2**30))
    for name in "abcd":
        store.pipe_file(f"pictures/{name}.bin", name.encode() * 1000)
    for name in ("a", "b", "a", "c", "d"):
        assert local(f"{BUCKET}/{name}.bin").read_bytes() == name.encode() * 1000
        assert sum(p.stat().st_size for p in cached(cache)) <= 2500
        time.sleep(0.02)
    assert [p.name for p in cached(cache) if p.name == "d.bin"]
    store.pipe_file("pictures/large.bin", b"x" * 3000)
    with pytest.raises(TooLarge, match="raise HDRQ_CACHE_GIB"):
        local(f"{BUCKET}/large.bin")
    monkeypatch.setenv("HDRQ_CACHE_GIB", "none")
    with pytest.raises(UsageError, match="HDRQ_CACHE_GIB"):
        local(f"{BUCKET}/a.bin")


def test_the_copy_used_longest_ago_goes_first(store, cache, monkeypatch):
    monkeypatch.setattr(cache_module, "_IN_USE", 0.0)
    monkeypatch.setenv("HDRQ_CACHE_GIB", str(2500 / 2**30))
    for name in "ab":
        store.pipe_file(f"pictures/{name}.bin", name.encode() * 1000)
        local(f"{BUCKET}/{name}.bin")
    os.utime(local(f"{BUCKET}/b.bin"), (1e9, 1e9))
    store.pipe_file("pictures/c.bin", b"c" * 1000)
    local(f"{BUCKET}/c.bin")
    assert sorted(p.name for p in cached(cache)) == ["a.bin", "c.bin"]


def test_files_of_an_archive_are_read(pairs, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(pairs / "refs" / "p0.exr", "in/p0.exr")
    image = hdrq.read(f"zip://in/p0.exr::{tmp_path}/set.zip")
    assert torch.equal(image.pixels, hdrq.read(pairs / "refs" / "p0.exr").pixels)
    with pytest.raises(FileError, match="does not exist"):
        hdrq.read(f"zip://in/none.exr::{tmp_path}/set.zip")
    with pytest.raises(UsageError, match="'ftp' is not supported"):
        local("zip://a.exr::ftp://host/x.zip")


def test_an_archive_in_the_store_is_scored_against_one_here(store, pairs, tmp_path):
    for folder in ("refs", "dists"):
        with zipfile.ZipFile(tmp_path / f"{folder}.zip", "w") as archive:
            archive.write(pairs / folder / "p0.exr", f"{folder}/a.exr")
    store.put_file(str(tmp_path / "dists.zip"), "pictures/dists.zip")
    ref, dist = f"zip://refs/a.exr::{tmp_path}/refs.zip", f"zip://dists/a.exr::{BUCKET}/dists.zip"
    run(ref, dist, "-m", "pu-psnr", "-o", tmp_path / "archives.csv")
    run(pairs / "refs" / "p0.exr", pairs / "dists" / "p0.exr", "-m", "pu-psnr", "-o", tmp_path / "files.csv")
    archived, plain = (next(read_rows(tmp_path / f"{name}.csv")) for name in ("archives", "files"))
    assert archived["value"] == plain["value"]
    assert (archived["ref"], archived["dist"]) == (ref, dist)


def test_a_server_that_breaks_off_half_way_is_a_failed_row(pairs, tmp_path, monkeypatch, cache):
    """The second test image ends early; the third has vanished when its turn comes."""

    class Breaking(SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(pairs), **options)

        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if self.path.endswith("dists/p2.exr"):
                self.send_error(404)
                return
            if not self.path.endswith("dists/p1.exr"):
                super().do_GET()
                return
            content = (pairs / "dists" / "p1.exr").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    web = ThreadingHTTPServer(("127.0.0.1", 0), Breaking)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        home = f"http://127.0.0.1:{web.server_port}"
        lines = ["ref,dist", *(f"{home}/refs/p{i}.exr,{home}/dists/p{i}.exr" for i in range(3))]
        (tmp_path / "web.csv").write_text("\n".join(lines) + "\n")
        run("--pairs", tmp_path / "web.csv", "-m", "pu-psnr", "-o", tmp_path / "o.csv", code=1)
    finally:
        web.shutdown()
        web.server_close()
    rows = list(read_rows(tmp_path / "o.csv"))
    assert [r["status"] for r in rows] == ["ok", "failed", "failed"]
    assert rows[1]["error"].startswith(f"{home}/dists/p1.exr ")
    assert rows[2]["error"].startswith(f"{home}/dists/p2.exr cannot be read: 404, ")
    assert [p.name for p in cached(cache)].count("p1.exr") == 1  # of the reference


def test_a_web_server_is_read_and_not_written(pairs, monkeypatch):
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(pairs), **options)

        def log_message(self, *arguments):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    web = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{web.server_port}/refs/p0.exr"
        assert torch.equal(hdrq.read(url).pixels, hdrq.read(pairs / "refs" / "p0.exr").pixels)
        with pytest.raises(FileError, match="does not exist"):
            hdrq.read(url.replace("p0", "none"))
    finally:
        web.shutdown()
        web.server_close()
    with (
        pytest.raises(UsageError, match="cannot be written; write to a local file, or to s3:// or gs://"),
        uploaded(url),
    ):
        pass
    with pytest.raises(UsageError, match="cannot be written"):
        run(
            pairs / "refs" / "p0.exr", pairs / "dists" / "p0.exr", "-m", "pu-psnr", "-o", "https://host/x.csv"
        )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://b/../../etc/passwd", "passwd"),
        ("https://host/a.exr?x=/../b", "a.exr"),
        ("https://host/", "host"),
        ("zip://..::/x.zip", "file"),
        ("s3://b/.hidden", "hidden"),
        ("s3://b/a:b*c.exr", "a_b_c.exr"),
    ],
)
def test_a_copy_has_a_safe_name(url, name):
    assert cache_module.name_of(url) == name

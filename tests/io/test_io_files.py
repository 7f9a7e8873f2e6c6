"""Files as files: what they are told by, how they are refused, and that they are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from PIL import Image as PILImage

from hdrq.cli.app import main
from hdrq.errors import DomainError, FileError, HdrqError, PixelError, TooLarge, UsageError
from hdrq.io import FORMATS, atomic, by_suffix, read, write
from hdrq.io.memory import afford, free_bytes, free_for
from hdrq.records import BT2020, Image

PICTURE = Image(torch.rand(1, 3, 9, 11, generator=torch.manual_seed(0)) * 100)
CODE = Image(PICTURE.pixels / 100, "srgb")


def refusal(act, *args, **options) -> str:
    """The one line of a refusal."""
    with pytest.raises(HdrqError) as caught:
        act(*args, **options)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert len(text) < 400
    return text


def test_importing_io_loads_no_codec_and_no_torch():
    code = (
        "import sys, hdrq.io; "
        "heavy = {'torch', 'numpy', 'OpenEXR', 'imagecodecs', 'tifffile', 'PIL'} & set(sys.modules); "
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_format_has_a_module_and_its_suffixes_are_its_own():
    suffixes = [s for f in FORMATS for s in f.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(by_suffix("x" + s.upper()) is f for f in FORMATS for s in f.suffixes)


def test_missing_empty_folder_and_text_are_refused_by_name(tmp_path):
    assert "does not exist" in refusal(read, tmp_path / "nope.exr")
    (tmp_path / "zero.exr").touch()
    assert "is empty" in refusal(read, tmp_path / "zero.exr")
    assert "is a folder" in refusal(read, tmp_path)
    (tmp_path / "text.exr").write_text("this is no picture\n")
    assert "OpenEXR file: its first bytes match no known format" in refusal(read, tmp_path / "text.exr")
    assert "not a regular file" in refusal(read, "/dev/null") or sys.platform == "win32"
    assert "not a file name" in refusal(read, "a\0b.exr")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_one_may_not_read_is_refused(tmp_path):
    write(tmp_path / "x.pfm", PICTURE)
    (tmp_path / "x.pfm").chmod(0)
    assert "Permission denied" in refusal(read, tmp_path / "x.pfm")


def test_a_wrong_suffix_is_a_note(tmp_path):
    write(tmp_path / "x.png", CODE)
    (tmp_path / "x.png").rename(tmp_path / "x.exr")
    image = read(tmp_path / "x.exr")
    assert image.domain == "srgb"
    assert image.notes == (".exr is the suffix of OpenEXR, but the file holds PNG",)


def test_an_unknown_suffix_is_read_by_content(tmp_path):
    write(tmp_path / "x.pfm", PICTURE)
    (tmp_path / "x.pfm").rename(tmp_path / "x.dat")
    assert torch.equal(read(tmp_path / "x.dat").pixels, PICTURE.pixels)


@pytest.mark.parametrize("suffix", [f.suffixes[0] for f in FORMATS if f.writes])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    write(path, PICTURE if path.suffix == ".pfm" else CODE)
    whole = path.read_bytes()
    for length in (len(whole) - 3, len(whole) * 2 // 3, len(whole) // 3, 5):
        path.write_bytes(whole[:length])
        refusal(read, path)


def test_names_with_spaces_and_other_letters_work(tmp_path):
    for suffix in (".exr", ".hdr", ".tif", ".png"):
        path = tmp_path / f"Käse und Öl 東京{suffix}"
        write(path, PICTURE if path.suffix == ".pfm" else CODE)
        assert read(path).size == (9, 11)


@pytest.mark.parametrize("command", ["info", "encode", "tonemap", "merge", "score"])
def test_a_layer_that_a_format_cannot_have_is_one_line_with_a_way_out(command, tmp_path, capsys):
    for suffix in (".png", ".hdr", ".tif", ".bmp"):
        path, out = tmp_path / f"a{suffix}", tmp_path / "out.exr"
        if suffix == ".bmp":
            PILImage.new("RGB", (16, 16)).save(path)
        else:
            write(path, CODE)
        rest = {
            "encode": (out, "--decode"),
            "tonemap": (out.with_suffix(".png"),),
            "score": (path, "-m", "psnr"),
        }
        more = rest.get(command, ()) if command != "merge" else (path.with_name(f"b{suffix}"), "-o", out)
        if command == "merge":
            path.with_name(f"b{suffix}").write_bytes(path.read_bytes()[:-1] + b"0")
            more = (*more, "--times", "1,2")
        arguments = [str(a) for a in (command, path, *more, "--layer", "beauty")]
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code
        said = capsys.readouterr()
        assert "has no layer to choose; leave --layer out" in said.err + said.out, (suffix, said)


def test_options_a_format_does_not_have_are_refused(tmp_path):
    write(tmp_path / "x.png", CODE)
    why = refusal(read, tmp_path / "x.png", layer="beauty")
    assert why.endswith("x.png: PNG has no layer to choose; leave --layer out")
    write(tmp_path / "x.tif", CODE)
    assert "no view to choose; leave --view out, or choose from part" in refusal(
        read, tmp_path / "x.tif", view="left"
    )
    why = refusal(write, tmp_path / "y.png", CODE, quality=5)
    assert "no option quality; leave quality out, or choose from " in why
    assert "path" not in why.partition("from ")[2]
    assert "choose one of these suffixes" in refusal(write, tmp_path / "y.bmp", CODE)
    assert "unknown EXR compression" in refusal(write, tmp_path / "y.exr", CODE, compression="lzw")


def test_light_is_not_written_as_code(tmp_path):
    for name in ("x.png", "x.jpg"):
        with pytest.raises(DomainError, match="encode the image first"):
            write(tmp_path / name, PICTURE)
    with pytest.raises(DomainError):
        write(tmp_path / "x.tif", PICTURE, depth="uint16")
    assert not list(tmp_path.iterdir())


def test_nan_goes_only_where_it_fits(tmp_path):
    bad = CODE.with_pixels(torch.full((1, 3, 9, 11), torch.nan))
    for name in ("x.png", "x.jpg", "x.hdr"):
        with pytest.raises(PixelError, match="NaN"):
            write(tmp_path / name, bad)
    for name in ("x.exr", "x.pfm", "x.tif"):
        light = bad.with_pixels(bad.pixels, domain="nits")
        write(
            tmp_path / name,
            light if name == "x.pfm" else bad,
            **({"depth": "float"} if name == "x.tif" else {}),
        )
        assert read(tmp_path / name).pixels.isnan().all()


def test_atomic_leaves_nothing_behind_when_the_work_fails(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")

    def fail(fault):
        with atomic(target) as part:
            part.write_text("half a row")
            raise fault

    for fault in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(fault):
            fail(fault)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_atomic_keeps_rights_and_follows_links(tmp_path):
    target, link = tmp_path / "real.txt", tmp_path / "link.txt"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic(link, flush=True) as part:
        assert part.parent == tmp_path
        assert part.suffix == ".txt"
        part.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_atomic_refuses_in_one_line(tmp_path):
    def use(path):
        with atomic(path) as part:
            part.write_text("x")

    assert "create it first" in refusal(use, tmp_path / "none" / "x.csv")
    assert "it is a folder" in refusal(use, tmp_path)
    if sys.platform != "win32":
        with atomic("/dev/null") as part:
            part.write_text("gone")


FULL_DISK = """
import resource, signal, sys, torch
from hdrq.errors import FileError
from hdrq.io import write
from hdrq.records import Image
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
image = Image(torch.rand(1, 3, 128, 128), "srgb")
for name in sys.argv[2:]:
    try:
        write(f"{sys.argv[1]}/{name}", Image(image.pixels) if name == "x.pfm" else image)
        print("written", name)
    except FileError as error:
        print("refused", str(error).count(chr(10)), ".hdrq-" in str(error), name)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file size to stand for a full disk")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    names = ["x" + f.suffixes[0] for f in FORMATS if f.writes]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), *names], capture_output=True, text=True
    )
    assert done.stdout.split("\n")[:-1] == [f"refused 0 False {name}" for name in names], done.stderr
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_an_existing_file_survives_a_refused_write(tmp_path):
    write(tmp_path / "x.exr", PICTURE)
    with pytest.raises(PixelError):
        write(tmp_path / "x.exr", PICTURE.with_pixels(PICTURE.pixels * 1e6), depth="half")
    assert torch.equal(read(tmp_path / "x.exr").pixels, PICTURE.pixels)


def test_memory_is_asked_before_it_is_taken(tmp_path, monkeypatch):
    write(tmp_path / "x.exr", Image(torch.zeros(1, 3, 100, 200)))
    monkeypatch.setenv("HDRQ_MEMORY_GB", "0.000001")
    assert free_bytes() <= 1000  # the file itself has more
    with pytest.raises(TooLarge, match="GB of memory are free"):
        read(tmp_path / "x.exr")
    monkeypatch.setenv("HDRQ_MEMORY_GB", "0.0001")
    with pytest.raises(TooLarge, match="200 x 100 pixels"):
        read(tmp_path / "x.exr")
    monkeypatch.delenv("HDRQ_MEMORY_GB")
    with pytest.raises(FileError, match="too many"):
        afford(tmp_path / "x.exr", 100_000, 100_000, 1, least=1e9)


def test_the_machine_is_not_asked_for_the_memory_of_small_images(monkeypatch):
    """Reading its files of limits takes longer than the scores of such images."""
    monkeypatch.delenv("HDRQ_MEMORY_GB", raising=False)
    monkeypatch.setattr("hdrq.io.memory.free_bytes", lambda: 5)
    assert free_for(2**20, 0.8) >= 2**20 / 0.8
    assert free_for(2**20 + 1, 0.8) == 5
    monkeypatch.setenv("HDRQ_MEMORY_GB", "1")
    assert free_for(2**20, 0.8) == 5


def test_rejected_usage_is_no_file_error(tmp_path):
    write(tmp_path / "x.exr", Image(PICTURE.pixels, "nits", BT2020))
    with pytest.raises(UsageError, match="no image in layer 'x'"):
        read(tmp_path / "x.exr", layer="x")


CROWD = """
import sys, threading, time, torch
from hdrq.cli._quiet import quiet_codecs
from hdrq.errors import FileError
from hdrq.io import read, write
from hdrq.records import Image
good, bad = sys.argv[1] + "/good.exr", sys.argv[1] + "/bad.exr"
write(good, Image(torch.ones(1, 3, 40, 40)))
whole = bytearray(open(good, "rb").read())
whole[-60:] = bytes(60)
open(bad, "wb").write(whole)
outcomes = []
def work():
    for i in range(60):
        try:
            outcomes.append(read((good, bad)[i % 2]).size)
        except FileError:
            outcomes.append(None)
threads = [threading.Thread(target=work) for _ in range(4)]
said = 0
with quiet_codecs():
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        print("out")
        sys.stderr.write("err\\n")
        said += 1
        time.sleep(0.002)
assert outcomes.count(None) == outcomes.count((40, 40)) == 120, outcomes
print(said)
"""


def test_many_threads_read_while_others_print(tmp_path):
    done = subprocess.run([sys.executable, "-c", CROWD, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    *out, said = done.stdout.split()
    assert out == ["out"] * int(said)
    assert done.stderr.split() == ["err"] * int(said)


@pytest.mark.parametrize(
    ("suffix", "option", "value", "says"),
    [
        *(("png", "ceiling", v, "ceiling must be positive and below 1,000,000") for v in (-1, 0, 10**30)),
        *(("tif", "ceiling", v, "ceiling must be positive and below 1,000,000") for v in (-1, 0, 1e6)),
        *(("png", "ceiling", float(v), "ceiling must be a finite number") for v in ("nan", "inf", "-inf")),
        ("png", "ceiling", "x", "ceiling must be a finite number, not 'x'"),
        ("png", "depth", 0, "depth must be text or None, not 0"),
        *(("png", "display", v, "display must be a list of a finite number") for v in (5, "x", ("a", 1))),
        ("png", "display", (100,), "display is the peak and the black"),
        ("png", "display", (100, -1), "black < peak"),
        *(("jpg", "quality", v, "quality must be a whole number") for v in (True, 1.5, "x", float("nan"))),
        *(("jpg", "quality", v, "quality is 1 to 100") for v in (0, -1, 101)),
        *(("avif", "bits", v, "8, 10 or 12 bits") for v in (0, -1, 9)),
        *(("jxl", "bits", v, "8 to 16 bits") for v in (0, -1, 17)),
        ("exr", "extra", 5, "extra must be a dict or None"),
        ("exr", "provenance", 5, "provenance must be a dict or None"),
    ],
)
def test_values_that_no_file_can_hold_are_refused(tmp_path, suffix, option, value, says):
    """Before: a ceiling of -1 or infinity wrote a black image, and texts were errors of Python."""
    image = Image(
        torch.rand(1, 3, 8, 8), "linear" if suffix == "exr" else "pq" if suffix in ("avif", "jxl") else "srgb"
    )
    with pytest.raises(UsageError, match=says):
        write(tmp_path / f"a.{suffix}", image, **{option: value})
    assert not list(tmp_path.iterdir())


def test_a_link_to_nothing_in_a_folder_is_said(tmp_path, run):
    """Before: it was left out without a word."""
    write(tmp_path / "a.png", Image(torch.rand(1, 3, 100, 100), "srgb", bits=8))
    (tmp_path / "b.png").symlink_to("nowhere")
    code, out, err = run("score", tmp_path, "-m", "niqe", "--format", "csv")
    assert (code, out.count("ok")) == (1, 1)
    assert "b.png does not exist" in err

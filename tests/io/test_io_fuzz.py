"""Damaged files of every format: each is read or refused in one line, within a memory bound, without a sound.

The mutations run in a process of their own, so that a crash or noise of a C library is seen:
`python tests/io/test_io_fuzz.py FIRST COUNT [SUFFIX]` runs any stretch of them by hand.
"""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

COUNT = 1000
MEMORY = 3 << 30  # bytes of address space beyond what the imports took
SLOW = 20.0  # seconds one damaged file may keep the processor busy
EXTREMES = (0, 1, 255, 32767, 65535, 100_000, 2**31 - 1, 2**31, 2**32 - 1, 1 << 30)


def seeds() -> dict[str, bytes]:
    """Small files of every format and of most ways to store pixels in it."""
    import imagecodecs as ic
    import OpenEXR
    import tifffile
    import torch
    from PIL import Image as Pillow

    from hdrq.io import write
    from hdrq.records import BT2020, XYZ, Image

    chance = np.random.default_rng(0)
    rows = np.clip(np.cumsum(chance.normal(size=(24, 20, 3)), 1) * 0.1 + 0.5, 0, 1).astype(np.float32)
    u8, u16, half = (rows * 255).astype(np.uint8), (rows * 65535).astype(np.uint16), rows.astype(np.float16)
    tensor = torch.from_numpy(rows.transpose(2, 0, 1).copy())[None]
    folder = Path(tempfile.mkdtemp())

    def exr(name, planes, kind=OpenEXR.scanlineimage, side=0, **header):
        if side:
            header["tiles"] = OpenEXR.TileDescription()
            header["tiles"].xSize = header["tiles"].ySize = side
        OpenEXR.File({"type": kind, **header}, planes).write(str(folder / name))

    for number in range(14):
        comp = OpenEXR.Compression(number)
        planes = {
            c: np.ascontiguousarray((rows if number % 2 else half)[..., i]) for i, c in enumerate("RGB")
        }
        exr(f"{number}.exr", planes, compression=comp)
        exr(f"{number}tiles.exr", planes, OpenEXR.tiledimage, 8, compression=comp)
    deep = {c: np.empty((6, 7), object) for c in "RGBAZ"}
    for at in np.ndindex(6, 7):
        for plane in deep.values():
            plane[at] = np.full(sum(at) % 3, rows[(*at, 0)])
    exr("deep.exr", deep, OpenEXR.deepscanline, compression=OpenEXR.ZIPS_COMPRESSION)
    exr("deeptiles.exr", deep, OpenEXR.deeptile, 4, compression=OpenEXR.ZIPS_COMPRESSION)
    parts = [
        OpenEXR.Part({"name": n, "type": OpenEXR.scanlineimage}, {"Y": rows[..., 0].copy()}, n) for n in "ab"
    ]
    OpenEXR.File(parts).write(str(folder / "parts.exr"))

    write(folder / "a.hdr", Image(tensor * 9))
    write(folder / "xyz.hdr", Image(tensor * 9, "nits", XYZ))
    flat = np.dstack([u8 // 2 + 1, np.full((24, 20), 130, np.uint8)]).tobytes()
    head = b"#?RADIANCE\nEXPOSURE=2\nFORMAT=32-bit_rle_rgbe\n\n"
    (folder / "flat.hdr").write_bytes(head + b"-Y 24 +X 20\n" + flat)
    (folder / "old.hdr").write_bytes(head + b"+X 24 +Y 20\n" + bytes((9, 8, 7, 130, 1, 1, 1, 19)) * 24)
    write(folder / "a.pfm", Image(tensor * 9))
    write(folder / "8.png", Image(tensor, "srgb"), depth="uint8")
    write(folder / "16.png", Image(tensor, "pq", BT2020))
    write(folder / "pu.png", Image(tensor * 2, "pu21"), ceiling=2.4)
    Pillow.fromarray(u8).convert("P").save(folder / "palette.png")
    for depth in ("uint8", "uint16", "half", "float"):
        write(folder / f"{depth}.tif", Image(tensor, "srgb"), depth=depth)
    for compression in (None, "lzw", "packbits", "jpeg", "zstd"):
        path = folder / f"{compression}.tif"
        tifffile.imwrite(path, u8, compression=compression, photometric="rgb", tile=(16, 16))
    write(folder / "a.jpg", Image(tensor, "srgb"))
    Pillow.fromarray(u8).save(folder / "progressive.jpg", progressive=True)
    light = np.dstack([np.kron(rows, np.ones((2, 2, 1))) * 4, np.ones((48, 40))]).astype(np.float16)
    (folder / "ultra.jpg").write_bytes(ic.ultrahdr_encode(light))
    Pillow.fromarray(u8).save(folder / "a.bmp")
    Pillow.fromarray(u8).convert("P").save(folder / "palette.bmp")
    (folder / "8.avif").write_bytes(ic.avif_encode(u8, level=90, speed=9))
    avif = ic.avif_encode(u16 >> 6, level=90, speed=9, bitspersample=10, primaries=9, transfer=16, matrix=0)
    (folder / "10.avif").write_bytes(avif)
    for name, values in (("8", u8), ("16", u16), ("half", half), ("float", rows)):
        (folder / f"{name}.jxl").write_bytes(
            ic.jpegxl_encode(values, lossless=True, usecontainer=name != "8")
        )
        (folder / f"{name}.jxr").write_bytes(ic.jpegxr_encode(values, level=1.0))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def checked(png: bytearray) -> None:
    """Right checksums, so that damage gets past them."""
    at = 8
    while at + 12 <= len(png):
        (size,) = struct.unpack_from(">I", png, at)
        if at + 12 + size > len(png):
            return
        struct.pack_into(">I", png, at + 8 + size, zlib.crc32(bytes(png[at + 4 : at + 8 + size])))
        at += 12 + size


def absurd(name: str, whole: bytes) -> bytes:
    """The file claiming 100,000 x 100,000 pixels (a JPEG: 65,000 x 65,000)."""
    data, n = bytearray(whole), 100_000
    suffix = name.rpartition(".")[2]
    if suffix == "exr":
        for window in (b"dataWindow\0box2i\0", b"displayWindow\0box2i\0"):
            at = data.index(window) + len(window) + 4
            struct.pack_into("<4i", data, at, 0, 0, n - 1, n - 1)
    elif suffix == "hdr":
        data = bytearray(
            whole.replace(b"20\n", b"100000\n").replace(b"Y 24", b"Y 100000").replace(b"X 24", b"X 100000")
        )
    elif suffix == "pfm":
        data = bytearray(whole.replace(b"20 24", b"100000 100000"))
    elif suffix == "png":
        struct.pack_into(">II", data, 16, n, n)
        checked(data)
    elif suffix == "bmp":
        struct.pack_into("<ii", data, 18, n, n)
    elif suffix == "jpg":
        at = max(whole.find(b"\xff\xc0"), whole.find(b"\xff\xc2"))
        struct.pack_into(">HH", data, at + 5, 65000, 65000)
    elif suffix == "tif":
        (start,) = struct.unpack_from("<I", data, 4)
        for i in range(struct.unpack_from("<H", data, start)[0]):
            if struct.unpack_from("<H", data, start + 2 + 12 * i)[0] in (256, 257, 278):
                struct.pack_into("<HII", data, start + 4 + 12 * i, 4, 1, n)
    elif suffix == "avif":
        struct.pack_into(">II", data, whole.index(b"ispe") + 8, n, n)
    elif suffix == "jxl":  # a bare stream whose size is two numbers of 30 bits
        bits = 0 | 3 << 1 | (n - 1) << 3 | 0 << 33 | 3 << 36 | (n - 1) << 38 | 1 << 68
        data = bytearray(b"\xff\x0a" + bits.to_bytes(9, "little") + bytes(30))
    elif suffix == "jxr":
        (start,) = struct.unpack_from("<I", data, 4)
        for i in range(struct.unpack_from("<H", data, start)[0]):
            if struct.unpack_from("<H", data, start + 2 + 12 * i)[0] in (0xBC80, 0xBC81):
                struct.pack_into("<HII", data, start + 4 + 12 * i, 4, 1, n)
    return bytes(data)


def mutate(chance: random.Random, name: str, whole: bytes) -> bytes:
    """Cut off, bits flipped, bytes lost, added or replaced, or an extreme number put somewhere in the header."""
    data, kind = bytearray(whole), chance.randrange(7)
    at = chance.randrange(len(data))
    noise = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 40)))
    if kind == 0:
        return bytes(data[:at])
    if kind == 1:
        for _ in range(chance.choice((1, 1, 1, 4, 20))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == 2:
        size, at = chance.choice((2, 4)), chance.randrange(min(len(data) - 4, chance.choice((64, 400, 1000))))
        value = chance.choice(EXTREMES) % (1 << 8 * size)
        data[at : at + size] = value.to_bytes(size, chance.choice(("little", "big")))
    elif kind == 3:
        data[at : at + len(noise)] = noise
    elif kind == 4:
        del data[at : at + len(noise)]
    elif kind == 5:
        data[at:at] = noise
    else:
        return absurd(name, whole)
    if name.endswith("png") and chance.random() < 0.6:
        checked(data)
    return bytes(data)


def run(first: int, count: int, suffix: str = "") -> dict[str, object]:
    """Read `count` damaged files; what came of them, and every breach of promise."""
    from hdrq.errors import HdrqError
    from hdrq.io import read

    files = {name: data for name, data in seeds().items() if name.endswith(suffix)}
    for name, data in files.items():  # whole, they are read; and what codecs import is in memory
        _attempt(read, Path(tempfile.mkdtemp()) / name, data)
    _limit()
    tally: dict[str, int] = {}
    breaches = []
    folder = Path(tempfile.mkdtemp())
    for seed in range(first, first + count):
        chance = random.Random(seed)
        name = sorted(files)[seed % len(files)]
        print(f"{seed} {name}", file=sys.stderr, flush=True) if sys.argv[-1] == "-v" else None
        start = time.process_time()
        try:
            _attempt(read, folder / f"x.{name.rpartition('.')[2]}", mutate(chance, name, files[name]))
            outcome = "read"
        except HdrqError as error:
            outcome = "refused"
            if "\n" in str(error) or not 10 < len(str(error)) < 500:
                breaches.append(f"{seed} {name}: {error!r}")
        except BaseException as error:
            outcome = "breach"
            breaches.append(f"{seed} {name}: {error!r}")
        if time.process_time() - start > SLOW:
            breaches.append(f"{seed} {name}: slow")
        tally[outcome] = tally.get(outcome, 0) + 1
    return {"tally": tally, "breaches": breaches}


def _attempt(read, path: Path, data: bytes) -> None:
    path.write_bytes(data)
    read(path)


def _limit() -> None:
    """A bound on memory, where the system has one."""
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY,) * 2)
    except (ImportError, OSError):
        pass


def test_a_thousand_damaged_files_are_read_or_refused():
    command = [sys.executable, __file__, "0", str(COUNT)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=300)
    assert done.returncode == 0, f"crashed with {done.returncode}: {done.stderr[-2000:]}"
    assert done.stderr == ""
    report = json.loads(done.stdout)  # any other word on stdout would not parse
    assert report["breaches"] == []
    assert sum(report["tally"].values()) == COUNT
    assert report["tally"]["read"] > 50
    assert report["tally"]["refused"] > 400


@pytest.fixture(scope="module")
def small_files():
    return seeds()


def test_absurd_claims_are_refused_before_memory_is_taken(small_files, tmp_path):
    from hdrq.errors import FileError, TooLarge
    from hdrq.io import read

    for name, data in small_files.items():
        path = tmp_path / f"x.{name.rpartition('.')[2]}"
        path.write_bytes(absurd(name, data))
        with pytest.raises((FileError, TooLarge)) as caught:
            read(path)
        assert "\n" not in str(caught.value), name


if __name__ == "__main__":
    from hdrq.cli._quiet import quiet_codecs

    with quiet_codecs():  # as the command does: the decoders' own words are not wanted
        outcome = run(int(sys.argv[1]), int(sys.argv[2]), *[a for a in sys.argv[3:] if a != "-v"])
    print(json.dumps(outcome))

"""Reading and writing from Python change nothing of the process: descriptors, streams, memory settings, loggers, seeds."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = r"""
import json, logging, os, random, sys, warnings
import numpy as np, torch

def allocator():
    # whether glibc still maps a large block by itself: mallopt(M_MMAP_MAX) would end that. The block is larger than any
    # hole that freed pictures may have left in the heap, and none of it is touched
    import ctypes
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return None
    class Info(ctypes.Structure):
        names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
        _fields_ = [(n, ctypes.c_size_t) for n in names.split()]
    libc.mallinfo2.restype = Info
    before = libc.mallinfo2().hblks
    block = np.empty(4 << 30, np.uint8)
    mapped = libc.mallinfo2().hblks > before
    del block
    return mapped

def state():
    old = os.umask(0); os.umask(old)
    descriptors = {}
    for n in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else "012":
        try:
            found = os.fstat(int(n)); descriptors[n] = (found.st_dev, found.st_ino)
        except OSError:
            pass
    root = logging.getLogger()
    loggers = {n: (l.level, len(l.handlers), l.disabled, l.propagate) for n, l in root.manager.loggerDict.items()
               if isinstance(l, logging.Logger)}
    backend = sys.modules["matplotlib"].get_backend(auto_select=False) if "matplotlib" in sys.modules else None
    return {
        "umask": old,
        "descriptors": descriptors,
        "streams": (id(sys.stdout), id(sys.stderr), id(sys.stdin)),
        "root": (root.level, len(root.handlers)),
        "loggers": loggers,
        "warnings": [str(f) for f in warnings.filters],
        "seeds": (hash(random.getstate()), np.random.get_state()[1].tolist()[:8], torch.initial_seed()),
        "generator": torch.get_rng_state().sum().item(),
        "threads": torch.get_num_threads(),
        "dtype": str(torch.get_default_dtype()),
        "grad": torch.is_grad_enabled(),
        "backend": backend,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "allocator": allocator(),
    }

import OpenEXR, tifffile, imagecodecs, imageio.v3, PIL.Image  # what they do on import is theirs
try:
    import av
except ImportError:  # the extra for clips
    pass
PIL.Image.init()
before = state()
import hdrq, hdrq.io, hdrq.encoding.file_info
from hdrq.io import read, write, FORMATS
from hdrq.errors import HdrqError
from hdrq.records import Image
home = sys.argv[1]
code, light = Image(torch.full((1, 3, 60, 80), 0.5), "pq", bits=16), Image(torch.full((1, 3, 1500, 2000), 2.0))
for suffix in (".exr", ".hdr", ".pfm", ".tif", ".png", ".avif", ".jxl", ".jpg"):
    path = f"{home}/x{suffix}"
    image = light if suffix in (".exr", ".hdr", ".pfm", ".tif") else code
    image = Image(code.pixels, "srgb") if suffix == ".jpg" else image
    write(path, image)
    read(path)
    hdrq.encoding.file_info.describe(path)
    whole = open(path, "rb").read()
    open(path, "wb").write(whole[: len(whole) * 2 // 3])
    try:
        read(path)
    except HdrqError:
        pass
for name in sys.argv[2:]:
    try:
        read(name)
    except HdrqError:
        pass
after = state()
changed = {k: (before[k], after[k]) for k in before if before[k] != after[k] and k not in ("loggers",)}
for name, there in before["loggers"].items():
    if after["loggers"].get(name) != there:
        changed[name] = (there, after["loggers"].get(name))
new = [n for n, (level, handlers, _, _) in after["loggers"].items() if n not in before["loggers"] and handlers]
print(json.dumps([changed, new]))
"""


def run(tmp_path, *files: str) -> tuple[dict, list, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1500:]
    changed, new = json.loads(done.stdout.splitlines()[-1])
    return changed, new, done.stderr


def test_reading_and_writing_change_nothing_of_the_process(tmp_path, shared):
    cases = sorted((shared / "cases").glob("*.*")) if shared.is_dir() else []
    changed, new, _ = run(tmp_path, *(str(c) for c in cases if c.suffix != ".csv"))
    assert changed == {}
    assert new == []


def test_new_files_have_the_permissions_that_the_umask_leaves(tmp_path):
    program = (
        "import os, sys, torch; os.umask(0o027)\n"
        "from hdrq.io import write; from hdrq.records import Image\n"
        "write(sys.argv[1], Image(torch.ones(1, 3, 8, 8)))\n"
        "print(oct(os.stat(sys.argv[1]).st_mode & 0o777), oct(os.umask(0o022)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.exr")], capture_output=True, text=True
    )
    assert done.stdout.split() == ["0o640", "0o27"] or sys.platform == "win32"


def test_a_large_read_leaves_the_allocator_alone(tmp_path):
    program = (
        "import os; os.environ['HDRQ_MEMORY_GB'] = '1'\n"
        "from hdrq import process; from hdrq.io.memory import free_for\n"
        "from unittest.mock import Mock\n"
        "libc = Mock()\n"
        "process._glibc = lambda own=(): libc\n"
        "free_for(10**9, 1 / 16, 256 << 20)\n"
        "print(len(libc.mock_calls))\n"
        "process.keep_freed_memory(); free_for(10**9, 1 / 16, 256 << 20)\n"
        "print(libc.malloc_trim.called)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["0", "True"], done.stderr

"""Memory that is freed is kept for the next picture, by the command and where the C library can be told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hdrq.process import _glibc

FAULTS = """
import resource, numpy as np
from hdrq import process

def faults(megabytes=80):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(megabytes * 125_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

process.keep_freed_memory()
faults()
kept = faults()
process.return_freed_memory()
faults(16)
print(kept, faults(), faults(16))
"""


OWN = FAULTS.replace(
    "process.keep_freed_memory()", "process.keep_freed_memory(own=['MALLOC_TRIM_THRESHOLD_'])"
)


def counted(program: str = FAULTS, **environment: str) -> tuple[int, int, int]:
    """Pages the system cleared for ten arrays of 80 MB, with what is freed kept, and given back; then of 16 MB."""
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, given_back, small = map(int, told.stdout.split())
    return kept, given_back, small


@pytest.mark.skipif(_glibc() is None, reason="the C library here is not glibc, or has been told what to do")
def test_memory_is_kept_until_it_is_given_back():
    kept, given_back, small = counted()
    assert kept * 10 < given_back
    assert small * 20 < given_back


@pytest.mark.skipif(_glibc() is None, reason="the C library here is not glibc, or has been told what to do")
def test_what_the_environment_says_of_memory_stands():
    kept, given_back, _ = counted(MALLOC_MMAP_THRESHOLD_="1000000")
    assert kept * 2 > given_back


@pytest.mark.skipif(_glibc() is None, reason="the C library here is not glibc, or has been told what to do")
def test_what_the_program_itself_put_into_the_environment_does_not_count():
    kept, given_back, _ = counted(OWN, MALLOC_TRIM_THRESHOLD_="65536")
    assert kept * 10 < given_back
    kept, given_back, _ = counted(MALLOC_TRIM_THRESHOLD_="65536")
    assert kept * 2 > given_back

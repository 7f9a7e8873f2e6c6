"""Threads of numpy's linear algebra: one, so that its results do not depend on the number of cores.

OpenBLAS divides even the small systems of hdrq (a response curve, a homography) among all cores. That changes the last
digits of a result with the number of threads, and the threads wait for each other longer than they compute. The number
of threads is read when numpy is first imported.
"""

from __future__ import annotations

import os


def one_thread() -> None:
    """Let numpy compute with one thread, unless the environment says otherwise. For a program, not a library."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

"""Background threads of generators that nobody finishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from hdrq.work import background_threads


def numbers() -> Iterator[ThreadPoolExecutor]:
    with background_threads(1, "hdrq-tried") as pool:
        while True:
            yield pool


def test_a_generator_that_is_closed_in_its_own_thread_ends() -> None:
    """The garbage collector may run there; a thread that waits for itself is an error."""
    unfinished = numbers()
    closing = next(unfinished).submit(unfinished.close)
    assert closing.exception(timeout=60) is None
    deadline = time.monotonic() + 60
    while any(t.name.startswith("hdrq-tried") for t in threading.enumerate()):
        assert time.monotonic() < deadline


def test_the_block_waits_for_what_has_begun_and_drops_the_rest() -> None:
    begun, done = threading.Event(), []

    def slow() -> None:
        begun.set()
        time.sleep(0.05)
        done.append(1)

    with background_threads(1, "hdrq-tried") as pool:
        waiting = [pool.submit(slow) for _ in range(3)]
        begun.wait()
    assert done == [1]
    assert [w.cancelled() for w in waiting] == [False, True, True]

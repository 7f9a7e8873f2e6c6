"""For the command only: a request to end (SIGTERM, SIGHUP) ends it as Ctrl-C does, so that what it began is cleared up.

By default these signals end a process at once: temporary files stay, and jobs of a queueing system go on. A batch
system sends SIGTERM at the end of a job's time, `kill` and `timeout` send it too, and SIGHUP comes when a terminal is closed.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGTERM", "SIGHUP")
# seconds within which a second signal is the same request: timeout(1) signals a process, and then its group
SAME = 1.0


@contextmanager
def ended_by_signals() -> Iterator[list[int]]:
    """Within this block the signals raise KeyboardInterrupt; yields a list to which their numbers are appended.

    A signal that the environment ignores (`nohup`) or that has a handler stays as it is, and all of them do in a thread
    that is not the main one, where Python cannot handle signals.
    """
    received: list[int] = []
    last = -SAME

    def end(number: int, frame: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= SAME:
            last = now
            received.append(number)
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    handled = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield received
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)

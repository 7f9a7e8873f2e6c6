"""What a command imports is left out of garbage collection; what it leaves behind later is collected."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from hdrq import process

class Ring:
    def __init__(self): self.me = self

def collected():
    ring = weakref.ref(Ring())
    gc.collect()
    return ring() is None

before = list(gc.callbacks)
process.spare_imports()
process.spare_imports()
print(len(gc.callbacks) - len(before), [collected() for _ in range(5)], gc.callbacks == before, gc.get_freeze_count() > 1000)
"""


def test_only_what_exists_at_the_first_three_full_collections_is_left_out() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 [False, False, False, True, True] True True"


def test_a_command_leaves_its_imports_out_and_the_library_does_not() -> None:
    program = (
        "import gc, sys, contextlib, hdrq, hdrq.cli.app as app\n"
        "hdrq.metric('psnr'); print(gc.get_freeze_count())\n"
        "with contextlib.suppress(SystemExit): app.main(['list', 'rules'])\n"
        "gc.collect(); print(gc.get_freeze_count() > 10_000)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "0"
    assert done.stdout.split()[-1] == "True"

"""Exit code of --dry-run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hdrq.errors import HdrqError, UsageError


@contextmanager
def faults_of_a_dry_run() -> Iterator[None]:
    """Within this block, whatever would stop the run is an error of the request: exit code 2, also for a missing file."""
    try:
        yield
    except UsageError:
        raise
    except HdrqError as error:
        raise UsageError(str(error)) from error

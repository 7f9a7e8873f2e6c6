"""--cluster: how the work of a command is divided among processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import hdrq
from hdrq.cli.app import say

if TYPE_CHECKING:
    from hdrq.work import Spread


@contextmanager
def spread_of(options: dict[str, Any]) -> Iterator[Spread | None]:
    """The `Spread` that --cluster names; None without it, in which case Dask is not imported."""
    if not options.get("cluster"):
        yield None
        return
    with hdrq.connect(options["cluster"], say, options.get("device") or "auto") as cluster:
        yield cluster

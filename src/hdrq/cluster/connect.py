"""Where the workers are: processes of this machine, a running scheduler, or jobs of a queueing system."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hdrq.arguments import checked
from hdrq.cluster.local import LOCAL, Processes, local_workers
from hdrq.cluster.local_process import LOGGERS
from hdrq.cluster.queued import queued_workers
from hdrq.cluster.spread import Cluster
from hdrq.cluster.workers import ClusterError
from hdrq.errors import MissingPart, UsageError

# seconds that a scheduler has to answer
ANSWER = 10.0
# seconds without any worker, after which a run ends
PATIENCE = 60.0
# the same where workers wait in a queue
QUEUED = 7 * 86400.0


@checked
@contextmanager
def connect(
    where: str,
    say: Callable[[str], object] = lambda line: None,
    device: str = "auto",
    prepared: Processes | None = None,
) -> Iterator[Cluster]:
    """The workers of `local`, `local:N`, `tcp://HOST:PORT` (or tls://) or FILE.toml, until the block ends.

    say       receives lines for the user: the dashboard's address, waiting, skipped workers
    device    that the work asks for; processes of this machine have a GPU each if there are any and it is not "cpu"
    prepared  processes of this machine whose start has begun (`hdrq.cluster.api.prepare`)
    raises    UsageError for another text, MissingPart without dask, ClusterError where no scheduler or worker answers
    """
    distributed = _distributed()
    # cleared when the workers have ended
    with ExitStack() as clearing, ExitStack() as stack:
        stack.enter_context(_quiet())
        # first: workers to wait for
        first, patience, wait = 1, PATIENCE, PATIENCE
        if found := LOCAL.fullmatch(where):
            scheduler, first = stack.enter_context(local_workers(int(found[1] or 0), device, prepared))
        elif re.match(r"(tcp|tls)://", where):
            scheduler = where
        elif where.endswith(".toml"):
            scheduler = stack.enter_context(queued_workers(Path(where), say))
            patience, wait = QUEUED, QUEUED
        else:
            raise UsageError(f"--cluster is local, local:N, tcp://HOST:PORT or FILE.toml, not '{where}'")
        try:
            client = stack.enter_context(distributed.Client(scheduler, timeout=ANSWER, set_as_default=False))
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(f"no scheduler answers at {where}; start one: dask scheduler") from error
        if address := _dashboard(client):
            say(f"hdrq: dashboard: {address}")
        try:
            client.wait_for_workers(first, timeout=wait)
        except TimeoutError as error:
            raise ClusterError(
                f"no worker came to {where} in {wait:.0f} seconds; start some: dask worker {client.scheduler.address}"
            ) from error
        cluster = Cluster(client, patience, say)
        clearing.callback(cluster.remove_temporary_files)
        yield cluster


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingPart("--cluster needs dask and distributed; pip install 'hdrq[cluster]'") from error
    return distributed


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the log of distributed, which reports every worker that connects or leaves."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _dashboard(client: Any) -> str:
    """Address of the scheduler's web page; "" where there is none, as without bokeh on the scheduler's machine."""
    from urllib.request import ProxyHandler, build_opener

    try:
        address = str(client.dashboard_link or "")
        if address.startswith(("http://", "https://")):
            # its list of plots; to open the page itself would start a session, which is redrawn for as long as the run
            listed = address.rpartition("/")[0] + "/individual-plots.json"
            with build_opener(ProxyHandler({})).open(listed, timeout=2) as answer:
                return address if len(answer.read(8)) > 2 else ""
    except (KeyError, AttributeError, OSError, ValueError):
        pass
    return ""

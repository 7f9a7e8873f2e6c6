"""The workers of a cluster: who is there, and whether each can do the work of this process."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hdrq.cluster.worker import installation_report
from hdrq.errors import HdrqError, UsageError
from hdrq.work import Needs

# seconds between two checks of the workers
REFRESH = 0.5


class ClusterError(HdrqError):
    """Workers or a scheduler that are gone."""


class Unfit(UsageError):
    """A worker that would not compute what this process computes."""


class Workers:
    """The workers that were greeted and found fit, by address, with their numbers of threads."""

    def __init__(self, client: Any, needs: Needs, say: Callable[[str], object]) -> None:
        self._client, self._needs, self._say = client, needs, say
        self._refused: set[str] = set()
        # whether a worker was fit
        self._begun = False
        self._paths: tuple[str, ...] = ()
        self._sizes: list[int | None] = []
        self.threads: dict[str, int] = {}

    def refresh(self) -> list[str]:
        """Look who is there; returns the addresses that have left. The first workers must all be fit.

        raises  Unfit for one of the first, ClusterError where the scheduler does not answer
        """
        there = self.present()
        left = [address for address in self.threads if address not in there]
        for address in left:
            del self.threads[address]
        new = [address for address in there if address not in self.threads and address not in self._refused]
        for address, found in self._ask_installed(new).items():
            reason = self._unfit(address, found)
            if reason and not self._begun:
                raise Unfit(reason)
            if reason:
                self._refused.add(address)
                self._say(f"hdrq: {reason}; it is left out")
            else:
                self.threads[address] = int(there[address])
        self._begun = self._begun or bool(self.threads)
        return left

    def present(self) -> dict[str, int]:
        """{address: threads} of all workers of the scheduler."""
        try:
            found: dict[str, int] = self._client.nthreads()
        except Exception as error:
            raise ClusterError(f"the scheduler does not answer any more ({_line(error)})") from error
        return found

    def _ask_installed(self, addresses: Sequence[str]) -> dict[str, Any]:
        """The report of each new worker; workers that leave meanwhile are ignored."""
        if not addresses:
            return {}
        with _tokens(self._needs.folders) as tokens:
            self._paths = (*self._needs.files, *tokens)
            try:
                answers: dict[str, Any] = self._client.run(
                    installation_report(),
                    os.getcwd(),
                    self._paths,
                    workers=list(addresses),
                    on_error="return",
                )
            except Exception:
                # a worker left during the query; the next check finds the others
                return {}
            self._sizes = [_size(path) for path in self._paths]
        return {a: found for a, found in answers.items() if not _has_left(found)}

    def _unfit(self, address: str, found: Any) -> str:
        """Why a worker cannot do the work, or ""."""
        import platform
        from importlib.metadata import version

        import hdrq
        from hdrq.cluster.worker import source_digest

        if isinstance(found, BaseException):
            return f"worker {address} cannot answer ({_line(found)}); it needs the Python and hdrq of this process"
        who = f"worker {address} on {found['host']}"
        python = ".".join(platform.python_version_tuple()[:2])
        if found["python"] != python:
            return f"{who} runs Python {found['python']}, and this process {python}; use one on all machines"
        if found["hdrq"] is None:
            return f"{who} has no hdrq; install hdrq {hdrq.__version__} there"
        if found["hdrq"] != hdrq.__version__:
            return f"{who} has hdrq {found['hdrq']}, and this process {hdrq.__version__}; install one version on all machines"
        if found["source"] != source_digest():
            return f"{who} has hdrq {found['hdrq']} with other source files; install the same on all machines"
        if found["torch"] != version("torch"):
            return f"{who} has torch {found['torch']}, and this process {version('torch')}; install one version on all machines"
        for path, mine, theirs in zip(self._paths, self._sizes, found["sizes"], strict=True):
            if mine is not None and theirs is None:
                return f"{who} does not see {Path(path).absolute()}; all machines need the same file system, or files at s3://"
            if mine != theirs:
                return f"{who} has another file at {Path(path).absolute()}; all machines need the same file system"
        return ""

    def result(self, future: Any, address: str) -> tuple[bytes, float] | None:
        """What a chunk gave; None where its worker died, with the result or before there was one."""
        from distributed import KilledWorker

        while True:
            try:
                found: tuple[bytes, float] = future.result(timeout=REFRESH)
                return found
            except TimeoutError:
                if address not in self.present():
                    return None
            except KilledWorker:
                return None
            except UsageError as error:
                raise UsageError(f"worker {address}: {error}") from error
            except Exception:
                # of the work itself
                if future.status == "error":
                    raise
                if address in self.present():
                    raise
                return None


def _size(path: str) -> int | None:
    if os.path.isdir(path):
        return -1
    return os.path.getsize(path) if os.path.isfile(path) else None


@contextmanager
def _tokens(folders: Sequence[str]) -> Iterator[list[str]]:
    """An empty file in each folder while workers are asked whether they see it."""
    with ExitStack() as stack:
        made = []
        for folder in folders:
            token = Path(folder) / f".hdrq-{secrets.token_hex(8)}"
            token.touch()
            stack.callback(token.unlink, missing_ok=True)
            made.append(str(token))
        yield made


def _has_left(found: Any) -> bool:
    return isinstance(found, OSError)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

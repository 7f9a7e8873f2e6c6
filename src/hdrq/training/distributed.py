"""Training in several processes: `torchrun -m hdrq train ...`. In a single process every method is the identity."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hdrq.errors import HdrqError


class ProcessLost(HdrqError):
    """Another process of the training has ended. rank: of the process that noticed."""

    def __init__(self, text: str, rank: int = 0) -> None:
        super().__init__(text)
        self.rank = rank


@contextmanager
def _raising_process_lost() -> Iterator[None]:
    """Around work of all processes: where one of them is gone, torch's error becomes ProcessLost."""
    try:
        yield
    # of gloo and NCCL, whatever its class
    except RuntimeError as error:
        rank, size = dist.get_rank(), dist.get_world_size()
        raise ProcessLost(
            f"process {rank} of {size} lost another process of the training ({str(error).splitlines()[0][-120:]}); "
            "start all of them again with --resume, and the training goes on from its last checkpoint",
            rank,
        ) from error


class Processes:
    """This process among the processes of one training.

    Each process computes its share of every batch. Outputs are gathered, so that losses over pairs and covariances are
    those of the whole batch, and gradients equal those of one process with the same batch. Dropout masks differ between
    processes, so a network with dropout does not give identical numbers to training in one process.
    """

    def __init__(self) -> None:
        if "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        self.active = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if self.active else 0
        self.size = dist.get_world_size() if self.active else 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and validates."""
        return self.rank == 0

    def average_gradients(self, module: nn.Module) -> None:
        """Replace the gradients by their mean over all processes, in one all-reduce."""
        if not self.active:
            return
        grads = [p.grad for p in module.parameters() if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in grads])
        with _raising_process_lost():
            dist.all_reduce(flat)
        flat /= self.size
        start = 0
        for g in grads:
            g.copy_(flat[start : start + g.numel()].view_as(g))
            start += g.numel()

    def broadcast(self, value: Any) -> Any:
        """The value of the main process, for example whether to stop."""
        if not self.active:
            return value
        held = [value]
        with _raising_process_lost():
            dist.broadcast_object_list(held, src=0)
        return held[0]

    def gather(self, x: Tensor) -> Tensor:
        """The rows of all processes in order of rank; gradients are returned to the process of each row."""
        if not self.active:
            return x
        gathered: Any = _Gather.apply(x)
        result: Tensor = gathered
        return result


class _Gather(torch.autograd.Function):
    """All-gather whose backward sums the gradients of all processes for the rows of this one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        sizes = [torch.zeros(1, dtype=torch.long, device=x.device) for _ in range(dist.get_world_size())]
        with _raising_process_lost():
            dist.all_gather(sizes, torch.tensor([len(x)], device=x.device))
        ctx.sizes = [int(s) for s in sizes]
        parts = [x.new_empty(n, *x.shape[1:]) for n in ctx.sizes]
        longest = max(ctx.sizes)
        padded = torch.cat([x, x.new_zeros(longest - len(x), *x.shape[1:])]) if len(x) < longest else x
        buffers = [x.new_empty(longest, *x.shape[1:]) for _ in ctx.sizes]
        with _raising_process_lost():
            dist.all_gather(buffers, padded.contiguous())
        return torch.cat([r[: len(p)] for r, p in zip(buffers, parts)])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.contiguous().clone()
        with _raising_process_lost():
            dist.all_reduce(total)
        start = sum(ctx.sizes[: dist.get_rank()])
        return total[start : start + ctx.sizes[dist.get_rank()]]

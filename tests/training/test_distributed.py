"""What processes of a training exchange, with the other processes played."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hdrq.training import distributed
from hdrq.training.distributed import Processes, _Gather


class Played:
    """torch.distributed as one rank sees it, whose fellows hold known rows."""

    def __init__(self, rank: int, rows: list[Tensor]) -> None:
        self.rank, self.rows = rank, rows

    def get_rank(self) -> int:
        return self.rank

    def get_world_size(self) -> int:
        return len(self.rows)

    def all_gather(self, into: list[Tensor], own: Tensor) -> None:
        longest = max(map(len, self.rows))
        if own.dtype == torch.long:
            assert own.tolist() == [len(self.rows[self.rank])]
            for target, rows in zip(into, self.rows):
                target.fill_(len(rows))
            return
        assert len(own) == longest  # all ranks must hand over as many rows
        assert torch.equal(own[: len(self.rows[self.rank])], self.rows[self.rank])
        for target, rows in zip(into, self.rows):
            target[: len(rows)] = rows

    def all_reduce(self, x: Tensor) -> None:
        x += torch.arange(float(x.numel())).view_as(x)  # the sum over the other ranks


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_rows_of_all_processes_are_gathered_in_order_and_gradients_go_back(monkeypatch, rank: int) -> None:
    rows = [torch.full((n, 2), float(n)) for n in (3, 1, 2)]
    monkeypatch.setattr(distributed, "dist", Played(rank, rows))
    own = rows[rank].clone().requires_grad_()
    gathered: Any = _Gather.apply(own)
    assert torch.equal(gathered, torch.cat(rows))
    gathered.sum().backward()
    begin = (0, 3, 4)[rank]
    wanted = 1 + torch.arange(12.0).view(6, 2)[begin : begin + len(own)]
    assert torch.equal(own.grad, wanted)


def test_gradients_are_averaged_over_the_processes(monkeypatch) -> None:
    processes, module = Processes(), torch.nn.Linear(2, 1)
    monkeypatch.setattr(distributed, "dist", Played(0, [torch.zeros(1)] * 2))
    for p in module.parameters():
        p.grad = torch.ones_like(p)
    processes.active, processes.size = True, 2
    processes.average_gradients(module)
    assert module.weight.grad.tolist() == [[0.5, 1.0]]
    assert module.bias.grad.tolist() == [1.5]

"""What lies under the colours of the dynamic range independent metric."""

from __future__ import annotations

import torch

from hdrq.scoring.metrics.drim import backdrop


def test_the_backdrop_reaches_from_the_darkest_to_the_brightest_hundredth() -> None:
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    logs = torch.linspace(-4, 6, 1000, dtype=torch.float64)[order]
    code = backdrop(logs.exp().view(1, 1, 20, 50)).flatten()[order.argsort()]
    wanted = (torch.arange(1000.0, dtype=torch.float64) - 9) / (989 - 9)  # the 10th and the 990th of 1000
    assert torch.allclose(code, wanted.clamp(0, 1), atol=1e-9)

"""Losses and domain distances: equal to the authors' program in value and gradient, sane elsewhere."""

from __future__ import annotations

import pytest
import torch

from hdrq.errors import UsageError
from hdrq.training.domain_adaptation import Adversary, Coral, deep_coral, mmd
from hdrq.training.losses import LOSSES, mixed


def load(shared, name: str):
    return torch.load(shared / "parity" / f"{name}.pt", weights_only=False)


@pytest.mark.shared
@pytest.mark.parametrize("case", ["vtamiq_8pairs", "small", "pieapp"])
def test_coral_is_the_programs_in_value_and_gradient(shared, case: str) -> None:
    p = load(shared, "coral")[case]
    xs, xt = (p[k].double().requires_grad_() for k in ("xs", "xt"))
    value = Coral()(xs, xt)
    value.backward()
    assert value.item() == pytest.approx(p["loss_float64"].item(), rel=1e-9)
    for x, key in ((xs, "grad_xs"), (xt, "grad_xt")):
        assert (x.grad - p[key]).abs().max() < 1e-5 * (1 + p[key].abs().max())
    assert deep_coral(p["xs"].double(), p["xt"].double()).item() == pytest.approx(
        p["textbook_deep_coral"].item(), rel=1e-9
    )


@pytest.mark.shared
def test_smoothed_coral_follows_the_programs_sequence(shared) -> None:
    p = load(shared, "coral")["ema_0.3"]
    coral = Coral(ema=0.3, divisor="rows")
    ours = [coral(s, t).item() for s, t in p["seq"]]
    assert ours == pytest.approx(p["loss"].tolist(), rel=1e-5)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "key"), [("mae", "mae"), ("rank", "rank"), ("pearson", "pears")])
def test_score_losses_are_the_programs(shared, name: str, key: str) -> None:
    p = load(shared, "vtamiq_losses")
    pred = p["pred"].clone().requires_grad_()
    value = LOSSES[name](pred, p["label"])
    value.backward()
    assert value.item() == pytest.approx(p[key].item(), abs=1e-5)
    assert torch.allclose(pred.grad, p[f"{key}_grad"], atol=1e-5)


@pytest.mark.parametrize("distance", [Coral(), deep_coral, mmd])
def test_equal_domains_are_at_no_distance_and_shifted_ones_are(distance) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(64, 8, generator=g)
    spread = x * torch.linspace(0.2, 3, 8)
    assert distance(x, x).item() == pytest.approx(0, abs=1e-6)
    assert distance(x, spread).item() > 10 * abs(distance(x, x.flip(0)).item())


def test_domains_may_differ_in_size() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(16, 6, generator=g), torch.randn(9, 6, generator=g)
    for distance in (Coral(), deep_coral, mmd, Adversary(6)):
        assert torch.isfinite(distance(a, b))


def test_the_adversary_pulls_features_together() -> None:
    torch.manual_seed(0)
    shift = torch.nn.Parameter(torch.full((4,), 2.0))
    source, target = torch.randn(256, 4), torch.randn(256, 4)
    adversary = Adversary(4)
    optimiser = torch.optim.Adam(
        [{"params": adversary.parameters(), "lr": 1e-2}, {"params": [shift], "lr": 2e-2}]
    )
    for _ in range(300):
        optimiser.zero_grad()
        adversary(source, target + shift).backward()
        optimiser.step()
    assert shift.abs().max() < 1.0


def test_losses_mix_by_weight_and_refuse_the_unknown() -> None:
    pred, label = torch.tensor([0.1, 0.5, 0.2]), torch.tensor([0.0, 1.0, 0.5])
    total = 2 * LOSSES["mae"](pred, label) + 0.5 * LOSSES["pearson"](pred, label)
    assert mixed({"mae": 2, "pearson": 0.5}, pred, label).item() == pytest.approx(total.item())
    with pytest.raises(UsageError, match="there is no loss"):
        mixed({"huber": 1}, pred, label)


def test_mae_and_mse_are_means_of_differences() -> None:
    pred, label = torch.tensor([1.0, 4.0, -2.0]), torch.tensor([2.0, 2.0, -2.0])
    assert float(LOSSES["mae"](pred, label)) == pytest.approx(1.0)
    assert float(LOSSES["mse"](pred, label)) == pytest.approx(5 / 3)

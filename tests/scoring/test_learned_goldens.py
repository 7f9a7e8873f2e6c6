"""Every metric with a network on the small rendered scene: with the weights that come with hdrq, else with filled ones.

Networks are held to their authors' programs on filled weights in tests/nn, which needs ../shared; the numbers here are this
program's, written after those tests passed, and also hold what stands around a network: sizes, encoding, patches, averages.
`python tests/scoring/test_learned_goldens.py` prints them.
"""

from __future__ import annotations

import json
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from hdrq.cards import Metric
from hdrq.nn import weights
from hdrq.records import Checkpoint
from hdrq.registry import find, names
from metric_scenes import handed, without_net

MODELS = Path(__file__).parents[2] / "models"
# Sizes of networks of which hdrq has no weights; {} is the size of the paper.
FILLED: dict[str, dict[str, Any]] = {
    "imqnet": {"widths": (6, 9, 9, 12), "hidden": (16, 8)},
    "koncept512": {},
    "metaiqa": {},
    "norvdpnet": {},
    "pieapp": {},
    "pu-pieapp": {},
    "qdnet": {"latent": 16},
}
SHIPPED = {
    json.loads(p.read_text()).get("net"): p.stem for p in sorted(MODELS.glob("*.json"), reverse=True)
}  # first by name
GOLDEN = {
    "diqm": 0.8135886,
    "dists": 0.1158581,
    "imqnet": 0.01503335,
    "koncept512": 0.02310091,
    "lpips": 0.1717802,
    "metaiqa": 0.5566462,
    "norvdpnet": 0.5027031,
    "norvdpnetpp": 0.969061,
    "nr": 0.5810156,
    "pieapp": -0.04571863,
    "pu-pieapp": -0.03438685,
    "qdnet": 0.1971165,
    "st-lpips": 0.1206175,
    "vtamiq": 0.2565010,
}


def filled(net: str, options: dict[str, Any]) -> nn.Module:
    """A network whose tensors repeat normal numbers from a place that their name gives, scaled by their inputs."""
    with torch.device("meta"):
        module = find("net", net).build(**options)
    numbers = np.random.RandomState(0).standard_normal(4099).astype(np.float32)
    state = {}
    for name, tensor in module.state_dict().items():
        shape = tuple(tensor.shape)
        z = np.resize(np.roll(numbers, zlib.crc32(name.encode()) % 4099), shape)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros(shape, dtype=tensor.dtype)
            continue
        if name.endswith("running_var"):
            z = 0.5 + np.abs(z)
        elif len(shape) > 1:
            z = z * np.sqrt(1.5 / prod(shape[1:]))
        else:
            z = (1 if name.endswith("weight") else 0) + 0.05 * z
        state[name] = torch.from_numpy(z).to(tensor.dtype)
    module = module.to_empty(device="cpu")
    module.load_state_dict(state)
    return module.eval().requires_grad_(False)


def scored(metric: Metric) -> float:
    given: dict[str, Any] = {}
    if metric.name in FILLED:
        encoding = "pu21" if metric.name == "pu-pieapp" else "srgb"
        card = Checkpoint("filled", metric.card.net, {}, encoding, "sdr", "", {})
        given["net"] = weights.prepare(filled(metric.card.net, FILLED[metric.name]), card)
    else:
        given["net"] = weights.load(metric.card.net, SHIPPED[metric.card.net])
        encoding = given["net"].checkpoint.encoding
    if "encoding" in metric.card.needs:
        given["encoding"] = find("encoding", encoding or "srgb")
    with torch.no_grad():
        found = metric(*(x.float() for x in handed(metric)), **given)
    return float(getattr(found, "value", found).reshape(-1)[0])


@pytest.fixture(autouse=True)
def only_ours(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "nothing"))


@pytest.mark.parametrize("name", GOLDEN)
def test_a_learned_metric_gives_its_golden_number(name: str) -> None:
    assert scored(find("metric", name)) == pytest.approx(GOLDEN[name], rel=2e-4)


def test_every_metric_has_a_golden_number_in_the_repository() -> None:
    """Those without a network are in tests/golden/metrics.json, for which test_metric_golden.py answers."""
    assert set(names("metric")) == {m.name for m in without_net()} | set(GOLDEN)
    assert all(find("metric", name).card.net for name in GOLDEN)


if __name__ == "__main__":
    for each in names("metric"):
        if find("metric", each).card.net:
            print(f'    "{each}": {scored(find("metric", each)):.7g},', flush=True)

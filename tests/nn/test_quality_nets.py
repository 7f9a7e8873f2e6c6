"""The no-reference family and DIQM: the authors' outputs from the authors' weights, and back to their names."""

from __future__ import annotations

import importlib.util
import json

import pytest
import torch

from hdrq.nn.network_input import network_view
from hdrq.registry import find


def official(shared, keys: str, gain: float) -> dict[str, torch.Tensor]:
    """A state_dict under the authors' names, filled by the fixtures' rule."""
    spec = importlib.util.spec_from_file_location("fillrule", shared / "parity" / "fillrule.py")
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    shapes = dict(json.loads((shared / "parity" / keys).read_text()))
    return {
        name: torch.as_tensor(rule.value(name, tuple(shape), gain=gain)) for name, shape in shapes.items()
    }


def converted(net: str, state: dict[str, torch.Tensor], **more):
    shelf = find("net", net)
    layout = shelf.recognise(state)
    options = {**layout.options(state), **layout.fixed, **more}
    module = shelf.filled(layout.read(state, options), **options)
    back = layout.write(module.state_dict(), options)
    assert all(torch.equal(back[k].float(), state[k].float()) for k in state)
    return module


CASES = (
    (
        "norvdpnetpp",
        "norvdpnetpp_C_rgb_nosigmoid_filled",
        "norvdpnetpp_C_rgb_nosigmoid_filled_keys.json",
        0.5,
    ),
    ("diqm", "diqm_filled", "diqm_filled_keys.json", 1.0),
)


@pytest.mark.shared
@pytest.mark.parametrize(("net", "fixture", "keys", "gain"), CASES)
def test_the_small_networks_answer_as_their_authors_do(shared, net, fixture, keys, gain) -> None:
    p = torch.load(shared / "parity" / f"{fixture}.pt", weights_only=False)
    more = {"sigmoid": False} if "nosigmoid" in fixture else {}
    module = converted(net, official(shared, keys, gain), **more)
    for case in "ab":
        assert (module.features(p["inputs"][case]) - p["outputs"][f"{case}_gapfeat"]).abs().max() < 1e-5
        assert (module(p["inputs"][case]) - p["outputs"][f"{case}_out"][:, 0]).abs().max() < 1e-5


@pytest.mark.shared
def test_norvdpnet_of_2024_answers_as_its_authors_do(shared) -> None:
    p = torch.load(shared / "parity" / "norvdpnet_v2024_filled.pt", weights_only=False)
    spec = importlib.util.spec_from_file_location("fillrule", shared / "parity" / "fillrule.py")
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    shapes = dict(
        json.loads((shared / "parity" / "norvdpnetpp_C_rgb_nosigmoid_filled_keys.json").read_text())
    )
    shapes["conv.0.conv.0.weight"] = [32, 1, 3, 3]  # the same names, one channel in
    module = converted("norvdpnet", {n: torch.as_tensor(rule.value(n, tuple(s))) for n, s in shapes.items()})
    for case in "ab":
        assert (module(p["inputs"][case]) - p["outputs"][f"{case}_out"][:, 0]).abs().max() < 1e-5


@pytest.mark.shared
def test_metaiqa_answers_as_its_authors_do(shared) -> None:
    p = torch.load(shared / "parity" / "metaiqa_filled.pt", weights_only=False)
    module = converted("metaiqa", official(shared, "metaiqa_keys.json", 0.5))
    assert (module(p["inputs"]["x"]) - p["outputs"]["q"][:, 0]).abs().max() < 1e-5


@pytest.mark.shared
def test_koncept512_answers_as_the_port_and_with_true_pooling(shared) -> None:
    p = torch.load(shared / "parity" / "koncept512_filled.pt", weights_only=False)
    module = converted("koncept512", official(shared, "koncept512_port_keys.json", 0.7))
    with torch.inference_mode():
        assert (module(p["inputs"]["x"]) - p["outputs"]["q"][:, 0]).abs().max() < 1e-5
        module.pooling = "global"
        assert (module(p["inputs"]["x"]) - p["outputs"]["q_with_true_gap"][:, 0]).abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["plain", "batch", "rezero", "layer", "instance"])
def test_every_kind_of_norm_learns_and_is_cut_to_its_range(kind: str) -> None:
    torch.manual_seed(0)
    module = find("net", "norvdpnetpp").build(kind=kind, widths=(4, 8, 8, 16, 16))
    module(torch.rand(2, 1, 80, 70)).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    q = module.eval()(torch.rand(2, 1, 64, 64))
    assert q.shape == (2,)
    assert ((q >= 0) & (q <= 1)).all()


@pytest.mark.parametrize("size", [(64, 96), (95, 131)])
def test_imqnet_takes_any_size(size) -> None:
    torch.manual_seed(0)
    module = find("net", "imqnet").build(widths=(6, 9, 9, 12), hidden=(16, 8)).eval()
    with torch.inference_mode():
        assert torch.isfinite(module(torch.rand(1, 3, *size))).all()


def test_imqnet_tells_images_apart_before_training() -> None:
    """Its 16 blocks have no normalisation: with torch's initial weights the answers to all images were equal to 1e-8."""
    torch.manual_seed(0)
    module = find("net", "imqnet").build(widths=(12, 24, 24, 24)).eval()
    x = torch.rand(1, 3, 96, 128)
    with torch.inference_mode():
        a, b = module(torch.cat([2 * x - 1, 0.2 * x])).tolist()
    assert abs(a - b) > 1e-3


def test_qdnet_scores_and_paints_at_a_wanted_quality() -> None:
    torch.manual_seed(0)
    module = find("net", "qdnet").build(latent=16).eval()
    x = torch.randn(1, 3, 70, 96)
    now = module(x).item()
    wanted = now + 0.02
    picture, reached = module.towards(x, wanted, steps=300)
    assert picture.shape == x.shape
    assert abs(reached - wanted) < abs(now - wanted)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_residual_network_reads_code_as_imagenet_normalises_it(name: str) -> None:
    """As a network that is trained on its own, such as by bench/livec.py: it had no convention."""
    code = torch.rand(2, 3, 8, 8)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    seen = network_view(code, find("net", name).build(classes=1), None)
    torch.testing.assert_close(seen, (code - mean) / deviation)

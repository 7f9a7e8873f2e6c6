"""What every network that scores images answers, in a clone without ../shared: one number of each and of its variants.

The weights are computed from their names, so that the numbers hold the arithmetic of layers and networks, no training. They were
written when the tests of test_learned_nets.py, test_quality_nets.py and test_small_networks.py passed, which compare the same
networks with their authors' programs.
"""

from __future__ import annotations

import zlib
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor

from hdrq.registry import find, names

VIT = {
    "classes": 0,
    "width": 48,
    "depth": 2,
    "heads": 3,
    "mlp": 96,
    "grid": 3,
    "registers": 2,
    "layer_scale": True,
}
VTAMIQ = {"width": 48, "depth": 2, "heads": 3, "mlp": 96, "reduction": 8}
# (network, build options, the witness's answer)
ANSWERS: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("diqm", {"widths": [4, 4, 8, 8, 8]}, 0.4873469),
    ("diqm", {"widths": [4, 4, 8, 8, 8], "channels": 2, "norm": "batch"}, 0.4950777),
    ("dists", {}, -0.6178596),
    ("efficientnet-lite2", {"classes": 3}, 0.3510987),
    ("imqnet", {"widths": (6, 8, 10, 12), "hidden": (8, 5)}, 0.03388118),
    ("koncept512", {}, -54.63708),
    ("lpips", {}, -0.004370525),
    ("lpips", {"trunk": "vgg"}, 0.01740582),
    ("lpips", {"trunk": "squeeze", "version": "0.0"}, 0.008172506),
    ("metaiqa", {"classes": 3}, 0.8689202),
    ("mobilenet-v2", {"classes": 3}, 0.1329026),
    ("mobilenet-v2", {"classes": 0}, -3.012582),
    ("norvdpnet", {}, 0.5552547),
    ("norvdpnet", {"channels": 3, "last_stride": 1, "sigmoid": False}, 0.2212072),
    ("norvdpnetpp", {"widths": [4, 4, 8, 8, 8], "kind": "layer"}, 0.3639611),
    ("norvdpnetpp", {"widths": [4, 4, 8, 8, 8], "kind": "plain"}, 0.4295136),
    ("norvdpnetpp", {"widths": [4, 4, 8, 8, 8], "kind": "batch"}, 0.4950777),
    ("norvdpnetpp", {"widths": [4, 4, 8, 8, 8], "kind": "rezero"}, 0.4096484),
    ("norvdpnetpp", {"widths": [4, 4, 8, 8, 8], "kind": "instance"}, 0.3672001),
    ("nr", {"hidden": 16}, -19.94052),
    ("nr", {"backbone": "mobilenet-v2", "hidden": 16}, -38.78164),
    ("pieapp", {}, 0.08574397),
    ("pu-pieapp", {"gate": "sigmoid", "intake": "imagenet"}, 0.06804416),
    ("qdnet", {"latent": 16}, -10.17023),
    ("resnet18", {"classes": 3}, 0.1586313),
    ("resnet50", {"classes": 3}, -30.35209),
    ("st-lpips", {}, -0.00833635),
    ("tone-parameters", {"width": 8}, -0.1620281),
    ("vgg16", {"classes": 0}, -0.0907422),
    ("visibility", {"differences": 4, "references": 2, "width": 8}, 0.3672382),
    ("vit", VIT, -1.779981),
    ("vtamiq", VTAMIQ, -0.6383935),
)
GAIN = {"metaiqa": 0.8}  # of its weights; with 1 its sigmoid saturates
# Parameters of the full version and of the small one.
SIZES = {
    "diqm": (4844673, 3921),
    "dists": (14717638, None),
    "efficientnet-lite2": (6063024, None),
    "imqnet": (14270789, None),
    "koncept512": (59821729, None),
    "lpips": (2470848, None),
    "metaiqa": (13242923, None),
    "mobilenet-v2": (3487816, None),
    "norvdpnet": (4843233, None),
    "norvdpnetpp": (4847201, 3869),
    "nr": (5888986, None),
    "pieapp": (68376580, None),
    "pu-pieapp": (68376580, None),
    "qdnet": (80015364, None),
    "resnet18": (11689512, None),
    "resnet50": (25557032, None),
    "st-lpips": (2470848, None),
    "tone-parameters": (13825, 1609),
    "vgg16": (138357544, None),
    "visibility": (55073, 5609),
    "vit": (86859496, None),
    "vtamiq": (57326994, 163674),
}

_PERIOD = 1_000_003  # values of a large tensor repeat after so many
_CONSTANT = 2_654_435_769  # 2^32 divided by the golden ratio


def filled(name: str, shape: tuple[int, ...]) -> Tensor:
    """Numbers around 0 of variance 2 / fan-in, or what a normalisation stores: whole-number arithmetic, the same everywhere."""
    count = prod(shape)
    part = torch.arange(min(count, _PERIOD)) * _CONSTANT + zlib.crc32(name.encode())
    z = ((part % 2**32).double() / 2**32 - 0.5) * 12**0.5
    z = z.float().repeat(-(-count // _PERIOD))[:count].reshape(shape)
    if name.endswith("running_var"):
        return 0.5 + z.abs()
    if name.endswith("weight") and len(shape) == 1 and count > 1:
        return 1 + 0.1 * z
    if len(shape) < 2:
        return 0.05 * z
    return z * (2 / prod(shape[1:])) ** 0.5


def answer(net: str, options: dict[str, Any], gain: float = 1.0) -> float:
    """The witness's value for these build options, with weight matrices times `gain`."""
    shelf = find("net", net)
    module = shelf.build(**options).eval()
    state = {k: filled(k, tuple(t.shape)) for k, t in module.state_dict().items()}
    module.load_state_dict({k: t * gain if t.dim() > 1 else t for k, t in state.items()})
    with torch.no_grad():
        return float(shelf.witness(module).sum())


@pytest.mark.parametrize(("net", "options", "wanted"), ANSWERS, ids=lambda v: v if isinstance(v, str) else "")
def test_filled_weights_give_the_answers_of_the_networks_that_agreed(net, options, wanted) -> None:
    assert answer(net, dict(options), GAIN.get(net, 1.0)) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("net", sorted(SIZES))
def test_networks_have_as_many_parameters_as_those_that_agreed(net: str) -> None:
    shelf = find("net", net)
    full, small = SIZES[net]
    with torch.device("meta"):
        assert sum(p.numel() for p in shelf.build().parameters()) == full
        if small is not None:
            assert sum(p.numel() for p in shelf.build(**shelf.small).parameters()) == small


def test_every_network_that_scores_images_has_an_answer() -> None:
    metrics = {find("metric", name).card.net for name in names("metric")}
    scoring = {name for name in names("net") if find("net", name).use is None or name in metrics}
    assert {name for name, _, _ in ANSWERS} == scoring == set(SIZES)


def test_files_of_dists_hold_a_pooling_filter_for_every_channel() -> None:
    """A Hanning window of three, as the authors' program stores it before each stage."""
    shelf = find("net", "dists")
    written = shelf.layouts[0].write(shelf.build().state_dict(), {})
    shapes = {k: tuple(v.shape) for k, v in written.items() if k.endswith(".filter")}
    assert shapes == {
        f"{stage}.filter": (width, 1, 3, 3)
        for stage, width in (("stage2.4", 64), ("stage3.9", 128), ("stage4.16", 256), ("stage5.23", 512))
    }
    wanted = torch.tensor([0.25, 0.5, 0.25])
    assert torch.allclose(written["stage3.9.filter"][7, 0], wanted[:, None] * wanted, atol=1e-6)
    assert written["mean"].flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert written["std"].flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])

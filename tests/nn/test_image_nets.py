"""Networks that make images: the authors' layouts, tensor by tensor, and what they answer on filled weights.

The forward passes were compared with the authors' programs on random weights (ExpandNet hdr-expandnet 2b47572, Santos
Deep-HdrReconstruction 92bed8a, ADNet e2a68cb with deformable convolution computed pixel by pixel; HDRCNN 67f5a94, DeepHDR
16a1246 and the hallucination network of SingleHDR ce89648 in TensorFlow 2.15), and DeepFuse (31c226f) with the images that its
authors publish beside its weights, which it gives to half a code. The numbers here keep what agreed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from filled import value
from hdrq.errors import FileError
from hdrq.image.statistics import luminance
from hdrq.nn import foreign_files as foreign
from hdrq.nn import weight_files
from hdrq.nn.image_networks import code_and_aligned_code, code_and_light, tiled, to_multiple
from hdrq.nn.import_weights import import_checkpoint
from hdrq.nn.keys import restore
from hdrq.nn.layers.deformable import DeformableConv
from hdrq.nn.layers.inverse_camera import edges, rising, soft_histogram, through
from hdrq.nn.net import Net
from hdrq.nn.networks import uses
from hdrq.nn.weights import load
from hdrq.registry import find

GOLDEN = Path(__file__).parents[1] / "golden" / "tensorflow_checkpoint" / "small.index"
USED = list(uses("expand", "tonemap", "merge", "fuse"))
# Output of the witness on filled weights of the small version, and parameters of the full one.
ANSWERS: dict[str, tuple[float, int]] = {
    "adnet": (-105.429, 2_956_483),
    "ahdrnet": (37.00423, 1_441_283),
    "deepfuse": (-0.1534432, 316_976),
    "deephdr": (-15.04361, 16_606_339),
    "deeptmo": (0.3813076, 182_443_267),
    "expandnet": (16.54814, 456_899),
    "hdrcnn": (-527.0084, 29_443_358),
    "kalantari-direct": (-0.8673875, 383_603),
    "kalantari-weight": (-15.45466, 383_909),
    "santos-2020": (6.709472, 25_770_964),
    "singlehdr": (515.7761, 27_782_156),
    "vinker-2021": (0.3036939, 3_898_849),
}
# Names and shapes in the authors' programs: how many, and their digest.
KEYS = {
    "adnet": (110, "c91727b74d075f92"),
    "deepfuse": (6, "e0a86cba223b897f"),
    "deephdr": (158, "15f2c6c1da07d454"),
    "expandnet": (30, "e30b1b114177757c"),
    "hdrcnn": (80, "256904b5d710b4c5"),
    "santos-2020": (29, "5e96d773134817f2"),
}
MORE = (
    ("deeptmo", {"width": 4, "halvings": 3, "blocks": 2, "fine": True}),
    ("singlehdr", {"width": 2, "small": 2, "refine": True}),
    ("vinker-2021", {"width": 2, "depth": 3}),
)


def small(net: str, **more: Any) -> nn.Module:
    """The small version with weights computed from their names."""
    shelf = find("net", net)
    options = {**shelf.small, **more}
    with torch.device("meta"):
        module = shelf.build(**options)
    return shelf.filled({k: value(k, tuple(t.shape)) for k, t in module.state_dict().items()}, **options)


def theirs_of(shelf: Net, module: nn.Module, options: dict[str, Any]) -> dict[str, Tensor]:
    """The module under the authors' names, with what they store and hdrq does not keep."""
    table = shelf.layouts[0]._rules(options)
    found = restore([r for r in table if r.write is not None], module.state_dict())
    if shelf.name == "ahdrnet":
        found |= {f"attConv{k}.{leaf}": torch.rand(3) for k in (1, 3) for leaf in ("weight", "bias")}
    if shelf.name == "singlehdr":
        found |= {"B": torch.rand(4), "hinv(12)": torch.rand(4), "hinv(25)": torch.rand(4)}
    if shelf.name == "vinker-2021":
        idle = f"down_path.{options['depth'] - 1}.mpconv.1.conv1"
        found = {f"{idle}.{leaf}": torch.rand(3) for leaf in ("weight", "bias")} | found
    return found


def every_option(shelf: Net, module: nn.Module, given: dict[str, Any]) -> dict[str, Any]:
    import inspect

    defaults = {k: p.default for k, p in inspect.signature(shelf.build).parameters.items()}
    return {**defaults, **given}


@pytest.mark.parametrize("name", USED)
def test_filled_weights_give_the_answers_that_agreed(name: str) -> None:
    with torch.no_grad():
        found = float(find("net", name).witness(small(name)))
    assert found == pytest.approx(ANSWERS[name][0], rel=2e-4)
    with torch.device("meta"):
        full = find("net", name).build()
    assert sum(p.numel() for p in full.parameters()) == ANSWERS[name][1]


@pytest.mark.parametrize("name", [n for n in USED if find("net", n).layouts])
def test_an_authors_file_becomes_our_network_and_back(name: str) -> None:
    shelf = find("net", name)
    module = small(name)
    options = every_option(shelf, module, dict(shelf.small))
    theirs = theirs_of(shelf, module, options)
    layout = shelf.recognise(theirs)
    read = {**layout.options(theirs), **layout.fixed}
    again = shelf.filled(layout.read(theirs, read), **read)
    assert all(torch.equal(t, again.state_dict()[k]) for k, t in module.state_dict().items())


@pytest.mark.parametrize(("name", "options"), MORE)
def test_variants_of_a_layout_are_told_by_their_names(name: str, options: dict[str, Any]) -> None:
    shelf = find("net", name)
    module = small(name, **options)
    theirs = theirs_of(shelf, module, options)
    layout = shelf.recognise(theirs)
    read = layout.options(theirs)
    assert read == options
    again = shelf.filled(layout.read(theirs, read), **read)
    with torch.no_grad():
        assert torch.equal(shelf.witness(module), shelf.witness(again))


@pytest.mark.parametrize("name", sorted(KEYS))
def test_full_size_names_and_shapes_are_those_of_the_authors(name: str) -> None:
    shelf = find("net", name)
    with torch.device("meta"):
        module = shelf.build()
    theirs = shelf.layouts[0].write(module.state_dict(), every_option(shelf, module, {}))
    listed = json.dumps(sorted((k, list(t.shape)) for k, t in theirs.items()))
    assert (len(theirs), hashlib.sha256(listed.encode()).hexdigest()[:16]) == KEYS[name]


@pytest.mark.parametrize("name", [n for n in USED if find("net", n).layouts])
def test_a_wrong_or_incomplete_file_is_refused_in_one_line(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    shelf = find("net", name)
    module = small(name)
    theirs = theirs_of(shelf, module, every_option(shelf, module, dict(shelf.small)))
    for spoil in ("other", "missing", "extra"):
        spoiled = dict(theirs)
        if spoil == "other":
            spoiled = {"conv.0.conv.0.weight": torch.rand(2)}
        elif spoil == "missing":
            needed = [k for k in theirs if k not in shelf.layouts[0].marks and not k.startswith(("att", "B"))]
            del spoiled[needed[-1 if name != "singlehdr" else 0]]
        else:
            spoiled["something.else"] = torch.rand(2)
        torch.save(spoiled, tmp_path / "x.pth")
        with pytest.raises(FileError) as caught:
            import_checkpoint([tmp_path / "x.pth"], name, name="x")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "models").exists()


def test_an_imported_network_is_used_by_name(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(weight_files, "folders", lambda: [weight_files.user_folder()])
    module = small("expandnet")
    torch.save(theirs_of(find("net", "expandnet"), module, {"width": 4}), tmp_path / "w.pth")
    card, _ = import_checkpoint([tmp_path / "w.pth"], "expandnet", name="theirs")
    assert (card.options, card.encoding) == ({"width": 4}, "srgb")
    code = torch.rand(1, 3, 20, 30)
    with torch.no_grad():
        assert torch.equal(load("expandnet", "theirs", "srgb")(code), module(code))


def test_singlehdr_asks_for_its_curves() -> None:
    with pytest.raises(FileError, match=r"invemor\.txt"):
        find("net", "singlehdr").recognise({"crf_feature_net/conv1/weights": torch.rand(1)})


def test_response_databases_are_read_as_columns(tmp_path: Path) -> None:
    (tmp_path / "curves.txt").write_text(
        "B = \n0 0.5\n1\ng0 = \n0 0.25 1\nhinv(1)=\n1e-1 2 3\n", encoding="ascii"
    )
    held, _ = foreign.read(tmp_path / "curves.txt")
    assert {k: v.tolist() for k, v in held.items()} == {
        "B": [0, 0.5, 1],
        "g0": [0, 0.25, 1],
        "hinv(1)": pytest.approx([0.1, 2, 3]),
    }


def test_a_checkpoint_of_tensorflow_is_read_without_it(tmp_path: Path) -> None:
    """tests/golden/tensorflow_checkpoint was written by TensorFlow 2.15.1 (tf.compat.v1.train.Saver) with Adam's variables."""
    held, _ = foreign.read(GOLDEN)
    assert sorted(held) == [
        "generator/conv/biases",
        "generator/conv/w",
        "generator/count",
        "generator/half",
        "generator/norm/moving_mean",
        "generator/scalar",
    ]
    assert torch.equal(held["generator/conv/w"], torch.arange(24.0).reshape(2, 2, 2, 3))
    assert held["generator/conv/biases"].tolist() == [0.5, -1, 2]
    assert held["generator/norm/moving_mean"].tolist() == [3, 4]
    assert (held["generator/scalar"].shape, float(held["generator/scalar"])) == ((), 7.0)
    assert (held["generator/half"].dtype, held["generator/half"].tolist()) == (torch.float16, [1.5, -0.25])
    assert (held["generator/count"].dtype, held["generator/count"].tolist()) == (torch.int64, [5])
    alone = tmp_path / "small.index"
    alone.write_bytes(GOLDEN.read_bytes())
    with pytest.raises(FileError, match=r"small\.data-00000-of-00001"):
        foreign.read(alone)
    data = GOLDEN.with_name("small.data-00000-of-00001").read_bytes()
    alone.with_name("small.data-00000-of-00001").write_bytes(data[:40])
    with pytest.raises(FileError, match="damaged or truncated"):
        foreign.read(alone)


def test_lists_of_arrays_are_read_and_code_in_them_is_refused(tmp_path: Path) -> None:
    parts = np.empty(2, dtype=object)
    parts[0], parts[1] = np.arange(6.0).reshape(2, 3), np.array([1, 2], np.float32)
    np.savez(tmp_path / "list.npz", params=parts, plain=np.asfortranarray(np.arange(6).reshape(2, 3)))
    held, _ = foreign.read(tmp_path / "list.npz")
    assert held["params.0"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert held["params.1"].tolist() == [1, 2]
    assert held["plain"].tolist() == [[0, 1, 2], [3, 4, 5]]

    class Bad:
        def __reduce__(self) -> Any:
            return print, ("it ran",)

    parts[1] = Bad()
    np.savez(tmp_path / "bad.npz", params=parts)
    with pytest.raises(FileError, match="refused"):
        foreign.read(tmp_path / "bad.npz")


def test_tiles_with_enough_context_change_nothing() -> None:
    conv = nn.Conv2d(3, 2, 7, padding=3)
    image = torch.rand(1, 3, 45, 70)
    with torch.no_grad():
        whole = conv(image)
        assert torch.allclose(tiled(conv, image, side=16, margin=3), whole, atol=1e-6)
        assert not torch.allclose(tiled(conv, image, side=16, margin=2), whole, atol=1e-6)
    sizes = []

    def halved(part: Tensor) -> Tensor:
        sizes.append(tuple(part.shape[-2:]))
        return part

    assert torch.equal(tiled(halved, image, side=16, margin=8, multiple=8), image)
    assert all(n % 8 == 0 for size in sizes for n in size)
    assert max(max(s) for s in sizes) == 32
    some = tiled(lambda part: part + 1, image, side=16, margin=0, needed=lambda part: bool(part.max() > 2))
    assert torch.equal(some, torch.zeros_like(image))
    assert to_multiple(image, 16).shape == (1, 3, 48, 80)
    assert torch.equal(to_multiple(image, 16)[..., 47, :70], image[..., 44, :])


def test_deformable_convolution_without_displacement_is_a_convolution() -> None:
    torch.manual_seed(0)
    conv = DeformableConv(4, 2)
    x = torch.rand(1, 4, 9, 11)
    with torch.no_grad():
        plain = torch.nn.functional.conv2d(x, conv.weight, padding=1)
        assert torch.allclose(conv(x, x), plain / 2 + conv.bias.reshape(1, -1, 1, 1), atol=1e-5)
        conv.predict.bias[0:36:2] = 1.0  # every tap of both groups one row lower; outside is 0
        low = torch.nn.functional.pad(x, (1, 1, 0, 2))
        moved = torch.nn.functional.conv2d(low, conv.weight)
        assert torch.allclose(conv(x, x), moved / 2, atol=1e-5)


def test_edges_of_a_ramp_are_eight_steps_across_it_and_none_along_it() -> None:
    down = torch.arange(6.0)[:, None] * 0.1 + torch.zeros(6, 7)
    found = edges(torch.stack([down, down.new_zeros(6, 7) + torch.arange(7.0) * 0.01, -down])[None])
    inside = found[0, :, 1:-1, 1:-1].mean((-2, -1))
    assert torch.allclose(inside, torch.tensor([0.8, 0, 0, 0.08, -0.8, 0]), atol=1e-6)
    # mirrored without the border's pixel: no slope at the border
    assert found[0, 0, 0].abs().max() < 1e-6


def test_inverse_responses_rise_from_0_to_1() -> None:
    curve = rising(torch.tensor([[0.0, 0.3, 0.2, 1.0, 1.1]]))
    assert torch.allclose(curve, torch.tensor([[0, 0.4, 0.4, 1.3, 1.5]]) / 1.5, atol=1e-6)
    code = torch.tensor([0.0, 0.125, 0.25, 1.0]).reshape(1, 1, 2, 2)
    wanted = torch.tensor([0, 0.2, 0.4, 1.5]).reshape(1, 1, 2, 2) / 1.5
    assert torch.allclose(through(curve, code), wanted, atol=1e-6)
    seen = soft_histogram(torch.full((1, 3, 1, 1), 0.3), 4)[0, ::3, 0, 0]
    assert torch.allclose(seen, torch.tensor([0, 0.8, 0.2, 0, 0]), atol=1e-6)


def test_three_exposures_are_read_as_code_and_as_light_or_as_code_of_the_middle_exposure() -> None:
    frames = torch.tensor([0.1, 0.4, 1.6]).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    seconds = torch.tensor([1.0, 4.0, 16.0])
    read = code_and_light(frames, seconds)
    assert read.shape == (1, 3, 6, 2, 2)
    assert read[0, :, 0, 0, 0].tolist() == pytest.approx([0.1 ** (1 / 2.2), 0.4 ** (1 / 2.2), 1.0])
    assert read[0, :, 5, 1, 1].tolist() == pytest.approx([0.1, 0.1, 1 / 16])
    read = code_and_aligned_code(frames, seconds, 2.0)
    assert read[0, :, 0, 0, 0].tolist() == pytest.approx([0.1**0.5, 0.4**0.5, 1.0])
    assert read[0, :, 5, 1, 1].tolist() == pytest.approx([0.4**0.5, 0.4**0.5, 0.25**0.5])


def test_the_u_net_of_vinker_by_hand() -> None:
    """Depth 1, one channel, every weight 1 at one place: what is skipped comes back with its square and its root."""
    net = find("net", "vinker-2021").build(width=1, depth=1)
    for p in net.parameters():
        torch.nn.init.zeros_(p)
    for conv in (net.enter.first, net.enter.second, net.last, net.up[0].pair.second):
        conv.weight.data[0, 0, 1, 1] = 1
    net.up[0].up.weight.data[:] = 1
    # of the skip connection, of what comes from below, of the square, of the root
    net.up[0].pair.first.weight.data[:, 0, 1, 1] = torch.tensor([1.0, 10, 100, 1000])
    net.end.weight.data[:] = 1e-3
    code = torch.rand(1, 1, 8, 10, generator=torch.Generator().manual_seed(0))
    below = torch.nn.functional.max_pool2d(code, 2).repeat_interleave(2, -1).repeat_interleave(2, -2)
    wanted = code + 10 * below + 100 * code**2 + 1000 * (code + 1e-8).sqrt()
    with torch.no_grad():
        assert torch.allclose(torch.logit(net(code)), wanted * 1e-3, atol=1e-4)


def test_vinkers_result_is_stretched_between_its_ranks_and_keeps_half_of_the_colour() -> None:
    class Same(torch.nn.Module):
        grid = 16

        def forward(self, code: Tensor) -> Tensor:
            return 0.2 + 0.5 * code

    grey = torch.linspace(0, 1, 1000).view(1, 1, 25, 40)
    light = grey * torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1)
    y = luminance(light)
    found = find("net", "vinker-2021").use.apply(Same(), light, steepness=50.0)
    code = (1 + 50 * y / y.max()).log() / torch.tensor(51.0).log()
    low, high = (0.2 + 0.5 * code.flatten()[k] for k in (4, 994))
    shown = ((0.2 + 0.5 * code).clamp(low, high) - low) / (high - low)
    ratio = torch.where(y > 0, light / y.clamp(min=1e-12), 0.0)
    assert torch.allclose(found, (ratio.sqrt() * shown).clamp(0, 1), atol=1e-5)


def test_tiles_of_the_u_net_are_those_of_the_whole() -> None:
    net = small("vinker-2021", depth=4).double()
    code = torch.rand(1, 1, 90, 70, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        parts = tiled(net, code, side=32, margin=112, multiple=16)
        assert torch.allclose(parts, net(code), atol=1e-6)


def test_the_generator_of_a_checkpoint_of_a_training_is_imported(tmp_path: Path, monkeypatch) -> None:
    """As the program stores it: beside a discriminator, with the names of DataParallel."""
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    module = small("vinker-2021")
    theirs = theirs_of(find("net", "vinker-2021"), module, {"width": 4, "depth": 2})
    held = {
        "epoch": 7,
        "modelG_state_dict": {f"module.{k}": t for k, t in theirs.items()},
        "modelD_state_dict": {"module.conv.weight": torch.rand(2)},
    }
    torch.save(held, tmp_path / "net.pth")
    import_checkpoint([tmp_path / "net.pth"], "vinker-2021", name="mine")
    again = load("vinker-2021", "mine", "linear").state_dict()
    assert all(torch.equal(t, again[k]) for k, t in module.state_dict().items())

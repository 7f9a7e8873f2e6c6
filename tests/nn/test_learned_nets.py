"""Learned full-reference networks: the authors' outputs from the authors' weights, and back to their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from filled import shapes, state, value
from hdrq.errors import FileError, UsageError
from hdrq.nn.network_input import pu08, scaled_input
from hdrq.registry import find


def off(found: Tensor, wanted: Tensor) -> float:
    """Largest error relative to 1 + |wanted|."""
    return float(((found.detach() - wanted).abs() / (1 + wanted.abs())).max())


def converted(net: str, theirs: dict[str, Tensor], nested: bool | None = None, **more: Any) -> nn.Module:
    """The module of an official state_dict; the way back must give the very same tensors."""
    shelf = find("net", net)
    layout = shelf.recognise(theirs, nested)
    options = {**layout.options(theirs), **layout.fixed, **more}
    ours = layout.read(theirs, options)
    module = find("net", layout.makes or net).filled(ours, **options)
    back = layout.write(module.state_dict(), options)
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[k], theirs[k]) for k in theirs)
    return module


def fixture(shared: Path, name: str) -> dict[str, Any]:
    return torch.load(shared / "parity" / name, weights_only=False)


@pytest.mark.shared
def test_vtamiq_of_2024_gives_its_authors_numbers(shared: Path) -> None:
    case = fixture(shared, "vtamiq_small.pt")
    net = converted("vtamiq", case["state_dict"], heads=4)
    given, wanted = case["inputs"], case["outputs"]
    where = given["pos"], given["scales"]
    test = given["patches_dist"].clone().requires_grad_()
    found = net.compare(given["patches_ref"], test, *where)
    assert off(found.q, wanted["q"]) < 1e-5
    assert off(found.ref, wanted["cls_ref"]) < 1e-5
    assert off(found.dist, wanted["cls_dist"]) < 1e-5
    assert off(found.difference, wanted["cls_diff"]) < 1e-5
    assert off(net.transformer.embed(given["patches_ref"], *where), wanted["embeddings_ref"]) < 1e-5
    assert off(net.transformer(given["patches_ref"], *where), wanted["tokens_ref"]) < 1e-5
    found.q.sum().backward()
    assert off(test.grad, wanted["grad_patches_dist"]) < 1e-5
    exact = net.double()(given["patches_ref"].double(), given["patches_dist"].double(), where[0], where[1])
    assert off(exact, wanted["q_float64"]) < 1e-12


@pytest.mark.shared
def test_vtamiq_of_2022_gives_its_authors_numbers(shared: Path) -> None:
    case = fixture(shared, "vtamiq2022_small.pt")
    net = converted("vtamiq", case["state_dict"], heads=4)
    given, wanted = case["inputs"], case["outputs"]
    found = net.compare(given["patches_ref"], given["patches_dist"], given["pos"], given["scales"][..., 0])
    assert off(found.q, wanted["q"]) < 1e-5
    assert off(found.ref, wanted["cls_ref"]) < 1e-5
    assert net.intake == "imagenet"


@pytest.mark.shared
@pytest.mark.parametrize("keys", ["vtamiq_keys_B16_6L_5scales.json", "vtamiq2022_keys_B16_6L.json"])
def test_the_full_size_vtamiq_loads_from_its_official_names(shared: Path, keys: str) -> None:
    theirs = {k: torch.zeros(1).expand(s) for k, s in shapes(shared / "parity" / keys).items()}
    shelf = find("net", "vtamiq")
    layout = shelf.recognise(theirs)
    options = {**layout.options(theirs), **layout.fixed}
    ours = layout.read(theirs, options)
    with torch.device("meta"):
        wanted = shelf.build(**options).state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in wanted.items()}
    assert {k: v.shape for k, v in layout.write(ours, options).items()} == {
        k: v.shape for k, v in theirs.items()
    }
    assert (options["width"], options["heads"], options["depth"], options["scales"]) == (768, 12, 6, 5)
    assert sum(v.numel() for v in ours.values()) == (57_326_994 if "2022" not in keys else 57_310_882)


@pytest.mark.shared
def test_pieapp_gives_its_authors_numbers(shared: Path) -> None:
    case = fixture(shared, "pieapp_filled.pt")
    theirs = state(shared / "parity" / "pieapp_keys.json", gain=0.6)
    theirs["ref_score_subtract.weight"] *= 20
    net = converted("pieapp", theirs)
    given, wanted = case["inputs"], case["outputs"]
    # In float64 all agree to the digits that were stored. In float32 every patch score is a sum of 120,832 products,
    # rounded differently by every processor: 1.4e-5 of a weight and 2.1e-5 of the score were measured here.
    for dtype, most in ((torch.float32, 5e-5), (torch.float64, 1e-5)):
        net = net.to(dtype)
        ref, test = given["ref"][None].to(dtype), given["A"][None].to(dtype)
        predicted = net.predict(ref, test)
        assert off(predicted.score[0], wanted["patch_scores"][:, 0]) < most
        assert off(predicted.weight[0], wanted["patch_weights"][:, 0]) < most
        assert off(predicted.pooled()[0], wanted["score"]) < most
        assert off(net(ref, ref)[0], wanted["score_identical"]) < most
    kept = theirs | {"ref_score_subtract.weight": theirs["ref_score_subtract.weight"].reshape(1)}
    layout = find("net", "pieapp").recognise(kept)
    assert layout.read(kept, {})["level.weight"].shape == (1, 1)  # as the published file has it


@pytest.mark.shared
def test_pu_pieapp_gives_its_authors_numbers(shared: Path) -> None:
    case = fixture(shared, "pupieapp_filled.pt")
    names = shapes(shared / "parity" / "pupieapp_keys.json")
    theirs = {name: value(name.partition(".")[2], shape) for name, shape in names.items()}
    theirs["comparitor.fcs.4.weight"] *= 50
    net = converted("pu-pieapp", theirs, nested=True)
    net.checkpoint = None
    given, wanted = case["inputs"], case["outputs"]
    assert off(pu08(given["pu_curve_L"]), wanted["pu_curve_hdr"]) < 1e-5
    metric = find("metric", "pu-pieapp")
    ref, test = given["hdr_ref"], given["hdr_test"]
    for stride in (64, 32):
        assert (
            off(metric(ref, test, net=net, stride=stride).value, wanted[f"hdr_stride{stride}"][:, 0]) < 1e-5
        )
    sdr = [99.5 * (given[f"sdr_{which}"] / 255) ** 2.2 + 0.5 for which in ("ref", "test")]
    assert off(metric(*sdr, net=net).value, wanted["sdr_stride64"][:, 0]) < 1e-5
    assert off(metric(ref, ref, net=net).value, wanted["identical"][:, 0]) < 1e-5
    retrained = converted("pu-pieapp", theirs, nested=False)
    assert (retrained.gate, retrained.intake) == ("sigmoid", "imagenet")


@pytest.mark.shared
def test_lpips_gives_its_authors_numbers(shared: Path) -> None:
    case = fixture(shared, "lpips_vgg_filled.pt")
    theirs = state(shared / "parity" / "lpips_vgg_filled_keys.json")
    theirs["scaling_layer.shift"] = torch.tensor([-0.030, -0.088, -0.188]).reshape(1, 3, 1, 1)
    theirs["scaling_layer.scale"] = torch.tensor([0.458, 0.448, 0.450]).reshape(1, 3, 1, 1)
    for k in range(5):
        theirs[f"lin{k}.model.1.weight"] = theirs[f"lins.{k}.model.1.weight"]
    net = converted("lpips", theirs)
    given, wanted = case["inputs"], case["outputs"]
    found = net.maps(*(scaled_input(given[which], net) for which in ("ref", "dist")))
    assert off(torch.stack([m.mean((1, 2, 3)) for m in found]), wanted["per_layer"]) < 1e-5
    value = find("metric", "lpips")(given["ref"], given["dist"], net=net).value
    assert (value / wanted["score"][:, 0] - 1).abs().max() < 1e-4  # the scores are small, so relatively
    heads = {k: t for k, t in theirs.items() if k.startswith("lin") and not k.startswith("lins.")}
    plain = {f"features.{k.split('.', 2)[2]}": t for k, t in theirs.items() if k.startswith("net.slice")}
    layout = find("net", "lpips").recognise(heads | plain)
    again = layout.read(heads | plain, {})
    assert all(torch.equal(again[k], t) for k, t in net.state_dict().items())


@pytest.mark.shared
def test_dists_gives_its_authors_numbers(shared: Path) -> None:
    case = fixture(shared, "dists_filled.pt")
    theirs = state(shared / "parity" / "dists_filled_keys.json")
    theirs["mean"] = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    theirs["std"] = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    hanning = torch.tensor([0.5, 1.0, 0.5])
    window = hanning[:, None] * hanning
    for name in theirs:
        if name.endswith("filter"):
            theirs[name] = (window / window.sum()).expand(theirs[name].shape).clone()
    net = converted("dists", theirs)
    given, wanted = case["inputs"], case["outputs"]
    assert off(find("metric", "dists")(given["ref"], given["dist"], net=net), wanted["score"][:, 0]) < 1e-5


def small(net: str, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    return find("net", net).build(**options).eval()


SMALL_VIT = {"width": 64, "depth": 2, "heads": 4, "mlp": 96, "patch": 8, "grid": 4}


@pytest.mark.parametrize(
    ("net", "layout", "options"),
    [
        ("vit", "timm", {**SMALL_VIT, "classes": 5, "registers": 2, "layer_scale": True}),
        ("vit", "torchvision", {**SMALL_VIT, "classes": 5}),
        ("vit", "jax", {**SMALL_VIT, "classes": 5}),
        ("vit", "jax", {**SMALL_VIT, "classes": 0}),
        ("resnet18", "torchvision", {"classes": 4}),
        ("resnet50", "torchvision", {"classes": 0}),
        ("lpips", "lpips-alex", {"trunk": "alex"}),
        ("lpips", "lpips-squeeze", {"trunk": "squeeze"}),
    ],
)
def test_export_and_import_are_each_others_inverse(net: str, layout: str, options: dict[str, Any]) -> None:
    shelf = find("net", net)
    module = small(net, **options)
    chosen = next(each for each in shelf.layouts if each.name == layout)
    theirs = chosen.write(module.state_dict(), options)
    assert shelf.recognise(theirs).name == layout
    read = {k: options.get(k, v) if v is None else v for k, v in chosen.options(theirs).items()}
    again = shelf.filled(
        chosen.read(theirs, read | {"heads": options.get("heads", 1)}),
        **{**read, **{k: v for k, v in options.items() if k in ("heads", "trunk")}},
    )
    assert all(torch.equal(t, again.state_dict()[k]) for k, t in module.state_dict().items())
    assert torch.equal(shelf.witness(module), shelf.witness(again))


def test_jax_kernels_are_turned_the_right_way() -> None:
    """Query of head 1 in JAX is kernel[:, 1] · x; ours is rows 16..31 of the joint matrix."""
    options = {**SMALL_VIT, "classes": 0}
    shelf = find("net", "vit")
    module = small("vit", **options)
    layout = next(each for each in shelf.layouts if each.name == "jax")
    kernel = layout.write(module.state_dict(), options)[
        "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/kernel"
    ]
    assert kernel.shape == (64, 4, 16)
    x = torch.rand(64)
    ours = module.transformer.blocks[0].attention.qkv.weight @ x
    assert torch.allclose(torch.einsum("i,ihd->hd", x, kernel)[1], ours[16:32], atol=1e-6)


def test_the_class_token_alone_is_the_class_token_of_all() -> None:
    net = small("vit", **SMALL_VIT, classes=0, scales=3, registers=2).transformer
    patches, place, scale = torch.rand(2, 9, 3, 8, 8), torch.rand(2, 9, 2), torch.randint(3, (2, 9))
    tokens = net.embed.tokens(patches, place, scale)
    first, seen = net.summarise(tokens, look=True)
    assert torch.allclose(first, net.encode(tokens)[:, 0], atol=1e-5)
    assert seen.shape == (2, 9)
    assert (seen.sum(1) < 1).all()  # the class token and the registers have their share


def test_what_does_not_belong_is_named() -> None:
    shelf = find("net", "resnet18")
    theirs = small("resnet18", classes=3).state_dict()
    layout = shelf.layouts[0]
    with pytest.raises(FileError, match="unrecognised resnet18 checkpoint"):
        shelf.recognise({"a": torch.zeros(1)})
    with pytest.raises(FileError, match="are not part of resnet18: surplus"):
        shelf.filled(layout.read(theirs | {"surplus": torch.zeros(1)}, {}), classes=3)
    with pytest.raises(FileError, match=r"missing: bn1\.bias"):
        shelf.filled({k: t for k, t in theirs.items() if k != "bn1.bias"}, classes=3)
    with pytest.raises(FileError, match=r"\(3, 512\) where resnet18 expects \(4, 512\)"):
        shelf.filled(theirs, classes=4)
    half = {"transformer.encoder.layer.0.attn.query.weight": torch.zeros(2, 2)}
    with pytest.raises(FileError, match="but not the corresponding"):
        find("net", "vtamiq").layouts[1].read(half, {"blocks": 4, "groups": 4})


def test_networks_grow_from_backbones() -> None:
    vit = small("vit", **{**SMALL_VIT, "depth": 3}, classes=5)
    shelf = find("net", "vtamiq")
    net = small("vtamiq", **{**SMALL_VIT, "grid": 6}, scales=3, registers=1, reduction=4)
    kept = shelf.grow(net, "vit", vit.state_dict())
    assert torch.equal(net.transformer.blocks[1].fc1.weight, vit.transformer.blocks[1].fc1.weight)
    assert net.transformer.embed.places.shape == (1, 37, 64)
    assert "transformer.embed.scales" in kept
    assert not any(name.startswith("transformer.blocks.0.attention") for name in kept)
    with pytest.raises(UsageError, match="cannot be initialised from resnet18, only from vit"):
        shelf.grow(net, "resnet18", {})


def test_stochastic_depth_acts_in_training_only() -> None:
    net = small("vtamiq", **SMALL_VIT, reduction=4, drop_path=0.5, dropout=0.0)
    gap = torch.rand(8, 64)
    calm = net.decoder(gap)
    assert torch.equal(calm, net.decoder(gap))
    net.train()
    assert not torch.equal(calm, net.decoder(gap))

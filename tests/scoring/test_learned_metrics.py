"""Learned metrics as functions of two pictures and a network: what must be true whatever its weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import hdrq
from hdrq.errors import UsageError
from hdrq.nn import weight_files, weights
from hdrq.records import Checkpoint
from hdrq.registry import find
from hdrq.scoring.calibration import calibrated, line_of

SMALL = {
    "width": 32,
    "depth": 2,
    "heads": 2,
    "mlp": 48,
    "patch": 8,
    "grid": 6,
    "scales": 3,
    "registers": 2,
    "groups": 1,
    "blocks": 2,
    "reduction": 4,
}


def card(net: str, **more: Any) -> Checkpoint:
    settings: dict[str, Any] = {
        "name": "small",
        "net": net,
        "options": {},
        "encoding": "pu21",
        "white": "pmax",
        "sha256": "0" * 64,
        "witness": {},
    }
    return Checkpoint(**{**settings, **more})


def vtamiq_net(**more: Any) -> nn.Module:
    torch.manual_seed(3)
    net = find("net", "vtamiq").build(**{**SMALL, **more}).eval()
    for p in net.parameters():
        p.data += 0.02 * torch.randn_like(p)
    return weights.prepare(net, card("vtamiq"))


@pytest.fixture(scope="module")
def pieapp_net() -> nn.Module:
    """The real size: PieAPP has no smaller one. Its large layer is mostly zero, so that it is made at once."""
    torch.manual_seed(4)
    with torch.device("meta"):
        net = find("net", "pieapp").build()
    net.to_empty(device="cpu")
    for p in net.parameters():
        nn.init.zeros_(p)
        p.data.flatten()[:4096] = 0.02 * torch.randn(min(4096, p.numel()))
    net.level.weight.data.fill_(50.0)
    net.weight[1].bias.data.fill_(1.0)
    for conv in net.convs:
        nn.init.kaiming_normal_(conv.weight)
    return weights.prepare(
        net.eval(), card("pieapp", encoding="srgb", white="sdr", results={"jod": [1.0, -2.0]})
    )


def pair(n: int = 1, h: int = 90, w: int = 120) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(5)
    ref = F.interpolate(torch.rand(n, 3, h // 6, w // 6, generator=random), (h, w), mode="bilinear")
    return ref, (ref + 0.1 * torch.randn(ref.shape, generator=random)).clamp(0, 2)


def ask(net: nn.Module, ref: Tensor, dist: Tensor, **options: Any):
    with torch.no_grad():
        return find("metric", "vtamiq")(ref, dist, net=net, patches=60, **options)


def test_a_seed_gives_one_score_always() -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    first = ask(net, ref, dist).value
    assert torch.equal(first, ask(net, ref, dist).value)
    assert not torch.equal(first, ask(net, ref, dist, seed=1).value)


def test_repeats_are_the_mean_over_their_seeds() -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    alone = torch.stack([ask(net, ref, dist, seed=s, repeats=1).value for s in (4, 5, 6, 7)])
    assert torch.allclose(ask(net, ref, dist, seed=4, repeats=4).value, alone.mean(0), atol=1e-6)
    assert torch.equal(ask(net, ref, dist, seed=4).value, ask(net, ref, dist, seed=4, repeats=4).value)


def test_a_batch_is_its_pictures() -> None:
    net, (ref, dist) = vtamiq_net(), pair(3)
    for options in ({}, {"focus_on": "difference"}, {"aligned": False}):
        whole = ask(net, ref, dist, maps=True, **options)
        for k in range(3):
            one = ask(net, ref[k : k + 1], dist[k : k + 1], maps=True, **options)
            assert torch.allclose(whole.value[k], one.value[0], atol=1e-5)
            assert torch.allclose(whole.map[k], one.map[0], atol=1e-4)


def test_identical_pictures_are_told_apart_only_where_they_are_cut_apart() -> None:
    net, (ref, _) = vtamiq_net(), pair()
    assert torch.allclose(ask(net, ref, ref).value, torch.zeros(1), atol=1e-6)
    assert not torch.allclose(ask(net, ref, ref, aligned=False).value, torch.zeros(1), atol=1e-4)


def test_weights_of_the_authors_give_their_programs_number() -> None:
    """One sampling, and nothing subtracted for identical images."""
    net, (ref, dist) = vtamiq_net(), pair()
    own = ask(net, ref, dist, repeats=1).value
    net.checkpoint = replace(net.checkpoint, recipe="imported as vtamiq-2024 from a file")
    nothing = net.predict(torch.zeros(1, 32), torch.zeros(1, 32)).q
    assert torch.allclose(ask(net, ref, dist).value, own + nothing, atol=1e-6)


def test_pieces_do_not_change_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    whole = ask(net, ref, dist).value
    monkeypatch.setattr("hdrq.scoring.metrics.vtamiq._AT_ONCE", 7)
    assert torch.allclose(ask(net, ref, dist).value, whole, atol=1e-6)


def test_the_map_shows_attention_in_shares() -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    shown = ask(net, ref, dist, maps=True).map
    assert shown.shape == (1, 1, 90, 120)
    assert (shown >= 0).all()
    assert 0.5 < float(shown.mean()) < 1  # the class token and the registers have the rest
    assert ask(net, ref, dist).map is None


def test_the_network_decides_how_patches_are_cut_unless_told() -> None:
    ref, dist = pair()
    ours, theirs = vtamiq_net(sampling="mended"), vtamiq_net(sampling="authors")
    assert torch.equal(ask(theirs, ref, dist).value, ask(ours, ref, dist, sampler="authors").value)
    assert torch.equal(ask(theirs, ref, dist, sampler="mended").value, ask(ours, ref, dist).value)
    assert not torch.equal(ask(theirs, ref, dist).value, ask(ours, ref, dist).value)


def test_coarse_patches_are_means_of_light_unless_the_authors_had_it_otherwise() -> None:
    ref, dist = pair()
    srgb = find("encoding", "srgb")
    for sampling, same in (("mended", "light"), ("authors", "code")):
        net = vtamiq_net(sampling=sampling)
        plain = ask(net, ref, dist, encoding=srgb).value
        assert torch.equal(plain, ask(net, ref, dist, encoding=srgb, average=same).value)
        other = "code" if same == "light" else "light"
        assert not torch.equal(plain, ask(net, ref, dist, encoding=srgb, average=other).value)


def test_code_is_scaled_by_the_white_of_the_card() -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    low, high = net.span
    plain = vtamiq_net()
    plain.span = (0.0, 1.0)
    scaled = [low + picture * (high - low) for picture in (ref, dist)]
    assert torch.allclose(ask(net, *scaled).value, ask(plain, ref, dist).value, atol=1e-4)


def test_the_gradient_reaches_the_test_picture() -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    dist.requires_grad_()
    found = find("metric", "vtamiq")(ref, dist, net=net, patches=60)
    found.value.sum().backward()
    assert torch.isfinite(dist.grad).all()
    assert dist.grad.abs().sum() > 0


def test_bfloat16_comes_near() -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    assert torch.allclose(
        ask(net, ref, dist).value, ask(net, ref, dist, precision="bfloat16").value, atol=0.05, rtol=0.05
    )


def test_grey_pictures_have_three_equal_channels() -> None:
    net, (ref, dist) = vtamiq_net(), pair()
    grey = [picture[:, :1] for picture in (ref, dist)]
    three = [picture.expand(-1, 3, -1, -1) for picture in grey]
    assert torch.allclose(ask(net, *grey).value, ask(net, *three).value, atol=1e-6)


def test_options_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="leave aligned at true"):
        ask(vtamiq_net(), *pair(), focus_on="centre", aligned=False)


def test_pieapp_is_the_weighted_mean_of_its_patches(pieapp_net: nn.Module) -> None:
    ref, dist = pair(1, 92, 118)
    metric = find("metric", "pieapp")
    with torch.no_grad():
        found = metric(ref, dist, net=pieapp_net, maps=True)
        codes = [255 * picture.flip(1) for picture in (ref, dist)]
        cut = [c.unfold(2, 64, 27).unfold(3, 64, 27).permute(0, 2, 3, 1, 4, 5).flatten(1, 2) for c in codes]
        predicted = pieapp_net.predict(*cut)
    assert cut[0].shape[1] == 6  # rows 0 and 27, columns 0, 27 and 54
    assert torch.allclose(found.value, predicted.pooled(), rtol=1e-4)
    line = line_of(pieapp_net)
    assert line == (1, -2)
    assert torch.allclose(calibrated(line, found).value, 1 - 2 * found.value)
    assert torch.allclose(found.map[0, 0, 0, 0], predicted.score[0, 0], rtol=1e-4)
    assert found.map[0, 0, -1].isnan().all()  # the lower patches are rows 27 to 90, and row 91 is the last


def test_pieapp_samples_patches_where_asked(pieapp_net: nn.Module) -> None:
    ref, dist = pair()
    metric = find("metric", "pieapp")
    with torch.no_grad():
        values = [metric(ref, dist, net=pieapp_net, patches=5, seed=s).value for s in (0, 0, 1)]
        both = metric(ref, dist, net=pieapp_net, patches=5, repeats=2).value
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])
    assert torch.allclose(both, (values[0] + values[2]) / 2)


def test_an_image_scores_by_name_from_light_to_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    monkeypatch.setattr(weight_files, "folders", lambda: [weight_files.user_folder()])
    net = vtamiq_net()
    settings = {"net": "vtamiq", "options": SMALL, "encoding": "pu21", "white": "pmax", "recipe": "a test"}
    weights.save(net, name="small", **settings)
    ref, dist = (200 * picture + 0.5 for picture in pair())
    scorer = hdrq.metric("pu-vtamiq,patches=60")
    code = find("encoding", "pu21")
    with torch.no_grad():
        wanted = ask(net, code.encode(ref), code.encode(dist), encoding=code)
        found = scorer(ref, dist)
    assert torch.allclose(found, wanted.value, atol=1e-5)
    assert str(scorer) == "pu21:vtamiq,patches=60"


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_feature_distances_are_zero_for_identical_pictures_and_grow(name: str) -> None:
    torch.manual_seed(6)
    net = find("net", name).build().eval()
    if name == "lpips":
        for head in net.heads:
            nn.init.uniform_(head, 0, 0.1)
    ref, dist = pair(2, 66, 70)
    metric = find("metric", name)

    def value(test: Tensor) -> Tensor:
        found = metric(ref, test, net=net)
        return found.value if hasattr(found, "value") else found

    with torch.no_grad():
        assert value(ref).abs().max() < 1e-5
        assert (value(ref + 0.5 * (dist - ref)) < value(dist)).all()
    if name == "lpips":
        with torch.no_grad():
            assert metric(ref, dist, net=net, maps=True).map.shape == (2, 1, 66, 70)


@pytest.mark.parametrize(
    ("recipe", "results", "same"),
    [
        ("distilled from hdrvdp3, x", {}, True),
        ("fine-tuned 0123, started from diqm-small", {"mos": [1.0, 4.0]}, True),
        ("fine-tuned 0123, labels raw", {}, False),  # their best is not known
        ("imported as torch from x.pth", {}, False),
        ("pieapp-hl 0123", {"mos": [1.0, 4.0]}, False),
    ],
)
@pytest.mark.parametrize("name", ["diqm", "pieapp"])
def test_identical_images_are_best_of_weights_whose_scale_hdrq_made(
    name: str, recipe: str, results: dict[str, Any], same: bool, request: pytest.FixtureRequest, monkeypatch
) -> None:
    """Before: a fine-tuned network gave identical images less than the best score, as distilled ones did before it."""
    from hdrq.scoring.calibration import output_best

    if name == "pieapp":
        net = request.getfixturevalue("pieapp_net")
    else:
        torch.manual_seed(5)
        net = weights.prepare(find("net", name).build(**find("net", name).small).eval(), card(name))
    monkeypatch.setattr(net, "checkpoint", card(name, recipe=recipe, results=results))
    image = torch.rand(1, 3, 96, 112, generator=torch.Generator().manual_seed(2))
    found = find("metric", name)
    more = {"encoding": find("encoding", "pu21")} if name == "diqm" else {}
    value = found(image, image, net=net, **more).value
    best = 1.0 if name == "diqm" else 0.0
    assert torch.equal(value, torch.full((1,), best)) == same
    assert output_best(found.output(), net).best == (best if same else None)


@pytest.mark.parametrize("recipe", ["distilled from hdrvdp3, x", "imported as torch from x.pth"])
def test_identical_patches_are_best_whatever_the_rounding(recipe: str, pieapp_net, monkeypatch) -> None:
    """Products of matrices round by their number of rows on some processors: made large here."""
    predict = pieapp_net.predict

    def rounded(a: Tensor, b: Tensor) -> Any:
        found = predict(a, b)
        return found._replace(score=found.score + 1e-3 * a.shape[1])

    monkeypatch.setattr(pieapp_net, "predict", rounded)
    monkeypatch.setattr(pieapp_net, "checkpoint", card("pieapp", recipe=recipe))
    image = torch.rand(1, 3, 96, 112, generator=torch.Generator().manual_seed(2))
    half = image.clone()
    half[..., 64:] *= 0.7
    metric = find("metric", "pieapp")
    assert bool((metric(image, image, net=pieapp_net).value == 0).all()) == recipe.startswith("distilled")
    scores = metric(image, half, net=pieapp_net, maps=True).map
    assert bool((scores[..., :8, :8] == 0).all()) == recipe.startswith("distilled")
    assert bool((scores[..., 64:].nan_to_num() != 0).any())
    near = image.clone().requires_grad_()
    metric(image, near, net=pieapp_net).value.sum().backward()
    assert near.grad is not None

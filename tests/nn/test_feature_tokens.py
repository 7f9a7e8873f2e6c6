"""Tokens from a pretrained stem: what they hold, and VTAMIQ built on them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hdrq.errors import UsageError
from hdrq.nn import weights
from hdrq.nn.layers.feature_tokens import FeatureTokens, channels_of, features, variances
from hdrq.records import Checkpoint
from hdrq.registry import find

OPTIONS: dict[str, Any] = {
    **{"stem": "efficientnet-lite2", "stages": 2, "patch": 32, "scales": 2, "grid": 2, "registers": 1},
    **{"width": 16, "depth": 2, "heads": 2, "mlp": 24, "reduction": 4, "groups": 1, "blocks": 1},
}
WIDTHS = (3, 32, 16, 24)  # pixels, first convolution, two stages


def varied(module: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for p in module.parameters():
        p.data += 0.05 * torch.randn_like(p)
    return module.eval()


@pytest.fixture(scope="module")
def net() -> Any:
    built = varied(find("net", "vtamiq").build(**OPTIONS))
    built.transformer.embed.usual.data = torch.rand(sum(WIDTHS)) + 0.01
    built.transformer.embed.scale.data = torch.rand(6 * sum(WIDTHS)) + 0.5
    card = Checkpoint("small", "vtamiq", OPTIONS, "pu21", "sdr", "0" * 64, {})
    return weights.prepare(built, card)


def patches(seed: int, spoilt: float = 0.0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    clean = torch.rand(2, 3, 3, 32, 32, generator=random)
    return clean + spoilt * torch.randn(clean.shape, generator=random)


def test_equal_patches_have_no_change(net: Any) -> None:
    content, change = net.statistics(patches(0), patches(0))
    assert content.shape == (2, 3, 2 * 75)
    assert torch.equal(change, torch.zeros(2, 3, 4 * 75))
    ref, dist = net.tokens(patches(0), patches(0), torch.zeros(2, 3, 2), torch.zeros(2, 3)).chunk(2)
    assert torch.equal(ref, dist)


def test_statistics_are_those_of_ssim_by_channel(net: Any) -> None:
    a, b = patches(0), patches(0, 0.2)
    content, change = net.statistics(a, b)
    usual = net.transformer.embed.usual[1]
    x, y = (t[1, 2, 1].double() for t in (a, b))  # the green of one patch
    knee = usual * 1e-3
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    wanted = torch.stack(
        [
            (y.mean() - x.mean()) / usual.sqrt(),
            ((y.var(correction=0) + knee) / (x.var(correction=0) + knee)).log() / 2,
            (1 + (x - y).square().mean() / knee).log(),
            1 - (2 * covariance + knee) / (x.var(correction=0) + y.var(correction=0) + knee),
        ]
    )
    assert torch.allclose(change[1, 2, [1, 4, 7, 10]].double(), wanted, atol=1e-4)
    alone = torch.stack([x.mean() / usual.sqrt(), (x.var(correction=0) + knee).log()])
    assert torch.allclose(content[1, 2, [1, 4]].double(), alone, atol=1e-4)


def test_the_stem_is_the_first_stages_of_its_backbone() -> None:
    shelf, backbone = find("net", "vtamiq"), varied(find("net", "efficientnet-lite2").build(classes=0))
    net: Any = shelf.build(**OPTIONS)
    kept = shelf.grow(net, "efficientnet-lite2", backbone.state_dict())
    assert not [name for name in kept if name.startswith("trunk.")]
    x = patches(0)[0]
    first, second, *_ = backbone.trunk.stages(x.clone())
    assert channels_of(net.trunk, 2) == 75
    var = variances(features(net.trunk, x, 2))
    assert var.shape == (3, 75)
    assert torch.allclose(var[:, :3], x.flatten(2).var(2, correction=0), rtol=1e-4)
    assert torch.allclose(var[:, 35:51], first.flatten(2).var(2, correction=0), rtol=1e-3)
    assert torch.allclose(var[:, 51:], second.flatten(2).var(2, correction=0), rtol=1e-3)


def test_only_what_follows_the_stem_is_trained() -> None:
    net: Any = find("net", "vtamiq").build(**OPTIONS)
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert not [n for n in trained if n.startswith("trunk.")]
    assert not trained & {f"transformer.embed.{n}" for n in ("usual", "centre", "scale")}
    assert {"transformer.embed.content.weight", "transformer.embed.change.weight", "head.4.bias"} <= trained


def test_a_stem_that_is_no_backbone_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"resnet18 is not a backbone of vtamiq; .*: efficientnet-lite2, mobilenet-v2$"
    ):
        find("net", "vtamiq").build(**OPTIONS | {"stem": "resnet18"})


def test_statistics_are_scaled_before_they_are_weighted(net: Any) -> None:
    embed: FeatureTokens = net.transformer.embed
    content, change = net.statistics(patches(0), patches(0, 0.2))
    place = torch.zeros(2, 3, 2)
    ref, dist = embed.pair(content, change, place)
    step = embed.change(change / embed.scale[150:])
    assert torch.allclose(dist - ref, step, atol=1e-5)
    more, _ = embed.pair(content + embed.scale[:150], change, place)
    assert torch.allclose(more - ref, embed.content.weight.sum(1).expand_as(ref), atol=1e-4)
    centred, _ = embed.pair(embed.centre.expand_as(content), change, place)
    assert torch.allclose(centred - embed.content.bias, embed.places[0, 1].expand_as(ref), atol=1e-5)


def asked(net: Any, ref: Tensor, dist: Tensor, **more: Any) -> Tensor:
    with torch.no_grad():
        value: Tensor = find("metric", "vtamiq")(ref, dist, net=net, patches=20, **more).value
    return value


def images() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(5)
    ref = nn.functional.interpolate(torch.rand(2, 3, 12, 16, generator=random), (96, 128), mode="bilinear")
    return ref, (ref + 0.1 * torch.randn(ref.shape, generator=random)).clamp(0, 2)


def test_the_metric_gives_what_the_network_gives(net: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, dist = images()
    whole = asked(net, ref, dist)
    assert torch.allclose(asked(net, ref[1:], dist[1:]), whole[1:], atol=1e-5)
    assert torch.allclose(asked(net, ref, ref), torch.zeros(2), atol=1e-6)
    assert torch.equal(asked(net, ref, dist, repeats=1), whole)  # one sampling is enough
    assert not torch.allclose(asked(net, dist, ref), whole, atol=1e-4)
    monkeypatch.setattr("hdrq.scoring.metrics.vtamiq._AT_ONCE", 7)
    assert torch.allclose(asked(net, ref, dist), whole, atol=1e-5)


def test_positions_of_their_own_are_refused(net: Any) -> None:
    with pytest.raises(UsageError, match="leave aligned at true"):
        asked(net, *images(), aligned=False)


def test_the_gradient_reaches_the_test_image(net: Any) -> None:
    ref, dist = images()
    dist.requires_grad_()
    find("metric", "vtamiq")(ref, dist, net=net, patches=20, repeats=1).value.sum().backward()
    assert torch.isfinite(dist.grad).all()
    assert dist.grad.abs().sum() > 0

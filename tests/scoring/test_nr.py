"""The no-reference metric of photographs: its backbones, its head, and what it says of light and of damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from torch import nn

import hdrq
from hdrq import io
from hdrq.cli.app import command_line
from hdrq.image.render import room
from hdrq.nn import weights
from hdrq.nn.keys import convert
from hdrq.nn.layers.inverted_residuals import Convolution, folding
from hdrq.records import Image
from hdrq.registry import find


@pytest.fixture(autouse=True)
def only_ours(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "nothing"))


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_a_folded_normalisation_is_the_convolution_and_the_normalisation(epsilon: float) -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8, eps=epsilon)
    for tensor in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(tensor)
    norm.running_var.uniform_(0, 0.01)
    norm.eval()
    theirs = {f"a.{k}": t for k, t in conv.state_dict().items()} | {
        f"b.{k}": t for k, t in norm.state_dict().items() if k != "num_batches_tracked"
    }
    ours = Convolution(3, 8, 3, 2, 1, same=False)
    ours.load_state_dict(
        {k.removeprefix("ours."): t for k, t in convert(folding(("a", "b"), "ours", epsilon), theirs).items()}
    )
    x = torch.randn(1, 3, 17, 20)
    torch.testing.assert_close(ours(x), norm(conv(x)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("side", "before", "after"), [(8, 0, 1), (9, 1, 1)])
def test_tensorflows_padding_puts_the_odd_pixel_at_the_end(side: int, before: int, after: int) -> None:
    ours = Convolution(1, 1, 3, 2, 1, same=True)
    x = torch.randn(1, 1, side, side)
    wanted = F.conv2d(F.pad(x, (before, after, before, after)), ours.conv.weight, ours.conv.bias, stride=2)
    assert torch.equal(ours(x), wanted)
    assert ours(x).shape[-1] == -(-side // 2)


@pytest.mark.parametrize(
    ("name", "parameters"), [("efficientnet-lite2", 6_092_072), ("mobilenet-v2", 3_504_872)]
)
def test_a_backbone_has_the_size_of_its_authors(name: str, parameters: int) -> None:
    """Parameters as published count weight and bias of each normalisation; folded, a convolution has one bias a channel."""
    with torch.device("meta"):
        net: Any = find("net", name).build()
    biases = sum(m.conv.bias.numel() for m in net.modules() if isinstance(m, Convolution))
    assert sum(p.numel() for p in net.parameters()) + biases == parameters


@pytest.mark.parametrize("name", ["efficientnet-lite2", "mobilenet-v2"])
def test_every_tensor_of_a_backbone_has_one_name_there(name: str) -> None:
    """The layout's rules make exactly the network's tensors."""
    shelf = find("net", name)
    with torch.device("meta"):
        wanted = shelf.build().state_dict()
    made = [rule.ours for rule in shelf.layouts[0].table if rule.ours and "{" not in rule.ours]
    assert sorted(made) == sorted(k for k in wanted if not k.startswith("classifier"))


def scene() -> Image:
    """A photograph-like rendering, sRGB."""
    light = room(360, 240).float()
    return Image((light / light.quantile(0.98)).clamp(0, 1) ** (1 / 2.2), "srgb")


def test_damage_lowers_the_score() -> None:
    scorer = hdrq.metric("nr")
    image = scene()
    whole = float(scorer(image))
    blurred = F.avg_pool2d(F.pad(image.pixels, (4,) * 4, mode="reflect"), 9, 1)
    grain = torch.randn(image.pixels.shape, generator=torch.Generator().manual_seed(0))
    assert float(scorer(image.with_pixels(blurred))) < whole - 0.03
    assert float(scorer(image.with_pixels((image.pixels + 0.2 * grain).clamp(0, 1)))) < whole - 0.03


def test_statistics_are_means_and_deviations_of_every_stage() -> None:
    net: Any = weights.load("nr")
    x = torch.rand(2, 3, 96, 128)
    found, at = net.statistics(x), 0
    for stage in net.trunk.stages(x):
        width = stage.shape[1]
        torch.testing.assert_close(found[:, at : at + width], stage.mean((2, 3)), atol=1e-4, rtol=1e-3)
        deviation = stage.std((2, 3), correction=0)
        torch.testing.assert_close(found[:, at + width : at + 2 * width], deviation, atol=1e-4, rtol=1e-3)
        at += 2 * width
    assert at == found.shape[1] == len(net.center)


def test_large_photographs_are_seen_at_512_pixels_and_small_ones_as_they_are() -> None:
    scorer, image = hdrq.metric("nr"), scene()
    large = image.with_pixels(F.interpolate(image.pixels, scale_factor=4, mode="bicubic").clamp(0, 1))
    seen: list[tuple[int, ...]] = []
    net = scorer.scorer.net
    inner = net.trunk.stages
    net.trunk.stages = lambda x: (seen.append(tuple(x.shape[-2:])), inner(x))[1]
    scorer(large), scorer(image)
    assert seen == [(512, 768), (240, 360)]


def test_light_passes_the_tone_curve_of_the_card_and_the_row_says_so(tmp_path: Path) -> None:
    light = room(180, 120).float()
    io.write(tmp_path / "a.exr", Image(light, "nits"))
    rows = {}
    for text in ("nr", "reinhard:nr"):
        ran = CliRunner().invoke(
            command_line, ["score", str(tmp_path / "a.exr"), "-m", text, "--format", "json"]
        )
        assert ran.exit_code == 0, ran.output
        (rows[text],) = json.loads(ran.stdout)
    assert rows["nr"]["value"] == pytest.approx(rows["reinhard:nr"]["value"], abs=1e-6)
    assert "light was tone-mapped with reinhard (choose another with OPERATOR:nr)" in rows["nr"]["how"]
    assert "choose another with" not in rows["reinhard:nr"]["how"]
    assert rows["nr"]["weights"].startswith("nr-lite2@")


def test_the_list_says_on_which_scores_of_people_a_metric_was_checked() -> None:
    ran = CliRunner().invoke(command_line, ["list", "metrics", "--format", "json"])
    found = {row["metric"]: row["subjective_scores"] for row in json.loads(ran.stdout)}
    assert found["nr"].startswith("nr-lite2: SROCC 0.74 on 330 photographs")
    assert "SROCC 0.19 (0.07 … 0.29) on 330 photographs" in found["norvdpnetpp"]
    assert found["diqm"] == "not checked on subjective scores here"
    assert found["ssim"] == "SROCC 0.82 (0.77 … 0.97) on 27 images of LIVE release 2"
    assert found["niqe"].startswith("SROCC 0.48 (0.39 … 0.56) on 330 photographs of LIVE In the Wild; SROCC ")
    # on which its model was trained
    assert "LIVE release 2" not in found["brisque"]
    # of tone mappings, on fusions of exposures
    assert "SROCC -0.12" in found["norvdpnetpp"]
    assert found["drim"] == "not checked on subjective scores here"
    assert found["koncept512"] == ""


def test_the_figures_of_the_list_are_those_of_the_results_page() -> None:
    root = Path(__file__).parents[2]
    figures = json.loads((root / "src/hdrq/scoring/metrics/_checked.json").read_text(encoding="utf-8"))
    page = (root / "docs/results.md").read_text(encoding="utf-8")
    rows = page.split("<!-- agreement -->")[1].split("<!-- /agreement -->")[0].strip().splitlines()
    assert rows[0] == f"| metric | {' | '.join(figures['sets'].values())} |"
    said = {row.split(" | ")[0].strip("| "): row for row in rows[2:]}
    assert set(said) == set(figures["metrics"])
    for metric, found in figures["metrics"].items():
        for value, low, high in found.values():
            assert f"| {value:.3f} ({low:.3f} … {high:.3f}) |" in said[metric]


@pytest.mark.shared
def test_people_agree_on_photographs_it_has_not_learnt_from(shared: Path) -> None:
    """Every eleventh of the 330 photographs of LIVE In the Wild."""
    from scipy.stats import spearmanr

    pairs = list(find("dataset", "livec").pairs(shared / "data" / "livec"))[::11]
    rows = [row.value for row in hdrq.score([p.dist for p in pairs], "nr")]
    assert spearmanr(rows, [p.mos for p in pairs])[0] > 0.6

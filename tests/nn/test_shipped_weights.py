"""The weights that come with hdrq: whole, small, and of the opinion they should be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner

import hdrq
from hdrq import io
from hdrq.cards import Output
from hdrq.cli.app import command_line
from hdrq.image.render import room
from hdrq.nn import weights
from hdrq.records import Checkpoint, Image
from hdrq.registry import find
from hdrq.scoring.calibration import in_jod, output_in_jod

HERE = Path(__file__).parents[2] / "models"
NAMES = sorted(p.stem for p in HERE.glob("*.json"))
LIGHT = {
    "pu-vtamiq-lite2": "pu21:vtamiq",
    "pu-vtamiq-small": "pu21:vtamiq",
    "diqm-small": "pu21:diqm",
    "norvdpnetpp-small-hdr": "pu21:norvdpnet++",
}


@pytest.fixture(autouse=True)
def only_ours(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "nothing"))


@pytest.fixture(scope="module")
def scene() -> torch.Tensor:
    """(1, 3, 256, 256) cd/m²"""
    return room(256, 256).float()


@pytest.mark.parametrize("name", NAMES)
def test_a_card_describes_its_file(name: str) -> None:
    card, path = weights.find_card(name)
    weights.verified(card, path)
    assert card.licence
    assert card.data
    if card.recipe.startswith("distilled from"):
        assert path.stat().st_size < 12e6
        assert card.results["held_out_scenes"]
        assert card.results["agreement"]["all"]["rows"] > 100
    elif card.options.get("operator"):
        assert card.results["judge"]["tmqi_gain"][1] > 0.04
        assert card.results["judge"]["mef-ssim_gain"][1] > 0
    elif card.recipe.startswith("trained by"):
        assert "srocc_interval" in str(card.results["checked"])
    elif card.recipe.startswith("fine-tuned"):
        # on subjective scores: better than NIQE on photographs that nobody trained on
        assert card.results["held_out_scenes"]
        figures = json.loads((Path(hdrq.__file__).parent / "scoring/metrics/_checked.json").read_text())[
            "metrics"
        ]
        assert figures[f"{card.net}@{name}"]["livec"][0] > figures["niqe"]["livec"][0]
    else:
        assert card.recipe.startswith("imported as")
        assert "(sha256 " in card.recipe


def test_the_weights_that_come_with_hdrq_stay_small() -> None:
    assert sum(p.stat().st_size for p in HERE.glob("*.safetensors")) < 60e6


@pytest.mark.parametrize("name", [n for n in NAMES if n in LIGHT])
@pytest.mark.parametrize("distortion", ["noise", "blur", "jpeg-pq"])
def test_more_distortion_is_worse(name: str, distortion: str, scene: torch.Tensor) -> None:
    scorer = hdrq.metric(f"{LIGHT[name]}@{name}")
    spoil = find("distortion", distortion)
    code = find("encoding", spoil.card.encoding or "pu21")
    said = []
    for level in (0.0, 2.5, 5.0):
        if spoil.card.acts == "light":
            dist = spoil(scene, level)
        else:
            dist = code.decode(spoil(code.encode(scene), level, 0, float(code.encode(scene).max())))
        said.append(float(scorer(scene, dist) if scorer.full_reference else scorer(dist)))
    if scorer.better == "lower":
        said = [-v for v in said]
    assert said[0] > said[1] > said[2]


def test_pu_vtamiq_answers_on_a_fresh_install_and_says_who_answers(scene, tmp_path) -> None:
    ref, dist = tmp_path / "ref.exr", tmp_path / "dist.exr"
    io.write(ref, Image(scene, "nits"))
    io.write(
        dist,
        Image(
            scene
            * (1 + 0.2 * torch.randn(scene.shape, generator=torch.Generator().manual_seed(0))).clamp(min=0),
            "nits",
        ),
    )
    ran = CliRunner().invoke(
        command_line, ["score", str(ref), str(dist), "--metric", "pu-vtamiq", "--format", "csv"]
    )
    assert ran.exit_code == 0, ran.output
    assert "pu-vtamiq-lite2@" in ran.stdout
    assert "by default pu-vtamiq-lite2, a small network distilled from the mean of five metrics" in ran.stdout
    assert "identical images have the best score" in ran.stdout


def test_norvdpnet_needs_no_encoding_to_be_named(scene, tmp_path) -> None:
    io.write(tmp_path / "a.exr", Image(scene, "nits"))
    ran = CliRunner().invoke(
        command_line, ["score", str(tmp_path / "a.exr"), "-m", "norvdpnet++", "--format", "csv"]
    )
    assert ran.exit_code == 0, ran.output
    assert "norvdpnetpp-small-hdr@" in ran.stdout


@pytest.mark.parametrize(
    "name", ["pu-vtamiq-lite2", "pu-vtamiq-small", "norvdpnetpp-small-hdr", "diqm-small"]
)
def test_calibrated_students_answer_in_jod(name: str, scene: torch.Tensor) -> None:
    asked = f"{LIGHT[name]}@{name}"
    scorer = hdrq.metric(asked)
    assert (scorer.unit, scorer.better) == ("JOD", "higher")
    assert scorer.span == ((None, 10) if "vtamiq" in name else (0, 10))
    assert scorer.best == (10 if scorer.full_reference else None)
    start, slope = json.loads((HERE / f"{name}.json").read_text())["results"]["jod"]
    assert (slope < 0) == ("vtamiq" in name)
    spoilt = scene * (1 + 0.2 * torch.rand(scene.shape, generator=torch.Generator().manual_seed(1)))
    given = (scene, spoilt) if scorer.full_reference else (spoilt,)
    found = scorer.read(*given)
    assert torch.allclose(found.value, start + slope * found.extra["score"])
    assert 0 < float(found.value) < 10
    assert torch.allclose(hdrq.metric(asked, checked=False)(*given), found.value, atol=1e-3)


@pytest.mark.parametrize("name", ["pu-vtamiq-lite2", "pu-vtamiq-small", "diqm-small"])
def test_identical_images_have_10_jod_and_nothing_has_more(name: str, scene: torch.Tensor) -> None:
    ask = hdrq.metric(f"{LIGHT[name]}@{name}")
    stripes = (torch.arange(128) % 8 < 4).float().expand(1, 3, 128, 128) * 1000
    for image in (scene, stripes):
        assert float(ask(image, image)) == pytest.approx(10, abs=1e-5)
    steps = [float(ask(scene, scene * f)) for f in (1.0001, 0.9999, 1.01, 0.9)]
    assert steps[0] > 9.99
    assert max(steps) <= 10


def test_a_score_beyond_the_best_is_the_best_only_where_weights_are_distilled() -> None:
    net = SimpleNamespace(
        checkpoint=Checkpoint("x", "vtamiq", {}, "pu21", "sdr", "", {}, "distilled from hdrvdp3")
    )
    beyond, line = torch.tensor([-0.5, 0.5]), (10.0, -10.0)
    assert in_jod(line, beyond, net).tolist() == [10, 5]
    net.checkpoint = replace(net.checkpoint, recipe="imported as vtamiq from x.pth")
    assert in_jod(line, beyond, net).tolist() == [15, 5]


@pytest.mark.parametrize(("name", "best"), [("diqm", 1), ("pieapp", 0), ("pu-pieapp", 1)])
def test_only_distilled_weights_give_identical_images_the_best_score(name: str, best: float) -> None:
    metric, pu = find("metric", name), find("encoding", "pu21")
    torch.manual_seed(0)
    module = find("net", metric.card.net).build().eval()
    card = Checkpoint("x", metric.card.net, {}, "pu21", "sdr", "", {}, "imported as x from x.pth")
    net = weights.prepare(module, card)
    given = {"net": net} | ({"encoding": pu} if "encoding" in metric.card.needs else {})
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.5
    with torch.no_grad():
        plain = {"compat": "no"} if name == "diqm" else {}
        theirs = [metric(image, other, **given, **plain).value for other in (image, 1 - image)]
        net.checkpoint = replace(card, recipe="distilled from hdrvdp3, run 1")
        ours = [metric(image, other, **given).value for other in (image, 1 - image)]
    assert float(theirs[0]) != pytest.approx(best, abs=1e-3)
    assert float(ours[0]) == pytest.approx(best, abs=1e-6)
    if name == "diqm":
        assert ours[1] == pytest.approx((theirs[1] / theirs[0]).clamp(max=1))
    else:
        assert ours[1] - theirs[1] == pytest.approx(best - theirs[0], abs=1e-5)


def test_scores_without_calibration_keep_their_unit() -> None:
    assert hdrq.metric("norvdpnet++@norvdpnetpp-small-tmo").unit == "1"


def test_what_a_calibrated_value_means_follows_from_its_line() -> None:
    of_distance = Output("q", "1", "lower", (0.0, None), 0.0)
    assert output_in_jod((10.0, -10.0), of_distance) == Output("jod", "JOD", "higher", (None, 10.0), 10.0)
    of_share = Output("share", "1", "higher", (0.0, 1.0))
    assert output_in_jod((2.0, 8.0), of_share) == Output("jod", "JOD", "higher", (2.0, 10.0))

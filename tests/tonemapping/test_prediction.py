"""Parameters of an operator that a network predicts, and how metrics teach it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import hdrq
from hdrq.cli.app import command_line
from hdrq.errors import MissingPart, UsageError
from hdrq.nn.weights import save
from hdrq.records import Image
from hdrq.registry import find
from hdrq.tonemapping.optimize import LEVELS
from hdrq.tonemapping.plan import plan
from hdrq.tonemapping.prediction import described, predicted, ranges_of, weights_for
from hdrq.training.images.image_loop import ImageLearner, batch_of, chance_of
from hdrq.training.images.image_settings import adjusted
from hdrq.training.images.scenes import Scene

OPTIONS = {
    "operator": "sigmoid",
    "parameters": [["alpha", 0.02, 50.0], *([r.name, r.low, r.high] for r in LEVELS)],
    "width": 8,
}


def light(h: int = 61, w: int = 90, seed: int = 0) -> Tensor:
    """A scene of about twelve stops."""
    g = torch.Generator().manual_seed(seed)
    stops = torch.nn.functional.interpolate(torch.randn(1, 3, 6, 8, generator=g) * 3, (h, w), mode="bicubic")
    return stops.exp2()


def net(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return find("net", "tone-parameters").build(**OPTIONS).eval()


@pytest.fixture
def weights(monkeypatch, tmp_path) -> torch.nn.Module:
    """Weights called "mine" in the user's folder."""
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    module = net()
    save(
        module,
        name="mine",
        net="tone-parameters",
        options=OPTIONS,
        encoding="linear",
        recipe="test",
        results={"default": False},
    )
    return module


def test_the_answer_depends_on_neither_unit_nor_size() -> None:
    scene, module = light(64, 96), net()
    answer = module(scene)
    assert answer.shape == (1, 3)
    assert torch.allclose(module(scene * 1000), answer, atol=1e-4)
    large = scene.repeat_interleave(8, 2).repeat_interleave(8, 3)
    assert torch.allclose(module(large), answer, atol=0.02)
    assert not torch.allclose(module(light(64, 96, seed=1)), answer, atol=1e-3)
    both = module(torch.cat([scene, light(64, 96, seed=1)]))
    assert torch.allclose(both[:1], answer, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (33, 17)])
def test_any_size_black_and_constant_images_have_an_answer(size) -> None:
    module = net()
    for scene in (
        light(40, 40)[..., : size[0], : size[1]],
        torch.zeros(1, 3, *size),
        torch.ones(1, 1, *size),
    ):
        assert bool(torch.isfinite(module(scene)).all())


def test_a_new_network_begins_at_the_operators_own_settings() -> None:
    for name in ("auto-sigmoid", "auto-drago", "auto-reinhard"):
        settings = find("recipe", name).chosen()
        operator = find("tonemapper", settings.options["operator"])
        values = [
            float(r.value(torch.tensor(u)))
            for r, u in zip(ranges_of(settings.options), settings.options["start"])
        ]
        defaults = [operator.options[n].default for n in operator.card.tunes if n not in operator.card.colour]
        for value, default in zip(values, [*defaults, 0.0, 1.0]):
            assert default is None or value == pytest.approx(default, rel=1e-3, abs=1e-3)


def test_metrics_teach_the_parameters() -> None:
    recipe = find("recipe", "auto-sigmoid")
    settings = adjusted(
        recipe.chosen(), {"loss.mef-ssim": "0", "batch": "1", "options.width": "8", "rate": "0.02"}
    )
    torch.manual_seed(0)
    learner = ImageLearner(recipe, settings, torch.device("cpu"), lambda module: None)
    scene = Scene("a", light(180, 200)[0] * 0.01)
    batch = batch_of([recipe.example([scene], settings, chance_of(0, 0, 1))], torch.device("cpu"))
    values = [learner.step(batch, 1.0)[0] for _ in range(5)]
    assert values[-1] < values[0] - 0.01
    with torch.no_grad():
        answer = recipe.output(learner.module, batch, settings)
    assert float(answer.image.min()) >= 0
    assert float(answer.image.max()) <= 1
    assert answer.stack is not None
    assert answer.stack.shape[:2] == (1, 6)


def test_predicted_parameters_are_those_of_the_network(weights) -> None:
    scene = light()
    made = predicted(scene, plan("sigmoid", auto="mine"))
    places = weights(scene)[0].double()
    alpha, ev, power = (r.value(u).item() for r, u in zip(ranges_of(OPTIONS), places))
    assert made.settings == {"alpha": pytest.approx(alpha, rel=1e-5)}
    assert made.levels == pytest.approx((ev, power), rel=1e-5)
    assert f"alpha={alpha:.4g}" in described(made)
    image = hdrq.tonemap(scene, "sigmoid", auto="mine")
    same = hdrq.tonemap(scene, "sigmoid", alpha=alpha, levels=(ev, power))
    assert torch.allclose(image.pixels, same.pixels, atol=1e-6)
    assert any("predicted" in note for note in image.notes)


def test_what_is_stated_is_kept(weights) -> None:
    made = predicted(light(), plan("sigmoid", {"alpha": 3.0}, auto="mine", levels=(0.5, 1.2)))
    assert made.settings == {"alpha": 3.0}
    assert made.levels == (0.5, 1.2)


def test_weights_of_ones_own_are_used_by_name_only(weights) -> None:
    assert weights_for("sigmoid", "mine").name == "mine"
    with pytest.raises(UsageError, match="mine predicts the parameters of sigmoid, not those of drago"):
        weights_for("drago", "mine")
    with pytest.raises(MissingPart, match="no weights predict the parameters of schlick"):
        weights_for("schlick")


def test_the_command_predicts_for_every_file(weights, tmp_path: Path) -> None:
    for k in range(2):
        hdrq.write(tmp_path / f"{k}.exr", Image(light(seed=k), "linear"))
    run = CliRunner().invoke
    out = tmp_path / "out"
    done = run(
        command_line,
        [
            "tonemap",
            str(tmp_path / "*.exr"),
            str(out) + "/",
            "--operator",
            "sigmoid",
            "--auto",
            "--weights",
            "mine",
        ],
    )
    assert done.exit_code == 0, done.output
    assert done.output.count("predicted parameters") == 2
    for k in range(2):
        scene = hdrq.read(tmp_path / f"{k}.exr")
        wanted = hdrq.tonemap(scene, "sigmoid", auto="mine").pixels
        assert torch.allclose(hdrq.read(out / f"{k}.png").pixels, wanted, atol=0.003)
    for more, reason in (
        (["--optimize", "tmqi"], "different ways"),
        (["--temporal", "3"], "contradict"),
        (["--save-params", "p.json"], "contradict"),
    ):
        done = run(
            command_line,
            [
                "tonemap",
                str(tmp_path / "0.exr"),
                str(tmp_path / "x.png"),
                "--operator",
                "sigmoid",
                "--auto",
                *more,
            ],
        )
        assert isinstance(done.exception, UsageError)
        assert reason in str(done.exception)
    done = run(
        command_line, ["tonemap", str(tmp_path / "0.exr"), str(tmp_path / "x.png"), "--weights", "mine"]
    )
    assert "without --auto" in str(done.exception)


def test_weights_that_are_distributed_say_what_they_were_measured_on() -> None:
    for card in hdrq.models():
        if card.net == "tone-parameters" and card.card is not None and card.card.results.get("default"):
            assert "judge" in json.dumps(card.card.results)

"""Networks whose output is an image: examples, the training loop, weights with a card."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from hashlib import sha256

import pytest
import torch
from torch import Tensor, nn

import hdrq
from hdrq.encoding.reading import reading_of
from hdrq.errors import HdrqError, UsageError
from hdrq.image.color import convert
from hdrq.nn.net import Net, mix, pattern
from hdrq.records import BT2020, Image
from hdrq.registry import find
from hdrq.training import api
from hdrq.training.images import brackets, exposures, image_loop, image_run, image_settings
from hdrq.training.images.camera import (
    Response,
    noisy,
    photograph,
    random_orientation,
    random_response,
    well_exposed,
    window,
)
from hdrq.training.images.image_loop import ImageStep, ImageValidation, chance_of, fit_images
from hdrq.training.images.image_recipe import ImageOutput, ImageRecipe
from hdrq.training.images.image_settings import LENGTH, ImageSettings, adjusted, plain
from hdrq.training.images.scenes import Scene, read_scenes, series, split
from hdrq.training.request import TrainingRequest


class Small(nn.Module):
    """Two convolutions on code."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, width, 3, padding=1)
        self.head = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, code: Tensor) -> Tensor:
        return nn.functional.softplus(self.head(nn.functional.relu(self.body(code))) + 2 * code - 1)


SMALL = Net("small", Small, (), witness=lambda net: mix(net(pattern(1, 3, 16, 16))), small={"width": 2})
RECIPE = ImageRecipe(
    name="small",
    net="small",
    source="this test",
    example=exposures.example,
    output=lambda module, batch, settings: ImageOutput(
        module(batch["code"]), "linear", target=batch["light"].clamp(max=4)
    ),
)
RUN = ImageSettings(net="small", crop=24, batch=2, steps=4, epochs=2, rate=3e-3, held_crops=1)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Four scenes of smooth light over about ten stops."""
    made = []
    for k in range(4):
        g = torch.Generator().manual_seed(k)
        stops = torch.nn.functional.interpolate(
            torch.randn(1, 3, 7, 9, generator=g) * 3, size=(96, 128), mode="bicubic"
        )[0]
        made.append(Scene(f"scene{k}", stops.exp2()))
    return made


@pytest.fixture
def shelf(monkeypatch):
    """The registry knows the network and the recipe of this test."""
    from hdrq import registry

    own = {("net", "small"): SMALL, ("recipe", "small"): RECIPE}

    def find(kind: str, name: str):
        return own.get((kind, name)) or registry.find(kind, name)

    for module in (image_loop, image_run, __import__("hdrq.nn.weights", fromlist=["find"])):
        monkeypatch.setattr(module, "find", find)
    monkeypatch.setattr(image_run, "names", lambda kind: (*registry.names(kind), "small"))


ADVERSARIAL = [n for n in hdrq.names("loss") if find("loss", n).card.critics]


def losses(records) -> list[float]:
    return [r.loss for r in records if isinstance(r, ImageStep)]


def test_the_response_family_and_its_inverse_agree() -> None:
    r = Response("sigmoid", 0.9, 0.6)
    x = torch.linspace(0, 1, 33, dtype=torch.float64)
    assert torch.allclose(r.light(r.code(x)), x, atol=1e-12)
    assert float(r.code(torch.tensor(0.5, dtype=torch.float64))) == pytest.approx(
        1.6 * 0.5**0.9 / (0.5**0.9 + 0.6)
    )
    drawn = [random_response("random", torch.Generator().manual_seed(i)) for i in range(200)]
    n, sigma = (torch.tensor([getattr(d, name) for d in drawn]) for name in ("n", "sigma"))
    assert float(n.mean()) == pytest.approx(0.9, abs=0.02)
    assert float(n.std()) == pytest.approx(0.1, abs=0.02)
    assert float(sigma.mean()) == pytest.approx(0.6, abs=0.02)


def test_noise_has_the_variance_of_photons_and_read_noise() -> None:
    light = torch.full((3, 200, 200), 0.25)
    seen = noisy(light, 1000.0, 5.0, torch.Generator().manual_seed(0))
    assert float(seen.mean()) == pytest.approx(0.25, abs=1e-3)
    assert float(seen.var()) == pytest.approx((0.25 * 1000 + 25) / 1e6, rel=0.03)
    code = photograph(light * 8, Response("linear"), torch.Generator(), electrons=1000, read=5)
    assert float(code.min()) == 1.0


def test_examples_are_well_exposed_and_follow_their_seed(scenes) -> None:
    run = replace(RUN, electrons=(0.0, 0.0), response="srgb", bits=0)
    shares = []
    for i in range(12):
        made = exposures.example(scenes, run, chance_of(0, 0, i))
        again = exposures.example(scenes, run, chance_of(0, 0, i))
        assert all(torch.equal(made[k], again[k]) for k in made)
        shares.append(well_exposed(made["code"]))
        assert torch.allclose(made["code"], Response("srgb").code(made["light"]), atol=1e-6)
    assert sum(0.5 <= s <= 0.75 for s in shares) >= 10
    other = exposures.example(scenes, run, chance_of(0, 1, 0))
    assert not torch.equal(other["code"], exposures.example(scenes, run, chance_of(0, 0, 0))["code"])


def test_a_bracket_without_motion_is_one_scene_at_its_exposures(scenes) -> None:
    run = replace(
        RUN,
        shift=0.0,
        turn=0.0,
        moving=0,
        electrons=(0.0, 0.0),
        bits=0,
        response="linear",
        ev=(-2.0, 0.0, 1.0),
    )
    made = brackets.example(scenes, run, chance_of(0, 0, 3))
    assert made["exposure"].tolist() == [0.25, 1.0, 2.0]
    for frame, times in zip(made["stack"], made["exposure"]):
        assert torch.allclose(frame, (made["light"] * times).clamp(max=1), atol=1e-6)


def test_the_frames_of_a_moving_bracket_are_shifted_by_the_camera(scenes) -> None:
    run = replace(RUN, turn=0.0, moving=0, electrons=(0.0, 0.0), bits=0, response="linear", crop=32)
    world = scenes[0].light[:, :50, :50]
    step = (2.0, -3.0, 0.0)
    still, after = (brackets._frame(world, step, t, 9, 32) for t in (0, 1))
    assert torch.equal(still, world[:, 9:41, 9:41])
    assert torch.allclose(after, world[:, 11:43, 6:38], rtol=1e-4)
    made = brackets.example(scenes, run, chance_of(0, 0, 5))
    dark = (made["stack"][0] - made["light"] * 0.25).abs().max()
    assert float(dark) > 1e-3


def test_a_camera_turned_by_a_right_angle_sees_the_crop_turned() -> None:
    world = torch.rand(3, 50, 50, generator=torch.Generator().manual_seed(0))
    crop = world[:, 9:41, 9:41]
    assert torch.allclose(
        brackets._frame(world, (0.0, 0.0, 90.0), 1, 9, 32), torch.rot90(crop, 1, (1, 2)), atol=1e-5
    )
    assert torch.allclose(
        brackets._frame(world, (0.0, 0.0, 45.0), -2, 9, 32), torch.rot90(crop, 3, (1, 2)), atol=1e-5
    )
    both = brackets._frame(world, (1.0, 2.0, 45.0), 2, 9, 32)
    assert torch.allclose(both, torch.rot90(world[:, 11:43, 13:45], 1, (1, 2)), atol=1e-5)


def test_patches_have_about_the_level_of_the_scene_and_a_place_in_the_crop() -> None:
    """Sides are 12 to 40 % of the crop, levels within 1.5 stops of the geometric mean, masks soft ellipses."""
    scene = Scene("s", torch.full((3, 64, 64), 8.0))
    run = replace(RUN, moving=3, speed=4.0, crop=40)
    world, chance = torch.full((3, 60, 60), 2.0), torch.Generator().manual_seed(0)
    found = [p for _ in range(100) for p in brackets._patches([scene], run, world, 10, chance)]
    assert 120 < len(found) < 180  # 0 to 3 a bracket
    stops = torch.tensor([float(light.mean() / 2) for light, *_ in found]).log2()
    assert 1.3 < float(stops.abs().max()) <= 1.5 + 1e-4
    assert abs(float(stops.mean())) < 0.3
    sides = [light.shape[-1] for light, *_ in found]
    assert (min(sides), max(sides)) == (5, 16)
    for light, mask, (top, left), speed in found:
        side = light.shape[-1]
        assert 10 <= top < 10 + 40 - side + 1
        assert 10 <= left < 10 + 40 - side + 1
        assert max(map(abs, speed)) <= 4
        assert float(mask[0, 0, 0]) == 0
        assert float(mask[0, side // 2, side // 2]) == pytest.approx(1, abs=0.5)
    assert max(max(map(abs, speed)) for *_, speed in found) > 3.5


def test_the_level_of_light_is_its_geometric_mean_with_black_at_a_millionth() -> None:
    light = torch.tensor([1.0, 100.0]).expand(3, 1, 2)
    assert brackets._mean(light) == pytest.approx(10)
    assert brackets._mean(torch.tensor([1.0, 0.0]).expand(3, 1, 2)) == pytest.approx(1e-3)


def test_moving_patches_move_between_frames() -> None:
    world = torch.ones(3, 40, 40)
    patch = (torch.full((3, 8, 8), 9.0), torch.ones(1, 8, 8), (10, 12), (3.0, -2.0))
    for time in (-1, 0, 1):
        seen = brackets._composed(world, [patch], time)
        rows = (seen[0] > 5).nonzero()
        assert rows.amin(0).tolist() == [10 + 3 * time, 12 - 2 * time]
        assert len(rows) == 64
    assert float(world.max()) == 1.0


def test_windows_and_turns_keep_the_light() -> None:
    ramp = torch.arange(3.0)[:, None, None] * 1000 + torch.arange(64.0 * 64).reshape(1, 64, 64)
    g = torch.Generator().manual_seed(1)
    assert window(ramp, 16, 1.0, g).shape == (3, 16, 16)
    assert window(torch.ones(3, 64, 64), 16, 4.0, g).allclose(torch.ones(3, 16, 16))
    seen = {tuple(random_orientation(ramp, g)[:, 0, 0].tolist()) for _ in range(200)}
    assert len(seen) == 4 * 6  # four corners, six orders of the channels
    kept = {tuple(random_orientation(ramp, g, swap=False)[:, 0, 0].tolist()) for _ in range(50)}
    assert len(kept) == 4


def test_scenes_to_judge_by_are_never_read(tmp_path) -> None:
    for name in ("a_01", "a_02", "b", "c"):
        hdrq.write(tmp_path / f"{name}.exr", Image(torch.rand(1, 3, 40, 48) + 0.1, "linear"))
    with (tmp_path / "scenes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "use"], *([f"{n}.exr", "learn"] for n in ("a_01", "a_02", "b"))])
        csv.writer(file).writerow(["c.exr", "judge"])
    found = read_scenes(tmp_path)
    assert [s.name for s in found] == ["a_01", "a_02", "b"]
    assert series("x/brown_01_1k") == series("x/brown_02_1k") == "x/brown"
    for seed in range(5):
        train_part, held = split(found, 0.5, (), seed)
        assert {series(s.name) for s in train_part}.isdisjoint(series(s.name) for s in held)
    assert [s.name for s in split(found, 0.5, ("b",), 0)[1]] == ["b"]
    with pytest.raises(UsageError, match="no scene 'z'"):
        split(found, 0.5, ("z",), 0)


def test_scenes_are_read_as_stated_and_what_is_lost_is_noted(shelf, tmp_path) -> None:
    light = torch.rand(1, 3, 40, 48) + 0.1
    odd = light.clone()
    odd[0, 0, 3, 5], odd[0, 1, 7, 9] = -2.0, float("nan")
    for name, pixels in (("a", light), ("b", odd)):
        hdrq.write(tmp_path / f"{name}.exr", Image(pixels, "linear"), depth="float")
    with pytest.raises(HdrqError, match=r"b\.exr.*NaN"):
        read_scenes(tmp_path)
    a, b = read_scenes(tmp_path, reading_of({"nonfinite": "clamp"}))
    assert torch.allclose(a.light, light[0], rtol=1e-6)
    assert float(b.light[0, 3, 5]) == 0
    assert float(b.light[1, 7, 9]) == 0
    assert a.notes == ()
    assert any("1 " in text and "negative" in text.lower() for text in b.notes), b.notes
    wide = read_scenes(tmp_path, reading_of({"nonfinite": "clamp", "file_primaries": "bt2020"}))[0]
    assert torch.allclose(wide.light, convert(light, BT2020)[0].clamp(min=0), rtol=1e-5, atol=1e-6)
    assert any("outside" in text for text in wide.notes), wide.notes
    asked = TrainingRequest(recipe="small", data=tmp_path, settings={"files.nonfinite": "clamp"}, small=True)
    assert image_run.plan_images(replace(asked, output=tmp_path / "run")).settings.files == {
        "nonfinite": "clamp"
    }


def test_settings_are_converted_and_checked() -> None:
    run = adjusted(RUN, {"rate": "0.01", "ev": "[-3, 0, 3]", "loss.pu21:l2": "0.5", "loss.mu:l1": "0"})
    assert run.rate == 0.01
    assert run.ev == (-3, 0, 3)
    assert run.loss == {"pu21:l2": 0.5}
    assert run.digest != RUN.digest
    assert replace(RUN, epochs=9).digest == RUN.digest
    assert plain(json.loads(json.dumps({"net": "x", "ev": [0, 1]}))).ev == (0, 1)
    assert adjusted(RUN, {"ev": "-3,0,3", "electrons": "0,0"}).ev == (-3.0, 0.0, 3.0)
    assert adjusted(RUN, {"held_scenes": "a, 07", "metrics": "7"}).held_scenes == ("a", "07")
    wrongs = (
        {"batch": "1.5"},
        {"rat": 1},
        {"ev": "[1, 0]"},
        {"rate.x": 1},
        {"optimiser": "lion"},
        {"ev": "a,b"},
    )
    for wrong in wrongs:
        with pytest.raises(UsageError):
            adjusted(RUN, wrong)


@pytest.mark.parametrize("loss", [{"mu:l1": 1.0}, {"mu:l2": 1.0, "mu:lsgan": 0.1}], ids=["l1", "gan"])
def test_a_resumed_training_gives_the_same_weights(shelf, scenes, tmp_path, loss) -> None:
    run = replace(RUN, loss=loss, ema=0.9, critic_scales=2)
    train_part, held = scenes[:3], scenes[3:]
    whole = losses(fit_images(RECIPE, run, train_part, held, tmp_path / "whole"))
    assert len(whole) == 8
    first = losses(fit_images(RECIPE, replace(run, epochs=1), train_part, held, tmp_path / "parts"))
    again = losses(fit_images(RECIPE, replace(run, epochs=1), train_part, held, tmp_path / "again"))
    assert first == again
    one, two = (
        torch.load(tmp_path / f / "last.pt", weights_only=True)["learner"] for f in ("parts", "again")
    )
    for part in set(one) & {"module", "critic"}:
        assert all(torch.equal(one[part][k], two[part][k]) for k in one[part])


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("scales", [1, 2])
def test_an_interrupted_training_goes_on_to_the_same_bits(shelf, scenes, tmp_path, name, scales) -> None:
    """Every adversarial loss, with one discriminator and with several."""
    loss = {"mu:l1": 1.0, f"mu:{name}": 0.1}
    run = replace(RUN, loss=loss, schedule="constant", critic_scales=scales)
    whole = losses(fit_images(RECIPE, run, scenes[:3], scenes[3:], tmp_path / "whole"))
    records = fit_images(RECIPE, run, scenes[:3], scenes[3:], tmp_path / "parts", save_every=0.0)
    begun = [next(records) for _ in range(4)]  # step, file, step, file
    records.close()
    rest = losses(fit_images(RECIPE, run, scenes[:3], scenes[3:], tmp_path / "parts", resume=True))
    assert losses(begun) + rest == whole
    rows = list(csv.DictReader((tmp_path / "parts" / "metrics.csv").open()))
    assert [int(r["step"]) for r in rows if r["kind"] == "step"] == list(range(1, 9))


def test_every_discriminator_learns(shelf, scenes, tmp_path) -> None:
    run = replace(RUN, loss={"mu:l1": 1.0, "mu:lsgan": 0.1}, critic_scales=2, epochs=1)
    first, *_ = fit_images(RECIPE, replace(run, steps=1), scenes, [], tmp_path / "a")
    list(fit_images(RECIPE, replace(run, steps=1), scenes, [], tmp_path / "one"))
    list(fit_images(RECIPE, replace(run, steps=2, schedule="constant"), scenes, [], tmp_path / "two"))
    one, two = (
        torch.load(tmp_path / f / "last.pt", weights_only=True)["learner"]["critic"] for f in ("one", "two")
    )
    assert all(not torch.equal(one[k], two[k]) for k in one)
    # least squares of scores near 0 at both scales: (1 + 0) / 2, the mean and not the sum
    assert first.critic == pytest.approx(0.5, abs=0.15)


def test_settings_that_came_later_leave_the_digest_of_earlier_trainings() -> None:
    """These digests are of version 0.2 before critic_scales: their checkpoints still resume."""
    assert ImageSettings(net="small").digest == "3fb540687be7"
    adversarial = ImageSettings(net="small", loss={"mu:l1": 1.0, "mu:gan": 0.1}, crop=24)
    assert adversarial.digest == "5904735fafce"
    assert replace(adversarial, critic_scales=2).digest != adversarial.digest
    stored = {k: v for k, v in asdict(adversarial).items() if k != "critic_scales"}
    assert plain(json.loads(json.dumps(stored))) == adversarial


def test_it_learns_and_the_callers_random_numbers_stay(shelf, scenes, tmp_path) -> None:
    before = torch.get_rng_state()
    run = replace(RUN, epochs=2, steps=20, batch=4, rate=2e-2, metrics=("pu21:psnr",), held_crops=2)
    seen = [
        r for r in fit_images(RECIPE, run, scenes[:3], scenes[3:], tmp_path) if isinstance(r, ImageValidation)
    ]
    assert torch.equal(before, torch.get_rng_state())
    assert seen[-1].scores["loss"] < 0.95 * seen[0].scores["loss"]
    assert seen[-1].scores["pu21:psnr"] > seen[0].scores["pu21:psnr"]
    assert seen[0].best
    assert (tmp_path / "curves.png").exists()


def test_train_writes_weights_with_a_card_and_resumes_by_folder(shelf, scenes, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    data = tmp_path / "data"
    data.mkdir()
    for scene in scenes:
        hdrq.write(data / f"{'abcd'[int(scene.name[-1])]}.exr", Image(scene.light[None], "linear"))
    asked = TrainingRequest(
        recipe="small", data=data, output=tmp_path / "run", settings={"crop": "24"}, small=True
    )
    *_, done = image_run.train_images(asked, torch.device("cpu"))
    card = json.loads(done.card.read_text())
    assert card["net"] == "small"
    assert card["options"] == {"width": 2}
    assert card["encoding"] == "linear"
    assert len(card["training"]["source"]["scenes"]) == 3
    assert card["results"]["loss"] == done.scores["loss"]
    more = image_run.as_images(
        TrainingRequest(resume=True, output=tmp_path / "run", settings={"epochs": "3"})
    )
    assert more is not None
    assert more.recipe == "small"
    steps = [r for r in image_run.train_images(more, torch.device("cpu")) if isinstance(r, ImageStep)]
    assert [s.step for s in steps] == [7, 8, 9]
    more = replace(more, settings={})
    assert image_run.plan_images(more).settings.epochs == 3  # the folder holds its new length
    with pytest.raises(UsageError, match="has trained 3 epochs already, more than epochs=2"):
        image_run.plan_images(replace(more, settings={"epochs": "2"}))
    named = replace(asked, name="mine", output=tmp_path / "named")
    assert list(image_run.train_images(named, torch.device("cpu")))[-1].name == "mine"
    again = image_run.as_images(TrainingRequest(resume=True, output=tmp_path / "named"))
    assert again is not None
    assert image_run.plan_images(again).name == "mine"
    with pytest.raises(UsageError, match="rate was"):
        image_run.plan_images(replace(more, settings={"rate": "1"}))
    with pytest.raises(UsageError, match="--resume"):
        image_run.plan_images(asked)
    with pytest.raises(UsageError, match="leave out --dataset"):
        image_run.plan_images(replace(asked, dataset="kadid"))
    assert image_run.as_images(TrainingRequest(recipe="qdnet")) is None
    assert api.train.__module__ == "hdrq.training.api"
    assert image_settings.reduced(RUN, {}).steps == 3


@pytest.mark.parametrize(
    "name", [n for n in hdrq.names("recipe") if isinstance(find("recipe", n), ImageRecipe)]
)
def test_every_image_recipe_runs_small(scenes, tmp_path, monkeypatch, name) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    for scene in scenes:
        light = torch.nn.functional.interpolate(scene.light[None], size=(192, 256), mode="bilinear")
        hdrq.write(tmp_path / f"{'abcd'[int(scene.name[-1])]}.exr", Image(light, "linear"))
    asked = TrainingRequest(
        recipe=name,
        data=tmp_path,
        output=tmp_path / "run",
        name="tried",
        small=True,
        settings={"epochs": "1"},
    )
    *_, done = image_run.train_images(asked, torch.device("cpu"))
    assert done.scores["loss"] > 0


def test_crops_smaller_than_a_loss_can_read_are_refused(tmp_path) -> None:
    asked = TrainingRequest(
        recipe="auto-sigmoid", data=tmp_path, output=tmp_path / "run", settings={"crop": "160"}
    )
    with pytest.raises(UsageError, match="at least 161 pixels a side; use --set crop=161"):
        image_run.plan_images(asked)
    for given in ({"loss.lsgan": "1", "critic_scales": "3"}, {"loss.patch-structure,scales=3": "1"}):
        small = replace(asked, recipe="expandnet", settings={"crop": "19", **given})
        with pytest.raises(UsageError, match=r"(lsgan reads .* 32|scales=3 reads .* 20) pixels a side"):
            image_run.plan_images(small)
    for wrong in ("0", "9", "1.5"):
        with pytest.raises(UsageError, match="critic_scales"):
            adjusted(RUN, {"critic_scales": wrong})


def test_the_setting_metrics_is_read_by_its_former_name() -> None:
    """Runs and cards of version 0.1 call it judged; their digests still hold."""
    now, before = adjusted(RUN, {"metrics": "pu21:psnr"}), adjusted(RUN, {"judged": "pu21:psnr"})
    assert now == before
    stored = asdict(now)
    stored["judged"] = stored.pop("metrics")
    assert plain(json.loads(json.dumps(stored))) == now
    # critic_scales came later, see above
    named = json.dumps(
        {k: v for k, v in stored.items() if k not in (*LENGTH, "critic_scales")}, sort_keys=True
    )
    assert now.digest == sha256(named.encode()).hexdigest()[:12]

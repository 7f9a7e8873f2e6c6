"""hdrq train from the prompt, on a small archive of KADID-10k's true layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.errors import DomainError, UsageError
from hdrq.records import Image
from hdrq.registry import find, names
from hdrq.training.choice import settings_for
from hdrq.training.data import data_of, hold_out_scenes, items_of
from hdrq.training.display_augmentation import DISPLAYS
from hdrq.training.images import loss as losses
from hdrq.training.images.image_recipe import ImageRecipe
from hdrq.training.overrides import from_recipe
from hdrq.training.request import TrainingRequest
from hdrq.training.settings import Settings
from hdrq.training.supervised import steps_per_epoch

TINY = {"width": 24, "depth": 1, "heads": 2, "mlp": 48, "reduction": 4, "scales": 1}


@pytest.fixture(scope="module")
def kadid(tmp_path_factory) -> Path:
    """Three scenes, two distortions (blur, noise) at five levels."""
    root = tmp_path_factory.mktemp("kadid10k")
    (root / "images").mkdir()
    lines = ["dist_img,ref_img,dmos,var"]
    for scene in range(1, 4):
        g = torch.Generator().manual_seed(scene)
        x = torch.nn.functional.interpolate(
            torch.rand(1, 3, 9, 9, generator=g), size=(64, 64), mode="bicubic"
        ).clamp(0, 1)
        hdrq.write(root / "images" / f"I{scene:02d}.png", Image(x, "srgb"), depth="uint8")
        for kind in (1, 11):
            for level in range(1, 6):
                noise = torch.randn(x.shape, generator=g) * 0.05 * level
                y = (
                    x + noise if kind == 11 else torch.nn.functional.avg_pool2d(x, 2 * level + 1, 1, level)
                ).clamp(0, 1)
                name = f"I{scene:02d}_{kind:02d}_{level:02d}.png"
                hdrq.write(root / "images" / name, Image(y, "srgb"), depth="uint8")
                lines.append(f"{name},I{scene:02d}.png,{5 - 0.8 * level + 0.01 * scene:.3f},0.2")
    (root / "dmos.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("name", names("recipe"))
def test_every_recipe_is_whole(name: str) -> None:
    recipe = find("recipe", name)
    assert recipe.source
    if isinstance(recipe, ImageRecipe):
        chosen = recipe.chosen()
        assert chosen.net in names("net")
        for text in chosen.loss:
            losses.of(text)
        return
    run = from_recipe(recipe, {})
    assert run.net in names("net")
    assert set(run.source.split("+")) <= set(names("dataset"))
    for variant in recipe.variants:
        assert from_recipe(recipe, {}, variant).digest != run.digest
    assert not run.target or run.target in names("dataset")


def test_scenes_are_held_out_whole(kadid) -> None:
    items = items_of("kadid", "", kadid, "kadid")
    assert len(items) == 30
    assert min(i.label for i in items) == 0
    assert max(i.label for i in items) == 1
    learn, out = hold_out_scenes(items, 0.34, seed=0)
    assert len({i.scene for i in out}) == 1
    assert not {i.scene for i in learn} & {i.scene for i in out}
    best = min(items, key=lambda i: i.label)
    assert "_01.png" in best.dist


def test_the_target_never_shows_held_out_scenes(kadid) -> None:
    run = from_recipe(find("recipe", "vtamiq-hs"), {"holdout": 0.34})
    _, out, target = data_of(run, kadid)
    assert not {i.scene for i in out} & {i.scene for i in target}
    bare = from_recipe(find("recipe", "vtamiq-hu-kadid"), {"source": "kadid"})
    assert all(i.label is None for i in data_of(bare, kadid)[2])


def test_a_run_from_the_prompt_ends_as_weights_with_a_card(run, kadid, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "none"))
    folder = tmp_path / "run"
    asked = [
        "train",
        "--dataset",
        "kadid",
        "--da",
        "coral",
        "--data",
        kadid,
        "--small",
        "--device",
        "cpu",
        "-o",
        folder,
    ]
    code, out, err = run(*asked, "--set", "holdout=0.34")
    assert code == 0, err
    assert "SROCC" in err
    card = json.loads((folder / "vtamiq-hs.json").read_text())
    assert card["encoding"] == "pu21"
    assert card["white"] == "pmax"
    assert len(card["results"]["held_out_scenes"]) == 1
    monkeypatch.setenv("HDRQ_MODELS", str(folder))
    ref, dist = kadid / "images" / "I01.png", kadid / "images" / "I01_01_05.png"
    code, out, err = run("score", ref, dist, "-m", "vtamiq@vtamiq-hs,patches=16", "--device", "cpu")
    assert code == 0, err
    assert "pu21" not in out.splitlines()[0]
    assert "vtamiq-hs@" in out
    code, _, err = run(*asked, "--set", "holdout=0.34")
    assert code == 2
    assert "--resume" in err


def test_a_dry_run_trains_nothing_and_fails_as_the_training_would(run, kadid, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "none"))
    asked = ("train", "--recipe", "vtamiq-hs", "--dry-run", "-o", tmp_path / "r", "--device", "cpu", "--data")
    tiny = [f"--set=options.{k}={v}" for k, v in TINY.items()]
    code, out, err = run(*asked, kadid, *tiny, "--set", "start=")
    assert code == 0, err
    assert "parameters" in out
    assert "s a step" in out
    assert not (tmp_path / "r").exists()
    code, _, err = run(*asked, tmp_path, "--small")
    assert code == 2
    assert "kadid is not under" in err
    code, _, err = run(*asked, kadid)
    assert code == 2
    assert "vtamiq-srgb" in err


def test_settings_given_by_hand_win_over_small(kadid) -> None:
    recipe = find("recipe", "vtamiq-hs")
    assert from_recipe(recipe, {"epochs": "7"}, small=True).epochs == 7
    assert from_recipe(recipe, {}, small=True).epochs == 1


def test_what_is_asked_for_is_what_is_trained(kadid, tmp_path) -> None:
    """-m, --da and --target choose and change the recipe, whatever the network; displays and labels follow the data."""

    def chosen(**asked: str):
        recipe, settings, _ = settings_for(TrainingRequest(settings={"start": ""}, **asked))
        return recipe, settings

    assert chosen(dataset="kadid")[0] == "vtamiq-pu"
    assert chosen(dataset="kadid", align="coral")[0] == "vtamiq-hs"
    recipe, settings = chosen(dataset="kadid", metric="pieapp")
    assert (recipe, settings.align, settings.target) == ("pieapp-srgb", "", "")
    recipe, settings = chosen(dataset="kadid", metric="pieapp", align="mmd", target="upiq")
    assert (recipe, settings.align, settings.target) == ("pieapp-hl", "mmd", "upiq")
    assert (settings.target_display, settings.target_labels, settings.target_subset) == ("nits", "jod", "hdr")
    settings = chosen(dataset="kadid", align="coral", target="sihdr")[1]
    assert (settings.target_display, settings.target_labels) == ("hdr-linear", "")
    settings = chosen(recipe="vtamiq-hs", target="sihdr")[1]
    assert (settings.target_display, settings.target_labels) == ("hdr-linear", "")
    settings = chosen(dataset="upiq", align="coral")[1]
    assert (settings.source_display, settings.labels) == ("nits", "jod")


def test_both_networks_have_the_papers_configurations_and_its_settings() -> None:
    """Chubarau et al. 2024: five configurations for VTAMIQ and PieAPP; the variant "paper" is what the text says."""
    for net, paper in (("vtamiq", {"patches": 512, "test_patches": 2048}), ("pieapp", {"patches": 128})):
        for key in ("hu-sihdr", "hu-kadid", "hu-upiqs", "hs", "hl"):
            recipe = find("recipe", f"{net}-{key}")
            program, said = from_recipe(recipe, {}), from_recipe(recipe, {}, "paper")
            assert (program.align, said.align, said.per) == ("coral", "deep-coral", "epoch")
            assert {k: getattr(said, k) for k in paper} == paper
            assert said.levels == (5 if net == "vtamiq" else 1)
            assert program.batch == (8 if net == "vtamiq" else 4)
            contrast = DISPLAYS[said.source_display].contrast
            assert contrast == (1000 if key == "hl" else 200)
        simulated = from_recipe(find("recipe", f"{net}-hu-upiqs"), {}, "paper")
        assert (simulated.target_subset, simulated.target_display) == ("sdr", "hdr")
        assert from_recipe(find("recipe", f"{net}-srgb"), {}, "paper").epochs == 50
        plain = from_recipe(find("recipe", f"{net}-pu"), {})
        assert (plain.align, plain.target, plain.encoding) == ("", "", "pu21")


def test_labels_fit_the_scale_of_the_dataset(tmp_path) -> None:
    with pytest.raises(UsageError, match="needs scores in JOD"):
        items_of("kadid", "", tmp_path, "jod")
    with pytest.raises(UsageError, match="but upiq has JOD"):
        items_of("upiq", "", tmp_path, "kadid")


def test_a_target_without_references_is_compared_with_itself(kadid, tmp_path, monkeypatch) -> None:
    """SI-HDR has no test images: its features are what domain adaptation needs."""
    from hdrq.training.api import train
    from hdrq.training.checkpoint import Step

    monkeypatch.chdir(tmp_path)
    (tmp_path / "SI-HDR" / "reference").mkdir(parents=True)
    for i in range(2):
        light = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(i)) * 65536
        hdrq.write(tmp_path / "SI-HDR" / "reference" / f"{i + 1:03d}.exr", Image(light, "linear"))
    monkeypatch.setenv("HDRQ_DATA", f"{tmp_path}:{kadid}")
    records = train(
        recipe="vtamiq-hu-sihdr", small=True, output=tmp_path / "run", settings={"steps": 1}, device="cpu"
    )
    steps = [r for r in records if isinstance(r, Step)]
    assert steps[0].aligned > 0
    with pytest.raises(DomainError, match="display 'hdr' shows code"):
        list(
            train(
                recipe="vtamiq-hu-sihdr",
                small=True,
                output=tmp_path / "other",
                settings={"steps": 1, "target_display": "hdr"},
                device="cpu",
            )
        )


def test_an_epoch_is_as_long_with_alignment_as_without() -> None:
    settings = from_recipe(find("recipe", "vtamiq-hs"), {"batch": 2, "target_repeat": 3})
    without = from_recipe(find("recipe", "vtamiq-hs"), {"batch": 2, "target_repeat": 3, "align": ""})
    assert steps_per_epoch(settings, 10, 8) == steps_per_epoch(without, 10, 8) == 12
    assert steps_per_epoch(settings, 10, 0) == 5


def test_patches_come_from_as_many_scales_as_the_network_embeds() -> None:
    assert from_recipe(find("recipe", "vtamiq-pu"), {}).levels == 1
    assert from_recipe(find("recipe", "vtamiq-pu"), {"options.scales": "5"}).levels == 5
    assert Settings("vtamiq").levels == 5
    assert Settings("pieapp").levels == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "with --dataset, or a --recipe"),
        (["--recipe", "vtamiq-h"], "did you mean"),
        (["--dataset", "kadidd"], "unknown dataset"),
        (["--recipe", "vtamiq-hs", "--set", "rate"], "NAME=VALUE"),
        (["--recipe", "vtamiq-hs", "--set", "ratee=1"], "no setting"),
        (["--dataset", "kadid", "--da", "magic"], "is one of"),
        (["--dataset", "kadid", "-m", "resnet18"], "unknown metric"),
        (["--dataset", "kadid", "-m", "ssim"], "ssim has no network to train"),
        (["--dataset", "kadid", "--recipe", "vtamiq-hs", "-m", "pieapp"], "trains vtamiq, not pieapp"),
        (["--dataset", "kadid", "-m", "metaiqa", "--da", "coral"], "no recipe adapts metaiqa"),
        (["--recipe", "metaiqa-meta", "--variant", "poster"], "it has program"),
    ],
)
def test_an_impossible_run_is_one_line(run, kadid, arguments: list[str], says: str) -> None:
    code, _, err = run("train", *arguments, "--data", kadid, "--small", "--device", "cpu")
    assert code in (2, 3)
    assert len(err.splitlines()) == 1
    assert says in err


def test_missing_pretrained_weights_are_named_before_anything_is_read(
    run, kadid, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    code, _, err = run(
        "train", "--recipe", "vtamiq-hs", "--data", kadid, "-o", tmp_path / "r", "--device", "cpu"
    )
    assert code == 2
    assert "hdrq train --recipe vtamiq-srgb" in err
    assert "--set start=" in err
    assert len(err.splitlines()) == 1

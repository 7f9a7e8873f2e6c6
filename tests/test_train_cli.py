"""hdrq train from the prompt, on a small archive of KADID-10k's true layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.cli import main
from hdrq.records import Image
from hdrq.registry import find, names
from hdrq.training.data import data_of, hold_out_scenes, items_of
from hdrq.training.settings import from_recipe

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


@pytest.fixture
def run(capsys):
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(a) for a in arguments])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return call


@pytest.mark.parametrize("name", names("recipe"))
def test_every_recipe_is_whole(name: str) -> None:
    recipe = find("recipe", name)
    run = from_recipe(recipe, {})
    assert recipe.source
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


def test_a_dry_run_trains_nothing(run, kadid, tmp_path) -> None:
    code, out, _ = run(
        *(
            "train",
            "--recipe",
            "vtamiq-hs",
            "--data",
            kadid,
            "--dry-run",
            "-o",
            tmp_path / "r",
            "--device",
            "cpu",
        ),
        *(f"--set=options.{k}={v}" for k, v in TINY.items()),
    )
    assert code == 0
    assert "parameters" in out
    assert "s a step" in out
    assert not (tmp_path / "r").exists()
    code, out, _ = run("train", "--recipe", "vtamiq-hs", "--data", tmp_path, "--dry-run", "--small")
    assert code == 0
    assert "not there" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--recipe or a --dataset"),
        (["--recipe", "vtamiq-h"], "did you mean"),
        (["--dataset", "kadidd"], "no dataset is called"),
        (["--recipe", "vtamiq-hs", "--set", "rate"], "NAME=VALUE"),
        (["--recipe", "vtamiq-hs", "--set", "ratee=1"], "no setting"),
        (["--dataset", "kadid", "--da", "magic"], "is one of"),
        (["--dataset", "kadid", "-m", "resnet18"], "no recipe trains resnet18"),
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

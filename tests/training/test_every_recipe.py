"""Every recipe in every variant, and every protocol, from archives of the true layout to a card and a table.

The archives are small and made here: names, tables and scales are those of the datasets, the images are noise on gradients.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

import hdrq
from hdrq.image.render import room
from hdrq.records import Image, Recipe
from hdrq.registry import find, names
from hdrq.training.experiment import Experiment
from hdrq.training.run import Trained

RECIPES = [n for n in names("recipe") if isinstance(find("recipe", n), Recipe)]
CASES = [(n, v) for n in RECIPES for v in ("", *find("recipe", n).variants)]
_H, _W = 80, 96
_QUICK = {"start": "", "batch": 2, "epochs": 1, "steps": 2, "patches": 8, "test_patches": 8, "repeats": 1}


def picture(path: Path, number: int, noise: float = 0.0, light: bool = False) -> None:
    """A gradient of one content with noise, as code or as light of up to 300 cd/m²."""
    g = torch.Generator().manual_seed(number)
    x = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 5, generator=g), size=(_H, _W), mode="bilinear")
    x = (0.1 + 0.8 * x + noise * torch.randn(x.shape, generator=g)).clamp(0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    if light:
        hdrq.write(path, Image(300 * x**2.2 + 0.05, "nits"))
        return
    from PIL import Image as Picture

    code = (x[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    Picture.fromarray(code).save(path)


def kadid(root: Path) -> None:
    lines = ["dist_img,ref_img,dmos,var"]
    for ref in range(1, 5):
        picture(root / f"images/I{ref:02d}.png", ref)
        for kind in (1, 10, 11):
            for level in (1, 5):
                name = f"I{ref:02d}_{kind:02d}_{level:02d}.png"
                picture(root / "images" / name, ref, 0.03 * level + 0.01 * kind)
                lines.append(f"{name},I{ref:02d}.png,{4.8 - level / 2 - kind / 20 - ref / 50:.3f},0.5")
    (root / "dmos.csv").write_text("\n".join(lines) + "\n")


def tid2013(root: Path) -> None:
    rows = []
    for ref in range(1, 5):
        picture(root / f"reference_images/I{ref:02d}.BMP", ref)
        for kind in (1, 17):
            for level in (1, 5):
                picture(root / f"distorted_images/i{ref:02d}_{kind:02d}_{level}.bmp", ref, 0.04 * level)
                rows.append(f"{6.5 - level / 2 - kind / 20 - ref / 90:.5f} I{ref:02d}_{kind:02d}_{level}.bmp")
    (root / "mos_with_names.txt").write_text("\n".join(rows) + "\n")
    (root / "mos_std.txt").write_text("0.13\n" * len(rows))


def koniq(root: Path) -> None:
    rows = ["image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore,set"]
    for i, part in enumerate(["training"] * 5 + ["validation"] * 3 + ["test"] * 3):
        picture(root / f"1024x768/{1000 + i}.jpg", i, 0.02 * i)
        rows.append(f"{1000 + i}.jpg,0,0,25,73,7,105,{4.5 - 0.2 * i},0.5,{80 - 4 * i},{part}")
    (root / "koniq10k_distributions_sets.csv").write_text("\n".join(rows) + "\n")


def livec(root: Path) -> None:
    listed = [*(f"t{i}.bmp" for i in range(1, 8)), *(f"{i}.bmp" for i in range(20))]
    for i, name in enumerate(listed):
        picture(root / ("Images/trainingImages" if i < 7 else "Images") / name, i, 0.02 * (i % 9))
    cells = np.empty((len(listed), 1), dtype=object)
    cells[:, 0] = listed
    (root / "Data").mkdir()
    savemat(root / "Data/AllImages_release.mat", {"AllImages_release": cells})
    mos = np.array([90 - 8 * (i % 9) + i / 10 for i in range(len(listed))])
    savemat(root / "Data/AllMOS_release.mat", {"AllMOS_release": mos[None]})
    savemat(root / "Data/AllStdDev_release.mat", {"AllStdDev_release": np.full((1, len(listed)), 20.0)})


def espl(root: Path) -> None:
    lines = []
    for i, scene in enumerate(("Remains", "Lake", "Rocks", "Tower", "Field")):
        for k, operator in enumerate(("WardHistAdjTMO", "ReinhardTMO", "FattalTMO")):
            name = f"V_{scene}_{operator}.PNG"
            picture(root / "Images" / name, i, 0.05 * k)
            lines.append(f"{name}    {60 - 9 * k + i}    10.5")
    (root / "ESPL_LIVE_HDR.txt").write_text("\n".join(lines) + "\n")


def upiq(root: Path) -> None:
    """SDR conditions as PNG and as luminance, all HDR scenes twice, so that the folds of the papers can be cut."""
    lines = ["condition_id,dataset,content_id,dist_id,dist_level,is_hdr,test_file,reference_file,pix_per_deg,"
             "distortion_name,repeating_content_id,JOD"]  # fmt: skip
    for i in (5, 8, 11):
        for level in (1, 2):
            ref, test = f"tid2013/i{i:02d}.png", f"tid2013/i{i:02d}_01_{level}.png"
            for name, noise in ((ref, 0.0), (test, 0.06 * level)):
                picture(root / "images" / name, i, noise)
                picture((root / "images" / name).with_suffix(".exr"), i, noise, light=True)
            lines.append(
                f"{len(lines)},tid2013,t-i{i:02d},1,{level},0,{test},{ref},37.1,awgn,-,{0.5 - level - i / 40}"
            )
    for source, contents in (("narwaria", [f"n-{i:02d}" for i in range(10)]),
                             ("korshunov", [f"k-{i:02d}" for i in range(20)])):  # fmt: skip
        for k, content in enumerate(contents):
            for level in (1, 2):
                ref, test = f"{source}/{content}.exr", f"{source}/{content}_{level}.exr"
                picture(root / "images" / ref, 100 + k, 0.0, light=True)
                picture(root / "images" / test, 100 + k, 0.05 * level, light=True)
                jod = 0.7 - level - k / 30
                lines.append(f"{len(lines)},{source},{content},3,{level},1,{test},{ref},57.2,jpeg,-,{jod}")
    (root / "upiq_subjective_scores.csv").write_text("\n".join(lines) + "\n")


def sihdr(root: Path) -> None:
    for i in range(1, 5):
        picture(root / f"reference/{i:03d}.exr", i, light=True)


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("iqa")
    layouts = {"kadid10k": kadid, "tid2013": tid2013, "koniq10k": koniq, "ChallengeDB_release": livec,
               "ESPL_LIVE_HDR_Database": espl, "UPIQ": upiq, "SI-HDR": sihdr}  # fmt: skip
    for folder, build in layouts.items():
        (root / folder).mkdir()
        build(root / folder)
    return root


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)


def settings_of(**more: object) -> dict[str, object]:
    return {**_QUICK, **more}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("recipe", "variant"), CASES, ids=lambda v: v or "program")
def test_a_recipe_trains_to_a_card_that_scores(
    recipe: str, variant: str, archives: Path, tmp_path: Path
) -> None:
    stages = find("recipe", recipe).settings.get("stages")
    quick = settings_of()
    if stages:  # the two or three rates are kept, each for an epoch
        quick = {k: v for k, v in quick.items() if k not in ("epochs", "steps")}
    *_, last = hdrq.train(
        recipe=recipe,
        variant=variant,
        data=archives,
        settings=quick,
        small=True,
        output=tmp_path / "run",
        device="cpu",
    )
    assert isinstance(last, Trained)
    card = json.loads(last.card.read_text())
    assert card["training"]["arguments"]["recipe"] == recipe
    assert card["training"]["arguments"]["variant"] == variant
    assert card["training"]["source"]["images"] > 0
    net = find("recipe", recipe).net
    assert card["net"] == net
    code = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    weights = {"HDRQ_MODELS": str(last.card.parent)}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in weights.items():
            patch.setenv(key, value)
        metric = hdrq.metric(last.metric)
        seen = Image(code, "srgb")
        value = metric(seen, seen) if metric.scorer.full_reference else metric(seen)
    assert torch.isfinite(value).all()


EXPERIMENTS = {
    "folds": {"recipe": "vtamiq-hl", "protocol": "folds"},
    "folds-nr": {"recipe": "qdnet", "protocol": "folds"},
    "splits": {"recipe": "metaiqa-finetune", "protocol": "splits", "repeats": 2},
    "splits-qdnet": {"recipe": "qdnet", "protocol": "splits", "repeats": 2},
    "lodo": {"recipe": "metaiqa-finetune", "dataset": "tid2013", "protocol": "lodo"},
    "lodo-pairs": {"recipe": "pieapp-pu", "protocol": "lodo"},
    "cross": {"recipe": "vtamiq-hs", "protocol": "cross", "test": ["upiq:full-luminance", "upiq:hdr"]},
    "cross-nr": {"recipe": "imqnet", "protocol": "cross", "test": ["livec"], "repeats": 2},
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_protocol_runs_to_its_tables_and_resumes_to_the_same(
    name: str, archives: Path, tmp_path: Path
) -> None:
    """The second part is lost, as if the process was killed in it, and made again: all rows are the same."""
    import shutil

    *_, last = hdrq.train(data=archives, settings=settings_of(batch=2), small=True, output=tmp_path / "run", device="cpu",
                          **EXPERIMENTS[name])  # fmt: skip
    assert isinstance(last, Experiment)
    tables = ("rows.csv", "summary.csv", "predictions.csv")
    before = {t: (tmp_path / "run" / t).read_text() for t in tables}
    rows = list(csv.DictReader((tmp_path / "run" / "rows.csv").open()))
    assert len(rows) == len(last.parts) * max(1, len(last.test_sets))
    assert all(int(r["images"]) >= 2 for r in rows)
    second = last.parts[1].slug if len(last.parts) > 1 else last.parts[0].slug
    shutil.rmtree(tmp_path / "run" / second)
    for table in tables:
        (tmp_path / "run" / table).unlink()
    *_, again = hdrq.train(resume=True, output=tmp_path / "run", device="cpu")
    assert isinstance(again, Experiment)
    assert {t: (tmp_path / "run" / t).read_text() for t in tables} == before


@pytest.mark.exhaustive
@pytest.mark.parametrize("recipe", [n for n in names("recipe") if n not in RECIPES])
def test_a_recipe_of_images_trains_on_scenes(recipe: str, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    for i in range(4):
        hdrq.write(tmp_path / f"scenes/room{i}.exr", Image(room(160, 180, seed=i)))
    *_, last = hdrq.train(recipe=recipe, data=tmp_path / "scenes", small=True, output=tmp_path / "run",
                          settings={"steps": 2}, device="cpu", name="mine")  # fmt: skip
    assert last.card.exists()
    assert json.loads(last.card.read_text())["net"] == find("recipe", recipe).net

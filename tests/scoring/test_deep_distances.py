"""LPIPS, ST-LPIPS and DISTS with the weights that come with hdrq: the authors' numbers, and one backbone for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

import hdrq
from filled import value
from hdrq import io
from hdrq.cli.app import command_line
from hdrq.errors import FileError, UsageError
from hdrq.nn import weight_files, weights
from hdrq.records import Image
from hdrq.registry import find
from metric_scenes import code, light

# pyiqa's values of five pairs of TID2013 (I03, I04, I06, I08, I19), which are the authors'; stlpips_pytorch 0.0.2's.
OFFICIAL = {
    "lpips": (0.7237, 0.2572, 0.0508, 0.0521, 0.4253),
    "lpips@lpips-vgg": (0.7614, 0.2090, 0.0544, 0.0475, 0.5971),
    "dists": (0.47420, 0.14239, 0.06825, 0.02867, 0.31227),
    "st-lpips": (0.5798, 0.3364, 0.2164, 0.0425, 0.3042),
}
# This program's values of tests/metric_scenes.py, written after the ones above were met.
SCENE = {"lpips": 0.171780, "lpips@lpips-vgg": 0.201257, "dists": 0.115858, "st-lpips": 0.120617}
SCENE_PU21 = {"lpips": 0.116340, "dists": 0.123389}
MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(autouse=True)
def only_ours(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "nothing"))


@pytest.mark.shared
@pytest.mark.parametrize("scenes", [slice(1), pytest.param(slice(1, 5), marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", OFFICIAL)
def test_a_deep_distance_gives_its_authors_scores(name: str, scenes: slice, shared: Path) -> None:
    pairs = shared / "data" / "sdr_iqa" / "tid2013_pairs" / "pyiqa"
    scorer = hdrq.metric(name)
    found = [
        float(scorer(pairs / "ref" / f"{scene}.png", pairs / "dist" / f"{scene}.png"))
        for scene in ("I03", "I04", "I06", "I08", "I19")[scenes]
    ]
    assert found == pytest.approx(OFFICIAL[name][scenes], abs=1e-4)


@pytest.mark.parametrize("name", SCENE)
def test_a_deep_distance_gives_its_golden_number(name: str) -> None:
    ref, dist = (Image((x / 255).float(), "srgb") for x in code())
    assert float(hdrq.metric(name)(ref, dist)) == pytest.approx(SCENE[name], rel=1e-4)


@pytest.mark.parametrize("name", SCENE_PU21)
def test_light_is_compared_as_pu21_code_with_the_same_weights(name: str) -> None:
    scorer = hdrq.metric(f"pu-{name}")
    assert float(scorer(*(x.float() for x in light()))) == pytest.approx(SCENE_PU21[name], rel=1e-4)


def test_the_row_says_that_the_weights_are_of_other_code(tmp_path: Path) -> None:
    for name, x in zip(("ref", "dist"), light()):
        io.write(tmp_path / f"{name}.exr", Image(x.float(), "nits"))
    asked = [
        "score",
        str(tmp_path / "ref.exr"),
        str(tmp_path / "dist.exr"),
        "-m",
        "pu-lpips",
        "--format",
        "json",
    ]
    ran = CliRunner().invoke(command_line, asked)
    assert ran.exit_code == 0, ran.output
    row = json.loads(ran.stdout)[0]
    assert row["weights"].startswith("lpips-alex@")
    assert "lpips-alex was trained on srgb code and reads pu21 code here" in row["how"]


def test_one_file_holds_the_backbone_of_three_networks() -> None:
    trunk = load_file(MODELS / "vgg16-imagenet.safetensors")
    for name in ("lpips-vgg", "dists-vgg"):
        card, path = weights.find_card(name)
        assert path.stat().st_size < 20_000
        net = weights.load(card.net, name)
        assert all(torch.equal(net.state_dict()[key], tensor.float()) for key, tensor in trunk.items())
    assert find("net", "pieapp").grows["vgg16"](trunk)


def test_shared_tensors_must_be_there_and_be_the_right_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dists-vgg", "vgg16-imagenet"):
        for suffix in (".json", ".safetensors"):
            (tmp_path / f"{name}{suffix}").write_bytes((MODELS / f"{name}{suffix}").read_bytes())
    monkeypatch.setattr(weight_files, "folders", lambda: [tmp_path])
    assert weights.load("dists").label.startswith("dists-vgg@")
    other = load_file(tmp_path / "vgg16-imagenet.safetensors")
    other["trunk.convs.0.bias"] = other["trunk.convs.0.bias"] + 1
    save_file(other, tmp_path / "vgg16-imagenet.safetensors")
    with pytest.raises(FileError, match="sha256 differs"):
        weights.verified(*weight_files.find_card("dists-vgg"))
    card = json.loads((tmp_path / "vgg16-imagenet.json").read_text())
    (tmp_path / "vgg16-imagenet.json").write_text(json.dumps(card | {"sha256": "0" * 64}))
    with pytest.raises(FileError, match="shares the tensors of vgg16-imagenet"):
        weights.load("dists")


def test_only_equal_tensors_are_shared(tmp_path: Path) -> None:
    net = weights.load("dists")
    settings = {"net": "dists", "options": {}, "encoding": "srgb", "recipe": "a test", "folder": tmp_path}
    card, path = weights.save(net, name="same", shares=["vgg16-imagenet"], **settings)
    assert list(card.shares) == ["vgg16-imagenet"]
    assert sorted(load_file(path.with_suffix(".safetensors"))) == ["alpha", "beta"]
    state = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    state["trunk.convs.3.weight"][0, 0, 0, 0] += 1
    with pytest.raises(UsageError, match="cannot share the tensors of vgg16-imagenet"):
        weights.save(find("net", "dists").filled(state), name="other", shares=["vgg16-imagenet"], **settings)


def test_half_precision_leaves_vectors_as_they_are() -> None:
    stored = load_file(MODELS / "lpips-alex.safetensors")
    assert stored["trunk.convs.1.weight"].dtype == torch.float16
    assert stored["heads.0"].dtype == stored["trunk.convs.1.bias"].dtype == torch.float32


def test_weights_for_any_code_give_way_to_weights_of_that_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path))
    assert weights.default_weights("lpips", "pu21") == "lpips-alex"
    assert weights.default_weights("lpips", "srgb") == "lpips-alex"
    net = weights.load("lpips")
    settings = {"net": "lpips", "options": {"trunk": "alex"}, "recipe": "a test"}
    weights.save(net, name="mine", encoding="pu21", **settings)
    assert weights.default_weights("lpips", "pu21") == "mine"
    assert weights.default_weights("lpips", "pq") == "lpips-alex"


@pytest.mark.parametrize(("trunk", "layout"), [("alex", "st-lpips-alex"), ("vgg", "st-lpips-vgg")])
def test_st_lpips_is_read_from_its_authors_names_and_back(trunk: str, layout: str) -> None:
    shelf = find("net", "st-lpips")
    with torch.device("meta"):
        wanted = shelf.build(trunk=trunk).state_dict()
    ours = {key: value(key, tuple(t.shape)) for key, t in wanted.items()}
    chosen = next(each for each in shelf.layouts if each.name == layout)
    theirs = chosen.write(ours, {})
    assert shelf.recognise(theirs).name == layout
    assert "net.slice1.1.filt" in theirs or "net.slice5.27.filt" in theirs
    back = chosen.read(theirs, {})
    assert all(torch.equal(back[key], tensor) for key, tensor in ours.items())
    filt = next(key for key in theirs if key.endswith("filt"))
    theirs[filt] = 1.01 * theirs[filt]
    with pytest.raises(FileError, match="does not have the constant value"):
        chosen.read(theirs, {})


def test_a_shift_of_one_pixel_moves_st_lpips_less_than_lpips() -> None:
    ref = (code()[0] / 255).float()
    here, there = (Image(x, "srgb") for x in (ref[..., :-1, :-1], ref[..., 1:, 1:]))
    assert float(hdrq.metric("st-lpips")(here, there)) < 0.5 * float(hdrq.metric("lpips")(here, there))

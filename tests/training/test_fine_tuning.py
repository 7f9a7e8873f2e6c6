"""hdrq train on images and scores of one's own: one command, its checks, its run folder, and the weights by name."""

from __future__ import annotations

import json
import random as python_random
from pathlib import Path

import numpy as np
import pytest
import torch

import hdrq
from hdrq.errors import UsageError
from hdrq.nn import weight_files
from hdrq.records import Image

SHORT = ("--set", "epochs=1", "--set", "batch=4", "--device", "cpu")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user's folder of weights; those that come with hdrq stay."""
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Ten images of five scenes, the noisier the lower their score, with a CSV."""
    folder = tmp_path_factory.mktemp("own")
    lines = ["dist,mos,scene"]
    for i in range(10):
        g = torch.Generator().manual_seed(i // 2)
        x = torch.nn.functional.interpolate(
            torch.rand(1, 3, 9, 12, generator=g), size=(72, 96), mode="bicubic"
        ).clamp(0, 1)
        hdrq.write(folder / f"{i // 2}.png", Image(x, "srgb"), depth="uint8")
        y = x + 0.1 * (i % 2) * torch.randn(x.shape, generator=g)
        hdrq.write(folder / f"{i // 2}_{i % 2}.png", Image(y.clamp(0, 1), "srgb"), depth="uint8")
        lines.append(f"{i // 2}_{i % 2}.png,{80 - 50 * (i % 2) - i},s{i // 2}")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    rows = [line.split(",") for line in lines[1:]]
    with_ref = ["dist,mos,scene,ref", *(f"{d},{m},{s},{s[1:]}.png" for d, m, s in rows)]
    (folder / "pairs.csv").write_text("\n".join(with_ref) + "\n")
    (folder / "same.csv").write_text("\n".join(["dist,mos", *(f"{d},3" for d, _, _ in rows)]) + "\n")
    (folder / "one.csv").write_text("\n".join(["dist,mos,scene", *(f"{d},{m},a" for d, m, _ in rows)]) + "\n")
    return folder


def test_images_without_a_score_are_counted_in_a_note(run, images, tmp_path) -> None:
    """Training and evaluation leave them out; a blank cell is a slip more often than a wish."""
    table = tmp_path / "blank.csv"
    rows = (images / "mine.csv").read_text().replace("4_1.png,21,", "4_1.png,,").splitlines()
    table.write_text("\n".join([rows[0], *(f"{images}/{row}" for row in rows[1:])]))
    code, out, err = run(
        "train", "--dataset", "csv", "--data", table, "-m", "norvdpnet++", *SHORT, "--dry-run"
    )
    assert code == 0, err
    assert "1 of 10 images of csv have no subjective score and are left out" in out
    code, _, err = run("evaluate", "--dataset", "csv", "--data", table, "-m", "brisque")
    assert code == 0, err
    assert "1 of 10 images have no subjective score and are excluded" in err


@pytest.mark.parametrize("recipe", ["vtamiq-srgb", "expandnet"])
def test_a_setting_that_is_misspelt_has_its_likeness_named(run, recipe) -> None:
    code, _, err = run("train", "--recipe", recipe, "--data", ".", "--set", "epoch=3", "--dry-run")
    assert (code, err) == (2, "hdrq: there is no setting 'epoch'; did you mean epochs?\n")
    code, _, err = run("train", "--recipe", recipe, "--data", ".", "--set", "zzz=3", "--dry-run")
    assert "there is no setting 'zzz'; settings are " in err


def test_a_shipped_network_is_fine_tuned_on_a_csv_by_one_command(run, images, home, tmp_path) -> None:
    """Held-out scenes, a card, and scores by name; the run folder resumes without settings and can be lengthened."""
    asked = ("train", "--dataset", "csv", "--data", images / "mine.csv", "-m", "norvdpnet++")
    code, out, err = run(*asked, *SHORT)
    assert code == 0, err
    folder = Path("runs/norvdpnetpp-mine")
    card = json.loads((home / "norvdpnetpp-mine.json").read_text())
    assert len(card["results"]["held_out_scenes"]) == 1
    assert "started from norvdpnetpp-small-sdr" in card["recipe"]
    assert (card["encoding"], card["net"], card["results"]["default"]) == ("srgb", "norvdpnetpp", False)
    assert card["results"]["mos"] == [21.0, 59.0]
    assert "SROCC" in err
    assert "norvdpnetpp@norvdpnetpp-mine" in err
    assert out.strip().endswith("norvdpnetpp-mine.json")
    assert not (folder / "pixels").exists()
    held = json.loads((folder / "settings.json").read_text())
    assert held["settings"]["epochs"] == 1
    code, out, err = run("score", images / "0_0.png", "-m", "norvdpnet++@norvdpnetpp-mine", "--device", "cpu")
    assert code == 0, err
    assert "norvdpnetpp-mine@" in out
    code, out, err = run(*asked, *SHORT)
    assert code == 2
    assert "--resume" in err
    code, out, err = run("train", "--resume", "-o", folder, "--device", "cpu")
    assert code == 0, err
    assert "epoch" not in err  # nothing is left to train
    code, out, err = run("train", "--resume", "-o", folder, "--set", "rate=0.5", "--device", "cpu")
    assert code == 2
    assert "rate was 0.0001 and is 0.5" in err
    code, out, err = run("train", "--resume", "-o", folder, "--set", "epochs=2", "--device", "cpu")
    assert code == 0, err
    assert "epoch 2" in err
    for epochs in ("--set", "epochs=1"), ("--set", "epochs=1", "--dry-run"):
        code, out, err = run("train", "--resume", "-o", folder, *epochs, "--device", "cpu")
        assert code == 2
        assert "has trained 2 epochs already, more than epochs=1" in err
    code, out, err = run(*asked, "--resume", "--set", "batch=4", "--device", "cpu")
    assert code == 0, err
    assert "epoch" not in err  # its length is that of the run folder
    code, out, err = run(*asked, "--resume", "--set", "batch=3", "--device", "cpu")
    assert code == 2
    assert "batch was 4 and is 3; give only --resume -o runs/norvdpnetpp-mine" in err
    assert json.loads((home / "norvdpnetpp-mine.json").read_text())["results"]["epoch"] in (1, 2)


def test_ones_own_weights_never_become_the_default(run, images, home) -> None:
    from hdrq.nn.weights import default_weights

    before = default_weights("norvdpnetpp", "srgb")
    code, _, err = run(
        "train",
        "--dataset",
        "csv",
        "--data",
        images / "mine.csv",
        "-m",
        "norvdpnet++",
        "--name",
        "own",
        *SHORT,
    )
    assert code == 0, err
    assert (home / "own.safetensors").exists()
    assert default_weights("norvdpnetpp", "srgb") == before


def test_a_full_reference_network_is_fine_tuned_with_references_and_refused_without(run, images) -> None:
    short = (*SHORT, "--set", "patches=16", "--set", "test_patches=16")
    asked = ("train", "--dataset", "csv", "-m", "pu-vtamiq", "--data")
    code, _, err = run(*asked, images / "pairs.csv", *short)
    assert code == 0, err
    assert "pu21:vtamiq@vtamiq-pairs" in err
    for extra in ((), ("--dry-run",)):
        code, _, err = run(*asked, images / "mine.csv", *short, *extra)
        assert code == 2
        assert "compares with a reference" in err
        assert len(err.splitlines()) == 1


def test_light_is_fine_tuned_on_pu21_code_and_refused_by_networks_of_srgb(run, images, tmp_path) -> None:
    lines = ["dist,mos"]
    for i in range(10):
        light = hdrq.read(images / f"{i // 2}_{i % 2}.png").pixels ** 2.2 * 500
        hdrq.write(tmp_path / f"{i}.exr", Image(light, "nits"))
        lines.append(f"{i}.exr,{i}")
    (tmp_path / "light.csv").write_text("\n".join(lines) + "\n")
    asked = ("train", "--dataset", "csv", "--data", tmp_path / "light.csv", "-m")
    code, out, err = run(*asked, "norvdpnet++", *SHORT, "--dry-run")
    assert code == 0, err
    assert "encoding = pu21" in out
    assert "source_display = nits" in out
    code, _, err = run(*asked, "norvdpnet++@norvdpnetpp-small-sdr", *SHORT, "--dry-run")
    assert code == 2
    assert "holds light" in err
    code, _, err = run(*asked, "norvdpnet++", *SHORT, "--dry-run", "--set", "source_display=sdr")
    assert code == 2
    assert "holds light, but the display 'sdr' shows code" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--data", "same.csv", "-m", "norvdpnet++"), "have the same score"),
        (("--data", "one.csv", "-m", "norvdpnet++"), "of one scene"),
        (("--data", "mine.csv", "-m", "ssim"), "no network to train"),
        (("--data", "mine.csv", "-m", "norvdpnet++@nothing"), "no weights called 'nothing'"),
        (("--data", "mine.csv", "-m", "norvdpnet++", "--name", "norvdpnetpp-small-sdr"), "already installed"),
        (("--data", "mine.csv", "-m", "norvdpnet++", "--name", "../x"), "cannot name weights"),
        (("--data", "mine.csv", "-m", "norvdpnet++", "--set", "options.widths=[4,4,8,8,8]"), "start weights"),
        (("--data", "mine.csv", "-m", "norvdpnet++", "--resume"), "no training to resume"),
        (("--data", "mine.csv", "-m", "norvdpnet++", "--set", "rate=nan"), "is a number"),
        (("--data", "none.csv", "-m", "norvdpnet++"), "none.csv"),
    ],
)
def test_what_would_stop_a_training_stops_the_dry_run_too(run, images, arguments, says) -> None:
    given = [images / a if str(a).endswith(".csv") else a for a in arguments]
    for extra in ((), ("--dry-run",)):
        code, _, err = run("train", "--dataset", "csv", *given, *SHORT, *extra)
        assert code in (2, 3), err
        assert says in err
        assert len(err.splitlines()) == 1
        assert not Path("runs").exists()


def test_lower_scores_may_be_the_better_ones(images) -> None:
    from hdrq.training.plan import plan
    from hdrq.training.request import TrainingRequest

    for lower in (False, True):
        made = plan(
            TrainingRequest(dataset="csv", data=images / "mine.csv", metric="norvdpnet++", lower=lower)
        )
        labels = {Path(i.dist).name: i.label for i in (*made.source, *made.held_out)}
        assert labels["0_0.png"] == (0.0 if lower else 1.0)
        assert made.mos == ((80.0, 21.0) if lower else (21.0, 80.0))


def test_a_training_leaves_the_process_as_it_was(images, tmp_path) -> None:
    """torch's, numpy's and Python's random numbers, the backend of matplotlib, threads and grad mode."""
    import matplotlib

    def state() -> list[object]:
        return [
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            python_random.getstate(),
            matplotlib.get_backend(auto_select=False)
            if _knows_auto()
            else matplotlib.rcParams._get("backend"),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
        ]

    before = state()
    for record in hdrq_train(images, tmp_path):
        assert state() == before, record
    assert state() == before


def _knows_auto() -> bool:
    import inspect

    import matplotlib

    return "auto_select" in inspect.signature(matplotlib.get_backend).parameters


def hdrq_train(images: Path, tmp_path: Path):
    from hdrq.training.api import train

    return train(
        dataset="csv",
        data=images / "mine.csv",
        metric="norvdpnet++",
        output=tmp_path / "quiet",
        settings={"epochs": 1, "steps": 1, "batch": 4},
        device="cpu",
    )


def test_whole_images_are_validated_as_the_metric_scores_them(run, images, tmp_path) -> None:
    from hdrq.scoring.binding import metric
    from hdrq.training.checkpoint import Validation

    seen = [r for r in hdrq_train(images, tmp_path) if isinstance(r, Validation)][-1]
    held = json.loads(next(tmp_path.glob("quiet/*-mine.json")).read_text())["results"]["held_out_scenes"][0]
    scored = metric("norvdpnetpp@norvdpnetpp-mine")
    found = [float(scored(hdrq.read(images / f"{held[1:]}_{k}.png"))) for k in (0, 1)]
    assert found == pytest.approx(sorted(seen.predicted, key=list(seen.predicted).index), abs=1e-4)


def test_damaged_weights_name_a_command_that_can_work(run, home) -> None:
    home.mkdir()
    for suffix in (".json", ".safetensors"):
        source = next(f for f in weight_files.folders()[1:] if (f / "diqm-small.json").exists())
        (home / f"diqm-small{suffix}").write_bytes((source / f"diqm-small{suffix}").read_bytes())
    data = bytearray((home / "diqm-small.safetensors").read_bytes())
    data[-1] ^= 1
    (home / "diqm-small.safetensors").write_bytes(data)
    code, _, err = run("models", "verify", "diqm-small")
    assert code == 1
    assert "sha256 differs" in err
    assert "fetch" not in err


def test_weights_can_be_listed_and_verified_from_python(home) -> None:
    from hdrq.errors import MissingPart

    assert hdrq.model("diqm-small").net == "diqm"
    assert dict(hdrq.verify_models("diqm-small")) == {"diqm-small": ""}
    states = {model.name: model.state for model in hdrq.models()}
    assert states["diqm-small"] == "here"
    assert states["vit-b16-384"] == "to fetch"
    assert hdrq.model("vit-b16-384").listed["net"] == "vit"
    with pytest.raises(MissingPart):
        hdrq.model("nothing")


def test_a_broken_card_does_not_stop_the_list(run, home) -> None:
    home.mkdir()
    (home / "bad.json").write_text("{")
    (home / "bad.safetensors").write_bytes(b"")
    code, out, err = run("models", "list")
    assert code == 0
    assert "norvdpnetpp-small-sdr" in out
    assert "bad.json is not a card" in err
    assert run("models", "verify")[0] == 1


@pytest.mark.parametrize("protocol", [(), ("--protocol", "splits", "--repeats", "2")])
@pytest.mark.parametrize("folder", ["r/of/mine", ""])
def test_a_training_that_ends_before_its_first_step_leaves_no_folder(
    run, images, monkeypatch, protocol, folder
) -> None:
    """Before: a folder with settings.json or experiment.json stayed."""

    def refused(*_: object, **__: object):
        raise UsageError("no step can be made")
        yield

    monkeypatch.setattr("hdrq.training.run.fit", refused)
    place = ("-o", folder) if folder else ()
    asked = ("train", "--dataset", "csv", "--data", images / "mine.csv", "-m", "norvdpnet++", *protocol)
    code, _, err = run(*asked, *SHORT, *place)
    assert code == 2
    assert "no step can be made" in err
    assert not [p for p in Path().iterdir() if p.name != "models"]
    monkeypatch.undo()
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    code, _, err = run(*asked, "--dry-run", "--tensorboard")
    assert code == 2
    assert "pip install tensorboard" in err

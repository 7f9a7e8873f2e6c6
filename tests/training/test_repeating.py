"""Cards of training: they hold everything that determines the weights, and `--like` repeats the training by them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.errors import FileError, UsageError
from hdrq.nn.weight_files import read_card
from hdrq.records import Image
from hdrq.training.batches import Item
from hdrq.training.data import data_of, items_of, items_to_test
from hdrq.training.overrides import adjust, from_plain
from hdrq.training.provenance import code_version, listing, recorded
from hdrq.training.settings import Settings

SHORT = {"steps": 2, "batch": 2, "epochs": 1}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HDRQ_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Ten images of five scenes in two distortions, with a CSV."""
    folder = tmp_path_factory.mktemp("own")
    lines = ["dist,mos,scene,distortion"]
    for i in range(10):
        g = torch.Generator().manual_seed(i)
        x = torch.rand(1, 3, 64, 64, generator=g)
        hdrq.write(folder / f"{i}.png", Image(x, "srgb"), depth="uint8")
        lines.append(f"{i}.png,{80 - 5 * i},s{i // 2},{'blur' if i % 2 else 'noise'}")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    return folder


def trained(images: Path, **more):
    asked = {"dataset": "csv", "data": images / "mine.csv", "metric": "norvdpnet++", "device": "cpu"}
    return list(hdrq.train(**{**asked, "settings": SHORT, **more}))[-1]


def test_a_card_repeats_its_training(images, home, run) -> None:
    """--like gives the same weights; a card holds all settings, lists, displays, initial weights and the code."""
    first = trained(images, settings={**SHORT, "rate": 3e-4, "test_scenes": ("s4",)}, lower=True)
    card = read_card(first.card)
    record = card.training
    assert from_plain(record["settings"]).rate == 3e-4
    assert (record["source"]["dataset"], record["source"]["images"], record["held_out"]["images"]) == (
        "csv",
        6,
        2,
    )
    assert record["source"]["display"]["name"] == "code"
    assert record["tested"]["scenes"] == ["s4"]
    assert record["start"]["name"] == "norvdpnetpp-small-sdr"
    assert record["arguments"]["data"] == "mine.csv"
    assert str(images) not in first.card.read_text()
    assert record["code"]["source"] == code_version()["source"]
    code, out, err = run("train", "--like", first.card, "--data", images / "mine.csv", "--device", "cpu")
    assert code == 0, err
    again = read_card(Path(out.strip()))
    assert again.name == f"{card.name}-again"
    assert again.sha256 == card.sha256
    assert again.training["arguments"]["lower"] is True
    assert "differ" not in err
    by_name = list(hdrq.train(like=card.name, data=images / "mine.csv", name="third", device="cpu"))
    assert read_card(by_name[-1].card).sha256 == card.sha256


def test_a_repetition_says_what_differs(images, tmp_path, run) -> None:
    first = trained(images)
    held = json.loads(first.card.read_text())
    held["training"]["code"]["torch"] = "1.0"
    held["training"]["start"]["sha256"] = "0"
    first.card.write_text(json.dumps(held))
    table = (images / "mine.csv").read_text().replace("9.png,35", "9.png,36")
    (images / "other.csv").write_text(table)
    code, _, err = run("train", "--like", first.card, "--data", images / "other.csv", "--device", "cpu")
    assert code == 0, err
    assert "images differs from that of norvdpnetpp-mine" in err
    assert "initial weights differ" in err
    assert "torch 1.0" in err
    code, _, err = run("train", "--like", first.card, "-m", "metaiqa", "--data", images / "mine.csv")
    assert code == 2
    assert "leave out --metric" in err


def test_older_cards_load_and_cannot_be_repeated(images) -> None:
    first = trained(images)
    held = json.loads(first.card.read_text())
    del held["training"]
    first.card.write_text(json.dumps(held))
    assert read_card(first.card).training == {}
    with pytest.raises(FileError, match="does not record its training"):
        recorded(str(first.card))


def test_the_digest_of_a_list_knows_its_images_and_labels_and_no_machine(images) -> None:
    def items(folder: Path, label: float = 0.5) -> list[Item]:
        return [Item(str(folder / "b.png"), None, 1.0, "b"), Item(str(folder / "a.png"), None, label, "a")]

    here = listing(items(images), "csv", images / "mine.csv")
    other = images.parent / "elsewhere"
    assert here == listing(items(images)[::-1], "csv", images / "mine.csv")
    assert here != listing(items(images, 0.25), "csv", images / "mine.csv")
    assert here["digest"] == listing(items(other), "", None)["digest"]
    assert (here["images"], here["scenes"]) == (2, 2)


def test_a_table_of_scores_gives_labels_in_the_direction_it_states(images, tmp_path) -> None:
    """What hdrq score writes: the value of one metric stands for the subjective score; failed rows are left out."""
    table = images / "scores.csv"
    lines = ["ref,dist,metric,value,better,status"]
    lines += [f",{i}.png,niqe,{'' if i == 3 else i},lower,{'failed' if i == 3 else 'ok'}" for i in range(6)]
    table.write_text("\n".join(lines) + "\n")
    found = items_of("csv", "", table, "unit")
    assert [i.label for i in found] == [1.0, 0.8, 0.6, pytest.approx(0.2), 0.0]
    assert [i.label for i in items_of("csv", "", table, "loss", "higher")] == [0.0, 0.2, 0.4, 0.8, 1.0]
    lines.append(",0.png,brisque,3,lower,ok")
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(FileError, match="niqe, brisque"):
        items_of("csv", "", table, "unit")


def test_scenes_and_distortions_to_test_are_never_trained_on(images) -> None:
    base = Settings("norvdpnetpp", source="csv", labels="unit", source_display="code", input="crops")
    data = images / "mine.csv"
    by_scene = replace(base, held_scenes=("s1",), test_scenes=("s0", "s3"))
    source, held, _ = data_of(by_scene, data)
    assert {i.scene for i in source} == {"s2", "s4"}
    assert {i.scene for i in held} == {"s1"}
    assert {i.scene for i in items_to_test(by_scene, data, "")} == {"s0", "s3"}
    by_kind = replace(base, test_distortions=("blur",), holdout=0.4)
    source, held, _ = data_of(by_kind, data)
    assert {i.distortion for i in (*source, *held)} == {"noise"}
    assert {i.distortion for i in items_to_test(by_kind, data, "")} == {"blur"}
    with pytest.raises(UsageError, match="no scene 's9'"):
        data_of(replace(base, held_scenes=("s9",)), data)
    with pytest.raises(UsageError, match="in held_scenes and in test_scenes"):
        replace(base, held_scenes=("a",), test_scenes=("a",))


def test_new_settings_at_their_defaults_leave_the_digest_of_older_runs() -> None:
    """Runs that an earlier version began can be resumed."""
    assert Settings("vtamiq").digest == "f2d1cf4f79b3"
    assert adjust(Settings("vtamiq"), {"test_scenes": "a, b"}).test_scenes == ("a", "b")
    assert replace(Settings("vtamiq"), test_scenes=("a",)).digest != Settings("vtamiq").digest

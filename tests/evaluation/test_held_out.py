"""--held-out judges weights on what their card holds out, and an evaluation on learnt images says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.errors import UsageError
from hdrq.evaluation.held_out import shares_of
from hdrq.nn.weight_files import read_card
from hdrq.records import Image, Pair
from hdrq.registry import find

METRIC, OTHER = "norvdpnetpp@mine", "norvdpnetpp@norvdpnetpp-small-sdr"


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """Twenty images of ten scenes, and weights trained on some of them: s8 and s9 are tested, two scenes validated."""
    folder = tmp_path_factory.mktemp("own")
    lines = ["dist,mos,scene,distortion"]
    for i in range(20):
        x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(i)) * (0.4 + 0.03 * i)
        hdrq.write(folder / f"{i}.png", Image(x, "srgb"), depth="uint8")
        lines.append(f"{i}.png,{80 - 3 * i},s{i // 2},{'blur' if i % 2 else 'noise'}")
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    settings = {"steps": 1, "batch": 2, "test_scenes": ("s8", "s9"), "held_scenes": ("s0", "s1")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HDRQ_MODELS", str(folder / "models"))
        list(
            hdrq.train(
                dataset="csv", data=folder / "mine.csv", metric="norvdpnet++", name="mine", output=folder / "run",
                settings=settings, device="cpu",
            )
        )  # fmt: skip
    return folder


@pytest.fixture
def evaluated(own, monkeypatch):
    monkeypatch.setenv("HDRQ_MODELS", str(own / "models"))

    def call(**more):
        asked = {"dataset": "csv", "data": own / "mine.csv", "metrics": [METRIC], "draws": 0, "device": "cpu"}
        return hdrq.evaluate(**{**asked, **more})

    return call


def change_card(own: Path, **changes: object) -> None:
    path = own / "models" / "mine.json"
    held = json.loads(path.read_text())
    for key, value in changes.items():
        place, _, last = key.rpartition("__")
        inner = held
        for part in place.split("__"):
            inner = inner[part]
        inner[last] = value
    path.write_text(json.dumps(held))


def test_held_out_images_are_those_that_the_card_tests_on(evaluated) -> None:
    found = evaluated(held_out=True)
    assert set(found.ratings.scenes) == {"s8", "s9"}
    assert len(found.ratings.pairs) == 4
    assert any(
        "4 of 20 images, which the card of norvdpnetpp@mine lists as held out" in n for n in found.notes
    )
    assert not any("favour" in n for n in found.notes)


def test_an_evaluation_on_learnt_images_says_so(evaluated) -> None:
    found = evaluated()
    assert any("norvdpnetpp@mine was trained on 12 of these 20 images" in n for n in found.notes)
    assert not any("trained on" in n for n in evaluated(metrics=[OTHER]).notes)


def test_a_table_of_scores_is_restricted_too(evaluated, tmp_path) -> None:
    path = tmp_path / "s.csv"
    rows = [f"{i}.png,{METRIC},{i},higher" for i in range(20)]
    path.write_text("\n".join(["dist,metric,value,better", *rows]) + "\n")
    found = evaluated(metrics=(), scores=path, held_out=True)
    assert set(found.ratings.scenes) == {"s8", "s9"}
    assert any("trained on 12" in n for n in evaluated(metrics=(), scores=path).notes)


def test_without_scenes_to_test_on_those_that_chose_the_epoch_are_judged(evaluated, own) -> None:
    before = (own / "models" / "mine.json").read_text()
    try:
        change_card(own, training__tested={"scenes": [], "distortions": []})
        found = evaluated(held_out=True)
        assert set(found.ratings.scenes) == {"s0", "s1"}
        assert any("was chosen by these images" in n for n in found.notes)
        change_card(own, training__tested={"scenes": [], "distortions": ["blur"]})
        assert len(evaluated(held_out=True).ratings.pairs) == 10
        change_card(own, training__arguments__data="other.csv")
        with pytest.raises(UsageError, match="records a training on csv"):
            evaluated(held_out=True)
    finally:
        (own / "models" / "mine.json").write_text(before)


def test_what_cannot_be_held_out_is_refused(evaluated, own) -> None:
    with pytest.raises(UsageError, match="records a training on csv"):
        evaluated(held_out=True, metrics=[OTHER])
    with pytest.raises(UsageError, match="name it with --dataset"):
        hdrq.evaluate(own / "mine.csv", held_out=True)


def test_scenes_of_joined_datasets_carry_the_dataset(own, monkeypatch) -> None:
    """Trained on tid2013+kadid, kadid:I01 left out: I01 of KADID-10k is unseen, and only with its own prefix."""
    monkeypatch.setenv("HDRQ_MODELS", str(own / "models"))
    before = (own / "models" / "mine.json").read_text()
    try:
        change_card(own, training__settings__source="tid2013+kadid")
        change_card(own, training__tested={"scenes": ["kadid:I01", "tid2013:I02"], "distortions": []})
        change_card(own, results__held_out_scenes=["kadid:I03"])
        pairs = [Pair(f"{s}.png", scene=s, mos=1.0) for s in ("I01", "I02", "I03")]
        found = shares_of(METRIC, find("dataset", "kadid"), own, own, pairs)
        assert found is not None
        assert (found.unseen, found.learnt, found.chosen) == ({"I01.png"}, {"I02.png"}, {"I03.png"})
        assert shares_of(METRIC, find("dataset", "csiq"), own, own, pairs) is None
    finally:
        (own / "models" / "mine.json").write_text(before)
    assert read_card(own / "models" / "mine.json").training["settings"]["source"] == "csv"

"""Settings of a training that a distillation does not have are refused, with what takes their place."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

import hdrq
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.training.settings import Settings

ELSEWHERE = {
    "net": "name it with --student",
    "encoding": "name it with --student, such as srgb:norvdpnet",
    "crop": "use --crop",
    "seed": "use --seed",
    "source": "use --images",
    "source_display": "use --displays",
    "target_display": "use --displays",
    "holdout": "use --hold-out",
    "held_scenes": "use --hold-out",
    "held_subset": "use --hold-out",
    "held_from": "use --hold-out",
    "labels": "labels are the teacher's quality",
    "target_labels": "labels are the teacher's quality",
    "source_subset": "the rows of the set are its only images",
    "target": "the rows of the set are its only images",
    "target_subset": "the rows of the set are its only images",
    "test_scenes": "scenes are held out with --hold-out",
    "test_distortions": "scenes are held out with --hold-out",
    "meta": "leave it out",
    "files": "use --domain",
}


@pytest.mark.parametrize("teacher", ["pu-psnr", "mos"])
@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_a_setting_without_effect_is_refused(name: str, teacher: str, tmp_path: Path, run) -> None:
    """Before: --set test_scenes=x and fourteen others were accepted and did nothing."""
    assert name in {f.name for f in fields(Settings)}
    for text in (name, f"{name}.x", name.replace("_", "-")):
        asked = ("--teacher", teacher, "--images", tmp_path, "--set", f"{text}=1", "--dry-run")
        code, _, err = run("distill", *asked, "-o", tmp_path / "run")
        assert code == 2
        assert f"a distillation has no setting '{name}'; {ELSEWHERE[name]}" in err
        assert err.count("\n") == 1
        assert not (tmp_path / "run").exists()


def test_settings_of_the_training_itself_are_taken() -> None:
    from hdrq.distillation.task import Task, settings_for

    given = {"epochs": "3", "rate": "1e-3", "align": "coral", "loss.mae": "2", "start": "", "patience": "2"}
    made = settings_for(Task(("pu21:psnr",), "norvdpnet++", (), ("noise",), settings=given))
    assert (made.epochs, made.rate, made.align, made.patience) == (3, 1e-3, "coral", 2)
    assert made.loss["mae"] == 2
    with pytest.raises(UsageError, match="has no setting 'crop'"):
        settings_for(Task(("pu21:psnr",), "norvdpnet++", (), ("noise",), settings={"crop": 64}))


def test_a_student_that_cannot_compute_is_refused_before_the_teachers(
    tmp_path: Path, run, monkeypatch
) -> None:
    """Before: an internal error, in a dry run too."""
    import torch

    from hdrq.distillation import checks, distill
    from hdrq.image.render import room

    for k in range(8):
        hdrq.write(tmp_path / f"{'abcdefgh'[k] * 3}.exr", Image(room(96, 96) * (1 + k), "nits"))
    monkeypatch.setattr(checks, "forward", lambda *a: torch.zeros(6).reshape(3, 7))
    monkeypatch.setattr(distill, "_teacher_scores", lambda *a, **k: pytest.fail("the teacher was asked"))
    asked = ("--teacher", "pu-psnr", "--images", tmp_path, "-n", 40, "--crop", 64, "-o", tmp_path / "run")
    for more in ((), ("--dry-run",)):
        code, _, err = run("distill", *asked, *more, "--device", "cpu")
        assert code == 2, err
        assert "norvdpnetpp cannot compute with options" in err

"""Words and numbers that are none, given to the public API from Python: refused in one line, as the command refuses them."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

import hdrq
from hdrq.distillation.api import task
from hdrq.distillation.sources import Source
from hdrq.distillation.teacher_scores import Cache
from hdrq.errors import FileError, UsageError
from hdrq.image.devices import device_of
from hdrq.records import Image
from hdrq.scoring.api import Settings
from hdrq.training.run_folder import refuse_used

LIGHT = Image(torch.linspace(1, 300, 256).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1))
CODE = Image(LIGHT.pixels / 300, "srgb", bits=8)
FRAMES = [Image(LIGHT.pixels / 600, "srgb", bits=8), Image(LIGHT.pixels / 300, "srgb", bits=8)]


def merged(**options: object) -> object:
    fixed = {"times": [1.0, 2.0], "align": "none", "deghost": "none", "response": "srgb"}
    return hdrq.merge(FRAMES, **{**fixed, **options})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: hdrq.write("x.exr", LIGHT, depth="nope"),
            "OpenEXR has no depth 'nope'; choose half or float",
        ),
        (lambda: merged(balance="nope"), "--balance is camera, daylight, none, or factors .*, not 'nope'"),
        (lambda: merged(balance=(1.0, -1.0, 1.0)), "--balance is camera"),
        (lambda: merged(allow_equal="nope"), "allow_equal: 'nope' is not one of True, False"),
        (lambda: merged(seed=-1), "seed must be a finite number of at least 0, not -1"),
        (lambda: merged(reference="first"), "reference must be a finite number of at least 0, not 'first'"),
        (lambda: merged(offset=float("nan")), "offset must be a finite number of at least 0, not nan"),
        (lambda: hdrq.Photometry(scale=float("nan")), "scale must be a positive, finite number, not nan"),
        (lambda: hdrq.Photometry(peak=-1), "peak must be a positive, finite number, not -1"),
        (lambda: hdrq.Photometry(white="x"), "white must be a positive, finite number, not 'x'"),
        (lambda: hdrq.Side(scale=0.0), "scale must be a positive, finite number, not 0.0"),
        (lambda: hdrq.emit(LIGHT, nonfinite="nope"), "nonfinite: 'nope' is not one of error, clamp"),
        (lambda: hdrq.metric("psnr", stages="pu21"), "write the stages of 'psnr' before it, as in pu21:psnr"),
        (lambda: Settings(map_colours="nope"), "map_colours: 'nope' is not one of trichromatic"),
        (lambda: Settings(match_response="nope"), "match_response: 'nope' is not one of True, False"),
        (lambda: Settings(jobs=0), "jobs must be a positive, finite number, not 0"),
        (lambda: hdrq.evaluate("table.csv", draws=-1), "draws must be a finite number of at least 0, not -1"),
        (lambda: hdrq.evaluate("table.csv", splits=0), "splits must be a positive, finite number, not 0"),
        (
            lambda: hdrq.train(dataset="csv", metric="norvdpnet++", variant="paper"),
            "--variant paper is of a recipe; add --recipe NAME",
        ),
    ],
)
def test_a_value_that_is_none_of_those_allowed_is_refused(call, says, tmp_path: Path, monkeypatch) -> None:
    """Before: written, merged or scored all the same; a scale of nan gave a PSNR of inf."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says) as error:
        call()
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


# Values of every kind but the one that an annotation allows.
ODD = (None, "x", 0.5, True, b"x", [None], {"a": None}, float("nan"), float("inf"), 10**400, object())


def _fitting(value: object, words: str) -> bool:
    """Whether a value is what the words of a parameter's annotation name."""
    kinds = {
        "str": str,
        "Path": str,
        "int": int,
        "float": float,
        "bool": bool,
        "None": type(None),
        "Mapping": dict,
    }
    of_kind = any(isinstance(value, kind) for name, kind in kinds.items() if name in words)
    return of_kind and not (isinstance(value, bool) and "bool" not in words)


@pytest.mark.parametrize("function", [hdrq.train, hdrq.distill, task], ids=lambda f: f.__name__)
def test_every_argument_of_training_has_a_type(function) -> None:
    """Before: an AttributeError, a TypeError or a ValueError of Python, or another training than was meant."""
    needed = {"teacher": "pu-psnr", "images": "no-such-folder"} if function is not hdrq.train else {}
    for name, option in inspect.signature(function).parameters.items():
        if option.kind is option.VAR_KEYWORD or name == "spread":
            continue
        for value in ODD:
            if _fitting(value, option.annotation.replace("Names", "str")):
                continue
            with pytest.raises(UsageError, match=rf"^{name} must be .*, not ") as error:
                function(**{**needed, name: value})
            assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", ["x", 0, -1, float("nan"), float("inf"), True, [1], 10**400])
def test_a_luminance_that_is_none_is_refused_by_every_conversion(value) -> None:
    """Before: an image of NaN or of zeros, or an error of Python."""
    for call in (
        lambda: hdrq.emit(CODE, scale=value),
        lambda: hdrq.emit(CODE, white=value),
        lambda: hdrq.encode(LIGHT, "srgb", white=value),
        lambda: hdrq.decode(CODE, white=value),
    ):
        with pytest.raises(UsageError, match=r"^(scale|white) must be a (positive, )?finite number"):
            call()


@pytest.mark.parametrize("device", [float("nan"), 10**400, [], object(), "gpu"])
def test_what_is_no_device_is_refused_in_one_line(device) -> None:
    with pytest.raises(UsageError, match=r"^unknown device '.*'; use auto, cpu, cuda or cuda:0$"):
        device_of(device)


def test_numbers_of_numpy_are_numbers_and_a_count_has_an_end() -> None:
    made = task(np.str_("pu-psnr"), [Path("a")], n=np.int64(8), ppd=np.float32(45), displays={"sdr"})
    assert (made.n, made.ppd, made.displays) == (8, 45, ("sdr",))
    with pytest.raises(UsageError, match="n is too large"):
        task("pu-psnr", "a", n=10**30)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: hdrq.train(recipe="vtamiq-pu", folds=7), "--folds has no effect without --protocol folds"),
        (
            lambda: hdrq.train(recipe="vtamiq-pu", protocol="lodo", folds=7),
            "--folds has no effect without --protocol folds",
        ),
        (lambda: hdrq.train(recipe="vtamiq-pu", repeats=3), "--repeats has no effect without --protocol"),
        (lambda: hdrq.evaluate("t.csv", folds=7), "--folds has no effect without --protocol folds"),
        (
            lambda: hdrq.evaluate("t.csv", splits=7, protocol="folds"),
            "--splits has no effect without --protocol splits",
        ),
    ],
)
def test_the_number_of_parts_needs_its_protocol(call, says) -> None:
    """Before: trained or evaluated without it, as if it had not been given."""
    with pytest.raises(UsageError, match=says):
        call()


def test_a_run_folder_that_cannot_be_made_is_found_by_the_dry_run(tmp_path: Path) -> None:
    """Before: the dry run was content, and the run failed."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileError, match=f"{folder} cannot be made: {tmp_path / 'file'} is a file"):
            refuse_used(folder, resume=False)
    refuse_used(tmp_path / "new" / "below", resume=False)


def test_names_that_are_no_text_are_remembered(tmp_path: Path) -> None:
    """Before: distilling from a folder with a file of such a name ended with a UnicodeEncodeError."""
    kept, source = Cache(tmp_path / "scores.sqlite"), Source(tmp_path / "\udcff.png", "", (4, 4), False, "0")
    source.path.touch()
    kept.keep_file(source)
    found = kept.file(source.path)
    assert found is not None
    assert found.sha256 == "0"


def test_one_text_where_several_are_meant_is_one(tmp_path: Path) -> None:
    """Before: exclude="niqe" left out the columns n, i, q and e."""
    lines = "".join(f"i{i}.png,s{i % 3},{i},{20 + i},{i * i}\n" for i in range(12))
    (tmp_path / "table.csv").write_text("dist,scene,mos,psnr,niqe\n" + lines)
    found = hdrq.evaluate(tmp_path / "table.csv", draws=0, exclude="niqe", outputs="o.csv")
    assert {row["metric"] for row in found.table} == {"psnr"}


def test_words_change_a_display_as_numbers_do() -> None:
    """Before: "Unknown format code 'g' for object of type 'str'"."""
    found = hdrq.display("sdr", eotf="2.4", peak_nits=120)
    assert (found.eotf, found.peak_nits, found.name) == ("2.4", 120, "sdr+eotf=2.4+peak_nits=120")

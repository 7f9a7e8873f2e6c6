"""Words and numbers that are none, given to the public API from Python: refused in one line, as the command refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import hdrq
from hdrq.errors import UsageError
from hdrq.records import Image
from hdrq.scoring.api import Settings

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

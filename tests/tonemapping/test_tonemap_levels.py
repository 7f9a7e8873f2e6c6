"""Levels of the finished image, and how --optimize finds them beside an operator's parameters."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from hdrq import io
from hdrq.cli import main
from hdrq.errors import UsageError
from hdrq.image.statistics import luminance
from hdrq.records import Image
from hdrq.scoring.binding import metric
from hdrq.tonemapping.optimize import Step, Tuned, steps_of, tune, value_of_file
from hdrq.tonemapping.plan import plan
from hdrq.tonemapping.tonemap import leveled, shown


def scene(h: int = 170, w: int = 180) -> Image:
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    light = 10 ** (-1 + 3 * x) * (1 + 0.5 * torch.sin(20 * y))
    return Image(torch.stack([light, 0.9 * light, 0.7 * light])[None], "nits")


def run(*argv: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["tonemap", *map(str, argv)])
    return int(stop.value.code or 0)


def test_levels_are_stops_then_a_power_of_luminance_and_keep_colours():
    picture = torch.rand(1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.01
    picture[..., 0, 0] = 0
    found = leveled(picture, 0.5, 1.3)
    y = luminance(picture)
    assert torch.allclose(luminance(found), (2**0.5 * y) ** 1.3, atol=1e-12)
    lit = y[0, 0] > 0
    assert torch.allclose((found * y)[0, :, lit], (picture * luminance(found))[0, :, lit], atol=1e-12)
    assert float(found[..., 0, 0].abs().max()) == 0


def test_levels_have_true_gradients_at_black_too():
    picture = torch.rand(1, 3, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    picture[..., 1, 1] = 0
    levels = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.2, 1.1))
    assert torch.autograd.gradcheck(lambda ev, power: leveled(picture, ev, power), tuple(levels))


@pytest.mark.parametrize(
    ("ev", "power"),
    [(20.1, 1.0), (-20.1, 1.0), (0.0, 0.09), (0.0, 10.1), (0.0, -1.0), (float("nan"), 1.0)],
)
def test_levels_beyond_their_range_are_refused(ev, power):
    with pytest.raises(UsageError, match="levels are stops within"):
        plan("reinhard", levels=(ev, power))


def test_the_widest_levels_are_taken():
    for levels in ((20.0, 10.0), (-20.0, 0.1)):
        assert plan("reinhard", levels=levels).levels == levels


def test_levels_of_the_command_are_those_of_the_plan_and_are_saved(tmp_path, capsys):
    io.write(tmp_path / "s.exr", scene())
    assert (
        run(
            tmp_path / "s.exr",
            tmp_path / "a.png",
            "--levels",
            "0.5,1.2",
            "--save-params",
            tmp_path / "p.json",
        )
        == 0
    )
    assert run(tmp_path / "s.exr", tmp_path / "b.png", "--params", tmp_path / "p.json") == 0
    a, b = (io.read(tmp_path / f"{n}.png").pixels for n in "ab")
    wanted = shown(scene().pixels, plan("reinhard", levels=(0.5, 1.2)))
    assert torch.equal(a, b)
    assert float((io.read(tmp_path / "a.png").pixels - wanted.clamp(0, 1).pow(1 / 2.2)).abs().mean()) < 0.01
    assert run(tmp_path / "s.exr", tmp_path / "c.png", "--levels", "0.5") == 2
    assert "stops and an exponent such as 0.3,1.1" in capsys.readouterr().err


def test_an_operator_of_one_parameter_is_raised_above_plain_reinhard():
    """Levels lead it further than k alone, and above plain reinhard."""
    scorer, plain = metric("tmqi"), plan("reinhard")
    bar = value_of_file(scene().pixels, plain, scorer)
    own = last_of(tune(scene(), plan("exponential", levels=(0.0, 1.0)), scorer, iterations=12))
    free = last_of(tune(scene(), plan("exponential"), scorer, iterations=12))
    assert own.levels == (0.0, 1.0)
    assert own.before < own.after < free.after
    assert free.after > bar
    assert free.levels is not None
    again = replace(plan("exponential"), settings=free.parameters, levels=free.levels)
    assert value_of_file(scene().pixels, again, scorer) == pytest.approx(free.after, abs=1e-9)


def last_of(records) -> Tuned:
    *_, last = records
    assert isinstance(last, Tuned)
    return last


def test_starts_are_the_settings_then_their_optimum_then_the_best_of_many():
    seen = list(tune(scene(), plan("reinhard"), metric("tmqi"), iterations=6))
    steps = [s for s in seen if isinstance(s, Step)]
    by_start = {k: [s for s in steps if s.restart == k] for k in (-1, 0, 1, 2)}
    assert [len(by_start[k]) for k in (-1, 0, 1, 2)] == [6, 6, 6, 6]
    assert all(set(s.parameters) == {"key"} for s in by_start[0])
    assert by_start[0][0].parameters["key"] == pytest.approx(0.18)
    best = max(by_start[0], key=lambda s: s.value)
    assert by_start[1][0].parameters["key"] == pytest.approx(best.parameters["key"])
    assert by_start[1][0].parameters["levels ev"] == pytest.approx(0, abs=1e-9)
    assert by_start[2][0].value == pytest.approx(max(s.value for s in by_start[-1]), abs=1e-9)
    assert len(seen) == steps_of(6)


def test_optimised_levels_are_printed_and_saved(tmp_path, capsys):
    io.write(tmp_path / "s.exr", scene())
    assert (
        run(
            tmp_path / "s.exr",
            "--operator",
            "exponential",
            "--optimize",
            "tmqi",
            "--iterations",
            "4",
            "--params",
            tmp_path / "p.json",
        )
        == 0
    )
    data = json.loads((tmp_path / "p.json").read_text())
    assert f"levels = {data['levels'][0]:.6g},{data['levels'][1]:.6g}" in capsys.readouterr().out

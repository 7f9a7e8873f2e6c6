"""t-SNE, and the codes of QD-net over a dataset as figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image as Picture

from hdrq.cli.app import command_line
from hdrq.errors import UsageError
from hdrq.evaluation.codes import Codes, codes_of, write_code_figures
from hdrq.evaluation.statistics.tsne import _gradient, _joint, _squared, tsne
from hdrq.nn.weights import save
from hdrq.registry import find


def test_groups_that_are_apart_stay_apart_on_the_plane() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 25)
    points = 8 * rng.standard_normal((4, 80))[group] + rng.standard_normal((100, 80))
    places = tsne(points, perplexity=10, steps=400)
    assert places.shape == (100, 2)
    assert np.allclose(places.mean(0), 0, atol=1e-6)
    apart = _squared(places)
    np.fill_diagonal(apart, np.inf)
    assert (group[apart.argmin(1)] == group).all()
    centres = np.array([places[group == g].mean(0) for g in range(4)])
    within = max(np.linalg.norm(places[group == g] - centres[g], axis=1).mean() for g in range(4))
    between = np.sqrt(_squared(centres)[np.triu_indices(4, 1)]).min()
    assert between > 3 * within
    assert np.array_equal(places, tsne(points, perplexity=10, steps=400))
    assert not np.array_equal(places, tsne(points, perplexity=10, steps=400, seed=1))


def test_each_point_has_as_many_neighbours_as_the_perplexity_says() -> None:
    x = np.random.default_rng(1).standard_normal((60, 3)) * np.linspace(0.1, 3, 60)[:, None]
    joint = _joint(x, 12.0)
    assert np.allclose(joint, joint.T)
    assert joint.sum() == pytest.approx(1, abs=1e-6)
    even = _joint(
        np.eye(20), 6.0
    )  # every point as far from all others: all neighbours alike, whatever was asked
    off = even[~np.eye(20, dtype=bool)]
    assert off.max() == pytest.approx(off.min(), rel=1e-6)


def test_the_gradient_is_that_of_the_divergence() -> None:
    rng = np.random.default_rng(2)
    p = _joint(rng.standard_normal((9, 4)), 2.5)
    y = rng.standard_normal((9, 2))

    def divergence(y: np.ndarray) -> float:
        near = 1 / (1 + _squared(y))
        np.fill_diagonal(near, 0)
        q = np.maximum(near / near.sum(), 1e-12)
        return float((p * np.log(p / q)).sum())

    for i, k in ((0, 0), (4, 1), (8, 0)):
        change = np.zeros_like(y)
        change[i, k] = 1e-6
        slope = (divergence(y + change) - divergence(y - change)) / 2e-6
        assert _gradient(p, y)[i, k] == pytest.approx(slope, rel=1e-4, abs=1e-8)


def test_what_tsne_cannot_place_is_refused() -> None:
    for wrong, says in (
        (np.zeros((3, 2)), "at least 4"),
        (np.zeros((5001, 1)), "at most 5000"),
        (np.full((8, 2), np.nan), "finite"),
    ):
        with pytest.raises(UsageError, match=says):
            tsne(wrong)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    module = find("net", "qdnet").build(latent=8)
    save(module, name="tiny-qd", net="qdnet", options={"latent": 8}, encoding="srgb", white="sdr", recipe="test",
         data="none", results={}, folder=folder)  # fmt: skip
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    lines = ["dist,mos,scene"]
    for i in range(8):
        Picture.effect_noise((70 + i, 80), 10 + 10 * (i % 4)).convert("RGB").save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{5 - i % 4},s{i // 4}")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    return tmp_path / "mine.csv"


def test_codes_of_a_dataset_become_figures(weights, images, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HDRQ_MODELS", str(weights))
    found = codes_of("qdnet@tiny-qd", "csv", images, device="cpu")
    assert {k: v.shape for k, v in found.values.items()} == {"quality": (8, 8), "content": (8, 8192)}
    assert found.scores.tolist() == [5, 4, 3, 2] * 2
    assert len(set(found.scenes)) == 2
    assert not np.allclose(found.values["quality"][0], found.values["quality"][1])
    command = [
        "evaluate",
        "--dataset",
        "csv",
        "--data",
        str(images),
        "--codes",
        "qdnet@tiny-qd",
        "--device",
        "cpu",
    ]
    done = CliRunner().invoke(
        command_line, [*command, "--plots", str(tmp_path / "f")], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == [
        f"codes-{kind}.{suffix}" for kind in ("content", "quality") for suffix in ("pdf", "png")
    ]
    for wrong in (
        command,
        [*command[:5], "--codes", "nr", "--plots", "x"],
        [*command[:1], *command[5:], "--plots", "x"],
    ):
        assert isinstance(CliRunner().invoke(command_line, wrong).exception, UsageError)


def test_the_figure_colours_by_score_and_by_scene(tmp_path, monkeypatch) -> None:
    from matplotlib.axes import Axes

    drawn = []
    monkeypatch.setattr(Axes, "scatter", _keeping(Axes.scatter, drawn))
    values = {"quality": np.random.default_rng(0).standard_normal((6, 3))}
    found = Codes(values, np.array([1.0, 2, 3, 4, 5, 6]), ("a", "a", "b", "b", "c", "c"))
    assert len(write_code_figures(found, tmp_path)) == 2
    assert [list(map(float, c)) for c in drawn] == [[1, 2, 3, 4, 5, 6], [0, 0, 1, 1, 2, 2]]


def _keeping(scatter, drawn):  # type: ignore[no-untyped-def]
    def kept(self, *places, c, **options):  # type: ignore[no-untyped-def]
        drawn.append(c)
        return scatter(self, *places, c=c, **options)

    return kept

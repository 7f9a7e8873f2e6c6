"""Statistics: equal to scipy's, to published examples and to the authors' program; honest where data are few."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from hdrq.errors import UsageError
from hdrq.evaluation.datasets.upiq import upiq_folds
from hdrq.evaluation.protocols import kfold, random_splits
from hdrq.evaluation.statistics import correlation, resolving_power
from hdrq.evaluation.statistics.agreement import agreement, bootstrap_statistics
from hdrq.evaluation.statistics.bootstrap import bootstrap, draw, interval, two_sided
from hdrq.evaluation.statistics.correlation import agreements, krocc, plcc, rmse, srocc
from hdrq.evaluation.statistics.curves import FITS, cubic, fit, logistic4, logistic5
from hdrq.training.labels import _kadid_logistic, jod_to_loss, kadid_linearised, loss_to_jod, unit_range

UPIQ = [
    *(f"l-i{i:02d}" for i in (2, 5, 6, 7, 8, 9, 10, 14, 15, 27)),
    *(f"t-i{i:02d}" for i in range(1, 26)),
    *(f"k-{name}" for name in "abcdefghijklmnopqrst"),
    *(f"n-{name}" for name in "abcdefghij"),
]


def noisy(n: int = 300, seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = np.tanh(1.5 * x) + 0.4 * rng.normal(size=n)
    return (np.round(3 * x), np.round(4 * y)) if ties else (x, y)


@pytest.mark.parametrize("ties", [False, True])
def test_correlations_equal_scipys(ties):
    x, y = noisy(ties=ties)
    assert srocc(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert krocc(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)
    assert plcc(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert rmse(x, y) == pytest.approx(np.sqrt(np.mean((x - y) ** 2)))


def test_a_constant_metric_correlates_with_nothing():
    y = np.arange(10.0)
    assert np.isnan(srocc(np.ones(10), y))
    assert np.isnan(krocc(np.ones(10), y))
    assert np.isnan(plcc(np.ones(10), y))


@pytest.mark.parametrize("ties", [False, True])
def test_pairs_in_agreement_are_counted_without_comparing_all(ties):
    x, y = noisy(700, ties=ties)
    expected = [np.sum(np.sign(a - x) * np.sign(b - y)) for a, b in zip(x, y, strict=True)]
    assert (agreements(x, y) == np.array(expected)).all()


@pytest.mark.shared
def test_the_evaluation_equals_the_authors_program(shared):
    fixture = np.load(shared / "parity/eval_fit.npz")
    labels, pred = fixture["labels"], fixture["pred"]
    found = agreement("m", pred, labels, sign=1)
    y, x = unit_range(labels), unit_range(pred)
    assert found.srocc == pytest.approx(float(fixture["SROCC"]), abs=1e-12)
    assert found.krocc == pytest.approx(float(fixture["KROCC"]), abs=1e-12)
    assert found.plcc == pytest.approx(float(fixture["PLCC"]), abs=1e-6)
    assert rmse(logistic5(x, y)(x), y) == pytest.approx(float(fixture["RMSE"]), abs=1e-6)
    assert plcc(x, y) == pytest.approx(float(fixture["PLCC_NOFIT"]), abs=1e-12)
    assert rmse(x, y) == pytest.approx(float(fixture["RMSE_NOFIT"]), abs=1e-12)


@pytest.mark.shared
def test_label_pipelines_equal_the_authors_program(shared):
    fixture = np.load(shared / "parity/eval_fit.npz")
    assert jod_to_loss(fixture["jod"]) == pytest.approx(fixture["jod_to_q"], abs=1e-12)
    assert kadid_linearised(fixture["kadid_like_raw"]) == pytest.approx(
        fixture["kadid_like_processed"], abs=1e-6
    )


def test_jod_survives_the_way_there_and_back():
    jod = np.array([-8.854307636, -1.0, 0.0, 0.943130668])
    assert loss_to_jod(jod_to_loss(jod)) == pytest.approx(jod)
    assert jod_to_loss(0.0) == pytest.approx(0.09626, abs=1e-5)


def test_the_curve_of_linearised_labels_at_and_one_beside_its_centre():
    found = _kadid_logistic(np.array([2, 3, 0.5, -1.5, 0.25]), np.array([0.5, 1.5]))
    step = 2 * (0.5 - 1 / (1 + np.exp(3)))
    assert found == pytest.approx([0.75 + 0.25, step + 2.25 + 0.25], abs=2e-6)


def test_linearised_labels_are_evenly_spread_and_turned_round():
    q = kadid_linearised(np.random.default_rng(0).beta(5, 2, 2000) * 4 + 1)
    assert (q.min(), q.max()) == (0, 1)
    assert abs(np.sort(q) - np.linspace(0, 1, q.size)).max() < 0.06


@pytest.mark.parametrize("form", sorted(FITS))
@pytest.mark.parametrize("turn", [1, -1])
def test_a_curve_is_monotone_and_no_worse_than_a_line_whichever_way_it_runs(form, turn):
    x, y = noisy()
    curve = fit(form, turn * x, y)
    assert curve.converged
    steps = np.diff(curve(np.linspace(-3, 3, 400))) * turn
    assert (steps >= -1e-9).all()
    assert rmse(curve(turn * x), y) <= rmse(fit("line", turn * x, y)(turn * x), y) * (1 + 1e-6)


def test_the_curve_finds_the_curve_that_made_the_data():
    x = np.linspace(0, 10, 200)
    made = 20 + 60 / (1 + np.exp(-1.3 * (x - 6)))
    assert logistic4(x, made)(x) == pytest.approx(made, abs=1e-3)
    assert logistic5(x, made + 2 * x)(x) == pytest.approx(made + 2 * x, abs=2e-2)
    assert cubic(x, x**3)(x) == pytest.approx(x**3, abs=0.01)


def test_a_fit_to_too_little_says_that_a_line_stands_in():
    curve = fit("logistic5", [1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0])
    assert curve.form == "line"
    assert not curve.converged
    assert "straight line used" in agreement("m", [1, 2, 2, 3], [1, 2, 3, 4], sign=1).note


def test_a_metric_that_falls_as_opinions_rise_is_told_by_its_sign():
    x, y = noisy()
    right, wrong = agreement("m", -x, y, sign=-1), agreement("m", -x, y, sign=1)
    assert right.srocc == pytest.approx(srocc(x, y))
    assert wrong.srocc == -right.srocc
    assert right.plcc > 0.8


def test_outliers_lie_beyond_two_errors():
    x = np.linspace(0, 1, 50)
    y = x + np.where(np.arange(50) % 10 == 0, 0.5, 0.0)
    assert agreement("m", x, y, sign=1, errors=np.full(50, 0.1), form="line").outliers == pytest.approx(0.1)
    assert agreement("m", x, y, sign=1).outliers is None


@pytest.mark.parametrize(("scenes", "ties"), [(20, False), (300, False), (25, True)])
def test_a_draw_of_scenes_equals_copying_their_rows(scenes, ties):
    x, y = noisy(ties=ties)
    scene = np.random.default_rng(1).integers(0, scenes, x.size)
    curve = logistic5(x, y)
    out = bootstrap(y, x, [curve], scene, draws=12, seed=5)
    kinds, place = np.unique(scene.astype(str), return_inverse=True)
    times = np.concatenate(list(draw(len(kinds), 12, 5, x.size)))
    for d in range(12):
        rows = np.repeat(np.arange(x.size), times[d].astype(int)[place])
        assert out["srocc"][d, 0] == pytest.approx(stats.spearmanr(x[rows], y[rows]).statistic, abs=1e-12)
        assert out["krocc"][d, 0] == pytest.approx(stats.kendalltau(x[rows], y[rows]).statistic, abs=1e-12)
        refitted = logistic5(x[rows], y[rows])
        assert out["plcc"][d, 0] == pytest.approx(plcc(refitted(x[rows]), y[rows]), abs=0.012)
        assert out["rmse"][d, 0] == pytest.approx(rmse(refitted(x[rows]), y[rows]), rel=0.06)


def test_many_rows_get_kendalls_draws_to_first_order(monkeypatch):
    x, y = noisy(1000)
    scene = np.arange(1000) % 200
    curve = logistic5(x, y)
    exact = bootstrap(y, x, [curve], scene, draws=50)["krocc"]
    monkeypatch.setattr("hdrq.evaluation.statistics.bootstrap._EXACT_ROWS", 10)
    near = bootstrap(y, x, [curve], scene, draws=50)["krocc"]
    assert (near - exact).std() < 0.2 * exact.std()
    assert near.std() == pytest.approx(exact.std(), rel=0.1)


def test_scenes_not_images_set_the_width_of_an_interval():
    rng = np.random.default_rng(3)
    scene = np.repeat(np.arange(12), 40)
    shift = rng.normal(size=12)[scene]  # the metric is off by scene: images of one are alike
    y = rng.normal(size=480)
    x = y + 2 * shift + 0.3 * rng.normal(size=480)
    by_scene = interval(bootstrap(y, x, [logistic5(x, y)], scene, draws=300)["srocc"])
    by_image = interval(bootstrap(y, x, [logistic5(x, y)], np.arange(480), draws=300)["srocc"])
    assert np.ptp(by_scene) > 1.3 * np.ptp(by_image)


def test_an_interval_covers_what_it_should():
    rng = np.random.default_rng(0)
    truth = 6 / np.pi * np.arcsin(0.7 / 2)  # srocc of a normal pair with correlation 0.7
    hit = 0
    for _ in range(120):
        x = rng.normal(size=150)
        y = 0.7 * x + np.sqrt(1 - 0.49) * rng.normal(size=150)
        low, high = interval(
            bootstrap_statistics(x[None], y, [1], [fit("line", x, y)], range(150), 200, 1)["srocc"]
        )
        hit += bool(low[0] <= truth <= high[0])
    assert 103 <= hit <= 120  # 95 % of 120 is 114; 103 would be seen once in 10,000 times


def test_one_scene_has_no_interval():
    x, y = noisy(50)
    assert bootstrap_statistics(x[None], y, [1], [fit("line", x, y)], ["a"] * 50, 100, 0) == {}


def test_draws_are_the_same_for_a_seed_and_others_for_another():
    a, b, c = (np.concatenate(list(draw(10, 20, seed, 100))) for seed in (1, 1, 2))
    assert (a == b).all()
    assert (a != c).any()
    assert (a.sum(1) == 10).all()


def test_a_p_value_of_draws_is_two_sided():
    gaps = np.concatenate((np.full(950, 1.0), np.full(50, -1.0)))
    assert two_sided(gaps) == pytest.approx(0.1)
    assert two_sided(np.full(1000, 1.0)) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("r1", "r2", "r12", "n", "t", "z"),
    [
        (0.4, 0.5, 0.1, 103, -0.8913, -0.8887),  # psych's r.test example: t -0.89, p 0.37
        (0.396, 0.179, 0.088, 66, 1.3809, 1.3678),  # cocor's example: Williams 1.3809, Steiger 1.3678
    ],
)
def test_dependent_correlations_equal_published_examples(r1, r2, r12, n, t, z):
    assert correlation.williams(r1, r2, r12, n)[0] == pytest.approx(t, abs=2e-4)
    assert correlation.steiger(r1, r2, r12, n)[0] == pytest.approx(z, abs=2e-4)
    assert correlation.williams(r1, r2, r12, n)[1] == pytest.approx(2 * stats.t.sf(abs(t), n - 3), abs=2e-4)


def test_dependent_tests_reject_as_often_as_they_say():
    rng = np.random.default_rng(0)
    p = []
    for _ in range(400):
        y, noise = rng.normal(size=80), rng.normal(size=(2, 80))
        r = np.corrcoef([y, y + noise[0], y + noise[1]])
        p.append((correlation.steiger(r[0, 1], r[0, 2], r[1, 2], 80)[1],
                  correlation.williams(r[0, 1], r[0, 2], r[1, 2], 80)[1]))  # fmt: skip
    share = (np.array(p) < 0.05).mean(0)
    assert (share > 0.02).all()
    assert (share < 0.09).all()


def test_holm_never_lowers_a_p_and_keeps_their_order():
    assert correlation.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correlation.holm([0.5, 0.9]) == [1.0, 1.0]


def test_a_test_without_a_result_is_not_counted_by_holm():
    """A constant metric was "not significantly different from the best"."""
    found = correlation.holm([0.01, np.nan, 0.04])
    assert found[::2] == pytest.approx([0.02, 0.04])
    assert np.isnan(found[1])


def test_values_that_differ_by_rounding_only_are_constant():
    noise = np.array([0.1 + 0.2, 0.3] * 10)
    assert all(np.isnan(f(noise, np.arange(20.0))) for f in (srocc, krocc, plcc))
    assert srocc(noise * 1e-300, np.arange(20.0)) != 0


def test_the_area_is_the_chance_that_a_positive_is_above():
    rng = np.random.default_rng(0)
    a, b = np.round(rng.normal(1, 1, 60), 1), np.round(rng.normal(0, 1, 80), 1)
    expected = ((a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()) / (60 * 80)
    assert resolving_power.auc(a, b) == pytest.approx(expected)


def test_a_metric_that_is_the_opinion_tells_everything():
    y = np.arange(30.0)
    asked = resolving_power.image_pairs(y, np.full(30, 2.0))
    found = resolving_power.power(y, asked)
    assert (found.better, found.correct) == (1, 1)
    assert found.different == 1  # a pair is seen exactly where the gap is large
    assert asked.visible.sum() == sum(30 - gap for gap in range(1, 30) if gap / np.sqrt(8) > 1.6448536)
    chance = resolving_power.power(np.random.default_rng(0).normal(size=30), asked)
    assert 0.3 < chance.correct < 0.7


def test_published_tests_of_resolving_power_find_no_difference_where_there_is_none():
    rng = np.random.default_rng(1)
    p = []
    for _ in range(150):
        told = rng.random(120) < 0.4
        shared_part = told + 1.5 * rng.normal(size=120)
        a, b = (shared_part + rng.normal(size=120) for _ in range(2))
        cases = [(m[told], m[~told]) for m in (a, b)]
        p.append((resolving_power.delong(*cases), resolving_power.hanley_mcneil(*cases)))
    assert ((np.array(p) < 0.05).mean(0) < 0.11).all()
    assert resolving_power.fisher(0.9, 0.5, 200) < 1e-6


def test_areas_of_one_draw_of_everything_are_the_areas():
    x, y = noisy(80)
    asked = resolving_power.image_pairs(y, np.full(80, 0.1))
    found = resolving_power.power(x, asked)
    once = resolving_power.bootstrap_areas([found], asked, np.arange(80) % 8, np.ones((1, 8)))
    assert once["different"][0, 0] == pytest.approx(found.different)
    assert once["better"][0, 0] == pytest.approx(found.better)
    assert once["correct"][0, 0] == pytest.approx(found.correct)


def test_pairwise_accuracy_counts_majorities_and_people():
    accuracy, share = resolving_power.pairwise_accuracy([0.9, 0.2, 0.5, 0.6], [2, 1, 1, 1], [1, 2, 0, 1])
    assert accuracy == pytest.approx((1 + 1 + 0.5) / 3)
    assert share == pytest.approx((0.9 + 0.8 + 0.5 + 0.5) / 4)


@pytest.mark.shared
@pytest.mark.parametrize("part", ["all", "hdr", "sdr", "n-"])
def test_the_folds_of_upiq_are_the_papers(shared, part):
    told = json.loads((shared / "parity/upiq_folds_seed0.json").read_text())
    fold = dict(zip(UPIQ, told["sdr"] + told["hdr"], strict=True))
    keep = {"all": "ltkn", "hdr": "kn", "sdr": "lt", "n-": "n"}[part]
    scenes = [s for s in UPIQ if s[0] in keep]
    splits = upiq_folds(scenes)
    for k, split in enumerate(splits):
        assert split.test == {s for s in scenes if fold[s] == k}
        assert split.validate == {s for s in scenes if fold[s] == (k + 1) % 5}
        assert split.train == set(scenes) - split.test - split.validate
    if part == "all":
        assert [len(part) for part in (splits[0].train, splits[0].validate, splits[0].test)] == [39, 13, 13]


def test_folds_share_no_scene_and_leave_none_out():
    scenes = [f"s{i}" for i in range(23)]
    splits = kfold(scenes, folds=5, seed=3)
    assert frozenset().union(*(s.test for s in splits)) == set(scenes)
    for s in splits:
        assert not (s.train & s.test) | (s.train & s.validate) | (s.validate & s.test)
    with pytest.raises(UsageError, match="cannot be divided into 5 folds"):
        kfold(scenes[:3])
    with pytest.raises(UsageError, match="all 20 scenes"):
        upiq_folds(["k-a", "k-b"])


def test_random_splits_hold_a_fifth_of_the_scenes():
    scenes = [f"s{i}" for i in range(10)]
    splits = list(random_splits(scenes, 5))
    assert {len(s.test) for s in splits} == {2}
    assert len({s.test for s in splits}) > 1
    assert all(s.train == set(scenes) - s.test for s in splits)


def test_a_curve_through_few_images_stays_a_number():
    """A copy of seven images four times over once sent the sigmoid's height to 1e18."""
    x = np.repeat([0.006127, 0.0302, 0.0519, 0.0918, 0.1208, 0.1777, 0.226909], 4)
    y = np.repeat([19.5, 31.2, 43.1, 60.1, 69.0, 79.7, 89.8], 4)
    curve = logistic5(x, y)
    assert plcc(curve(x), y) > 0.98
    assert np.ptp(curve(np.linspace(x.min(), x.max(), 50))) < 90

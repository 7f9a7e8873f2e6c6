"""Evaluation: from subjective scores and metric values to statistics of agreement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hdrq.encoding.settings import refuse_impossible_numbers
from hdrq.errors import UsageError
from hdrq.evaluation.protocols import Split, kfold, random_splits
from hdrq.evaluation.ratings import Ratings
from hdrq.evaluation.statistics.agreement import FIGURES, Agreement, agreement, bootstrap_statistics, ends
from hdrq.evaluation.statistics.curves import Curve, fit
from hdrq.records import Pair

PROTOCOLS = ("whole", "folds", "splits", "leave-one-out")
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """Settings of an evaluation.

    form      of the curve before PLCC and RMSE: logistic5, logistic4, cubic or line
    draws     number of bootstrap samples of scenes; breakdowns of very many images use a fifth of them
    splits    number of repetitions in the protocol of random splits
    """

    form: str = "logistic5"
    draws: int = 1000
    seed: int = 0
    folds: int = 5
    splits: int = 100

    def __post_init__(self) -> None:
        refuse_impossible_numbers(self, ("folds", "splits"), ("draws", "seed"))


PLAN = Plan()


def evaluate(ratings: Ratings, protocol: str = "whole", plan: Plan = PLAN) -> Iterator[Agreement]:
    """Every metric by one protocol; with a single group, ordered by agreement.

    whole          one group, "all"
    folds          cross-validation over scenes (60-20-20 for five); the curve is fitted outside the test fold
    splits         repeated random 80-20 splits by scene; the median, and the range of the central 95 % of the splits
    leave-one-out  each distortion is tested with a curve fitted to all other distortions
    """
    if protocol == "whole":
        yield from sorted(_group(ratings, "all", plan), key=lambda a: -sortable(a.srocc))
    elif protocol == "folds":
        parts = list(_folds(ratings, plan))
        yield from parts
        yield from _summary(parts, "mean of folds", np.mean)
    elif protocol == "splits":
        parts = list(_splits(ratings, plan))
        yield from _summary(parts, f"median of {plan.splits} splits", np.median)
    elif protocol == "leave-one-out":
        yield from _leave_one_out(ratings, plan)
    else:
        raise UsageError(f"unknown protocol '{protocol}'; choose one of {', '.join(PROTOCOLS)}")


def parts_of(pair: Pair) -> tuple[str, str, str, str]:
    """The distortion, level, source and split of an image, as the groups of breakdowns are named; "" where unknown."""
    level = "" if pair.level is None else f"level {pair.level:g}"
    return pair.distortion, level, pair.carried.get("source", ""), pair.carried.get("split", "")


def by_distortion(ratings: Ratings, plan: Plan) -> Iterator[Agreement]:
    """Every metric on each distortion, where there are several with enough images."""
    yield from _breakdown(ratings, [parts_of(p)[0] for p in ratings.pairs], plan)


def by_level(ratings: Ratings, plan: Plan) -> Iterator[Agreement]:
    """Every metric on each level of distortion."""
    yield from _breakdown(ratings, [parts_of(p)[1] for p in ratings.pairs], plan)


def by_subset(ratings: Ratings, plan: Plan) -> Iterator[Agreement]:
    """Every metric on each source of a dataset that is made of several."""
    yield from _breakdown(ratings, [parts_of(p)[2] for p in ratings.pairs], plan)


def by_split(ratings: Ratings, plan: Plan) -> Iterator[Agreement]:
    """Every metric in each split of a table of predictions, then mean, median and standard deviation over splits.

    The curve before plcc and rmse is fitted to the images of the split. Splits with few images count.
    """
    parts = list(_breakdown(ratings, [parts_of(p)[3] for p in ratings.pairs], plan, least=2))
    yield from parts
    count = len({a.group for a in parts})
    for name, middle in (("mean", np.mean), ("median", np.median), ("standard deviation", _deviation)):
        yield from _summary(parts, f"{name} of {count} splits", middle) if parts else ()


def _deviation(values: Sequence[float]) -> float:
    """Standard deviation of a sample."""
    return float(np.std(values, ddof=1))


def across(train: Ratings, test: Ratings, plan: Plan = PLAN) -> Iterator[Agreement]:
    """Cross-dataset: curves fitted on one dataset, statistics on another with scores on the same scale."""
    for i, metric in enumerate(test.metrics):
        if metric not in train.metrics:
            raise UsageError(f"{metric} has no scores on {train.name}; score it there first")
        source = fit(plan.form, train.values[train.metrics.index(metric)], train.mos)
        yield from _group(test, f"{train.name} > {test.name}", plan, only=(i,), curves=[source])


def _group(
    ratings: Ratings, group: str, plan: Plan, only: Sequence[int] | None = None, curves: list[Curve] | None = None,
    draws: int | None = None,
) -> list[Agreement]:  # fmt: skip
    """All metrics (or the indices `only`) on one group, with intervals."""
    picked = list(range(len(ratings.metrics))) if only is None else list(only)
    y, scenes = ratings.mos, ratings.scenes
    found = [
        agreement(
            ratings.metrics[i],
            ratings.values[i],
            y,
            sign=ratings.signs[i],
            scenes=scenes,
            errors=ratings.errors,
            group=group,
            form=plan.form,
            curve=curves[k] if curves else None,
        )
        for k, i in enumerate(picked)
    ]
    used = [a.curve for a in found if a.curve is not None]
    signs = [ratings.signs[i] for i in picked]
    count = plan.draws if draws is None else draws
    spread = bootstrap_statistics(
        ratings.values[picked], y, signs, used, scenes, count, plan.seed, refit=curves is None
    )
    return [replace(a, intervals=_known(a, ends(spread, k))) for k, a in enumerate(found)]


def _known(of: Agreement, intervals: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """The intervals, NaN where the statistic is: of a constant metric."""
    return {n: e if np.isfinite(getattr(of, n)) else (np.nan, np.nan) for n, e in intervals.items()}


def _breakdown(ratings: Ratings, labels: Sequence[str], plan: Plan, least: int = 8) -> Iterator[Agreement]:
    named = np.array(labels)
    draws = plan.draws if named.size <= 20_000 else plan.draws // 5
    kinds = [k for k in dict.fromkeys(labels) if k and (named == k).sum() >= least]
    if len(kinds) < 2:
        return
    for kind in kinds:
        yield from _group(ratings.rows(named == kind), kind, plan, draws=draws)


def _tested(ratings: Ratings, test: Mask, train: Mask, group: str, plan: Plan, draws: int) -> list[Agreement]:
    """Statistics on `test` with curves fitted on `train`."""
    if test.sum() < 4 or train.sum() < 4:
        raise UsageError(
            f"{group}: {int(test.sum())} images to test and {int(train.sum())} to fit are too few"
        )
    there = ratings.rows(train)
    curves = [fit(plan.form, row, there.mos) for row in there.values]
    return _group(ratings.rows(test), group, plan, curves=curves, draws=draws)


def splits_of(ratings: Ratings, plan: Plan) -> list[Split]:
    """The folds of a dataset; those of its authors where they are published."""
    return (ratings.folds or kfold)(ratings.scenes, folds=plan.folds, seed=plan.seed)


def _folds(ratings: Ratings, plan: Plan) -> Iterator[Agreement]:
    yield from _over(ratings, splits_of(ratings, plan), plan, plan.draws)


def _splits(ratings: Ratings, plan: Plan) -> Iterator[Agreement]:
    yield from _over(ratings, random_splits(ratings.scenes, plan.splits, plan.seed), plan, 0)


def _over(
    ratings: Ratings, splits: Iterator[Split] | list[Split], plan: Plan, draws: int
) -> Iterator[Agreement]:
    scenes = np.array(ratings.scenes)
    for split in splits:
        test = np.isin(scenes, list(split.test))
        yield from _tested(ratings, test, ~test, split.name, plan, draws)


def _leave_one_out(ratings: Ratings, plan: Plan) -> Iterator[Agreement]:
    kinds = np.array([p.distortion for p in ratings.pairs])
    names = [k for k in dict.fromkeys(kinds) if k]
    if len(names) < 2:
        raise UsageError(
            f"{ratings.name or 'the table'} names {len(names)} distortions; leaving one out needs two"
        )
    for name in names:
        yield from _tested(ratings, kinds == name, kinds != name, f"without {name}", plan, plan.draws)


def _summary(parts: Sequence[Agreement], group: str, middle: Callable[..., float]) -> Iterator[Agreement]:
    """One row per metric over folds or splits: the mean or median, and the central 95 % of the values."""
    for metric in dict.fromkeys(a.metric for a in parts):
        own = [a for a in parts if a.metric == metric]
        columns = {name: np.array([getattr(a, name) for a in own]) for name in FIGURES}
        far = [a.outliers for a in own if a.outliers is not None]
        srocc, krocc, plcc, rmse = (float(middle(v)) for v in columns.values())
        ends = {name: np.quantile(v, [0.025, 0.975]) for name, v in columns.items()}
        images, scenes = (
            round(float(np.mean(n))) for n in zip(*((a.images, a.scenes) for a in own), strict=True)
        )
        yield Agreement(
            *(metric, group, images, scenes, srocc, krocc, plcc, rmse),
            outliers=float(middle(far)) if far else None,
            intervals={name: (float(low), float(high)) for name, (low, high) in ends.items()},
        )


def averages(
    datasets: Mapping[str, Sequence[Agreement]], weights: Mapping[str, float] | None = None
) -> Iterator[Agreement]:
    """Means of each metric over several datasets: "average", and "weighted average" by number of images.

    weights  of the datasets, for a mean "average by the given weights" over those that are named; they need not add to 1

    Only metrics that every dataset has are included. RMSE depends on the scale of the subjective scores, so its mean is NaN.
    """
    tables = [{a.metric: a for a in rows} for rows in datasets.values()]
    shared = [m for m in tables[0] if all(m in t for t in tables)] if tables else []
    given = [float((weights or {}).get(name, 0.0)) for name in datasets]
    if unknown := sorted(set(weights or {}) - set(datasets)):
        raise UsageError(
            f"there is no dataset '{unknown[0]}' to give a weight to; there are {', '.join(datasets)}"
        )
    if weights and not (min(given) >= 0 and 0 < sum(given) < float("inf")):
        raise UsageError("weights of datasets must be at least 0, and one of them positive")
    groups = ("average", "weighted average", *(["average by the given weights"] if weights else []))
    for group in groups:
        for metric in shared:
            own = [t[metric] for t in tables]
            shares = {"average": [1.0] * len(own), "weighted average": [float(a.images) for a in own]}.get(
                group, given
            )
            used = [(a, share) for a, share in zip(own, shares, strict=True) if share]
            own = [a for a, _ in used]
            srocc, krocc, plcc = (
                float(np.average([getattr(a, name) for a in own], weights=[share for _, share in used]))
                for name in ("srocc", "krocc", "plcc")
            )
            images, scenes = sum(a.images for a in own), sum(a.scenes for a in own)
            yield Agreement(metric, group, images, scenes, srocc, krocc, plcc, float("nan"))


def sortable(value: float) -> float:
    """Sort key: NaN below every correlation."""
    return value if np.isfinite(value) else -2.0

"""Agreement of a metric with subjective scores: the record, and the statistics that fill it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hdrq.evaluation.statistics.bootstrap import bootstrap, interval
from hdrq.evaluation.statistics.correlation import krocc, plcc, rmse, srocc
from hdrq.evaluation.statistics.curves import Curve, fit

Array = NDArray[np.float64]
FIGURES = ("srocc", "krocc", "plcc", "rmse")


@dataclass(frozen=True)
class Agreement:
    """Agreement of one metric on one group of images.

    group      "all", a distortion, a level, a fold ...
    srocc      rank correlation, positive where the metric's direction agrees with the subjective scores; krocc alike
    plcc       linear correlation after the curve, negative where the curve contradicts the metric's direction
    rmse       root mean squared error after the curve, on the scale of the subjective scores
    outliers   share of images further from the curve than two standard errors of their score (two standard deviations
               where the number of observers is unknown); None without deviations
    intervals  95 % intervals by statistic, from bootstrap samples of scenes; empty for a single scene
    curve      from the metric to subjective scores, fitted to these images or, in protocols that split, to the others
    note       remarks: a fit that failed, a direction taken from the data
    published  citation, where the figures were published by others instead of measured; unknown ones are NaN, images 0
    """

    metric: str
    group: str
    images: int
    scenes: int
    srocc: float
    krocc: float
    plcc: float
    rmse: float
    outliers: float | None = None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    curve: Curve | None = None
    note: str = ""
    published: str = ""


def agreement(
    metric: str,
    values: ArrayLike,
    mos: ArrayLike,
    *,
    sign: int,
    scenes: Sequence[Hashable] = (),
    errors: ArrayLike | None = None,
    group: str = "all",
    form: str = "logistic5",
    curve: Curve | None = None,
    note: str = "",
) -> Agreement:
    """All statistics except the intervals.

    sign    +1 where metric and subjective scores increase together, -1 where one decreases as the other increases
    errors  (n,) standard error (or deviation) of each score, for the outlier ratio
    curve   fitted to other images; otherwise `form` is fitted to these images
    """
    x, y = np.asarray(values, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    curve = curve or fit(form, x, y)
    mapped = curve(x)
    far = None if errors is None else float(np.mean(np.abs(mapped - y) > 2 * np.asarray(errors)))
    return Agreement(
        metric=metric,
        group=group,
        images=y.size,
        scenes=len(set(scenes)) if len(scenes) else y.size,
        srocc=sign * srocc(x, y),
        krocc=sign * krocc(x, y),
        plcc=direction_sign(curve, x, sign) * plcc(mapped, y),
        rmse=rmse(mapped, y),
        outliers=far,
        curve=curve,
        note="; ".join(filter(None, (note, curve.note))),
    )


def bootstrap_statistics(
    values: Array, mos: Array, signs: Sequence[int], curves: Sequence[Curve], scenes: Sequence[Hashable],
    draws: int, seed: int, refit: bool = True,
) -> Mapping[str, Array]:  # fmt: skip
    """{statistic: (draws, M)} over bootstrap samples of scenes, correlations with sign; empty for a single scene.

    refit  False where the curves were fitted to other images
    """
    if len(set(scenes)) < 2 or draws < 2:
        return {}
    turned = np.asarray(signs)[:, None] * values
    reflected = [_reflected(curve, sign) for curve, sign in zip(curves, signs, strict=True)]
    found = dict(bootstrap(mos, turned, reflected, scenes, draws=draws, seed=seed, refit=refit))
    found["plcc"] = found["plcc"] * [
        direction_sign(c, x, s) for c, x, s in zip(curves, values, signs, strict=True)
    ]
    return found


def direction_sign(curve: Curve, values: ArrayLike, sign: int) -> float:
    """-1 where the curve decreases although metric and subjective scores should increase together, else 1.

    A curve is fitted to whatever trend the data have, so the correlation after it is never negative by itself.
    NaN for a constant metric.
    """
    return float(np.sign(sign * plcc(values, curve(values))))


def _reflected(curve: Curve, sign: int) -> Curve:
    """The same curve for values multiplied by `sign`."""
    return Curve(curve.form, curve.parameters, (sign * curve.x[0], sign * curve.x[1]), curve.y, curve.note)


def ends(draws: Mapping[str, Array], column: int) -> dict[str, tuple[float, float]]:
    """The 95 % interval of every statistic of one metric."""
    out = {}
    for name, values in draws.items():
        low, high = interval(values[:, column])
        out[name] = (float(low), float(high))
    return out

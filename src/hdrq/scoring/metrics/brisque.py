"""BRISQUE: a support vector machine on the statistics of normalised luminance, trained on subjective scores."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hdrq.cards import Card, Reading, metric
from hdrq.image.arithmetic import root
from hdrq.image.resize import imresize
from hdrq.scoring.features.natural_statistics import asymmetric, exact, gamma_ratio, generalised, mscn
from hdrq.scoring.features.tables import table

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (-1, 1))


@metric(
    Card(
        title="Blind image spatial quality evaluator",
        unit="DMOS",
        better="lower",
        span=(None, None),
        reads="code",
        reference=None,
        grey=True,
        codes=True,
        side=32,
        planes=26,
        source="Mittal, Moorthy, Bovik 2012, doi:10.1109/TIP.2012.2214050; numbers as utlive/BRISQUE 2e2a5ac",
    )
)
def brisque(image: Tensor, *, flat: Literal["octave", "zero"] = "octave") -> Reading:
    """Opinion predicted from 36 features: about 0 for a pristine photograph, 100 for a ruined one.

    flat   where an image is flat, its normalised codes are rounding errors of a sum, and their signs decide the fits.
           octave: as the authors' program adds up in Octave 7 (MATLAB adds up otherwise: 72.26 in place of 64.66 for
           pyiqa's distorted I19, 94.64 and 94.65 for I03). zero: no difference, the same on every machine (74.43, 94.64)
    extra  at the finest scale, the variance of the normalised codes and their shape as a generalised Gaussian. On
           twenty clean photographs the variance was 0.25 in the mean; a blur of 1 pixel left 0.12, noise of
           deviation 15 made it 0.59
    The authors' program passes features to libsvm with six decimals, which this does not: scores differ by under 0.001.
    The model was trained on SDR photographs; its scores of PU21 code (0..595) are not validated.
    """
    codes = exact(image)
    features = torch.cat([_features(codes, flat), _features(imresize(codes, 0.5), flat)], -1)
    shape, variance = features[:, :2].to(image).unbind(1)
    return Reading(_opinion(features).to(image), None, {"variance": variance, "shape": shape})


def _features(x: Tensor, flat: str) -> Tensor:
    """(N, 18): the fits of the normalised image and of its products with four neighbours, wrapping around."""
    x = mscn(x, "zero", settle=flat == "zero")
    features = list(generalised(x.flatten(1)))
    for shift in NEIGHBOURS:
        shape, left, right = asymmetric((x * x.roll(shift, (-2, -1))).flatten(1))
        left, right = left.nan_to_num(), right.nan_to_num()
        mean = (right - left) * gamma_ratio(shape, 2, 1) * root(gamma_ratio(shape, 1, 3))
        features += [shape, mean, left**2, right**2]
    return torch.stack(features, -1)


def _opinion(features: Tensor) -> Tensor:
    """Support vector regression with a radial kernel, on features brought to [-1, 1] by their range in training."""
    model = {key: torch.as_tensor(a, device=features.device) for key, a in table("brisque").items()}
    scaled = 2 * (features - model["low"]) / (model["high"] - model["low"]) - 1
    near = torch.exp(-model["gamma"] * ((scaled[:, None] - model["support"]) ** 2).sum(-1))
    return near @ model["weight"] - model["rho"]

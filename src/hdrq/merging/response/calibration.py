"""Calibration from pixels: the camera's response, the true exposures, the noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hdrq.errors import PixelError, UsageError
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.noise import Noise, fit_noise
from hdrq.merging.response.curve import FIXED, Response, consistency, fixed_response, usable
from hdrq.merging.response.exposure_ratios import exposure_ratios
from hdrq.merging.response.files import read_response
from hdrq.merging.response.samples import Samples
from hdrq.merging.response.telling import telling, untold, with_others
from hdrq.registry import find, names

# samples used for a response; more do not improve it
FITTED = 8_000
# stops between the shortest and the longest frame below which no response can be estimated
LEAST_SPAN = 0.5
# stops between neighbours above which a response depends on its prior
FAR_APART = 3.5
# number of different codes that an estimate needs
LEAST_CODES = 24
# stops by which frames may disagree more than with the estimate, to be taken as linear
LINEAR_BIAS = 0.05
# range of a camera response's slope relative to sRGB's
PLAUSIBLE = (0.6, 2.0)
# slope, relative to sRGB's, below which a response says nothing of the exposures
LEAST_POWER = 0.05
FILES = (".json", ".rsp", ".npz", ".npy", ".csv", ".txt")


@dataclass
class Calibration:
    """Everything that the merge needs to convert codes to light, with its uncertainty."""

    response: Response
    seconds: np.ndarray
    noise: Noise
    consistency: dict[str, Any] = field(default_factory=dict)
    exposure_spread: np.ndarray | None = None
    misfit: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def estimators() -> tuple[str, ...]:
    """Names of the response estimators."""
    return names("response")


def _automatic_estimator() -> str:
    return next(name for name in estimators() if find("response", name).card.automatic)


def calibrate(
    stack: ExposureStack,
    samples: Samples,
    response: str = "auto",
    estimate_exposures: bool = False,
    seed: int = 0,
) -> Calibration:
    """Response, exposures and noise of a stack.

    response  "auto" (see `automatic`), an estimator's name, a fixed curve's name, or a file
    """
    seconds = stack.seconds.copy()
    spread = misfit = None
    if not stack.exposures_known:
        found, notes = _prior_or_given(response, stack)
        seconds, spread = _true_exposures(samples, found, seconds, stack.levels)
    else:
        found, notes = _response(response, stack, samples, seconds, seed)
        power = _power_of(found)
        estimated = found.how.startswith("estimated")
        if estimate_exposures and estimated and power < LEAST_POWER and response == "auto":
            found, notes = _prior_or_given(response, stack)
            estimated = False
        if estimate_exposures:
            seconds, spread = _true_exposures(samples, found, seconds, stack.levels)
            if estimated and not PLAUSIBLE[0] < power < PLAUSIBLE[1]:
                power = max(power, LEAST_POWER)
                seconds = seconds.max() * (seconds / seconds.max()) ** (1 / power)
                notes.append(
                    f"with the stated exposures the response would be {power:.2g} times as steep as sRGB's; exposures are "
                    "scaled so that it is as steep as sRGB's; the true ratios may differ by a common exponent"
                )
            elif estimated:
                seconds = _same_span(seconds, stack.seconds)
                notes.append(
                    "response and exposures were both estimated from pixels; the total range of exposures is as stated"
                )
            if estimated:
                found, more = _response(response, stack, samples, seconds, seed)
                notes += [n for n in more if n not in notes]
            misfit = np.log2(stack.seconds / seconds)
        elif estimated and not PLAUSIBLE[0] < power < PLAUSIBLE[1]:
            notes.append(
                f"the response is {power:.2g} times as steep as sRGB's, implausible for a camera: the stated exposures "
                "are probably wrong; see --estimate-exposures"
            )
    curve = found.table(256)
    codes = np.rint(samples.codes)
    report = consistency(codes, seconds, curve)
    if stack.levels == 256:
        noise = fit_noise(codes, seconds, curve)
    else:
        # at full bit depth: the linear step of an 8-bit code hides the noise of a good camera
        noise = fit_noise(samples.codes * 257, seconds, found.table(65536))
    if noise == Noise():
        notes.append(
            "too few pixels are well exposed in two frames to measure the noise; that of a usual camera is assumed"
        )
    return Calibration(found, seconds, noise, report, spread, misfit, notes)


def kept_for(kept: Calibration, stack: ExposureStack, samples: Samples) -> Calibration:
    """Response and noise found before, with the exposures of a stack and what its own pixels say of their consistency."""
    seconds = stack.seconds.copy()
    report = consistency(np.rint(samples.codes), seconds, kept.response.table(256))
    return Calibration(kept.response, seconds, kept.noise, report)


def _response(
    requested: str, stack: ExposureStack, samples: Samples, seconds: np.ndarray, seed: int
) -> tuple[Response, list[str]]:
    if requested == "auto":
        return automatic(stack, samples, seconds, seed)
    if requested in estimators():
        if _span(seconds) < LEAST_SPAN:
            raise UsageError(
                f"--response {requested} needs frames of different exposure, but these differ by {_span(seconds):.2g} stops; "
                "give --response srgb, linear or a file"
            )
        return _estimated(requested, samples, seconds, seed)
    return given_response(requested, stack.levels, stack.channels), []


def given_response(requested: str, levels: int, channels: int) -> Response:
    """A response from a file or a fixed curve, for frames of that many levels and channels."""
    if Path(requested).suffix.lower() in FILES:
        found = read_response(requested)
        if found.curve.shape[1] not in (1, channels):
            raise UsageError(f"{requested} has {found.curve.shape[1]} channels, the frames {channels}")
        return found
    check_response(requested)
    return fixed_response(requested, levels)


def prior(stack: ExposureStack) -> Response:
    """The assumption where pixels do not determine a response: the curve of the frames' own encoding."""
    return fixed_response("linear" if stack.domain == "nits" else stack.domain, stack.levels)


def _prior_or_given(requested: str, stack: ExposureStack) -> tuple[Response, list[str]]:
    """The response of a stack with unknown exposures, from which no response can be estimated."""
    if requested in estimators():
        raise UsageError(
            f"--response {requested} needs stated exposures; give --times or --ev, or --response srgb, linear or a file"
        )
    if requested != "auto":
        return given_response(requested, stack.levels, stack.channels), [
            "exposures are estimated from the pixels"
        ]
    found = prior(stack)
    return found, [
        f"exposures are estimated from the pixels with {found.how.removeprefix('fixed: ')} response, which is assumed; "
        "ratios may differ by a common exponent: give --times, --ev or --response"
    ]


def automatic(
    stack: ExposureStack, samples: Samples, seconds: np.ndarray, seed: int
) -> tuple[Response, list[str]]:
    """The file's own curve for linear, PQ or HLG; linear where frames agree with it; else an estimate; else sRGB."""
    if stack.domain in ("linear", "nits", "pq", "hlg"):
        return prior(stack), []
    assumed = prior(stack)
    name = assumed.how.removeprefix("fixed: ")
    if _span(seconds) < LEAST_SPAN:
        return assumed, [
            f"frames of equal exposure do not determine the response; {name} is assumed, see --response"
        ]
    try:
        if len(np.unique(np.rint(samples.codes))) < LEAST_CODES:
            raise PixelError("too few codes were seen to estimate a response; give --response srgb")
        found, notes = _estimated(_automatic_estimator(), samples, seconds, seed)
    except PixelError:
        return assumed, [
            f"too few pixels are well exposed in two frames to estimate a response; {name} is assumed, see --response"
        ]
    linear = fixed_response("linear", stack.levels)
    if _agrees_as_well(linear, found, samples, seconds):
        return Response(linear.curve, "linear, because the frames agree with it"), notes
    gap = _closest(seconds)
    if gap < FAR_APART:
        return found, notes
    return found, [
        *notes,
        f"no two frames are closer than {gap:.1f} stops: they do not determine the response in between, so that it "
        "is kept close to sRGB's; give --response if it is known",
    ]


def _span(seconds: np.ndarray) -> float:
    return float(np.log2(seconds.max() / seconds.min()))


def _closest(seconds: np.ndarray) -> float:
    """Smallest difference in stops between neighbouring exposures that differ."""
    gaps = np.diff(np.log2(np.sort(seconds)))
    return float(gaps[gaps > LEAST_SPAN].min(initial=np.inf)) if (gaps > LEAST_SPAN).any() else 0.0


def _agrees_as_well(curve: Response, found: Response, samples: Samples, seconds: np.ndarray) -> bool:
    """Whether frames agree under a curve as well as under the estimated one, within LINEAR_BIAS stops."""
    fine = samples.codes * 257
    ours, best = (
        consistency(fine, seconds, c.table(65536), low=15 * 257, high=245 * 257) for c in (curve, found)
    )
    result: bool = ours["bias"] < best["bias"] + LINEAR_BIAS and ours["rms"] < 1.1 * best["rms"] + LINEAR_BIAS
    return result


def _power_of(response: Response) -> float:
    """Slope of a response relative to sRGB's, in the logarithm, over codes 30 to 225."""
    codes = np.arange(30, 226)
    srgb = np.log(fixed_response("srgb").curve[codes, 0])
    ours = np.log(np.maximum(response.table(256)[codes], 1e-300)).mean(1)
    return float(np.polyfit(srgb, ours, 1)[0])


def check_response(requested: str) -> None:
    """UsageError for a name that is neither an estimator, a curve nor a file."""
    if requested.startswith("gamma"):
        fixed_response(requested, 2)
    elif not (
        requested == "auto"
        or Path(requested).suffix.lower() in FILES
        or requested in FIXED
        or requested in estimators()
    ):
        raise UsageError(
            f"unknown response '{requested}'; choose auto,  {', '.join((*estimators(), *FIXED))}, gamma2.2, or a file"
        )


def _estimated(name: str, samples: Samples, seconds: np.ndarray, seed: int) -> tuple[Response, list[str]]:
    """The curve of an estimator, made usable; a note where a channel that tells none has that of the others."""
    count = samples.codes.shape[1]
    pick = np.random.default_rng(seed).permutation(count)[:FITTED]
    some = samples.codes[:, pick]
    seen = np.stack(
        [np.bincount(np.rint(some[..., c]).astype(int).ravel(), minlength=256) for c in range(some.shape[2])],
        1,
    )
    tells = telling(some, seconds)
    notes = untold(tells)
    curves = find("response", name)(some[..., tells] if notes else some, seconds)
    return usable(with_others(curves, tells) if notes else curves, seen, f"estimated: {name}"), notes


def _same_span(seconds: np.ndarray, stated: np.ndarray) -> np.ndarray:
    """Exposures with the stated total range: a common exponent of exposures and response is not determined by pixels."""
    log, log_stated = np.log(seconds / seconds.max()), np.log(stated / stated.max())
    result: np.ndarray = stated.max() * np.exp(log * (log @ log_stated) / max(log @ log, 1e-12))
    return result


def _true_exposures(
    samples: Samples, response: Response, seconds: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Exposures at which the frames agree, and their standard error in stops; the longest remains as stated."""
    table = np.broadcast_to(response.table(256), (256, samples.codes.shape[2]))
    knots = np.arange(256)
    white = table.max()
    light = np.concatenate(
        [np.interp(samples.codes[..., c], knots, table[:, c] / white) for c in range(samples.codes.shape[2])],
        1,
    )
    codes = np.concatenate(list(samples.codes.transpose(2, 0, 1)), 1)
    tiles = np.tile(samples.tile, samples.codes.shape[2])
    # where rounding alone changes a logarithm
    low = codes < 16 if levels == 256 else light < 0.003
    found = exposure_ratios(np.maximum(light, 1e-9), (codes > 245) | low, seconds, tiles)
    return found.relative, found.spread

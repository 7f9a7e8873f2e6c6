"""Quality of a merged image that had to cope with motion, read against its exposures."""

from __future__ import annotations

from math import ceil, log, log2
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Output, Reading, metric
from hdrq.errors import PixelError
from hdrq.image.filters import gaussian, window
from hdrq.image.filters import pad as padded
from hdrq.image.sampled import isotonic
from hdrq.scoring.features.hdrvdp.civdm import SLOPE, VISIBLE, band_rate, laplacian
from hdrq.scoring.features.hdrvdp.contrast import HIGHEST, LOWEST, at_each, tabulated_v3
from hdrq.scoring.features.hdrvdp.retina import Viewer, retinal_response

# red, green and blue of the map
KINDS = ("blending", "gradient", "visual")
# of the comparison of gradients
WINDOW, SIGMA = 11, 1.5
# cd/m²
DARKEST = 1e-5
# natural logarithm; gradients below this are none
FLAT = 1e-6
# of the exposures' code
LEVELS = 256
# code that an exposure resolves; what lies outside is too dark or clipped
LOW, HIGH = 0.04, 0.96


@metric(
    Card(
        title="Deghosting quality: artefacts of a merged image against its exposures",
        unit="1",
        better="lower",
        span=(0, 1),
        reads="nits",
        reference="srgb",
        grey=True,
        needs=("ppd",),
        side=32,
        planes=120,
        trainable=False,
        stack=True,
        map="error",
        outputs=tuple(
            Output(kind, "1", "lower", (0, 1), when=(("output", kind),)) for kind in (*KINDS, "clipping")
        ),
        source="after Tursun, Akyuz, Erdem & Erdem 2016, doi:10.1111/cgf.12818: the kinds of artefact, not the formulas",
    )
)
def deghosting(
    ref: Tensor,
    dist: Tensor,
    *,
    output: Literal["auto", "blending", "gradient", "visual", "clipping"] = "auto",
    ppd: float = 45.0,
) -> Reading:
    """Mean probability that a pixel of the merged image shows a ghost; 0 where every pixel agrees with an exposure.

    ref   (K, 1, H, W) the aligned exposures of one scene, code 0..1; neither their times nor the camera's response are
          needed: the response of each is taken from the merged image, by the median of its light at every code
    dist  (N, 1, H, W) merged images of that scene, cd/m²

    visual    the merged image visibly differs from every exposure that resolves the pixel (with the eye of HDR-VDP 3)
    gradient  its gradients, in size or direction, are those of no exposure that resolves the surroundings
    blending  it lies between two exposures that disagree, and follows neither; counted as far as the difference is visible
    clipping  share of the pixels that an exposure resolves but where the merged image has its largest or smallest value:
              dynamic range that was given up. It is an output of its own and no part of the value

    map       red blending, green gradient, blue visual difference over black, as in the paper; of output=blending and so on
              that alone
    extra     the four numbers

    The paper's own formulas and weights could not be read here: its scores are not reproduced.
    """
    rows = [_of_one(ref.double(), image.double(), ppd) for image in dist.split(1)]
    maps = torch.cat([m for m, _ in rows]).to(dist)
    numbers = {kind: maps[:, k].mean((1, 2)) for k, kind in enumerate(KINDS)}
    numbers["clipping"] = torch.stack([lost.mean() for _, lost in rows]).to(dist)
    if output == "clipping":
        return Reading(numbers[output], torch.cat([lost for _, lost in rows]).to(dist), numbers)
    if output != "auto":
        k = KINDS.index(output)
        return Reading(numbers[output], maps[:, k : k + 1], numbers)
    ghost = 1 - (1 - maps).prod(1)
    return Reading(ghost.mean((1, 2)), maps, numbers)


def _of_one(stack: Tensor, light: Tensor, ppd: float) -> tuple[Tensor, Tensor]:
    """(1, 3, H, W) probabilities of KINDS, and (1, 1, H, W) 1 where dynamic range was given up."""
    logs = light.clamp(min=DARKEST).log()
    found = [e for e in (exposed(code, logs) for code in stack.split(1)) if e is not None]
    if not found:
        raise PixelError("no exposure of the stack resolves a pixel: all are black or clipped")
    some = torch.stack([e.resolved for e in found]).any(0)
    seen = EyeResponse(logs, ppd)
    visual = torch.stack([torch.where(e.resolved, seen.against(e), 1.0) for e in found]).amin(0) * some
    gradient = torch.stack([_gradients(logs, e) for e in found]).amin(0)
    # no exposure resolves the surroundings
    gradient = torch.where(gradient > 1, 0.0, gradient)
    blending = _between(logs, found) * visual
    extreme = (logs >= logs.max() - FLAT) | (logs <= logs.min() + FLAT)
    flat = logs.max() - logs.min() <= FLAT
    lost = (some & extreme & ~flat).to(logs)
    return torch.cat((blending, gradient, visual), 1), lost


class EyeResponse:
    """The response of an eye to an image, with which others are compared."""

    def __init__(self, logs: Tensor, ppd: float) -> None:
        self.logs, self.ppd = logs, ppd
        self.viewer = Viewer(ppd, 24.0, "hdrvdp", "d65", 0.0)
        response, adapting = retinal_response(logs.exp(), self.viewer, None)
        self.levels = max(1, min(ceil(log2(ppd)) - 2, min(logs.shape[-2:]).bit_length() - 3))
        self.bands = laplacian(response, self.levels)
        self.adapting = adapting.log10().clamp(LOWEST, HIGHEST)

    def against(self, exposure: Exposed) -> Tensor:
        """Probability of seeing the difference to an exposure, where it resolves the image, and 0 elsewhere."""
        change = beyond(exposure.light - self.logs, exposure.unsure)
        other = self.logs + torch.where(exposure.resolved, change, 0.0)
        if not bool((other != self.logs).any()):
            return torch.zeros_like(self.logs)
        bands = laplacian(retinal_response(other.exp(), self.viewer, None)[0], self.levels)
        total = torch.zeros_like(self.logs)
        for level, (one, two) in enumerate(zip(self.bands[:-1], bands)):
            curve = tabulated_v3(band_rate(level, self.ppd), "hdrvdp", 24.0, one.dtype, one.device)
            total = total + ((two - one).abs() * at_each(curve, self.adapting)) ** SLOPE
        return -torch.expm1(log(1 - VISIBLE) * total)


def _gradients(logs: Tensor, exposure: Exposed) -> Tensor:
    """1 - similarity of gradients under a Gaussian window, 0..1; 2 where the window is not resolved throughout."""
    taps = gaussian(WINDOW, SIGMA, logs).tolist()
    reach = WINDOW // 2

    def mean(x: Tensor) -> Tensor:
        return window(padded(x, *(reach,) * 4, "symmetric"), taps)

    change = beyond(exposure.light - logs, exposure.unsure)
    (ax, ay), (bx, by) = (_slopes(x) for x in (logs, logs + torch.where(exposure.resolved, change, 0.0)))
    noise = mean(exposure.unsure**2) + FLAT**2
    common = 2 * mean(ax * bx + ay * by) + noise
    both = mean(ax**2 + ay**2 + bx**2 + by**2) + noise
    resolved = mean(exposure.resolved.to(logs)) > 1 - FLAT
    return torch.where(resolved, (1 - common / both).clamp(0, 1), 2.0)


def _slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the next pixel to the right and below, 0 at the end."""
    right, below = torch.zeros_like(x), torch.zeros_like(x)
    right[..., :-1] = x.diff(dim=-1)
    below[..., :-1, :] = x.diff(dim=-2)
    return right, below


def _between(logs: Tensor, found: list[Exposed]) -> Tensor:
    """1 in the middle between the outermost exposures, 0 at any exposure and outside, (1, 1, H, W)."""
    never = torch.full_like(logs, torch.inf)
    lights = torch.stack([torch.where(e.resolved, e.light, never) for e in found])
    low = lights.amin(0)
    high = torch.stack([torch.where(e.resolved, e.light, -never) for e in found]).amax(0)
    near = torch.stack(
        [torch.where(e.resolved, beyond(logs - e.light, e.unsure).abs(), never) for e in found]
    ).amin(0)
    apart = high - low
    inside = (logs > low) & (logs < high) & apart.isfinite()
    share = 2 * near / apart.clamp(min=FLAT)
    return torch.where(inside, share.clamp(0, 1), 0.0)


class Exposed(NamedTuple):
    """Natural logarithms of the light that one exposure holds, all (1, 1, H, W).

    light     by the exposure's response; anything where the exposure resolves nothing
    unsure    half a step of the code
    resolved  whether the code lies within LOW..HIGH
    """

    light: Tensor
    unsure: Tensor
    resolved: Tensor


def exposed(code: Tensor, log_light: Tensor) -> Exposed | None:
    """One exposure (1, 1, H, W), code 0..1, read with the response that makes it agree with most of the merged image.

    The response is the median of the merged light at each code, made monotone. Objects that moved are outliers to it, as
    long as they cover less than half of the pixels of a code. None where the exposure resolves no pixel.
    """
    place = code.clamp(0, 1) * (LEVELS - 1)
    resolved = (code >= LOW) & (code <= HIGH)
    if not bool(resolved.any()):
        return None
    curve = _response(place[resolved].round().long(), log_light[resolved])
    node = place.floor().clamp(0, LEVELS - 2)
    low = curve[node.long()]
    step = curve[node.long() + 1] - low
    return Exposed(low + step * (place - node), _half_steps(curve)[place.round().long()], resolved)


def _response(codes: Tensor, logs: Tensor) -> Tensor:
    """(LEVELS,) log light of every code; codes without pixels lie on lines between their neighbours."""
    order = torch.argsort(codes, stable=True)
    parts = logs[order].split(torch.bincount(codes, minlength=LEVELS).tolist())
    used = [k for k, part in enumerate(parts) if part.numel()]
    medians = np.array([float(_median(parts[k])) for k in used])
    fit = isotonic(medians, weights=np.array([float(parts[k].numel()) for k in used]))
    return torch.from_numpy(np.interp(np.arange(LEVELS), used, fit)).to(logs)


def _median(x: Tensor) -> Tensor:
    """The mean of the two middle values where there are two."""
    n = x.numel()
    return (x.kthvalue((n + 1) // 2).values + x.kthvalue(n // 2 + 1).values) / 2


def _half_steps(curve: Tensor) -> Tensor:
    """Half the change of log light from one code to the next, the larger of both sides."""
    steps = curve.diff()
    both = torch.stack((torch.cat((steps[:1], steps)), torch.cat((steps, steps[-1:]))))
    return both.amax(0) / 2


def beyond(difference: Tensor, tolerance: Tensor) -> Tensor:
    """A difference without what lies within its tolerance."""
    return difference.sign() * (difference.abs() - tolerance).clamp(min=0)

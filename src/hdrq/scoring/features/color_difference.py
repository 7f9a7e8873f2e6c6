"""Colour spaces of absolute light (XYZ, CIELAB with a stated white, ICtCp, Jzazbz), and differences of colours in them.

light        (N, C, H, W), linear, cd/m², in the primaries that are named beside it; one channel is the luminance of D65 grey
differences  (N, 3, H, W) twice to (N, 1, H, W); 0 for equal colours, with slope 0 there
Conversions that several metrics of a call ask for are made once (hdrq.image.caching).
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, radians

import numpy as np
import torch
from torch import Tensor

from hdrq.cards import Card, Reading
from hdrq.errors import UsageError
from hdrq.image.arithmetic import power, root
from hdrq.image.caching import cached, shared
from hdrq.image.color import mix, rgb_to_rgb, rgb_to_xyz, to_lab, weigh
from hdrq.image.transfer import pq_signal
from hdrq.records import BT709, BT2020, Primaries
from hdrq.scoring.features.pixel_errors import Pool, by_rows, pool

# D65, Y = 1
_WHITE = rgb_to_xyz(BT709).sum(1)

# ITU-R BT.2100-3 table 7: RGB of BT.2020 to LMS, and L'M'S' to I, Ct, Cp.
_LMS = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
_ICTCP = np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096

# Safdar, Cui, Kim, Luo 2017, doi:10.1364/OE.25.015131, equations 8 to 13.
_JZ_XYZ = np.array([[1.15, 0.0, -0.15], [0.34, 0.66, 0.0], [0.0, 0.0, 1.0]])
_JZ_LMS = np.array(
    [[0.41478972, 0.579999, 0.0146480], [-0.2015100, 1.120649, 0.0531008], [-0.0166008, 0.264800, 0.6684799]]
)
_JZ_IAB = np.array([[0.5, 0.5, 0.0], [3.524, -4.066708, 0.542708], [0.199076, 1.096799, -1.295875]])
_JZ_M2 = 1.7 * 2523 / 32
_JZ_D, _JZ_D0 = -0.56, 1.6295499532821566e-11
Difference = Callable[[Tensor, Tensor], Tensor]


@shared
def xyz(light: Tensor, primaries: Primaries) -> Tensor:
    """CIE XYZ, cd/m², (N, 3, H, W)."""
    if light.shape[1] == 1:
        return light * light.new_tensor(_WHITE).view(1, 3, 1, 1)
    return mix(light, rgb_to_xyz(primaries))


@shared
def luminance(light: Tensor, primaries: Primaries) -> Tensor:
    """Y, cd/m², (N, 1, H, W)."""
    return weigh(light, tuple(rgb_to_xyz(primaries)[1]))


@shared
def lab(light: Tensor, primaries: Primaries, white: float) -> Tensor:
    """L*, a*, b* against D65 of `white` cd/m²; light above the white has L* above 100."""
    return by_rows(lambda rows: to_lab(xyz.__wrapped__(rows, primaries) / white), light)  # type: ignore[attr-defined]


def white_note(white: float) -> str:
    """A note on the white; UsageError where there is none."""
    if not white > 0:
        raise UsageError(f"the white of L* = 100 is a luminance above 0, not {white:g}")
    return f"L* = 100 at {white:g} cd/m², D65"


@shared
def ictcp(light: Tensor, primaries: Primaries) -> Tensor:
    """I, Ct, Cp of BT.2100 with PQ. Cone responses below 0 (colours outside of BT.2020) count as 0."""
    # equal cone responses: no Ct, no Cp
    if light.shape[1] == 1:
        intensity = by_rows(pq_signal, light)
        return torch.cat([intensity, torch.zeros_like(intensity).expand(-1, 2, -1, -1)], 1)
    to_lms = _LMS @ rgb_to_rgb(primaries, BT2020)
    return by_rows(lambda rows: mix(pq_signal(mix(rows, to_lms)), _ICTCP), light)


@shared
def jzazbz(light: Tensor, primaries: Primaries) -> Tensor:
    """Jz, az, bz. Cone responses below 0 count as 0."""

    def convert(rows: Tensor) -> Tensor:
        cones = mix(xyz.__wrapped__(rows, primaries), _jz_cones())  # type: ignore[attr-defined]
        intensity, az, bz = mix(pq_signal(cones, _JZ_M2), _JZ_IAB).split(1, 1)
        jz = (1 + _JZ_D) * intensity / (1 + _JZ_D * intensity) - _JZ_D0
        return torch.cat([jz, az, bz], 1)

    return by_rows(convert, light)


@cached(1)
def _jz_cones() -> np.ndarray:
    result: np.ndarray = _JZ_LMS @ _JZ_XYZ
    return result


def card(title: str, unit: str, source: str) -> Card:
    """Of a difference of absolute light, pixel by pixel."""
    return Card(
        title=title,
        unit=unit,
        better="lower",
        span=(0, None),
        best=0.0,
        reads="nits",
        needs=("primaries",),
        planes=24,
        source=source,
    )


def read(difference: Difference, ref: Tensor, dist: Tensor, how: Pool, note: str = "") -> Reading:
    """Pooled difference of colours (N, 3, H, W) of one space, with the difference of every pixel as its map."""
    errors = by_rows(difference, ref, dist)
    return Reading(pool(errors, how), errors, notes=(note,) if note else ())


def read_lab(
    difference: Difference, ref: Tensor, dist: Tensor, how: Pool, primaries: Primaries, white: float
) -> Reading:
    """The same of light, cd/m², as L*a*b* whose L* = 100 is `white`."""
    return read(difference, lab(ref, primaries, white), lab(dist, primaries, white), how, white_note(white))


def euclidean(ref: Tensor, dist: Tensor) -> Tensor:
    """Root of the summed squares: CIE 1976 in L*a*b*, and the difference of Jzazbz."""
    return root((ref - dist).square().sum(1, keepdim=True))


def hyab(ref: Tensor, dist: Tensor) -> Tensor:
    """|dL| + root(da² + db²). Source: Abasi, Tehran, Fairchild 2020, doi:10.1002/col.22451."""
    d = ref - dist
    return d[:, :1].abs() + chroma(d)


def chroma(lab: Tensor) -> Tensor:
    """Root of a² + b²."""
    return root(lab[:, 1:].square().sum(1, keepdim=True))


def cie94(ref: Tensor, dist: Tensor) -> Tensor:
    """For graphic arts (kL = 1, K1 = 0.045, K2 = 0.015), weighted by the chroma of the reference: not symmetric."""
    d, c1 = ref - dist, chroma(ref)
    dc = c1 - chroma(dist)
    dh2 = d[:, 1:].square().sum(1, keepdim=True) - dc.square()
    return root(d[:, :1].square() + (dc / (1 + 0.045 * c1)).square() + dh2 / (1 + 0.015 * c1).square())


def ciede2000(ref: Tensor, dist: Tensor, naive_hue: bool = False) -> Tensor:
    """CIE 142-2001 in the form of Sharma, Wu, Dalal 2005, kL = kC = kH = 1.

    naive_hue  as HDRTools: hues of (-pi, pi] are averaged and subtracted as plain numbers, without the 360 degree rule
    """
    c7 = ((chroma(ref) + chroma(dist)) / 2) ** 7
    stretch = 1.5 - 0.5 * root(c7 / (c7 + 25.0**7))
    (l1, c1, h1), (l2, c2, h2) = (_polar(x, stretch) for x in (ref, dist))
    if naive_hue:
        difference, mean = h2 - h1, (h1 + h2) / 2
    else:
        difference, mean = _hues(h1, h2, grey=c1 * c2 == 0)
    dl, dc = l2 - l1, c2 - c1
    dh = 2 * root(c1 * c2) * torch.sin(difference / 2)
    return _weigh(dl, dc, dh, (l1 + l2) / 2, (c1 + c2) / 2, mean)


def _hues(h1: Tensor, h2: Tensor, grey: Tensor) -> tuple[Tensor, Tensor]:
    """Difference along the shorter arc, and the middle of that arc in [0, 2 pi); a grey takes the other one's hue."""
    h1, h2 = h1.remainder(2 * pi), h2.remainder(2 * pi)
    difference, mean = h2 - h1, (h1 + h2) / 2
    far = difference.abs() > pi
    difference = torch.where(far, difference - 2 * pi * difference.sign(), difference)
    mean = torch.where(far, torch.where(mean < pi, mean + pi, mean - pi), mean)
    return torch.where(grey, 0.0, difference), torch.where(grey, h1 + h2, mean)


def _polar(lab: Tensor, stretch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """L*, C', h' in (-pi, pi], 0 for grey."""
    lightness, a, b = lab.split(1, 1)
    a = a * stretch
    coloured = (a != 0) | (b != 0)
    hue = torch.where(coloured, torch.atan2(b, torch.where(coloured, a, 1.0)), 0.0)
    return lightness, root(a.square() + b.square()), hue


def _weigh(dl: Tensor, dc: Tensor, dh: Tensor, l: Tensor, c: Tensor, h: Tensor) -> Tensor:
    """The weighted sum, of differences and of means; angles in radians."""
    t = (
        1
        - 0.17 * torch.cos(h - radians(30))
        + 0.24 * torch.cos(2 * h)
        + 0.32 * torch.cos(3 * h + radians(6))
        - 0.20 * torch.cos(4 * h - radians(63))
    )
    l50 = (l - 50).square()
    sl = 1 + 0.015 * l50 / torch.sqrt(20 + l50)
    c7 = c**7
    rc = 2 * root(c7 / (c7 + 25.0**7))
    turn = 2 * radians(30) * torch.exp(-((h - radians(275)) / radians(25)).square())
    tl, tc, th = dl / sl, dc / (1 + 0.045 * c), dh / (1 + 0.015 * c * t)
    return power(tl * tl + tc * tc + th * th - torch.sin(turn) * rc * tc * th, 0.5)

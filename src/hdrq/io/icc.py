"""ICC profiles of images: primaries, transfer function, or a complete transformation. Source: ICC.1:2022."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hdrq.image.color import rgb_to_xyz
from hdrq.image.transfer import linear_to_srgb, pq_to_nits
from hdrq.io.color import Meaning, code_points, primaries_of
from hdrq.records import BT709, BT2020, Primaries

# profiles store adapted colorants as 16-bit fractions
ROUNDING = 2e-3
_PQ_NAME = re.compile(r"2100.{0,12}\bPQ|\bPQ\b.{0,12}2100|ST.?2084|_PQ_|\bPQ\b", re.I)
_HLG_NAME = re.compile(r"2100.{0,12}HLG|\bHLG\b|_HLG_", re.I)
# a curve within this distance of sRGB's is taken as sRGB's
_HALF_CODE = 0.6 / 255
# a, b, c of BT.2100 table 5
_HLG = (0.17883277, 0.28466892, 0.55991073)
Curve = Callable[[Tensor], Tensor]


def understand(profile: bytes, notes: list[str]) -> Meaning:
    """The meaning of RGB or grey code with this profile.

    PQ and HLG are recognised by the cicp tag, the shape of the curve, or the profile's name (as in the W3C's profiles of
    BT.2100). Any other curve is applied. Profiles with only look-up tables are converted to linear BT.2020 by lcms.
    A profile that cannot be interpreted is taken as sRGB, with a note.
    """
    try:
        tags = _tags(profile)
        if len(tags.get("cicp", b"")) >= 12:
            return code_points(tags["cicp"][8], tags["cicp"][9], notes)
        grey = profile[16:20] == b"GRAY"
        named = _by_name(tags)
        found = None if grey or "rXYZ" not in tags else _primaries(tags)
        if named:
            notes.append(f"{named.upper()} recognised by the name of the colour profile, {_name(tags)!r}")
            return Meaning(named, found or (BT709 if grey else BT2020))
        curves = [
            _curve(tags[name]) for name in (("kTRC",) if grey else ("rTRC", "gTRC", "bTRC")) if name in tags
        ]
        if grey and len(curves) == 1:
            return _of_curves(curves, BT709, notes)
        if found is not None and len(curves) == 3:
            if found.name == "file":
                notes.append("primaries taken from the colour profile")
            return _of_curves(curves, found, notes)
        if not grey and "A2B0" in tags:
            notes.append(f"colour profile {_name(tags)!r} applied by lcms: linear light in BT.2020 primaries")
            return Meaning("srgb", BT2020, _Lcms(profile))
    except (struct.error, KeyError, IndexError, ValueError, OverflowError, np.linalg.LinAlgError):
        pass
    notes.append("colour profile cannot be interpreted: assumed sRGB")
    return Meaning()


def _tags(profile: bytes) -> dict[str, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for i in range(min(count, 200)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        tags[name.decode("latin-1")] = profile[offset : offset + size]
    return tags


# --- names --------------------------------------------------------------------------------------------


def _name(tags: dict[str, bytes]) -> str:
    """The profile's description in its first language, at most 60 characters."""
    tag = tags.get("desc", b"")
    if tag[:4] == b"mluc" and len(tag) >= 28:
        size, at = struct.unpack_from(">II", tag, 20)
        return tag[at : at + size].decode("utf-16-be", "replace")[:60]
    if tag[:4] == b"desc" and len(tag) >= 12:
        (size,) = struct.unpack_from(">I", tag, 8)
        return tag[12 : 12 + max(0, size - 1)].decode("latin-1")[:60]
    return ""


def _by_name(tags: dict[str, bytes]) -> str | None:
    """ "pq" or "hlg" for profiles with such a name whose curves are missing or meant only for tone mapping."""
    name = _name(tags)
    if _PQ_NAME.search(name):
        return "pq"
    return "hlg" if _HLG_NAME.search(name) else None


# --- curves -------------------------------------------------------------------------------------------


def _of_curves(curves: list[Curve], primaries: Primaries, notes: list[str]) -> Meaning:
    """The domain with this transfer function, or the curves themselves."""
    code = torch.linspace(0, 1, 1024, dtype=torch.float64)
    sampled = [curve(code) for curve in curves]
    for domain, near in (("linear", _is_linear), ("srgb", _is_srgb), ("pq", _is_pq), ("hlg", _is_hlg)):
        if all(near(code, light) for light in sampled):
            if domain in ("pq", "hlg"):
                notes.append(f"{domain.upper()} recognised by the curve of the colour profile")
            return Meaning(domain, primaries)
    notes.append("curve of the colour profile applied: converted to sRGB code of the same light")
    return Meaning("srgb", primaries, _each(curves))


def _each(curves: list[Curve]) -> Curve:
    """The curves of all channels as one function of (1, C, H, W)."""

    def apply(pixels: Tensor) -> Tensor:
        count = pixels.shape[1]
        per_channel = curves if len(curves) == count else curves[:1] * count
        return torch.stack([curve(pixels[:, c]) for c, curve in enumerate(per_channel)], 1)

    return apply


def _is_linear(code: Tensor, light: Tensor) -> bool:
    return bool((light - code).abs().max() < 1e-4)


def _is_srgb(code: Tensor, light: Tensor) -> bool:
    return bool((linear_to_srgb(light) - code).abs().max() < _HALF_CODE)


def _alike(light: Tensor, known: Tensor) -> bool:
    """Whether two curves agree within 2 % and two steps of a 16-bit table."""
    return bool(((light - known).abs() < 0.02 * known + 3e-5).all())


def _is_pq(code: Tensor, light: Tensor) -> bool:
    return _alike(light, pq_to_nits(code) / 10_000)


def _is_hlg(code: Tensor, light: Tensor) -> bool:
    a, b, c = _HLG
    return _alike(light, torch.where(code <= 0.5, code**2 / 3, (((code - c) / a).exp() + b) / 12))


def _curve(tag: bytes) -> Curve:
    """A curv or para tag as a function of code in float64. Source: ICC.1:2022, 10.6 and 10.18."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return lambda x: x
        table = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            exponent = float(table[0]) / 256
            return lambda x: x.clamp(min=0) ** exponent
        return _table(table / 65535)
    if tag[:4] != b"para":
        raise ValueError("a curve of unknown type")
    (kind,) = struct.unpack_from(">H", tag, 8)
    count = (1, 3, 4, 5, 7)[kind]
    g, a, b, c, d, e, f = ([v / 65536 for v in struct.unpack_from(f">{count}i", tag, 12)] + [0.0] * 6)[:7]
    if kind == 0:
        return lambda x: x.clamp(min=0) ** g
    if kind == 1:
        return lambda x: torch.where(x >= -b / a, (a * x + b).clamp(min=0) ** g, torch.zeros_like(x))
    if kind == 2:
        return lambda x: torch.where(x >= -b / a, (a * x + b).clamp(min=0) ** g, torch.zeros_like(x)) + c
    return lambda x: torch.where(x >= d, (a * x + b).clamp(min=0) ** g + e, c * x + f)


def _table(values: np.ndarray) -> Curve:
    def apply(x: Tensor) -> Tensor:
        steps = np.linspace(0, 1, len(values))
        return torch.from_numpy(np.interp(x.detach().cpu().numpy(), steps, values)).to(x)

    return apply


# --- matrices and tables ------------------------------------------------------------------------------


def _xyz(tag: bytes) -> np.ndarray:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _primaries(tags: dict[str, bytes]) -> Primaries | None:
    """Primaries and white point: colorants are stored adapted to D50, which is undone here."""
    colours = np.array([_xyz(tags[name]) for name in ("rXYZ", "gXYZ", "bXYZ")]).T
    adapt = (
        np.array(struct.unpack_from(">9i", tags["chad"], 8)).reshape(3, 3) / 65536
        if "chad" in tags
        else BRADFORD_D65
    )
    original = np.linalg.solve(adapt, colours)
    points = [*original.T, original.sum(1)]
    return primaries_of([v for p in points for v in (p[0] / p.sum(), p[1] / p.sum())], ROUNDING)


# D65 to D50 (Lindbloom, Bradford): the adaptation of version 2 profiles, which have no "chad" tag.
BRADFORD_D65 = np.array(
    [
        [1.0478112, 0.0228866, -0.0501270],
        [0.0295424, 0.9904844, -0.0170491],
        [-0.0092345, 0.0150436, 0.7521316],
    ]
)


class _Lcms:
    """A profile of look-up tables as a function of code: linear light in BT.2020 primaries, by lcms in float32."""

    def __init__(self, profile: bytes) -> None:
        self.profile = profile

    def __call__(self, pixels: Tensor) -> Tensor:
        rows = pixels[0].permute(1, 2, 0).float().cpu().numpy()
        return torch.from_numpy(transform(rows, self.profile, "rgb")).permute(2, 0, 1)[None].to(pixels)


def transform(rows: np.ndarray, profile: bytes, space: str) -> np.ndarray:
    """(H, W, C) code in [0, 1] of an RGB or CMYK profile as linear BT.2020 (H, W, 3) float32, relative colorimetric."""
    import imagecodecs

    whites: dict[str, Any] = {
        "whitepoint": (*BT2020.white, 1.0),
        "primaries": _flat_xyy(BT2020),
        "gamma": 1.0,
    }
    target = imagecodecs.cms_profile("rgb", **whites)
    # lcms expects floating-point ink in per cent
    scale = 100.0 if space == "cmyk" else 1.0
    return imagecodecs.cms_transform(
        np.ascontiguousarray(rows * np.float32(scale), np.float32),
        profile,
        target,
        colorspace=space,
        outcolorspace="rgb",
        outdtype=np.float32,
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
    )


def _flat_xyy(p: Primaries) -> tuple[float, ...]:
    return (*p.red, 1.0, *p.green, 1.0, *p.blue, 1.0)


# --- writing ------------------------------------------------------------------------------------------


def profile(primaries: Primaries) -> bytes:
    """A version 4 profile with these primaries and the sRGB curve. Source: ICC.1:2022; IEC 61966-2-1."""
    to_xyz = rgb_to_xyz(primaries)
    white = to_xyz.sum(1)
    adapt = _bradford(white)

    def s15(values: Any) -> bytes:
        return b"".join(struct.pack(">i", round(float(v) * 65536)) for v in np.ravel(values))

    def text(words: str) -> bytes:
        coded = words.encode("utf-16-be")
        return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded

    curve = (
        b"para\0\0\0\0" + struct.pack(">Hxx", 3) + s15([2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])
    )
    adapted = adapt @ to_xyz
    tags = {
        b"desc": text(f"hdrq {primaries.name} sRGB"),
        b"cprt": text("CC0"),
        b"wtpt": b"XYZ \0\0\0\0" + s15(D50),
    }
    tags |= {n: b"XYZ \0\0\0\0" + s15(adapted[:, i]) for i, n in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= {n: curve for n in (b"rTRC", b"gTRC", b"bTRC")}
    tags[b"chad"] = b"sf32\0\0\0\0" + s15(adapt)
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI4s4s4s", at + len(body), 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2025, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + s15(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _bradford(white: np.ndarray) -> np.ndarray:
    """Chromatic adaptation from a white (XYZ) to D50."""
    there, here = CONE @ white, CONE @ np.array(D50)
    result: np.ndarray = np.linalg.inv(CONE) @ np.diag(here / there) @ CONE
    return result


D50 = (0.9642, 1.0, 0.8249)
# Bradford
CONE = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

"""Gain maps: conversion of a base image to its alternate rendition, from SDR to HDR or the reverse.

Source: ISO 21496-1:2025; Adobe, "Gain map specification 1.0"; Google, "Ultra HDR image format v1.1"; Apple, "Applying
Apple HDR effect to your photos".
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor

from hdrq.errors import FileError
from hdrq.image.color import convert
from hdrq.image.transfer import linear_to_srgb, pq_to_nits, srgb_to_linear
from hdrq.io.color import SDR_WHITE
from hdrq.records import Image, Primaries

XMP = b"http://ns.adobe.com/hdr-gain-map/1.0/"
ISO = b"urn:iso:std:iso:ts:21496:-1\0"
APPLE = b"urn:com:apple:photo:2020:aux:hdrgainmap"
LAYERS = ("hdr", "sdr", "base")
Three = tuple[float, float, float]


class UnknownVersion(FileError):
    """A gain map of a later version of the standard. By default, the base image is read instead."""

    note = "gain map of an unknown version not applied: base image read"


@dataclass(frozen=True)
class GainMap:
    """The parameters of a gain map; three values each, for red, green and blue.

    low, high          log2 of the gain at code 0 and at code 1, in the direction from SDR to HDR
    gamma              exponent with which the map was encoded
    base_offset        added to the base before multiplication
    alternate_offset   subtracted after multiplication
    base_headroom      log2 of the largest value of the base (0 for SDR), and of the alternate
    base_primaries     whether the map is applied in the primaries of the base; otherwise in those of the alternate
    """

    low: Three = (0.0, 0.0, 0.0)
    high: Three = (1.0, 1.0, 1.0)
    gamma: Three = (1.0, 1.0, 1.0)
    base_offset: Three = (1 / 64, 1 / 64, 1 / 64)
    alternate_offset: Three = (1 / 64, 1 / 64, 1 / 64)
    base_headroom: float = 0.0
    alternate_headroom: float = 1.0
    base_primaries: bool = True
    source: str = "ISO 21496-1"

    @property
    def base_is_hdr(self) -> bool:
        """Whether the base image is the one for the brighter display."""
        return self.base_headroom > self.alternate_headroom

    def apply(self, base: Tensor, code: Tensor) -> Tensor:
        """The alternate rendition of a linear base (1, C, H, W), 1.0 = SDR white; map code (1, 1 or 3, h, w) in [0, 1]."""
        code = F.interpolate(code, base.shape[-2:], mode="bilinear", align_corners=False)
        low, high, gamma, before, after = (
            torch.tensor(v, dtype=base.dtype, device=base.device).reshape(1, 3, 1, 1)
            for v in (self.low, self.high, self.gamma, self.base_offset, self.alternate_offset)
        )
        stops = code ** (1 / gamma) * (high - low) + low
        stops = -stops if self.base_is_hdr else stops
        return ((base + before) * torch.exp2(stops) - after).clamp(min=0)


@dataclass(frozen=True)
class AppleGainMap:
    """Apple's gain maps before iOS 18: gain = 1 + (headroom - 1) · map, with the map encoded by the BT.709 curve."""

    headroom: float
    base_is_hdr: bool = False
    base_primaries: bool = True
    source: str = "Apple"

    def apply(self, base: Tensor, code: Tensor) -> Tensor:
        """As GainMap.apply."""
        code = F.interpolate(code, base.shape[-2:], mode="bilinear", align_corners=False)
        linear = torch.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45))
        return base * (1 + (self.headroom - 1) * linear)


AnyMap = GainMap | AppleGainMap


def apple(maker33: float, maker48: float) -> AppleGainMap:
    """Headroom from two numbers of Apple's maker note, by Apple's published formula."""
    if maker33 < 1:
        stops = 1.8 - 20 * maker48 if maker48 <= 0.01 else 1.601 - 0.101 * maker48
    else:
        stops = 3.0 - 70 * maker48 if maker48 <= 0.01 else 2.303 - 0.303 * maker48
    return AppleGainMap(2 ** max(stops, 0.0))


def rendition(
    base: Image, code: Tensor, gain: AnyMap, layer: str, alternate: Primaries | None = None
) -> Image:
    """The requested rendition: "hdr" as linear light (1.0 = 203 cd/m²), "sdr" as sRGB code, "base" as stored.

    base       the base image as stored: code with its domain and primaries
    alternate  primaries of the alternate rendition, where the file states them
    """
    if isinstance(gain, GainMap) and gain.base_headroom == gain.alternate_headroom:
        note = "gain map not applied: its base and alternate images have the same headroom"
        return base.with_pixels(base.pixels, notes=(*base.notes, note))
    wanted_is_base = layer == "base" or (layer == "hdr") == gain.base_is_hdr
    if wanted_is_base:
        kind = "HDR" if gain.base_is_hdr else "SDR"
        note = f"gain map not applied: base image ({kind}) read"
        return base.with_pixels(base.pixels, notes=(*base.notes, note))
    light, primaries = _linear(base), base.primaries
    if light.shape[1] == 1:
        light = light.expand(-1, 3, -1, -1)
    if not gain.base_primaries and alternate is not None and alternate != primaries:
        light, primaries = convert(light, primaries, alternate), alternate
    pixels = gain.apply(light, code.double()).float()
    if layer == "sdr":
        return base.with_pixels(
            linear_to_srgb(pixels.clamp(0, 1)),
            domain="srgb",
            primaries=primaries,
            notes=(*base.notes, f"{gain.source} gain map applied to the HDR base: SDR image read"),
        )
    note = (
        f"{gain.source} gain map applied: linear light, 1.0 = SDR white ({SDR_WHITE:g} cd/m² by BT.2408); "
        "layer base is the SDR image"
    )
    return base.with_pixels(
        pixels,
        domain="linear",
        primaries=primaries,
        bits=None,
        white_nits=SDR_WHITE,
        notes=(*base.notes, note),
    )


def _linear(image: Image) -> Tensor:
    """Linear light of a base image, float64, 1.0 = SDR white."""
    pixels = image.pixels.double()
    if image.domain == "pq":
        return pq_to_nits(pixels) / SDR_WHITE
    if image.domain == "hlg":
        raise FileError(f"{image.path}: a gain map on an HLG base is not supported; read layer base")
    return pixels if image.domain == "linear" else srgb_to_linear(pixels)


# --- metadata -----------------------------------------------------------------------------------------


def from_iso(data: bytes, path: object) -> GainMap:
    """Metadata of ISO 21496-1, annex C: the bytes after the identifier in JPEG and after the version byte of `tmap`."""
    try:
        least, _, flags = struct.unpack_from(">HHB", data)
        if least != 0:
            raise UnknownVersion(f"{path}: gain map of version {least} is not supported; read layer base")
        channels = 3 if flags & 0x80 else 1
        # one denominator for all, as libultrahdr writes it
        if flags & 0x08:
            numbers = struct.unpack_from(f">III{'iiIii' * channels}", data, 5)
            values = [n / numbers[0] for n in numbers[1:]]
        else:
            kinds = "II" * 2 + "iIiIIIiIiI" * channels
            numbers = struct.unpack_from(">" + kinds, data, 5)
            values = [a / b for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    except (struct.error, ZeroDivisionError) as error:
        raise FileError(
            f"{path} is damaged: its gain map metadata cannot be decoded; read layer base"
        ) from error
    rows = [values[2 + 5 * c : 7 + 5 * c] for c in range(channels)] * (1 if channels == 3 else 3)
    low, high, gamma, before, after = (tuple(v) for v in zip(*rows, strict=True))
    if min(gamma) <= 0:
        raise FileError(f"{path} is damaged: its gain map has a gamma of 0; read layer base")
    return GainMap(low, high, gamma, before, after, values[0], values[1], bool(flags & 0x40))


def to_iso(gain: GainMap, denominator: int = 1 << 24) -> bytes:
    """The inverse of from_iso, three channels, each number as a fraction of 2^24."""
    flags = 0x80 | (0x40 if gain.base_primaries else 0)
    out = struct.pack(">HHB", 0, 0, flags)
    for headroom in (gain.base_headroom, gain.alternate_headroom):
        out += struct.pack(">II", round(headroom * denominator), denominator)
    for c in range(3):
        for kind, v in zip(
            "iiIii", (gain.low[c], gain.high[c], gain.gamma[c], gain.base_offset[c], gain.alternate_offset[c])
        ):
            out += struct.pack(f">{kind}I", round(v * denominator), denominator)
    return out


def from_xmp(packet: bytes, path: object) -> GainMap:
    """Adobe's hdrgm properties, as attributes or as elements with a list; defaults from the specification."""
    text = packet.decode("utf-8", "replace")
    bound = re.search(rf'xmlns:([\w.-]+)\s*=\s*["\']{re.escape(XMP.decode())}["\']', text)
    prefix = re.escape(bound[1]) if bound else "hdrgm"

    def values(name: str, default: float) -> Three:
        match = re.search(rf'{prefix}:{name}\s*=\s*["\']([^"\']*)["\']', text) or re.search(
            rf"<{prefix}:{name}>(.*?)</{prefix}:{name}>", text, re.S
        )
        found = (
            [float(v) for v in re.findall(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", match[1])]
            if match
            else [default]
        )
        if len(found) not in (1, 3):
            raise FileError(f"{path} is damaged: its gain map's {name} is not a number; read layer base")
        return tuple(found * (3 if len(found) == 1 else 1))  # type: ignore[return-value]

    hdr_base = re.search(rf"{prefix}:BaseRenditionIsHDR\W+true", text, re.I) is not None
    before, after = values("OffsetSDR", 1 / 64), values("OffsetHDR", 1 / 64)
    least, most = values("HDRCapacityMin", 0.0)[0], values("HDRCapacityMax", 1.0)[0]
    low, high, gamma = values("GainMapMin", 0.0), values("GainMapMax", 1.0), values("Gamma", 1.0)
    if min(gamma) <= 0:
        raise FileError(f"{path} is damaged: its gain map has a gamma of 0; read layer base")
    if hdr_base:
        return GainMap(low, high, gamma, after, before, most, least, source="Adobe")
    return GainMap(low, high, gamma, before, after, least, most, source="Ultra HDR")


def to_xmp(gain: GainMap) -> bytes:
    """The XMP packet of the gain map that readers of Ultra HDR version 1 expect."""

    def text(values: Three) -> str:
        return "<rdf:Seq>" + "".join(f"<rdf:li>{v:.9g}</rdf:li>" for v in values) + "</rdf:Seq>"

    fields = {"GainMapMin": gain.low, "GainMapMax": gain.high, "Gamma": gain.gamma}
    fields |= {"OffsetSDR": gain.base_offset, "OffsetHDR": gain.alternate_offset}
    inner = "".join(f"<hdrgm:{k}>{text(v)}</hdrgm:{k}>" for k, v in fields.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:hdrgm="{XMP.decode()}" hdrgm:Version="1.0" '
        f'hdrgm:BaseRenditionIsHDR="False" hdrgm:HDRCapacityMin="{gain.base_headroom:.9g}" '
        f'hdrgm:HDRCapacityMax="{gain.alternate_headroom:.9g}">{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def announcement(length: int) -> bytes:
    """The XMP packet of the base image, which announces a gain map of `length` bytes."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:hdrgm="{XMP.decode()}" '
        'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
        'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" hdrgm:Version="1.0">'
        '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource">'
        '<Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li><rdf:li rdf:parseType="Resource">'
        f'<Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="{length}"/></rdf:li></rdf:Seq>'
        "</Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


# --- making one ---------------------------------------------------------------------------------------


def between(base: Tensor, alternate: Tensor, offset: float = 1 / 64) -> tuple[GainMap, Tensor]:
    """The gain map from linear SDR `base` to linear HDR `alternate`, both (1, 3, H, W) with the same primaries.

    Returns the metadata and the map's code in [0, 1], at full size. 1.0 is SDR white in both.
    """
    stops = torch.log2((alternate.double() + offset) / (base.double() + offset))
    low, high = stops.amin((0, 2, 3)), stops.amax((0, 2, 3))
    high = torch.maximum(high, low + 1e-4)
    code = (stops - low.reshape(1, 3, 1, 1)) / (high - low).reshape(1, 3, 1, 1)
    headroom = max(log2(max(float(alternate.max()), 1.0)), 1e-3)
    # metadata is rounded as it is stored, so that the map matches the values that are read back
    grid = 1 << 24
    low3, high3 = (tuple(round(v * grid) / grid for v in t.tolist()) for t in (low, high))
    three = (offset, offset, offset)
    return GainMap(low3, high3, (1.0, 1.0, 1.0), three, three, 0.0, headroom), code

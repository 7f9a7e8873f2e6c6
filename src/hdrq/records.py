"""Records that all parts share. Standard library only: nothing here may import torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import atan, degrees, hypot, inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hdrq.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Chromaticity = tuple[float, float]


@dataclass(frozen=True)
class Primaries:
    """CIE 1931 xy chromaticities of three primaries and the white point."""

    name: str
    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity

    @property
    def label(self) -> str:
        """The name; of primaries that only a file states, their eight numbers."""
        if self.name != "file":
            return self.name
        return " ".join(f"{v:.4g}" for point in (self.red, self.green, self.blue, self.white) for v in point)


D65 = (0.3127, 0.3290)
BT709 = Primaries("bt709", (0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65)
BT2020 = Primaries("bt2020", (0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65)
ADOBE_RGB = Primaries("adobe-rgb", (0.640, 0.330), (0.210, 0.710), (0.150, 0.060), D65)
P3 = Primaries("p3", (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65)
XYZ = Primaries("xyz", (1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3))
PRIMARIES: Mapping[str, Primaries] = {p.name: p for p in (BT709, BT2020, P3, ADOBE_RGB, XYZ)}


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels with their meaning.

    pixels     NCHW, float32 unless stated otherwise; C is 1 (Y or grey) or 3
    domain     "linear" (scene light, unscaled), "nits" (cd/m²), or an encoding's name (code, 1.0 = SDR white)
    primaries  of the three channels
    bits       integer depth of the file the code came from, None for float files
    notes      remarks of the reader for the user, one line each
    displayed  whether a display and a scale have been applied, so that the light is that reaching the eye
    exposed    linear light of a single camera exposure, 1.0 where the sensor clips; its sRGB code is the photograph
    frame_rate frames per second of the clip that the image is of, counting the frames that were chosen
    """

    pixels: Tensor
    domain: str = "nits"
    primaries: Primaries = BT709
    bits: int | None = None
    white_nits: float | None = None
    notes: tuple[str, ...] = ()
    path: str | None = None
    displayed: bool = False
    exposed: bool = False
    frame_rate: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return int(self.pixels.shape[-2]), int(self.pixels.shape[-1])

    def with_pixels(self, pixels: Tensor, **changes: Any) -> Image:
        """The image with other pixels, and with `changes` of its fields."""
        return replace(self, pixels=pixels, **changes)


@dataclass(frozen=True)
class Selection:
    """The image of a file to read; None for the main one.

    layer   of an EXR, or "hdr", "sdr" or "base" of a file with a gain map
    view    of a stereo EXR
    part    of an EXR (name or number), page of a TIFF
    frames  of a clip or of a folder of frames, counted from 0: "7", or "0:100:10" with its ends as in Python
    """

    layer: str | None = None
    view: str | None = None
    part: str | None = None
    frames: str | None = None


MAIN_IMAGE = Selection()


@dataclass(frozen=True)
class Display:
    """How code becomes light on a display.

    eotf         "absolute" (pixels are in cd/m²), "light" (the same, clipped to the display's range), "linear" (1.0 is
                 the peak), "srgb", "pq", "hlg", "bt1886", or a gamma as "2.2"
    peak_nits    white of the display, cd/m²
    black_nits   black of the display in the dark, cd/m²
    ambient_lux  illuminance on the display, which reflects ambient/π · reflectance, cd/m²
    reflection   "added": to all light (physics, ColorVideoVDP); "within": raises black, white is unchanged (PU21, HDR-VDP)
    exposure     factor on light before the display clips it
    floor_nits   smaller light is raised to this value, before black is added
    lift         how black enters the light of PQ and HLG code: "cut" (darker light becomes black), "added" to all light,
                 "scaled" (0 .. peak becomes black .. peak)
    system_gamma of HLG: by the peak alone (BT.2100-3), or above 1000 cd/m² by peak and ambient light (BT.2390)
    ppd          pixels per degree at the centre of the display, where its size and distance are known
    led_pitch    distance of the LEDs of a backlight that is dimmed locally, pixels; 0: a display of one layer
    led_spread   standard deviation of the light of one LED on the panel, pixels
    panel_contrast  of the panel before the LEDs, peak : black
    """

    name: str
    peak_nits: float
    black_nits: float
    eotf: str
    primaries: str = "bt709"
    ambient_lux: float = 0.0
    reflectance: float = 0.005
    reflection: Literal["added", "within"] = "added"
    exposure: float = 1.0
    floor_nits: float = 0.0
    lift: Literal["cut", "added", "scaled"] = "cut"
    system_gamma: Literal["bt2100", "ambient"] = "bt2100"
    ppd: float | None = None
    led_pitch: float = 0.0
    led_spread: float = 0.0
    panel_contrast: float = 1000.0
    title: str = ""
    source: str = ""

    @property
    def reflected_nits(self) -> float:
        """Ambient light that the display reflects, cd/m²."""
        return self.ambient_lux * self.reflectance / 3.141592653589793

    @property
    def viewing(self) -> Viewing | None:
        """The viewing condition, where size and distance of the display are known."""
        return None if self.ppd is None else Viewing(self.ppd)


@dataclass(frozen=True)
class Viewing:
    """Pixels per degree of visual angle."""

    ppd: float = 45.0

    def __post_init__(self) -> None:
        if not 0 < self.ppd < inf:
            raise UsageError(f"pixels per degree must be positive and finite, not {self.ppd:g}")

    @classmethod
    def from_screen(cls, width: int, height: int, diagonal_inches: float, distance_m: float) -> Viewing:
        """ppd of a display of `width` x `height` pixels at `distance_m`, averaged over its height (as in HDR-VDP)."""
        if min(width, height, diagonal_inches, distance_m) <= 0:
            raise UsageError("the resolution, diagonal and distance of a display must be positive")
        height_m = diagonal_inches * 0.0254 * height / hypot(width, height)
        return cls(height / degrees(2 * atan(height_m / (2 * distance_m))))


@dataclass(frozen=True)
class Encoding:
    """Light to code and back.

    encode  nits -> code, where 1.0 is an SDR white; `white` is the luminance, cd/m², of 1.0 in relative encodings
    decode  code -> nits
    codes   number of 8-bit-like codes that 1.0 stands for (pu21: 256 PU units; srgb: 255)
    absolute  whether code alone determines light; otherwise `white` (the display's peak) scales it
    grey    how three channels become one: "luminance" before encoding, or "luma" of the code
    """

    name: str
    encode: Callable[..., Tensor]
    decode: Callable[..., Tensor]
    nits: tuple[float, float]
    codes: float = 255.0
    absolute: bool = True
    grey: Literal["luminance", "luma"] = "luminance"
    source: str = ""


@dataclass(frozen=True)
class Pair:
    """One item of work: a test image, its reference where there is one, and its subjective score."""

    dist: str | Path | Image
    ref: str | Path | Image | None = None
    scene: str = ""
    mos: float | None = None
    spread: float | None = None
    distortion: str = ""
    level: float | None = None
    carried: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One output row: a score and everything needed to compute it again.

    metric   canonical text of the request
    value    None where status is "failed"; then `error` says why
    display  of the test image, and of the reference where that differs ("absolute > sdr")
    viewing  "45 ppd" where the metric asks, else empty
    weights  name and hash of a learned metric's weights
    how      what was done to the light, for the reader of the score
    extra    further numbers of the metric, by name
    carried  the other columns of the manifest
    """

    ref: str
    dist: str
    metric: str
    value: float | None
    unit: str = ""
    better: str = ""
    display: str = ""
    viewing: str = ""
    weights: str = ""
    version: str = ""
    how: str = ""
    status: Literal["ok", "failed"] = "ok"
    error: str = ""
    extra: Mapping[str, float] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpoint:
    """The card of a weights file: its content, its training, and how to check that the file is the right one.

    training  how it was trained, for weights that hdrq trained: code, arguments, settings, initial weights, images with
              a digest of their lists, displays, scenes held out (see hdrq.training.provenance.training_record)
    shares  {name: sha256} of other weights whose tensors this network contains under the same names; their
            file is stored once, however many networks contain it
    """

    name: str
    net: str
    options: Mapping[str, Any]
    encoding: str
    white: str
    sha256: str
    witness: Mapping[str, float]
    recipe: str = ""
    data: str = ""
    licence: str = ""
    results: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """The settings of a training.

    variants  other settings by name, where the paper and its authors' program differ
    fits      requests for which this recipe is used: "plain", "distortions", "photographs", "adapt",
              "adapt:TARGET"; "default" for the recipe of the network that is trained where none is named
    """

    name: str
    net: str
    settings: Mapping[str, Any]
    source: str = ""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fits: tuple[str, ...] = ()

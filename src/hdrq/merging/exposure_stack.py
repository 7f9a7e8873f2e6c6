"""Exposures of one scene: frames as codes or floats of their files, read one by one and cached while memory lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import FileError, UsageError
from hdrq.image.arithmetic import all_finite, histogram, whole_codes
from hdrq.image.transfer import linear_to_srgb
from hdrq.io.exposures import Exposure, check_spread
from hdrq.io.memory import free_bytes
from hdrq.io.raw import SUFFIXES, Factors, Sensor, read_raw
from hdrq.merging.file_settings import FileSettings, balance_of
from hdrq.records import BT709, Image, Primaries

Source: TypeAlias = str | Path | Image | np.ndarray | Tensor
# of the free memory, for cached frames
SHARE = 0.25
# largest cache in bytes, so that thirty 45-megapixel frames merge within 8 GB
MOST = 1_500_000_000


@dataclass(frozen=True)
class Frame:
    """codes      (C, H, W) uint8 or uint16; of float files, sixteen bits of value / white
    light      (C, H, W) float32 value / white, of float files only
    domain     meaning of the code: "srgb", "linear", "pq" ... from the reader
    white      value at which a float file is taken as clipped
    sensor     how merged codes of raw files become an image;  raw: their levels and white balance, in words
    """

    codes: np.ndarray
    domain: str
    primaries: Primaries
    light: np.ndarray | None = None
    white: float = 1.0
    notes: tuple[str, ...] = ()
    sensor: Sensor | None = None
    raw: str = ""

    @property
    def levels(self) -> int:
        return 256 if self.codes.dtype == np.uint8 else 65536

    @property
    def size(self) -> tuple[int, int]:
        return int(self.codes.shape[1]), int(self.codes.shape[2])

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + (self.light.nbytes if self.light is not None else 0)

    def eight(self) -> np.ndarray:
        """(C, H, W) uint8 codes for registration; linear ones are converted to sRGB."""
        if self.codes.dtype == np.uint8:
            return self.codes
        x = torch.arange(65536, dtype=torch.float32) / 65535
        x = linear_to_srgb(x) if self.domain in ("linear", "nits") else x
        result: np.ndarray = (x * 255).round().to(torch.uint8).numpy()[self.codes]
        return result


def name_of(source: Source | Frame, index: int) -> str:
    """The file's name, or the frame's number."""
    return Path(source).name if isinstance(source, (str, Path)) else f"frame {index + 1}"


def read_frame(
    source: Source | Frame,
    white: float | None = None,
    balance: str | Factors = "camera",
    mosaic: bool = False,
    black: float | None = None,
    files: FileSettings | None = None,
) -> Frame:
    """One exposure: a file, an Image, an array (H, W) or (H, W, C) of uint8, uint16 or floats, or a tensor (C, H, W).

    white    value at which the frame clips: for float files, None is 1; for raw files, None is the file's level
    black    for raw files: the value without light; None is the file's level
    balance  for raw files: "camera", "daylight", "none", or factors of red, green and blue
    mosaic   keep raw files as a mosaic of one colour per pixel
    files    what files that are not raw hold
    """
    if isinstance(source, Frame):
        return source
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() in SUFFIXES:
        codes, sensor, words, doubts = read_raw(Path(source), balance, mosaic, black, white)
        return Frame(codes, "linear", BT709, notes=doubts, sensor=sensor, raw=words)
    name = Path(source).name if isinstance(source, (str, Path)) else "an image in memory"
    if mosaic:
        raise UsageError(f"{name} is not a raw file; --demosaic after needs raw files")
    if black is not None:
        raise UsageError(f"{name} is not a raw file; --black is for raw files")
    frame = _frame_of(source, name, white, files or FileSettings())
    if frame.light is None and white is not None:
        raise UsageError(f"{name} holds integer code, which clips at its largest value; leave out --white")
    return frame


def _frame_of(source: Source, name: str, white: float | None, files: FileSettings) -> Frame:
    """The frame of a file that is not raw, or of an image in memory."""
    if isinstance(source, np.ndarray):
        array = source[..., None] if source.ndim == 2 else source
        if array.ndim != 3 or array.shape[-1] not in (1, 3):
            raise UsageError(f"an array of shape {source.shape} is not a frame; give (H, W) or (H, W, 3)")
        if array.dtype in (np.uint8, np.uint16):
            return Frame(np.ascontiguousarray(np.moveaxis(array, -1, 0)), "srgb", BT709)
        if array.dtype.kind != "f":
            raise UsageError(f"an array of {array.dtype} is not a frame; give uint8, uint16 or floats")
        image = Image(torch.from_numpy(np.moveaxis(array, -1, 0).astype(np.float32))[None], "linear")
    elif isinstance(source, Tensor):
        tensor = source.detach().cpu().float()
        image = Image(tensor[None] if tensor.dim() == 3 else tensor, "linear")
    elif isinstance(source, Image):
        image = source
    else:
        image = files.read(source)
    pixels = image.pixels[0].detach().cpu()
    if image.bits is None and image.domain in ("linear", "nits"):
        top = white or 1.0
        if not all_finite(pixels):
            raise FileError(f"{name} holds NaN or Inf; correct it, or add --nonfinite clamp")
        light = (pixels.float() / top).clamp(min=0)
        codes = (light.clamp(max=1) * 65535).round().to(torch.int32).numpy().astype(np.uint16)
        return Frame(codes, "linear", image.primaries, light.numpy(), top, image.notes)
    codes = whole_codes(pixels, np.uint8 if (image.bits or 16) <= 8 else np.uint16)
    return Frame(codes, image.domain, image.primaries, notes=image.notes)


@dataclass
class Survey:
    """Statistics of every frame from one pass.

    white, black   share of pixels clipped there, in the channel with the most;  good: share of well-exposed codes
    low, high      smallest and largest code, of 1;  ceiling: the code at which the stack's frames saturate, of 1
    """

    white: list[float] = field(default_factory=list)
    black: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    good: list[float] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    ceiling: float = 1.0


class ExposureStack:
    """Frames in the given order, with their exposures. `frame(i)` reads what is not in memory."""

    def __init__(
        self,
        sources: Sequence[Source | Frame],
        exposures: Sequence[Exposure],
        *,
        white: float | None = None,
        black: float | None = None,
        balance: str | Factors = "camera",
        mosaic: bool = False,
        equal: bool = False,
        files: FileSettings | None = None,
        budget: int | None = None,
        names: Sequence[str] = (),
        alone: bool = False,
    ) -> None:
        """names: of the frames, instead of those of the files;  alone: any number and exposures of frames"""
        self.sources = list(sources)
        self.names = list(names) or [name_of(s, i) for i, s in enumerate(sources)]
        if not alone:
            check_spread(exposures, self.names, equal)
        self.exposures = list(exposures)
        self.seconds = np.array([e.relative for e in exposures], float)
        self.white, self.black, self.balance, self.as_mosaic = white, black, balance, mosaic
        self.files = files
        self.budget = min(MOST, int(SHARE * free_bytes())) if budget is None else budget
        self._kept: dict[int, Frame] = {}
        self.size: tuple[int, int] = (0, 0)
        self.channels, self.levels, self.domain = 0, 0, ""
        self.primaries: Primaries | None = None
        self.sensor: Sensor | None = None
        self.raw = ""
        self.notes: list[str] = []

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def order(self) -> list[int]:
        """Frame indices from the shortest exposure to the longest."""
        return [int(i) for i in np.argsort(self.seconds, kind="stable")]

    def frame(self, i: int) -> Frame:
        """Frame i; refused where its size, depth or domain differs from the first one read."""
        if i in self._kept:
            return self._kept[i]
        frame = read_frame(self.sources[i], self.white, self.balance, self.as_mosaic, self.black, self.files)
        first = not self.channels
        if first:
            self.size, self.channels, self.levels = frame.size, len(frame.codes), frame.levels
            self.domain, self.primaries, self.sensor = frame.domain, frame.primaries, frame.sensor
            self.raw = frame.raw
            # the camera's balance may vary between frames; that of the first is used for all
            self.balance = balance_of(frame.sensor, self.balance, name_of(self.sources[i], i))
        self.notes += [n for n in frame.notes if (first or frame.sensor) and n not in self.notes]
        self._check(i, frame)
        if sum(f.nbytes for f in self._kept.values()) + frame.nbytes <= self.budget:
            self._kept[i] = frame
        return frame

    def rank_by_brightness(self, means: Sequence[float] | None = None) -> None:
        """Replace unknown or wrong exposures by one stop per rank of the frames' mean codes, which are read if not given."""
        if means is None:
            means = [float(self.frame(i).eight().mean()) for i in range(len(self))]
        ranks = np.empty(len(self))
        ranks[np.argsort(means, kind="stable")] = np.arange(len(self))
        self.exposures = [Exposure(ev=float(r), source="unknown") for r in ranks]
        self.seconds = 2.0**ranks

    @property
    def exposures_known(self) -> bool:
        return all(e.source != "unknown" for e in self.exposures)

    def _check(self, i: int, frame: Frame) -> None:
        name = self.names[i]
        if frame.size != self.size:
            h, w = self.size
            raise FileError(
                f"{name} is {frame.size[1]} x {frame.size[0]}, the others {w} x {h}; make them equal in size"
            )
        if len(frame.codes) != self.channels:
            raise FileError(f"{name} has {len(frame.codes)} channels, the others {self.channels}; convert it")
        if bool(frame.sensor) != bool(self.sensor):
            raise FileError(
                f"raw files cannot be merged with other images; leave out {name}, or convert all raw files"
            )
        if frame.sensor and self.sensor and frame.sensor.pattern != self.sensor.pattern:
            raise FileError(
                f"{name} has another colour filter pattern than the previous frames; leave it out"
            )
        if frame.levels != self.levels or frame.domain != self.domain:
            raise FileError(
                f"{name} holds {frame.domain} code of another depth or type than the previous frames; convert it"
            )


def survey_frame(frame: Frame, eight: np.ndarray, survey: Survey) -> None:
    """Add the clipping, mean and well-exposed share of a frame to the survey."""
    counts = np.stack([histogram(c) for c in eight])
    total = counts.sum(1)
    survey.white.append(float((counts[:, -1] / total).max()))
    survey.black.append(float((counts[:, 0] / total).max()))
    present = np.flatnonzero(counts.sum(0))
    survey.low.append(float(present[0]) / 255)
    survey.high.append(float(present[-1]) / 255)
    survey.good.append(float(counts[:, 16:240].sum() / total.sum()))
    survey.mean.append(float((counts.sum(0) @ np.arange(256)) / total.sum()))


def ceiling_of(frame: Frame) -> float | None:
    """The code at which a frame saturates, as a share of the largest, from a peak of the histogram below the largest."""
    top = frame.levels - 1
    highest = int(frame.codes.max())
    if highest == top:
        return 1.0
    piled = int((frame.codes >= highest - max(1, top // 4096)).sum())
    return highest / top if highest > 0.5 * top and piled > 1e-3 * frame.codes.size else None


def check_order(stack: ExposureStack, survey: Survey) -> None:
    """Refuse exposures that contradict the pixels: a frame with more exposure whose pixels are darker."""
    if (found := _contradiction(stack, survey)) is not None:
        raise UsageError(
            f"{found}; the exposures contradict the pixels: give --times, --ev or --estimate-exposures"
        )


def drop_contradictions(stack: ExposureStack, survey: Survey) -> None:
    """Where stated exposures contradict the pixels, use none of them, with a note."""
    if stack.exposures_known and (found := _contradiction(stack, survey)) is not None:
        stack.rank_by_brightness(survey.mean)
        stack.notes.append(f"{found}; the exposures contradict the pixels, so that none of them is used")


def _contradiction(stack: ExposureStack, survey: Survey) -> str | None:
    """What contradicts the pixels: two frames of which the one with more exposure is darker."""
    for a, b in pairwise(stack.order):
        stops = np.log2(stack.seconds[b] / stack.seconds[a])
        if stops > 0.3 and survey.mean[b] < survey.mean[a] - 4:
            return f"{stack.names[b]} states {stops:.1f} stops more light than {stack.names[a]} but is darker"
    return None

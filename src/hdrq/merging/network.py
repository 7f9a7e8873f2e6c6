"""Merging and fusion by a network: --method NET or NET@WEIGHTS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hdrq.errors import UsageError
from hdrq.merging.alignment.placement import Alignment
from hdrq.merging.alignment.registration import Method as Registration
from hdrq.merging.alignment.resample import strips
from hdrq.merging.averaging import Tables, Weighting, light_of
from hdrq.merging.exposure_stack import ExposureStack
from hdrq.merging.fusion import aligned_code
from hdrq.merging.raw_render import develop
from hdrq.merging.response.calibration import Calibration
from hdrq.nn.networks import Network, network_named, use_of, uses
from hdrq.registry import names

# the method without a network
AVERAGE = "average"
TASKS = ("merge", "fuse")


@dataclass(frozen=True)
class Method:
    """Merging or fusion by a network."""

    network: Network

    @property
    def name(self) -> str:
        return self.network.name

    def refuse_count(self, frames: int) -> None:
        """Raise UsageError where the network takes another number of frames."""
        low, high = self.network.use.frames
        if not low <= frames <= high:
            wanted = f"{low}" if low == high else f"{low} to {high}"
            raise UsageError(f"{self.network.net} merges {wanted} frames, not {frames}; name those to merge")

    def alignment(self, requested: Registration) -> Registration:
        """How frames are aligned: as wished, or as the network needs where that is left open."""
        return self.network.use.align if requested == "auto" else requested

    def merged(
        self, stack: ExposureStack, alignment: Alignment, calibration: Calibration, device: torch.device
    ) -> Tensor:
        """Radiance (C, H, W) of the common area, in units of the response per relative second, as `combine` gives it.

        It is the scene of the middle exposure, to which frames are aligned. Raw frames are developed before the network.
        """
        order = [int(k) for k in np.argsort(calibration.seconds, kind="stable")]
        white = float(calibration.response.curve[-1].max())
        seen = [_aligned_light(stack, alignment, calibration, k, device) for k in order]
        frames = _stacked(seen, order, stack, alignment) / white
        if stack.sensor:
            frames = torch.stack([develop(frame, stack.sensor, 1.0) for frame in frames])
        seconds = torch.as_tensor(calibration.seconds[order], dtype=torch.float32)
        made = self._applied(frames, seconds / seconds[0], device)
        return made * (white / float(seconds[0]))

    def fused(self, stack: ExposureStack, alignment: Alignment, device: torch.device) -> Tensor:
        """Code (C, H, W), 0..1, of the common area; frames are ordered by their mean code."""
        order = [int(k) for k in np.argsort(alignment.survey.mean, kind="stable")]
        seen = [aligned_code(stack, alignment, k, device) for k in order]
        return self._applied(_stacked(seen, order, stack, alignment), None, device)

    def _applied(self, frames: Tensor, seconds: Tensor | None, device: torch.device) -> Tensor:
        """The network's result of frames (K, C, H, W); one channel is given three times, and the results are averaged."""
        net, apply = self.network.module().to(device), self.network.use.apply
        given, channels = frames.float().expand(-1, 3, -1, -1), frames.shape[1]
        with torch.no_grad():
            made: Tensor = apply(net, given) if seconds is None else apply(net, given, seconds.to(device))
        return (made if channels == 3 else made.mean(0, keepdim=True)).clamp(min=0)


def method_of(name: str, fuse: bool) -> Method | None:
    """The network of a method's name; None for `average`.

    fuse  whether code is wanted (--fuse), not radiance
    """
    if name == AVERAGE:
        return None
    net = name.partition("@")[0]
    use = use_of(net, *TASKS) if net in names("net") else None
    if use is None:
        fault = f"{net} merges no frames" if net in names("net") else f"unknown method '{net}'"
        raise UsageError(f"{fault}; choose one of {', '.join((AVERAGE, *uses(*TASKS)))}")
    if use.task == "fuse" and not fuse:
        raise UsageError(f"{net} fuses frames to code and gives no radiance; add --fuse")
    if use.task == "merge" and fuse:
        raise UsageError(f"{net} gives radiance; leave out --fuse")
    return Method(network_named(name, use))


def _aligned_light(
    stack: ExposureStack, alignment: Alignment, calibration: Calibration, k: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Exposure (C, H, W) of an aligned frame, in units of the response, and where the frame covers the area (1, H, W)."""
    light, seen = [], []
    tables: Tables | None = None
    for strip in strips(stack, alignment, k, device):
        if tables is None:
            tables = Tables.of(
                strip.levels, stack.levels, calibration, Weighting(), alignment.survey, device, torch.float32
            )
        light.append(light_of(strip, tables))
        seen.append(strip.inside.expand(1, *strip.codes.shape[1:]))
    return torch.cat(light, 1), torch.cat(seen, 1)


def _stacked(
    frames: list[tuple[Tensor, Tensor]], order: list[int], stack: ExposureStack, alignment: Alignment
) -> Tensor:
    """Frames (K, C, H, W) of pairs of a frame and where it covers the area; a note names those that do not cover it all.

    Averaging gives no weight outside a frame, but a network is given the border pixels there.
    """
    for (_, seen), k in zip(frames, order):
        if (share := 1 - float(seen.mean())) > 0:
            alignment.notes.append(
                f"{stack.names[k]} does not cover {100 * share:.2g} % of the area, where the network is given its border "
                "pixels; --crop common leaves these out"
            )
    return torch.stack([frame for frame, _ in frames])

"""Clips of given light, written without loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hdrq.encoding.photometry import encode
from hdrq.records import BT2020, Image


def light(frames: int = 6, size: tuple[int, int] = (32, 40), noise: float = 0.0) -> Tensor:
    """(N, 3, H, W) cd/m², a pattern that moves by a pixel per frame, with noise of this share."""
    h, w = size
    random = torch.Generator().manual_seed(5)
    still = 2 + 300 * torch.rand(1, 3, h, w, generator=random, dtype=torch.float64) ** 3
    clip = torch.cat([still.roll(n, -1) * (1 + 0.1 * n) for n in range(frames)])
    grain = torch.randn(clip.shape, generator=random, dtype=torch.float64)
    return clip * (1 + noise * grain).clamp(0.5, 1.5)


def film(path: Path, nits: Tensor, rate: int = 25) -> list[Image]:
    """Write light of BT.2020 as a clip of 10-bit PQ, and return its frames as they should be read."""
    import av

    frames = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = nits.shape[-2:]
        stream.pix_fmt = "gbrp10le"
        coder = stream.codec_context
        coder.color_primaries, coder.color_trc, coder.colorspace, coder.color_range = 9, 16, 0, 2
        for frame in nits:
            code = (encode(Image(frame[None], "nits", BT2020), "pq").pixels * 1023).round()
            frames.append(Image((code / 1023).float(), "pq", BT2020, 10, path=str(path)))
            shot = av.VideoFrame(nits.shape[-1], nits.shape[-2], "gbrp10le")
            shot.color_range, shot.colorspace = 2, 0
            for plane, channel in zip(shot.planes, (1, 2, 0), strict=True):
                rows = np.zeros((plane.height, plane.line_size // 2), "<u2")
                rows[:, : plane.width] = code[0, channel].numpy()
                plane.update(rows.tobytes())
            for packet in stream.encode(shot):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return frames

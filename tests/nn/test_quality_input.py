"""Images as the authors' programs of no-reference metrics read them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image as Picture

from hdrq.nn.quality_input import rounded_luma


def test_luma_is_that_of_pillow() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    code = torch.from_numpy(rgb).permute(2, 0, 1)[None].double() / 255
    wanted = torch.from_numpy(np.asarray(Picture.fromarray(rgb).convert("L")).copy())
    assert torch.equal((rounded_luma(code) * 255).round()[0, 0].to(torch.uint8), wanted)


def test_grey_is_rounded_to_its_nearest_code_of_8_bits() -> None:
    code = torch.tensor([0.0, 0.4, 0.6, 99.49, 255.0], dtype=torch.float64).view(1, 1, 1, 5) / 255
    assert torch.allclose(rounded_luma(code) * 255, torch.tensor([0.0, 0, 1, 99, 255], dtype=torch.float64))

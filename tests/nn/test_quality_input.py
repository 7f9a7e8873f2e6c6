"""Images as the authors' programs of no-reference metrics read them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from hdrq.nn.layers.inverted_residuals import Convolution
from hdrq.nn.network_input import rounded_luma


def test_luma_is_that_of_pillow() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    code = torch.from_numpy(rgb).permute(2, 0, 1)[None].double() / 255
    wanted = torch.from_numpy(np.asarray(Picture.fromarray(rgb).convert("L")).copy())
    assert torch.equal((rounded_luma(code) * 255).round()[0, 0].to(torch.uint8), wanted)


def test_grey_is_rounded_to_its_nearest_code_of_8_bits() -> None:
    code = torch.tensor([0.0, 0.4, 0.6, 99.49, 255.0], dtype=torch.float64).view(1, 1, 1, 5) / 255
    assert torch.allclose(rounded_luma(code) * 255, torch.tensor([0.0, 0, 1, 99, 255], dtype=torch.float64))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(7, 10), (8, 9), (12, 11)])
def test_same_padding_is_tensorflows(kernel: int, size: tuple[int, int]) -> None:
    """ceil(n / 2) places; what is padded is halved, with the odd pixel at the end: the pixels in a window are counted."""
    conv = Convolution(1, 1, kernel, 2, 1, same=True)
    torch.nn.init.ones_(conv.conv.weight)
    torch.nn.init.zeros_(conv.conv.bias)  # type: ignore[arg-type]
    inside = []
    for n in size:
        places = (n + 1) // 2
        before = max((places - 1) * 2 + kernel - n, 0) // 2
        starts = [2 * i - before for i in range(places)]
        inside.append(torch.tensor([float(min(s + kernel, n) - max(s, 0)) for s in starts]))
    with torch.no_grad():
        seen = conv(torch.ones(1, 1, *size))[0, 0]
    assert torch.allclose(seen, inside[0][:, None] * inside[1])

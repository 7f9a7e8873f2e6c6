"""Every metric of luminance equals a float64 computation from the file's own primaries, in either precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from hdrq.encoding.photometry import encode
from hdrq.image.color import rgb_to_xyz
from hdrq.image.transfer import nits_to_pq, pq_to_nits
from hdrq.records import BT2020, P3, Image, Primaries
from hdrq.registry import find, names

COUNTING = {"piqe": 2e-5}  # rounds codes to whole numbers, and float32 moves one across


def metrics_of_luminance() -> list[str]:
    """Metrics of one channel that need no weights and compare files of one kind."""
    cards = {name: find("metric", name).card for name in names("metric")}
    return [
        name
        for name, card in cards.items()
        if (card.grey or card.space == "luminance")
        and not card.net
        and (card.reference_reads is None or card.reference_reads == card.reads)
    ]


def requests() -> list[str]:
    code = {name: find("metric", name).card.reads == "code" for name in metrics_of_luminance()}
    return [
        f"{stage}{name}"
        for name, is_code in code.items()
        for stage in (("pq:", "pu21:") if is_code else ("",))
    ]


def light(primaries: Primaries, side: int) -> tuple[Image, Image]:
    """Clouds of saturated light from 0.05 to 400 cd/m², float64, and the same with 5 % of noise."""
    random = torch.Generator().manual_seed(0)
    clouds = torch.rand(1, 3, 11, 11, generator=random, dtype=torch.float64)
    clouds = torch.nn.functional.interpolate(clouds, (side, side + 16), mode="bicubic").clamp(0, 1)
    clouds = 0.8 * clouds + 0.2 * torch.rand(clouds.shape, generator=random, dtype=torch.float64)
    clean = 0.05 * 8000**clouds
    grain = torch.randn(clean.shape, generator=random, dtype=torch.float64)
    noisy = clean * (1 + 0.05 * grain).clamp(0.5, 1.5)
    return Image(clean, "nits", primaries), Image(noisy, "nits", primaries)


def in_file(image: Image, domain: str) -> tuple[Image, Tensor]:
    """What a reader gives of a float file, or of PQ code of 16 bits, and the light that the file means, float64."""
    if domain == "nits":
        held = image.pixels.float()
        return image.with_pixels(held), held.double()
    code = (encode(image, "pq").pixels * 65535).round() / 65535
    return Image(code.float(), "pq", image.primaries, 16), pq_to_nits(code)


@pytest.mark.parametrize(
    ("primaries", "domain"), [(BT2020, "pq"), (P3, "nits")], ids=["bt2020-pq", "p3-light"]
)
@pytest.mark.parametrize("request_", requests())
def test_a_metric_of_luminance_equals_float64_from_the_files_own_primaries(request_, primaries, domain):
    name = request_.split(":")[-1]
    card = find("metric", name).card
    files = [in_file(image, domain) for image in light(primaries, max(card.side, 64))]
    files = files[-1:] if card.reference_reads is None else files
    row = torch.from_numpy(rgb_to_xyz(primaries)[1].copy())[None, :, None, None]
    y = [Image((nits * row).sum(1, keepdim=True)) for _, nits in files]
    with torch.no_grad():
        wanted = hdrq.metric(request_, dtype=torch.float64)(*y).item()
        for dtype, share in ((torch.float64, 1e-9), (torch.float32, COUNTING.get(name, 4e-6))):
            found = hdrq.metric(request_, dtype=dtype)(*(image for image, _ in files)).item()
            assert found == pytest.approx(wanted, rel=share, abs=1e-8), dtype


def test_the_pq_code_of_float32_light_is_that_of_float64():
    """Two units in the last place of code 1, also before the power of 79, which amplifies rounding."""
    light = torch.from_numpy(np.geomspace(1e-5, 1e4, 20_001)).float()
    assert (nits_to_pq(light).double() - nits_to_pq(light.double())).abs().max() < 2.4e-7
    published = [(0.0, 7.3096e-7), (100.0, 0.50808), (1000.0, 0.75183), (10_000.0, 1.0)]
    for nits, code in published:
        assert nits_to_pq(torch.tensor(nits)).item() == pytest.approx(code, abs=1e-5)

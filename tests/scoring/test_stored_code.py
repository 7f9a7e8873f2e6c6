"""When code is compared as it stands in the files, and when its light counts."""

from __future__ import annotations

import pytest
import torch

from hdrq.encoding.displays import display
from hdrq.encoding.photometry import InputSpec, Photometry
from hdrq.records import BT709, BT2020, Image, Primaries
from hdrq.scoring.comparison import compared_as_stored


def code(domain: str = "pu21", primaries: Primaries = BT709) -> Image:
    return Image(torch.rand(1, 3, 8, 8), domain, primaries)


OWN, COLOURS, ONE = InputSpec("code"), InputSpec("code", "pu21"), InputSpec("code", "pu21", grey=True)
SHOWN, WIDE = Photometry(display=display("standard_4k")), Photometry(primaries="bt2020")


@pytest.mark.parametrize(
    ("images", "spec", "photometry", "expected"),
    [
        ([code(), code()], COLOURS, Photometry(), True),
        ([code(), code()], ONE, Photometry(), False),
        ([code(), code()], InputSpec("code", "pu21", channel="luma", grey=True), Photometry(), True),
        ([code(), code("pq")], COLOURS, Photometry(), False),
        ([code("pq"), code("pq")], COLOURS, Photometry(), False),
        ([code(), code()], COLOURS, SHOWN, False),
        ([code("srgb"), code("srgb")], InputSpec("code", "srgb"), SHOWN, True),
        ([code(), code()], OWN, SHOWN, True),
        ([code(), code()], COLOURS, WIDE, False),
        ([code(), code()], OWN, WIDE, True),
        ([code(primaries=BT2020)] * 2, COLOURS, Photometry(), True),
        ([code(primaries=BT2020)], COLOURS, Photometry(), False),
        ([code(primaries=BT2020)], OWN, Photometry(), True),
        ([code()], COLOURS, Photometry(), True),
        ([code(), code(primaries=BT2020)], COLOURS, Photometry(), False),
    ],
)
def test_code_of_a_stage_is_read_as_light_where_its_light_counts(images, spec, photometry, expected) -> None:
    assert compared_as_stored(tuple(images), (spec,) * len(images), photometry) is expected

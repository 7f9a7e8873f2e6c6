"""The grammar of a metric: one spelling for one meaning, and a helpful line for every mistake."""

from __future__ import annotations

import pytest

from hdrq.errors import UnknownName, UsageError
from hdrq.scoring.request import parse, split_requests


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("pu-ssim", "pu21:ssim"),
        ("pu21:ssim", "pu21:ssim"),
        ("pu:ssim", "pu21:ssim"),
        ("pq-ms-ssim", "pq:ms-ssim"),
        ("ms-ssim", "ms-ssim"),
        ("log:psnr", "log10:psnr"),
        ("y:pu-psnr", "y:pu21:psnr"),
        ("pu21-peaks:psnr", "pu21-peaks:psnr"),
        ("PU21:SSIM,variant=wang", "pu21:ssim,variant=wang"),
        ("psnr,peak=2.5", "psnr,peak=2.5"),
        ("ssim,variant=wang,range=1", "ssim,range=1,variant=wang"),
    ],
)
def test_a_request_has_one_spelling(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert str(parse(canonical)) == canonical


def test_lists_are_split_and_options_stay_with_their_metric() -> None:
    texts = [str(r) for r in split_requests(["pu-psnr,pu-ssim,variant=wang,mae", "pu21:psnr"])]
    assert texts == ["pu21:psnr", "pu21:ssim,variant=wang", "mae"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ssimm", "did you mean ssim"),
        ("pu-ssimm", "did you mean pu-ssim"),
        ("pu12:ssim", "did you mean pu21"),
        ("ssim,variant", "not option=value"),
        ("ssim,range=1,range=2", "twice"),
        ("", "unknown metric"),
    ],
)
def test_a_mistake_names_the_way_out(text: str, says: str) -> None:
    with pytest.raises((UnknownName, UsageError), match=says):
        parse(text)

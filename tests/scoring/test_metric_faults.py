"""Faults that were found by use, each with the test that fails without its fix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image as Picture
from torch import Tensor

import hdrq
from hdrq.errors import PixelError
from hdrq.image.color import luma
from hdrq.io import pairing
from hdrq.registry import find
from hdrq.scoring import error_maps
from hdrq.scoring.batch import Settings
from hdrq.scoring.comparison import moved_to
from hdrq.scoring.features.natural_statistics import mscn
from hdrq.scoring.metrics import vsi


def value(name: str, *images: Tensor, **options) -> float:
    found = find("metric", name)(*images, **options)
    return getattr(found, "value", found).item()


def pixels(path) -> Tensor:
    a = np.asarray(Picture.open(path).convert("RGB")).astype(np.float64)
    return torch.from_numpy(a).permute(2, 0, 1)[None].contiguous()


@pytest.mark.parametrize("name", ["vif", "vifp"])
def test_a_flat_reference_says_nothing_of_another_image(name):
    """White against black, and against a photograph, was 1: the best there is."""
    white, black = torch.full((1, 1, 96, 96), 255.0, dtype=torch.float64), torch.zeros(1, 1, 96, 96).double()
    texture = 255 * torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert value(name, white, black) == 0
    assert value(name, white, texture) == 0
    assert value(name, white, white.clone()) == 1
    assert value(name, white.float(), white.float() - 1e-5) == 1
    assert 0 < value(name, texture, (texture + black) / 2 + 40) < 1
    both = find("metric", name)(torch.cat((white, white)), torch.cat((white, black)))
    assert getattr(both, "value", both).tolist() == [1, 0]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["vif", "vifp"])
def test_white_is_not_like_black(shared, name):
    ref, dist = (hdrq.read(shared / "cases" / f"m_{colour}.png") for colour in ("white", "black"))
    assert hdrq.metric(name)(ref, dist).item() == 0


@pytest.mark.parametrize(
    ("name", "side"), [("ssim", 1), ("ssim", 10), ("brisque", 16), ("piqe", 15), ("haarpsi", 8), ("vsi", 1)]
)
def test_an_image_smaller_than_the_metrics_windows_is_refused(name, side):
    image = hdrq.Image(torch.rand(1, 3, side, 40), "srgb")
    with pytest.raises(PixelError, match="at least"):
        hdrq.metric(name)(image, image) if find("metric", name).card.reference is not None else hdrq.metric(
            name
        )(image)


def test_equal_pixels_have_the_best_colour_of_a_similarity_map():
    """MDSI's map exceeds 1 where edges agree better than their mean; its scale started there."""
    ref = 255 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    dist = ref.clone()
    dist[..., 32:] = dist[..., 32:] * 0.6 + 60
    scorer = hdrq.metric("mdsi")
    reading = scorer.metric(ref, dist)
    values = reading.map[0, 0].clone()
    values[0, 0] = 1.03
    best, worst = error_maps.span_of(values, scorer)
    assert best == 1
    assert worst < 1


def test_the_map_of_ssimulacra2_is_best_at_0():
    values = torch.rand(40, 40) + 0.1
    best, worst = error_maps.span_of(values, hdrq.metric("ssimulacra2"))
    assert best == 0
    assert 1 < worst < 1.2


def test_flat_areas_can_count_as_flat_whatever_the_order_of_sums():
    image = torch.full((1, 1, 64, 64), 200.0, dtype=torch.float64)
    image[..., 40:] += 20 * torch.rand(
        1, 1, 64, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    assert (mscn(image, "replicate", settle=True)[..., :36] == 0).all()
    assert (mscn(image, "replicate")[..., :36].abs() < 1e-12).all()
    torch.testing.assert_close(
        mscn(image, "replicate", settle=True), mscn(image, "replicate"), atol=1e-12, rtol=0
    )


@pytest.mark.shared
def test_rounding_in_flat_areas_decides_brisque_and_niqe(shared):
    """pyiqa lists 72.26 and 8.635, the authors' programs in MATLAB, for I19; its clipped areas are flat.

    MATLAB and Octave add up in other orders. Both stand for the same formula: where nothing is flat (I04) they agree.
    """
    folder = shared / "data" / "sdr_iqa" / "tid2013_pairs" / "pyiqa" / "dist"
    flat, busy = ((luma(pixels(folder / f"{name}.png")) + 0.5).floor() for name in ("I19", "I04"))
    assert value("brisque", flat) == pytest.approx(64.6584, abs=1e-3)
    assert value("brisque", flat, flat="zero") == pytest.approx(74.4304, abs=1e-3)
    assert value("niqe", flat) == pytest.approx(8.7646, abs=1e-3)
    assert value("niqe", flat, flat="zero") == pytest.approx(8.6655, abs=1e-3)
    for way in ("octave", "zero"):
        assert value("brisque", busy, flat=way) == pytest.approx(-0.107618, abs=1e-3)
        assert value("niqe", busy, flat=way) == pytest.approx(3.65492, abs=1e-4)


@pytest.mark.shared
def test_vsi_of_i01_is_matlabs_resizing_and_not_aligned_corners(shared, monkeypatch):
    """piq lists .96405 for I01; that is what aligned corners give, which imresize of MATLAB does not have."""
    folder = shared / "data" / "sdr_iqa" / "tid2013_pairs" / "piq"
    ref, dist = pixels(folder / "I01.png"), pixels(folder / "i01_01_5.png")
    assert value("vsi", ref, dist) == pytest.approx(0.963951, abs=1e-6)

    def aligned(x: Tensor, size: tuple[int, int], kernel: str) -> Tensor:
        assert kernel == "bilinear"
        return torch.nn.functional.interpolate(x, size=size, mode="bilinear", align_corners=True)

    monkeypatch.setattr(vsi, "imresize", aligned)
    assert value("vsi", ref, dist) == pytest.approx(0.96405, abs=1e-5)


def sequence(folder, count: int, without: tuple[int, ...] = (), first: int = 0) -> None:
    """A moving gradient as numbered PNGs."""
    folder.mkdir()
    ramp = np.linspace(0, 255, 96)
    for number in range(count):
        if number not in without:
            rows = np.roll(ramp, number)[None] * np.linspace(0.3, 1, 64)[:, None]
            Picture.fromarray(rows.astype(np.uint8)).convert("RGB").save(
                folder / f"frame_{first + number}.png"
            )


def test_frames_are_paired_by_number_and_missing_ones_named(tmp_path):
    """40 against 39 identical frames scored 1.02; every frame behind the gap met its neighbour."""
    sequence(tmp_path / "ref", 7)
    sequence(tmp_path / "dist", 7, without=(4,))
    sequence(tmp_path / "sixteen", 16)
    sequence(tmp_path / "short", 16, without=(3,))
    sequence(tmp_path / "later", 7, first=500)
    metric = "hdrvqm,mode=video,frame_rate=4"
    (row,) = hdrq.score([(tmp_path / "ref", tmp_path / "dist")], [metric])
    assert row.status == "ok"
    assert row.value == pytest.approx(0, abs=1e-5)
    assert "frame_4.png" in row.how
    (row,) = hdrq.score([(tmp_path / "ref", tmp_path / "later")], [metric])
    assert row.value == pytest.approx(0, abs=1e-5)
    (row,) = hdrq.score([(tmp_path / "sixteen", tmp_path / "short")], ["hdrvqm,mode=video"])
    assert row.status == "failed"
    assert "15 frames" in row.error


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    sequence(tmp_path / "ref", 12)
    assert [p.name for p in pairing.numbered(tmp_path / "ref").values()] == [
        f"frame_{k}.png" for k in range(12)
    ]
    (tmp_path / "ref" / "other_3.png").write_bytes((tmp_path / "ref" / "frame_3.png").read_bytes())
    assert all(isinstance(key, str) for key in pairing.numbered(tmp_path / "ref"))


def test_code_of_integer_files_is_exact_in_float64(tmp_path):
    """Readers hold k / 255 in float32; a float64 score was of those."""
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Picture.fromarray(np.stack([codes] * 3, -1)).save(tmp_path / "all.png")
    image = hdrq.read(tmp_path / "all.png")
    exact = torch.arange(256, dtype=torch.float64).reshape(16, 16) / 255
    moved = moved_to(image, None, torch.float64)
    assert torch.equal(moved.pixels[0, 0], exact)
    assert not torch.equal(image.pixels[0, 0].double(), exact)
    black = image.with_pixels(torch.zeros_like(image.pixels))
    mean_square = (exact**2).mean().item()
    assert hdrq.metric("mse", dtype=torch.float64)(image, black).item() == pytest.approx(
        mean_square, rel=1e-14
    )
    settings = Settings(dtype=torch.float64)
    Picture.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "black.png")
    (row,) = hdrq.score([(tmp_path / "black.png", tmp_path / "all.png")], ["mse"], settings=settings)
    assert row.value == pytest.approx(mean_square, rel=1e-14)
    blurred = image.with_pixels(image.pixels + 1e-4)
    assert torch.equal(moved_to(blurred, None, torch.float64).pixels, blurred.pixels.double())


def test_one_image_at_8_and_16_bits_is_one_image():
    """psnr was infinite and ssim .9996: the grey of 8 bits was rounded and that of 16 was not."""
    codes = torch.randint(0, 256, (1, 3, 40, 40), generator=torch.Generator().manual_seed(0)) / 255
    eight, sixteen = hdrq.Image(codes, "srgb", bits=8), hdrq.Image(codes, "srgb", bits=16)
    assert hdrq.metric("ssim")(eight, sixteen).item() == pytest.approx(1, abs=1e-6)
    assert hdrq.metric("gmsd")(eight, sixteen).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.shared
def test_a_photograph_at_8_and_16_bits_is_one_photograph(shared):
    ref, dist = (hdrq.read(shared / "cases" / f"{name}.png") for name in ("m_nat", "m_nat16"))
    assert hdrq.metric("ssim", dtype=torch.float64)(ref, dist).item() == pytest.approx(1, abs=1e-12)


def test_a_probability_is_never_negative():
    """hdrvdp3 gave -0.00001 for identical images, and -0.0001 in its map: log(1 - p + 0.0001) is summed."""
    image = hdrq.Image(100 * torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)) + 1, "nits")
    reading = hdrq.metric("hdrvdp3,output=p-det").read(image, image)
    assert reading.value.item() == 0
    assert reading.map.min() == 0

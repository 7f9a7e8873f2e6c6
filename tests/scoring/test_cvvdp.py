"""ColorVideoVDP beside the authors' program, cvvdp 0.5.7 (float32, CPU)."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from hdrq.errors import PixelError, UsageError
from hdrq.records import BT709
from hdrq.scoring.features.cvvdp import quality, vision
from hdrq.scoring.metrics.cvvdp import cvvdp

PPD = 75.40244934519434  # of its display standard_hdr_linear
STILLS = {
    (2, 2): 9.6259804,
    (3, 8): 9.6604881,
    (8, 5): 9.7807684,
    (33, 50): 9.9137239,
    (50, 33): 9.9457903,
    (64, 64): 9.9475708,
    (61, 97): 9.9295397,
}
CLIPS = {
    (24, 6, "replicate"): 9.9201145,
    (30, 12, "replicate"): 9.9308033,
    (10, 2, "replicate"): 9.9055004,
    (60, 5, "symmetric"): 9.9443359,
    (60, 20, "symmetric"): 9.9656429,
    (24, 1, "replicate"): 9.9400606,
}


def scene(h: int, w: int, frames: int = 1) -> Tensor:
    """(F, 3, H, W) linear light, cd/m², drifting by two pixels a frame."""
    axes = (torch.arange(n, dtype=torch.float64) for n in (frames, h, w))
    f, y, x = torch.meshgrid(*axes, indexing="ij")
    x = x + 2 * f
    disc = (x - w / 2) ** 2 + (y - h / 3) ** 2 < 25
    red = 20 + 15 * torch.sin(x / 3 + y / 7) + 8 * torch.sin(x * y / 50)
    green = 30 + 25 * torch.cos(x / 5 - y / 4)
    blue = 15 + 10 * torch.sin(y / 3) * torch.cos(x / 9) + 30 * disc
    return torch.stack([red, green, blue], 1)


def rippled(ref: Tensor) -> Tensor:
    axes = (torch.arange(n, dtype=torch.float64) for n in (len(ref), *ref.shape[-2:]))
    t, y, x = torch.meshgrid(*axes, indexing="ij")
    waves = torch.sin(2.1 * x + y + t), torch.sin(x - 1.7 * y - 2 * t), torch.cos(0.9 * x + 0.4 * y)
    return ref * (1 + 0.15 * torch.stack(waves, 1))


def shown(light: Tensor) -> Tensor:
    """Light of standard_hdr_linear: 1500 cd/m², 10 lux of which 0.5 % are reflected."""
    return light.clamp(0.005, 1500) + 10 * 0.005 / np.pi


def pair(h: int, w: int, frames: int = 1) -> tuple[Tensor, Tensor]:
    ref = scene(h, w, frames)
    return shown(ref), shown(rippled(ref))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", STILLS)
def test_stills_are_the_programs(size: tuple[int, int], dtype: torch.dtype) -> None:
    ref, dist = (x.to(dtype) for x in pair(*size))
    assert cvvdp(ref, dist, ppd=PPD, maps=False).value.item() == pytest.approx(STILLS[size], abs=2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("clip", CLIPS)
def test_clips_are_the_programs_in_one_piece_and_frame_by_frame(clip: tuple, dtype: torch.dtype) -> None:
    rate, frames, padding = clip
    ref, dist = (x.to(dtype) for x in pair(40, 56, frames))
    options = {"ppd": PPD, "mode": "video", "frame_rate": rate, "padding": padding, "maps": False}
    whole = cvvdp(ref, dist, **options).value
    assert whole.shape == (1,)
    assert whole.item() == pytest.approx(CLIPS[clip], abs=2e-6)
    assert cvvdp(iter(ref), iter(dist), **options).value.item() == whole.item()


def test_a_grey_image_has_the_programs_number_and_a_repaired_one_no_colour() -> None:
    ref, dist = (x[:, 1:2] for x in pair(45, 60))
    assert cvvdp(ref, dist, ppd=PPD).value.item() == pytest.approx(9.797648429870605, abs=2e-6)
    repaired = cvvdp(ref, dist, ppd=PPD, variant="repaired")
    assert repaired.value.item() > 9.8
    assert repaired.extra["rg"].item() == repaired.extra["yv"].item() == 0
    assert repaired.extra["a"].item() > 0


def test_a_uniform_change_of_brightness_is_not_seen() -> None:
    ref = scene(32, 48)
    assert cvvdp(ref, ref / 2, ppd=PPD).value.item() == pytest.approx(10, abs=1e-6)


def test_identical_images_score_10_and_have_a_finite_gradient() -> None:
    ref, _ = pair(20, 24)
    dist = ref.clone().requires_grad_()
    value = cvvdp(ref, dist, ppd=PPD, maps=False).value
    assert value.item() == 10
    value.sum().backward()
    assert dist.grad is not None
    assert dist.grad.isfinite().all()


def test_only_odd_beside_even_sides_are_affected_by_the_borders_of_the_program() -> None:
    for size, same in (((64, 64), True), ((33, 50), False), ((50, 33), False)):
        values = [cvvdp(*pair(*size), ppd=PPD, variant=v).value.item() for v in ("published", "repaired")]
        assert (values[0] == values[1]) == same


def test_a_repaired_image_and_its_transpose_score_the_same() -> None:
    ref, dist = pair(33, 50)
    for variant, same in (("repaired", True), ("published", False)):
        upright = cvvdp(ref, dist, ppd=PPD, variant=variant).value.item()
        lying = cvvdp(ref.mT.contiguous(), dist.mT.contiguous(), ppd=PPD, variant=variant).value.item()
        assert (upright == pytest.approx(lying, abs=1e-12)) == same


def test_the_gradient_is_the_slope() -> None:
    ref, dist = pair(13, 10)
    assert torch.autograd.gradcheck(
        lambda x: cvvdp(ref, x, ppd=20.0, maps=False).value, dist.requires_grad_(), fast_mode=True
    )


def test_the_gradient_of_a_clip_is_the_slope() -> None:
    ref, dist = pair(8, 9, 3)
    options = {"ppd": 20.0, "mode": "video", "frame_rate": 10.0, "maps": False}
    assert torch.autograd.gradcheck(
        lambda x: cvvdp(ref, x, **options).value, dist.requires_grad_(), fast_mode=True
    )


def test_a_step_along_the_gradient_raises_the_score() -> None:
    ref, dist = pair(48, 40)
    dist.requires_grad_()
    before = cvvdp(ref, dist, ppd=PPD, maps=False).value
    (slope,) = torch.autograd.grad(before.sum(), dist)
    after = cvvdp(ref, dist + 0.05 * slope / slope.abs().max(), ppd=PPD, maps=False).value
    assert after.item() > before.item() + 1e-4


def test_a_batch_of_stills_is_each_of_them_and_a_strip_of_rows_is_no_matter(monkeypatch) -> None:
    ref, dist = pair(233, 64, 2)
    each = [cvvdp(ref[i : i + 1], dist[i : i + 1], ppd=PPD).value.item() for i in (0, 1)]
    assert cvvdp(ref, dist, ppd=PPD).value.tolist() == each
    monkeypatch.setattr(vision, "_STRIP", 64)
    reading = cvvdp(ref, dist, ppd=PPD)
    assert reading.value.tolist() == pytest.approx(each, abs=1e-12)


def test_a_streamed_clip_keeps_no_more_frames_than_its_filter_is_long() -> None:
    living: list[weakref.ref] = []
    most = 0

    def frames(clip: Tensor) -> Iterator[Tensor]:
        nonlocal most
        for frame in clip:
            most = max(most, sum(r() is not None for r in living))
            fresh = frame.clone()
            living.append(weakref.ref(fresh))
            yield fresh
            del fresh

    ref, dist = pair(16, 16, 30)
    cvvdp(frames(ref), frames(dist), mode="video", frame_rate=24, maps=False)
    assert quality.filter_length(24) == 7
    assert 12 <= most <= 2 * (7 + 1)


def test_a_clip_needs_its_frame_rate_and_two_sides_of_one_length() -> None:
    ref, dist = pair(8, 8, 3)
    with pytest.raises(UsageError, match="frame_rate="):
        cvvdp(ref, dist, mode="video")
    with pytest.raises(PixelError, match="reference clip ends after 2 frames"):
        cvvdp(ref[:2], dist, mode="video", frame_rate=24)


def test_numbers_by_band_and_channel_come_with_the_score() -> None:
    ref, dist = pair(40, 56, 4)
    still = cvvdp(ref[:1], dist[:1], ppd=PPD).extra
    bands = len(vision.frequencies(40, 56, PPD))
    assert [k for k in still if k.startswith("cpd_")] == [
        *(f"cpd_band{b}" for b in range(bands - 1)),
        "cpd_base",
    ]
    assert still["cpd_band0"].item() == pytest.approx(PPD / 2)
    assert {"a", "rg", "yv", "a_band0", "yv_base"} <= set(still)
    assert "trans" not in still
    clip = cvvdp(ref, dist, ppd=PPD, mode="video", frame_rate=24).extra
    assert clip["trans_band1"].shape == (1,)


def test_bands_end_with_the_first_below_a_fifth_of_a_cycle_or_where_pixels_end() -> None:
    many = vision.frequencies(2160, 3840, 75.4)
    assert many[-3] > 0.2 >= many[-2]
    assert many[1] == pytest.approx(0.3228 * 75.4 / 2)
    assert many[-1] == 0.1
    assert [len(vision.frequencies(n, 99, 75.4)) for n in (2, 3, 4, 7, 8, 16)] == [1, 1, 2, 2, 3, 4]


def test_the_pyramid_is_undone_by_rebuilding_it() -> None:
    image = scene(37, 50)[0]
    low = vision.halve(image)
    lower = vision.halve(low)
    bands = [image - vision.double(low, (37, 50)), low - vision.double(lower, (19, 25)), lower]
    assert torch.allclose(vision.rebuild(bands), image, atol=1e-12)
    for rows in (slice(0, 4), slice(6, 19), slice(30, 37)):
        assert torch.equal(vision.double(low, (37, 50), rows), vision.double(low, (37, 50))[:, rows])


def test_raw_maps_are_jod_lost_and_zero_where_nothing_differs() -> None:
    ref, dist = pair(64, 64)
    dist[..., :32] = ref[..., :32]
    shape = cvvdp(ref, dist, ppd=PPD).map
    assert shape.shape == (1, 1, 64, 64)
    assert shape[..., :10].abs().max() < 0.01 * shape.max()
    assert cvvdp(ref, ref, ppd=PPD).map.abs().max() == 0


@pytest.mark.parametrize("heatmap", ["threshold", "supra-threshold"])
def test_coloured_maps_are_display_code_and_repaired_ones_end_at_their_last_colour(heatmap: str) -> None:
    ref, dist = pair(48, 48)
    strong = ref * (1 + 2 * (dist / ref - 1).abs())
    strong[..., 16:32, 16:32] *= 3
    maps = [cvvdp(ref, strong, ppd=PPD, heatmap=heatmap, variant=v).map for v in ("published", "repaired")]
    for m in maps:
        assert m.shape == (1, 3, 48, 48)
        assert 0 <= m.min() < m.max() <= 1
    assert not torch.allclose(*maps, atol=0.05)


def test_primaries_matter_to_colour_only() -> None:
    from hdrq.image.color import convert
    from hdrq.records import BT2020

    ref, dist = pair(32, 32)
    wide = [convert(x, BT709, BT2020) for x in (ref, dist)]
    assert cvvdp(*wide, ppd=PPD, primaries=BT2020).value.item() == pytest.approx(
        cvvdp(ref, dist, ppd=PPD).value.item(), abs=1e-4
    )


def test_the_line_of_a_number_says_how_it_was_seen() -> None:
    from hdrq.encoding.displays import display

    ref, dist = pair(16, 16)
    (line,) = cvvdp(ref, dist, ppd=60.0, display=display("hdr-pq-1000")).notes
    assert line == "cvvdp at 60 ppd, peak 1000, black 0.001, reflection 0.01592 cd/m²"


@pytest.fixture
def folders(tmp_path) -> tuple:
    """Two folders of eight EXR frames each."""
    import hdrq
    from hdrq.records import Image

    for name, clip in zip(("ref", "dist"), pair(40, 56, 8)):
        (tmp_path / name).mkdir()
        for n, frame in enumerate(clip):
            hdrq.write(tmp_path / name / f"f{n:03d}.exr", Image(frame[None].float()), depth="float")
    return tmp_path / "ref", tmp_path / "dist"


CLIP = "cvvdp,mode=video,frame_rate=24"


def test_folders_of_frames_are_streamed_to_the_number_of_the_clip_in_one_piece(folders, monkeypatch) -> None:
    import hdrq
    from hdrq.scoring import clips

    files = []
    read = clips.read_selected
    monkeypatch.setattr(clips, "read_selected", lambda p, s: files.append(p) or read(p, s))
    (row,) = hdrq.score([folders], [CLIP], device="cpu", viewing=PPD)
    ref, dist = (x.float() for x in pair(40, 56, 8))
    whole = cvvdp(ref, dist, ppd=PPD, mode="video", frame_rate=24, maps=False).value.item()
    assert row.status == "ok", row.error
    assert row.value == pytest.approx(whole, abs=1e-6)
    assert len(files) <= 2 * 8 + 2 * 2  # once each, and the first two of either side to look at them
    assert row.extra["trans"] > 0


def test_a_clip_beside_a_still_is_an_error_and_a_frame_without_partner_named(folders) -> None:
    import hdrq

    ref, dist = folders
    (row,) = hdrq.score([(ref, dist / "f000.exr")], [CLIP], device="cpu")
    assert row.status == "failed"
    assert "test clip ends after 1 frames" in row.error
    (dist / "f007.exr").unlink()
    (row,) = hdrq.score([(ref, dist)], [CLIP], device="cpu")
    assert row.status == "ok", row.error
    assert "f007.exr" in row.how


def test_frames_that_a_display_cuts_are_counted(folders) -> None:
    import hdrq
    from hdrq.encoding.displays import display as shelf

    (row,) = hdrq.score([folders], [CLIP], device="cpu", display=shelf("hdr-pq-1000", peak_nits=40.0))
    assert row.status == "ok", row.error
    assert "16 frames were changed, the first is" in row.how


def test_a_clip_with_a_frame_of_another_size_is_an_error(folders) -> None:
    import hdrq
    from hdrq.records import Image

    hdrq.write(folders[1] / "f004.exr", Image(torch.ones(1, 3, 40, 57)))
    (row,) = hdrq.score([folders], [CLIP], device="cpu")
    assert "differs from" in row.error
    assert "f004.exr" in row.error


def test_a_clip_has_a_map_of_every_frame(folders, tmp_path) -> None:
    import hdrq
    from hdrq.scoring.batch import Settings

    settings = Settings(device="cpu", maps=tmp_path / "maps")
    (row,) = hdrq.score([folders], [CLIP], settings=settings)
    assert row.status == "ok", row.error
    written = sorted((tmp_path / "maps").glob("*.exr"))
    assert len(written) == 8
    assert len(list((tmp_path / "maps").glob("*.png"))) == 8
    ref, dist = (x.float() for x in pair(40, 56, 8))
    maps = cvvdp(ref, dist, ppd=45.0, mode="video", frame_rate=24).map
    assert torch.allclose(hdrq.read(written[5]).pixels, maps[5:6], atol=1e-5)


def test_the_background_of_an_almost_even_image_keeps_its_contrast() -> None:
    from hdrq.scoring.features.cvvdp.quality import backdrop

    plane = torch.tensor([[[0.0, 1.0, 1.2, 1.5]]], dtype=torch.float64)
    b = torch.tensor(
        [[[1.0, 1.0, 1.2, 1.5]]], dtype=torch.float64
    ).log()  # black as the darkest pixel that is not
    assert torch.allclose(backdrop(plane), b / (b.max() + 1e-3) * 0.6 + 0.2, atol=1e-12)


def test_the_programs_colours_are_float16_before_they_meet_the_background() -> None:
    from hdrq.scoring.features.cvvdp.quality import backdrop, error_map

    plane = scene(24, 24)[:, 1]
    seen = torch.linspace(0, 0.2, 24 * 24, dtype=torch.float64).view(1, 24, 24)
    published, repaired = (error_map(seen, plane, "threshold", repaired=r) for r in (False, True))
    whole = (published < 1) & (repaired < 1)
    colours, free = ((m / backdrop(plane))[whole] for m in (published, repaired))
    assert whole.float().mean() > 0.5
    assert torch.allclose(colours, colours.half().double(), rtol=1e-12, atol=0)
    assert torch.equal(colours.half(), free.half())
    assert (free - free.half().double()).abs().max() > 1e-4

"""Every function of hdrq.image on one made-up image: figures of what it gives, and identities where there are some."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hdrq.image import (
    blur,
    color,
    dct,
    edge_preserving,
    exposure_fusion,
    filters,
    pyramids,
    resize,
    statistics,
    transfer,
    warp,
)
from hdrq.image.render import demo_scene, distort, room
from hdrq.records import BT709, BT2020, P3
from pinned import pinned as pinned_within


def pinned(name: str, *values) -> None:
    pinned_within(name, *values, tolerance=1e-6)


def picture(height: int = 37, width: int = 46, channels: int = 3, images: int = 2) -> Tensor:
    """Light in double precision: waves, a step, black in a corner and a highlight."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    k = torch.arange(images * channels).view(images, channels, 1, 1).double()
    light = (
        1.5
        + (x / (4 + k) + k).sin()
        + 0.4 * (y * (1 + 0.1 * k) / 3).cos()
        + 0.02 * ((x * 7 + y * 13 + k) % 11)
    )
    light = light + 3.0 * (x > 30)
    light[..., :4, :5] = 0
    light[..., 20:22, 12:13] = 60
    return light


BORDERS = ("valid", "zero", "replicate", "reflect", "symmetric", "circular")


@pytest.mark.parametrize("border", BORDERS)
def test_filters_are_what_they_were(border) -> None:
    x, taps = picture(), torch.tensor([0.1, 0.5, 0.3, -0.2], dtype=torch.float64)
    other = torch.tensor([0.3, 0.6, -0.1], dtype=torch.float64)
    pinned(f"separable {border}", filters.separable(x, taps, other, border))
    pinned(f"filter2 {border}", filters.filter2(x, taps[:, None] * other, border))
    both = filters.separable(x, taps, other, border)
    assert torch.allclose(both, filters.filter2(x, taps[:, None] * other, border), atol=1e-12)
    wide = filters.pad(x[..., :5, :6], 7, 9, 8, 11, border if border != "reflect" else "reflect")
    pinned(f"pad {border}", wide)
    mode = {
        "replicate": "edge",
        "reflect": "reflect",
        "symmetric": "symmetric",
        "circular": "wrap",
        "zero": "constant",
    }
    if border in mode:
        wanted = np.pad(x[0, 0, :5, :6].numpy(), ((7, 9), (8, 11)), mode=mode[border])
        assert np.array_equal(wide[0, 0].numpy(), wanted)


def test_strips_and_lines_are_the_whole(monkeypatch) -> None:
    x, taps = picture(), (0.2, 0.5, -0.1)
    whole = {dim: filters.slide(x, taps, dim) for dim in (-1, -2)}
    sums = {dim: filters.by_lines(lambda v, d=dim: v.cumsum(d), x, dim) for dim in (-1, -2)}
    for cache in (1, 300, 5000):
        monkeypatch.setattr(filters, "CACHE", cache)
        for dim in (-1, -2):
            assert torch.equal(filters.slide(x, taps, dim), whole[dim])
            assert torch.equal(filters.by_lines(lambda v, d=dim: v.cumsum(d), x, dim), sums[dim])
    monkeypatch.setattr(filters, "CACHE", 300)
    assert [(s.start, s.stop) for s in filters.strips(20, 50, x)] == [(0, 6), (6, 12), (12, 18), (18, 20)]
    assert [(s.start, s.stop) for s in filters.strips(40, 50, x, overlap=2)] == [(0, 16), (16, 32), (32, 40)]


def test_sliding_has_its_gradient() -> None:
    x = picture(6, 7, 1, 1).requires_grad_()
    for dim in (-1, -2):
        assert torch.autograd.gradcheck(lambda v, d=dim: filters.slide(v, (0.2, 0.7, -0.3, 0.1), d), x)


def test_kernels_and_gradients_are_what_they_were() -> None:
    like = torch.zeros((), dtype=torch.float64)
    assert filters.gaussian(3, 0.7, like).tolist() == pytest.approx(
        (np.exp([-1 / 0.98, 0, -1 / 0.98]) / np.exp([-1 / 0.98, 0, -1 / 0.98]).sum()).tolist()
    )
    assert filters.box(4, like).tolist() == [0.25] * 4
    ramp = (3 * torch.arange(9.0)[:, None] + 4 * torch.arange(8.0))[None, None]
    for smooth in (filters.PREWITT, filters.SCHARR):
        assert filters.gradient(ramp, smooth)[0, 0, 2:-2, 2:-2].unique().tolist() == pytest.approx(
            [10], rel=1e-5
        )
        pinned(f"gradient {smooth[1]:.2f}", filters.gradient(picture(), smooth))


@pytest.mark.parametrize("sigma", [0.4, 1.3, 6.0, 11.0])
def test_blurs_are_what_they_were(sigma) -> None:
    x = picture()
    pinned(f"blur {sigma}", blur.blur(x, sigma), blur.gaussian_blur(x, sigma))
    pinned(f"blur with taps {sigma}", blur.blur(x, sigma, 8), blur.blur(x, sigma, 61))
    pinned(
        f"reinhard profile {sigma}",
        blur.reinhard_profile(x, sigma, 0.35),
        blur.reinhard_profile(x, sigma, 0.6, "circular"),
    )
    kernel = filters.gaussian(43, sigma, x)
    assert torch.allclose(
        blur._fourier(x, kernel, sigma), filters.separable(x, kernel, border="replicate"), atol=1e-9
    )


def test_pyramids_of_blurs_and_lenses_are_what_they_were() -> None:
    x = picture()
    area = np.pi * 2.7**2
    assert float(blur.disk(2.7).sum()) == pytest.approx(area, rel=0.01)
    assert float(blur.streak(7.5, 30.0).sum()) == pytest.approx(60)  # eight steps a pixel
    pinned("pyramid means", *blur.pyramid_means(x, 7))
    pinned("burt", blur.burt(x, "replicate"), blur.burt(x, "zero", gap=3))
    for name, spread in (
        ("disk", blur.disk(2.7)),
        ("small disk", blur.disk(0.4, 5)),
        ("streak", blur.streak(7.5, 30.0)),
        ("up", blur.streak(4.0, -80.0, 6)),
    ):
        pinned(name, spread, blur.apply_psf(x, spread.double()))


def test_laplacian_pyramids_are_what_they_were() -> None:
    x = picture()
    pinned("laplacian pyramid", *pyramids.laplacian_pyramid(x, 5))
    pinned("doubled", pyramids.double(x), pyramids.double(x[..., :5, :4]))
    flat = torch.full((1, 1, 16, 16), 3.0, dtype=torch.float64)
    bands = pyramids.laplacian_pyramid(flat, 3)
    assert float(bands[2].mean()) == pytest.approx(12)
    assert max(float(b.abs().max()) for b in bands[:2]) < 1e-12


@pytest.mark.parametrize("kernel", ["bicubic", "bilinear", "nearest"])
def test_resizing_is_what_it_was(kernel) -> None:
    x = picture()
    for scale in (0.31, 0.5, 1.0, 1.7):
        pinned(
            f"imresize {kernel} {scale}",
            resize.imresize(x, scale, kernel=kernel),
            resize.imresize(x, scale, kernel=kernel, antialias=False),
        )
    pinned(
        f"imresize {kernel} to a size",
        resize.imresize(x, size=(50, 20), kernel=kernel),
        resize.imresize(x[..., :3, :3], size=(9, 2), kernel=kernel),
    )


def test_other_resizing_is_what_it_was() -> None:
    x = picture()
    for size in ((37, 46), (20, 60), (11, 9), (80, 100)):
        pinned(f"linear resize {size}", resize.linear_resize(x, size))
    assert torch.allclose(resize.linear_resize(x, (37, 46)), x)
    for f in (1, 2, 3, 5):
        pinned(f"shrink {f}", resize.shrink(x, f), resize.shrink(x, f, mirror=True))
    assert [resize.factor(h, 1000) for h in (100, 383, 384, 640, 900)] == [1, 1, 2, 3, 4]


def test_colours_are_what_they_were() -> None:
    x = picture()
    for a, b in ((BT709, BT2020), (P3, BT709), (BT2020, P3)):
        pinned(f"{a.name} to {b.name}", color.convert(x, a, b), color.rgb_to_rgb(a, b), color.rgb_to_xyz(a))
        assert color.rgb_to_rgb(a, b) @ color.rgb_to_rgb(b, a) == pytest.approx(np.eye(3), abs=1e-12)
        assert torch.allclose(color.luminance(x, a), color.luminance(color.convert(x, a, b), b), rtol=1e-4)
    pinned("luminances", color.luminance(x), color.luma(x), color.yiq(x))
    y, cb, cr = color.split_luma(x)
    pinned("luma and chroma", y, cb, cr, color.join_luma(y, 0.9 * cb, 1.1 * cr))
    assert torch.allclose(color.join_luma(y, cb, cr), x, atol=1e-3)
    lab, ipt = color.to_lab(x / 60), color.to_ipt(x)
    pinned("lab", lab, color.from_lab(lab * 1.02))
    pinned("ipt", ipt, color.from_ipt(ipt * 0.98))
    assert torch.allclose(color.from_lab(lab), x / 60, atol=1e-6)
    assert torch.allclose(color.from_ipt(ipt), x, atol=1e-4)


def test_transfer_functions_are_what_they_were() -> None:
    code = torch.linspace(0, 1.2, 97, dtype=torch.float64)
    pinned("srgb", transfer.srgb_to_linear(code), transfer.linear_to_srgb(code))
    pinned("pq", transfer.pq_to_nits(code.clamp(max=1)), transfer.nits_to_pq(code * 4000))
    for peak in (400.0, 1000.0, 4000.0):
        pinned(f"hlg {peak}", [transfer.hlg_system_gamma(peak)])
        colour = code[:96].clamp(max=1).view(1, 3, 4, 8)
        pinned(
            f"hlg light {peak}", transfer.hlg_to_nits(colour, peak), transfer.nits_to_hlg(colour * peak, peak)
        )
        assert torch.allclose(
            transfer.nits_to_hlg(transfer.hlg_to_nits(colour, peak), peak), colour, atol=3e-6
        )


def test_cosine_transforms_are_each_others_inverse() -> None:
    x = picture(9, 8)
    for dim in (-1, -2):
        pinned(f"cosine {dim}", dct.cosine(x, dim))
        assert torch.allclose(dct.from_cosine(dct.cosine(x, dim), dim), x)


def test_edge_preserving_filters_are_what_they_were() -> None:
    x = picture(channels=1)
    guide = x.flip(-1)
    pinned(
        "bilateral", edge_preserving.bilateral(x, 1.2, 0.8), edge_preserving.bilateral(x, 2.0, 5.0, radius=2)
    )
    pinned(
        "bilateral grid",
        edge_preserving.bilateral_grid(x, 3.0, 0.7),
        edge_preserving.bilateral_grid(x, 2.5, 1.5, guide, -0.4),
    )
    pinned(
        "bilateral slices",
        edge_preserving.bilateral_slices(x, 4.0, 6.0),
        edge_preserving.bilateral_slices(x[..., :12, :13], 2.0, 1.0),
    )
    pinned("guided filter", edge_preserving.guided_filter(x, guide, 3, 0.05), edge_preserving.box_mean(x, 4))
    wide = filters.pad(x, 2, 2, 2, 2, "symmetric")
    assert torch.allclose(edge_preserving.box_mean(x, 2), torch.nn.functional.avg_pool2d(wide, 5, 1))


@pytest.mark.parametrize("variant", ["opencv", "toolbox"])
def test_fusion_is_what_it_was(variant) -> None:
    light = picture() / 6
    stack = [(light * 2.0**k).clamp(0, 1) ** 0.45 for k in (-2, 0, 2)]
    pinned(
        f"fused {variant}",
        exposure_fusion.fuse(stack, variant=variant),
        exposure_fusion.fuse(stack, 0.7, 0.5, 2.0, variant),
    )
    pinned(
        f"quality {variant}",
        *(exposure_fusion.quality(s, 1.0, 0.5, 1.5, variant) for s in (stack[1], stack[1][:, :1])),
    )
    pinned(
        f"shrunk and grown {variant}",
        exposure_fusion.shrink(light, variant),
        exposure_fusion.grow(light, (73, 91), variant),
        exposure_fusion.grow(light, (74, 92), variant),
        exposure_fusion.shrink(light[..., :1, :2], variant),
    )
    single = exposure_fusion.quality(stack[1].float(), variant=variant)
    assert torch.allclose(single.double(), exposure_fusion.quality(stack[1], variant=variant), atol=1e-6)


def test_statistics_are_what_they_were() -> None:
    x = picture()
    y = statistics.luminance(x)
    pinned(
        "statistics",
        y,
        *(
            f(y)
            for f in (
                statistics.brightest,
                statistics.darkest,
                statistics.darkest_positive,
                statistics.mean,
                statistics.log_mean,
            )
        ),
    )
    for share in (0.0, 0.01, 0.37, 0.99, 1.0):
        pinned(
            f"quantiles {share}",
            statistics.ranked(y, share),
            statistics.quantile(y, share),
            statistics.ordered(y, share),
        )
        flat = y[0].flatten().numpy()
        assert float(statistics.quantile(y, share)[0]) == pytest.approx(float(np.quantile(flat, share)))
    pinned("cut", statistics.cut(y, 0.03))
    line = torch.arange(1.0, 11.0).view(1, 1, 2, 5)
    assert [float(statistics.ranked(line, s)) for s in (0.0, 0.14, 0.16, 0.5, 1.0)] == [1, 1, 2, 5, 10]
    assert [float(statistics.ordered(line, s)) for s in (0.0, 0.19, 0.2, 0.99, 1.0)] == [1, 2, 3, 10, 10]
    assert [float(v) for v in (statistics.cut(line, 0.1).amin(), statistics.cut(line, 0.1).amax())] == [2, 9]
    mask = torch.zeros(1, 1, 37, 46, dtype=torch.bool)
    mask[..., 5:20, 7:40] = True
    with statistics.counting(mask):
        assert float(statistics.mean(y[:1])) == pytest.approx(float(y[0, 0, 5:20, 7:40].mean()))
        assert statistics.counted(x[0]).shape == (3, 15 * 33)
    pinned("filled", statistics.filled(x[:1], mask))
    with statistics.doubled():
        assert statistics.longer_side(torch.zeros(1, 1, 20, 60)) == 30
        assert statistics.longer_side(torch.zeros(1, 1, 50, 60)) == 50
    assert statistics.longer_side(torch.zeros(1, 1, 20, 60)) == 60
    assert statistics.stretched(torch.tensor([2.0, 4.0]), torch.tensor(2.0), torch.tensor(6.0)).tolist() == [
        0,
        0.5,
    ]
    flat = torch.tensor([4.0, 4.0])
    assert statistics.stretched(flat, torch.tensor(4.0), torch.tensor(4.00003)).tolist() == pytest.approx(
        [0.18, 0.18]
    )
    assert statistics.stretched(flat, torch.tensor(4.0), torch.tensor(4.00005)).tolist() == [0, 0]
    assert statistics.ratio(torch.tensor([3.0, 3.0]), torch.tensor([0.0, 2.0])).tolist() == [0, 1.5]
    assert statistics.relight(
        torch.tensor([3.0, 0.0]), torch.tensor([2.0, 0.0]), torch.tensor([4.0, 1.0])
    ).tolist() == [6, 0]


def test_adaptation_blends_statistics_by_its_pace() -> None:
    adapting = statistics.Adaptation(0.25)
    found = []
    for k, value in enumerate((4.0, 8.0, 8.0, 0.0)):
        with adapting.frame(afresh=k == 3):
            found.append(float(statistics.follow("mean", torch.tensor(value))))
    assert found == [4, 5, 5.75, 0]


def test_working_spaces_are_what_they_were() -> None:
    x = picture()
    with color.working_in(P3):
        pinned(
            "working in p3",
            color.to_bt709(x),
            color.to_bt2020(x),
            color.from_bt2020(x, 3),
            statistics.luminance(x),
        )
        assert torch.allclose(color.from_bt709(color.to_bt709(x)), x)
        assert color.from_bt2020(x, 1).shape[1] == 1


def test_warps_are_what_they_were() -> None:
    x = picture()
    pinned("shift", warp.shift(x, 1.3, -2.7), warp.shift(x, -50.0, 0.5))
    whole = warp.shift(x, 2, -3)
    assert torch.equal(whole[..., 2:, :-3], x[..., :-2, 3:])
    field = (
        torch.stack([torch.full((37, 46), 1.5), torch.full((37, 46), -2.0)])[None]
        .double()
        .expand(2, -1, -1, -1)
    )
    moved = warp.displace(x, field)
    assert torch.allclose(moved[..., 2:, :-2], (x[..., :-2, 1:-1] + x[..., :-2, 2:]) / 2)
    pinned("displaced", warp.displace(x, 20 * (field * x[:, :1]).sin()))
    h = np.array([[1.02, -0.1, 3.0], [0.08, 0.97, -2.0], [2e-4, -1e-4, 1.0]])
    at = warp.positions(h, 2, 35, 3, 40)
    for mode in ("bicubic", "bilinear"):
        pinned_within(f"sampled {mode}", warp.sample(x[0].float(), *at, mode), *at)
    pinned_within("inside", warp.inside(*at, (37, 46)))
    flow = torch.stack([torch.linspace(-2, 2, 46).expand(37, 46), torch.full((37, 46), 0.25)])
    pinned_within("positions with a flow", *warp.positions(h, 2, 35, 3, 40, flow))
    assert warp.corner_motion(warp.translation(3, -4), (37, 46)) == pytest.approx(5)
    pinned("corner motion", [warp.corner_motion(h, (37, 46))])
    u, v = warp.apply(h, np.array([5.0]), np.array([7.0]))
    w = 1 + 2e-4 * 5 - 1e-4 * 7
    assert (u[0] * w, v[0] * w) == pytest.approx((1.02 * 5 - 0.1 * 7 + 3, 0.08 * 5 + 0.97 * 7 - 2))


def test_the_area_that_frames_share_is_a_rectangle() -> None:
    moves = [warp.translation(0, 0), warp.translation(3, -4), warp.translation(-2, 6)]
    assert warp.common_area(moves, (40, 50)) == (2, 37, 4, 44)
    # nothing is shared: empty, and within the frame
    assert warp.common_area([warp.translation(60, 0)], (40, 50)) == (40, 40, 0, 50)
    c, s = np.cos(0.06), np.sin(0.06)
    turn = np.array([[c, -s, 3.0], [s, c, -2.0], [0, 0, 1.0]])
    top, bottom, left, right = warp.common_area([turn, np.eye(3)], (60, 80))
    y, x = np.mgrid[top:bottom, left:right].astype(float)
    u, v = warp.apply(turn, x, y)
    assert u.min() > -0.011
    assert u.max() < 79.011
    assert v.min() > -0.011
    assert v.max() < 59.011
    pinned_within("shared area", [top, bottom, left, right])


def test_rendered_scenes_are_what_they_were() -> None:
    light = room(64, 48, seed=3)
    pinned_within("room", light, distort(light, seed=2))
    ref, dist = demo_scene(60, 40)
    pinned_within("demo", ref.pixels, dist.pixels)

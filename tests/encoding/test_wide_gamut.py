"""Light reaches the metric as the files hold it: primaries kept, both sides treated alike, assumptions stated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

import hdrq
from hdrq.encoding.displays import display
from hdrq.encoding.emission import gamut_note
from hdrq.encoding.photometry import Photometry, Side, decode, emit, encode
from hdrq.errors import DomainError, UsageError
from hdrq.image.color import convert, rgb_to_xyz
from hdrq.records import BT709, BT2020, P3, XYZ, Image, Pair, Primaries
from hdrq.scoring.batch import Settings
from hdrq.scoring.run import score

METRICS = ["pu-psnr", "pu-ssim", "y:pu21:psnr", "pq:psnr", "hdrvdp3", "log-rmse"]
PERFECT = {"pu-psnr": 80.0, "y:pu21:psnr": 80.0, "pq:psnr": 80.0, "pu-ssim": 0.9999, "hdrvdp3": 9.99}


def scene(primaries=BT2020, low: float = 5.0, seed: int = 0) -> Image:
    """Saturated light, 5 to 400 cd/m², most of it outside BT.709 where the primaries are wider."""
    random = torch.Generator().manual_seed(seed)
    light = low + 395 * torch.rand(1, 3, 24, 24, generator=random) ** 2
    light[:, :, :8, :8] = torch.tensor([low, 400.0, low])[None, :, None, None]
    return Image(light, "nits", primaries)


def noisy(image: Image, share: float = 0.05) -> Image:
    grain = torch.randn(image.pixels.shape, generator=torch.Generator().manual_seed(1))
    return replace(image, pixels=image.pixels * (1 + share * grain).clamp(0.5, 1.5))


@pytest.mark.parametrize("primaries", [BT2020, P3, XYZ], ids=lambda p: p.name)
def test_luminance_is_that_of_the_files_own_primaries(primaries):
    """pu-psnr of Y against a float64 computation from the file's own primaries."""
    ref, dist = scene(primaries), noisy(scene(primaries))
    row = torch.from_numpy(rgb_to_xyz(primaries)[1])
    y = [Image((i.pixels.double() * row[None, :, None, None]).sum(1, keepdim=True)) for i in (ref, dist)]
    expected = hdrq.metric("pu21:psnr")(*y)
    double = [replace(i, pixels=i.pixels.double()) for i in (ref, dist)]
    assert hdrq.metric("y:pu21:psnr")(*double).item() == pytest.approx(expected.item(), rel=1e-9)
    assert hdrq.metric("y:pu21:psnr")(ref, dist).item() == pytest.approx(expected.item(), rel=1e-6)


def test_numbers_of_bt709_files_keep_the_usual_weights():
    ref, dist = scene(BT709), noisy(scene(BT709))
    weights = torch.tensor([0.212656, 0.715158, 0.072186])[None, :, None, None]
    y = [Image((i.pixels * weights).sum(1, keepdim=True)) for i in (ref, dist)]
    assert hdrq.metric("y:pu21:psnr")(ref, dist).item() == pytest.approx(
        hdrq.metric("pu21:psnr")(*y).item(), rel=1e-6
    )


def test_colours_outside_bt709_are_not_cut_to_it():
    """Two greens that become one when cut to BT.709 differ for every metric of colour."""
    a, b = scene(), scene()
    a.pixels[:] = torch.tensor([0.0, 1000.0, 0.0])[None, :, None, None]
    b.pixels[:] = torch.tensor([150.0, 950.0, 20.0])[None, :, None, None]
    assert hdrq.metric("pu-psnr")(a, b) < 20
    assert any("working primaries bt2020" in n for n in hdrq.metric("pu-psnr").read(a, b).notes)


@pytest.mark.shared
def test_two_wide_greens_differ_for_hdrvdp3(shared):
    a, b = (hdrq.read(shared / "cases" / f"wcg_{n}.png") for n in "ab")
    assert hdrq.metric("hdrvdp3")(a, b) < 10
    assert hdrq.metric("pu-psnr")(a, b) < 20


@pytest.mark.shared
def test_stored_code_is_compared_as_stored_whatever_its_primaries(shared):
    a, b = (shared / "cases" / f"q_{n}_2020.png" for n in "ab")
    (row,) = score([(a, b)], ["psnr"])
    stored = [hdrq.read(p).pixels.double() for p in (a, b)]
    assert row.value == pytest.approx(
        -10 * torch.log10(((stored[0] - stored[1]) ** 2).mean()).item(), abs=1e-4
    )
    assert row.display == "code as stored"


@pytest.mark.shared
def test_codes_of_different_encodings_are_refused_with_the_remedy(shared):
    pair = (shared / "cases" / "q_a_709.png", shared / "cases" / "q_a_none.png")
    (row,) = score([pair], ["psnr"])
    assert row.status == "failed"
    assert "pq code" in row.error
    assert "pu21:psnr" in row.error
    (row,) = score([pair], ["psnr"], photometry=Photometry(dist=Side(domain="pq")))
    assert row.value == float("inf")


@pytest.mark.shared
def test_working_primaries_are_the_smallest_that_hold_both_and_can_be_set(shared):
    inside = replace(scene(BT709), pixels=convert(scene(BT709).pixels, BT709, BT2020), primaries=BT2020)
    bound = hdrq.metric("pu-psnr")
    assert bound.prepare(inside, noisy(inside, 0.0))[1].primaries == BT709
    assert bound.prepare(scene(P3), scene(P3))[1].primaries == P3
    assert bound.prepare(scene(), scene())[1].primaries == BT2020
    pinned = hdrq.metric("pu-psnr", photometry=Photometry(primaries="bt709"))
    assert any("outside the bt709 gamut, clipped" in n for n in pinned.read(scene(), scene()).notes)


def stored(image: Image) -> dict[str, Image]:
    """One image of BT.709 colours in every encoding and in every set of primaries, full precision."""
    out = {}
    for primaries in (BT709, P3, BT2020, XYZ):
        light = Image(convert(image.pixels.double(), BT709, primaries), "nits", primaries)
        out[f"light {primaries.name}"] = light
        if primaries != XYZ:
            for name in ("pq", "pu21", "log10"):
                out[f"{name} {primaries.name}"] = encode(light, name)
    return out


SCENE = scene(BT709)
STORED = stored(SCENE)
PAIRS = [
    (a, b) for a, b in product(STORED, STORED) if "light bt709" in (a, b) or a.split()[0] == b.split()[0]
]


@pytest.mark.parametrize(
    "photometry", [Photometry(), Photometry(display=None, primaries="bt2020")], ids=["", "bt2020"]
)
@pytest.mark.parametrize("names", PAIRS, ids=lambda n: f"{n[0]} against {n[1]}")
def test_an_image_is_identical_to_itself_however_it_is_stored(names, photometry):
    a, b = (STORED[n] for n in names)
    for metric in ("pu-psnr", "pu-ssim", "y:pu21:psnr", "pq:psnr"):
        value = hdrq.metric(metric, photometry=photometry)(a, b).item()
        assert value >= PERFECT[metric], metric


@pytest.mark.parametrize("name", [n for n in STORED if not n.startswith("log10")])
def test_a_display_treats_both_sides_alike(name):
    a, b = STORED["light bt709"], STORED[name]
    shown = Photometry(display=hdrq.Display("screen", 200.0, 1.0, "pq"))
    for pair in ((a, b), (b, a)):
        assert hdrq.metric("pu-psnr", photometry=shown)(*pair) > 70
        assert hdrq.metric("pu-ssim", photometry=shown)(*pair) > 0.9999


def written(folder, image: Image, names=("a", "b")):
    for name in names:
        hdrq.write(folder / f"{name}.exr", image, depth="float")
    return folder / f"{names[0]}.exr", folder / f"{names[1]}.exr"


@pytest.mark.parametrize("scale", [None, 3.0])
def test_matching_a_response_does_not_apply_the_scale_twice(tmp_path, scale):
    pair = written(tmp_path, scene(BT709))
    (row,) = score(
        [pair], ["pu-psnr"], photometry=Photometry(scale=scale), settings=Settings(match_response=True)
    )
    assert row.value == float("inf")


def test_a_gain_is_matched_whatever_the_scale(tmp_path):
    ref = scene(BT709)
    hdrq.write(tmp_path / "a.exr", ref, depth="float")
    hdrq.write(tmp_path / "b.exr", replace(ref, pixels=ref.pixels * 1.5), depth="float")
    pair = (tmp_path / "a.exr", tmp_path / "b.exr")
    rows = [
        next(
            score([pair], ["pu-psnr"], photometry=Photometry(scale=s), settings=Settings(match_response=True))
        )
        for s in (1.0, 3.0)
    ]
    assert min(r.value for r in rows) > 40


def test_options_of_one_side_are_for_that_side(tmp_path):
    ref = scene(BT709)
    hdrq.write(tmp_path / "a.exr", ref, depth="float")
    hdrq.write(tmp_path / "b.exr", replace(ref, pixels=ref.pixels / 200), depth="float")
    pair = (tmp_path / "a.exr", tmp_path / "b.exr")
    (row,) = score([pair], ["pu-psnr"], photometry=Photometry(dist=Side(scale=200.0)))
    assert row.value > 80
    (row,) = score([Pair(dist=pair[1], ref=pair[0], carried={"dist_scale": "200"})], ["pu-psnr"])
    assert row.value > 80
    (row,) = score([Pair(dist=pair[1], ref=pair[0], carried={"dist_scale": "wide"})], ["pu-psnr"])
    assert "positive number" in row.error


def test_a_domain_is_not_forced_on_float_files(tmp_path):
    light = scene(BT709)
    hdrq.write(tmp_path / "a.exr", light, depth="float")
    code = encode(light, "pq")
    hdrq.write(tmp_path / "b.png", replace(code, domain="srgb"), depth="uint16")
    (row,) = score(
        [(tmp_path / "a.exr", tmp_path / "b.png")], ["pu-psnr"], photometry=Photometry(domain="pq")
    )
    assert row.value > 70
    assert "stays nits" in row.how


def test_peak_is_refused_where_the_reference_is_code(tmp_path):
    hdrq.write(tmp_path / "a.png", Image(torch.rand(1, 3, 16, 16), "srgb"), depth="uint8")
    hdrq.write(tmp_path / "b.exr", scene(BT709), depth="float")
    hdrq.write(tmp_path / "c.png", Image(torch.rand(1, 3, 24, 24), "srgb"), depth="uint8")
    (row,) = score(
        [(tmp_path / "c.png", tmp_path / "b.exr")], ["pu-psnr"], photometry=Photometry(peak=1000.0)
    )
    assert "--dist-scale" in row.error
    (row,) = score(
        [(tmp_path / "c.png", tmp_path / "c.png")], ["pu-psnr"], photometry=Photometry(peak=1000.0)
    )
    assert "brightest" not in row.how


def test_hlg_holds_light_up_to_its_nominal_peak():
    a, b = (Image(torch.full((1, 3, 16, 16), v)) for v in (150.0, 400.0))
    assert hdrq.metric("hlg:psnr")(a, b) < 30
    code = encode(b, "hlg")
    assert decode(code).pixels.mean().item() == pytest.approx(400, rel=1e-4)


@pytest.mark.parametrize(
    ("encoding", "white"), [("srgb", 100), ("mu", 100), ("gamma", 100), ("linear", 100), ("hlg", 1000)]
)
def test_the_white_of_relative_codes_is_used_and_stated(encoding, white):
    a, b = (Image(torch.full((1, 1, 16, 16), v)) for v in (0.5 * white, 0.25 * white))
    reading = hdrq.metric(f"{encoding}:mse").read(a, b)
    assert any(f"{encoding}: 1.0 = {white} cd/m²" in n for n in reading.notes)
    from hdrq.registry import find

    e = find("encoding", encoding)
    codes = [e.encode(i.pixels, float(white)) for i in (a, b)]
    assert reading.value.item() == pytest.approx(((codes[0] - codes[1]) ** 2).mean().item(), rel=1e-5)
    twice = hdrq.metric(f"{encoding}:mse", photometry=Photometry(white=2.0 * white))
    again = twice.read(a, b)
    assert any(f"1.0 = {2 * white} cd/m²" in n for n in again.notes)
    light = torch.tensor([0.02, 0.3, 1.0]) * 2 * white
    code = e.encode(light, 2.0 * white)
    assert code[-1].item() == pytest.approx(1, abs=1e-4)
    assert torch.allclose(e.decode(code, 2.0 * white), light, rtol=1e-3)


@pytest.mark.parametrize("encoding", ["pu21", "pq", "hlg"])
def test_light_beyond_an_encoding_is_stated(encoding):
    a, b = (Image(torch.full((1, 3, 16, 16), v)) for v in (20_000.0, 80_000.0))
    notes = hdrq.metric(f"{encoding}:psnr").read(a, b).notes
    assert any(f"the maximum of {encoding}, clamped" in n for n in notes)
    assert any("clamped" in n for n in encode(a, encoding).notes)


def test_what_lies_below_an_encoding_is_stated_but_not_its_black():
    a, b = (Image(torch.full((1, 3, 16, 16), v)) for v in (0.001, 0.004))
    black = Image(torch.zeros(1, 3, 16, 16))
    notes = hdrq.metric("pu-psnr").read(a, b).notes
    assert sum("between 0 and 0.005 cd/m², the minimum of pu21, clamped" in n for n in notes) == 1
    assert hdrq.metric("pu-psnr").read(black, black).notes == ()


@pytest.mark.parametrize(
    ("domain", "screen"), [("pq", "hdr-pq-1000"), ("hlg", "hdr-hlg-1000"), ("nits", "hdr-pq-1000")]
)
def test_what_a_display_cannot_show_is_counted_for_code_as_for_light(domain, screen):
    light = Image(
        torch.tensor([0.0, 0.0005, 500.0, 4000.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2).contiguous()
    )
    code = light if domain == "nits" else encode(light, domain, 4000.0)
    beyond = {"pq": "9 values (75 %)", "hlg": "3 values (25 %)", "nits": "9 values (75 %)"}[domain]
    notes = emit(code, display(screen)).notes
    assert any(n.startswith(beyond) and "0.001..1000 cd/m², clipped" in n for n in notes), notes


def test_code_outside_its_range_is_counted():
    """Float files hold sRGB code above 1 and PQ code below 0, which no display shows."""
    for domain, values in (("srgb", (0.5, 1.4)), ("pq", (-0.1, 0.5)), ("hlg", (0.5, 1.09))):
        code = Image(torch.tensor(values).reshape(1, 1, 1, 2).expand(1, 3, 1, 2).contiguous(), domain)
        notes = emit(code).notes
        assert any("3 values (50 %) of code outside 0..1, clipped" in n for n in notes), (domain, notes)
        assert not emit(code.with_pixels(code.pixels.clamp(0, 1))).notes


def test_broken_values_of_stored_code_are_counted():
    x = torch.full((1, 3, 16, 16), 0.5)
    x[0, 0, 3, 3] = float("nan")
    bound = hdrq.metric("psnr", photometry=Photometry(nonfinite="clamp"))
    assert any("1 NaN values" in n for n in bound.read(Image(x, "pu21"), Image(x * 0.9, "pu21")).notes)


@pytest.mark.parametrize("encoding", ["pu21", "pq", "log10"])
@pytest.mark.parametrize("primaries", [BT709, BT2020], ids=lambda p: p.name)
def test_a_metric_of_one_channel_gives_one_value_for_light_and_its_code(encoding, primaries):
    """Both files light, both code, and either of each."""
    light = scene(primaries), noisy(scene(primaries))
    code = [encode(replace(i, pixels=i.pixels.double()), encoding) for i in light]
    for name in ("ssim", "gmsd"):
        bound = hdrq.metric(f"{encoding}:{name}")
        values = [bound(a, b).item() for a, b in product((light[0], code[0]), (light[1], code[1]))]
        assert values == pytest.approx([values[0]] * 4, rel=1e-3), name


def test_code_in_exr_files_is_compared_by_metrics_of_code(tmp_path):
    light = scene(BT709)
    for name, image in (("a", light), ("b", noisy(light))):
        hdrq.write(tmp_path / f"{name}.exr", encode(image, "pu21"), depth="float")
    (row,) = score([(tmp_path / "a.exr", tmp_path / "b.exr")], ["psnr"])
    assert (row.status, row.display) == ("ok", "code as stored")
    hdrq.write(tmp_path / "c.exr", light, depth="float")
    with pytest.raises(DomainError, match="holds light"):
        list(score([(tmp_path / "c.exr", tmp_path / "b.exr")], ["psnr"]))


def test_the_white_of_relative_code_is_stated_for_its_side(tmp_path):
    """mu code of light up to 400 cd/m², and sRGB code of it, against the light."""
    light = scene(BT709)
    hdrq.write(tmp_path / "light.exr", light, depth="float")
    hdrq.write(tmp_path / "mu.exr", encode(light, "mu", 400.0), depth="float")
    hdrq.write(tmp_path / "srgb.png", encode(light, "srgb", 400.0), depth="uint16")
    for name, low in (("mu.exr", 120), ("srgb.png", 35)):  # sdr has a black
        pair = Pair(dist=tmp_path / name, ref=tmp_path / "light.exr")
        (plain,) = score([pair], ["pu-psnr"])
        (told,) = score([pair], ["pu-psnr"], photometry=Photometry(dist=Side(scale=400.0)))
        assert plain.value < 30 < low < told.value, name
    assert (
        "mu: 1.0 = 100 cd/m²" in next(score([(tmp_path / "light.exr", tmp_path / "mu.exr")], ["pu-psnr"])).how
    )
    (row,) = score([(tmp_path / "srgb.png",) * 2], ["pu-psnr"], photometry=Photometry(white=400.0))
    assert row.display == "sdr+peak_nits=400"


def test_primaries_that_only_files_state_are_the_same_in_every_format(tmp_path):
    """AP0 of ACES, whose blue has a negative y: float32 in EXR, whole numbers in cHRM, and nothing of it is ignored."""
    from hdrq.encoding.convert import convert as run

    aces = Primaries("file", (0.7347, 0.2653), (0.0, 1.0), (0.0001, -0.077), (0.32168, 0.33767))
    hdrq.write(tmp_path / "a.exr", scene(aces), depth="float")
    (done,) = run([(tmp_path / "a.exr", tmp_path / "a.png")], to="pq", photometry=Photometry())
    images = [hdrq.read(tmp_path / f"a.{suffix}") for suffix in ("exr", "png")]
    assert images[0].primaries == images[1].primaries == aces
    assert not any("ignored" in note for note in (*done.notes, *images[1].notes))
    (row,) = score([(tmp_path / "a.exr", tmp_path / "a.png")], ["y:pu21:psnr"])
    assert row.value > 80
    assert "primaries differ" not in row.how
    (row,) = score([(tmp_path / "a.exr", scene(BT709))], ["y:pu21:psnr"])
    assert (
        "primaries differ: 0.7347 0.2653 0 1 0.0001 -0.077 0.3217 0.3377 in the reference, bt709" in row.how
    )


def test_decoding_a_float_file_of_code_does_not_call_it_relative_light(tmp_path):
    from hdrq.encoding.convert import convert as run

    code = encode(scene(BT709), "pq")
    hdrq.write(tmp_path / "pq.pfm", Image(code.pixels.float(), "nits"))
    (done,) = run(
        [(tmp_path / "pq.pfm", tmp_path / "light.exr")], to="pq", back=True, photometry=Photometry()
    )
    assert done.notes == ()
    assert torch.allclose(hdrq.read(tmp_path / "light.exr").pixels, scene(BT709).pixels, rtol=1e-3)


@pytest.mark.parametrize("encoding", ["srgb", "gamma"])
def test_the_black_of_the_display_that_sdr_code_is_for_is_stated(tmp_path, encoding):
    """Code of light without a display differs from code for the display that scoring shows it on, and both say so."""
    from hdrq.encoding.convert import convert as run

    light = scene(BT709)
    light = replace(light, pixels=light.pixels / 5)
    hdrq.write(tmp_path / "a.exr", light, depth="float")
    values = {}
    for name, screen in (("plain", None), ("shown", display("sdr"))):
        (done,) = run(
            [(tmp_path / "a.exr", tmp_path / f"{name}.tif")],
            to=encoding,
            photometry=Photometry(display=screen),
        )
        said = [n for n in done.notes if "black 0.1 cd/m²" in n]
        assert bool(said) == (screen is None)
        (row,) = score([(tmp_path / "a.exr", tmp_path / f"{name}.tif")], ["pu-psnr"])
        assert f"is {encoding} code shown on sdr (black 0.1, peak 100 cd/m²)" in row.how
        values[name] = row.value
    assert values["shown"] > 90 > 60 > values["plain"]


def test_a_scale_without_use_is_stated(tmp_path):
    hdrq.write(tmp_path / "a.png", Image(torch.rand(1, 3, 16, 16), "srgb"), depth="uint8")
    for photometry in (Photometry(scale=2.0), Photometry(peak=1000.0)):
        (row,) = score([(tmp_path / "a.png",) * 2], ["pu-psnr"], photometry=photometry)
        assert "not used, because no file holds light" in row.how


@pytest.mark.parametrize("primaries", [None, "bt709"])
def test_a_matched_image_is_identical_to_itself_whatever_the_working_primaries(tmp_path, primaries):
    pair = written(tmp_path, scene())
    rows = score(
        [pair],
        ["pu-psnr", "pu-ssim", "y:pu21:psnr", "log-rmse"],
        photometry=Photometry(primaries=primaries),
        settings=Settings(match_response=True),
    )
    assert [r.value for r in rows] == [float("inf"), pytest.approx(1.0, abs=1e-7), float("inf"), 0.0]


@pytest.mark.parametrize("channels", [(1, 1), (3, 1), (1, 3)])
def test_an_image_of_one_channel_is_matched_by_its_luminance(tmp_path, channels):
    """A test image whose tone curve is another one is matched; an image against itself stays identical."""
    light = 5 + 395 * torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(3)) ** 2
    other = 100 * (light / 100) ** 1.1
    for name, pixels, count in (("a", light, channels[0]), ("b", other, channels[1])):
        hdrq.write(
            tmp_path / f"{name}.exr", Image(pixels.expand(-1, count, -1, -1).contiguous()), depth="float"
        )
    pair, same = (tmp_path / "a.exr", tmp_path / "b.exr"), (tmp_path / "a.exr",) * 2
    for name in ("y:pu21:psnr", "y:log-rmse"):
        (plain,) = score([pair], [name])
        (matched,) = score([pair], [name], settings=Settings(match_response=True))
        (itself,) = score([same], [name], settings=Settings(match_response=True))
        assert "response matched" in matched.how
        if name == "y:log-rmse":
            assert itself.value == 0 < matched.value < 0.02 * plain.value
        else:
            assert itself.value == float("inf")
            assert matched.value > plain.value + 30


def test_the_row_of_a_matched_image_names_its_display_and_what_it_cannot_show(tmp_path):
    image = Image(torch.rand(1, 3, 24, 24), "srgb")
    hdrq.write(tmp_path / "a.png", image, depth="uint8")
    matched = Settings(match_response=True)
    (row,) = score([(tmp_path / "a.png",) * 2], ["pu-psnr"], settings=matched)
    assert row.display == "sdr"
    assert "is light" not in row.how
    pair = written(tmp_path, scene(BT709))
    screen = Photometry(display=display("sdr"))
    (row,) = score([pair], ["pu-psnr"], photometry=screen, settings=matched)
    assert row.how.count("outside the range of sdr") == 2
    with pytest.raises(DomainError, match="--match-response compares light"):
        next(score([pair], ["ssim"], settings=matched))


def test_the_row_names_the_display_of_either_side(tmp_path):
    big = torch.rand(1, 3, 168, 168)
    hdrq.write(tmp_path / "hlg.png", Image(big, "hlg", BT2020), depth="uint16")
    hdrq.write(tmp_path / "sdr.png", Image(big, "srgb"), depth="uint8")
    (row,) = score([(tmp_path / "hlg.png", tmp_path / "sdr.png")], ["fsitm"])
    assert row.display == "hlg-1000 > code as stored"
    hdrq.write(tmp_path / "light.exr", Image(100 * big), depth="float")
    bright = Photometry(dist=Side(display=display("phone")))
    (row,) = score([(tmp_path / "light.exr", tmp_path / "sdr.png")], ["pu-psnr"], photometry=bright)
    assert "shown on phone (black 0.05, peak 500 cd/m²)" in row.how


def test_hdr_code_is_no_test_image_of_a_tone_mapping_metric():
    light, code = Image(400 * torch.rand(1, 3, 168, 168)), Image(torch.rand(1, 3, 168, 168), "srgb")
    for hdr in (encode(light, "pq"), encode(light, "pu21")):
        with pytest.raises(DomainError, match="give the HDR image first"):
            hdrq.metric("fsitm")(code, hdr)
        notes = hdrq.metric("fsitm").read(light, hdr).notes
        assert any(f"is {hdr.domain} code, and fsitm expects srgb code" in n for n in notes)


def test_swapped_arguments_of_a_tone_mapping_metric_are_refused():
    light, code = Image(400 * torch.rand(1, 3, 168, 168)), Image(torch.rand(1, 3, 168, 168), "srgb")
    for name in ("tmqi", "fsitm"):
        with pytest.raises(DomainError, match="give the HDR image first"):
            hdrq.metric(name)(code, light)
        assert any("expects an HDR reference" in n for n in hdrq.metric(name).read(code, code).notes)
        assert any("expects srgb code" in n for n in hdrq.metric(name).read(light, light).notes)


@pytest.mark.shared
def test_an_image_of_8_and_of_16_bits_is_identical_in_every_precision(shared):
    pair = (shared / "cases" / "m_nat.png", shared / "cases" / "m_nat16.png")
    for dtype in (torch.float32, torch.float64):
        rows = list(score([pair], ["psnr", "ssim"], settings=Settings(dtype=dtype)))
        assert [r.value for r in rows] == [float("inf"), pytest.approx(1.0, abs=1e-12)]
    eight = (pair[0], pair[0])
    assert [r.value for r in score([eight], ["psnr", "ssim"])] == [float("inf"), 1.0]


def test_float64_reads_integers_exactly(tmp_path):
    from hdrq.scoring.comparison import moved_to

    hdrq.write(tmp_path / "a.png", Image(torch.rand(1, 3, 16, 16), "srgb"), depth="uint8")
    image = hdrq.read(tmp_path / "a.png")
    exact = moved_to(image, torch.device("cpu"), torch.float64).pixels * 255
    assert torch.equal(exact, exact.round())


def test_primaries_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="unknown primaries 'bt601'"):
        Photometry(primaries="bt601")


@pytest.mark.parametrize("primaries", [BT2020, P3], ids=lambda p: p.name)
@pytest.mark.parametrize("encoding", ["pq", "hlg", "srgb"])
def test_encode_keeps_the_primaries_of_the_file(tmp_path, primaries, encoding):
    from hdrq.encoding.convert import convert as run

    low = replace(scene(primaries), pixels=scene(primaries).pixels / 5)
    hdrq.write(tmp_path / "a.exr", low, depth="float")
    job = [(tmp_path / "a.exr", tmp_path / f"{encoding}.png")]
    (done,) = run(job, to=encoding, photometry=Photometry())
    assert not done.error
    code = hdrq.read(tmp_path / f"{encoding}.png")
    assert (code.domain, code.primaries) == (encoding, primaries)
    light = decode(code).pixels
    assert np.allclose(light, low.pixels, rtol=2e-3, atol=2e-3)


def test_the_share_outside_a_gamut_is_said_without_an_exponent() -> None:
    beyond = torch.zeros(1, 3, 10, 10, dtype=torch.bool)
    assert gamut_note(beyond, BT709) == ()
    beyond[..., :1, :] = True
    assert gamut_note(beyond, P3, "mapped by scale") == (
        "30 values (10 %) outside the p3 gamut, mapped by scale",
    )
    assert gamut_note(~torch.zeros_like(beyond), BT709) == (
        "300 values (100 %) outside the bt709 gamut, clipped",
    )

"""One image, stored in every way that can hold it, is identical to itself for every metric, either way round."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import hdrq
from hdrq.cards import Card, Metric
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import Photometry, Side, emit, encode
from hdrq.errors import HdrqError, MissingPart
from hdrq.image.color import convert
from hdrq.records import BT709, BT2020, P3, XYZ, Display, Image, Primaries
from hdrq.registry import find, names
from hdrq.scoring.batch import Settings, score
from hdrq.scoring.binding import bind
from hdrq.scoring.request import Request
from hdrq.scoring.response_match import matched_light
from hdrq.scoring.scorer import Scorer

PRIMARIES = {p.name: p for p in (BT709, P3, BT2020, XYZ)}
SIDE = 16
EXACT, FINE, COARSE = (
    2e-3,
    0.03,
    0.4,
)  # of the difference that 2 % of noise makes: float; 16 bits, half; 10 bits, RGBE


@dataclass(frozen=True)
class Stored:
    """One file that holds the image: of light (or code that means light), or of code for the default display."""

    path: Path
    domain: str
    primaries: str
    error: float
    group: str


def code8(side: int) -> Tensor:
    """(1, 3, side, side + 8) sRGB code of 8 bits from 60 to 250, clouds with texture."""
    random = torch.Generator().manual_seed(4)
    clouds = torch.rand(1, 3, 7, 9, generator=random, dtype=torch.float64)
    image = torch.nn.functional.interpolate(clouds, (side, side + 8), mode="bicubic").clamp(0, 1)
    image = 0.8 * image + 0.2 * torch.rand(image.shape, generator=random, dtype=torch.float64)
    return (60 + 190 * image).round() / 255


def the_light(side: int) -> Image:
    """What the code gives on the default SDR display, cd/m², BT.709, float64."""
    return replace(emit(Image(code8(side), "srgb", BT709)), notes=(), displayed=False)


def in_primaries(light: Image, primaries: Primaries) -> Image:
    return Image(convert(light.pixels, BT709, primaries), "nits", primaries)


def signal(light: Image, domain: str, primaries: Primaries) -> Image:
    """Code that the default display of its domain shows as this light."""
    if domain in ("srgb", "gamma"):
        own = in_primaries(light, primaries)
        sdr = display("sdr")
        relative = (own.pixels - sdr.black_nits) / (sdr.peak_nits - sdr.black_nits)
        return encode(own.with_pixels(relative * 100), domain, 100.0)
    own = in_primaries(light, primaries)
    return encode(own, domain)


def store(folder: Path, side: int) -> list[Stored]:
    """The image in every format, encoding and primaries that hdrq writes or another writer can, without loss."""
    light, found = the_light(side), []

    def put(image: Image, name: str, error: float, group: str, **options: object) -> None:
        suffix = name[name.index(".") :]
        path = folder / f"{group}-{image.domain}-{image.primaries.name}-{name}"
        assert suffix
        hdrq.write(path, replace(image, pixels=image.pixels.float()), **options)
        found.append(Stored(path, image.domain, image.primaries.name, error, group))

    for primaries in PRIMARIES.values():
        own = in_primaries(light, primaries)
        put(own, "float.exr", EXACT, "light", depth="float")
        put(own, "half.exr", COARSE, "light", depth="half")
        put(own, "float.tif", EXACT, "light", depth="float")
        put(own, "rgbe.hdr", COARSE * 2, "light")
        if primaries != XYZ:
            for domain in ("pq", "pu21", "pu08", "log10", "ln1p", "log1p"):
                put(encode(own, domain), "float.exr", FINE, "light", depth="float")
            put(encode(own, "mu"), "float.exr", FINE, "relative", depth="float")  # its white is the display's
            pq = encode(own, "pq")
            put(pq, "16.png", FINE, "light", depth="uint16")
            put(pq, "16.tif", FINE, "light", depth="uint16")
            put(pq, "12.avif", COARSE, "light", bits=12)
            put(pq, "16.jxl", FINE, "light", bits=16)
            for domain in ("srgb", "hlg", "gamma"):
                code = signal(light, domain, primaries)
                put(code, "16.png", FINE, domain, depth="uint16")
                put(code, "16.tif", FINE, domain, depth="uint16")
                if domain == "gamma":  # no code points
                    continue
                put(code, "16.jxl", FINE, domain, bits=16)
                put(code, "12.avif", COARSE, domain, bits=12)
    put(light, "float.pfm", EXACT, "light")
    eight = Image(code8(side), "srgb", BT709, 8)
    for name in ("8.png", "8.tif", "8.jxl", "8.avif"):
        put(eight, name, EXACT, "srgb", **({"bits": 8} if name[2] in "ja" else {"depth": "uint8"}))
    found += by_other_writers(folder, (eight.pixels[0].movedim(0, -1).numpy() * 255).round().astype(np.uint8))
    return found


def by_other_writers(folder: Path, code: np.ndarray) -> list[Stored]:
    from PIL import Image as Picture

    found = []
    for suffix, options in (
        (".bmp", {}),
        (".webp", {"lossless": True}),
        (".jp2", {"irreversible": False}),
        (".png", {}),
    ):
        path = folder / f"other{suffix}"
        Picture.fromarray(code).save(path, **options)
        found.append(Stored(path, "srgb", "bt709", EXACT, "srgb"))
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> list[tuple[Stored, Image]]:
    return [(s, hdrq.read(s.path)) for s in store(tmp_path_factory.mktemp("small"), SIDE)]


def test_every_file_says_what_it_holds(small):
    for stored, image in small:
        assert image.primaries == PRIMARIES[stored.primaries], stored.path.name
        assert image.domain == stored.domain, stored.path.name


def wishes() -> list[tuple[str, bool, str]]:
    """(what is read, whether one channel, space of light) of the metrics on the shelf, each once."""
    found = set()
    for card in (find("metric", name).card for name in names("metric")):
        if card.reference_reads == card.reads:
            light = card.reads in ("nits", "linear")
            found.add((card.reads, card.grey, card.space if light else "working"))
    return sorted(found)


STAGES = (("pu21",), ("y", "pu21"), ("luma", "pq"), ("hlg",))
EVERY = [(w, s) for w in wishes() for s in (STAGES if w[0] == "code" else ((),))]
SOME = [
    (("code", False, "working"), ("pu21",)),
    (("nits", False, "luminance"), ()),
    (("nits", False, "working"), ()),
]


def probe(wish: tuple[str, bool, str], stages: tuple[str, ...], photometry: Photometry):
    """A scorer that gives back what it was handed, as float64."""
    reads, grey, space = wish
    card = Card("what is handed", "1", "lower", (0, None), reads, "", space=space, grey=grey)
    kept: list[Tensor] = []

    def keep(ref: Tensor, dist: Tensor) -> Tensor:
        kept[:] = [ref.double(), dist.double()]
        return (ref.double() - dist.double()).square().mean()[None]

    bound = bind(Request(stages, "probe"), Metric("probe", card, keep), photometry=photometry)

    def handed(a: Image, b: Image) -> tuple[Tensor, Tensor]:
        bound.read(a, b)
        return kept[0], kept[1]

    return handed


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


def differences(
    files: list[tuple[Stored, Image]], photometry: Photometry, exact: Image, asked: list = EVERY
) -> tuple[list[str], int]:
    """(files that a metric is handed otherwise than `exact` on either side, number of comparisons)."""
    grain = torch.randn(exact.pixels.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    worse = replace(exact, pixels=(exact.pixels * (1 + 0.02 * grain)).float())
    base, found, count = replace(exact, pixels=exact.pixels.float()), [], 0
    for wish, stages in asked:
        handed = probe(wish, stages, photometry)
        step = rms(torch.sub(*handed(base, worse)))
        for stored, image in files:
            for pair in ((base, image), (image, base)):
                share = rms(torch.sub(*handed(*pair))) / step
                count += 1
                if not share <= stored.error:
                    found.append(f"{stored.path.name} {wish} {stages}: {share:.3g} of 2 % noise")
    return found, count


def one_of_each(files: list[tuple[Stored, Image]]) -> list[tuple[Stored, Image]]:
    """The first file of every domain and primaries: once it is read, the format of a file no longer counts."""
    return list({(s.domain, s.primaries): (s, i) for s, i in reversed(files) if s.error <= FINE}.values())


def test_every_format_holds_the_image(small):
    found, count = differences(small, Photometry(), the_light(SIDE), SOME[:1])
    assert not found, found
    assert count == 2 * len(small) > 120


def test_what_a_metric_is_handed_does_not_depend_on_encoding_and_primaries(small):
    """Every encoding and primaries for three kinds of metric; every kind of metric for a quarter of them in turn."""
    files, exact = one_of_each(small), the_light(SIDE)
    assert len(files) == 4 + 3 * 10
    found, _ = differences(files, Photometry(), exact, SOME)
    for place, asked in enumerate(EVERY):
        found += differences(files[place % 4 :: 4], Photometry(), exact, [asked])[0]
    found += differences(files[::2], Photometry(primaries="bt2020"), exact, SOME)[0]
    assert not found, found


SCREENS = [
    Display("dim", 60.0, 2.0, "pq", ambient_lux=100.0),
    Display("lifted", 70.0, 0.5, "pq", lift="added"),
]


@pytest.mark.parametrize("screen", SCREENS, ids=lambda d: d.name)
def test_a_display_shows_light_and_pq_alike(small, screen):
    files = [(s, i) for s, i in small if s.group == "light"]
    assert differences(one_of_each(files), Photometry(display=screen), the_light(SIDE), SOME)[0] == []


def test_a_display_shows_srgb_code_alike_in_every_file(small):
    """Against the same code as it was written, on a screen that is none of the defaults."""
    files = [(s, i) for s, i in small if s.group == "srgb" and s.primaries == "bt709" and s.error <= FINE]
    code = Image(code8(SIDE), "srgb", BT709, 8)
    assert differences(files, Photometry(display=display("standard_4k")), code, SOME)[0] == []


@pytest.mark.parametrize("factor", [0.01, 3.0])
def test_a_scale_puts_relative_files_where_the_absolute_ones_are(small, factor):
    held = [(s, i) for s, i in one_of_each(small) if s.domain == "nits"]
    files = [(s, replace(i, pixels=i.pixels / factor)) for s, i in held]
    exact = the_light(SIDE)
    relative = exact.with_pixels(exact.pixels / factor)
    assert differences(files, Photometry(scale=factor), relative, SOME)[0] == []
    for stored, image in files:
        pair = (image, exact.with_pixels(exact.pixels.float()))
        metric = hdrq.metric("log-rmse", photometry=Photometry(ref=Side(scale=factor)))
        assert metric(*pair).item() < 0.02 * max(stored.error, 1e-3), stored


def test_an_image_matches_its_own_response_in_every_file(small):
    """The response that is fitted between two files of one image is none, and the value is that of identical ones."""
    light = replace(the_light(SIDE), pixels=the_light(SIDE).pixels.float())
    for stored, image in one_of_each(small):
        for pair in ((light, image), (image, light)) if stored.primaries in ("bt709", "bt2020") else ():
            (row,) = score([pair], ["pu-psnr"], settings=Settings(match_response=True))
            assert row.status == "ok", (stored, row.error)
            assert (row.value or 0) > (45 if stored.error > FINE else 60), (stored.path.name, row.value)


@pytest.fixture(scope="module")
def sized(tmp_path_factory):
    """sized(side) gives the image as light, as PQ of BT.2020, as sRGB code in two formats, and with 2 % of noise."""
    made: dict[int, dict[str, Image]] = {}

    def of(side: int) -> dict[str, Image]:
        if side not in made:
            folder, light = tmp_path_factory.mktemp("sized"), the_light(side)
            grain = torch.randn(light.pixels.shape, generator=torch.Generator().manual_seed(1))
            worse = light.with_pixels(light.pixels * (1 + 0.02 * grain))
            code = Image(code8(side), "srgb", BT709, 8)
            for image, name in (
                (light, "light.exr"),
                (worse, "worse.exr"),
                (encode(in_primaries(light, BT2020), "pq"), "pq.png"),
                (code, "code.png"),
                (code, "code.jxl"),
                (code.with_pixels((code.pixels * (1 + 0.01 * grain)).clamp(0, 1)), "bad.png"),
            ):
                options = {"depth": "float"} if name.endswith("exr") else {}
                options = {"depth": "uint16"} if name == "pq.png" else options
                hdrq.write(folder / name, image.with_pixels(image.pixels.float()), **options)
            made[side] = {p.name: hdrq.read(p) for p in folder.iterdir()}
        return made[side]

    return of


def bound_for(name: str) -> Scorer:
    """The metric of PU21 code where it reads any code, else as it is."""
    try:
        return hdrq.metric(f"pu21:{name}").scorer
    except HdrqError:
        return hdrq.metric(name).scorer


@pytest.mark.parametrize("name", names("metric"))
def test_every_metric_finds_two_files_of_one_image_identical(name, sized):
    """Light in EXR and PQ of BT.2020 in PNG, either way round, on a display, and as relative light whose response is
    matched; where a metric reads SDR code, PNG and JPEG XL of it."""
    try:
        bound = bound_for(name)
    except MissingPart as error:
        pytest.skip(str(error))
    card, files = bound.metric.card, sized(max(bound.metric.card.side, 48))
    stored = bound.compares_code_as_stored()
    a, b, worse = (
        files[n]
        for n in (("code.png", "code.jxl", "bad.png") if stored else ("light.exr", "pq.png", "worse.exr"))
    )
    with torch.no_grad():
        if card.reference_reads is None:
            values = [bound(x).item() for x in (a, b, worse)]
        elif card.reference_reads != card.reads:  # light against code
            values = [
                bound(x, files["code.png"]).item()
                for x in (files["light.exr"], files["pq.png"], files["worse.exr"])
            ]
        else:
            values = [bound(a, a).item(), bound(a, b).item()]
            if stored:
                values.append(bound(b, a).item())
            else:
                shown = replace(bound.photometry, display=SCREENS[1])
                values.append(replace(bound, photometry=shown)(b, a).item())
                scaled = replace(bound.photometry, ref=Side(scale=3.0))
                third = a.with_pixels(a.pixels / 3)
                values.append(replace(bound, photometry=scaled)(*matched_light(third, b, scaled)).item())
            values.append(bound(a, worse).item())
    same, *identical, other = values
    if same in (float("inf"), float("-inf")):
        assert all(abs(v) > abs(other) + 15 for v in identical), values
    else:
        assert all(abs(v - same) <= 0.15 * abs(other - same) + 1e-4 * abs(same) for v in identical), values

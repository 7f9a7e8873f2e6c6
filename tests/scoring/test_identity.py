"""One image, stored in every way that can hold it, is identical to itself for every metric, either way round.

What reaches a metric is compared for every file, every kind of metric and every way of scoring: `pytest` does all of it. That
every metric then finds it identical is tested on two files of each; `make test-all` runs all metrics over the whole product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isinf, log10

import pytest
import torch
from torch import Tensor

import hdrq
from hdrq.cards import Card, Metric
from hdrq.encoding.displays import display
from hdrq.encoding.photometry import Photometry, Side
from hdrq.errors import HdrqError, MissingPart
from hdrq.records import BT709, Display, Image
from hdrq.registry import find, names
from hdrq.scoring.batch import Settings
from hdrq.scoring.binding import bind
from hdrq.scoring.request import Request
from hdrq.scoring.response_match import matched_light
from hdrq.scoring.run import score
from hdrq.scoring.scorer import Scorer
from stored_image import FINE, PRIMARIES, Stored, code8, one_of_each, signal, store, the_light

SIDE = 16
LIGHT = ("light", "relative")


@dataclass(frozen=True)
class Way:
    """One way of scoring.

    photometry  of the call
    shows       groups of files; None: all. Files of code for a display of their own are compared with that code, where they
                are named here
    matched     whether the response of the test image is fitted to the reference first
    factor      cd/m² of a value of 1 in files of light, which are then relative
    """

    name: str
    photometry: Photometry = field(default_factory=Photometry)
    shows: tuple[str, ...] | None = None
    matched: bool = False
    factor: float | None = None


DIM = Display("dim", 60.0, 2.0, "pq", ambient_lux=100.0)
LIFTED = Display("lifted", 70.0, 0.5, "pq", lift="added")
WAYS = (
    Way("as it is"),
    Way("in bt2020", Photometry(primaries="bt2020")),
    Way("on a dim display", Photometry(display=DIM), ("light",)),
    Way("on a lifted display", Photometry(display=LIFTED), ("light",)),
    Way("on an SDR display", Photometry(display=display("standard_4k")), ("srgb", "gamma", "linear")),
    Way("on an HLG display", Photometry(display=display("hdr-hlg-1000")), ("hlg",)),
    Way("scaled down", Photometry(scale=0.01), factor=0.01),
    Way("scaled up", Photometry(scale=3.0), factor=3.0),
    Way("matched", matched=True),
    Way("matched on a lifted display", Photometry(display=LIFTED), ("light",), matched=True),
    Way("matched and scaled", Photometry(scale=3.0), factor=3.0, matched=True),
)

# Ways that only join what others of them show.
MORE = ("on a dim display", "scaled up", "matched on a lifted display", "matched and scaled")


def scored(
    way: Way, files: list[tuple[Stored, Image]], exact: Image
) -> Iterator[tuple[Stored, Image, Image, Photometry]]:
    """(file, what it is compared with, the file's image, photometry) of all that a way of scoring takes."""
    for stored, image in files:
        base = replace(exact, pixels=exact.pixels.float())
        if way.shows is not None and stored.group not in way.shows:
            continue
        if stored.group not in LIGHT and way.shows is not None:
            base = signal(exact, stored.domain, BT709)
            base = replace(base, pixels=base.pixels.float())
        if way.factor is None:
            yield stored, base, image, way.photometry
        elif stored.domain == "nits":
            held = replace(image, pixels=image.pixels / way.factor)
            yield stored, replace(base, pixels=base.pixels / way.factor), held, way.photometry
            alone = Side(scale=way.factor)  # only the file is relative
            yield stored, base, held, replace(way.photometry, scale=None, dist=alone)


def turned(photometry: Photometry) -> Photometry:
    """The photometry of a pair the other way round."""
    return replace(photometry, ref=photometry.dist, dist=photometry.ref)


def both_ways(
    way: Way, base: Image, image: Image, photometry: Photometry
) -> Iterator[tuple[Image, Image, Photometry]]:
    """(reference, test image, photometry), either way round, with the response matched where the way says so."""
    for ref, dist, light in ((base, image, photometry), (image, base, turned(photometry))):
        yield *(matched_light(ref, dist, light) if way.matched else (ref, dist)), light


def noisy(image: Image, level: float = 0.02, seed: int = 1) -> Image:
    """The image with 2 % of noise, the measure of all differences."""
    random = torch.Generator().manual_seed(seed)
    grain = torch.randn(image.pixels.shape, generator=random, dtype=torch.float64)
    worse = image.pixels * (1 + level * grain)
    return replace(image, pixels=(worse if image.domain == "nits" else worse.clamp(0, 1)).float())


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> list[tuple[Stored, Image]]:
    return [(s, hdrq.read(s.path)) for s in store(tmp_path_factory.mktemp("small"), SIDE)]


def test_every_file_says_what_it_holds(small):
    assert len(small) >= 88
    for stored, image in small:
        assert image.primaries == PRIMARIES[stored.primaries], stored.path.name
        assert image.domain == stored.domain, stored.path.name


def specs() -> list[tuple[str, bool, str]]:
    """(what is read, whether one channel, space of light) of the metrics on the shelf, each once."""
    found = set()
    for card in (find("metric", name).card for name in names("metric")):
        if card.reference_reads == card.reads:
            light = card.reads in ("nits", "linear")
            found.add((card.reads, card.grey, card.space if light else "working"))
    return sorted(found)


STAGES = (("pu21",), ("y", "pu21"), ("luma", "pq"), ("hlg",))
EVERY = [(w, s) for w in specs() for s in (STAGES if w[0] == "code" else ((),))]


def probe(wish: tuple[str, bool, str], stages: tuple[str, ...]):
    """handed(ref, dist, photometry) is what a metric of this kind is handed, float64."""
    reads, grey, space = wish
    card = Card("what is handed", "1", "lower", (0, None), reads, "", space=space, grey=grey)
    kept: list[Tensor] = []

    def keep(ref: Tensor, dist: Tensor) -> Tensor:
        kept[:] = [ref.double(), dist.double()]
        return (ref.double() - dist.double()).square().mean()[None]

    bound = bind(Request(stages, "probe"), Metric("probe", card, keep))

    def handed(a: Image, b: Image, photometry: Photometry) -> tuple[Tensor, Tensor]:
        replace(bound, photometry=photometry).read(a, b)
        return kept[0], kept[1]

    return handed


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


@pytest.mark.parametrize(
    "way",
    [pytest.param(w, id=w.name, marks=[pytest.mark.exhaustive] * (w.name in MORE)) for w in WAYS],
)
def test_what_reaches_a_metric_is_the_same_whatever_the_file(way, small):
    """Every file, either way round, for every kind of metric: less than a share of the difference that 2 % of noise makes."""
    found, count, exact = [], 0, the_light(SIDE)
    handed = {asked: probe(*asked) for asked in EVERY}
    steps: dict[tuple[object, ...], float] = {}
    for stored, base, image, photometry in scored(way, small, exact):
        for ref, dist, light in both_ways(way, base, image, photometry):
            for asked, hand in handed.items():
                both = replace(light, ref=Side(), dist=Side())
                key = asked, base.domain, base.pixels.mean().item(), both
                if key not in steps:
                    steps[key] = rms(torch.sub(*hand(base, noisy(base), both)))
                share = rms(torch.sub(*hand(ref, dist, light))) / steps[key]
                count += 1
                if not share <= stored.error:
                    found.append(f"{stored.path.name} {asked}: {share:.3g} of 2 % noise")
    assert not found, (len(found), count, found[:20])
    assert count >= 2 * len(EVERY)


def test_code_as_stored_is_the_same_in_every_format(small):
    """Files of one encoding and primaries against the first of them, either way round, without a stage."""
    groups: dict[tuple[str, str], list[tuple[Stored, Image]]] = {}
    for stored, image in small:
        if stored.domain not in ("nits", "linear"):
            groups.setdefault((stored.domain, stored.primaries), []).append((stored, image))
    several = [files for files in groups.values() if len(files) > 1]
    assert len(several) >= 12
    for grey in (False, True):
        hand = probe(("code", grey, "working"), ())
        for (_, base), *others in several:
            step = rms(torch.sub(*hand(base, noisy(base), Photometry())))
            for stored, image in others:
                for pair in ((base, image), (image, base)):
                    assert rms(torch.sub(*hand(*pair, Photometry()))) / step <= stored.error, stored.path.name


def test_an_image_matches_its_own_response_in_every_file(small):
    """The response that is fitted between two files of one image is none, and the value is that of identical ones."""
    light = replace(the_light(SIDE), pixels=the_light(SIDE).pixels.float())
    for stored, image in one_of_each(small)[::3]:
        for pair in ((light, image), (image, light)):
            (row,) = score([pair], ["pu-psnr"], settings=Settings(match_response=True))
            assert row.status == "ok", (stored, row.error)
            assert (row.value or 0) > (45 if stored.error > FINE else 60), (stored.path.name, row.value)


@pytest.fixture(scope="module")
def sized(tmp_path_factory):
    """sized(side) gives all files of the image of that size, smallest first."""
    made: dict[int, list[tuple[Stored, Image]]] = {}

    def of(side: int) -> list[tuple[Stored, Image]]:
        if side not in made:
            made[side] = [
                (s, hdrq.read(s.path)) for s in store(tmp_path_factory.mktemp(f"sized{side}"), side)
            ]
        return made[side]

    return of


def bound_for(name: str) -> Scorer:
    """The metric of PU21 code where it reads any code, else as it is."""
    try:
        try:
            return hdrq.metric(f"pu21:{name}").scorer
        except HdrqError:
            return hdrq.metric(name).scorer
    except MissingPart as error:
        pytest.skip(str(error))


def taken(bound: Scorer, side: int, files: list[tuple[Stored, Image]], ways: tuple[Way, ...]):
    """(file, arguments and photometry of one image twice, of the file either way round, of the noisy images) for a metric.

    Metrics of one image have thresholds (blocks of PIQE, table look-ups of BRISQUE), which one noise may miss: several.
    """
    exact, card = the_light(side), bound.metric.card
    code = Image(code8(side).float(), "srgb", BT709, 8)
    if bound.compares_code_as_stored():
        ways, files = (
            WAYS[:1],
            [(s, i) for s, i in files if s.group == "srgb" and s.primaries == "bt709" and i.bits == 8],
        )
        exact = code
    for way in ways:
        for stored, base, image, photometry in scored(way, files, exact):
            plain = replace(photometry, ref=Side(), dist=Side())
            if card.reference_reads is None:
                if photometry == plain and not way.matched:
                    several = [
                        noisy(base, level, seed) for level in (0.002, 0.008, 0.02) for seed in range(5)
                    ]
                    others = [((n,), plain) for n in several]
                    yield stored, ((base,), plain), [((image,), plain)], others
            elif card.reference_reads != card.reads:  # light against code
                if way.photometry == Photometry() and not way.matched and stored.group in LIGHT:
                    yield (
                        stored,
                        ((base, code), plain),
                        [((image, code), plain)],
                        [((noisy(base), code), plain)],
                    )
            else:
                pairs = [((ref, dist), light) for ref, dist, light in both_ways(way, base, image, photometry)]
                yield stored, ((base, base), plain), pairs, [((base, noisy(base)), plain)]


def refuse_differences(
    name: str, files: list[tuple[Stored, Image]], ways: tuple[Way, ...], bound: Scorer, side: int
) -> int:
    """Fail where a metric finds a file other than identical; the number of values."""
    found, known, count = [], {}, 0

    def value(images: tuple[Image, ...], photometry: Photometry) -> float:
        key = photometry, *((i.domain, i.primaries, i.displayed, i.pixels.numpy().tobytes()) for i in images)
        if key not in known:
            known[key] = replace(bound, photometry=photometry).read(*images, maps=False).value.item()
        return known[key]

    for stored, same, pairs, others in taken(bound, side, files, ways):
        first = value(*same)
        far = max((value(*other) for other in others), key=lambda v: abs(v - first))
        for images, photometry in pairs:
            v, count = value(images, photometry), count + 1
            if isinf(first):  # decibels
                well = abs(v) >= abs(far) + min(15, max(1, -20 * log10(stored.error) - 3))
            else:
                well = abs(v - first) <= max(0.15, 2 * stored.error) * abs(far - first) + 1e-4 * abs(first)
            if not well:
                shown = photometry.display.name if photometry.display else "no display"
                found.append(f"{stored.path.name}, {shown}: {v:.6g}, same {first:.6g}, noisy {far:.6g}")
    assert not found, (len(found), count, found[:10])
    return count


@pytest.mark.parametrize("name", names("metric"))
def test_every_metric_finds_two_files_of_one_image_identical(name, sized):
    """PQ of BT.2020 in PNG: as it is, on a display, as light of another scale in EXR, matched; SDR code where that is read."""
    bound = bound_for(name)
    side = max(bound.metric.card.side, 48)
    few = [
        f
        for f in sized(side)
        if f[0].path.name
        in ("light-nits-bt2020-float.exr", "light-pq-bt2020-16.png", "srgb-srgb-bt709-8.jxl")
    ]
    ways = FEW[:1] if name in SLOW else FEW
    assert refuse_differences(name, few, tuple(w for w in WAYS if w.name in ways), bound, side)


FEW = ("as it is", "on a lifted display", "scaled up", "matched")
SLOW = ("vtamiq", "hdrvqm")


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", names("metric"))
def test_every_metric_finds_every_file_of_one_image_identical(name, sized):
    """All files, ways of scoring and directions."""
    bound = bound_for(name)
    side = max(bound.metric.card.side, 48)
    print(name, refuse_differences(name, sized(side), WAYS, bound, side), "values")


@pytest.mark.parametrize(
    "settings",
    [Photometry(), Photometry(display=DIM), Photometry(primaries="bt2020")],
    ids=("none", "display", "primaries"),
)
def test_code_of_a_metric_s_own_encoding_is_read_as_its_light_by_one_image_alone(settings, small):
    """A display and primaries that are asked for count for PU21 files too, and wide files have the value of their light."""
    exact = the_light(SIDE)
    handed: list[Tensor] = []

    def keep(dist: Tensor) -> Tensor:
        handed.append(dist.double())
        return dist.mean()[None]

    card = Card("what is handed", "1", "lower", (0, None), "code", "", reference=None)
    bound = replace(bind(Request(("pu21",), "probe"), Metric("probe", card, keep)), photometry=settings)
    bound.read(exact)
    files = [(s, i) for s, i in small if s.domain == "pu21"]
    assert {s.primaries for s, _ in files} > {"bt709", "bt2020"}
    for stored, image in files:
        bound.read(image)
        assert rms(handed[-1] - handed[0]) < stored.error * rms(handed[0]), stored.path.name

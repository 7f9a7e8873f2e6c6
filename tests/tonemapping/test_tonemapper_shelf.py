"""What must be true of every tone mapper and every expander."""

from __future__ import annotations

import math

import pytest
import torch

from hdrq.errors import PixelError, UsageError
from hdrq.image.statistics import Adaptation
from hdrq.image.transfer import linear_to_srgb
from hdrq.registry import find, names

TONEMAPPERS, EXPANDERS = names("tonemapper"), names("expander")
SMOOTH = [n for n in TONEMAPPERS if find("tonemapper", n).card.differentiable]


def scene(h: int = 40, w: int = 56, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """A room with a window: five decades, soft colours, a little noise; cd/m²."""
    chance = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    light = 10 ** (-0.5 + 1.5 * x + 0.7 * torch.sin(5 * y))
    light = torch.where((x > 0.6) & (y < 0.4), 3000 * (0.5 + y), light)
    colours = torch.stack([1 + 0.3 * y, torch.ones_like(x), 1.1 - 0.4 * x])
    noise = 1 + 0.05 * torch.rand(3, h, w, generator=chance)
    return (light * colours * noise)[None].to(dtype)


def distinct(h: int, w: int) -> torch.Tensor:
    """Log-normal light without ties, which a maximum or a rank would split the gradient among."""
    chance = torch.Generator().manual_seed(3)
    return (0.9 * torch.randn(1, 3, h, w, generator=chance, dtype=torch.float64)).exp()


@pytest.mark.parametrize("name", TONEMAPPERS)
def test_a_picture_is_finite_and_within_the_display(name):
    """Whatever comes: black, one grey, one pixel, a line, one firefly, a single channel, a tenth of the float range."""
    operator = find("tonemapper", name)
    firefly = scene(dtype=torch.float32)
    firefly[..., 20, 20] = 1e7
    cases = (
        torch.zeros(1, 3, 24, 24),
        torch.full((1, 3, 24, 24), 50.0),
        torch.full((1, 3, 1, 1), 7.0),
        scene(1, 30, dtype=torch.float32),
        firefly,
        scene(dtype=torch.float32)[:, :1],
        scene(dtype=torch.float32) * 1e-6,
        torch.nn.functional.pad(scene(17, 23, dtype=torch.float32), (3, 0, 0, 4)),
    )
    for light in cases:
        shown = operator(light)
        assert shown.shape == light.shape
        assert torch.isfinite(shown).all()
        assert shown.min() >= 0
        assert shown.max() <= 1


@pytest.mark.parametrize("name", [n for n in TONEMAPPERS if "ev" in find("tonemapper", n).options])
def test_a_stop_of_exposure_doubles_the_light(name):
    operator = find("tonemapper", name)
    light, fixed = scene() / 500, {}
    if "auto" in operator.options:
        fixed = {"auto": "off" if operator.options["auto"].choices else False}
    brighter = operator(light, ev=1.0, **fixed)
    assert torch.allclose(brighter, operator(2 * light, ev=0.0, **fixed), atol=1e-12)
    assert not torch.allclose(brighter, operator(light, ev=0.0, **fixed), atol=1e-2)


@pytest.mark.parametrize("name", TONEMAPPERS)
def test_black_stays_dark_and_a_scene_has_contrast(name):
    operator = find("tonemapper", name)
    assert operator(torch.zeros(1, 3, 24, 24)).max() < 0.25
    assert operator(scene()).std() > 0.01


@pytest.mark.parametrize("name", TONEMAPPERS)
def test_a_batch_equals_its_pictures(name):
    operator = find("tonemapper", name)
    a, b = scene(seed=1), 7 * scene(seed=2).flip(-1)
    together = operator(torch.cat([a, b]))
    assert torch.allclose(together, torch.cat([operator(a), operator(b)]), atol=1e-6)


@pytest.mark.parametrize("name", [n for n in TONEMAPPERS if find("tonemapper", n).card.reads == "linear"])
def test_relative_operators_do_not_ask_for_the_unit(name):
    """The logarithm of 1 + L does depend on it; its q and k are the unit. Krawczyk's seeds sit on whole decades."""
    operator, options = find("tonemapper", name), {}
    if name == "logarithmic":
        options = {"q": 1 / 37, "k": 1 / 37}
    assert torch.allclose(
        operator(scene()), operator(37 * scene(), **options), atol=0.06 if name == "krawczyk" else 2e-3
    )


def codes(shown: torch.Tensor) -> torch.Tensor:
    return 255 * linear_to_srgb(shown)


@pytest.mark.parametrize("name", [n for n in TONEMAPPERS if find("tonemapper", n).card.robust])
def test_a_firefly_changes_the_rest_by_two_codes_at_most(name):
    """In the mean, more than 30 pixels away."""
    operator = find("tonemapper", name)
    calm, struck = scene(90, 120, dtype=torch.float32), scene(90, 120, dtype=torch.float32)
    struck[..., 60, 12] = 1e6
    far = torch.ones(90, 120, dtype=torch.bool)
    far[30:, :42] = False
    assert (codes(operator(calm)) - codes(operator(struck)))[..., far].abs().mean() < 2


@pytest.mark.parametrize("name", TONEMAPPERS)
def test_black_borders_and_holes_do_not_change_the_rest(name):
    """A letterbox changes nothing at all, a hole of 1 % of the pixels less than two codes in the mean."""
    operator, light = find("tonemapper", name), scene(90, 120, dtype=torch.float32)
    shown = operator(light)
    boxed = operator(torch.nn.functional.pad(light, (30, 0, 12, 12)))
    assert torch.allclose(boxed[..., 12:-12, 30:], shown, atol=1e-5)
    assert boxed[..., :30].abs().max() == 0
    holed = light.clone()
    holed[..., 40:50, 20:31] = 0
    lit = torch.ones(90, 120, dtype=torch.bool)
    lit[40:50, 20:31] = False
    found = operator(holed)
    assert (codes(found) - codes(shown))[..., lit].abs().mean() < 2
    assert found[..., ~lit].abs().max() == 0


@pytest.mark.parametrize("name", TONEMAPPERS)
def test_flat_grey_is_flat_and_not_black(name):
    """Whatever its level, where the operator is relative. Before: lischinski was dark or light, icam06 black and white.

    mantiuk-2008 has no contrast to show, and stays at the display's black, as its docstring says.
    """
    operator = find("tonemapper", name)
    grey = torch.full((1, 3, 40, 40), 50.0)
    shown = [
        operator(gain * grey) for gain in ((1,) if operator.card.reads == "nits" else (1, 0.01, 1 / 150))
    ]
    for result in shown:
        assert (result.amax((-2, -1)) - result.amin((-2, -1))).max() < 1e-3
        assert result.mean() > 0.03 or name == "mantiuk-2008"
        assert (result - shown[0]).abs().max() < 0.02


@pytest.mark.parametrize("name", TONEMAPPERS)
def test_thin_images_are_tone_mapped(name):
    chance = torch.Generator().manual_seed(0)
    for shape in ((1, 700), (700, 1), (3, 900), (20, 300), (2, 2)):
        light = torch.rand(1, 3, *shape, generator=chance) ** 4
        assert torch.isfinite(find("tonemapper", name)(light)).all()


NUMBERS = [
    (kind, name, option)
    for kind in ("tonemapper", "expander")
    for name in names(kind)
    for option, o in find(kind, name).options.items()
    if o.kind in (int, float) and not o.choices
]


@pytest.mark.parametrize(("kind", "name", "option"), NUMBERS, ids=lambda v: str(v))
def test_every_number_has_limits_within_which_the_result_is_finite(kind, name, option):
    operator = find(kind, name)
    low, high = operator.limits(option)
    assert -math.inf < low < high < math.inf
    light = scene(24, 30, dtype=torch.float32)
    light = (light / light.max()) ** 0.45 if kind == "expander" else light
    small = {"passes": 20, "glare_width": 61, "iterations": 4, "width": 8}.get(option, high)
    for value in (low, min(high, small)):
        value = operator.options[option].kind(value)
        other = {"peak_nits": {"black_nits": value / 2}, "black_nits": {"peak_nits": 200.0}}.get(option, {})
        other = {k: v for k, v in other.items() if k in operator.options}
        assert torch.isfinite(operator.function(light, **{option: value}, **other)).all()
    for value in (low - 1, high * 2 + 1, math.nan, math.inf):
        with pytest.raises(UsageError, match="is not within"):
            operator(light, **{option: value})


CONDITIONED = [
    (kind, name) for kind in ("tonemapper", "expander") for name in names(kind) if find(kind, name).card.needs
]


def other_values(operator, option: str) -> list:
    """Two values that are not the default."""
    known = operator.options[option]
    if known.choices or known.kind is bool:
        return [c for c in known.choices or (True, False) if c != known.default][:2]
    return [known.kind(min(max(x, operator.limits(option)[0]), operator.limits(option)[1])) for x in (0.6, 9)]


@pytest.mark.parametrize(("kind", "name"), CONDITIONED)
def test_an_option_without_effect_is_refused(kind, name):
    """The card's `needs` is true: the result changes beside those values of the other option, and beside no others.

    Before: `--set share=0.1` of linear, gamma of mantiuk-2006 and k of schlick did nothing, without a word.
    """
    operator = find(kind, name)
    light = scene(33, 35, dtype=torch.float32)
    light = (light / light.max()) ** 0.45 if kind == "expander" else light
    for option, (other, values) in operator.card.needs.items():
        changed = False
        for choice in operator.options[other].choices or (True, False):
            beside, tried = {other: choice}, other_values(operator, option)
            shown = operator(light, **beside)
            differ = [not torch.equal(operator(light, **beside, **{option: value}), shown) for value in tried]
            assert operator.uses(option, beside) == (choice in values)
            if choice in values:
                changed = changed or any(differ)
                assert option in operator.settings({option: tried[0], **beside})
            else:
                assert not any(differ), (option, choice)
                with pytest.raises(UsageError, match=f"{option} has an effect only with {other}={values[0]}"):
                    operator.settings({option: tried[0], **beside})
        assert changed, option


TUNABLE = [(n, p) for n in TONEMAPPERS for p in find("tonemapper", n).card.tunes]


@pytest.mark.parametrize(("name", "parameter"), TUNABLE)
def test_the_gradient_of_every_tunable_parameter_is_the_true_one(name, parameter):
    """Against central differences in float64; a stepped one says so, and changes the result all the same."""
    operator = find("tonemapper", name)
    low, high = operator.card.tunes[parameter]
    allowed = operator.limits(parameter)
    assert allowed[0] <= low < high <= allowed[1]
    light = distinct(20, 23) * (100 if operator.card.reads == "nits" else 0.3)
    weights = torch.rand(light.shape, generator=torch.Generator().manual_seed(4), dtype=light.dtype)
    extra = {"passes": 3} if name == "chiu" else {}

    def total(value: torch.Tensor) -> torch.Tensor:
        return (operator.function(light, **{parameter: value}, **extra) * weights).sum()

    share = 0.413
    at = low**share * high ** (1 - share) if low > 0 else low + share * (high - low)
    value = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    if parameter in operator.card.stepped:
        assert float(total(low)) != float(total(high))
        return
    (slope,) = torch.autograd.grad(total(value), value)
    tiny = 1e-6 * max(abs(at), 1e-2)
    with torch.no_grad():
        change = (total(value + tiny) - total(value - tiny)) / (2 * tiny)
    assert float(slope) == pytest.approx(float(change), rel=1e-4, abs=1e-7)
    assert float(slope) != 0


def test_no_variant_takes_two_statistics_of_one_name():
    """The film's memory would mix them; it raises ValueError."""
    for kind, name, option, choice in CHOICES:
        if kind == "tonemapper":
            with Adaptation(0.1).frame():
                find(kind, name)(scene(12, 14), **{option: choice})


@pytest.mark.parametrize("name", TONEMAPPERS)
def test_statistics_of_a_film_follow_or_the_card_says_that_there_are_none(name):
    """The second frame is eight times as bright; named statistics make it differ from the frame alone."""
    operator = find("tonemapper", name)
    first, second = scene(seed=1), 8 * scene(seed=2)
    film = Adaptation(0.1)
    with film.frame():
        operator(first)
    with film.frame():
        followed = operator(second)
    if operator.card.temporal:
        assert (followed - operator(second)).abs().max() > 1e-3
    else:
        assert torch.equal(followed, operator(second))


@pytest.mark.parametrize("name", [n for n in TONEMAPPERS if find("tonemapper", n).card.robust])
def test_one_pixel_does_not_rule_the_frame(name):
    """Cards that are not robust say so because their source takes the brightest pixel for white."""
    operator = find("tonemapper", name)
    calm, struck = scene(60, 80), scene(60, 80)
    struck[..., 45, 10] = 1e6
    far = torch.ones(60, 80, dtype=torch.bool)
    far[33:58, :23] = False
    before, after = operator(calm)[..., far], operator(struck)[..., far]
    assert (after.median() - before.median()).abs() < 0.25 * before.median() + 0.01


def odd_pictures() -> tuple[torch.Tensor, ...]:
    """Black, one grey, one pixel, a line, one firefly, float32."""
    firefly = scene(dtype=torch.float32)
    firefly[..., 20, 20] = 1e7
    return (
        torch.zeros(1, 3, 24, 24),
        torch.full((1, 3, 24, 24), 50.0),
        torch.full((1, 3, 1, 1), 7.0),
        scene(1, 30, dtype=torch.float32),
        firefly,
    )


CHOICES = [
    (kind, name, option, choice)
    for kind in ("tonemapper", "expander")
    for name in names(kind)
    for option, o in find(kind, name).options.items()
    for choice in (o.choices or ((not o.default,) if o.kind is bool else ()))
    if choice != o.default
]


@pytest.mark.parametrize(("kind", "name", "option", "choice"), CHOICES, ids=lambda v: str(v))
def test_every_variant_gives_a_finite_picture(kind, name, option, choice):
    operator = find(kind, name)
    for light in odd_pictures():
        given = light / light.max().clamp(min=1) if kind == "expander" else light
        shown = operator(given, **{option: choice})
        assert shown.shape == given.shape
        assert torch.isfinite(shown).all()
        assert shown.min() >= 0
        assert kind == "expander" or shown.max() <= 1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pattanaik", {"variant": "pfstools", "local": True}),
        ("mantiuk-2006", {"variant": "pfstools", "response": "power"}),
        ("mantiuk-2006", {"variant": "opencv", "saturation": 0.8}),
        ("reinhard-devlin", {"variant": "hdrtoolbox", "normalise": False}),
    ],
)
def test_the_functions_themselves_are_finite(name, options):
    """What the operator mends afterwards does not arise: a caller of the function has no such help."""
    holes = scene(dtype=torch.float32)
    holes[..., :9, :] = 0
    for light in (*odd_pictures(), holes):
        assert torch.isfinite(find("tonemapper", name).function(light, **options)).all()


def test_nan_and_inf_are_refused_in_one_line():
    for kind, every in (("tonemapper", TONEMAPPERS), ("expander", EXPANDERS)):
        for name in every:
            for bad in (float("nan"), float("inf")):
                light = scene(8, 8)
                light[0, 0, 3, 4] = bad
                with pytest.raises(PixelError, match=f"{name} got NaN or Inf"):
                    find(kind, name)(light)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_gradient_is_the_true_one(name):
    operator = find("tonemapper", name)
    options = {"passes": 3, "glare_width": 5, "sigma": 1.0} if name == "chiu" else {}
    agrees_with_its_gradient(lambda x: operator.function(x, **options), distinct(7, 8))


@pytest.mark.parametrize("name", ["exponential", "reinhard", "drago", "hable", "sigmoid", "durand"])
def test_gradcheck_in_double(name):
    light = distinct(4, 5).requires_grad_(True)
    assert torch.autograd.gradcheck(find("tonemapper", name).function, (light,), eps=1e-6, atol=1e-5)


def agrees_with_its_gradient(function, x: torch.Tensor) -> None:
    """The gradient of a weighted sum against central differences along four random directions."""
    weights = torch.rand(x.shape, generator=torch.Generator().manual_seed(4), dtype=x.dtype)

    def total(x: torch.Tensor) -> torch.Tensor:
        return (function(x) * weights).sum()

    x = x.requires_grad_(True)
    (slope,) = torch.autograd.grad(total(x), x)
    chance = torch.Generator().manual_seed(5)
    for _ in range(4):
        step = torch.randn(x.shape, generator=chance, dtype=x.dtype)
        tiny = 1e-6
        with torch.no_grad():
            change = (total(x + tiny * step) - total(x - tiny * step)) / (2 * tiny)
        assert abs(float(change - (slope * step).sum())) < 1e-4 * max(
            1.0, abs(float(change)), float(slope.norm())
        )


@pytest.mark.parametrize(
    ("name", "variant"),
    [(name, choice) for kind, name, option, choice in CHOICES if option == "variant" and name in SMOOTH],
)
def test_the_gradient_of_a_variant_is_the_true_one(name, variant):
    options = {"passes": 3, "glare_width": 5, "sigma": 1.0} if name == "chiu" else {}
    function = find("tonemapper", name).function
    agrees_with_its_gradient(lambda x: function(x, variant=variant, **options), distinct(7, 8))


@pytest.mark.parametrize("name", [n for n in EXPANDERS if find("expander", n).card.differentiable])
def test_the_gradient_of_an_expander_is_the_true_one(name):
    code = (distinct(7, 8) / 8).clamp(0.02, 0.9)
    code[..., 2:4, 2:5] = 0.999  # clipped, some
    code = code + 1e-3 * torch.rand(code.shape, generator=torch.Generator().manual_seed(6), dtype=code.dtype)
    agrees_with_its_gradient(find("expander", name).function, code.clamp(max=0.9999))


@pytest.mark.parametrize("name", EXPANDERS)
def test_expanders_give_finite_light_that_grows_with_code(name):
    expander = find("expander", name)
    code = (scene(48, 64) / 3000).clamp(0, 1) ** (1 / 2.2)
    code[..., 5:9, 5:9] = 1.0
    nits = expander(code.float())
    assert nits.shape == code.shape
    assert torch.isfinite(nits).all()
    assert nits.min() >= 0
    assert nits.max() > 100
    dark, bright = code.mean(1) < code.mean(1).quantile(0.2), code.mean(1) > code.mean(1).quantile(0.9)
    assert nits.mean(1)[bright].mean() > nits.mean(1)[dark].mean()
    for odd in (
        torch.zeros(1, 3, 9, 9),
        torch.ones(1, 3, 9, 9),
        torch.full((1, 3, 33, 47), 0.3),
        code[..., :5, :63].float(),
        code[..., :1, :].float(),
        torch.full((1, 3, 1, 1), 0.5),
        code[:, :1].float(),
    ):
        assert torch.isfinite(expander(odd)).all()


def test_settings_are_checked_and_typed():
    reinhard = find("tonemapper", "reinhard")
    assert reinhard.settings({"key": "0.3", "white": "auto"}) == {"key": 0.3, "white": None}
    assert find("tonemapper", "fattal").settings({"detail": "2"}) == {"detail": 2.0}
    assert find("tonemapper", "mantiuk-2006").settings({"equalise": "yes"}) == {"equalise": True}
    with pytest.raises(UsageError, match="no option 'kee'"):
        reinhard.settings({"kee": "1"})
    with pytest.raises(UsageError, match="not one of paper"):
        reinhard.settings({"variant": "mine"})
    with pytest.raises(UsageError, match="not a number"):
        reinhard.settings({"key": "bright"})


def test_cards_name_a_source_and_tune_what_exists():
    for kind in ("tonemapper", "expander"):
        for name in names(kind):
            operator = find(kind, name)
            assert operator.name == name
            assert operator.card.source.strip()
            assert set(operator.card.tunes) <= set(operator.options)


def test_the_fullest_eight_stops_end_at_white():
    """Half the pixels lie evenly on 2^-7 .. 2^1, the others far below and above."""
    stops = torch.cat(
        [torch.linspace(-14, -10, 2000), torch.linspace(-7, 1, 6000), torch.linspace(6, 10, 2000)]
    )
    light = (2 ** stops.double()).view(1, 1, 100, 100).expand(1, 3, 100, 100)
    shown = find("tonemapper", "linear").function(light, auto="window")
    assert float((shown / light).log2().mean()) == pytest.approx(-1, abs=0.2)
    grey = torch.full((1, 3, 4, 4), 5.0)
    assert torch.allclose(
        find("tonemapper", "linear").function(grey, auto="window"), torch.ones_like(grey), atol=1e-5
    )

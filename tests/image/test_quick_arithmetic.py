"""Quick float32 forms of powers and curves, and functions computed in strips of rows, beside their plain forms."""

from __future__ import annotations

import math

import pytest
import torch

import hdrq
from hdrq.image.arithmetic import extremes, in_order, in_place, in_strips, limited, power, smallest
from hdrq.image.transfer import linear_to_srgb, srgb_to_linear
from hdrq.records import Image
from hdrq.registry import find, names
from hdrq.scoring.features.flip_error import flip_error
from hdrq.tonemapping.operator import OperatorCard, operator


@pytest.mark.parametrize("exponent", [0.159, 1 / 2.4, 0.5, 1.0, 1.7, 2.4, 3.0])
def test_powers_in_single_precision_are_those_in_double(exponent: float) -> None:
    x = torch.logspace(-12, 5, 4001)
    wanted = x.double() ** exponent
    bound = 1.5e-7 * (1 + (exponent * x.double().log()).abs())
    assert ((power(x, exponent) / wanted - 1).abs() < bound).all()
    assert torch.equal(power(x.clone().requires_grad_(), exponent), power(x, exponent))
    assert torch.equal(power(x, torch.tensor(exponent)), power(x, exponent)) or exponent in (0.5, 1.0, 3.0)


def test_powers_of_black_of_negative_values_and_of_nan() -> None:
    x = torch.tensor([0.0, -1.0, math.nan, math.inf])
    for one in (x, x.double(), x.clone().requires_grad_()):
        found = power(one, 0.4)
        assert found[:2].tolist() == [0.0, 0.0]
        assert math.isnan(found[2].detach())
        assert math.isinf(found[3].detach())
    given = x.clone()
    power(given, 0.4)
    assert torch.equal(given[:2], x[:2])


@pytest.mark.parametrize("curve", [linear_to_srgb, srgb_to_linear])
def test_the_curve_of_srgb_in_single_precision_is_that_in_double(curve) -> None:
    ends = torch.tensor([0.0031308, 0.04045])
    x = torch.cat([torch.linspace(0, 1, 300_000), torch.logspace(-8, 0, 50_000), ends, ends * (1 + 1e-6)])
    found, wanted = curve(x), curve(x.double())
    assert (found - wanted).abs().max() < 4e-7
    assert ((found - wanted).abs() / wanted.clamp(min=1e-30)).max() < 3e-6
    assert curve(torch.zeros(3, 1, 1)).eq(0).all()
    assert torch.equal(curve(x.clone().requires_grad_()), found)
    assert abs(curve(torch.tensor([-0.1])) - curve(torch.tensor([-0.1]).double())) < 1e-6
    assert math.isinf(curve(torch.tensor([math.inf])))
    assert math.isnan(curve(torch.tensor([math.nan])))


@pytest.mark.parametrize("shape", [(2, 3, 701, 97), (3, 701, 97), (1, 1, 5, 70_000), (1, 3, 0, 4), (7,)])
def test_strips_give_what_the_whole_gives(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    y = x[..., :1, :, :] if len(shape) > 2 else x
    seen = []

    def f(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        seen.append(a.shape)
        return a * 3 - b

    assert torch.equal(in_strips(f, x, y), x * 3 - y)
    assert len(seen) > 1 or x.numel() < 1 << 16
    leaf = x.clone().requires_grad_()
    in_strips(f, leaf, y).sum().backward()
    assert torch.equal(leaf.grad, torch.full_like(x, 3))


def test_a_parameter_inside_a_function_in_strips_gets_its_gradient() -> None:
    gain = torch.tensor(2.0, requires_grad=True)
    in_strips(lambda x: x * gain, torch.ones(1, 3, 300, 300)).sum().backward()
    assert gain.grad == 3 * 300 * 300


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_smallest_values_are_those_of_the_sorted_lines(dtype: torch.dtype) -> None:
    x = torch.randn(2, 41, generator=torch.Generator().manual_seed(1)).to(dtype)
    x[1, 3:9] = x[1, 2]
    given = x.clone()
    assert torch.equal(in_order(x[0]), x[0].sort().values)
    for k in range(1, 42):
        assert torch.equal(smallest(x, k), x.sort(1).values[:, k - 1])
    assert torch.equal(x, given)
    assert smallest(x[..., ::2], 1).tolist() == x[..., ::2].amin(1).tolist()
    leaf = x.clone().requires_grad_()
    smallest(leaf, 5).sum().backward()
    assert leaf.grad.count_nonzero() == 2


def test_limits_and_extremes() -> None:
    x = torch.tensor([0.2, 0.9])
    assert limited(x, 0.2, 0.9) is x
    assert limited(x, 0.3, 0.8).tolist() == pytest.approx([0.3, 0.8])
    assert extremes(x) == pytest.approx((0.2, 0.9))
    assert extremes(x[:0]) == (0, 0)
    assert all(math.isnan(v) for v in extremes(torch.tensor([1, math.nan])))
    assert in_place(x)
    assert not in_place(x.double())
    assert not in_place(x.clone().requires_grad_())


def test_an_operator_that_returns_its_input_leaves_the_input_as_it_is() -> None:
    @operator(OperatorCard(title="nothing", source="this test"))
    def nothing(light: torch.Tensor) -> torch.Tensor:
        return light

    @operator(OperatorCard(title="some rows", source="this test"))
    def rows(light: torch.Tensor) -> torch.Tensor:
        return light[:, :, 1:]

    light = torch.tensor([0.5, 1.0, 4.0]).expand(1, 1, 3, 3).clone()
    before = light.clone()
    for changes in (nothing, rows):
        assert changes(light).max() == 1
        assert torch.equal(light, before)


@pytest.mark.parametrize("shelf", ["tonemapper", "expander"])
def test_no_operator_changes_its_input_or_gives_a_part_of_it(shelf: str) -> None:
    """They are given the image itself, and not a copy, where no pixel is black."""
    chance = torch.Generator().manual_seed(0)
    for name in names(shelf):
        # this takes seconds
        if name == "selftmo":
            continue
        found = find(shelf, name)
        given = torch.rand(1, 3, 40, 48, generator=chance) * 0.9 + 0.05
        given = given if found.card.reads == "code" else given * 200
        before = given.clone()
        result = found(given)
        assert torch.equal(given, before), name
        assert result.untyped_storage().data_ptr() != given.untyped_storage().data_ptr(), name


@pytest.mark.parametrize("broken", [math.nan, math.inf, -1.0])
def test_what_an_operator_gives_is_made_displayable(broken: float) -> None:
    @operator(OperatorCard(title="broken", source="this test"))
    def breaks(light: torch.Tensor) -> torch.Tensor:
        return torch.where(light > 1, broken, light)

    shown = breaks(torch.tensor([0.5, 2.0]).expand(1, 3, 1, 2))
    assert shown.flatten()[0] == 0.5
    assert shown.flatten()[1] == (1 if broken == math.inf else 0)


def test_an_operator_of_code_is_not_decoded_and_encoded_again() -> None:
    light = torch.rand(1, 3, 40, 30, generator=torch.Generator().manual_seed(2)) * 300 + 0.01
    gamma = find("tonemapper", "gamma")
    code = hdrq.tonemap(Image(light, "nits"), "gamma").pixels
    assert torch.equal(code, gamma.function(light))
    assert (code - linear_to_srgb(gamma(light))).abs().max() < 1e-6
    softer = hdrq.tonemap(Image(light, "nits"), "gamma", levels=(0.5, 1.0)).pixels
    assert (softer - linear_to_srgb(gamma(light) * 2**0.5).clamp(max=1)).abs().max() < 1e-5
    pq = hdrq.tonemap(Image(light, "nits"), "gamma", display="hdr-pq-1000")
    assert pq.domain == "pq"
    grey = hdrq.tonemap(Image(light, "nits"), "gamma", colour="luminance").pixels
    assert (grey[:, 0] - grey[:, 1]).abs().max() < 1e-6


def test_flip_errors_in_single_precision_are_those_in_double() -> None:
    """Powers of errors take a quicker form there; where colours are equal, the error is 0 with any exponent."""
    chance = torch.Generator().manual_seed(3)
    ref = torch.rand(1, 3, 40, 48, generator=chance)
    dist = (ref + 0.2 * torch.randn(ref.shape, generator=chance)).clamp(0, 1)
    found, wanted = flip_error(ref, dist, 40.0), flip_error(ref.double(), dist.double(), 40.0)
    assert (found - wanted).abs().max() < 1e-4
    assert wanted.std() > 0.01
    assert flip_error(ref, ref, 40.0).eq(0).all()

"""Fair values against the math library, and the same to the last bit in both forms."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twins import BOTH, both

PAIRS = [pytest.param(*modules, id=name) for name, *modules in zip(
    BOTH, both("fastcore.market.book"), both("fastcore.market.fair"), strict=True)]
room = pytest.fixture(params=both("fastcore.market.fair"), ids=BOTH)(lambda request: request.param)


def exact_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def test_normal_cdf_is_within_1e_10_of_erfc(room):
    for i in range(-9000, 9001):
        assert abs(room.normal_cdf(i / 1000) - exact_cdf(i / 1000)) < 1e-10
    assert (room.normal_cdf(0.0), room.normal_cdf(50.0), room.normal_cdf(-50.0)) == (0.5, 1.0, 0.0)


def test_series_is_within_1e_14_of_erfc(room):
    for i in range(-80, 81):
        assert abs(room.normal_series(i / 10) - exact_cdf(i / 10)) < 1e-14


@given(ratio=st.floats(1e-9, 1e9))
@settings(max_examples=100, deadline=None)
def test_logarithm_and_exponential_agree_with_the_math_library(ratio):
    for module in both("fastcore.market.fair"):
        assert math.isclose(module.natural_log(ratio), math.log(ratio), rel_tol=4e-15,
                            abs_tol=4e-16)
        power = math.log(ratio)
        assert math.isclose(module.natural_exp(power), math.exp(power), rel_tol=1e-13)


def test_ends_of_logarithm_and_exponential(room):
    assert room.natural_log(0.0) == room.natural_log(-1.0) == room.natural_log(math.inf) == 0.0
    assert room.natural_exp(-1e9) == 0.0
    assert math.isclose(room.natural_exp(1e9), math.exp(700.0), rel_tol=1e-11)


@given(spot=st.floats(1e-3, 1e6), strike=st.floats(1e-3, 1e6), tau_s=st.floats(0, 1e6),
       sigma=st.floats(0, 1e-2))
@settings(max_examples=100, deadline=None)
def test_digital_equals_its_reference_and_its_twin(spot, strike, tau_s, sigma):
    prices = set()
    for module in both("fastcore.market.fair"):
        fair = module.DigitalFair()
        assert fair.set(strike, tau_s, sigma) == 0
        reference = module.digital_reference(spot, strike, tau_s, sigma)
        assert abs(fair.price(spot) - reference) < 1e-9 or abs(spot / strike - 1.0) < 1e-12
        prices.add((fair.price(spot), reference))
    assert len(prices) == 1


def test_digital_without_time_or_volatility_is_decided(room):
    fair = room.DigitalFair()
    assert fair.price(100.0) == 0.0
    assert fair.set(0.0, 1.0, 1.0) == -1
    fair.set(100.0, 0.0, 1.0)
    assert (fair.price(100.0), fair.price(99.9), fair.price(-1.0)) == (1.0, 0.0, 0.0)
    assert room.digital_reference(100.0, 100.0, 60.0, 0.0) == 1.0
    assert room.digital_reference(0.0, 100.0, 60.0, 0.1) == 0.0
    assert room.digital_reference(100.0, 100.0, 10000.0, 0.001) == pytest.approx(0.48, abs=1e-3)


@pytest.mark.parametrize(("books", "room"), PAIRS)
def test_book_prices(books, room):
    book, fair = books.OrderBook(), room.FairPrice(depth=2)
    assert fair.mid(book) == fair.microprice(book) == fair.depth_weighted(book) == 0.0
    book.update(0, 100, 3)
    assert fair.mid(book) == fair.microprice(book) == fair.depth_weighted(book) == 0.0
    book.update(1, 102, 1)
    book.update(0, 98, 1)
    assert fair.mid(book) == 101.0
    assert fair.microprice(book) == (100 * 1 + 102 * 3) / 4
    assert fair.depth_weighted(book) == (99.5 * 1 + 102 * 4) / 5
    assert fair.depth_weighted(book, 1) == fair.microprice(book)
    assert room.mid2(100, 102) == 202
    with pytest.raises(ValueError, match="depth"):
        room.FairPrice(depth=65)


def test_volatility_of_a_known_path(room):
    volatility = room.EwmaVolatility(half_life_us=10_000_000)
    assert volatility.per_sqrt_s() == 0.0
    price = 100.0
    for second in range(200):
        assert volatility.update(price, second * 1_000_000) == 0
        price *= math.exp(0.001 if second % 2 else -0.001)
    assert volatility.per_sqrt_s() == pytest.approx(0.001)
    assert volatility.update(100.0, 0) == -1
    assert volatility.update(0.0, 10**12) == -1
    assert volatility.update(math.nan, 10**12) == -1
    assert volatility.samples == 200
    with pytest.raises(ValueError, match="half_life"):
        room.EwmaVolatility(0)


@given(moves=st.lists(st.tuples(st.floats(0.5, 2.0), st.integers(0, 10**8)), max_size=20))
@settings(max_examples=50, deadline=None)
def test_volatility_is_the_same_in_both_forms(moves):
    answers = set()
    for module in both("fastcore.market.fair"):
        volatility, price, ts_us = module.EwmaVolatility(5_000_000), 100.0, 0
        for ratio, step_us in moves:
            price, ts_us = price * ratio, ts_us + step_us
            volatility.update(price, ts_us)
        answers.add(volatility.per_sqrt_s())
    assert len(answers) == 1

"""Fees and contracts against exact decimals and an account kept trade by trade."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.sim.model_codes import (
    BINARY,
    CURVE,
    FLAT,
    INVERSE,
    LINEAR,
    PER_QUANTITY,
    PER_VALUE,
)
from fuzz.counts import examples
from twins import BOTH, both

FEES = both("fastcore.sim.fees")
PRICES = st.integers(1, 999).map(lambda ticks: Decimal(ticks) / 1000)
QUANTITIES = st.integers(1, 10**6).map(lambda lots: Decimal(lots) / 100)
RATES = st.integers(-500, 5000).map(lambda rate: Decimal(rate) / 10_000)


def naive_fee(kind, rate, exponent, price, quantity):
    if kind == PER_VALUE:
        return rate * price * quantity
    if kind == PER_QUANTITY:
        return rate * quantity
    if kind == FLAT:
        return rate
    return (quantity * rate * (price * (1 - price)) ** exponent).quantize(
        Decimal("0.00001"), ROUND_HALF_UP)


@settings(deadline=None, max_examples=examples(300), database=None)
@given(st.integers(PER_VALUE, CURVE), RATES, RATES, st.integers(1, 3), PRICES, QUANTITIES,
       st.booleans())
def test_every_form_agrees_with_decimals(kind, maker, taker, exponent, price, quantity, made):
    expected = naive_fee(kind, maker if made else taker, exponent, price, quantity)
    models = [room.FeeModel(kind, float(maker), float(taker), exponent) for room in FEES]
    found = [model.fee(float(price), float(quantity), float(price * quantity), int(made))
             for model in models]
    assert len(set(found)) == 1
    step = 1.01e-5 if kind == CURVE else 0.0  # half a step may fall on either side in doubles
    assert found[0] == pytest.approx(float(expected), rel=1e-9, abs=max(step, 1e-12))


@pytest.mark.parametrize("room", FEES, ids=BOTH)
def test_the_published_curve(room):
    """Per 100 shares of a crypto market: 1.75 at 0.50, 1.47 at 0.30, 0.63 at 0.10, 0.07 at 0.01."""
    model = room.FeeModel.polymarket()
    assert [model.fee(price, 100.0, 0.0, 0) for price in (0.5, 0.3, 0.1, 0.01)] \
        == [1.75, 1.47, 0.63, 0.0693]
    assert model.fee(0.5, 100.0, 0.0, 1) == 0.0
    assert model.fee(0.5, 0.0002, 0.0, 0) == 0.0
    assert model.fee(0.5, 0.0003, 0.0, 0) == 0.00001
    assert [model.fee(price, 100.0, 0.0, 0) for price in (0.0, 1.0, 1.5)] == [0.0] * 3
    rebate = room.FeeModel.polymarket(maker=-0.014)
    assert rebate.fee(0.5, 100.0, 0.0, 1) == -0.35
    assert model.fee(0.5, 1e18, 0.0, 0) == pytest.approx(0.0175e18)


@pytest.mark.parametrize("room", FEES, ids=BOTH)
@pytest.mark.parametrize(("fields", "words"), [
    ((4, 0, 0), "not 4"), ((PER_VALUE, 0, 7), "taker fee must be within.*7 bps are 0.0007"),
    ((PER_VALUE, -0.6, 0), "maker fee"), ((FLAT, float("nan"), 0), "maker fee"),
    ((CURVE, 0, 0.07, 0), "exponent"),
])
def test_fees_that_cannot_be(room, fields, words):
    with pytest.raises(ValueError, match=words):
        room.FeeModel(*fields)


def account(contract, size, trades, price):
    """Equity from scratch: every trade's own profit at this price, in exact fractions."""
    total = Fraction(0)
    for side, paid, quantity in trades:
        signed = Fraction(quantity) * size * (1 if side == 0 else -1)
        total += signed * (1 / Fraction(paid) - 1 / Fraction(price) if contract == INVERSE
                           else Fraction(price) - Fraction(paid))
    return float(total)


@settings(deadline=None, max_examples=examples(200), database=None)
@given(st.sampled_from([LINEAR, INVERSE, BINARY]), st.integers(1, 100),
       st.lists(st.tuples(st.integers(0, 1), PRICES, QUANTITIES), max_size=12), PRICES)
def test_equity_is_the_profit_of_every_trade(contract, size, trades, price):
    expected = account(contract, size, trades, price)
    found = []
    for room in FEES:
        position = balance = fees = 0.0
        for side, paid, quantity in trades:
            value = room.traded_value(contract, float(size), float(paid), float(quantity))
            position += float(quantity) * (1 if side == 0 else -1)
            balance -= value * (1 if side == 0 else -1)
            fees += 0.25
        found.append(room.equity(contract, float(size), position, balance, fees, float(price)))
    assert len(set(found)) == 1
    scale = size * 1e6 * (1000 if contract == INVERSE else 1) * max(1, len(trades))
    assert found[0] + 0.25 * len(trades) == pytest.approx(expected, rel=1e-9, abs=1e-12 * scale)


@pytest.mark.parametrize("room", FEES, ids=BOTH)
def test_contracts_at_their_ends(room):
    """A settled share is worth 1 or 0; an inverse contract without a price is worth nothing."""
    assert room.equity(BINARY, 1.0, 10.0, -4.0, 0.5, 1.0) == 5.5
    assert room.equity(BINARY, 1.0, -10.0, 4.0, 0.5, 1.0) == -6.5
    assert room.equity(BINARY, 1.0, -10.0, 4.0, 0.5, 0.0) == 3.5
    assert room.traded_value(INVERSE, 100.0, 0.0, 3.0) == 0.0
    assert room.equity(INVERSE, 100.0, 3.0, 1.0, 0.25, 0.0) == -1.25
    assert room.traded_value(INVERSE, 100.0, 50_000.0, 3.0) == pytest.approx(0.006)

"""Queue models against their formulas written with the math library, and what all of them keep."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.sim import model_codes
from fuzz.counts import examples
from twins import BOTH, both, interpreted

QUEUES = both("fastcore.sim.queue")
KINDS = st.integers(model_codes.RISK_AVERSE, model_codes.POWER_PROB3)
LOTS = st.integers(0, 50_000).map(lambda lots: lots / 1000)
ODD = st.sampled_from([0.0, -0.001, -1.0, -1.5, 1e-9, 1e9])
POWERS = st.sampled_from([1.0, 2.0, 3.0, 2.5, 0.5])


def log_one(x):
    return math.log(1 + x) if x > -1 else -math.inf if x == -1 else math.nan


def quotient(a, b):
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)
    return a / b


def power_of(x, n):
    return math.nan if math.isnan(x) or (x < 0 and n != int(n)) else x ** n


def naive_share(kind, n, f, b):
    """Formulas as they stand in the table of the queue module."""
    if kind == model_codes.LOG_PROB:
        return quotient(log_one(b), log_one(b) + log_one(f))
    if kind == model_codes.LOG_PROB2:
        return quotient(log_one(b), log_one(b + f))
    if kind == model_codes.POWER_PROB:
        return quotient(power_of(b, n), power_of(b, n) + power_of(f, n))
    if kind == model_codes.POWER_PROB2:
        return quotient(power_of(b, n), power_of(b + f, n))
    return 1 - power_of(quotient(f, f + b), n)


def naive_depth(kind, n, front, traded, before, after):
    if kind == model_codes.RISK_AVERSE or before - after - traded < 0:
        return min(front, after)
    canceled, back = before - after - traded, before - front
    p = naive_share(kind, n, front, back)
    if math.isnan(p):
        return after
    p = 1.0 if math.isinf(p) else p
    return min(front - (1 - p) * canceled + min(back - p * canceled, 0), after)


@settings(deadline=None, max_examples=examples(400), database=None)
@given(KINDS, POWERS, LOTS | ODD, LOTS, LOTS, LOTS)
def test_every_form_follows_the_formulas(kind, power, front, traded, before, after):
    expected = naive_depth(kind, power, front, traded, before, after)
    found = [queue.after_depth(kind, power, front, traded, before, after) for queue in QUEUES]
    assert found[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert len({value.hex() for value in found}) == 1
    assert {queue.after_trade(front, traded) for queue in QUEUES} == {front - traded}


@settings(deadline=None, max_examples=examples(300), database=None)
@given(KINDS, POWERS, LOTS, LOTS, st.floats(0, 1), LOTS, LOTS)
def test_a_queue_moves_forward_only(kind, power, front, back, share, canceled, more):
    """The front never grows, more cancellations never help less, risk-averse is always last."""
    before = front + back
    traded = before * share / 2
    after = max(0.0, before - traded - canceled)
    less = max(0.0, before - traded - canceled - more)
    for queue in QUEUES:
        here = queue.after_depth(kind, power, front, traded, before, after)
        assert here <= front
        assert here <= after
        cautious = queue.after_depth(model_codes.RISK_AVERSE, power, front, traded, before, after)
        assert here <= cautious
        further = queue.after_depth(kind, power, front, traded, before, less)
        assert further <= here + 1e-9


@settings(deadline=None, max_examples=examples(200), database=None)
@given(st.integers(1, 5), POWERS, LOTS, LOTS)
def test_a_share_is_a_share(kind, power, front, back):
    for queue in QUEUES:
        share = queue.share_behind(kind, power, front, back)
        assert -1e-9 <= share <= 1 + 1e-9 or (math.isnan(share) and front + back == 0)


@pytest.mark.parametrize("queue", QUEUES, ids=BOTH)
def test_the_two_ends_of_a_queue(queue):
    """With nobody behind us all that leaves stood before us, and the other way round."""
    for kind in range(1, 6):
        assert queue.after_depth(kind, 3.0, 5.0, 0.0, 5.0, 3.0) == pytest.approx(3.0)
        assert queue.after_depth(kind, 3.0, 0.0, 0.0, 5.0, 3.0) == pytest.approx(0.0)
    assert queue.after_depth(model_codes.RISK_AVERSE, 3.0, 4.0, 0.0, 9.0, 6.0) == 4.0


@settings(deadline=None, max_examples=examples(200), database=None)
@given(st.floats(-1e30, 1e30) | st.sampled_from([0.5, -0.5, 1.5, -2.5, 0.49999999999999994]))
def test_halves_round_away_from_zero(x):
    away = math.floor(abs(x)) + (abs(x) - math.floor(abs(x)) >= 0.5)
    expected = max(-9 * 10**18, min(9 * 10**18, int(math.copysign(1, x)) * away))
    assert [queue.rounded(x) for queue in QUEUES] == [expected] * len(QUEUES)


@pytest.mark.parametrize("queue", QUEUES, ids=BOTH)
def test_an_order_trades_when_trades_went_past_its_front(queue):
    assert queue.lots_reached(0.004, 0.001) == -4
    assert queue.lots_reached(0.0, 0.001) == 0
    assert queue.lots_reached(-0.0004, 0.001) == 0
    assert queue.lots_reached(-0.0006, 0.001) == 1
    assert queue.lots_reached(float("nan"), 0.001) == 0


@settings(deadline=None, max_examples=examples(200), database=None)
@given(LOTS, LOTS, LOTS, LOTS)
def test_fill_probability_knows_which_way_is_better(front, quantity, expected, more):
    for queue in QUEUES:
        chance = queue.fill_probability(front, quantity, expected)
        assert 0 <= chance <= 1
        assert queue.fill_probability(front + more, quantity, expected) <= chance
        assert queue.fill_probability(front, quantity + more, expected) <= chance
        assert queue.fill_probability(front, quantity, expected + more) >= chance
        if expected:
            assert chance == pytest.approx(math.exp(-(front + quantity) / expected), rel=1e-9)


def test_model_codes_are_the_same_for_compiled_code():
    """What the .pxd says is what the .py says, name for name."""
    source = interpreted("fastcore.sim.model_codes").__file__.replace("model_codes.py",
                                                                      "_model_codes.pxd")
    with open(source) as lines:
        pairs = [line.split(" = ") for line in lines if " = " in line]
    compiled = {name.strip(): int(number) for name, number in pairs}
    assert compiled == {name: value for name, value in vars(model_codes).items()
                        if name.isupper()}

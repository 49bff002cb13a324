"""Order latency against a search of the rows by hand; jitter by its bounds and its seed."""

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from twins import BOTH, both

LATENCIES = both("fastcore.sim.latency")
GAPS = st.integers(0, 10**9)
ROWS = st.lists(st.tuples(GAPS, st.integers(1, 10**8), st.integers(0, 10**8)), min_size=1,
                max_size=12)
ASKED = st.lists(st.integers(0, 13 * 10**9), max_size=20).map(sorted)


def columns(rows):
    """Sent, reached and answered times without overtaking."""
    sent = list(accumulate(gap for gap, _, _ in rows))
    reached = list(accumulate((s + there for s, (_, there, _) in zip(sent, rows, strict=True)),
                              max))
    return sent, reached, [r + back for r, (_, _, back) in zip(reached, rows, strict=True)]


def naive(xs, ys, x):
    """The line between the neighbours of x, exact; the nearest row outside."""
    right = bisect_right(xs, x)
    if right == 0:
        return ys[0]
    if right == len(xs):
        return ys[-1]
    left = right - 1
    share = Fraction(x - xs[left], xs[right] - xs[left])
    return ys[left] + int(share * (ys[right] - ys[left]))


@settings(deadline=None, max_examples=examples(200), database=None)
@given(ROWS, ASKED)
def test_lines_between_recorded_orders(rows, asked):
    sent, reached, answered = columns(rows)
    there = [r - s for s, r in zip(sent, reached, strict=True)]
    back = [a - r for r, a in zip(reached, answered, strict=True)]
    forms = [room.OrderLatency.interpolated(sent, reached, answered) for room in LATENCIES]
    arrivals = []
    for x in asked:
        found = [form.entry(x) for form in forms]
        assert len(set(found)) == 1
        assert abs(found[0] - naive(sent, there, x)) <= 1
        arrivals.append(x + found[0])
        found = [form.response(x) for form in forms]
        assert len(set(found)) == 1
        assert abs(found[0] - naive(reached, back, x)) <= 1
    assert all(later >= earlier - 1
               for earlier, later in pairwise(arrivals))


@pytest.mark.parametrize("room", LATENCIES, ids=BOTH)
def test_near_a_lost_order_orders_are_rejected(room):
    latency = room.OrderLatency.interpolated([0, 100, 200, 300], [10, 0, 210, 310],
                                             [30, 160, 230, 330])
    assert [latency.entry(at) for at in (-5, 0, 50, 100, 150, 200, 250, 999)] \
        == [10, -30, -45, -60, -45, 10, 10, 10]
    assert [latency.response(at) for at in (0, 60, 210, 999)] == [20, 20, 20, 20]
    latency.rewind()
    assert latency.entry(0) == -30
    assert latency.recorded() == [[0, 100, 200, 300], [10, 0, 210, 310], [30, 160, 230, 330]]
    lost = room.OrderLatency.interpolated([5], [0], [5])
    assert (lost.entry(1), lost.entry(9), lost.response(9)) == (-1, -1, 0)


@pytest.mark.parametrize("room", LATENCIES, ids=BOTH)
@pytest.mark.parametrize(("rows", "words"), [
    (([], [], []), "at least one"),
    (([1, 2], [3], [4]), "as many"),
    (([5, 4], [6, 7], [8, 9]), "row 1: sent at 4, before the row above"),
    (([5, 6], [9, 8], [10, 11]), "row 1: reached at 8, before an order above"),
    (([5], [4], [9]), "row 0: sent at 5, reached at 4"),
    (([5], [7], [6]), "row 0: sent at 5, reached at 7, answered at 6"),
])
def test_rows_that_cannot_be(room, rows, words):
    with pytest.raises(ValueError, match=words):
        room.OrderLatency.interpolated(*rows)


@settings(deadline=None, max_examples=examples(60), database=None)
@given(st.integers(0, 2**64 - 1), st.integers(0, 10**6), st.integers(0, 10**6),
       st.integers(0, 10**6), st.integers(0, 10**6))
def test_jitter_stays_within_its_bounds(seed, entry_ns, response_ns, jitter_ns, tail_ns):
    jitter_ns = min(jitter_ns, entry_ns, response_ns)
    forms = [room.OrderLatency.jittered(entry_ns, response_ns, jitter_ns, tail_ns, seed=seed)
             for room in LATENCIES]
    drawn = [[(form.entry(i), form.response(i)) for i in range(30)] for form in forms]
    assert drawn[0] == drawn[-1]
    highest = jitter_ns if tail_ns == 0 else 1 << 60
    for there, back in drawn[0]:
        assert entry_ns - jitter_ns <= there <= entry_ns + highest
        assert response_ns - jitter_ns <= back <= response_ns + highest
    forms[0].rewind()
    assert [(forms[0].entry(i), forms[0].response(i)) for i in range(30)] == drawn[0]


@pytest.mark.parametrize("room", LATENCIES, ids=BOTH)
def test_some_orders_are_lost_on_the_way(room):
    latency = room.OrderLatency.jittered(1000, 1000, 0, 500, rejects_e6=250_000, seed=3)
    drawn = [latency.entry(i) for i in range(4000)]
    lost = sum(1 for there in drawn if there < 0)
    assert 800 < lost < 1200
    assert 1450 < sum(map(abs, drawn)) / 4000 < 1550
    assert all(latency.response(i) >= 1000 for i in range(1000))


@pytest.mark.parametrize("room", LATENCIES, ids=BOTH)
def test_presets_and_constants(room):
    assert room.PRESETS == {"realistic": (50, 100), "optimistic": (30, 70),
                            "pessimistic": (100, 200)}
    for name, (feed_ns, order_ns) in room.PRESETS.items():
        latency = room.OrderLatency.preset(name, seed=9)
        drawn = [latency.entry(i) for i in range(2000)]
        assert (min(drawn), max(drawn)) == (order_ns - 20, order_ns + 20)
        assert abs(sum(drawn) / 2000 - order_ns) < 1
        assert (latency.entry_ns, latency.response_ns) == (order_ns, feed_ns)
    constant = room.OrderLatency.constant(-5, 7)
    assert (constant.entry(1), constant.response(1)) == (-5, 7)
    assert constant.recorded() == [[], [], []]


@pytest.mark.parametrize("room", LATENCIES, ids=BOTH)
def test_what_cannot_be_a_latency(room):
    make = room.OrderLatency
    with pytest.raises(ValueError, match="realistic, optimistic, pessimistic"):
        make.preset("fast")
    with pytest.raises(ValueError, match="response_ns must not be negative"):
        make.constant(1, -1)
    with pytest.raises(ValueError, match="entry_ns must be within"):
        make.constant(1 << 61, 0)
    with pytest.raises(ValueError, match="no order arrives before it was sent"):
        make.jittered(10, 30, 11)
    with pytest.raises(ValueError, match="tail_ns"):
        make.jittered(10, 30, 1, -1)
    with pytest.raises(ValueError, match="rejects_e6"):
        make.jittered(10, 30, 1, 1, 1_000_001)

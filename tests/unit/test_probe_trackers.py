"""Trackers: the seed's six and any others, live histograms, statistics."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastcore
from twins import BOTH, both

ROOMS = both("fastcore.probe.trackers")
rooms = pytest.mark.parametrize("room", ROOMS, ids=BOTH)
KEYS = {"count", "min_us", "avg_us", "p50_us", "p95_us", "p99_us", "max_us"}


@rooms
def test_the_six_have_their_places(room):
    trackers = room.Trackers()
    assert trackers.names() == room.SEED_NAMES == (
        "loop_iteration", "intent_generation", "risk_check", "order_placement", "book_update",
        "fair_price_calc")
    places = (room.LOOP_ITERATION, room.INTENT_GENERATION, room.RISK_CHECK, room.ORDER_PLACEMENT,
              room.BOOK_UPDATE, room.FAIR_PRICE_CALC)
    assert [trackers.add(name) for name in trackers] == list(places) == list(range(6))
    assert len(trackers) == 6


@rooms
def test_record_reaches_its_own_histogram_and_no_other(room):
    trackers = room.Trackers()
    trackers.record(room.RISK_CHECK, 1500)
    trackers.record_named("fair_price_calc", 70)
    assert {name: trackers.get(name).count for name in trackers} == {
        name: int(name in ("risk_check", "fair_price_calc")) for name in room.SEED_NAMES}
    assert trackers.get("risk_check").max == 1500
    assert trackers.get("fair_price_calc").max == 70


@rooms
def test_histograms_are_live_and_stay_so_when_more_names_come(room):
    trackers = room.Trackers()
    early = trackers.get("book_update")
    for number in range(40):
        assert trackers.add(f"step_{number}") == 6 + number
        trackers.record(room.BOOK_UPDATE, 1000 + number)
        trackers.record(6 + number, number)
    assert trackers.get("book_update") is early
    assert early.count == 40
    early.record(5)
    assert trackers.statistics()["book_update"]["count"] == 41
    assert [trackers.get(f"step_{number}").max for number in range(40)] == list(range(40))
    assert trackers.get("loop_iteration").count == 0


@rooms
def test_index_that_does_not_exist_is_only_counted(room):
    trackers = room.Trackers()
    empty = trackers.state_hash()
    for index in (-1, 6, 7, 1 << 40):
        trackers.record(index, 5)
    assert trackers.dropped == 4
    assert trackers.state_hash() == empty


@rooms
def test_statistics_are_float_microseconds(room):
    trackers = room.Trackers()
    for ns in range(1000, 101_000, 1000):
        trackers.record(0, ns)
    statistics = trackers.statistics()
    assert set(statistics) == set(room.SEED_NAMES)
    assert all(set(row) == KEYS for row in statistics.values())
    row = statistics["loop_iteration"]
    assert row["count"] == 100
    assert (row["min_us"], row["max_us"]) == (1.0, 100.0)
    assert row["avg_us"] == pytest.approx(50.5, rel=1e-3)
    assert row["p50_us"] == pytest.approx(50.0, rel=1e-3)
    assert row["p95_us"] == pytest.approx(95.0, rel=1e-3)
    assert row["p99_us"] == pytest.approx(99.0, rel=1e-3)
    assert all(isinstance(row[key], float) for key in KEYS - {"count"})
    assert set(statistics["risk_check"].values()) == {0}


@rooms
def test_one_sample_is_shown_as_it_is(room):
    trackers = room.Trackers()
    trackers.record(0, 123_457)
    row = trackers.statistics()["loop_iteration"]
    assert {row[key] for key in KEYS - {"count"}} == {123.457}


@rooms
def test_unknown_name_is_refused_with_the_known_ones(room):
    with pytest.raises(KeyError, match="risk_check"):
        room.Trackers().get("risk_chek")


@rooms
def test_names_for_single_occurrences_are_refused(room):
    trackers = room.Trackers(("one",))
    for number in range(255):
        trackers.add(f"order_{number}")
    assert trackers.add("one") == 0
    with pytest.raises(ValueError, match="256 is the most"):
        trackers.record_named("order_255", 1)
    assert len(trackers) == 256


@rooms
def test_reset_keeps_the_names(room):
    trackers = room.Trackers(("a", "b"))
    empty = trackers.state_hash()
    trackers.record(1, 9)
    trackers.record(5, 9)
    assert trackers.state_hash() != empty
    trackers.reset()
    assert (trackers.names(), trackers.dropped) == (("a", "b"), 0)
    assert trackers.state_hash() == empty


@pytest.mark.skipif(not fastcore.compiled, reason="everything is interpreted here")
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["risk_check", "x", "y", "z"]) | st.integers(-1, 9),
                          st.integers(-10, 1 << 42)), max_size=12))
def test_compiled_and_interpreted_agree(samples):
    states = []
    for room in ROOMS:
        trackers = room.Trackers(("loop_iteration", "risk_check"))
        for where, ns in samples:
            if isinstance(where, str):
                trackers.record_named(where, ns)
            else:
                trackers.record(where, ns)
        states.append((trackers.state_hash(), trackers.dropped, trackers.statistics()))
    assert states[0] == states[-1]

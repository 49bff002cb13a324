"""The machine room's numbers are the house's words."""

import pytest

from hftbot.words.market import BookTrust
from hftbot.words.order import ClientIdParts, OrderState, client_id_parts
from hftbot.words.verdict import Verdict
from lane_rig import forms, room


@forms
def test_verdict_bits_are_equal(form):
    rules = room(form, "fastcore.money.risk").RULES
    assert rules == {rule.name: rule.value for rule in Verdict}


@forms
def test_order_states_are_equal(form):
    states = room(form, "fastcore.money.orders").STATES
    assert states == {state.name: state.value for state in OrderState}


@forms
def test_event_bits_are_distinct(form):
    lane = room(form, "fastcore.lane.lane")
    bits = [value for name, value in vars(lane).items() if name.startswith("EVENT_")]
    assert sorted(bits) == [1 << i for i in range(9)]
    assert BookTrust.TRUSTED == 2


@forms
def test_tracker_numbers_are_the_probe_rooms(form):
    trackers = room(form, "fastcore.probe.trackers")
    assert (trackers.RISK_CHECK, trackers.BOOK_UPDATE, trackers.FAIR_PRICE_CALC) == (2, 4, 5)


@forms
def test_client_id_is_packed_as_the_words_say(form):
    table = room(form, "fastcore.money.orders").OrderTable()
    assert table.set_run(65535) == 0
    assert client_id_parts(table.next_client_id(31)) == ClientIdParts(31, 65535, 1)
    assert client_id_parts(table.next_client_id(0)) == ClientIdParts(0, 65535, 2)
    assert table.set_run(65536) == -1
    assert table.next_client_id(32) == -1


@forms
def test_client_ids_end_with_their_32_bits(form):
    table = room(form, "fastcore.money.orders").OrderTable()
    table.counter = (1 << 32) - 2
    assert table.next_client_id(1) == (1 << 48) | ((1 << 32) - 1)
    assert table.next_client_id(1) == -1
    assert table.next_client_id(1) == -1


@forms
@pytest.mark.parametrize("kind", ["position.Position", "exposure.Exposure", "orders.OrderTable"])
def test_hashes_tell_states_apart(form, kind):
    module, name = kind.split(".")
    one = getattr(room(form, "fastcore.money." + module), name)()
    before = one.state_hash()
    if name == "Position":
        one.apply(0, 5, 5, 0)
    elif name == "Exposure":
        one.add(0, 5, 5)
    else:
        one.name(1, 0, 0, 0, 5, 5, 1, 0, 0)
    assert before != one.state_hash() < 1 << 64

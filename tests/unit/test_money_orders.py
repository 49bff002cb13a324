"""OrderTable: the ways of an order, the usual ones and the late ones."""

import pytest

from hftbot.words.order import OrderState as State
from lane_rig import forms, room


@pytest.fixture
def table(form):
    return room(form, "fastcore.money.orders").OrderTable(2)


def named(table, client_id=9, lots=10):
    return table.name(client_id, 1, 2, 0, 100, lots, 1, 111, 222)


@forms
def test_row_tells_what_was_entered(table):
    handle = named(table)
    assert table.find(9) == handle
    row = table.get(handle)
    assert row["client_id"] == 9
    assert (table.instrument(handle), table.strategy(handle), table.side(handle)) == (1, 2, 0)
    assert (table.ticks(handle), table.lots(handle), table.tif(handle)) == (100, 10, 1)
    assert (table.created_us(handle), table.created_ns(handle)) == (111, 222)
    assert (table.state(handle), table.open_lots(handle)) == (State.NAMED, 10)


@forms
def test_full_table_and_taken_names_are_refused(table):
    assert named(table, 1) >= 0
    assert named(table, 1) == -2
    assert named(table, 2) >= 0
    assert named(table, 3) == -1
    assert table.handles() == [table.find(1), table.find(2)]


@forms
def test_a_handle_that_is_none_is_refused_everywhere(table):
    for handle in (-1, 0, 2, 1 << 40):
        assert table.sent(handle) == table.acked(handle) == table.filled(handle, 1) == -2
        assert table.done(handle, 7) == table.doubt(handle) == table.free(handle) == -2
        assert table.amended(handle, 1, 1) == table.unwish(handle) == -2
        assert table.state(handle) == State.FREE
        assert table.get(handle) == {}
        assert not table.is_open(handle)


@forms
def test_fill_before_the_ack_and_ack_after_the_fill(table):
    handle = named(table)
    table.sent(handle)
    assert table.filled(handle, 4) == 0
    assert table.state(handle) == State.PARTIAL
    assert table.acked(handle) == 1
    assert (table.state(handle), table.open_lots(handle)) == (State.PARTIAL, 6)
    assert table.filled(handle, 6) == 0
    assert (table.state(handle), table.open_lots(handle)) == (State.FILLED, 0)


@forms
def test_fill_after_the_cancel_counts(table):
    handle = named(table)
    table.sent(handle)
    table.done(handle, State.CANCELED)
    assert table.filled(handle, 4) == 0
    assert (table.state(handle), table.filled_lots(handle)) == (State.CANCELED, 4)
    assert table.filled(handle, 6) == 0
    assert table.state(handle) == State.FILLED


@forms
def test_fills_beyond_the_order_count_and_are_told(table):
    handle = named(table)
    table.sent(handle)
    assert table.filled(handle, 11) == 2
    assert table.filled_lots(handle) == 11


@forms
def test_nothing_is_sent_twice(table):
    handle = named(table)
    assert table.sent(handle) == 0
    assert table.sent(handle) == -1
    table.doubt(handle)
    assert table.sent(handle) == -1


@forms
@pytest.mark.parametrize("state", [State.FILLED, State.CANCELED, State.REJECTED, State.EXPIRED])
def test_doubt_ends_by_any_proof(table, state):
    handle = named(table)
    table.sent(handle)
    assert table.doubt(handle) == 0
    assert table.open_lots(handle) == 10
    assert table.done(handle, state) == 0
    assert table.doubt(handle) == -1


@forms
def test_doubt_ends_by_the_ack(table):
    handle = named(table)
    table.sent(handle)
    table.doubt(handle)
    assert table.acked(handle) == 0
    assert table.state(handle) == State.LIVE


@forms
def test_order_that_is_filled_while_it_grows_is_not_over(table):
    handle = named(table)
    table.sent(handle)
    table.acked(handle)
    assert table.wish(handle, 101, 15, 5) == 0
    assert table.filled(handle, 10) == 0
    assert table.state(handle) == State.PARTIAL
    assert table.unwish(handle) == 0
    assert table.state(handle) == State.FILLED


@forms
def test_open_counts(table):
    named(table, 1)
    named(table, 2)
    assert (table.open_count(1), table.open_count(0), table.open_count(-1)) == (2, 0, 2)
    table.done(table.find(1), State.CANCELED)
    assert table.open_count(1) == 1


@forms
@pytest.mark.parametrize("capacity", [0, -1, 1 << 21])
def test_impossible_capacity_is_refused(form, capacity):
    with pytest.raises(ValueError, match="capacity"):
        room(form, "fastcore.money.orders").OrderTable(capacity)

"""Lists of what was traded before the venue made a grid coarser: nobody is blind for them."""

from __future__ import annotations

import pytest

from hftbot.venue.kraken import codec
from hftbot.venue.kraken.gateway import Gateway
from hftbot.words.order import client_id_pack
from kraken_frames import BALANCES, BTC, ETH, TOKEN, ManualClock, Raw, executions, trade, working

NOW, OLD = client_id_pack(1, 7, 42), client_id_pack(1, 6, 9)
NAME, OLD_NAME = codec.client_id_text(NOW), codec.client_id_text(OLD)
BY_HAND = working("by-hand", "OX", exec_type="new")


class Bench:
    """A gateway that expects one order of an earlier run, and knows of one placed by hand."""

    def __init__(self, *booked: str) -> None:
        self.gateway = Gateway((BTC, ETH), ManualClock())
        self.gateway.reports.booked = booked.__contains__
        self.gateway.expect(OLD)
        self.gateway.connected(TOKEN)
        self.list(BY_HAND)
        self.gateway.on_frame(BALANCES, 1)

    def list(self, *reports: str) -> list:
        """The venue's list, whole."""
        return self.gateway.on_frame(executions(*reports, sequence=1, kind="snapshot"), 1)


def types(found):
    return [type(event).__name__ for event in found]


@pytest.mark.parametrize(("row", "booked"), [
    (trade(OLD_NAME, "T1", "1e-9", "1e-9", order_id="OF"), ("T1",)),
    (trade(OLD_NAME, "T1", "0.1", "0.1", price="0.05", order_id="OF"), ("T1",)),
    (trade("by-hand", "T1", "1e-9", "1e-9", order_id="OX"), ()),
    (trade("by-hand", "T1", "0.1", "0.1", price="0.05", order_id="OX"), ())])
def test_an_old_fill_finer_than_the_grid_of_now_is_left_out(row, booked):
    bench = Bench(*booked)
    listed = row, working(NAME, exec_type="new")
    found = bench.list(*listed)
    assert types(found) == ["VenueError", "OrdersSeen"]
    assert "an old fill that cannot be read is left out: " in found[0].code
    assert "has more than" in found[0].code
    assert [order.client_id for order in found[1].orders] == [NOW]
    assert (bench.gateway.ready, bench.gateway.bad_frames) == (True, 0)
    # Every later list names it again; that is said once.
    assert types(bench.list(*listed)) == ["OrdersSeen"]
    assert bench.gateway.statistics()["fills_left_out"] == 1


def test_a_fill_of_ours_that_was_never_booked_is_never_left_out():
    bench = Bench("T0")
    found = bench.list(trade(OLD_NAME, "T1", "1e-9", "1e-9"))
    assert types(found) == ["VenueError", "PrivateLost"]
    assert bench.gateway.bad_frames == 1


def test_an_order_placed_by_hand_may_have_sizes_of_a_finer_grid():
    odd = working("x", "OY", exec_type="new", qty="0.0000000012", cum_qty=Raw("1e-10"))
    found = Bench().list(odd)
    assert types(found) == ["OrdersSeen"]
    assert (found[0].orders[0].lots, found[0].orders[0].filled_lots) == (0, 0)

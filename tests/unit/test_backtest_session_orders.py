"""A run's orders out of its journal: requests, answers, fills, ends; and what is no run's."""

from __future__ import annotations

import pathlib

import pytest

from fastcore.lane import desk as rows
from fastcore.money.journal import Journal
from hftbot.backtest.session_orders import (
    ADD,
    AMEND,
    CANCEL,
    Execution,
    Request,
    SessionOrders,
    requests_in_order,
    session_orders,
)
from hftbot.engine.recover import KIND_FILL_TEXT, fill_text
from hftbot.errors import DataError
from hftbot.store.journal_reader import read_copy
from hftbot.words.order import OPERATOR, OrderState, client_id_pack

HEADER = (b"hftbot 1 run 7 settings x schema 2 account sim started 1 strategies spread_maker "
          b"grids 1:8:1:1,2:6:5:1 symbols BTC/USD,ETH/USD")
FIRST, SECOND = client_id_pack(1, 7, 1), client_id_pack(1, 7, 2)
SELL_POST_ONLY = 1 | 1 << 16 | 1 << 24 | 1 << 32


class Written:
    """A journal under the test's hand; times in microseconds."""

    def __init__(self, path: pathlib.Path, header: bytes = HEADER) -> None:
        self.path = path
        self.journal = Journal(str(path), 1 << 16, header)

    def row(self, kind: int, client_id: int, *words: int, at_us: int, flags: int = 0) -> None:
        told = (*words, 0, 0, 0, 0)[:4]
        self.journal.append_words(kind, client_id, flags, *told, at_us, 0)

    def order(self, client_id: int, ticks: int, lots: int, at_us: int, flags: int) -> None:
        self.journal.append_words(rows.KIND_ORDER, client_id, flags, ticks, lots, at_us - 1, at_us,
                                  0, 1)

    def read(self) -> SessionOrders:
        self.journal.close()
        return session_orders([read_copy(self.path)])


def test_the_life_of_an_order(tmp_path: pathlib.Path) -> None:
    written = Written(tmp_path / "run-00007.journal")
    written.order(FIRST, 100, 50, 1_000, SELL_POST_ONLY)
    written.row(rows.KIND_ACK, FIRST, at_us=1_005)
    written.row(rows.KIND_FILL, FIRST, 100, 20, 3, 77, at_us=1_010)
    written.journal.append(KIND_FILL_TEXT, fill_text(77, False, "T1"))
    written.row(rows.KIND_AMEND, FIRST, 110, 60, at_us=1_020)
    written.row(rows.KIND_AMENDED, FIRST, 110, 60, at_us=1_026)
    written.row(rows.KIND_CANCEL, FIRST, 9, at_us=1_030)
    written.row(rows.KIND_DONE, FIRST, int(OrderState.CANCELED), 20, at_us=1_037)
    found = written.read()
    (order,) = found.orders
    assert (order.instrument, order.side, order.post_only) == (1, 1, True)
    assert order.requests == [
        Request(1_000_000, ADD, 100, 50, 50, 1_005_000),
        Request(1_020_000, AMEND, 110, 60, 40, 1_026_000),
        Request(1_030_000, CANCEL, 0, 0, 0, 1_037_000)]
    assert order.executions == [Execution(100, 20, False, 3, 1_010_000)]
    assert (order.state, order.ended_ns, order.lots) == (OrderState.CANCELED, 1_037_000, 60)
    assert (found.run, found.strategies, found.others) == (7, "spread_maker", 0)
    assert (found.settings, found.account) == ("x", "sim")
    assert [grid.price_text(3) for grid in found.instruments] == ["0.3", "0.15"]
    assert found.of(1) == [order]
    assert found.of(0) == []


def test_an_order_that_filled_whole_is_done_and_a_discarded_one_was_never_sent(
        tmp_path: pathlib.Path) -> None:
    written = Written(tmp_path / "run-00007.journal")
    written.order(FIRST, 100, 50, 1_000, 0)
    written.journal.append(KIND_FILL_TEXT, fill_text(5, True, "T1"))
    written.row(rows.KIND_FILL, FIRST, 100, 50, 0, 5, at_us=1_010)
    written.order(SECOND, 100, 50, 1_020, 0)
    written.row(rows.KIND_DISCARD, SECOND, at_us=1_021)
    found = written.read()
    (order,) = found.orders
    assert order.state == OrderState.FILLED
    assert order.executions[0].maker is True


def test_orders_of_others_are_counted_and_left_out(tmp_path: pathlib.Path) -> None:
    written = Written(tmp_path / "run-00007.journal")
    by_hand = client_id_pack(OPERATOR, 7, 1)
    written.order(by_hand, 100, 50, 1_000, 0)
    written.row(rows.KIND_FILL, by_hand, 100, 50, 0, 1, at_us=1_010)
    written.row(rows.KIND_FILL, client_id_pack(1, 6, 9), 100, 50, 0, 2, at_us=1_011)
    found = written.read()
    assert found.orders == []
    assert found.others == 2


def test_requests_of_all_orders_are_in_order_of_time(tmp_path: pathlib.Path) -> None:
    written = Written(tmp_path / "run-00007.journal")
    written.order(FIRST, 100, 50, 1_000, 0)
    written.order(SECOND, 90, 50, 1_001, 0)
    written.row(rows.KIND_CANCEL, FIRST, 9, at_us=1_002)
    found = written.read()
    assert [(request.what, order.client_id) for request, order in requests_in_order(found.orders)
            ] == [(ADD, FIRST), (ADD, SECOND), (CANCEL, FIRST)]


def test_a_journal_that_does_not_say_on_what_grid_is_refused(tmp_path: pathlib.Path) -> None:
    written = Written(tmp_path / "run-00007.journal", b"hftbot 1 run 7 symbols BTC/USD")
    with pytest.raises(DataError, match="its header does not say which run on which grids"):
        written.read()

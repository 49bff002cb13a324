"""Cancels together: one message for the orders of an instrument, each journaled and counted."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest
from engine_rig import BID, BOTH, Rig, Voice

from fastcore.lane.desk import KIND_CANCEL
from fastcore.money.journal import read_records
from fastcore.money.throttle import POINT
from hftbot.engine.router import BATCH_MAX, CancelBatches
from hftbot.words.market import Side
from hftbot.words.order import Tif


class Batching(Rig):
    """A venue that takes batches; ``told`` are those that left."""

    def __init__(self, folder: pathlib.Path, **told: Any) -> None:
        super().__init__(folder, Voice(), symbols=BOTH, **told)
        self.told: list[tuple[int, list[int]]] = []
        self.world.router.batches = CancelBatches(self.frame, self.note)

    def frame(self, client_ids: Sequence[int], request: int) -> bytes:
        return json.dumps({"method": "batch_cancel", "req_id": request,
                           "params": {"cl_ord_id": list(client_ids)}}).encode()

    def note(self, request: int, client_ids: Sequence[int], now_ns: int) -> None:
        assert now_ns == self.clock.ns
        self.told.append((request, list(client_ids)))

    def orders(self, count: int, instrument: int = 0) -> list[int]:
        """Working orders a tick apart."""
        self.quote(index=instrument)
        self.world.refresh_limits()
        lots = self.world.instruments[instrument].lots_min
        placed = [self.desk().place(instrument, Side.BUY, BID - i, lots, Tif.GTC)
                  for i in range(count)]
        assert min(placed) > 0
        self.sent.clear()
        return placed


def used(rig: Rig) -> list[float]:
    counter = rig.world.limits.trading
    return [counter.used(index, rig.clock.ns) / POINT for index in range(counter.instruments)]


def cancel_rows(rig: Rig) -> list[int]:
    return [int.from_bytes(payload[:8], "little")
            for _, kind, payload in read_records(str(rig.path)) if kind == KIND_CANCEL]


def test_batches_one_message_for_each_instrument(tmp_path: pathlib.Path) -> None:
    rig = Batching(tmp_path)
    first, second = rig.orders(3), rig.orders(2, 1)
    messages, before = rig.world.account.messages.taken, used(rig)
    assert rig.engine.cancel_everything() == 5
    assert [json.loads(frame)["params"]["cl_ord_id"] for frame in rig.sent] == [first, second]
    assert [ids for _, ids in rig.told] == [first, second]
    assert rig.world.account.messages.taken == messages + 2
    assert used(rig) == [before[0] + 24, before[1] + 16]
    assert cancel_rows(rig) == first + second
    assert rig.world.router.cancels_sent == 5
    assert rig.desk().cancel(first[0]) == 0, "it is on its way already"
    assert len(rig.sent) == 2


def test_batches_decay_from_their_answer_on(tmp_path: pathlib.Path) -> None:
    rig = Batching(tmp_path, kraken_tier="pro")
    rig.orders(2)
    rig.engine.cancel_everything()
    rig.later(2.0)
    assert used(rig)[0] == 2 + 16
    rig.world.limits.trading.answered(rig.told[0][0], rig.clock.ns)
    rig.later(2.0)
    assert used(rig)[0] == 2 + 16 - 7.5


def test_batches_of_one_and_of_more_than_fit(tmp_path: pathlib.Path) -> None:
    rig = Batching(tmp_path)
    rig.orders(BATCH_MAX + 1)
    assert rig.engine.cancel_everything() == BATCH_MAX + 1
    assert [json.loads(frame)["method"] for frame in rig.sent] == ["batch_cancel", "cancel_order"]


def test_batches_leave_out_what_is_over(tmp_path: pathlib.Path) -> None:
    rig = Batching(tmp_path)
    orders = rig.orders(3)
    handles = [rig.table.find(order) for order in orders]
    rig.done(orders[1])
    assert rig.world.router.cancel_many([*handles, -1, 63]) == 2
    assert rig.told[0][1] == [orders[0], orders[2]]


def test_batches_that_a_closing_wire_refuses_were_never_asked(tmp_path: pathlib.Path) -> None:
    rig = Batching(tmp_path)
    rig.orders(2)
    rig.broken = True
    assert rig.engine.cancel_everything() == 0
    assert not rig.world.router.attached
    assert rig.told == []
    assert rig.engine.cancel_everything() == 0
    rig.broken = False
    rig.world.router.attach(rig.send)
    assert rig.engine.cancel_everything() == 2


def test_batches_wait_for_a_message_of_the_minute(tmp_path: pathlib.Path) -> None:
    rig = Batching(tmp_path, max_orders_per_min=8)
    rig.orders(6)
    assert rig.world.account.messages.take(2, rig.clock.ns, True) == 1
    assert rig.engine.cancel_everything() == 0
    rig.later(60.0)
    assert rig.engine.cancel_everything() == 6
    assert len(rig.sent) == 1


@pytest.mark.fault("D1")
def test_batches_leave_even_if_the_journal_refuses(tmp_path: pathlib.Path) -> None:
    rig = Batching(tmp_path)
    rig.orders(2)
    while rig.journal.append_words(14, 0, 0, 0, 0, 0, 0, 0, 0) > 0:
        pass
    assert rig.engine.cancel_everything() == 2
    assert len(rig.sent) == 1
    assert rig.world.account.state == 2

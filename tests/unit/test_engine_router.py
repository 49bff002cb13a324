"""From an allowed intent to bytes on the wire: admission, refusals, what a closed wire leaves."""

from __future__ import annotations

import json
import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from fastcore.money.journal import read_records
from hftbot.venue.kraken import codec
from hftbot.words import events as ev
from hftbot.words.market import Side
from hftbot.words.order import OrderState as S
from hftbot.words.order import Tif
from hftbot.words.verdict import Verdict

NOT_READY = -int(Verdict.DENY_NOT_READY)


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice())


@pytest.mark.law(1)
def test_router_order_is_in_the_journal_before_its_bytes_leave(rig: Rig) -> None:
    seen: list[tuple[str, int]] = []

    def send(frame: memoryview) -> None:
        named = {int.from_bytes(payload[:8], "little")
                 for _, kind, payload in read_records(str(rig.path)) if kind == 1}
        name = json.loads(bytes(frame))["params"]["cl_ord_id"]
        assert codec.client_id_parse(name) in named
        seen.append((name, len(named)))
    rig.world.router.attach(send)
    for i in range(5):
        rig.buy(ticks=ASK - i)
    assert [count for _, count in seen] == [1, 2, 3, 4, 5]


def test_router_denies_without_a_wire_and_without_admission(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.ack(order)
    rig.world.router.admit(False)
    assert rig.desk().place(0, Side.BUY, ASK, LOTS) == NOT_READY
    assert rig.desk().amend(order, BID - 1, LOTS) == NOT_READY
    assert rig.desk().cancel(order) == 0, "cancels pass a closed door"
    rig.world.router.detach()
    assert rig.desk().cancel(order) == NOT_READY
    assert not rig.world.router.attached
    assert rig.engine.rows.denials["DENY_NOT_READY"] == 2


@pytest.mark.parametrize("instrument", [-1, 1, 99])
def test_router_unknown_instrument_is_invalid(rig: Rig, instrument: int) -> None:
    assert rig.desk().place(instrument, Side.BUY, ASK, LOTS) == -int(Verdict.DENY_INVALID)


def test_router_order_that_a_closing_wire_refuses_never_was(rig: Rig) -> None:
    """The strategy is not blamed, nothing is held, and its answer is not awaited."""
    rig.broken = True
    assert rig.desk().place(0, Side.BUY, ASK, LOTS) == NOT_READY
    assert rig.engine.disabled == []
    assert rig.held() == (0, 0, 0)
    assert rig.table.used == 0
    assert rig.world.router.orders_sent == 0
    assert not [event for event in rig.world.gateway.disconnected("cut")
                if isinstance(event, ev.OrderDoubt)]
    assert not rig.world.router.attached


def test_router_amend_and_cancel_that_a_closing_wire_refuses(rig: Rig) -> None:
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    rig.ack(order)
    rig.broken = True
    assert rig.desk().amend(order, BID - 1, 2 * LOTS) == NOT_READY
    rig.world.router.attach(rig.send)
    rig.world.router.admit(True)
    assert rig.desk().cancel(order) == NOT_READY
    assert rig.held() == (LOTS, 0, 1)
    rig.broken = False
    rig.world.router.attach(rig.send)
    rig.world.router.admit(True)
    assert rig.desk().amend(order, BID - 1, LOTS) == 0
    assert rig.desk().cancel(order) == 0
    assert rig.state(order) == S.LIVE


def test_router_every_request_has_its_own_number(rig: Rig) -> None:
    """Cancels of leftovers, too: an answer must never be taken for another's."""
    numbers = []
    for i in range(4):
        order = rig.buy(ticks=BID - i, tif=Tif.GTC)
        numbers.append(rig.world.request_id())
        rig.ack(order)
        rig.desk().amend(order, BID - 10 - i, LOTS)
        rig.desk().cancel(order)
    numbers += [json.loads(frame)["req_id"] for frame in rig.sent]
    assert len(numbers) == len(set(numbers)) == 16


@pytest.mark.law(4, 12)
def test_router_unanswered_requests_become_doubt_once(rig: Rig) -> None:
    order = rig.buy()
    rig.later(5.1)
    assert rig.world.gateway.overdue(rig.clock.ns) == [order]
    assert rig.world.gateway.overdue(rig.clock.ns) == []

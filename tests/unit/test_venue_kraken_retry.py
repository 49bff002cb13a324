"""Which refusals of an order say that the same order may be taken a moment later."""

from __future__ import annotations

import pytest

from hftbot.venue.kraken import rules
from hftbot.venue.kraken.gateway import Gateway
from hftbot.words.events import OrderRejected
from kraken_frames import BALANCES, BTC, EMPTY, TOKEN, ManualClock, answer

CASES = [("EOrder:Rate limit exceeded", True), ("EService:Throttled", True),
         ("EOrder:Insufficient funds", False), ("EOrder:Invalid price", False),
         ("EOrder:Post only order", False), ("EService:Market in cancel_only mode", False),
         ("EGeneral:Permission denied", False), ("Something new", False)]


@pytest.mark.parametrize(("code", "again"), CASES)
def test_the_gateway_says_whether_an_order_may_be_tried_again(code: str, again: bool) -> None:
    assert rules.may_retry(code) is again
    clock = ManualClock()
    gateway = Gateway((BTC,), clock)
    gateway.connected(TOKEN)
    for frame in (EMPTY, BALANCES):
        gateway.on_frame(frame, clock.ns)
    gateway.note_sent(77, 77, "add_order", clock.ns)
    found = gateway.on_frame(answer("add_order", 77, error=code), clock.ns)
    refused = [event for event in found if isinstance(event, OrderRejected)]
    assert [(event.client_id, event.code, event.again) for event in refused] == [
        (77, code, again)]

"""The bot lives with every reading of the points that Kraken's documentation leaves open."""

from __future__ import annotations

import pytest

from hftbot.exchange.settings import switch_values, switched
from world.ring import run_ring

SECONDS = 8.0
# A number or a text is no reading of its own: only what has other words is tried.
READINGS = [f"{name}={word}" for name, words in switch_values().items() for word in words[1:]]


@pytest.mark.parametrize("reading", READINGS)
def test_the_bot_ends_whole_under_the_other_reading(reading: str) -> None:
    ring = run_ring(3, SECONDS, switches=switched([reading]))
    account = ring.venue.face.account
    assert ring.session.open_at_exit == 0
    assert not ring.venue.face.desk.orders
    assert ring.world.ledger.fills == ring.venue.face.desk.counts["fills"]
    for asset in ("BTC", "USD"):
        assert ring.world.ledger.balances_e10[asset] == account.balances[asset]


def test_every_switch_with_words_has_another_reading() -> None:
    assert len(READINGS) >= 12
    assert any(fill for fill in run_ring(3, SECONDS).witness.fills)

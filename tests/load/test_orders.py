"""Row L2: a hundred orders a second through guard, desk, journal and router, each accounted for."""

from __future__ import annotations

import os
import pathlib
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from fastcore.lane.desk import KIND_ORDER
from fastcore.money.journal import Journal, parse_records
from hftbot.venue.kraken.codec import client_id_text
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from world import ring as rings
from world.ring import Ring
from world.tamper import LOTS, Tamper, play, wrong

PER_S = 100
ORDERS_S = float(os.environ.get("HFTBOT_ORDERS_S", "600"))
ROOMY = {"max_orders_per_min": 4 * 60 * PER_S, "same_order_window_us": 0, "open_orders_max": 200,
         "kraken_tier": "off",
         "loop_interval_us": 1_000_000 // PER_S, "order_value_usd_max": Decimal(10**5),
         "position_usd_max": Decimal(10**6), "gross_usd_max": Decimal(10**6)}


class Busy(Strategy):
    """One order each timer: buys and sells in turn, some rest and are cancelled later."""

    name = "busy"

    def __init__(self) -> None:
        self.offered = 0
        self.answers: Counter[bool] = Counter()
        self.resting: list[int] = []

    def on_timer(self, now_us: int) -> None:
        book = self.desk.book(0)
        if not (book.has_bid() and book.has_ask()):
            return
        self.offered += 1
        turn = self.offered % 4
        held = self.desk.position_lots(0)
        if turn == 0:
            client_id = self.desk.place(0, Side.BUY, book.best_bid() - 300, LOTS, Tif.GTC)
            self.resting += [client_id] if client_id > 0 else []
        elif turn == 1 and held >= LOTS:
            client_id = self.desk.place(0, Side.SELL, book.best_bid() - 5, LOTS, Tif.IOC)
        else:
            client_id = self.desk.place(0, Side.BUY, book.best_ask() + 5, LOTS // 4, Tif.IOC)
        self.answers[client_id > 0] += 1
        if len(self.resting) > 20:
            self.desk.cancel(self.resting.pop(0))


def loaded(monkeypatch: pytest.MonkeyPatch, seconds: float) -> tuple[Ring, Tamper, Busy, set[str]]:
    """Play with a journal that is large enough; what it named is the last of the answer."""
    named: set[str] = set()
    journal_bytes = (4 << 20) + round(seconds * PER_S * 1024)
    monkeypatch.setattr(rings, "Journal", lambda path, size, header: Journal(
        path, journal_bytes, header))

    def plan(ring: Ring, tamper: Tamper) -> None:
        drain = ring.session.drain

        async def drain_and_read() -> None:
            await drain()
            path = pathlib.Path(ring.world.journal.path)
            rows = [int.from_bytes(payload[:8], "little") for _, kind, payload, _
                    in parse_records(path.read_bytes(), str(path)) if kind == KIND_ORDER]
            named.update(map(client_id_text, rows))
            assert len(named) == len(rows)
        ring.session.drain = drain_and_read  # type: ignore[method-assign]
    strategy = Busy()
    ring, tamper = play(seconds, strategy, plan, bot=ROOMY)
    return ring, tamper, strategy, named


def accounted(seconds: float, ring: Ring, tamper: Tamper, busy: Busy, named: set[str]) -> None:
    sent: list[Any] = [order["cl_ord_id"] for order in tamper.adds()]
    assert busy.offered > 0.95 * PER_S * (seconds - 1)
    assert len(sent) == len(set(sent)) == ring.world.router.orders_sent, "none was sent twice"
    assert set(sent) == named, "each was in the journal, and nothing else was"
    assert busy.answers[True] == len(sent)
    assert busy.answers[False] == sum(ring.world.engine.rows.denials.values())
    assert busy.answers[True] + busy.answers[False] == busy.offered
    assert busy.answers[True] > 0.9 * busy.offered
    assert ring.world.ledger.fills > busy.offered / 4
    assert wrong(ring, tamper) == []


@pytest.mark.law(1, 2, 8)
def test_orders_a_hundred_a_second_none_twice_none_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    accounted(20.0, *loaded(monkeypatch, 20.0))


@pytest.mark.law(1, 2, 8)
@pytest.mark.long
@pytest.mark.timeout(ORDERS_S + 120)
def test_orders_for_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """HFTBOT_ORDERS_S virtual seconds: 600, which is 60,000 orders."""
    found = loaded(monkeypatch, ORDERS_S)
    accounted(ORDERS_S, *found)
    statistics = found[0].world.trackers.statistics()
    print(f"{found[2].offered} orders; " + ", ".join(
        f"{name} p99 {statistics[name]['p99_us']:.1f} us" for name in (
            "risk_check", "intent_generation", "order_placement")))

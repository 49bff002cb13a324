"""The core's own chain, put together as the live world does it."""

from __future__ import annotations

import os
from pathlib import Path

from fastcore.codec.kraken import KrakenDecoder
from fastcore.codec.text import KrakenOrderText
from fastcore.lane.desk import LaneDesk
from fastcore.lane.lane import Lane
from fastcore.market.book import OrderBook
from fastcore.market.checksum import KrakenChecksum
from fastcore.market.fair import FairPrice
from fastcore.money.exposure import Exposure
from fastcore.money.journal import Journal
from fastcore.money.orders import OrderTable
from fastcore.money.position import Position
from fastcore.money.risk import AccountRisk, RiskGate
from fastcore.money.throttle import MinuteWindow
from fastcore.probe.trackers import Trackers
from kraken_market import (
    DEPTH,
    LOT_UNITS,
    PRICE_PRECISION,
    QTY_PRECISION,
    SYMBOL,
    TICK_UNITS,
)

JOURNAL_BYTES = 32 << 20
TOKEN = b"T" * 44


def build_lane(checked: bool, trackers: Trackers | None = None) -> Lane:
    """A lane for BTC/USD, with or without the venue's checksum."""
    decoder = KrakenDecoder()
    decoder.add_symbol(SYMBOL, PRICE_PRECISION, QTY_PRECISION, TICK_UNITS, LOT_UNITS)
    return Lane(0, decoder, OrderBook(0, DEPTH, 4096),
                KrakenChecksum(TICK_UNITS, LOT_UNITS) if checked else None, FairPrice(), trackers)


def build_desk(lane: Lane, journal: Path, trackers: Trackers | None = None) -> LaneDesk:
    """A desk with every rule of the guard on, and limits that let the bench's orders pass."""
    account = AccountRisk(open_orders_max=1000, gross_e10_max=10**18, loss_e10_max=25 * 10**10,
                          messages=MinuteWindow(1_000_000, 10))
    account.ready = 1
    position = Position(0)
    gate = RiskGate(0, account, position, Exposure(), 10, 1, order_value_max=10**18,
                    order_lots_max=10**12, lots_min=1, value_min=1, tick_min=1, tick_max=10**12,
                    collar_bps=300, same_order_window_ns=50_000_000, drift_bps_max=500,
                    drift_window_ns=10**10, book_silence_ns_max=2 * 10**9,
                    position_lots_max=10**15)
    gate.funds_value = gate.funds_lots = 10**18
    text = KrakenOrderText(SYMBOL, PRICE_PRECISION, QTY_PRECISION, TICK_UNITS, LOT_UNITS)
    text.set_token(TOKEN)
    if journal.exists():
        os.unlink(journal)
    desk = LaneDesk(0, OrderTable(1024), gate, account, position, lane.book, text,
                    Journal(journal, JOURNAL_BYTES, b"bench"), None, trackers)
    desk.set_run(1)
    return desk

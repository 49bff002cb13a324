"""A lane and a desk with real parts, compiled or interpreted, for tests."""

from __future__ import annotations

import importlib
import os
import pathlib
from types import ModuleType
from typing import Any

import pytest

from twins import BOTH, interpreted

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[1].parent / "shared"))
STREAM = SHARED / "fixtures" / "kraken" / "book_stream" / "btcusd_20230830_from_v1_pp5.ndjson"
needs_stream = pytest.mark.skipif(not STREAM.is_file(), reason="shared fixtures are absent")
NOW_US = 1_780_000_000_000_000
NOW_NS = 1_000_000_000
forms = pytest.mark.parametrize("form", BOTH)


def room(form: str, name: str) -> ModuleType:
    """A fastcore module in one of its forms."""
    return interpreted(name) if form == "interpreted" else importlib.import_module(name)


def frames() -> list[bytes]:
    """The recorded frames of one book, snapshot first."""
    return [line for line in STREAM.read_bytes().splitlines() if line.strip()]


class Rig:
    """Everything one instrument needs, with generous limits; names as in LaneDesk."""

    def __init__(self, form: str, folder: pathlib.Path, *, crc: bool = True, trackers: bool = False,
                 per_minute: int = 100_000, capacity: int = 1 << 20, precision: int = 5,
                 tick_units: int = 10_000, rows: int = 64, **limits: int) -> None:
        def make(name: str, kind: str, *args: Any, **words: Any) -> Any:
            return getattr(room(form, "fastcore." + name), kind)(*args, **words)

        self.form = form
        self.decoder = make("codec.kraken", "KrakenDecoder")
        self.decoder.add_symbol(b"BTC/USD", precision, 8, tick_units, 1)
        self.decoder.add_symbol(b"ETH/USD", 2, 8, 1, 1)
        self.book = make("market.book", "OrderBook", 0, 10)
        self.checksum = make("market.checksum", "KrakenChecksum", tick_units, 1) if crc else None
        self.fair = make("market.fair", "FairPrice")
        self.trackers = make("probe.trackers", "Trackers") if trackers else None
        self.lane = make("lane.lane", "Lane", 0, self.decoder, self.book, self.checksum,
                         self.fair, self.trackers)
        self.table = make("money.orders", "OrderTable", rows)
        self.messages = make("money.throttle", "MinuteWindow", per_minute, per_minute // 10)
        self.account = make("money.risk", "AccountRisk", open_orders_max=rows,
                            gross_e10_max=10**18, messages=self.messages)
        self.account.ready = 1
        self.position = make("money.position", "Position", 0)
        self.exposure = make("money.exposure", "Exposure", 64)
        generous = {"order_value_max": 10**17, "order_lots_max": 10**12,
                    "position_lots_max": 10**13, "collar_bps": 300}
        # A tick of 0.1 and a lot of 1e-8 make a tick-lot 1e-9 of the quote currency.
        self.gate = make("money.risk", "RiskGate", 0, self.account, self.position, self.exposure,
                         10, 1, **(generous | limits))
        self.text = make("codec.text", "KrakenOrderText", b"BTC/USD", precision, 8, tick_units, 1)
        self.text.set_token(b"token-of-the-test")
        self.path = folder / f"{form}.journal"
        self.journal = make("money.journal", "Journal", self.path, capacity, b"test")
        self.desk = make("lane.desk", "LaneDesk", 0, self.table, self.gate, self.account,
                         self.position, self.book, self.text, self.journal, None, self.trackers)
        self.desk.set_run(7)
        self.gate.link_seen_ns = NOW_NS

    def quote(self, bid: int = 270_000, ask: int = 270_010, lots: int = 10**8) -> None:
        """Put a trusted two-level book up."""
        self.book.clear()
        self.book.update(0, bid, lots)
        self.book.update(1, ask, lots)
        self.book.trust = 2

    def place(self, side: int = 0, ticks: int = 270_010, lots: int = 10**6, tif: int = 1, *,
              post_only: bool = False, strategy: int = 3, created_us: int = NOW_US, ttl_us: int = 0,
              now_us: int = NOW_US, now_ns: int = NOW_NS) -> int:
        """LaneDesk.place with the arguments that a test does not care about filled in."""
        return self.desk.place(strategy, side, ticks, lots, tif, post_only, created_us, ttl_us,
                               now_us, now_ns)

    def state_hash(self) -> int:
        """One number for all that money and market hold."""
        value = 0
        for part in (self.table, self.account, self.position, self.exposure, self.gate,
                     self.messages, self.book):
            value = (value * 31 + part.state_hash()) % (1 << 64)
        return value

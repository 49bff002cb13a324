"""A dry run against an exchange that would take every order: none arrives, all are written down."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from hftbot.engine.recover import KIND_DRY, Replay, row_records
from hftbot.live.dry_run import (
    METHODS,
    PATHS,
    REASON,
    DryHttp,
    DryRun,
    DryWire,
    fenced,
    sentence,
)
from hftbot.venue.kraken import cancels
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from world.ring import MemoryVenue, Ring
from world.tamper import Tamper, play

KNOWN = {"add_order", "amend_order", "edit_order", "cancel_order", "cancel_all", "batch_add",
         "batch_cancel", "cancel_all_orders_after"}


class Restless(Strategy):
    """Places whatever it may, as often as it may."""

    name = "restless"

    def on_book(self, book: Any) -> None:
        if not self.desk.open_orders():
            self.desk.place(0, Side.BUY, book.best_ask() + 20, 100_000, Tif.IOC)
            self.desk.place(0, Side.BUY, book.best_bid() - 500, 100_000, Tif.GTC, post_only=True)


@pytest.mark.fault("H2")
def test_dry_run_of_a_restless_strategy_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at its end, when all is cancelled; the breaker does not take our refusal for theirs."""
    told: list[str] = []
    fence = DryRun()
    records: list[tuple[int, int, bytes]] = []
    open_wire = MemoryVenue.connect

    async def connect(venue: MemoryVenue, *what: Any) -> Any:
        inner: Any = functools.partial(open_wire, venue)
        return await fenced(inner, fence.divert)(*what)

    def plan(ring: Ring, tamper: Tamper) -> None:
        fence.attach(ring.session, told.append)
        append = ring.world.journal.append
        ring.world.journal = Spy(ring.world.journal, records, append)
    monkeypatch.setattr(MemoryVenue, "connect", connect)
    ring, tamper = play(20.0, Restless(), plan, bot={"breaker_failures": 5})
    assert {frame["method"] for frame in tamper.sent} <= METHODS
    assert ring.venue.face.desk.counts["orders"] == 0
    sent = ring.world.router.orders_sent
    assert sent > 100
    assert len(told) == fence.requests == sent == ring.world.engine.rejects
    assert [kind for _, kind, _ in records] == [KIND_DRY] * sent
    assert ring.world.engine.doubts == 0
    assert ring.session.gateway.unmapped == 0
    assert ring.session.open_at_exit == 0
    assert ring.world.router.breaker.text().startswith("CLOSED (0 of")
    assert ring.world.ledger.position_lots(0) == 0


class Spy:
    """A journal that remembers what is appended as text."""

    def __init__(self, journal: Any, records: list[tuple[int, int, bytes]], append: Any) -> None:
        self._journal = journal
        self._records = records
        self._append = append

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, kind: int, payload: bytes) -> int:
        sequence = int(self._append(kind, payload))
        self._records.append((sequence, kind, payload))
        return sequence


def test_every_request_that_changes_an_account_is_diverted() -> None:
    """By what may pass, not by what may not: a method of tomorrow is diverted too."""
    sent: list[bytes] = []
    diverted: list[dict[str, Any]] = []

    class Wire:
        last_recv_ns = 7

        def send(self, frame: bytes) -> None:
            sent.append(frame)

        def close(self, reason: str = "", *, abort: bool = False) -> None:
            sent.append(reason.encode())

    wire = DryWire(Wire(), diverted.append)  # type: ignore[arg-type]
    for method in sorted(KNOWN | {"tomorrow"}):
        wire.send(b'{"method":"%s","params":{"token":"secret","order_qty":1}}' % method.encode())
    for nonsense in (b"", b"null", b"[]", b"\xff", b'{"method":["subscribe"]}', b'{"method":null}',
                     b'{"method":"Subscribe"}', b'{"event":"addOrder"}',
                     b'{"method":"add_order","method":"subscribe"}'):
        wire.send(nonsense)
    assert sent == []
    assert len(diverted) == len(KNOWN) + 1 + 9
    assert "secret" not in str(diverted)
    for method in METHODS:
        wire.send(b'{"method":"%s"}' % method.encode())
    assert len(sent) == len(METHODS)
    assert wire.last_recv_ns == 7
    wire.close("done")
    assert sent[-1] == b"done"


def test_rest_of_a_dry_run_asks_and_changes_nothing() -> None:
    asked: list[str] = []

    class Http:
        async def request(self, method: str, url: str, *_: Any) -> tuple[int, bytes]:
            asked.append(url)
            return 200, b"{}"

    fence = DryHttp(Http(), "https://venue")
    changing = [*cancels.ALLOWED - PATHS, "/0/private/AddOrder", "/0/private/AddOrderBatch",
                "/0/private/EditOrder", "/0/private/Withdraw", "/0/private/CancelOrder",
                "/0/private/WalletTransfer", "/0/public/../private/AddOrder"]
    for path in changing:
        with pytest.raises(PermissionError, match=REASON):
            asyncio.run(fence.request("POST", "https://venue" + path, {}, b"", 1.0))
    with pytest.raises(PermissionError):
        asyncio.run(fence.request("POST", "https://other/0/private/Balance", {}, b"", 1.0))
    assert asked == []
    for path in PATHS:
        asyncio.run(fence.request("POST", "https://venue" + path, {}, b"", 1.0))
    asyncio.run(fence.request("GET", "https://venue/0/public/AssetPairs?pair=x", {}, b"", 1.0))
    assert len(asked) == len(PATHS) + 1


def test_a_dry_record_is_no_row_of_the_journal() -> None:
    from hftbot.engine.recover import ROW_BYTES, dry_payload
    exact = "x" * ROW_BYTES
    assert dry_payload(exact) == exact.encode() + b" "
    assert list(row_records([(1, KIND_DRY, dry_payload(exact))])) == []
    assert dry_payload("short") == b"short"
    assert Replay(1).records == 0


def test_what_is_printed_of_a_request() -> None:
    assert sentence({"method": "add_order", "params": {
        "side": "buy", "order_qty": "0.1", "symbol": "BTC/USD", "limit_price": "1",
        "time_in_force": "gtc", "post_only": True, "cl_ord_id": "h1"}}) == (
            "buy 0.1 BTC/USD at 1 gtc post-only (h1): not sent")
    assert sentence({"method": "cancel_all", "params": None}) == "cancel_all : not sent"
    with pytest.raises(PermissionError, match="nobody is there"):
        DryRun().divert({"method": "add_order"})

"""The laws, looked at after every frame and every timer of a Ring, and at its end.

The checkers go by what the venue saw and by the journal's bytes, not by the bot's own books,
wherever the two can differ.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from decimal import Decimal
from typing import Any

from fastcore.codec.text import client_id_parse, client_id_text
from fastcore.lane.desk import KIND_ORDER
from fastcore.money.journal import parse_records, row_words
from hftbot.engine.recover import Replay, row_records, state_hash
from hftbot.words.market import BookTrust
from hftbot.words.order import OrderState
from world.ring import Ring

_HEAD = struct.Struct("<IIQII")
ORDER_BYTES = 24 + 64
SECOND_NS = 10**9


class Broken(AssertionError):
    """A law is broken; ``law`` is its number."""

    def __init__(self, law: int, text: str) -> None:
        super().__init__(f"law {law}: {text}")
        self.law = law


class Watch:
    """Watches one Ring. ``broken`` has what it found; the first one is the cause, most often."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.events = 0
        self.broken: list[Broken] = []
        self.adds: Counter[int] = Counter()
        self.halted_at = -1
        self.trades: dict[str, tuple[int, int]] = {}
        self.fills_seen = 0
        self.fill_ids: set[str] = set()
        self.venue_mode = "online"
        self._journal_at = 0
        self._named: set[int] = set()
        self._journal = open(ring.world.journal.path, "rb")  # noqa: SIM115 - closed by end()
        self._trace, self._fill = ring.venue.trace, ring.venue.face.desk.fill
        ring.venue.trace = self._traced  # type: ignore[method-assign]
        ring.venue.face.desk.fill = self._filled  # type: ignore[method-assign]
        self.granted = self.ends_seen = self.frames_in = 0
        self.last_book_ns = 0
        self._count_grants()
        on_halt = ring.world.on_halt

        def halted() -> None:
            self.halted_at = ring.world.clock.mono_ns()
            on_halt()

        ring.world.on_halt = halted
        tick = ring.session.on_tick

        def ticked(now_us: int) -> None:
            tick(now_us)
            self.after_event()

        ring.session.on_tick = ticked

    def say(self, law: int, text: str) -> None:
        """A law is broken."""
        if len(self.broken) < 100:
            self.broken.append(Broken(law, f"at {self.ring.venue.loop.time():.6f} s: {text}"))

    # --- where we listen -----------------------------------------------------------------------

    def _count_grants(self) -> None:
        """How many orders strategies asked for and got."""
        for _strategy, desk in self.ring.world.engine.voices:
            def placed(*what: Any, place: Any = desk._place) -> int:
                client_id = int(place(*what))
                self.granted += client_id > 0
                return client_id
            desk._place = placed

    def _traced(self, way: str, frame: bytes) -> None:
        self._trace(way, frame)
        self.frames_in += way == "in"
        if way == "out":
            if b'"add_order"' in frame:
                self._order_leaves(json.loads(frame)["params"])
            elif b'"amend_order"' in frame:
                self._no_new_risk("an amend")
        elif frame.startswith(b'{"channel":"book"'):
            self.last_book_ns = self.ring.world.clock.mono_ns()
        elif frame.startswith(b'{"channel":"status"'):
            self.venue_mode = json.loads(frame)["data"][0]["system"]
        self.after_event()

    def _filled(self, *what: Any) -> None:
        desk = self.ring.venue.face.desk
        before = desk.counts["fills"]
        self._fill(*what)
        if desk.counts["fills"] > before:
            row = json.loads(desk.recent_trades[-1])
            lots = int(Decimal(str(row["last_qty"])) * 10**8)
            self.trades[row["exec_id"]] = (client_id_parse(row.get("cl_ord_id", "")), lots)

    # --- laws at the moment when an order leaves -----------------------------------------------

    def _order_leaves(self, params: dict[str, Any]) -> None:
        client_id = client_id_parse(params["cl_ord_id"])
        self.adds[client_id] += 1
        if self.adds[client_id] > 1:
            self.say(4, f"order {client_id} was sent twice")
        if client_id not in self._journaled():
            self.say(1, f"order {client_id} leaves, and the journal does not name it")
        self._no_new_risk(f"order {client_id}")
        self._fresh(client_id)
        self._market_mode(client_id, params)
        self._bounded(client_id, params)

    def _journaled(self) -> set[int]:
        """ClientIds of the ORDER rows in the journal's bytes so far."""
        self._journal.seek(self._journal_at or self.ring.world.journal.start)
        content = self._journal.read(1 << 16)
        at = 0
        while at + _HEAD.size <= len(content):
            length, _crc, _sequence, kind, _again = _HEAD.unpack_from(content, at)
            if length < _HEAD.size or at + length > len(content):
                break
            if kind == KIND_ORDER and length == ORDER_BYTES:
                self._named.add(row_words(content[at + _HEAD.size:at + length])[0])
            at += (length + 7) // 8 * 8
        self._journal_at = (self._journal_at or self.ring.world.journal.start) + at
        return self._named

    def _no_new_risk(self, what: str) -> None:
        if self.halted_at >= 0:
            self.say(7, f"{what} leaves after the halt")

    def _fresh(self, client_id: int) -> None:
        world = self.ring.world
        if world.engine.books[0].trust != BookTrust.TRUSTED:
            self.say(6, f"order {client_id} is priced from a book that is not trusted")
        silent_ns = world.clock.mono_ns() - self.last_book_ns
        # A heartbeat a second keeps a quiet book fresh.
        if silent_ns > world.settings.book_silence_us * 1000 + SECOND_NS:
            self.say(6, f"order {client_id}: the market was silent for {silent_ns / 1e9:.3f} s")

    def _market_mode(self, client_id: int, params: dict[str, Any]) -> None:
        if self.venue_mode in ("maintenance", "cancel_only") or (
                self.venue_mode == "post_only" and not params.get("post_only")):
            self.say(11, f"order {client_id} leaves while the venue is {self.venue_mode}")
        for order in self.ring.venue.face.desk.orders.values():
            price = Decimal(str(params["limit_price"])) if "limit_price" in params else None
            if price is None or (order.side == 1) == (params["side"] == "sell"):
                continue
            ours = Decimal(order.ticks) / 10
            if (params["side"] == "buy" and price >= ours) or (
                    params["side"] == "sell" and price <= ours):
                self.say(11, f"order {client_id} would trade with our own {order.cl_ord_id}")

    def _bounded(self, client_id: int, params: dict[str, Any]) -> None:
        """What we hold at the venue, what works there and this order: within the limit."""
        if params["side"] != "buy":
            return
        face, settings = self.ring.venue.face, self.ring.world.settings
        lots = int(Decimal(str(params["order_qty"])) * 10**8) + face.account.balances["BTC"] // 100
        lots += sum(order.open_lots for order in face.desk.orders.values() if order.side == 0)
        worth = Decimal(lots) / 10**8 * Decimal(str(params["limit_price"]))
        # The limit follows the price of the last timer; an aggressive price may stand above it.
        if worth > settings.position_usd_max * Decimal("1.05"):
            self.say(5, f"order {client_id} makes {worth:.2f} USD, the limit is "
                        f"{settings.position_usd_max}")
        if len(face.desk.orders) + 1 > settings.open_orders_max:
            self.say(5, f"order {client_id} is one more than {settings.open_orders_max}")

    # --- laws after every event ----------------------------------------------------------------

    def after_event(self) -> None:
        """Something happened: look at what is cheap to look at."""
        self.events += 1
        ring = self.ring
        if sum(self.adds.values()) > self.granted + 1:
            self.say(4, f"{sum(self.adds.values())} orders left, strategies asked for "
                        f"{self.granted}")
        fills = ring.witness.fills
        while self.fills_seen < len(fills):
            fill = fills[self.fills_seen]
            self.fills_seen += 1
            if fill.fill_id in self.fill_ids:
                self.say(2, f"fill {fill.fill_id} was applied twice")
            self.fill_ids.add(fill.fill_id)
            told = self.trades.get(fill.fill_id)
            if told is None:
                self.say(2, f"fill {fill.fill_id} is no trade of the venue")
            elif told != (fill.client_id, fill.lots):
                self.say(2, f"fill {fill.fill_id} is of {told[1]} lots, we booked {fill.lots}")
        self._ends_are_true()
        account = ring.world.account
        if account.open_orders < 0:
            self.say(8, f"{account.open_orders} orders are held")

    def _ends_are_true(self) -> None:
        """An order that we call canceled, rejected or expired does not work at the venue."""
        ends, named = self.ring.witness.ends, self.ring.venue.face.desk.named
        while self.ends_seen < len(ends):
            client_id, state = ends[self.ends_seen]
            self.ends_seen += 1
            if state != OrderState.FILLED and client_id_text(client_id) in named:
                self.say(4, f"order {client_id} is called {OrderState(state).name}, and it works "
                            "at the venue")

    # --- laws at the end -----------------------------------------------------------------------

    def end(self) -> list[Broken]:
        """After the drain: money, replay, secrets, ends."""
        self._journaled()
        self._journal.seek(0)
        self.content = self._journal.read()
        self._journal.close()
        for check in (self._accounted, self._conserved, self._replayed, self._silent, self._ended,
                      self._gone):
            check()
        return self.broken

    def _accounted(self) -> None:
        world = self.ring.world
        read = world.gateway.frames + world.feed.statistics()["frames"]
        if read != self.frames_in:
            self.say(8, f"{self.frames_in} frames came in, {read} were read")

    def _conserved(self) -> None:
        ring = self.ring
        account, position = ring.venue.face.account, ring.world.ledger.positions[0]
        if position.lots * 100 != account.balances["BTC"]:
            self.say(3, f"we hold {position.lots} lots, the venue says "
                        f"{account.balances['BTC'] // 100}")
        missing = set(self.trades) - self.fill_ids
        if missing:
            self.say(3, f"{len(missing)} trades of the venue were never booked")
        grid = ring.world.instruments[0]
        cash = 10_000 * 10**10 + position.cash * 10**10 // 10**grid.value_exponent
        if cash - ring.world.ledger.fees_e10 != account.balances["USD"]:
            self.say(3, f"our cash is {cash}, the venue's {account.balances['USD']}")

    def _replayed(self) -> None:
        replay = Replay(len(self.ring.world.instruments))
        records = ((sequence, kind, payload) for sequence, kind, payload, _end
                   in parse_records(self.content, "the journal"))
        for kind, words in row_records(records):
            replay.feed(kind, words)
        live = state_hash(self.ring.world.table, self.ring.world.ledger.positions)
        if replay.mismatch:
            self.say(9, f"the state noted in record {replay.mismatch} is not the replay's")
        if replay.state_hash() != live:
            self.say(9, "a replay of the journal gives another state than the run has")

    def _silent(self) -> None:
        gate = self.ring.venue.face.gate
        text = "\n".join(self.ring.notes.lines).encode() + self.content
        for secret in (gate.api_secret, *gate.tokens):
            if secret.encode() in text:
                self.say(10, "a secret is in the notes or in the journal")

    def _ended(self) -> None:
        ring = self.ring
        ends = Counter(client_id for client_id, _ in ring.witness.ends)
        for client_id in self.adds:
            if ends[client_id] > 1:
                self.say(12, f"order {client_id} ended {ends[client_id]} times")
            elif not ends[client_id] and ring.session.open_at_exit == 0:
                self.say(12, f"order {client_id} never ended")

    def _gone(self) -> None:
        if self.ring.session.open_at_exit == 0 and self.ring.venue.face.desk.orders:
            self.say(7, f"{len(self.ring.venue.face.desk.orders)} orders are open after the end "
                        "that was called verified")

"""The whole chain as a careful Python programmer writes it with orjson: the reference of the bench.

Frame bytes -> decode -> book -> (checksum) -> fair price -> decision -> guard, all rules -> hold ->
order id -> order table -> journal -> message budget -> order text. Each step of
``fastcore.lane.Lane.on_frame`` and ``LaneDesk.place`` has its counterpart here; nothing is kept
safer or more general than there.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left, insort
from collections import deque
from datetime import UTC, datetime

import orjson

from reference_book import SortedBook

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
(DENY_INVALID, DENY_HALTED, DENY_REDUCING, DENY_MODE, DENY_UNTRUSTED_BOOK, DENY_STALE_BOOK,
 DENY_STALE_REF, DENY_PRICE_COLLAR, DENY_PRICE_DRIFT, DENY_ORDER_VALUE, DENY_ORDER_LOTS,
 DENY_POSITION, DENY_GROSS, DENY_OPEN_ORDERS, DENY_MESSAGE_RATE, DENY_REPEATED_FILLS,
 DENY_DAILY_LOSS, DENY_DUPLICATE, DENY_SELF_TRADE, DENY_EXPIRED_INTENT, DENY_BELOW_MINIMUM,
 DENY_TABLE_FULL, DENY_NOT_READY, DENY_JOURNAL, DENY_NO_FUNDS) = [1 << i for i in range(25)]
HEAD = struct.Struct("<IIQI4x")
ROW = struct.Struct("<8q")
MINUTE_NS = 60_000_000_000


class ReferenceLane:
    """Decodes and applies one frame; keeps trust, top and fair price."""

    __slots__ = ("ask", "bid", "book", "checked", "decimals", "depth", "fair", "lots_scale",
                 "mismatches", "moved", "recv_ns", "symbol", "ticks_scale", "top", "trust", "ts_us")

    def __init__(self, symbol: str, price_precision: int, qty_precision: int, depth: int,
                 checked: bool) -> None:
        self.symbol = symbol
        self.book = SortedBook()
        self.ticks_scale, self.lots_scale = 10**price_precision, 10**qty_precision
        self.depth, self.checked = depth, checked
        self.trust = self.bid = self.ask = self.ts_us = self.recv_ns = self.mismatches = 0
        self.top = (0, 0, 0, 0)
        self.fair = 0.0
        self.moved = False

    def on_frame(self, frame: bytes, recv_ns: int) -> bool:
        """Apply a book frame. True if the book is trusted now."""
        message = orjson.loads(frame)
        if message["channel"] != "book":
            return False
        row = message["data"][0]
        if row["symbol"] != self.symbol:
            return False
        book = self.book
        if message["type"] == "snapshot":
            book = self.book = SortedBook()
            self.trust = 2
        elif self.trust != 2:
            return False
        ticks_scale, lots_scale = self.ticks_scale, self.lots_scale
        for level in row["bids"]:
            book.update(0, round(level["price"] * ticks_scale), round(level["qty"] * lots_scale))
        for level in row["asks"]:
            book.update(1, round(level["price"] * ticks_scale), round(level["qty"] * lots_scale))
        book.truncate(self.depth)
        self.ts_us = int(datetime.fromisoformat(row["timestamp"]).timestamp() * 1_000_000)
        self.recv_ns = recv_ns
        bid, ask = book.bids_sorted[-1], book.asks_sorted[0]
        if bid >= ask or (self.checked and self.checksum() != row["checksum"]):
            self.trust = 1
            self.mismatches += 1
            return False
        self.bid, self.ask = bid, ask
        bid_lots, ask_lots = book.bids[bid], book.asks[ask]
        top = (bid, bid_lots, ask, ask_lots)
        self.moved = top != self.top
        self.top = top
        self.fair = (bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots)
        return True

    def checksum(self) -> int:
        """CRC32 of the digits of the top ten asks and bids."""
        book = self.book
        bids, asks = book.bids, book.asks
        digits = [f"{ticks}{asks[ticks]}" for ticks in book.asks_sorted[:10]]
        digits += [f"{ticks}{bids[ticks]}" for ticks in book.bids_sorted[:-11:-1]]
        return zlib.crc32("".join(digits).encode())


class ReferenceGate:
    """Every rule of the guard, on plain attributes; integers as in fastcore.money.risk."""

    def __init__(self) -> None:
        self.state = self.mode = 0
        self.ready = True
        self.loss_e10, self.loss_e10_max = 0, 25 * 10**10
        self.gross_e10, self.gross_e10_max = 0, 10**18
        self.open_orders, self.open_orders_max = 0, 1000
        self.disabled = [False] * 32
        self.messages: deque[int] = deque()
        self.messages_max, self.cancel_reserve = 1_000_000, 10
        self.order_value_max, self.value_min = 10**18, 1
        self.order_lots_max, self.lots_min = 10**12, 1
        self.tick_min, self.tick_max = 1, 10**12
        self.collar_bps = 300
        self.same_order_window_ns = 50_000_000
        self.drift_bps_max, self.drift_slot_ns = 500, 1_250_000_001
        self.book_silence_ns_max, self.link_seen_ns = 2_000_000_000, 0
        self.ref_age_ns_max = self.ref_ticks = self.ref_seen_ns = 0
        self.position_lots_max, self.position_lots, self.position_cost = 10**15, 0, 0
        self.funds_value, self.funds_lots = 10**18, 10**18
        self.open_lots, self.open_values = [0, 0], [0, 0]
        self.own_prices: tuple[list[int], list[int]] = ([], [])
        self.recent: dict[tuple[int, int, int], int] = {}
        self.slots: dict[int, tuple[int, int]] = {}
        self.denied: dict[int, int] = {}

    def check(self, lane: ReferenceLane, side: int, ticks: int, lots: int, tif: int,
              post_only: bool, now_us: int, now_ns: int, created_us: int, ttl_us: int,
              strategy: int) -> int:
        """0, or the mask of all rules that said no."""
        if not (0 <= side <= 1 and ticks > 0 and lots > 0 and 0 <= tif <= 3 and now_us >= 0
                and now_ns >= 0 and created_us >= 0 and ttl_us >= 0):
            return DENY_INVALID
        if post_only and tif not in (0, 3):
            return DENY_INVALID
        bid, ask = lane.bid, lane.ask
        drifted = self.observe(bid + ask, now_ns)
        held = self.position_lots - self.open_lots[1] if side else \
            -self.position_lots - self.open_lots[0]
        reducing = lots <= held
        mask = self.state_rules(post_only, reducing, now_ns, strategy)
        mask |= self.market_rules(lane.trust, bid, ask, ticks, now_ns)
        value = ticks * lots
        if drifted and not reducing:
            mask |= DENY_PRICE_DRIFT
        if value > self.order_value_max:
            mask |= DENY_ORDER_VALUE
        if value < self.value_min or lots < self.lots_min:
            mask |= DENY_BELOW_MINIMUM
        if lots > self.order_lots_max:
            mask |= DENY_ORDER_LOTS
        if not self.tick_min <= ticks <= self.tick_max:
            mask |= DENY_PRICE_COLLAR
        own = self.own_prices[1 - side]
        if own and (ticks >= own[0] if side == 0 else ticks <= own[-1]):
            mask |= DENY_SELF_TRADE
        if side == 0 and value > self.funds_value - self.open_values[0]:
            mask |= DENY_NO_FUNDS
        if side == 1 and lots > self.funds_lots - self.open_lots[1]:
            mask |= DENY_NO_FUNDS
        if not reducing:
            mask |= self.exposure_rules(side, lots, value)
        seen_ns = self.recent.get((side, ticks, lots))
        if seen_ns is not None and now_ns - seen_ns < self.same_order_window_ns:
            mask |= DENY_DUPLICATE
        if ttl_us and now_us - created_us > ttl_us:
            mask |= DENY_EXPIRED_INTENT
        if mask:
            self.denied[mask] = self.denied.get(mask, 0) + 1
        return mask

    def observe(self, mid2: int, now_ns: int) -> bool:
        """Remember the doubled mid; True if it left the band of the last eight slots."""
        slot = now_ns // self.drift_slot_ns
        slots = self.slots
        low_high = slots.get(slot)
        if low_high is None:
            slots[slot] = (mid2, mid2)
            slots.pop(slot - 8, None)
        elif mid2 < low_high[0] or mid2 > low_high[1]:
            slots[slot] = (min(mid2, low_high[0]), max(mid2, low_high[1]))
        if len(slots) == 1:
            low, high = slots[slot]
        else:
            low = min(found[0] for found in slots.values())
            high = max(found[1] for found in slots.values())
        return (mid2 - low) * 10_000 > low * self.drift_bps_max \
            or (high - mid2) * 10_000 > high * self.drift_bps_max

    def state_rules(self, post_only: bool, reducing: bool, now_ns: int, strategy: int) -> int:
        """Rules on the account's state and its message budget."""
        mask = 0
        if self.state == 2:
            mask |= DENY_HALTED
        if self.state and not reducing:
            mask |= DENY_REDUCING
        if self.mode >= 2 or (self.mode == 1 and not post_only):
            mask |= DENY_MODE
        if not self.ready:
            mask |= DENY_NOT_READY
        if self.loss_e10 >= self.loss_e10_max > 0 and not reducing:
            mask |= DENY_DAILY_LOSS
        if self.disabled[strategy] and not reducing:
            mask |= DENY_REPEATED_FILLS
        messages = self.messages
        while messages and messages[0] <= now_ns - MINUTE_NS:
            messages.popleft()
        if len(messages) >= self.messages_max - self.cancel_reserve:
            mask |= DENY_MESSAGE_RATE
        return mask

    def market_rules(self, trust: int, bid: int, ask: int, ticks: int, now_ns: int) -> int:
        """Rules on the book, its age, and the distance of the price."""
        mask = 0
        if trust != 2:
            mask |= DENY_UNTRUSTED_BOOK
        if self.book_silence_ns_max and now_ns - self.link_seen_ns > self.book_silence_ns_max:
            mask |= DENY_STALE_BOOK
        if bid <= 0 or ask <= 0 or (ticks - ask) * 10_000 > ask * self.collar_bps \
                or (bid - ticks) * 10_000 > bid * self.collar_bps:
            mask |= DENY_PRICE_COLLAR
        if self.ref_age_ns_max and now_ns - self.ref_seen_ns > self.ref_age_ns_max:
            mask |= DENY_STALE_REF
        if self.ref_ticks and abs(ticks - self.ref_ticks) * 10_000 > \
                self.ref_ticks * self.collar_bps:
            mask |= DENY_PRICE_COLLAR
        return mask

    def exposure_rules(self, side: int, lots: int, value: int) -> int:
        """Rules on what would be at stake if everything open were filled."""
        mask = 0
        position = -self.position_lots if side else self.position_lots
        if lots > self.position_lots_max - position - self.open_lots[side]:
            mask |= DENY_POSITION
        buys = self.open_values[0] + self.position_cost + (0 if side else value)
        sells = self.open_values[1] - self.position_cost + (value if side else 0)
        if max(buys, sells) * 10 - self.gross_e10 > self.gross_e10_max - self.gross_e10:
            mask |= DENY_GROSS
        if self.open_orders >= self.open_orders_max:
            mask |= DENY_OPEN_ORDERS
        return mask

    def hold(self, side: int, ticks: int, lots: int, now_ns: int) -> None:
        """Count a new order before it is sent."""
        insort(self.own_prices[side], ticks)
        self.open_lots[side] += lots
        self.open_values[side] += ticks * lots
        self.open_orders += 1
        if len(self.recent) > 16:
            self.recent.clear()
        self.recent[(side, ticks, lots)] = now_ns
        self.revalue()

    def release(self, side: int, ticks: int, lots: int) -> None:
        """An order is over."""
        prices = self.own_prices[side]
        del prices[bisect_left(prices, ticks)]
        self.open_lots[side] -= lots
        self.open_values[side] -= ticks * lots
        self.open_orders -= 1
        self.recent.pop((side, ticks, lots), None)
        self.revalue()

    def revalue(self) -> None:
        """Worst-case gross, in 1e-10 quote units."""
        buys = self.open_values[0] + self.position_cost
        sells = self.open_values[1] - self.position_cost
        self.gross_e10 = max(buys, sells) * 10


class ReferenceDesk:
    """Guards, names, journals and writes an order."""

    def __init__(self, lane: ReferenceLane, gate: ReferenceGate, journal: memoryview,
                 token: str) -> None:
        self.lane, self.gate, self.journal, self.token = lane, gate, journal, token
        self.head = 1 << 32
        self.counter = self.request = self.sequence = self.at = 0
        self.orders: dict[int, list[int]] = {}
        self.seconds, self.stamp = -1, ""

    def place(self, strategy: int, side: int, ticks: int, lots: int, tif: int, post_only: bool,
              created_us: int, ttl_us: int, now_us: int, now_ns: int) -> int:
        """ClientId of the order in ``frame``, or the negative mask of the guard."""
        gate = self.gate
        mask = gate.check(self.lane, side, ticks, lots, tif, post_only, now_us, now_ns,
                          created_us, ttl_us, strategy)
        if mask:
            return -mask
        gate.hold(side, ticks, lots, now_ns)
        self.counter += 1
        client_id = self.head | self.counter
        self.orders[client_id] = [1, side, ticks, lots, 0, 0, client_id, strategy, tif,
                                  created_us, now_ns]
        self.append(1, ROW.pack(client_id, side, ticks, lots, strategy, tif, now_us, now_ns))
        gate.messages.append(now_ns)
        self.frame = self.text(side, ticks, lots, tif, post_only, client_id, now_us + 5_000_000)
        self.orders[client_id][0] = 2
        return client_id

    def append(self, kind: int, payload: bytes) -> None:
        """One journal record; the length word goes last."""
        size = HEAD.size + len(payload)
        at = self.at if self.at + size + 8 <= len(self.journal) else 0
        self.sequence += 1
        check = zlib.crc32(payload, kind)
        self.journal[at + 4:at + size] = HEAD.pack(size, check, self.sequence, kind)[4:] + payload
        self.journal[at:at + 4] = size.to_bytes(4, "little")
        self.at = at + size

    def text(self, side: int, ticks: int, lots: int, tif: int, post_only: bool, client_id: int,
             deadline_us: int) -> bytes:
        """The venue's add_order message."""
        digits = ""
        number = client_id
        while number:
            number, digit = divmod(number, 36)
            digits = ALPHABET[digit] + digits
        seconds, micros = divmod(deadline_us, 1_000_000)
        if seconds != self.seconds:
            self.seconds = seconds
            self.stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self.request += 1
        scale = self.lane.ticks_scale
        return (f'{{"method":"add_order","params":{{"order_type":"limit",'
                f'"side":"{"sell" if side else "buy"}","symbol":"{self.lane.symbol}",'
                f'"limit_price":{ticks // scale}.{ticks % scale},'
                f'"order_qty":{lots // 100_000_000}.{lots % 100_000_000:08d},'
                f'"time_in_force":"{("gtc", "ioc", "fok", "gtd")[tif]}",'
                f'"post_only":{"true" if post_only else "false"},"cl_ord_id":"h{digits}",'
                f'"deadline":"{self.stamp}.{micros // 1000:03d}Z","token":"{self.token}"}},'
                f'"req_id":{self.request}}}').encode()

    def drop(self, client_id: int) -> None:
        """The order is over with nothing traded: journal, guard, table."""
        row = self.orders.pop(client_id)
        self.append(3, ROW.pack(client_id, row[1], 9, 0, 0, 0, 0, 0))
        self.gate.release(row[1], row[2], row[3])


def replay(lane: ReferenceLane, desk: ReferenceDesk, frames: list[bytes], edge_ticks: int,
           lots: int, now_ns: int) -> tuple[int, int]:
    """As ``fastcore.lane.lane.replay``: an IOC whenever the fair price is off the mid by the edge.

    Returns (orders, good frames).
    """
    orders = good = 0
    for frame in frames:
        now_ns += 1_000_000
        good += lane.on_frame(frame, now_ns)
        if lane.trust != 2:
            continue
        desk.gate.link_seen_ns = now_ns
        gap = lane.fair * 2 - (lane.bid + lane.ask)
        if -edge_ticks * 2 < gap < edge_ticks * 2:
            continue
        side, ticks = (0, lane.ask) if gap >= 0 else (1, lane.bid)
        client_id = desk.place(0, side, ticks, lots, 1, False, lane.ts_us, 0, lane.ts_us, now_ns)
        if client_id > 0:
            orders += 1
            desk.drop(client_id)
    return orders, good

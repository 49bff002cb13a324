"""The money state out of a journal's rows, and its hash, live and replayed."""

from __future__ import annotations

import hashlib
import math
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from typing import Any, NamedTuple

from fastcore.lane import desk as rows
from fastcore.money.position import Position
from hftbot.engine.ledger import opened_us
from hftbot.words.events import E10
from hftbot.words.instrument import Instrument
from hftbot.words.order import OrderState, client_id_parts

_ORDER = struct.Struct("<11q")
_POSITION = struct.Struct("<5q")
_ROW = struct.Struct("<8q")
# A fill in the venue's own words: fill key, maker (0 or 1), fill id.
KIND_FILL_TEXT = 15
KIND_DRY = 16
# How an order ended, in words: ClientId, when (wall us), why it ended, why it was wanted.
KIND_END_TEXT = 17
_FILL_TEXT = struct.Struct("<qB")
_END_TEXT = struct.Struct("<qq")
# No text from outside fills the journal.
END_CHARACTERS_MAX = 300
ROW_BYTES = 64
STATE_CHECK, STATE_FIRST, STATE_CLEAN = 0, 1, 2
# Fills that a venue tells again after a reconnect are its last ones; so are those that come late.
KEYS_MAX = 512
ENDED_MAX = 256
KEYS_A_ROW = 4
# Transactions that a venue's counter may still remember.
SPENT_MAX = 4096
# A fill is told at most this long after the end of its order.
LATE_US = 60_000_000

NAMED, SENT, LIVE, PARTIAL = (int(OrderState.NAMED), int(OrderState.SENT), int(OrderState.LIVE),
                              int(OrderState.PARTIAL))
# When (wall us), for which instrument, and which kind of row.
Spent = tuple[int, int, int]
DOUBT, FULL = int(OrderState.DOUBT), int(OrderState.FILLED)


def state_hash(table: Any, positions: Iterable[Any]) -> int:
    """64 bits (signed) of every order that is not done and of every position.

    It does not depend on handles, on done orders, nor on an order that is only named: that one
    is not in the journal yet.
    """
    digest = hashlib.blake2b(digest_size=8)
    for handle in table.handles():
        row = table.get(handle)
        if NAMED < row["state"] < FULL:
            digest.update(_ORDER.pack(
                row["client_id"], row["instrument"], row["side"], row["ticks"], row["lots"],
                row["filled"], row["state"], row["tif"], row["post_only"], row["wish_ticks"],
                row["wish_lots"]))
    return _finish(digest, positions)


def _finish(digest: Any, positions: Iterable[Any]) -> int:
    for position in positions:
        digest.update(_POSITION.pack(position.instrument, position.lots, position.cost,
                                     position.realised, position.fees_e10))
    return int.from_bytes(digest.digest(), "little", signed=True)


def fill_text(key: int, maker: bool, fill_id: str) -> bytes:
    """Payload of a KIND_FILL_TEXT record."""
    return _FILL_TEXT.pack(key, maker) + fill_id.encode()


def fill_text_parse(payload: bytes) -> tuple[int, bool, str]:
    """(fill key, maker, fill id) of such a record."""
    key, maker = _FILL_TEXT.unpack_from(payload)
    return key, bool(maker), payload[_FILL_TEXT.size:].decode("utf-8", "replace")


class OrderEnd(NamedTuple):
    """What a KIND_END_TEXT record says of an order."""

    client_id: int
    ended_us: int
    reason: str
    intent: str


def end_text(client_id: int, ended_us: int, reason: str, intent: str) -> bytes:
    """Payload of a KIND_END_TEXT record, never as long as a row; long texts are cut."""
    reason = reason[:END_CHARACTERS_MAX].replace("\0", " ")
    intent = intent[:END_CHARACTERS_MAX].replace("\0", " ")
    payload = _END_TEXT.pack(client_id, ended_us) + f"{reason}\0{intent}".encode(errors="replace")
    return payload + b"\0" if len(payload) == ROW_BYTES else payload


def end_text_parse(payload: bytes) -> OrderEnd:
    """Such a record, read."""
    client_id, ended_us = _END_TEXT.unpack_from(payload)
    reason, _, intent = payload[_END_TEXT.size:].decode("utf-8", "replace").partition("\0")
    return OrderEnd(client_id, ended_us, reason, intent.rstrip("\0"))


def key_rows(keys: Sequence[int]) -> Iterator[list[int]]:
    """Known fill keys as rows of KIND_SEEN hold them: so many each, 0 where there is none."""
    for at in range(0, len(keys), KEYS_A_ROW):
        yield [*keys[at:at + KEYS_A_ROW], 0, 0, 0][:KEYS_A_ROW]


def dry_payload(text: str) -> bytes:
    """Payload of a KIND_DRY record: a request that was not sent, never as long as a row."""
    payload = text.encode()
    return payload + b" " if len(payload) == ROW_BYTES else payload


def row_records(records: Iterable[tuple[int, int, bytes]]) -> Iterator[tuple[int, Sequence[int]]]:
    """(kind, words) of a journal's records that are rows of eight words."""
    unpack = _ROW.unpack
    for _sequence, kind, payload in records:
        if len(payload) == ROW_BYTES and kind != KIND_FILL_TEXT:
            yield kind, unpack(payload)


@dataclass(slots=True)
class ReplayedOrder:
    """One order of ours as the journal tells it; ``arrived`` if the venue ever spoke of it."""

    client_id: int
    instrument: int
    side: int
    tif: int
    post_only: int
    ticks: int
    lots: int
    created_us: int
    filled: int = 0
    state: int = SENT
    wish_ticks: int = 0
    wish_lots: int = 0
    arrived: bool = False

    def unwish(self) -> None:
        """No amend is on its way any more."""
        self.wish_ticks = self.wish_lots = 0


class Replay:
    """Feed it the rows of a journal, first to last; it is then in the state that the run was in.

    ``orders`` holds what is not done by ClientId, ``ended`` what ended last (when, wall us),
    ``keys`` the last known fill keys. ``mismatch`` is the record at which a checkpoint did not
    agree, 0 while all do. ``on_over`` is called with each order that ended, and its end.
    """

    def __init__(self, instruments: int) -> None:
        self.positions: list[Any] = [Position(index) for index in range(instruments)]
        self.opened_us = [0] * instruments
        self.orders: dict[int, ReplayedOrder] = {}
        self.ended: dict[int, int] = {}
        self.keys: dict[int, None] = {}
        self.records = self.named = self.fills = self.checkpoints = self.mismatch = 0
        self.unknown = 0
        self.counter = 0
        self.day, self.day_profit_e10 = -1, 0
        self.first = False
        self.clean = False
        self.last_us = 0
        self.spent: deque[Spent] = deque(maxlen=SPENT_MAX)
        self.on_over: Callable[[ReplayedOrder, int], None] = lambda order, state: None
        self._handlers: dict[int, Callable[[Sequence[int]], None]] = {
            rows.KIND_ORDER: self._order, rows.KIND_FILL: self._fill, rows.KIND_DONE: self._done,
            rows.KIND_ACK: self._ack, rows.KIND_CANCEL: self._cancel, rows.KIND_AMEND: self._amend,
            rows.KIND_DOUBT: self._doubt, rows.KIND_AMENDED: self._amended,
            rows.KIND_ADOPT: self._adopt, rows.KIND_POSITION: self._position,
            rows.KIND_AMEND_REFUSED: self._amend_refused, rows.KIND_DISCARD: self._discard,
            rows.KIND_STATE: self._state, rows.KIND_SEEN: self._seen,
        }

    def feed(self, kind: int, words: Sequence[int]) -> None:
        """Apply the next record: its kind and its eight words."""
        self.records += 1
        handler = self._handlers.get(kind)
        if handler is None:
            self.unknown += 1
            return
        self.clean = False
        handler(words)

    def state_hash(self) -> int:
        """What ``state_hash`` says of the live run after the same record."""
        digest = hashlib.blake2b(digest_size=8)
        for client_id in sorted(self.orders):
            row = self.orders[client_id]
            digest.update(_ORDER.pack(
                client_id, row.instrument, row.side, row.ticks, row.lots, row.filled, row.state,
                row.tif, row.post_only, row.wish_ticks, row.wish_lots))
        return _finish(digest, self.positions)

    # --- rows of orders ------------------------------------------------------------------------

    def _order(self, words: Sequence[int]) -> None:
        client_id, flags, ticks, lots, created_us, self.last_us = words[:6]
        self.named += 1
        self.counter = client_id & 0xFFFFFFFF
        self.spent.append((self.last_us, flags & 0xFFFF, rows.KIND_ORDER))
        self.orders[client_id] = ReplayedOrder(
            client_id, flags & 0xFFFF, flags >> 16 & 1, flags >> 20 & 0xF, flags >> 24 & 1, ticks,
            lots, created_us)

    def _adopt(self, words: Sequence[int]) -> None:
        client_id, flags, ticks, lots, filled, _, self.last_us, created_us = words
        self.orders[client_id] = ReplayedOrder(
            client_id, flags & 0xFFFF, flags >> 16 & 1, flags >> 20 & 0xF, flags >> 24 & 1, ticks,
            lots, created_us, filled, PARTIAL if filled else LIVE)

    def _ack(self, words: Sequence[int]) -> None:
        self.last_us = words[6]
        order = self.orders.get(words[0])
        if order is not None:
            order.arrived = True
            if order.state in (SENT, DOUBT):
                order.state = PARTIAL if order.filled else LIVE

    def _fill(self, words: Sequence[int]) -> None:
        client_id, flags, ticks, lots, fee_e10, key, now_us, _ = words
        self.last_us = now_us
        self.fills += 1
        self._remember(key)
        index = flags & 0xFFFF
        position = self.positions[index]
        before = position.lots
        if position.apply(flags >> 16 & 1, ticks, lots, fee_e10) < 0:
            return
        self.opened_us[index] = opened_us(before, position.lots, self.opened_us[index], now_us)
        order = self.orders.get(client_id)
        if order is None:
            return
        order.arrived = True
        order.filled += lots
        if order.filled >= max(order.lots, order.wish_lots):
            self._over(client_id, FULL)
        else:
            order.state = PARTIAL

    def _done(self, words: Sequence[int]) -> None:
        self.last_us = words[6]
        self._over(words[0], words[2])

    def _discard(self, words: Sequence[int]) -> None:
        # Its frame never left: no fill of it can come.
        self.last_us = words[6] or self.last_us
        self.orders.pop(words[0], None)

    def _cancel(self, words: Sequence[int]) -> None:
        self.last_us = words[6]
        self.spent.append((self.last_us, words[1] & 0xFFFF, rows.KIND_CANCEL))

    def _doubt(self, words: Sequence[int]) -> None:
        self.last_us = words[6]
        order = self.orders.get(words[0])
        if order is not None:
            order.state = DOUBT

    def _amend(self, words: Sequence[int]) -> None:
        self.last_us = words[6]
        self.spent.append((self.last_us, words[1] & 0xFFFF, rows.KIND_AMEND))
        order = self.orders.get(words[0])
        if order is not None:
            order.wish_ticks, order.wish_lots = words[2:4]

    def _amended(self, words: Sequence[int]) -> None:
        self.last_us = words[6]
        order = self.orders.get(words[0])
        if order is not None:
            order.arrived = True
            order.ticks, order.lots = words[2:4]
            order.state = PARTIAL if order.filled else LIVE
            order.unwish()

    def _amend_refused(self, words: Sequence[int]) -> None:
        self.last_us = words[6] or self.last_us
        order = self.orders.get(words[0])
        if order is not None:
            order.unwish()
            if order.filled >= order.lots:
                self._over(words[0], FULL)

    def _over(self, client_id: int, state: int) -> None:
        order = self.orders.pop(client_id, None)
        if order is None:
            return
        self.on_over(order, state)
        self.ended[client_id] = self.last_us
        if len(self.ended) > ENDED_MAX:
            del self.ended[next(iter(self.ended))]

    # --- rows without an order -----------------------------------------------------------------

    def _position(self, words: Sequence[int]) -> None:
        _, index, lots, cost, realised, fees_e10, self.last_us, since_us = words
        if self.positions[index].restore(lots, cost, realised, fees_e10) == 0:
            self.opened_us[index] = since_us

    def _seen(self, words: Sequence[int]) -> None:
        for key in words[2:2 + KEYS_A_ROW]:
            if key:
                self._remember(key)

    def _remember(self, key: int) -> None:
        self.keys[key] = None
        if len(self.keys) > KEYS_MAX:
            del self.keys[next(iter(self.keys))]

    def _state(self, words: Sequence[int]) -> None:
        _, _, told, day, profit_e10, _counter, self.last_us, mark = words
        self.checkpoints += 1
        self.day, self.day_profit_e10 = day, profit_e10
        self.first = self.first or mark == STATE_FIRST
        self.clean = mark == STATE_CLEAN
        if not self.mismatch and told != self.state_hash():
            self.mismatch = self.records


@dataclass(frozen=True, slots=True)
class Held:
    """A position as a run left it: lots, what they cost (tick-lots), since when (wall us)."""

    lots: int = 0
    cost: int = 0
    opened_us: int = 0


@dataclass(frozen=True, slots=True)
class Carried:
    """What the next run takes over from the last one of its account.

    Instruments are counted as in the next run. ``positions`` has one entry for each of them;
    ``orders`` are those that were not done; ``ended`` those that ended so late that a fill of
    them may not have been told. ``first_profit_e10`` is from where the loss of ``day`` counts,
    for a run that begins with these positions and with nothing realised. ``lost`` are sentences
    about what cannot be taken over. ``spent`` are the last transactions, oldest first, for the
    venue's counter.
    """

    run: int
    clean: bool
    records: int
    last_us: int
    positions: tuple[Held, ...]
    orders: tuple[ReplayedOrder, ...]
    ended: tuple[int, ...]
    keys: tuple[int, ...]
    day: int
    first_profit_e10: int
    lost: tuple[str, ...]
    spent: tuple[Spent, ...] = ()


def carry(replay: Replay, run: int, symbols: Sequence[str],
          instruments: Sequence[Instrument], counted_in: Sequence[str] = ()) -> Carried:
    """What follows from a journal whose instruments were ``symbols``.

    ``counted_in`` are their grids as the journal's header has them: a venue may have changed what
    a tick and a lot are since then. Without them they are those of now.
    """
    grids = {grid.symbol: grid for grid in instruments}
    before = [grid_of(text, grids[symbol]) if symbol in grids else None
              for symbol, text in zip_longest(symbols, counted_in[:len(symbols)], fillvalue="")]
    held = [Held()] * len(instruments)
    lost = []
    profit_e10 = replay.day_profit_e10
    for index, symbol in enumerate(symbols):
        position = replay.positions[index]
        grid = grids.get(symbol)
        if grid is None:
            if position.lots:
                lost.append(f"{symbol} is not traded in this run: the {position.lots} lots held "
                            "are left alone")
            continue
        old = before[index] or grid
        same = _held_on(grid, old, Held(position.lots, position.cost, replay.opened_us[index]))
        if same is None:
            lost.append(f"{symbol} has other lots than then: the {old.qty_text(position.lots)} "
                        f"{grid.base} held are no whole number of them, the venue's word counts")
        held[grid.index] = same or Held()
        profit_e10 += position.fees_e10 - _worth_e10(old, position.realised)
    orders = []
    for client_id, order in sorted(replay.orders.items()):
        grid = grids.get(symbols[order.instrument])
        if client_id_parts(client_id).strategy == 0:
            continue
        if grid is None:
            lost.append(f"{symbols[order.instrument]} is not traded in this run: its order "
                        f"{client_id} may still be open at the venue")
        else:
            orders.append(_order_on(grid, before[order.instrument] or grid, order))
    ended = tuple(client_id for client_id, ended_us in replay.ended.items()
                  if replay.last_us - ended_us <= LATE_US)
    return Carried(run, replay.clean, replay.records, replay.last_us, tuple(held), tuple(orders),
                   ended, tuple(replay.keys), replay.day, profit_e10, tuple(lost),
                   tuple((at_us, grids[symbols[index]].index, kind)
                         for at_us, index, kind in replay.spent
                         if index < len(symbols) and symbols[index] in grids))


def grid_of(text: str, grid: Instrument) -> Instrument:
    """The instrument with the grid of a journal's header; as it is if the header has none."""
    parts = text.split(":")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        return grid
    price_precision, qty_precision, tick_units, lot_units = map(int, parts)
    return replace(grid, price_precision=price_precision, qty_precision=qty_precision,
                   tick_units=tick_units, lot_units=lot_units)


def _held_on(grid: Instrument, old: Instrument, held: Held) -> Held | None:
    """A position in the lots of another grid; None if it is no whole number of them."""
    lots, rest = divmod(held.lots * old.lot_units * 10**grid.qty_precision,
                        grid.lot_units * 10**old.qty_precision)
    if rest:
        return None
    each = grid.tick_units * grid.lot_units * 10**old.value_exponent
    cost = held.cost * old.tick_units * old.lot_units * 10**grid.value_exponent
    return Held(lots, (2 * cost + each) // (2 * each), held.opened_us)


def _order_on(grid: Instrument, old: Instrument, order: ReplayedOrder) -> ReplayedOrder:
    """An order in the ticks and lots of another grid: never fewer lots than it may still trade."""
    def ticks(count: int) -> int:
        return round(Fraction(count * old.tick_units * 10**grid.price_precision,
                              grid.tick_units * 10**old.price_precision))

    def lots(count: int) -> int:
        return math.ceil(Fraction(count * old.lot_units * 10**grid.qty_precision,
                                  grid.lot_units * 10**old.qty_precision))

    return replace(order, instrument=grid.index, ticks=ticks(order.ticks), lots=lots(order.lots),
                   filled=lots(order.filled), wish_ticks=ticks(order.wish_ticks),
                   wish_lots=lots(order.wish_lots))


def _worth_e10(grid: Instrument, tick_lots: int) -> int:
    """A sum of ticks * lots in 1e-10 quote units, rounded towards zero."""
    amount = abs(tick_lots) * grid.tick_units * grid.lot_units * E10
    worth: int = amount // 10**grid.value_exponent
    return worth if tick_lots >= 0 else -worth

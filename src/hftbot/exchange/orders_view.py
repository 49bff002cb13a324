"""What level3 subscribers see of one book: each resting order in its queue, and the checksum."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from hftbot.exchange.kraken_text import ListingText, Stamps, checksum

L3_DEPTHS = (10, 100, 1000)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# Odd, so that different numbers stay different.
SCRAMBLE = 0x9E37_79B9_7F4A_7C15_F39D
NAME_BITS = 80


class Queues(Protocol):
    """The part of a matcher that is read here."""

    def levels(self, side: int, count: int) -> list[tuple[int, int]]:
        """The best levels as (ticks, lots)."""

    def orders_at(self, side: int, ticks: int) -> list[tuple[int, int]]:
        """(order id, visible lots) of a level, first in the queue first."""


# Deletions and other events of one level.
Told = tuple[list[str], list[str]]


@dataclass(slots=True)
class Resting:
    """A published order. ``stamp`` is when it took its place in the queue."""

    matcher_id: int
    order_id: str
    lots: int
    stamp: str


class Side:
    """Levels of one side; a key is the price in ticks, negated for bids, so best is first."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.queues: dict[int, list[Resting]] = {}
        self.digits: dict[int, str] = {}

    def edge(self, depth: int) -> int | None:
        """Key of the last level inside a window, or None if the side is shorter."""
        return self.keys[depth - 1] if len(self.keys) >= depth else None

    def put(self, key: int, queue: list[Resting], digits: str) -> None:
        """Set a level's queue; an empty one takes the level out."""
        if queue:
            if key not in self.queues:
                insort(self.keys, key)
            self.queues[key] = queue
            self.digits[key] = digits
        elif key in self.queues:
            del self.keys[bisect_left(self.keys, key)]
            del self.queues[key]
            del self.digits[key]


class OrdersView:
    """The published orders of one listing. It sleeps until somebody watches it.

    ``name`` gives the venue's id of an order by the matcher's id. Orders that rested before the
    first subscriber came are dated to that moment, in the order of their queue.
    """

    def __init__(self, text: ListingText, queues: Queues, name: Callable[[int], str]) -> None:
        self.text = text
        self.queues = queues
        self.name = name
        self.stamps = Stamps()
        self.sides = (Side(-1), Side(1))
        # Depths that somebody is subscribed to, with the number of subscribers.
        self.depths: dict[int, int] = {}
        self.checksum = 0
        self.changed_us = 0
        self._last_ns = 0
        self._awake = False

    def watch(self, depth: int, now_us: int) -> None:
        """One more subscriber of a depth."""
        self.depths[depth] = self.depths.get(depth, 0) + 1
        if not self._awake:
            self._awake = True
            levels = [(side, ticks) for side in (0, 1)
                      for ticks, _lots in self.queues.levels(side, 1 << 20)]
            self._take(levels, now_us)

    def unwatch(self, depth: int) -> None:
        """One subscriber less."""
        left = self.depths.get(depth, 0) - 1
        if left > 0:
            self.depths[depth] = left
        else:
            self.depths.pop(depth, None)

    def apply(self, changes: Iterable[tuple[int, int, int]], now_us: int) -> dict[int, str]:
        """Read the levels that one engine event changed; returns each watched depth's update."""
        if not self._awake:
            return {}
        before = {depth: (self.sides[0].edge(depth), self.sides[1].edge(depth))
                  for depth in self.depths}
        levels = dict.fromkeys((side, ticks) for side, ticks, _lots in changes)
        known: tuple[set[int], set[int]] = (set(), set())
        for side, ticks in levels:
            key = ticks * self.sides[side].sign
            if key in self.sides[side].queues:
                known[side].add(key)
        events = self._take(levels, now_us)
        frames = {}
        for depth, edges in before.items():
            bids, asks = (",".join(self._window(side, depth, edges[side], events[side],
                                                known[side])) for side in (0, 1))
            if bids or asks:
                frames[depth] = (
                    f'{{"channel":"level3","type":"update","data":[{{"checksum":{self.checksum},'
                    f'"timestamp":"{self.stamps.nano(now_us)}","symbol":{self.text.symbol},'
                    f'"bids":[{bids}],"asks":[{asks}]}}]}}')
        return frames

    def snapshot(self, depth: int) -> str:
        """The whole window."""
        bids, asks = (",".join(self._row("", row, key * side.sign, row.stamp)
                               for key in side.keys[:depth] for row in side.queues[key])
                      for side in self.sides)
        return (f'{{"channel":"level3","type":"snapshot","data":[{{"symbol":{self.text.symbol},'
                f'"checksum":{self.checksum},"bids":[{bids}],"asks":[{asks}],'
                f'"timestamp":"{self.stamps.nano(self.changed_us)}"}}]}}')

    def _take(self, levels: Iterable[tuple[int, int]],
              now_us: int) -> tuple[dict[int, Told], dict[int, Told]]:
        """Bring levels up to date; returns what happened in each, by side and key."""
        happened: tuple[dict[int, Told], dict[int, Told]] = ({}, {})
        for side, ticks in levels:
            view = self.sides[side]
            key = ticks * view.sign
            queue, told = self._compare(side, ticks, view.queues.get(key, []), now_us)
            digits = "".join(self.text.digits(ticks, row.lots) for row in queue)
            view.put(key, queue, digits)
            happened[side][key] = told
        self.changed_us = now_us
        asks, bids = ([side.digits[key] for key in side.keys[:10]]
                      for side in (self.sides[1], self.sides[0]))
        self.checksum = checksum(asks, bids)
        return happened

    def _compare(self, side: int, ticks: int, old: list[Resting],
                 now_us: int) -> tuple[list[Resting], Told]:
        """The queue as it is now, and the deletions and other events that lead there.

        Who kept his place and changed his size is modified; who lost it leaves and comes anew.
        """
        found = self.queues.orders_at(side, ticks)
        present = {matcher_id for matcher_id, _lots in found}
        places = {row.matcher_id: place for place, row in enumerate(old)}
        gone = self.stamps.nano(now_us)
        deleted = [self._row("delete", row, ticks, gone) for row in old
                   if row.matcher_id not in present]
        events: list[str] = []
        queue: list[Resting] = []
        last = -1
        for matcher_id, lots in found:
            place = places.get(matcher_id, -1)
            if place > last:
                last = place
                row = old[place]
                if row.lots != lots:
                    row = Resting(matcher_id, row.order_id, lots, row.stamp)
                    events.append(self._row("modify", row, ticks, row.stamp))
            else:
                if place >= 0:
                    deleted.append(self._row("delete", old[place], ticks, gone))
                # Whoever stands behind a newcomer has come after him.
                last = len(old)
                row = Resting(matcher_id, self.name(matcher_id), lots, self._stamp(now_us))
                events.append(self._row("add", row, ticks, row.stamp))
            queue.append(row)
        return queue, (deleted, events)

    def _window(self, side: int, depth: int, edge: int | None, events: dict[int, Told],
                known: set[int]) -> list[str]:
        """Events of one side inside a window, then the orders of levels that moved into it.

        Deletions come first: an order that changed its price leaves before it comes again.
        """
        if not events:
            return []
        view = self.sides[side]
        now = view.edge(depth)
        first: list[str] = []
        pieces: list[str] = []
        for key, (deleted, told) in events.items():
            was_inside = key in known and (edge is None or key <= edge)
            is_inside = key in view.queues and (now is None or key <= now)
            if was_inside:
                first += deleted
            if is_inside:
                pieces += told if was_inside else self._adds(view, key)
        if edge is not None:
            for key in view.keys[bisect_left(view.keys, edge + 1):depth]:
                if key not in events:
                    pieces += self._adds(view, key)
        return first + pieces

    def _adds(self, view: Side, key: int) -> list[str]:
        return [self._row("add", row, key * view.sign, row.stamp) for row in view.queues[key]]

    def _row(self, event: str, row: Resting, ticks: int, stamp: str) -> str:
        head = f'"event":"{event}",' if event else ""
        return (f'{{{head}"order_id":"{row.order_id}","limit_price":{self.text.price(ticks)},'
                f'"order_qty":{self.text.qty(row.lots)},"timestamp":"{stamp}"}}')

    def _stamp(self, now_us: int) -> str:
        """A time of its own for each order, so that sorting by time gives the queue."""
        self._last_ns = max(now_us * 1_000, self._last_ns + 1)
        return f"{self.stamps.micro(self._last_ns // 1_000)[:-1]}{self._last_ns % 1_000:03d}Z"


def crowd_name(index: int, matcher_id: int) -> str:
    """A Kraken-shaped order id for an order of the crowd in the market of that index."""
    value = ((matcher_id << 8 | index) * SCRAMBLE) & ((1 << NAME_BITS) - 1)
    letters = "".join(ALPHABET[(value >> shift) & 31] for shift in range(0, NAME_BITS, 5))
    return f"O{letters[:5]}-{letters[5:10]}-{letters[10:]}"

"""What subscribers of one book see: windows of the published depths, refills, the checksum."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from hftbot.exchange.kraken_text import ListingText, checksum

DEPTHS = (10, 25, 100, 500, 1000)


class SideView:
    """One side as sorted keys; a key is the price in ticks, negated for bids, so best is first."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.lots: dict[int, int] = {}
        self.digits: dict[int, str] = {}

    def edge(self, depth: int) -> int | None:
        """Key of the last level inside a window, or None if the side is shorter."""
        return self.keys[depth - 1] if len(self.keys) >= depth else None

    def put(self, key: int, lots: int, digits: str) -> None:
        """Set a level's lots; 0 takes it out."""
        present = key in self.lots
        if lots:
            if not present:
                insort(self.keys, key)
            self.lots[key] = lots
            self.digits[key] = digits
        elif present:
            del self.keys[bisect_left(self.keys, key)]
            del self.lots[key]
            del self.digits[key]

    def top_digits(self) -> list[str]:
        """Checksum digits of the ten best levels."""
        return [self.digits[key] for key in self.keys[:10]]


class BookView:
    """The published book of one listing. ``apply`` one engine event, then ask ``updates``."""

    def __init__(self, text: ListingText) -> None:
        self.text = text
        self.sides = (SideView(-1), SideView(1))
        # Depths that somebody is subscribed to, with the number of subscribers.
        self.depths: dict[int, int] = {}
        self.checksum = 0
        self.ts_us = 0

    def best(self, side: int) -> tuple[int, int]:
        """Price in ticks and lots of the best level, zeros if the side is empty."""
        view = self.sides[side]
        if not view.keys:
            return 0, 0
        key = view.keys[0]
        return key * view.sign, view.lots[key]

    def watch(self, depth: int) -> None:
        """One more subscriber of a depth."""
        self.depths[depth] = self.depths.get(depth, 0) + 1

    def unwatch(self, depth: int) -> None:
        """One subscriber less."""
        left = self.depths.get(depth, 0) - 1
        if left > 0:
            self.depths[depth] = left
        else:
            self.depths.pop(depth, None)

    def apply(self, changes: Iterable[tuple[int, int, int]], now_us: int,
              stamp: str) -> dict[int, str]:
        """Take level changes of one event in; returns the update frame of each watched depth.

        A depth whose window did not change is absent.
        """
        changed: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for side, ticks, lots in changes:
            changed[side][ticks] = lots
        before = {depth: (self.sides[0].edge(depth), self.sides[1].edge(depth))
                  for depth in self.depths}
        gone: tuple[set[int], set[int]] = (set(), set())
        for side in (0, 1):
            view = self.sides[side]
            for ticks, lots in changed[side].items():
                key = ticks * view.sign
                if not lots and key not in view.lots:
                    gone[side].add(ticks)
                    continue
                view.put(key, lots, self.text.digits(ticks, lots) if lots else "")
        if not changed[0] and not changed[1]:
            return {}
        self.ts_us = now_us
        self.checksum = checksum(self.sides[1].top_digits(), self.sides[0].top_digits())
        frames = {}
        for depth in self.depths:
            edges = before[depth]
            bids = self.window(0, depth, edges[0], changed[0], gone[0])
            asks = self.window(1, depth, edges[1], changed[1], gone[1])
            if bids or asks:
                frames[depth] = self.frame("update", bids, asks, stamp)
        return frames

    def window(self, side: int, depth: int, edge: int | None, changed: dict[int, int],
               gone: set[int]) -> str:
        """Changed levels inside the window, removals first, then those that moved into it.

        In that order even a client that cuts its window after each level ends with the right one.
        """
        if not changed:
            return ""
        view = self.sides[side]
        now = view.edge(depth)
        pieces = []
        for ticks, lots in sorted(changed.items(), key=lambda change: change[1] > 0):
            key = ticks * view.sign
            # A removal matters if the level was inside, a size if the level is inside now.
            limit = now if lots else edge
            if ticks in gone or (limit is not None and key > limit):
                continue
            pieces.append(self.text.level(ticks, lots))
        if edge is not None:
            start = bisect_left(view.keys, edge + 1)
            for key in view.keys[start:depth]:
                ticks = key * view.sign
                if ticks not in changed:
                    pieces.append(self.text.level(ticks, view.lots[key]))
        return ",".join(pieces)

    def frame(self, kind: str, bids: str, asks: str, stamp: str) -> str:
        """A book message."""
        return (f'{{"channel":"book","type":"{kind}","data":[{{"symbol":{self.text.symbol},'
                f'"bids":[{bids}],"asks":[{asks}],"checksum":{self.checksum},'
                f'"timestamp":"{stamp}"}}]}}')

    def snapshot(self, depth: int, stamp: str) -> str:
        """The whole window."""
        sides = []
        for view in self.sides:
            sides.append(",".join(self.text.level(key * view.sign, view.lots[key])
                                  for key in view.keys[:depth]))
        return self.frame("snapshot", sides[0], sides[1], stamp)

"""A recorded market: events paced by the recording's own time, our orders queued in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastcore.sim.replay_matcher import ReplayMatcher
from hftbot.exchange.market import Batch
from hftbot.exchange.settings import Listing

DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
Event = tuple[int, int, int, int, int]


class ReplayMarket:
    """Plays (exch_ns, kind, side, ticks, lots) rows, one group of equal exch_ns per step."""

    def __init__(self, listing: Listing, events: Iterable[Event], pace: float = 1.0) -> None:
        self.listing = listing
        self.matcher = ReplayMatcher()
        self.events: Iterator[Event] = iter(events)
        self.pace = pace
        self.finished = False
        self.fills_are_public = False
        self.ahead: Event | None = next(self.events, None)
        # Recorded time that the clock time `origin_us` stands for.
        self.origin_ns = self.ahead[0] if self.ahead else 0
        self.origin_us = 0
        self.recorded_ns = self.origin_ns

    def open(self, now_us: int) -> Batch:
        """Play the beginning at once, until both sides show something to trade with."""
        batch = Batch()
        groups = 0
        while self.ahead is not None and groups < 1_000 and not (
                self.matcher.count(0) >= 10 and self.matcher.count(1) >= 10):
            self.group(batch)
            groups += 1
        batch.prints.clear()
        self.origin_us = now_us
        self.origin_ns = self.recorded_ns
        self.finished = self.ahead is None
        return batch

    def next_due_us(self) -> int | None:
        """When the next group is due, or None after the last."""
        if self.ahead is None:
            return None
        return self.origin_us + int((self.ahead[0] - self.origin_ns) / (1_000 * self.pace))

    def skip(self, now_us: int) -> None:
        """The clock jumped: the recording waits and goes on from here."""
        due = self.next_due_us()
        if due is not None and due < now_us:
            self.origin_us += now_us - due

    def step(self, now_us: int) -> Batch:
        """Play the group that is due."""
        batch = Batch()
        self.group(batch)
        self.finished = self.ahead is None
        return batch

    def group(self, batch: Batch) -> None:
        """All rows of one recorded instant."""
        row = self.ahead
        if row is None:
            return
        matcher = self.matcher
        self.recorded_ns = row[0]
        while row is not None and row[0] == self.recorded_ns:
            kind, side, ticks, lots = row[1:]
            if kind == TRADE:
                matcher.trade(side, ticks, lots)
                batch.prints.append((side, ticks, lots))
            elif kind == CLEAR:
                for each in (side,) if side in (0, 1) else (0, 1):
                    matcher.clear(each, ticks)
                    batch.take(matcher)
                row = next(self.events, None)
                continue
            elif kind in (DEPTH, SNAPSHOT):
                matcher.depth(side, ticks, lots)
            batch.take(matcher)
            row = next(self.events, None)
        self.ahead = row

    def mid_ticks(self) -> int:
        """Middle of the recorded touch."""
        return (self.matcher.best(0) + self.matcher.best(1)) // 2

    def market_time_us(self, now_us: int) -> int:
        """Recorded time of the last event."""
        return self.recorded_ns // 1_000

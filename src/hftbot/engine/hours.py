"""TRADING_HOURS: when entries are allowed; exits always are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hftbot.config.kinds import Hours
from hftbot.engine.desk import OrderBookkeeping
from hftbot.engine.router import Router

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
Window = tuple[int, int]


class TradingHours:
    """Windows of the UTC day as (first minute, minute after the last); none means always.

    A window whose end is not after its start goes on past midnight. ``on`` is kept by ``tick``.
    """

    def __init__(self, windows: Sequence[Window] = ()) -> None:
        self.windows = tuple(windows)
        self.on = True

    def contains(self, now_us: int) -> bool:
        """True if the moment (wall clock) lies within a window."""
        at_us = now_us % DAY_US
        for first, last in self.windows:
            start_us, end_us = first * MINUTE_US, last * MINUTE_US
            if start_us < end_us:
                if start_us <= at_us < end_us:
                    return True
            elif at_us >= start_us or at_us < end_us:
                return True
        return not self.windows

    def tick(self, now_us: int) -> bool:
        """Look at the clock. True if a window began or ended since the last look."""
        before, self.on = self.on, self.contains(now_us)
        return self.on != before

    def until_change_us(self, now_us: int) -> int:
        """How long it stays as it is now; 0 if it never changes."""
        if not self.windows:
            return 0
        at_us = now_us % DAY_US
        edges = {minute * MINUTE_US % DAY_US for window in self.windows for minute in window}
        waits = sorted((edge_us - at_us - 1) % DAY_US + 1 for edge_us in edges)
        now_on = self.contains(now_us)
        return next((wait_us for wait_us in waits if self.contains(now_us + wait_us) != now_on), 0)

    def text(self) -> str:
        """For people: ``always``, or the windows as a file says them."""
        return Hours().text(self.windows) or "always"


class HoursDoor:
    """Outside its hours nothing leaves or stays open that could make a position larger."""

    def __init__(self, hours: TradingHours, router: Router, rows: OrderBookkeeping,
                 warn: Callable[[str], None]) -> None:
        self.hours = hours
        self._router = router
        self._rows = rows
        self._warn = warn

    def tick(self, now_us: int) -> None:
        """Look at the clock; outside the hours, cancel what is left of the entries."""
        hours, router = self.hours, self._router
        if hours.tick(now_us):
            router.allow_entries(hours.on)
            minutes = hours.until_change_us(now_us) // MINUTE_US
            self._warn(f"TRADING_HOURS {hours.text()} UTC: "
                       + ("entries are allowed" if hours.on else "exits only")
                       + f" for {minutes // 60} h {minutes % 60} min")
        if hours.on:
            return
        table = self._rows.table
        for handle in self._rows.open_handles():
            gate = router.desks[table.instrument(handle)].gate
            if not gate.reduces(table.side(handle), 0) \
                    and not router.cancel_pending(table.client_id(handle)):
                router.cancel(handle)

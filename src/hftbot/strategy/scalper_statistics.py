"""What the scalper did: execution times, trade velocity, results by market, hour and exit."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from hftbot.strategy.position_cycler import ClosedTrade, ExitReason

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
EXECUTIONS_KEPT = 1_000
TRADES_KEPT = 1_000
EXECUTION_TARGET_US = 100_000
JUDGED_LEAST = 10


class Durations:
    """The last thousand durations; percentiles are exact over them."""

    def __init__(self) -> None:
        self.count = 0
        self._kept: deque[int] = deque(maxlen=EXECUTIONS_KEPT)
        self._sorted: list[int] | None = None

    def add(self, duration_ns: int) -> None:
        """One more, in nanoseconds."""
        self.count += 1
        self._kept.append(duration_ns)
        self._sorted = None

    def percentile_us(self, percent: int) -> float:
        """The smallest duration that so many percent do not pass, in microseconds; 0 if none."""
        if self._sorted is None:
            self._sorted = sorted(self._kept)
        count = len(self._sorted)
        return self._sorted[-(-count * percent // 100) - 1] / 1000 if count else 0.0

    def content(self) -> dict[str, float]:
        """Count, percentiles and maximum, in microseconds."""
        return {"count": self.count, "p50_us": self.percentile_us(50),
                "p95_us": self.percentile_us(95), "p99_us": self.percentile_us(99),
                "max_us": self.percentile_us(100)}


class Results:
    """Trades of one market, one hour or one exit reason: how many, won, and with what result."""

    __slots__ = ("fees_e10", "gross_e10", "held_us", "trades", "wins")

    def __init__(self) -> None:
        self.trades = self.wins = 0
        self.gross_e10 = self.fees_e10 = self.held_us = 0

    @property
    def net_e10(self) -> int:
        """What was made, fees taken off."""
        return self.gross_e10 - self.fees_e10

    def add(self, gross_e10: int, fees_e10: int, held_us: int) -> None:
        """One more trade."""
        self.trades += 1
        self.wins += gross_e10 > fees_e10
        self.gross_e10 += gross_e10
        self.fees_e10 += fees_e10
        self.held_us += held_us

    def content(self) -> dict[str, float]:
        """Plain figures, money in quote units."""
        return {"trades": self.trades, "wins": self.wins,
                "win_rate": round(self.wins / self.trades, 4) if self.trades else 0.0,
                "net": self.net_e10 / 1e10, "fees": self.fees_e10 / 1e10,
                "held_mean_s": round(self.held_us / self.trades / 1e6, 3) if self.trades else 0.0}


class ScalperStatistics:
    """Counts closed trades and executions, and says in words what they suggest.

    Times are wall-clock microseconds of the world, durations monotonic nanoseconds. Hours are
    UTC. ``net`` is after fees.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.all = Results()
        self.symbols = {symbol: Results() for symbol in symbols}
        self.hours: dict[int, Results] = {}
        self.exits = {reason: Results() for reason in ExitReason}
        self.entry_times, self.exit_times, self.order_times = Durations(), Durations(), Durations()
        self.held_min_us, self.held_max_us = -1, 0
        self._ends: deque[int] = deque(maxlen=TRADES_KEPT)
        self._began_us = 0

    def begin(self, now_us: int) -> None:
        """Trading begins."""
        self._began_us = now_us

    def executed(self, entry: bool, whole_ns: int, order_ns: int) -> None:
        """An order came to its end: so long after its signal or decision, and after it left."""
        (self.entry_times if entry else self.exit_times).add(whole_ns)
        self.order_times.add(order_ns)

    def closed(self, symbol: str, reason: ExitReason, trade: ClosedTrade, gross_e10: int,
               fees_e10: int, now_us: int) -> None:
        """A round trip is over."""
        hour = self.hours.setdefault(now_us // HOUR_US % 24, Results())
        for results in (self.all, self.symbols[symbol], hour, self.exits[reason]):
            results.add(gross_e10, fees_e10, trade.held_us)
        self.held_max_us = max(self.held_max_us, trade.held_us)
        self.held_min_us = (trade.held_us if self.held_min_us < 0
                            else min(self.held_min_us, trade.held_us))
        self._ends.append(now_us)

    def priority_pct(self, symbol: str) -> int:
        """How much a market's own record weighs its signals, 50 to 150; 100 without one.

        The share of trades won, drawn towards one half by ten trades that were not there.
        """
        results = self.symbols[symbol]
        return 50 + 100 * (results.wins + 5) // (results.trades + 10)

    def velocity(self, now_us: int) -> dict[str, float]:
        """Trades in the last minute and hour, and the rate since the start by hour and day."""
        ran_us = max(1, now_us - self._began_us)
        per_hour = self.all.trades * HOUR_US / max(ran_us, 60_000_000)
        return {"last_minute": self._since(now_us - 60_000_000),
                "last_hour": self._since(now_us - HOUR_US), "per_hour": round(per_hour, 2),
                "per_day": round(24 * per_hour, 1)}

    def _since(self, moment_us: int) -> int:
        return sum(1 for end_us in self._ends if end_us > moment_us)

    def content(self, now_us: int) -> dict[str, Any]:
        """Everything as plain figures; nothing that did not happen is listed."""
        return {
            "executions": {"entry": self.entry_times.content(), "exit": self.exit_times.content(),
                           "order": self.order_times.content()},
            "velocity": self.velocity(now_us),
            "symbols": {name: one.content() for name, one in self.symbols.items() if one.trades},
            "hours": {f"{hour:02d}": one.content() for hour, one in sorted(self.hours.items())},
            "exits_by": {reason.label: one.content() for reason, one in self.exits.items()
                         if one.trades}}

    def hints(self, counts: Mapping[str, int], late: int, post_only: bool = False) -> list[str]:
        """What the figures suggest, each with its evidence. ``counts`` are the order counters."""
        found = [*self._time_hints(late), *self._exit_hints(), *self._market_hints()]
        entries, unfilled = counts.get("entries", 0), counts.get("unfilled_entries", 0)
        if entries >= JUDGED_LEAST and unfilled * 2 > entries:
            found.append(f"{unfilled} of {entries} entries found nothing at their price: "
                         + ("raise ENTRY_REST_MS" if post_only else
                            "raise ENTRY_ALLOWANCE_BPS or lower the latency"))
        denials = counts.get("rate_denials", 0)
        if denials > max(entries, JUDGED_LEAST):
            found.append(f"{denials} entries were held back by the limits on messages and "
                         "transactions: raise COOLDOWN_MS or ENTRY_REST_MS, or see KRAKEN_TIER")
        wide = counts.get("wide_spreads", 0)
        if wide > 10 * max(entries, JUDGED_LEAST):
            found.append(f"{wide} signals met a spread of half the stop or more: trade a market "
                         "with a tighter spread or widen STOP_LOSS_PCT")
        return found

    def _time_hints(self, late: int) -> list[str]:
        found = []
        p99_us = self.order_times.percentile_us(99)
        if self.order_times.count >= JUDGED_LEAST and p99_us > EXECUTION_TARGET_US:
            found.append(f"one order in a hundred takes {p99_us / 1000:.0f} ms or longer, the "
                         f"target is {EXECUTION_TARGET_US // 1000} ms: move closer to the venue "
                         "or trade fewer markets")
        if late:
            found.append(f"{late} orders passed EXECUTION_DEADLINE_MS before they were over")
        return found

    def _exit_hints(self) -> list[str]:
        found: list[str] = []
        total = self.all.trades
        if total < JUDGED_LEAST:
            return found
        old = self.exits[ExitReason.MAX_HOLD]
        if old.trades * 2 > total:
            found.append(f"{old.trades} of {total} trades left only because of their age: "
                         "lower PROFIT_TARGET_PCT or raise MAX_HOLD_S")
        stops = self.exits[ExitReason.STOP_LOSS]
        if stops.trades * 2 > total:
            found.append(f"{stops.trades} of {total} trades ended at the stop, "
                         f"{stops.net_e10 / 1e10:+.6f} together: raise MOMENTUM_THRESHOLD")
        trailed = self.exits[ExitReason.TRAILING_STOP]
        if trailed.trades and trailed.net_e10 < 0:
            found.append(f"{trailed.trades} trades left at the trailing stop with "
                         f"{trailed.net_e10 / 1e10:+.6f} together: raise TRAILING_START_PCT")
        fees, gross = self.all.fees_e10, self.all.gross_e10
        if 0 < gross < fees:
            found.append(f"fees of {fees / 1e10:.6f} ate the gross profit of {gross / 1e10:.6f}: "
                         "raise PROFIT_TARGET_PCT or enter with ENTRY_ORDER=post_only")
        return found

    def _market_hints(self) -> list[str]:
        found = []
        for name, results in self.symbols.items():
            if results.trades >= JUDGED_LEAST and results.net_e10 < 0 \
                    and results.wins * 100 < 40 * results.trades:
                found.append(f"{name} lost {-results.net_e10 / 1e10:.6f} in {results.trades} "
                             f"trades, {results.wins} won: take it off SYMBOLS")
        for hour, results in sorted(self.hours.items()):
            if results.trades >= JUDGED_LEAST and results.net_e10 < 0 < self.all.net_e10:
                found.append(f"the hour from {hour:02d}:00 UTC lost "
                             f"{-results.net_e10 / 1e10:.6f} in {results.trades} trades while the "
                             "others earned: leave it out with TRADING_HOURS")
        return found

"""How often a strategy may enter: so many trades a day, fewer while they lose."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hftbot.errors import ConfigError

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
# Eight an hour for a hundred a day, as the design says.
HOUR_PCT = 8
JUDGED_TRADES = 20
JUDGED_LEAST = 10
FULL_PCT, LESS_PCT, LEAST_PCT = 100, 75, 50
WIN_PCT_LEAST = 40
LOSSES_IN_ROW_MAX = 5
PAUSE_US = 300_000_000


class TradePace:
    """At most ``target_day`` positions opened in a UTC day, and 8 % of it in any hour.

    The last trades judge the pace: with a loss over the last twenty it falls to three quarters,
    with fewer than two wins in five to one half, so that a target of 100 means 50 to 100 a day;
    five losses in a row stop entries for five minutes. A target of 0 means no pace at all.
    ``share_pct`` is the part of the target that is allowed now, ``why`` the reason in words.
    Raises ConfigError for a negative target.
    """

    def __init__(self, target_day: int = 0) -> None:
        if target_day < 0:
            raise ConfigError(f"TARGET_DAILY_TRADES: {target_day} must not be negative")
        self.target_day = target_day
        self.share_pct = FULL_PCT
        self.why = ""
        self.opened_day = 0
        self._day = -1
        self._paused_until_us = 0
        self._losses_in_row = 0
        self._hour: deque[int] = deque()
        self._results_e10: deque[int] = deque(maxlen=JUDGED_TRADES)

    def admits(self, now_us: int, pending: int = 0) -> bool:
        """Whether one more position may be opened; ``pending`` entries are on their way."""
        if self.target_day == 0:
            return True
        if now_us < self._paused_until_us:
            return False
        self._turn(now_us)
        return (self.opened_day + pending < self.day_most()
                and len(self._hour) + pending < self.hour_most())

    def opened(self, now_us: int) -> None:
        """A position was opened."""
        self._turn(now_us)
        self.opened_day += 1
        self._hour.append(now_us)

    def carry(self, opened_us: Sequence[int], now_us: int) -> None:
        """Positions that earlier runs opened today, oldest first, count as well."""
        self._turn(now_us)
        self.opened_day += len(opened_us)
        self._hour.extend(opened_us)
        self._turn(now_us)

    def closed(self, net_e10: int, now_us: int) -> None:
        """A trade ended with so much, fees taken off, in 1e-10 quote units."""
        self._results_e10.append(net_e10)
        self._losses_in_row = self._losses_in_row + 1 if net_e10 < 0 else 0
        if self._losses_in_row >= LOSSES_IN_ROW_MAX:
            self._losses_in_row = 0
            self._paused_until_us = now_us + PAUSE_US
        self._judge()

    def day_most(self) -> int:
        """Positions allowed in this UTC day."""
        return max(1, self.target_day * self.share_pct // 100)

    def hour_most(self) -> int:
        """Positions allowed in any hour."""
        return max(1, -(-self.target_day * HOUR_PCT * self.share_pct // 10_000))

    def opened_hour(self, now_us: int) -> int:
        """Positions opened within the last hour."""
        self._turn(now_us)
        return len(self._hour)

    def text(self, now_us: int) -> str:
        """What slows entries down now, in words; empty at full pace."""
        if self.target_day == 0:
            return ""
        if now_us < self._paused_until_us:
            return (f"paused for {(self._paused_until_us - now_us) // 1_000_000} s more: "
                    f"{LOSSES_IN_ROW_MAX} trades in a row lost")
        return self.why

    def content(self, now_us: int) -> dict[str, int]:
        """Its figures, as a strategy tells them."""
        return {"target_day": self.target_day, "opened_day": self.opened_day,
                "opened_hour": self.opened_hour(now_us), "share_pct": self.share_pct}

    def hints(self, paced_signals: int, now_us: int) -> list[str]:
        """Why signals were let pass, if so many positions are open as an hour or a day may see."""
        hour = self.opened_hour(now_us)
        if self.target_day == 0 or not paced_signals:
            return []
        if self.opened_day >= self.day_most():
            when, next_us = "this UTC day", (now_us // DAY_US + 1) * DAY_US
        elif hour >= self.hour_most():
            when, next_us = "within an hour", self._hour[-self.hour_most()] + HOUR_US
        else:
            return []
        count = self.opened_day if when == "this UTC day" else hour
        return [f"{paced_signals} signals were let pass: {count} positions were opened {when}, "
                f"earlier runs included, as many as TARGET_DAILY_TRADES={self.target_day} lets. "
                f"The next may open in {-(-(next_us - now_us) // 60_000_000)} minutes; "
                "TARGET_DAILY_TRADES=0 takes the limit off"]

    def _turn(self, now_us: int) -> None:
        day = now_us // DAY_US
        if day != self._day:
            self._day = day
            self.opened_day = 0
        while self._hour and now_us - self._hour[0] >= HOUR_US:
            self._hour.popleft()

    def _judge(self) -> None:
        results = self._results_e10
        total, wins = sum(results), sum(1 for one in results if one > 0)
        if len(results) < JUDGED_LEAST or total >= 0:
            self.share_pct, self.why = FULL_PCT, ""
            return
        poor = wins * 100 < WIN_PCT_LEAST * len(results)
        self.share_pct = LEAST_PCT if poor else LESS_PCT
        self.why = (f"{self.share_pct} % of the pace: the last {len(results)} trades lost "
                    f"{-total / 1e10:.6f} together, {wins} of them won")

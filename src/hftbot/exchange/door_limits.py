"""How often clients may come and subscribe: connections by address, level3 by its counter."""

from __future__ import annotations

from collections import deque

# Cloudflare in front of the venue: attempts in ten minutes, then ten minutes of nothing.
CONNECTIONS_MAX = 150
WINDOW_US = 600 * 1_000_000
BAN_US = 600 * 1_000_000
# The level3 counter: what a symbol costs by depth, and how much a second there is.
LEVEL3_COSTS = {10: 5, 100: 25, 1000: 100}
LEVEL3_PER_S = {"standard": 200, "pro": 500}
SECOND_US = 1_000_000


class Doorman:
    """Counts connection attempts of one address; ``limit`` 0 lets everybody in."""

    def __init__(self, limit: int = CONNECTIONS_MAX) -> None:
        self.limit = limit
        self.attempts: deque[int] = deque()
        self.banned_until_us = 0

    def admit(self, now_us: int) -> bool:
        """Whether an attempt may pass; one too many bans the address for ten minutes."""
        if self.limit == 0:
            return True
        if now_us < self.banned_until_us:
            return False
        while self.attempts and self.attempts[0] <= now_us - WINDOW_US:
            self.attempts.popleft()
        if len(self.attempts) >= self.limit:
            self.banned_until_us = now_us + BAN_US
            self.attempts.clear()
            return False
        self.attempts.append(now_us)
        return True


class SlidingCount:
    """Costs of the last second, at most ``limit`` together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.paid: deque[tuple[int, int]] = deque()
        self.total = 0

    def pay(self, cost: int, now_us: int) -> bool:
        """Whether the cost still fits; what does not fit is not counted."""
        while self.paid and self.paid[0][0] <= now_us - SECOND_US:
            self.total -= self.paid.popleft()[1]
        if self.total + cost > self.limit:
            return False
        self.paid.append((now_us, cost))
        self.total += cost
        return True

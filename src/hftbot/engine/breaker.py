"""The circuit breaker: after failures of the venue in a row only exits are sent for a while."""

from __future__ import annotations

CLOSED, OPEN, TRIAL = 0, 1, 2
STATE_NAMES = ("CLOSED", "OPEN", "TRIAL")


class Breaker:
    """CLOSED lets all orders through, OPEN only those that lower a position, TRIAL one more.

    ``failures_max`` failures in a row open it (0: none do). ``cooldown_ns`` later one order is
    tried: if the venue takes it, the breaker closes; if that fails too, the wait begins anew. What
    fails at one moment is one failure: a lost connection puts all orders in doubt at once. Times
    are monotonic nanoseconds and are given.
    """

    def __init__(self, failures_max: int = 5, cooldown_ns: int = 300_000_000_000) -> None:
        self.failures_max = failures_max
        self.cooldown_ns = cooldown_ns
        self.state = CLOSED
        self.failures = 0
        self.trips = 0
        self.reason = ""
        self._failed_ns = -1
        self._open_ns = 0
        self._trial: int | None = None

    def failed(self, client_id: int, reason: str, now_ns: int) -> bool:
        """An order failed at the venue. True if that opened the breaker."""
        if self.failures_max == 0 or now_ns == self._failed_ns:
            return False
        self._failed_ns = now_ns
        self.failures += 1
        if self.state == OPEN or (self.state == TRIAL and client_id != self._trial):
            return False
        if self.state == CLOSED and self.failures < self.failures_max:
            return False
        self.state = OPEN
        self.reason = reason
        self.trips += 1
        self._open_ns = now_ns
        self._trial = None
        return True

    def succeeded(self, client_id: int) -> bool:
        """The venue took an order. True if that closed the breaker."""
        if self.state == CLOSED:
            self.failures = 0
        if self.state != TRIAL or client_id != self._trial:
            return False
        self.state = CLOSED
        self.failures = 0
        self.reason = ""
        self._trial = None
        return True

    def tick(self, now_ns: int) -> bool:
        """Time has passed. True if the trial begins now."""
        if self.state != OPEN or now_ns - self._open_ns < self.cooldown_ns:
            return False
        self.state = TRIAL
        self._trial = None
        return True

    @property
    def admits(self) -> bool:
        """Whether an order that increases a position may leave."""
        return self.state == CLOSED or (self.state == TRIAL and self._trial is None)

    def tried(self, client_id: int) -> None:
        """An order left while the breaker was not closed: in a trial it is the one that counts."""
        if self.state == TRIAL and self._trial is None:
            self._trial = client_id

    def untried(self, client_id: int) -> None:
        """The order of the trial ended without an answer that counts: the next one is it."""
        if self.state == TRIAL and client_id == self._trial:
            self._trial = None

    def text(self) -> str:
        """The state in words, for the status."""
        if self.state == CLOSED:
            return f"CLOSED ({self.failures} of {self.failures_max} failures)"
        return f"{STATE_NAMES[self.state]}: {self.reason}"

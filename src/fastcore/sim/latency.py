"""How long an order takes to the exchange and its answer takes back, in nanoseconds."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

from fastcore.sim import rng as generators
from fastcore.sim.model_codes import CONSTANT, INTERPOLATED, JITTERED

if cython.compiled:
    from cython.cimports.fastcore.sim import _model_codes as code
else:
    from fastcore.sim import model_codes as code

LATENCY_NS_MAX = 1 << 60
# Feed and order latency of one core talking to itself: there is no network in these.
PRESETS = {"realistic": (50, 100), "optimistic": (30, 70), "pessimistic": (100, 200)}
PRESET_JITTER_NS = 20


class OrderLatency:
    """The order latency of one instrument. Times asked for must not go back.

    Make one by ``constant``, ``interpolated``, ``jittered`` or ``preset``, and one for each run:
    it remembers where it is (``rewind`` starts it anew). ``kind`` says which it is.
    """

    def __init__(self, kind: int = CONSTANT, entry_ns: int = 0, response_ns: int = 0) -> None:
        for name, value in (("entry_ns", entry_ns), ("response_ns", response_ns)):
            if not -LATENCY_NS_MAX <= value <= LATENCY_NS_MAX:
                raise ValueError(f"{name} must be within 2**60 ns, not {value}")
        if response_ns < 0:
            raise ValueError(f"response_ns must not be negative, not {response_ns}")
        self.kind = kind
        self.entry_ns = entry_ns
        self.response_ns = response_ns
        self.jitter_ns = 0
        self.tail_ns = 0
        self.rejects_e6 = 0
        self.rows = 0
        self.returned_rows = 0
        self.requested = self.reached = self.answered = array("q", [0])
        self.arrived = self.returned = array("q", [0])
        self.seed = 1
        self.rewind()

    @staticmethod
    def constant(entry_ns: int, response_ns: int) -> "OrderLatency":
        """Always the same; a negative entry rejects every order after that long."""
        return OrderLatency(CONSTANT, entry_ns, response_ns)

    @staticmethod
    def interpolated(requested, reached, answered) -> "OrderLatency":
        """Straight lines between recorded orders: when each was sent, reached, was answered.

        Three equally long sequences of nanoseconds. A ``reached`` of 0 or less is an order that
        never got there: near it orders are rejected once they were answered. Raises ValueError
        with the row where the times go back.
        """
        latency = OrderLatency(INTERPOLATED)
        columns = [array("q", [int(value) for value in column])
                   for column in (requested, reached, answered)]
        count = len(columns[0])
        if not count or len(columns[1]) != count or len(columns[2]) != count:
            raise ValueError("latency rows need as many sent as reached and answered times, "
                             f"at least one, not {[len(column) for column in columns]}")
        refuse_disorder(*columns)
        latency.requested, latency.reached, latency.answered = columns
        latency.rows = count
        there = [row for row in range(count) if columns[1][row] > 0]
        latency.arrived = array("q", [columns[1][row] for row in there] or [0])
        latency.returned = array("q", [columns[2][row] for row in there] or [0])
        latency.returned_rows = len(there)
        return latency

    @staticmethod
    def jittered(entry_ns: int, response_ns: int, jitter_ns: int, tail_ns: int = 0,
                 rejects_e6: int = 0, seed: int = 1) -> "OrderLatency":
        """Evenly spread by +-``jitter_ns``, plus an exponential tail of mean ``tail_ns``.

        That many orders in a million are rejected on the way. The same seed gives the same
        latencies on every interpreter.
        """
        latency = OrderLatency(JITTERED, entry_ns, response_ns)
        if not 0 <= jitter_ns <= min(entry_ns, response_ns):
            raise ValueError("jitter_ns must be from 0 to the smaller latency, not "
                             f"{jitter_ns}: no order arrives before it was sent")
        if not 0 <= tail_ns <= LATENCY_NS_MAX >> 20:
            raise ValueError(f"tail_ns must be from 0 to 2**40, not {tail_ns}")
        if not 0 <= rejects_e6 <= 1_000_000:
            raise ValueError(f"rejects_e6 must be from 0 to 1,000,000, not {rejects_e6}")
        latency.jitter_ns = jitter_ns
        latency.tail_ns = tail_ns
        latency.rejects_e6 = rejects_e6
        latency.seed = seed
        latency.rewind()
        return latency

    @staticmethod
    def preset(name: str, seed: int = 1) -> "OrderLatency":
        """``realistic``, ``optimistic`` or ``pessimistic``: in-core latency, no network in it."""
        if name not in PRESETS:
            raise ValueError(f"no latency preset is called {name!r}; there are "
                             + ", ".join(PRESETS))
        feed_ns, order_ns = PRESETS[name]
        return OrderLatency.jittered(order_ns, feed_ns, PRESET_JITTER_NS, seed=seed)

    def rewind(self) -> None:
        """Start anew: the first row, the first random number."""
        self.entry_row = 0
        self.response_row = 0
        self.rng = generators.SplitMix(self.seed)

    def entry(self, now_ns: int) -> int:
        """Nanoseconds from now until the exchange has it; negative: rejected after that long."""
        if self.kind == code.CONSTANT:
            return self.entry_ns
        if self.kind == code.JITTERED:
            return self.drawn(self.entry_ns, self.rejects_e6)
        i = self.entry_row
        while i + 1 < self.rows and self.requested[i + 1] <= now_ns:
            i += 1
        self.entry_row = i
        j = i
        if now_ns >= self.requested[0] and i + 1 < self.rows:
            j = i + 1
        if self.reached[i] <= 0 or self.reached[j] <= 0:
            latency_ns = between(
                now_ns, self.requested[i], self.answered[i] - self.requested[i],
                self.requested[j], self.answered[j] - self.requested[j])
            return -latency_ns if latency_ns > 0 else -1
        return between(now_ns, self.requested[i], self.reached[i] - self.requested[i],
                       self.requested[j], self.reached[j] - self.requested[j])

    def response(self, exch_ns: int) -> int:
        """Nanoseconds from an answer's leaving the exchange until we have it."""
        if self.kind == code.CONSTANT:
            return self.response_ns
        if self.kind == code.JITTERED:
            return self.drawn(self.response_ns, 0)
        i = self.response_row
        while i + 1 < self.returned_rows and self.arrived[i + 1] <= exch_ns:
            i += 1
        self.response_row = i
        j = i
        if exch_ns >= self.arrived[0] and i + 1 < self.returned_rows:
            j = i + 1
        return between(exch_ns, self.arrived[i], self.returned[i] - self.arrived[i],
                       self.arrived[j], self.returned[j] - self.arrived[j])

    def recorded(self) -> list[list[int]]:
        """The recorded orders: when each was sent, reached, answered; none unless INTERPOLATED."""
        return [list(self.requested)[:self.rows], list(self.reached)[:self.rows],
                list(self.answered)[:self.rows]]

    def drawn(self, mean_ns: int, rejects_e6: int) -> int:
        """A latency around ``mean_ns``, negative if this one is a rejection."""
        latency_ns = mean_ns + self.rng.below(2 * self.jitter_ns + 1) - self.jitter_ns
        if self.tail_ns > 0:
            tail_ns = int(self.tail_ns * self.rng.exponential())
            latency_ns += tail_ns
        if rejects_e6 > 0 and self.rng.below(1_000_000) < rejects_e6:
            return -latency_ns if latency_ns > 0 else -1
        return latency_ns


def between(x: int, left: int, left_ns: int, right: int, right_ns: int) -> int:
    """The straight line through (left, left_ns) and (right, right_ns) at x, cut towards zero.

    ``left_ns`` where both are the same point: outside the rows the nearest one counts.
    """
    if right <= left:
        return left_ns
    slope = (1.0 * (right_ns - left_ns)) / (1.0 * (right - left))
    change_ns = int(slope * (x - left))
    return left_ns + change_ns


def refuse_disorder(requested, reached, answered) -> None:
    """Raise ValueError with the first row whose times go back."""
    last_sent = last_reached = None
    for row, (sent, there, back) in enumerate(zip(requested, reached, answered)):
        if last_sent is not None and sent < last_sent:
            raise ValueError(f"latency row {row}: sent at {sent}, before the row above "
                             f"({last_sent}); sort the rows by that time")
        last_sent = sent
        if back < sent or there > back or 0 < there < sent:
            raise ValueError(f"latency row {row}: sent at {sent}, reached at {there}, answered at "
                             f"{back}; an order cannot arrive before it was sent")
        if there > 0:
            if last_reached is not None and there < last_reached:
                raise ValueError(f"latency row {row}: reached at {there}, before an order above "
                                 f"({last_reached}); orders do not overtake")
            last_reached = there

"""Message budgets, each with a share that only cancels may use.

``TokenBucket`` is how venues count: weighted, refilled steadily, and so up to twice its capacity
within the time that it takes to fill. ``MinuteWindow`` is our own limit, exact over any window.
``TradingCounter`` is Kraken's trading engine, where the cost of an amend or a cancel depends on
the age of the order.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

if cython.compiled:
    from cython.cimports.fastcore.money._wide import mix
else:
    from fastcore.money.wide import mix

TOKENS_MAX = 1_000_000
PLACES_MAX = 1_000_000
WINDOW_NS_MAX = 1 << 60
# A hundredth of a point a second is one unit a nanosecond: no decay is ever rounded.
POINT = 100_000_000_000
PAIRS_MAX = 4096
POINTS_MAX = 1_000_000
DECAY_E2_MAX = 8000
if not cython.compiled:
    SECOND_NS, SETTLE_NS, DECAY_NS_MAX = 1_000_000_000, 10_000_000_000, 1 << 50
    COST_MAX, LEVEL_MAX, REQUESTS = 10_000 * POINT, 1 << 61, 1024
    NOT_PROVED, MOVING = -1, -2
    ADD_COST = POINT


class TokenBucket:
    """Grants tokens from a bucket that refills steadily; starts full.

    ``capacity`` and ``reserve`` in tokens (at most a million), ``refill_per_s`` in tokens a
    second (fractions allowed, kept to a millionth). Time is monotonic nanoseconds and is given;
    time that runs backwards never adds tokens. Raises ValueError for impossible sizes.
    """

    def __init__(self, capacity: int, refill_per_s: float, reserve: int = 0) -> None:
        if not 0 < capacity <= TOKENS_MAX:
            raise ValueError(f"capacity must be 1..{TOKENS_MAX} tokens, not {capacity}")
        if not 0 <= reserve <= capacity:
            raise ValueError(f"reserve must be 0..{capacity} tokens, not {reserve}")
        if not 0 <= refill_per_s <= TOKENS_MAX:
            raise ValueError(f"refill must be 0..{TOKENS_MAX} tokens a second, not {refill_per_s}")
        self.capacity_e6 = capacity * 1_000_000
        self.refill_e6 = round(refill_per_s * 1_000_000)
        self.reserve_e6 = reserve * 1_000_000
        self.level_e6 = capacity * 1_000_000
        self.last_ns = 0
        self.carry = 0
        if self.refill_e6:
            self.full_us = capacity * 10**12 // round(refill_per_s * 1_000_000) + 1
        else:
            self.full_us = 0
        self.taken = 0
        self.refused = 0

    def take(self, weight: int, now_ns: int, reserved: bool = False) -> int:
        """Take ``weight`` tokens at ``now_ns``: 1 if granted, 0 if refused (nothing is taken).

        Only ``reserved`` takes reach into the reserve.
        """
        if not self.would_take(weight, now_ns, reserved):
            self.refused += 1
            return 0
        self.spend(weight)
        return 1

    def spend(self, weight: int) -> None:
        """Take what ``would_take`` has just allowed."""
        self.level_e6 -= weight * 1_000_000
        self.taken += weight

    def would_take(self, weight: int, now_ns: int, reserved: bool = False) -> bool:
        """True if ``take`` with the same arguments would be granted."""
        self._refill(now_ns)
        if weight < 0 or weight > 1_000_000:
            return False
        if reserved:
            return weight * 1_000_000 <= self.level_e6
        return weight * 1_000_000 <= self.level_e6 - self.reserve_e6

    def available(self, now_ns: int) -> int:
        """Whole tokens in the bucket at ``now_ns``, the reserve included."""
        self._refill(now_ns)
        return self.level_e6 // 1_000_000

    def set_level(self, tokens: int, now_ns: int) -> None:
        """Correct the level to what the venue says is left, within 0..capacity."""
        self._refill(now_ns)
        if tokens < 0:
            tokens = 0
        elif tokens > self.capacity_e6 // 1_000_000:
            tokens = self.capacity_e6 // 1_000_000
        self.level_e6 = tokens * 1_000_000
        self.carry = 0

    def _refill(self, now_ns: int) -> None:
        if now_ns - self.last_ns < 1000:
            return
        passed_us = (now_ns - self.last_ns) // 1000
        self.last_ns += passed_us * 1000
        if self.refill_e6 == 0:
            return
        if passed_us >= self.full_us:
            self.level_e6 = self.capacity_e6
            self.carry = 0
            return
        credit = self.carry + passed_us * self.refill_e6
        self.level_e6 += credit // 1_000_000
        self.carry = credit % 1_000_000
        if self.level_e6 >= self.capacity_e6:
            self.level_e6 = self.capacity_e6
            self.carry = 0

    def state_hash(self) -> int:
        """64-bit digest of the level and the time; equal on every interpreter."""
        digest = mix(0, self.level_e6)
        digest = mix(digest, self.carry)
        digest = mix(digest, self.last_ns)
        digest = mix(digest, self.taken)
        return mix(digest, self.refused)


class MinuteWindow:
    """Grants at most ``capacity`` places in any ``window_ns``, exactly; starts empty.

    A place taken at t is free again at t + ``window_ns``, not before. The last ``reserve`` free
    places are for reserved takes only. Time is monotonic nanoseconds and is given; time that runs
    backwards counts as the latest seen, and so never frees a place. A question costs the same for
    every weight, a grant one write a place. Raises ValueError for impossible sizes (capacity at
    most a million, ``window_ns`` at most 2**60).
    """

    def __init__(self, capacity: int, reserve: int = 0, window_ns: int = 60_000_000_000) -> None:
        if not 0 < capacity <= PLACES_MAX:
            raise ValueError(f"capacity must be 1..{PLACES_MAX} places, not {capacity}")
        if not 0 <= reserve <= capacity:
            raise ValueError(f"reserve must be 0..{capacity} places, not {reserve}")
        if not 0 < window_ns <= WINDOW_NS_MAX:
            raise ValueError(f"window must be 1..{WINDOW_NS_MAX} ns, not {window_ns}")
        self.capacity = capacity
        self.reserve = reserve
        self.window_ns = window_ns
        self.last_ns = 0
        self.taken = 0
        self.refused = 0
        # Never used: as if sent so long ago that it is out of every window.
        self.sent_ns = array("q", [-WINDOW_NS_MAX]) * capacity
        self.at = 0
        self.used = 0

    def take(self, weight: int, now_ns: int, reserved: bool = False) -> int:
        """Take ``weight`` places at ``now_ns``: 1 if granted, 0 if refused (none is taken).

        Only ``reserved`` takes reach into the reserve.
        """
        if not self.would_take(weight, now_ns, reserved):
            self.refused += 1
            return 0
        self.spend(weight)
        return 1

    def spend(self, weight: int) -> None:
        """Take what ``would_take`` has just allowed, at the time given there."""
        for i in range(weight):
            self.sent_ns[self.at] = self.last_ns
            self.at += 1
            if self.at == self.capacity:
                self.at = 0
        self.used += weight
        if self.used > self.capacity:
            self.used = self.capacity
        self.taken += weight

    def would_take(self, weight: int, now_ns: int, reserved: bool = False) -> bool:
        """True if ``take`` with the same arguments would be granted."""
        if now_ns > self.last_ns:
            self.last_ns = now_ns
        if weight < 1:
            return weight == 0
        # The take fits if the message that would be one too many has left the window.
        back = self.capacity - weight
        if not reserved:
            back -= self.reserve
        if back < 0:
            return False
        back = self.at - back - 1
        if back < 0:
            back += self.capacity
        return self.sent_ns[back] <= self.last_ns - self.window_ns

    def available(self, now_ns: int) -> int:
        """Free places at ``now_ns``, the reserve included."""
        if now_ns > self.last_ns:
            self.last_ns = now_ns
        self._forget()
        return self.capacity - self.used

    def _forget(self) -> None:
        # Each message leaves the count once, so this is paid for by its take.
        back = self.at - self.used
        if back < 0:
            back += self.capacity
        while self.used > 0 and self.sent_ns[back] <= self.last_ns - self.window_ns:
            self.used -= 1
            back += 1
            if back == self.capacity:
                back = 0

    def state_hash(self) -> int:
        """64-bit digest of the times in the window; equal on every interpreter."""
        self._forget()
        digest = mix(0, self.last_ns)
        digest = mix(digest, self.taken)
        digest = mix(digest, self.refused)
        back = self.at - self.used
        if back < 0:
            back += self.capacity
        for i in range(self.used):
            digest = mix(digest, self.sent_ns[back])
            back += 1
            if back == self.capacity:
                back = 0
        return digest


class TradingCounter:
    """Kraken's counter of transactions of one account, one for each pair, from our side.

    A transaction adds its cost in points, time takes ``decay_e2`` hundredths of a point a second
    away, and what would lift the counter beyond ``maximum`` is refused. We know neither when a
    request arrives nor how old an order is for the venue. So a cost counts whole from the sending
    until the answer is here (at most SETTLE_NS), and decays only then; and an order is as young
    as we can prove. So our count is never below the venue's, however long the wire takes, and
    equal to it where the wire takes no time. Costs are in units of 1/POINT points, times in
    monotonic nanoseconds; time that runs backwards counts as the latest seen. ``rows`` are the
    order table's. A ``maximum`` of 0 counts and never refuses. Raises ValueError for impossible
    sizes.
    """

    def __init__(self, instruments: int, rows: int, maximum: int = 60, decay_e2: int = 100,
                 reserve: int = 15, orders_max: int = 60) -> None:
        if not 0 < instruments <= PAIRS_MAX:
            raise ValueError(f"instruments must be 1..{PAIRS_MAX}, not {instruments}")
        if not 0 < rows <= PLACES_MAX:
            raise ValueError(f"rows must be 1..{PLACES_MAX}, not {rows}")
        self.instruments = instruments
        self.rows = rows
        self.level = array("q", bytes(8 * instruments))
        self.pending = array("q", bytes(8 * instruments))
        self.last_ns = array("q", bytes(8 * instruments))
        self.open_orders = array("q", bytes(8 * instruments))
        self.touched_ns = array("q", [NOT_PROVED]) * rows
        self.asked = array("q", bytes(8 * 4 * REQUESTS))
        self.oldest = self.newest = 0
        self.set_limits(maximum, decay_e2, reserve, orders_max)

    def set_limits(self, maximum: int, decay_e2: int, reserve: int, orders_max: int) -> None:
        """Other limits from now on; what was counted stays. Raises ValueError."""
        if not 0 <= maximum <= POINTS_MAX:
            raise ValueError(f"maximum must be 0..{POINTS_MAX} points, not {maximum}")
        if not 0 <= reserve <= maximum:
            raise ValueError(f"reserve must be 0..{maximum} points, not {reserve}")
        if not 0 <= decay_e2 <= DECAY_E2_MAX:
            raise ValueError(f"decay must be 0..{DECAY_E2_MAX} hundredths of a point a second, "
                             f"not {decay_e2}")
        if orders_max < 0:
            raise ValueError(f"orders_max must not be negative, not {orders_max}")
        self.maximum = maximum * POINT
        self.reserve = reserve * POINT
        self.decay_e2 = decay_e2
        self.orders_max = orders_max

    def amend_cost(self, handle: int, now_ns: int) -> int:
        """What changing an order costs at most, if asked at ``now_ns``."""
        age_ns = self._age_ns(handle, now_ns)
        if age_ns < 5 * SECOND_NS:
            return 4 * ADD_COST
        if age_ns < 10 * SECOND_NS:
            return 3 * ADD_COST
        return 2 * ADD_COST if age_ns < 15 * SECOND_NS else ADD_COST

    def cancel_cost(self, handle: int, now_ns: int) -> int:
        """What cancelling an order costs at most, if asked at ``now_ns``; 0 for an old one."""
        age_ns = self._age_ns(handle, now_ns)
        if age_ns < 15 * SECOND_NS:
            if age_ns < 5 * SECOND_NS:
                return 8 * ADD_COST
            return 6 * ADD_COST if age_ns < 10 * SECOND_NS else 5 * ADD_COST
        if age_ns < 90 * SECOND_NS:
            return 4 * ADD_COST if age_ns < 45 * SECOND_NS else 2 * ADD_COST
        return ADD_COST if age_ns < 300 * SECOND_NS else 0

    def would_take(self, instrument: int, cost: int, now_ns: int, reserved: bool = False) -> bool:
        """True if the venue cannot refuse this cost now, wherever our requests are by now.

        The last ``reserve`` points are for cancels and for orders that lower a position.
        """
        if instrument < 0 or instrument >= self.instruments or cost < 0 or cost > COST_MAX:
            return False
        if self.maximum == 0:
            return True
        self._forget(now_ns)
        self._decay(instrument, now_ns)
        free = self.maximum - self.level[instrument] - self.pending[instrument]
        if not reserved:
            free -= self.reserve
        return cost <= free

    def admits(self, instrument: int, now_ns: int) -> bool:
        """True if one more order is certainly fine: ``would_take`` and not ``full`` in one."""
        if self.maximum == 0:
            return True
        return not self.full(instrument) and self.would_take(instrument, ADD_COST, now_ns)

    def spend(self, instrument: int, cost: int, request: int, now_ns: int) -> None:
        """A request leaves. Request numbers rise; ``answered`` settles it.

        With number 0 it has arrived: what others sent on the same account, or nobody answers.
        """
        if instrument < 0 or instrument >= self.instruments or cost < 0 or cost > COST_MAX:
            return
        if request <= 0:
            self._add(instrument, cost, now_ns)
            return
        at = (request & (REQUESTS - 1)) << 2
        if self.asked[at] > 0 and self.asked[at] != request:
            self._settle(at, now_ns)
        self.asked[at] = request
        self.asked[at + 1] = instrument
        self.asked[at + 2] += cost
        self.asked[at + 3] = now_ns
        self.pending[instrument] += cost
        if self.oldest == 0:
            self.oldest = request
        if request > self.newest:
            self.newest = request

    def answered(self, request: int, now_ns: int) -> None:
        """The venue answered it, so it has arrived: from now on its cost decays."""
        at = (request & (REQUESTS - 1)) << 2
        if request > 0 and self.asked[at] == request:
            self._settle(at, now_ns)

    def told(self, instrument: int, count: int, now_ns: int) -> bool:
        """The venue told its own count. True if it is a point or more above ours, which follows.

        Then somebody else trades on the same account and pair. A lower count is no news: our
        requests may be on their way.
        """
        if instrument < 0 or instrument >= self.instruments or count < 0:
            return False
        missing = count - self.used(instrument, now_ns)
        if missing < ADD_COST or missing > COST_MAX:
            return False
        self.spend(instrument, missing, 0, now_ns)
        return True

    def confirmed(self, handle: int, now_ns: int) -> None:
        """The venue told of a new order: it is at least as old as this news."""
        if 0 <= handle < self.rows and self.touched_ns[handle] == NOT_PROVED:
            self.touched_ns[handle] = now_ns

    def moving(self, handle: int) -> None:
        """An amend leaves: from now on the order may be brand-new again."""
        if 0 <= handle < self.rows and self.touched_ns[handle] >= 0:
            self.touched_ns[handle] = MOVING - self.touched_ns[handle]

    def moved(self, handle: int, now_ns: int) -> None:
        """The venue amended an order: its age begins again, now at the latest."""
        if 0 <= handle < self.rows:
            self.touched_ns[handle] = now_ns

    def stayed(self, handle: int) -> None:
        """The venue refused the amend: the order is as old as before."""
        if 0 <= handle < self.rows and self.touched_ns[handle] <= MOVING:
            self.touched_ns[handle] = MOVING - self.touched_ns[handle]

    def opened(self, instrument: int, handle: int) -> None:
        """One more order counts as open; nothing proves yet that the venue has it."""
        self.open_orders[instrument] += 1
        if 0 <= handle < self.rows:
            self.touched_ns[handle] = NOT_PROVED

    def closed(self, instrument: int) -> None:
        """One less."""
        self.open_orders[instrument] -= 1

    def full(self, instrument: int) -> bool:
        """True if the pair has as many open orders as the venue allows."""
        if instrument < 0 or instrument >= self.instruments:
            return True
        return self.maximum > 0 and self.open_orders[instrument] >= self.orders_max

    def used(self, instrument: int, now_ns: int) -> int:
        """The count of a pair in 1/POINT points, what is on its way included."""
        if instrument < 0 or instrument >= self.instruments:
            return 0
        self._forget(now_ns)
        self._decay(instrument, now_ns)
        return self.level[instrument] + self.pending[instrument]

    def state_hash(self) -> int:
        """64-bit digest of the counts; equal on every interpreter."""
        digest = mix(0, self.oldest)
        for i in range(self.instruments):
            digest = mix(digest, self.level[i])
            digest = mix(digest, self.pending[i])
            digest = mix(digest, self.last_ns[i])
            digest = mix(digest, self.open_orders[i])
        return digest

    def _age_ns(self, handle, now_ns):
        if handle < 0 or handle >= self.rows or self.touched_ns[handle] < 0:
            return 0
        return now_ns - self.touched_ns[handle]

    def _decay(self, instrument, now_ns):
        passed_ns = now_ns - self.last_ns[instrument]
        if passed_ns <= 0:
            return
        self.last_ns[instrument] = now_ns
        if passed_ns > DECAY_NS_MAX:
            passed_ns = DECAY_NS_MAX
        self.level[instrument] -= passed_ns * self.decay_e2
        if self.level[instrument] < 0:
            self.level[instrument] = 0

    def _add(self, instrument, cost, now_ns):
        self._decay(instrument, now_ns)
        self.level[instrument] += cost
        if self.level[instrument] > LEVEL_MAX:
            self.level[instrument] = LEVEL_MAX

    def _settle(self, at, now_ns):
        self.pending[self.asked[at + 1]] -= self.asked[at + 2]
        self._add(self.asked[at + 1], self.asked[at + 2], now_ns)
        self.asked[at] = 0
        self.asked[at + 2] = 0

    def _forget(self, now_ns):
        # Each request is passed once, so this is paid for by its sending.
        while self.oldest > 0:
            at = (self.oldest & (REQUESTS - 1)) << 2
            if self.asked[at] == self.oldest:
                if now_ns - self.asked[at + 3] < SETTLE_NS:
                    return
                self._settle(at, now_ns)
            self.oldest += 1
            if self.oldest > self.newest:
                self.oldest = 0

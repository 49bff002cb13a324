"""Message budgets, each with a share that only cancels may use.

``TokenBucket`` is how venues count: weighted, refilled steadily, and so up to twice its capacity
within the time that it takes to fill. ``MinuteWindow`` is our own limit, exact over any window.
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

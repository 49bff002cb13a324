"""Weighted token bucket for message budgets, with a share that only cancels may use."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

if cython.compiled:
    from cython.cimports.fastcore.money._wide import mix
else:
    from fastcore.money.wide import mix

TOKENS_MAX = 1_000_000


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

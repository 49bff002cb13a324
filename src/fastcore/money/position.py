"""Position of one instrument at average cost, in exact integers."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

if cython.compiled:
    from cython.cimports.fastcore.money._wide import AMOUNT_MAX, mix, muldiv
else:
    from fastcore.money.wide import AMOUNT_MAX, mix, muldiv


class Position:
    """Net lots, their cost and what was earned; changed by fills and by nothing else.

    Amounts are tick-lots (ticks times lots). A fill that reduces the position releases its share
    of the cost, rounded towards zero; the remainder stays with the lots still held and is
    released with the last of them, so that ``cash + cost == realised`` at all times.
    """

    def __init__(self, instrument: int = 0) -> None:
        self.instrument = instrument
        self.lots = 0
        self.cost = 0
        self.cash = 0
        self.realised = 0
        self.fees_e10 = 0
        self.traded_lots = 0
        self.fills = 0

    def apply(self, side: int, ticks: int, lots: int, fee_e10: int) -> int:
        """Apply one fill of ours. Returns 0, or -1 for a fill that no account could have.

        -1 (side not 0 or 1, price or size not positive, an amount beyond 2**61) changes nothing.
        """
        if side < 0 or side > 1 or ticks <= 0 or lots <= 0 or lots > AMOUNT_MAX // ticks:
            return -1
        if fee_e10 > AMOUNT_MAX or fee_e10 < -AMOUNT_MAX:
            return -1
        sign = 1 - 2 * side
        held = self.lots if self.lots >= 0 else -self.lots
        paid = self.cost if self.cost >= 0 else -self.cost
        closing = 0
        if self.lots * sign < 0:
            closing = lots if lots < held else held
        released = 0
        if closing > 0:
            released = muldiv(paid, closing, held)
        gain = -sign * (ticks * closing - released)
        lots_after = self.lots + sign * lots
        cost_after = self.cost + sign * released + sign * ticks * (lots - closing)
        realised_after = self.realised + gain
        cash_after = self.cash - sign * ticks * lots
        fees_after = self.fees_e10 + fee_e10
        if (lots_after > AMOUNT_MAX or lots_after < -AMOUNT_MAX
                or cost_after > AMOUNT_MAX or cost_after < -AMOUNT_MAX
                or realised_after > AMOUNT_MAX or realised_after < -AMOUNT_MAX
                or cash_after > AMOUNT_MAX or cash_after < -AMOUNT_MAX
                or fees_after > AMOUNT_MAX or fees_after < -AMOUNT_MAX
                or self.traded_lots + lots > AMOUNT_MAX):
            return -1
        self.lots = lots_after
        self.cost = cost_after
        self.realised = realised_after
        self.cash = cash_after
        self.fees_e10 = fees_after
        self.traded_lots += lots
        self.fills += 1
        return 0

    def adopt(self, lots: int, cost: int) -> int:
        """Start from a position that exists already: lots at cost, both of one sign.

        Returns 0, or -1 (nothing changed) if the signs differ or an amount is beyond 2**61.
        """
        return self.restore(lots, cost, self.realised, self.fees_e10)

    def restore(self, lots: int, cost: int, realised: int, fees_e10: int) -> int:
        """Become what a record says. Returns 0, or -1 as ``adopt`` does, and nothing changed."""
        if lots > AMOUNT_MAX or lots < -AMOUNT_MAX or cost > AMOUNT_MAX or cost < -AMOUNT_MAX:
            return -1
        if (lots > 0 and cost < 0) or (lots < 0 and cost > 0) or (lots == 0 and cost != 0):
            return -1
        if (realised > AMOUNT_MAX or realised < -AMOUNT_MAX or fees_e10 > AMOUNT_MAX
                or fees_e10 < -AMOUNT_MAX):
            return -1
        self.lots = lots
        self.cost = cost
        self.realised = realised
        self.fees_e10 = fees_e10
        self.cash = realised - cost
        return 0

    def unrealised2(self, mark2_ticks: int) -> int:
        """Twice what closing at the mark would earn, in tick-lots, exactly.

        ``mark2_ticks`` is bid plus ask, which is twice the mid. Amounts beyond 2**61 saturate.
        """
        if self.lots == 0 or mark2_ticks <= 0:
            return 0
        if self.lots > AMOUNT_MAX // mark2_ticks:
            return AMOUNT_MAX
        if -self.lots > AMOUNT_MAX // mark2_ticks:
            return -AMOUNT_MAX
        return self.lots * mark2_ticks - 2 * self.cost

    def unrealised(self, mark2_ticks: int) -> int:
        """What closing at the mark would earn, in tick-lots, rounded down to whole ones.

        ``mark2_ticks`` is bid plus ask, which is twice the mid.
        """
        return self.unrealised2(mark2_ticks) >> 1

    def state_hash(self) -> int:
        """64-bit digest of all fields; equal on every interpreter."""
        digest = mix(0, self.instrument)
        digest = mix(digest, self.lots)
        digest = mix(digest, self.cost)
        digest = mix(digest, self.cash)
        digest = mix(digest, self.realised)
        digest = mix(digest, self.fees_e10)
        digest = mix(digest, self.traded_lots)
        return mix(digest, self.fills)

    def __repr__(self) -> str:
        return (f"Position(instrument={self.instrument}, lots={self.lots}, cost={self.cost}, "
                f"realised={self.realised}, fees_e10={self.fees_e10})")

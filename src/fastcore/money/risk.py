"""The guard: every order passes ``RiskGate.check`` before it is named.

All rules are evaluated and each that says no sets one bit of the mask (hftbot/words/verdict.py).
Products saturate instead of wrapping, so that no limit can be passed by overflow. A limit that was
never set allows nothing; 0 switches a rule off only where its line says so. Orders that can only
lower the position pass the rules of position, gross, open orders, drift, repeated fills, daily
loss and REDUCING; no order passes HALTED, a suspect or silent book, or the price collar.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

if cython.compiled:
    from cython.cimports.fastcore.money._wide import AMOUNT_MAX, mix, muldiv_up, product
else:
    from fastcore.money.wide import AMOUNT_MAX, mix, muldiv_up, product

if not cython.compiled:
    (DENY_INVALID, DENY_HALTED, DENY_REDUCING, DENY_MODE, DENY_UNTRUSTED_BOOK, DENY_STALE_BOOK,
     DENY_STALE_REF, DENY_PRICE_COLLAR, DENY_PRICE_DRIFT, DENY_ORDER_VALUE, DENY_ORDER_LOTS,
     DENY_POSITION, DENY_GROSS, DENY_OPEN_ORDERS, DENY_MESSAGE_RATE, DENY_REPEATED_FILLS,
     DENY_DAILY_LOSS, DENY_DUPLICATE, DENY_SELF_TRADE, DENY_EXPIRED_INTENT, DENY_BELOW_MINIMUM,
     DENY_TABLE_FULL, DENY_NOT_READY, DENY_JOURNAL, DENY_NO_FUNDS,
     DENY_BREAKER, DENY_VENUE_RATE) = [1 << i for i in range(27)]
    ACTIVE, REDUCING, HALTED = 0, 1, 2
    POST_ONLY_MODE, CANCEL_ONLY_MODE, TRUSTED, GTC, GTD = 1, 2, 2, 0, 3
    STRATEGIES, RECENT, DRIFT_SLOTS = 32, 16, 8

RULES = {
    "DENY_INVALID": DENY_INVALID, "DENY_HALTED": DENY_HALTED, "DENY_REDUCING": DENY_REDUCING,
    "DENY_MODE": DENY_MODE, "DENY_UNTRUSTED_BOOK": DENY_UNTRUSTED_BOOK,
    "DENY_STALE_BOOK": DENY_STALE_BOOK, "DENY_STALE_REF": DENY_STALE_REF,
    "DENY_PRICE_COLLAR": DENY_PRICE_COLLAR, "DENY_PRICE_DRIFT": DENY_PRICE_DRIFT,
    "DENY_ORDER_VALUE": DENY_ORDER_VALUE, "DENY_ORDER_LOTS": DENY_ORDER_LOTS,
    "DENY_POSITION": DENY_POSITION, "DENY_GROSS": DENY_GROSS,
    "DENY_OPEN_ORDERS": DENY_OPEN_ORDERS, "DENY_MESSAGE_RATE": DENY_MESSAGE_RATE,
    "DENY_REPEATED_FILLS": DENY_REPEATED_FILLS, "DENY_DAILY_LOSS": DENY_DAILY_LOSS,
    "DENY_DUPLICATE": DENY_DUPLICATE, "DENY_SELF_TRADE": DENY_SELF_TRADE,
    "DENY_EXPIRED_INTENT": DENY_EXPIRED_INTENT, "DENY_BELOW_MINIMUM": DENY_BELOW_MINIMUM,
    "DENY_TABLE_FULL": DENY_TABLE_FULL, "DENY_NOT_READY": DENY_NOT_READY,
    "DENY_JOURNAL": DENY_JOURNAL, "DENY_NO_FUNDS": DENY_NO_FUNDS, "DENY_BREAKER": DENY_BREAKER,
    "DENY_VENUE_RATE": DENY_VENUE_RATE,
}
LIMITS = ("order_value_max", "order_lots_max", "lots_min", "value_min", "tick_min", "tick_max",
          "collar_bps", "same_order_window_ns", "drift_bps_max", "drift_window_ns",
          "book_silence_ns_max", "ref_age_ns_max", "position_lots_max")


def _within(name, value, high):
    if not 0 <= value <= high:
        raise ValueError(f"{name} must be 0..{high}, not {value}")
    return value


class AccountRisk:
    """What the gates of one account at one venue share.

    ``open_orders_max`` orders may be open at once; ``gross_e10_max`` (worst case of all gates)
    and ``loss_e10_max`` (of the day, 0 = off) are 1e-10 quote units; ``fills_in_row_max`` (0 =
    off) consecutive fills of one strategy on one instrument that each increased the position: one
    more disables it until ``enable``. ``messages`` is the MinuteWindow that every order, amend and
    cancel takes a place of; its reserve is for cancels only. Raises ValueError without it, and for
    a limit outside 0..2**61. The engine sets ``state``, ``mode``, ``ready`` and ``loss_e10``.
    """

    def __init__(self, open_orders_max: int = 0, gross_e10_max: int = 0, loss_e10_max: int = 0,
                 fills_in_row_max: int = 50, messages=None) -> None:
        if messages is None:
            raise ValueError("AccountRisk needs a MinuteWindow for its messages")
        self.state = ACTIVE
        self.mode = 0
        self.ready = 0
        self.loss_e10 = 0
        self.open_orders_max = _within("open_orders_max", open_orders_max, AMOUNT_MAX)
        self.gross_e10_max = _within("gross_e10_max", gross_e10_max, AMOUNT_MAX)
        self.loss_e10_max = _within("loss_e10_max", loss_e10_max, AMOUNT_MAX)
        self.fills_in_row_max = _within("fills_in_row_max", fills_in_row_max, AMOUNT_MAX)
        self.messages = messages
        self.gross_e10 = 0
        self.open_orders = 0
        self.disabled = array("q", bytes(8 * STRATEGIES))

    def is_disabled(self, strategy: int) -> bool:
        """True after too many fills in a row, or ``disable``, until ``enable``."""
        if strategy < 0 or strategy >= STRATEGIES:
            return True
        return self.disabled[strategy] != 0

    def disable(self, strategy: int) -> None:
        """Let a strategy only reduce; recovery calls it for what was disabled before."""
        if strategy >= 0 and strategy < STRATEGIES:
            self.disabled[strategy] = 1

    def enable(self, strategy: int) -> None:
        """A human allows the strategy again."""
        if strategy >= 0 and strategy < STRATEGIES:
            self.disabled[strategy] = 0

    def state_hash(self) -> int:
        """64-bit digest of states and counters; equal on every interpreter."""
        digest = mix(0, self.state)
        digest = mix(digest, self.mode)
        digest = mix(digest, self.ready)
        digest = mix(digest, self.loss_e10)
        digest = mix(digest, self.gross_e10)
        digest = mix(digest, self.open_orders)
        for i in range(STRATEGIES):
            digest = mix(digest, self.disabled[i])
        return digest

    def limits(self) -> dict[str, int]:
        """The limits by name, for ``config show``."""
        return {"open_orders_max": self.open_orders_max, "gross_e10_max": self.gross_e10_max,
                "loss_e10_max": self.loss_e10_max, "fills_in_row_max": self.fills_in_row_max,
                "messages_max": self.messages.capacity,
                "messages_reserve": self.messages.reserve}


class RiskGate:
    """Guards the orders of one instrument. Limits are keyword arguments and public attributes.

    Limits of an order: ``order_value_max`` and ``value_min`` in tick-lots, ``order_lots_max``,
    ``lots_min``, ``tick_min``, ``tick_max``, ``collar_bps`` (how far beyond the touch, and the
    reference price if there is one), ``same_order_window_ns`` (0 = off). Of the market:
    ``drift_bps_max`` (0 = off) within ``drift_window_ns``, ``book_silence_ns_max`` (0 = off)
    since ``link_seen_ns``, ``ref_age_ns_max`` (0 = no reference needed). Of the position:
    ``position_lots_max``, worst case with all open orders. One tick-lot is worth
    ``value_numerator / value_denominator`` of 1e-10 quote units. Amounts are at most 2**61.
    """

    def __init__(self, instrument, account, position, exposure, value_numerator=1,
                 value_denominator=1, **limits: int) -> None:
        if account is None or position is None or exposure is None:
            raise ValueError("RiskGate needs an AccountRisk, a Position and an Exposure")
        if value_denominator < 1:
            raise ValueError(f"value_denominator must be at least 1, not {value_denominator}")
        self.instrument = instrument
        self.account = account
        self.position = position
        self.exposure = exposure
        self.value_numerator = _within("value_numerator", value_numerator, AMOUNT_MAX)
        self.value_denominator = _within("value_denominator", value_denominator, AMOUNT_MAX)
        self.order_value_max = self.order_lots_max = self.position_lots_max = 0
        self.value_min = self.tick_max = self.collar_bps = self.ref_age_ns_max = 0
        self.lots_min = self.tick_min = 1
        self.tick_max = AMOUNT_MAX
        self.same_order_window_ns = 50_000_000
        self.drift_bps_max = 500
        self.drift_window_ns = 10_000_000_000
        self.book_silence_ns_max = 2_000_000_000
        for name, value in limits.items():
            if name not in LIMITS:
                raise TypeError(f"unknown limit {name}; known: {', '.join(LIMITS)}")
            high = 10_000 if name in ("collar_bps", "drift_bps_max") else AMOUNT_MAX
            setattr(self, name, _within(name, value, high))
        self.link_seen_ns = self.ref_ticks = self.ref_seen_ns = 0
        self.funds_value = self.funds_lots = -1
        self.gross_e10 = self.denied = 0
        self.denials = array("q", bytes(8 * 32))
        self.fills_in_row = array("q", bytes(8 * STRATEGIES))
        self.recent = array("q", bytes(8 * 4 * RECENT))
        self.recent_at = 0
        self.drift = array("q", [-(1 << 62), 0, 0]) * DRIFT_SLOTS
        self.drift_slot = -1
        self.drift_from_ns = self.drift_until_ns = 0
        self.drift_low = self.drift_high = 0
        self.revalue()

    def check(self, book, side: int, ticks: int, lots: int, tif: int, post_only: bool,
              now_us: int, now_ns: int, created_us: int, ttl_us: int, strategy: int) -> int:
        """Verdict on a new order: 0 allows, else the mask of all rules that said no.

        ``now_us`` and ``created_us`` are wall clock, ``ttl_us`` 0 never expires, ``now_ns`` is
        monotonic. Nothing is held yet.
        """
        if book is None:
            return self._count(DENY_UNTRUSTED_BOOK)
        return self.check_top(book.trust, book.best_bid(), book.best_ask(), side, ticks, lots,
                              tif, post_only, now_us, now_ns, created_us, ttl_us, strategy)

    def check_top(self, trust: int, bid: int, ask: int, side: int, ticks: int, lots: int,
                  tif: int, post_only: bool, now_us: int, now_ns: int, created_us: int,
                  ttl_us: int, strategy: int) -> int:
        """``check`` with the top of the book given: 0 for no bid, INT64_MAX for no ask."""
        if (side < 0 or side > 1 or ticks <= 0 or lots <= 0 or tif < GTC or tif > GTD
                or (post_only and tif != GTC and tif != GTD) or now_us < 0 or now_ns < 0
                or created_us < 0 or ttl_us < 0):
            return self._count(DENY_INVALID)
        self.observe(bid, ask, now_ns)
        reducing = self.reduces(side, lots)
        mask = self._state_rules(post_only, reducing, now_ns, strategy)
        mask |= self._market_rules(trust, bid, ask, ticks, reducing, now_ns)
        mask |= self._order_rules(side, ticks, lots)
        mask |= self._funds_rule(side, ticks, lots)
        if not reducing:
            mask |= self._exposure_rules(side, ticks, lots)
            if self.account.open_orders >= self.account.open_orders_max:
                mask |= DENY_OPEN_ORDERS
        if self._sent_before(side, ticks, lots, now_ns):
            mask |= DENY_DUPLICATE
        if ttl_us > 0 and now_us - created_us > ttl_us:
            mask |= DENY_EXPIRED_INTENT
        return self._count(mask)

    def check_amend(self, book, side: int, ticks: int, lots: int, extra_lots: int,
                    post_only: bool, now_ns: int, strategy: int) -> int:
        """Verdict on changing a working order to ``lots`` at ``ticks``.

        ``extra_lots`` is what it adds to the lots that may still trade. 0 allows.
        """
        if book is None:
            return self._count(DENY_UNTRUSTED_BOOK)
        if (side < 0 or side > 1 or ticks <= 0 or lots <= 0 or extra_lots < 0
                or extra_lots > lots or now_ns < 0):
            return self._count(DENY_INVALID)
        self.observe(book.best_bid(), book.best_ask(), now_ns)
        reducing = extra_lots == 0 or self.reduces(side, extra_lots)
        mask = self._state_rules(post_only, reducing, now_ns, strategy)
        mask |= self._market_rules(book.trust, book.best_bid(), book.best_ask(), ticks,
                                   reducing, now_ns)
        mask |= self._order_rules(side, ticks, lots)
        mask |= self._funds_rule(side, ticks, extra_lots)
        if not reducing:
            mask |= self._exposure_rules(side, ticks, extra_lots)
        return self._count(mask)

    def observe(self, bid: int, ask: int, now_ns: int) -> None:
        """Remember the mid for the drift rule; ``check`` does it, and the engine between."""
        if bid <= 0 or ask <= 0 or bid > AMOUNT_MAX or ask > AMOUNT_MAX or now_ns < 0:
            return
        mid2 = bid + ask
        if now_ns >= self.drift_from_ns and now_ns < self.drift_until_ns:
            at = self.drift_slot % DRIFT_SLOTS * 3
            if mid2 < self.drift[at + 1]:
                self.drift[at + 1] = mid2
            if mid2 > self.drift[at + 2]:
                self.drift[at + 2] = mid2
            return
        slot = now_ns // (self.drift_window_ns // DRIFT_SLOTS + 1)
        at = slot % DRIFT_SLOTS * 3
        self.drift_from_ns = slot * (self.drift_window_ns // DRIFT_SLOTS + 1)
        self.drift_until_ns = self.drift_from_ns + self.drift_window_ns // DRIFT_SLOTS + 1
        self.drift_slot = slot
        self.drift[at] = slot
        self.drift[at + 1] = mid2
        self.drift[at + 2] = mid2
        self.drift_low = mid2
        self.drift_high = mid2
        for i in range(DRIFT_SLOTS):
            if self.drift[i * 3] > slot - DRIFT_SLOTS and self.drift[i * 3] <= slot:
                if self.drift[i * 3 + 1] < self.drift_low:
                    self.drift_low = self.drift[i * 3 + 1]
                if self.drift[i * 3 + 2] > self.drift_high:
                    self.drift_high = self.drift[i * 3 + 2]

    def hold(self, side: int, ticks: int, lots: int, now_ns: int) -> int:
        """Count a new order at once, before it is on the wire. 0, or -1 and nothing changed."""
        if self.exposure.add(side, ticks, lots) < 0:
            return -1
        self.account.open_orders += 1
        self.recent[self.recent_at] = side
        self.recent[self.recent_at + 1] = ticks
        self.recent[self.recent_at + 2] = lots
        self.recent[self.recent_at + 3] = now_ns
        self.recent_at = (self.recent_at + 4) & (4 * RECENT - 1)
        self.revalue()
        return 0

    def release(self, side: int, ticks: int, lots: int) -> int:
        """An order is over with ``lots`` never traded. 0, or -1 if it was not held."""
        if self.exposure.remove(side, ticks, lots) < 0:
            return -1
        self.account.open_orders -= 1
        self.revalue()
        return 0

    def filled(self, side: int, ticks: int, lots: int) -> int:
        """An order with the limit ``ticks`` traded; the position knows it already.

        The order stays held with the rest, 0 lots included, until ``release``.
        """
        if self.exposure.reduce(side, ticks, lots) < 0:
            return -1
        self.revalue()
        return 0

    def hold_more(self, side: int, ticks: int, lots: int) -> int:
        """Count what an amend on its way adds, and its new price. 0, or -1."""
        if self.exposure.add(side, ticks, lots) < 0:
            return -1
        self.revalue()
        return 0

    def release_more(self, side: int, ticks: int, lots: int) -> int:
        """Take back what ``hold_more`` counted. 0, or -1 if it was not held."""
        if self.exposure.remove(side, ticks, lots) < 0:
            return -1
        self.revalue()
        return 0

    def forget(self, side: int, ticks: int, lots: int) -> None:
        """An order ended without a trade: sending the same again is a retry, no duplicate."""
        at = self.recent_at
        for _ in range(RECENT):
            at = (at - 4) & (4 * RECENT - 1)
            if (self.recent[at + 1] == ticks and self.recent[at + 2] == lots
                    and self.recent[at] == side):
                self.recent[at + 2] = 0
                return

    def revalue(self) -> None:
        """Bring the gross exposure up to date; call it after the position was adopted."""
        now_e10 = self._worst_e10(0, 0)
        self.account.gross_e10 += now_e10 - self.gross_e10
        self.gross_e10 = now_e10

    def note_fill(self, strategy: int, increased: bool) -> None:
        """Count a fill of a strategy here, or begin anew; one too many disables it everywhere."""
        if strategy < 0 or strategy >= STRATEGIES:
            return
        if not increased:
            self.fills_in_row[strategy] = 0
            return
        self.fills_in_row[strategy] += 1
        if (self.account.fills_in_row_max > 0
                and self.fills_in_row[strategy] > self.account.fills_in_row_max):
            self.fills_in_row[strategy] = 0
            self.account.disable(strategy)

    def reduces(self, side: int, lots: int) -> bool:
        """True if the order can only lower the position, with what is open on its side."""
        if side == 0:
            return lots <= -self.position.lots - self.exposure.lots[0]
        return lots <= self.position.lots - self.exposure.lots[1]

    def denial_counts(self) -> dict[str, int]:
        """How often each rule said no, by its verdict name; rules that never did are left out."""
        return {name: self.denials[bit.bit_length() - 1] for name, bit in RULES.items()
                if self.denials[bit.bit_length() - 1]}

    def limits(self) -> dict[str, int]:
        """The limits by name, for ``config show``."""
        return {name: getattr(self, name) for name in LIMITS}

    def state_hash(self) -> int:
        """64-bit digest of all state but the limits; equal on every interpreter."""
        digest = mix(self.exposure.state_hash(), self.gross_e10)
        digest = mix(digest, self.denied)
        for i in range(32):
            digest = mix(digest, self.denials[i])
            digest = mix(digest, self.fills_in_row[i])
        for i in range(4 * RECENT):
            digest = mix(digest, self.recent[i])
        for i in range(3 * DRIFT_SLOTS):
            digest = mix(digest, self.drift[i])
        return digest

    def _state_rules(self, post_only, reducing, now_ns, strategy):
        mask = 0
        if self.account.state == HALTED:
            mask |= DENY_HALTED
        if self.account.state != ACTIVE and not reducing:
            mask |= DENY_REDUCING
        if (self.account.mode >= CANCEL_ONLY_MODE
                or (self.account.mode == POST_ONLY_MODE and not post_only)):
            mask |= DENY_MODE
        if self.account.ready == 0:
            mask |= DENY_NOT_READY
        if self.account.loss_e10_max > 0 and not reducing:
            if self.account.loss_e10 >= self.account.loss_e10_max:
                mask |= DENY_DAILY_LOSS
        if not reducing and self.account.is_disabled(strategy):
            mask |= DENY_REPEATED_FILLS
        if not self.account.messages.would_take(1, now_ns, False):
            mask |= DENY_MESSAGE_RATE
        return mask

    def _market_rules(self, trust, bid, ask, ticks, reducing, now_ns):
        mask = 0
        if trust != TRUSTED:
            mask |= DENY_UNTRUSTED_BOOK
        if self.book_silence_ns_max > 0:
            if self.link_seen_ns <= 0 or now_ns - self.link_seen_ns > self.book_silence_ns_max:
                mask |= DENY_STALE_BOOK
        usable = bid > 0 and ask > 0 and bid <= AMOUNT_MAX and ask <= AMOUNT_MAX
        if not usable:
            mask |= DENY_PRICE_COLLAR
        elif _beyond(ticks, bid, ask, self.collar_bps):
            mask |= DENY_PRICE_COLLAR
        if self.ref_age_ns_max > 0:
            if (self.ref_ticks <= 0 or self.ref_seen_ns <= 0
                    or now_ns - self.ref_seen_ns > self.ref_age_ns_max):
                mask |= DENY_STALE_REF
        if self.ref_ticks > 0 and self.ref_ticks <= AMOUNT_MAX:
            if _beyond(ticks, self.ref_ticks, self.ref_ticks, self.collar_bps):
                mask |= DENY_PRICE_COLLAR
        if usable and self.drift_bps_max > 0 and not reducing:
            if self._drifted(bid, ask):
                mask |= DENY_PRICE_DRIFT
        return mask

    def _drifted(self, bid, ask):
        mid2 = bid + ask
        at = self.drift_slot % DRIFT_SLOTS * 3
        low = self.drift[at + 1]
        high = self.drift[at + 2]
        if self.drift_low < low:
            low = self.drift_low
        if self.drift_high > high:
            high = self.drift_high
        return _beyond(mid2, high, low, self.drift_bps_max)

    def _order_rules(self, side, ticks, lots):
        mask = 0
        value = product(ticks, lots)
        if value > self.order_value_max:
            mask |= DENY_ORDER_VALUE
        if value < self.value_min:
            mask |= DENY_BELOW_MINIMUM
        if lots > self.order_lots_max:
            mask |= DENY_ORDER_LOTS
        if lots < self.lots_min:
            mask |= DENY_BELOW_MINIMUM
        if ticks < self.tick_min or ticks > self.tick_max:
            mask |= DENY_PRICE_COLLAR
        own = self.exposure.best(1 - side)
        if own > 0:
            if (side == 0 and ticks >= own) or (side == 1 and ticks <= own):
                mask |= DENY_SELF_TRADE
        return mask

    def _exposure_rules(self, side, ticks, extra_lots):
        mask = 0
        if side == 0:
            if extra_lots > (self.position_lots_max - self.position.lots
                             - self.exposure.lots[0]):
                mask |= DENY_POSITION
        elif extra_lots > (self.position_lots_max + self.position.lots
                           - self.exposure.lots[1]):
            mask |= DENY_POSITION
        value = product(ticks, extra_lots)
        if value > AMOUNT_MAX:
            return mask | DENY_GROSS
        worst_e10 = self._worst_e10(value, 0) if side == 0 else self._worst_e10(0, value)
        if worst_e10 - self.gross_e10 > self.account.gross_e10_max - self.account.gross_e10:
            mask |= DENY_GROSS
        return mask

    def _worst_e10(self, more_buys, more_sells):
        # Position at cost, with all open orders of the worse side filled at their limits.
        buys = self.exposure.values[0] + more_buys + self.position.cost
        sells = self.exposure.values[1] + more_sells - self.position.cost
        if sells > buys:
            buys = sells
        buys = muldiv_up(buys, self.value_numerator, self.value_denominator)
        return buys if buys < AMOUNT_MAX else AMOUNT_MAX

    def _funds_rule(self, side, ticks, extra_lots):
        if side == 0 and self.funds_value >= 0:
            if product(ticks, extra_lots) > self.funds_value - self.exposure.values[0]:
                return DENY_NO_FUNDS
        if side == 1 and self.funds_lots >= 0:
            if extra_lots > self.funds_lots - self.exposure.lots[1]:
                return DENY_NO_FUNDS
        return 0

    def _sent_before(self, side, ticks, lots, now_ns):
        if self.same_order_window_ns == 0:
            return False
        # The newest first: whatever is older than one out of the window is out of it, too.
        at = self.recent_at
        for _ in range(RECENT):
            at = (at - 4) & (4 * RECENT - 1)
            if now_ns - self.recent[at + 3] >= self.same_order_window_ns:
                return False
            if (self.recent[at + 1] == ticks and self.recent[at + 2] == lots
                    and self.recent[at] == side):
                return True
        return False

    def _count(self, mask):
        if mask == 0:
            return 0
        self.denied += 1
        left = mask
        for i in range(32):
            self.denials[i] += left & 1
            left >>= 1
        return mask


def _beyond(ticks, low, high, bps):
    # price // 10000 first: the product then fits for any price up to 2**61.
    if ticks > high and ticks - high > high // 10000 * bps + high % 10000 * bps // 10000:
        return True
    return ticks < low and low - ticks > low // 10000 * bps + low % 10000 * bps // 10000

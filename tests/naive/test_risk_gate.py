"""RiskGate against the rules written in Decimal, over the whole int64 range."""

from collections import deque
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context, Decimal, localcontext

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from hftbot.words.verdict import Verdict
from twins import both, interpreted

AMOUNT_MAX = 1 << 61
INT64_MAX = (1 << 63) - 1
rooms = both("fastcore.money.risk")


def parts(room):
    """The other rooms in the same form."""
    if room is not rooms[0]:
        return (interpreted("fastcore.money.position"), interpreted("fastcore.money.exposure"),
                interpreted("fastcore.money.throttle"))
    return tuple(both("fastcore.money." + name)[0] for name in ("position", "exposure", "throttle"))


@dataclass
class World:
    """Everything that a verdict may depend on, in plain numbers."""

    limits: dict
    account: dict
    numerator: int
    denominator: int
    held: list
    position: tuple
    link_seen_ns: int
    ref: tuple
    funds: tuple
    messages: int
    disabled: bool
    tops: list = field(default_factory=list)


def build(room, w):
    position_room, exposure_room, throttle_room = parts(room)
    messages = throttle_room.MinuteWindow(10, 2, 1 << 60)
    messages.take(10 - w.messages, 0, True)
    account = room.AccountRisk(open_orders_max=w.account["open_orders_max"],
                               gross_e10_max=w.account["gross_e10_max"],
                               loss_e10_max=w.account["loss_e10_max"], messages=messages)
    for name in ("state", "mode", "ready", "loss_e10"):
        setattr(account, name, w.account[name])
    if w.disabled:
        account.disable(3)
    position = position_room.Position()
    position.adopt(*w.position)
    gate = room.RiskGate(0, account, position, exposure_room.Exposure(64), w.numerator,
                         w.denominator, **w.limits)
    gate.link_seen_ns = w.link_seen_ns
    gate.ref_ticks, gate.ref_seen_ns = w.ref
    gate.funds_value, gate.funds_lots = w.funds
    return gate


class NaiveGate:
    """One rule a paragraph; amounts are Decimals that never overflow."""

    def __init__(self, w):
        self.w = w
        self.open = []
        self.recent = deque(maxlen=16)
        self.mids = []

    def hold(self, side, ticks, lots, now_ns):
        same = [o for o in self.open if o[0] == side]
        if (sum(o[2] for o in same) + lots > AMOUNT_MAX
                or sum(o[1] * o[2] for o in same) + ticks * lots > AMOUNT_MAX):
            return -1
        self.open.append((side, ticks, lots))
        self.recent.append((side, ticks, lots, now_ns))
        return 0

    def gross_e10(self, more_buys=0, more_sells=0):
        value = [sum(Decimal(t) * n for s, t, n in self.open if s == side) for side in (0, 1)]
        worst = max(value[0] + more_buys + self.w.position[1],
                    value[1] + more_sells - self.w.position[1])
        exact = Decimal(worst) * self.w.numerator / self.w.denominator
        return min(exact.to_integral_value(ROUND_CEILING), Decimal(AMOUNT_MAX))

    def outside(self, ticks, low, high):
        bps = self.w.limits["collar_bps"]
        return (Decimal(ticks) * 10000 > Decimal(high) * (10000 + bps)
                or Decimal(ticks) * 10000 < Decimal(low) * (10000 - bps))

    def check(self, trust, bid, ask, side, ticks, lots, tif, post_only, now_us, now_ns,
              created_us, ttl_us):
        w, limit, account = self.w, self.w.limits, self.w.account
        if (side not in (0, 1) or ticks < 1 or lots < 1 or tif not in (0, 1, 2, 3)
                or (post_only and tif in (1, 2)) or min(now_us, now_ns, created_us, ttl_us) < 0):
            return Verdict.DENY_INVALID
        usable = 0 < bid <= AMOUNT_MAX and 0 < ask <= AMOUNT_MAX
        if usable:
            self.mids.append((now_ns, bid + ask))
        held = Decimal(w.position[0]) * (1 - 2 * side)
        open_same = sum(n for s, _t, n in self.open if s == side)
        reducing = held < 0 and lots + open_same <= -held
        value = Decimal(ticks) * lots
        said = {
            Verdict.DENY_HALTED: account["state"] == 2,
            Verdict.DENY_REDUCING: account["state"] != 0 and not reducing,
            Verdict.DENY_MODE: account["mode"] >= 2 or (account["mode"] == 1 and not post_only),
            Verdict.DENY_NOT_READY: account["ready"] == 0,
            Verdict.DENY_UNTRUSTED_BOOK: trust != 2,
            Verdict.DENY_STALE_BOOK: limit["book_silence_ns_max"] > 0 and (
                w.link_seen_ns <= 0 or now_ns - w.link_seen_ns > limit["book_silence_ns_max"]),
            Verdict.DENY_STALE_REF: limit["ref_age_ns_max"] > 0 and (
                min(w.ref) <= 0 or now_ns - w.ref[1] > limit["ref_age_ns_max"]),
            Verdict.DENY_PRICE_COLLAR: not usable or self.outside(ticks, bid, ask)
            or (0 < w.ref[0] <= AMOUNT_MAX and self.outside(ticks, w.ref[0], w.ref[0]))
            or not limit["tick_min"] <= ticks <= limit["tick_max"],
            Verdict.DENY_PRICE_DRIFT: usable and not reducing and self.drifted(bid + ask, now_ns),
            Verdict.DENY_ORDER_VALUE: value > limit["order_value_max"],
            Verdict.DENY_ORDER_LOTS: lots > limit["order_lots_max"],
            Verdict.DENY_BELOW_MINIMUM: value < limit["value_min"] or lots < limit["lots_min"],
            Verdict.DENY_POSITION: not reducing
            and held + open_same + lots > limit["position_lots_max"],
            Verdict.DENY_GROSS: not reducing and self.gross_denies(side, value),
            Verdict.DENY_OPEN_ORDERS: not reducing and len(self.open) >= account["open_orders_max"],
            Verdict.DENY_MESSAGE_RATE: w.messages - 2 < 1,
            Verdict.DENY_REPEATED_FILLS: w.disabled and not reducing,
            Verdict.DENY_DAILY_LOSS: not reducing
            and 0 < account["loss_e10_max"] <= account["loss_e10"],
            Verdict.DENY_DUPLICATE: any(
                (s, t, n) == (side, ticks, lots) and now_ns - at < limit["same_order_window_ns"]
                for s, t, n, at in self.recent),
            Verdict.DENY_SELF_TRADE: any(s != side and (ticks - t) * (1 - 2 * side) >= 0
                                   for s, t, _n in self.open),
            Verdict.DENY_EXPIRED_INTENT: 0 < ttl_us < now_us - created_us,
            Verdict.DENY_NO_FUNDS: self.unfunded(side, value, lots),
        }
        return sum(rule for rule, no in said.items() if no)

    def gross_denies(self, side, value):
        if value > AMOUNT_MAX:
            return True
        more = (value, 0) if side == 0 else (0, value)
        return self.gross_e10(*more) > self.w.account["gross_e10_max"]

    def unfunded(self, side, value, lots):
        value_max, lots_max = self.w.funds
        if side == 0:
            return 0 <= value_max < value + sum(Decimal(t) * n for s, t, n in self.open if s == 0)
        return 0 <= lots_max < lots + sum(n for s, _t, n in self.open if s == 1)

    def drifted(self, mid2, now_ns):
        bps = self.w.limits["drift_bps_max"]
        # The window is eight slots; the present one and the seven before it count.
        length = self.w.limits["drift_window_ns"] // 8 + 1
        near = [mid for at, mid in self.mids if now_ns // length - at // length < 8]
        return bps > 0 and any(abs(mid2 - mid) * 10000 > mid * bps for mid in near)


WHOLE = st.integers(-(1 << 63), INT64_MAX)
NUMBERS = st.one_of(st.integers(1, 6), st.integers(1, 10**6), st.integers(2**60, 2**62), WHOLE)
NEAR = st.integers(9_600, 10_450)
# Values of orders near those that are asked for, to hit the limits exactly.
VALUES = st.builds(lambda ticks, lots, step: ticks * lots + step, NEAR, st.integers(1, 6),
                   st.integers(-1, 1))


def amounts(*near):
    return st.one_of(st.integers(0, 8), st.sampled_from([*near, AMOUNT_MAX]), VALUES,
                     st.integers(0, AMOUNT_MAX))


LIMITS = st.fixed_dictionaries({
    "order_value_max": amounts(), "order_lots_max": amounts(), "lots_min": st.integers(0, 4),
    "value_min": amounts(), "tick_min": st.sampled_from([0, 9_700, 10_000]),
    "tick_max": st.sampled_from([9_900, 10_100, AMOUNT_MAX]),
    "collar_bps": st.sampled_from([0, 1, 100, 300, 9999, 10000]),
    "same_order_window_ns": st.sampled_from([0, 1, 50]),
    "drift_bps_max": st.sampled_from([0, 1, 200, 500, 10000]),
    "drift_window_ns": st.sampled_from([0, 80, 10**10]),
    "book_silence_ns_max": st.sampled_from([0, 10, 10**9, AMOUNT_MAX]),
    "ref_age_ns_max": st.sampled_from([0, 0, 10, 10**9]), "position_lots_max": amounts()})
ACCOUNT = st.fixed_dictionaries({
    "open_orders_max": st.integers(0, 4), "gross_e10_max": amounts(),
    "loss_e10_max": st.sampled_from([0, 0, 5]), "loss_e10": st.integers(-1, 6),
    "state": st.sampled_from([0, 0, 0, 1, 2]), "mode": st.sampled_from([0, 0, 0, 1, 2, 3]),
    "ready": st.sampled_from([1, 1, 0])})
POSITION = st.one_of(
    st.just((0, 0)),
    st.tuples(st.integers(1, 10), st.integers(0, 100_000)),
    st.tuples(st.integers(1, 10), st.integers(0, 100_000)).map(lambda p: (-p[0], -p[1])),
    st.sampled_from([(AMOUNT_MAX, AMOUNT_MAX), (-AMOUNT_MAX, -AMOUNT_MAX)]))
TIMES = st.one_of(st.sampled_from([0, 10, 11, 22, 49, 50, 51, 88]), st.integers(0, 200),
                  st.integers(0, 10**11))
WORLDS = st.builds(
    World, limits=LIMITS, account=ACCOUNT, numerator=st.sampled_from([1, 10, 10**9, AMOUNT_MAX]),
    denominator=st.sampled_from([1, 3, 10**4, AMOUNT_MAX]),
    held=st.lists(st.one_of(
        st.tuples(st.integers(0, 1), NEAR, st.integers(1, 6)),
        st.tuples(st.integers(0, 1), NUMBERS, NUMBERS).filter(lambda h: min(h[1:]) > 0)),
        max_size=4),
    position=POSITION, link_seen_ns=st.integers(-1, 100),
    ref=st.tuples(st.one_of(st.just(0), NEAR, WHOLE), TIMES),
    funds=st.tuples(st.one_of(st.just(-1), amounts()), st.one_of(st.just(-1), amounts())),
    messages=st.sampled_from([10, 10, 3, 2, 0]), disabled=st.booleans())
# trust, bid, ask, side, ticks, lots, tif, post only, now us, now ns, created us, ttl us
ORDINARY = st.tuples(
    st.sampled_from([2, 2, 1]), NEAR, NEAR, st.integers(0, 1), NEAR, st.integers(1, 6),
    st.sampled_from([0, 3]), st.booleans(), st.integers(0, 100), TIMES, st.integers(0, 100),
    st.sampled_from([0, 10]))
WILD = st.tuples(
    st.sampled_from([2, 1, 0]), st.one_of(st.just(0), NEAR, NUMBERS),
    st.one_of(st.just(INT64_MAX), NEAR, NUMBERS), st.sampled_from([0, 1, 0, 1, 2, -1]),
    st.one_of(NEAR, NUMBERS), NUMBERS, st.integers(-1, 4), st.booleans(), st.integers(-1, 100),
    st.one_of(st.just(-1), TIMES), st.integers(-1, 100), st.sampled_from([0, 0, 10, -1]))


@pytest.mark.law(5)
@settings(deadline=None, max_examples=examples(200), database=None)
@given(WORLDS, st.lists(st.one_of(ORDINARY, ORDINARY, WILD), min_size=1, max_size=6))
def test_every_form_agrees_with_the_decimals(world, orders):
    with localcontext(Context(prec=80)):
        compare(world, orders)


def compare(world, orders):
    gates = [build(room, world) for room in rooms]
    naive = NaiveGate(world)
    for hold in world.held:
        expected = naive.hold(*hold, 0)
        assert [gate.hold(*hold, 0) for gate in gates] == [expected] * len(gates)
    # Time goes forward, as the monotonic clock does.
    for order in sorted(orders, key=lambda o: o[9]):
        expected = naive.check(*order)
        for gate in gates:
            found = gate.check_top(*order, 3)
            assert found == expected, (Verdict(found ^ expected), Verdict(expected))
    for gate in gates:
        assert gate.gross_e10 == gate.account.gross_e10 == naive.gross_e10()
    assert len({gate.state_hash() for gate in gates}) == 1
    assert len({gate.account.state_hash() for gate in gates}) == 1


BIG = st.integers(1, INT64_MAX)


@pytest.mark.law(5)
@settings(deadline=None, max_examples=examples(150), database=None)
@given(BIG, BIG, st.integers(0, AMOUNT_MAX))
@example(3037000500, 3037000500, AMOUNT_MAX)
@example(1 << 32, 1 << 31, AMOUNT_MAX)
@example(INT64_MAX, INT64_MAX, AMOUNT_MAX)
@example(INT64_MAX, 2, 0)
def test_no_value_passes_its_limit_by_overflow(ticks, lots, value_max):
    for room in rooms:
        gate = build(room, World(
            limits={"order_value_max": value_max},
            account={"open_orders_max": 1, "gross_e10_max": 0, "loss_e10_max": 0, "loss_e10": 0,
                     "state": 0, "mode": 0, "ready": 1},
            numerator=1, denominator=1, held=[], position=(0, 0), link_seen_ns=1, ref=(0, 0),
            funds=(-1, -1), messages=10, disabled=False))
        mask = gate.check_top(2, 100, 101, 0, ticks, lots, 1, False, 0, 1, 0, 0, 0)
        too_much = Decimal(lots) > value_max // Decimal(ticks)
        assert bool(mask & Verdict.DENY_ORDER_VALUE) == too_much

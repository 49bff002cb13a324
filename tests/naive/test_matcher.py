"""Matcher against lists of orders, sorted and searched anew for every request.

The compiled matcher, its interpreted twin and the naive one do the same requests; after each,
fills, outcome, cancellations and book must agree, and both twins must have the same state hash.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.sim import codes
from fuzz.counts import examples
from twins import both, interpreted

MATCHERS = both("fastcore.sim.matcher")
REPLAYS = both("fastcore.sim.replay_matcher")


@dataclass
class Waiting:
    name: int
    owner: int
    side: int
    ticks: int
    lots: int
    rank: int
    expire_us: int = 0
    display: int = 0
    shown: int = 0

    def show(self):
        self.shown = min(self.display or self.lots, self.lots)


def slices_fit(lots, display):
    return display == 0 or (display > 0 and lots <= 15 * display)


class NaiveMatcher:
    """All orders in one list; the queue is a sort. Icebergs show slices, each a new arrival."""

    def __init__(self):
        self.orders = []
        self.names = 0
        self.ranks = 0
        self.fills = []
        self.cancels = []

    def queue(self, side):
        best_first = -1 if side == 0 else 1
        return sorted((o for o in self.orders if o.side == side),
                      key=lambda o: (best_first * o.ticks, o.rank))

    def levels(self, side):
        found = {}
        for order in self.queue(side):
            found[order.ticks] = found.get(order.ticks, 0) + order.shown
        return list(found.items())

    def reachable(self, side, ticks):
        for order in self.queue(1 - side):
            if ticks == 0 or (order.ticks <= ticks if side == 0 else order.ticks >= ticks):
                yield order

    def take(self, name, owner, side, ticks, lots, stp):
        left = lots
        while left and (maker := next(self.reachable(side, ticks), None)):
            if owner and maker.owner == owner:
                if stp != codes.CANCEL_NEWEST:
                    self.orders.remove(maker)
                    self.cancels.append((maker.name, codes.REASON_SELF_TRADE, maker.lots))
                if stp != codes.CANCEL_OLDEST:
                    return left, True
                continue
            part = min(left, maker.shown)
            left -= part
            maker.lots -= part
            maker.shown -= part
            self.fills.append((maker.name, name, maker.ticks, part, maker.lots))
            if maker.lots == 0:
                self.orders.remove(maker)
            elif maker.shown == 0:
                self.ranks += 1
                maker.rank = self.ranks
                maker.show()
        return left, False

    def enough(self, owner, side, ticks, lots, stp):
        found = 0
        for maker in self.reachable(side, ticks):
            if owner and maker.owner == owner:
                if stp != codes.CANCEL_OLDEST:
                    break
            else:
                found += maker.lots
        return found >= lots

    def place(self, owner, side, ticks, lots, tif, post_only, stp, expire_us, display=0):
        self.fills, self.cancels = [], []
        if lots <= 0 or (ticks == 0 and post_only) or not slices_fit(lots, display):
            return codes.INVALID
        if post_only and any(self.reachable(side, ticks)):
            return codes.WOULD_TAKE
        self.names += 1
        if tif == codes.FOK and not self.enough(owner, side, ticks, lots, stp):
            return (self.names, codes.CANCELED, codes.REASON_FOK, lots)
        left, stopped = self.take(self.names, owner, side, ticks, lots, stp)
        keep = ticks > 0 and tif in (codes.GTC, codes.GTD)
        expiry = expire_us if tif == codes.GTD else 0
        return self.settle(self.names, owner, side, ticks, left, stopped, keep, expiry, display)

    def settle(self, name, owner, side, ticks, left, stopped, keep, expire_us, display):
        if left == 0:
            return (name, codes.FILLED, codes.REASON_NONE, 0)
        if stopped:
            return (name, codes.CANCELED, codes.REASON_SELF_TRADE, left)
        if not keep:
            return (name, codes.CANCELED, codes.REASON_IOC, left)
        self.ranks += 1
        self.orders.append(Waiting(name, owner, side, ticks, left, self.ranks, expire_us, display))
        self.orders[-1].show()
        return (name, codes.RESTING, codes.REASON_NONE, left)

    def find(self, name):
        return next((o for o in self.orders if o.name == name), None)

    def amend(self, name, ticks, lots, post_only, stp, display=0):
        self.fills, self.cancels = [], []
        order = self.find(name)
        if order is None:
            return codes.UNKNOWN
        display = display or order.display
        if not slices_fit(lots, display):
            return codes.INVALID
        if ticks == order.ticks and lots <= order.lots:
            order.lots, order.display = lots, display
            order.shown = min(order.shown, lots, display or lots)
            return (name, codes.RESTING, codes.REASON_NONE, lots)
        if post_only and any(self.reachable(order.side, ticks)):
            return codes.WOULD_TAKE
        self.orders.remove(order)
        left, stopped = self.take(name, order.owner, order.side, ticks, lots, stp)
        return self.settle(name, order.owner, order.side, ticks, left, stopped, True,
                           order.expire_us, display)

    def cancel(self, name):
        self.fills, self.cancels = [], []
        order = self.find(name)
        if order is None:
            return codes.UNKNOWN
        self.orders.remove(order)
        return (name, codes.CANCELED, codes.REASON_USER, order.lots)

    def expire(self, now_us):
        self.fills = []
        due = [o for o in self.orders if 0 < o.expire_us <= now_us]
        self.cancels = [(o.name, codes.REASON_EXPIRED, o.lots) for o in due]
        self.orders = [o for o in self.orders if o not in due]
        return len(due)


PRICES = st.integers(97, 103)


def resting(side, low, high):
    """Orders that mostly stay on the book, so that there is something to trade with."""
    return st.tuples(st.just("place"), st.integers(0, 2), st.just(side), st.integers(low, high),
                     st.integers(1, 9), st.just(codes.GTC), st.just(0), st.integers(0, 2),
                     st.just(0), st.sampled_from([0, 0, 1, 2, 5]))


places = st.tuples(st.just("place"), st.integers(0, 2), st.integers(0, 1),
                   st.sampled_from([0, *range(97, 104)]), st.integers(0, 20), st.integers(0, 3),
                   st.sampled_from([0, 0, 0, 1]), st.integers(0, 2), st.integers(1, 60),
                   st.sampled_from([0, 0, 0, 1, 3]))
amends = st.tuples(st.just("amend"), st.integers(1, 30), PRICES, st.integers(1, 9),
                   st.integers(0, 1), st.integers(0, 2), st.sampled_from([0, 0, 1, 4]))
cancels = st.tuples(st.just("cancel"), st.integers(0, 30))
expiries = st.tuples(st.just("expire"), st.integers(0, 30))
requests = st.lists(
    st.one_of(resting(0, 97, 100), resting(1, 101, 103), resting(0, 99, 100), resting(1, 100, 101),
              places, places.filter(lambda row: row[5] != codes.GTD), amends,
              st.one_of(cancels, expiries)),
    min_size=30, max_size=80)


def outcome(matcher, code, name):
    if code < 0:
        return code
    return (name, matcher.state, matcher.reason, matcher.remaining)


def check_same(matcher, naive, names):
    assert [(names[f[0]], names[f[2]], f[5], f[6], f[7]) for f in matcher.fills()] == naive.fills
    told = [(names[c[0]], c[2], c[3]) for c in matcher.cancels()]
    assert sorted(told) == sorted(naive.cancels)
    for side in (0, 1):
        assert matcher.levels(side, 99) == naive.levels(side)
    assert matcher.open_orders == len(naive.orders)


def one(matcher, naive, request, ids, names):
    kind, *rest = request
    if kind == "expire":
        assert matcher.expire(*rest) == naive.expire(*rest)
        return
    if kind == "place":
        code = matcher.place(*rest)
        expected = naive.place(*rest)
        name = naive.names
        if code > 0:
            ids[name], names[code] = code, name
    else:
        name = rest[0]
        real = ids.get(name, 77)
        if kind == "amend":
            code = matcher.amend(real, *rest[1:])
            expected = naive.amend(*rest)
        else:
            code = matcher.cancel(real)
            expected = naive.cancel(*rest)
    assert outcome(matcher, code, name) == expected


@settings(max_examples=examples(60), deadline=None)
@given(requests)
def test_matcher_equals_naive(stream):
    matchers = [(room.Matcher(64, 32), NaiveMatcher(), {}, {}) for room in MATCHERS]
    for request in stream:
        for matcher, naive, ids, names in matchers:
            one(matcher, naive, request, ids, names)
            check_same(matcher, naive, names)
            for order in naive.orders:
                assert matcher.visible_of(ids[order.name]) == order.shown
            shown = {}
            for side, ticks, lots in matcher.changes():
                shown[side, ticks] = lots
            for (side, ticks), lots in shown.items():
                assert matcher.lots_at(side, ticks) == lots
        assert len({matcher.state_hash() for matcher, *_ in matchers}) == 1


class NaiveReplay:
    """The recorded book as two dicts, our orders as a list with what stands before them."""

    def __init__(self):
        self.book = ({}, {})
        self.orders = []
        self.fills = []

    def best(self, side):
        return (max if side == 0 else min)(self.book[side], default=0)

    def fill(self, order, lots):
        order.lots -= lots
        order.shown -= lots
        self.fills.append((order.name, order.ticks, lots))
        if order.lots and order.shown <= 0:
            order.show()
            order.rank = self.book[order.side].get(order.ticks, 0)

    def done(self):
        self.orders = [o for o in self.orders if o.lots]

    def depth(self, side, ticks, lots):
        self.fills = []
        before = self.best(side)
        if lots:
            for other in list(self.book[1 - side]):
                if other <= ticks if side == 0 else other >= ticks:
                    del self.book[1 - side][other]
            self.book[side][ticks] = lots
        else:
            self.book[side].pop(ticks, None)
        for order in self.orders:
            if order.side == side and order.ticks == ticks:
                order.rank = min(order.rank, lots)
        after = self.best(side)
        better = after > before if side == 0 else after and (not before or after < before)
        for order in self.orders:
            if better and order.side != side and (
                    order.ticks <= after if side == 0 else order.ticks >= after):
                self.fill(order, order.lots)
        self.done()

    def trade(self, side, ticks, lots):
        self.fills = []
        given = 0
        for order in self.orders:
            if order.side == side:
                continue
            if order.ticks == ticks:
                beyond = lots - order.rank
                order.rank = max(0, -beyond)
                part = max(0, min(beyond, lots - given, order.shown))
                if part:
                    given += part
                    self.fill(order, part)
            elif (order.ticks < ticks) == (side == 0):
                self.fill(order, order.lots)
        self.done()

    def place(self, name, side, ticks, lots, tif, display):
        self.fills = []
        reachable = sorted((t for t in self.book[1 - side] if ticks == 0 or (
            t <= ticks if side == 0 else t >= ticks)), reverse=side == 1)
        if tif == codes.FOK and sum(self.book[1 - side][t] for t in reachable) < lots:
            return
        left = lots
        for price in reachable:
            part = min(left, self.book[1 - side][price])
            if part:
                left -= part
                self.fills.append((name, price, part))
        if left and ticks and tif in (codes.GTC, codes.GTD):
            self.orders.append(Waiting(name, 0, side, ticks, left, self.book[side].get(ticks, 0),
                                       display=display))
            self.orders[-1].show()


recorded = st.one_of(
    st.tuples(st.just("depth"), st.integers(0, 1), PRICES, st.integers(0, 9)),
    st.tuples(st.just("depth"), st.just(0), st.integers(97, 99), st.integers(1, 20)),
    st.tuples(st.just("depth"), st.just(1), st.integers(101, 103), st.integers(1, 20)),
    st.tuples(st.just("trade"), st.integers(0, 1), st.integers(99, 101), st.integers(1, 20)),
    st.tuples(st.just("place"), st.just(0), st.integers(97, 99), st.integers(1, 9), st.just(0),
              st.sampled_from([0, 1, 3])),
    st.tuples(st.just("place"), st.just(1), st.integers(101, 103), st.integers(1, 9), st.just(0),
              st.sampled_from([0, 1, 3])),
    st.tuples(st.just("place"), st.integers(0, 1), st.sampled_from([0, *range(97, 104)]),
              st.integers(1, 9), st.integers(0, 2), st.just(0)))


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(recorded, min_size=30, max_size=80))
def test_replay_matcher_equals_naive(stream):
    rooms = [room.ReplayMatcher(64, 32) for room in REPLAYS]
    naive = NaiveReplay()
    for kind, *rest in stream:
        ids = [0]
        for matcher in rooms:
            if kind == "place":
                side, ticks, lots, tif, display = rest
                ids.append(matcher.place(0, side, ticks, lots, tif, 0, 0, 0, display))
            else:
                getattr(matcher, kind)(*rest)
        if kind == "place":
            naive.place(ids[-1], *rest)
        else:
            getattr(naive, kind)(*rest)
        for matcher in rooms:
            assert [(f[0] or f[2], f[5], f[6]) for f in matcher.fills()] == naive.fills
            for side in (0, 1):
                assert dict(matcher.levels(side, 99)) == naive.book[side]
            assert matcher.open_orders == len(naive.orders)
            for order in naive.orders:
                assert matcher.leaves_of(order.name) == order.lots
                assert matcher.ahead_of(order.name) == order.rank
        assert len({matcher.state_hash() for matcher in rooms}) == 1


def test_codes_are_the_same_for_compiled_code():
    numbers = {name: value for name, value in vars(codes).items() if name.isupper()}
    source = interpreted("fastcore.sim.codes").__file__.replace("codes.py", "_codes.pxd")
    told = {}
    with open(source) as file:
        for line in file:
            name, equals, value = line.strip().partition(" = ")
            if equals:
                told[name] = int(value)
    assert told == numbers

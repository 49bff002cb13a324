"""The book of single orders against plain lists, searched anew for every call."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.sim import replay_codes as code
from fuzz.counts import examples
from twins import BOTH, both

BOOKS = both("fastcore.sim.replay_l3")
OURS = 4
IDS = st.integers(0, 12).map(lambda number: number * 0x0FEDCBA987654321 % (1 << 62) - (1 << 61))
SIDES = st.integers(0, 1)
PRICES = st.integers(95, 105)
LOTS = st.integers(1, 5)
SLOTS = st.integers(0, OURS - 1)
CALLS = st.lists(st.one_of(
    st.tuples(st.just("add"), IDS, SIDES, PRICES, LOTS),
    st.tuples(st.just("add"), IDS, SIDES, PRICES, LOTS),
    st.tuples(st.just("change"), IDS, PRICES, LOTS),
    st.tuples(st.just("remove"), IDS),
    st.tuples(st.just("fill"), IDS, PRICES),
    st.tuples(st.just("rest"), SLOTS, SIDES, PRICES, LOTS),
    st.tuples(st.just("rest"), SLOTS, SIDES, PRICES, LOTS),
    st.tuples(st.just("withdraw"), SLOTS),
    st.tuples(st.just("amend"), SLOTS, LOTS),
    st.tuples(st.just("clear"), st.integers(0, 2))), max_size=60)


class NaiveBook:
    """One list of (key, side, price, lots) in order of arrival; keys of ours are slots 0 to 3."""

    def __init__(self):
        self.orders = []
        self.best = [code.NO_BID, code.NO_ASK]
        self.hits = []

    def found(self, key):
        return next((order for order in self.orders if order[0] == key), None)

    def worse(self, side, than):
        prices = [p for k, s, p, _ in self.orders if s == side and isinstance(k, tuple)]
        if side == 0:
            return max((p for p in prices if p < than), default=code.NO_BID)
        return min((p for p in prices if p > than), default=code.NO_ASK)

    def came(self, side, price):
        if side == 0 and price > self.best[0]:
            self.best[0] = price
            if price >= self.best[1]:
                self.best[1] = self.worse(1, price)
        if side == 1 and price < self.best[1]:
            self.best[1] = price
            if price <= self.best[0]:
                self.best[0] = self.worse(0, price)

    def went(self, side, price):
        left = any(s == side and p == price and isinstance(k, tuple)
                   for k, s, p, _ in self.orders)
        if price == self.best[side] and not left:
            self.best[side] = self.worse(side, price)

    def take(self, which):
        """Ours that trade, the best price first, then by arrival."""
        slots = [order for order in self.orders if not isinstance(order[0], tuple)
                 and which(order)]
        slots.sort(key=lambda order: order[2] if order[1] == 1 else -order[2])
        for order in slots:
            self.orders.remove(order)
            self.hits.append(order[0])

    def lifted(self, side, best):
        now = self.best[side]
        if side == 0 and now > best:
            self.take(lambda order: order[1] == 1 and order[2] <= now)
        if side == 1 and now < best:
            self.take(lambda order: order[1] == 0 and order[2] >= now)

    def add(self, name, side, price, lots):
        if self.found((name,)):
            return code.ID_EXISTS
        before = self.best[side]
        self.orders.append(((name,), side, price, lots))
        self.came(side, price)
        self.lifted(side, before)
        return 0

    def change(self, name, price, lots):
        order = self.found((name,))
        if not order:
            return code.ORDER_UNKNOWN
        key, side, old, had = order
        if price == old and lots <= had:
            self.orders[self.orders.index(order)] = (key, side, price, lots)
            return 0
        before = self.best[side]
        self.orders.remove(order)
        if price != old:
            self.went(side, old)
        self.orders.append((key, side, price, lots))
        self.came(side, price)
        self.lifted(side, before)
        return 0

    def remove(self, name):
        order = self.found((name,))
        if not order:
            return code.ORDER_UNKNOWN
        self.orders.remove(order)
        self.went(order[1], order[2])
        return 0

    def fill(self, name, price):
        order = self.found((name,))
        if not order:
            return code.ORDER_UNKNOWN
        at, (_, side, mine, _) = self.orders.index(order), order
        ahead, best = self.orders[:at], self.best[side]
        self.take(lambda o: o[1] == side and (price < o[2] <= best if side == 0
                                              else best <= o[2] < price))
        self.take(lambda o: o[1] == side and o[2] == mine and o in ahead)
        return 0

    def clear(self, side):
        for one in range(2):
            if side in (one, 2):
                self.take(lambda order, one=one: order[1] == one)
                self.orders = [order for order in self.orders if order[1] != one]
                self.best[one] = (code.NO_BID, code.NO_ASK)[one]

    def rest(self, slot, side, price, lots):
        if self.found(slot):
            return code.INVALID
        self.orders.append((slot, side, price, lots))
        return 0

    def withdraw(self, slot):
        order = self.found(slot)
        if not order:
            return code.ORDER_UNKNOWN
        self.orders.remove(order)
        return 0

    def amend(self, slot, lots):
        order = self.found(slot)
        if not order:
            return code.ORDER_UNKNOWN
        changed = (*order[:3], lots)
        if lots > order[3]:
            self.orders.remove(order)
            self.orders.append(changed)
        else:
            self.orders[self.orders.index(order)] = changed
        return 0

    def queue(self, side, price):
        return [(key[0] if isinstance(key, tuple) else -1 - key, lots)
                for key, s, p, lots in self.orders if s == side and p == price]


def call(book, name, arguments):
    """One call, after room was made as the replay makes it."""
    if name == "add" and book.room() < 1:
        book.grow()
    return getattr(book, name)(*arguments)


@settings(deadline=None, max_examples=examples(250), database=None)
@given(CALLS)
def test_every_form_agrees_with_the_lists(calls):
    books = [room.L3Book(1, OURS) for room in BOOKS]
    naive = NaiveBook()
    for name, *arguments in calls:
        naive.hits = []
        expected = getattr(naive, name)(*arguments)
        for book in books:
            assert call(book, name, arguments) == expected
            if name not in ("rest", "withdraw", "amend"):
                assert book.hit_slots() == naive.hits
            assert [book.best(0), book.best(1)] == naive.best
            assert book.resting + book.orders == len(naive.orders)
            for side in range(2):
                for price in range(95, 106):
                    queue = naive.queue(side, price)
                    assert book.queue_at(side, price) == queue
                    assert book.lots_at(side, price) == sum(
                        lots for key, s, p, lots in naive.orders
                        if s == side and p == price and isinstance(key, tuple))
            for slot in range(OURS):
                order = naive.found(slot)
                ahead = -1 if not order else sum(
                    o[3] for o in naive.orders[:naive.orders.index(order)]
                    if isinstance(o[0], tuple) and o[1:3] == order[1:3])
                assert book.ahead(slot) == ahead


@pytest.mark.parametrize("room", BOOKS, ids=BOTH)
def test_ours_trades_when_the_order_behind_it_does(room):
    book = room.L3Book()
    book.add(1, 0, 100, 5)
    assert book.rest(7, 0, 100, 2) == 0
    book.add(2, 0, 100, 5)
    assert (book.ahead(7), book.lots_at(0, 100)) == (5, 10)
    book.fill(1, 100)
    assert book.hit_slots() == []
    book.fill(2, 100)
    assert book.hit_slots() == [7]
    assert (book.resting, book.queue_at(0, 100)) == (0, [(1, 5), (2, 5)])


@pytest.mark.parametrize("room", BOOKS, ids=BOTH)
def test_many_orders_come_and_go(room):
    """Ids that share their places in the hash, rows used again, room made on the way."""
    book = room.L3Book(2, 1)
    for name in range(500):
        if book.room() == 0:
            book.grow()
        assert book.add(name << 40, name & 1, 1000 - name if name & 1 == 0 else 2000 + name, 3) == 0
    assert (book.best(0), book.best(1), book.orders) == (1000, 2001, 500)
    for name in range(0, 500, 3):
        assert book.remove(name << 40) == 0
        assert book.remove(name << 40) == code.ORDER_UNKNOWN
    assert [book.change(name << 40, 990, 4) for name in range(4)] \
        == [code.ORDER_UNKNOWN, 0, 0, code.ORDER_UNKNOWN]
    for name in range(0, 500, 3):
        assert book.add(name << 40, 0, 500, 1) == 0
    assert book.lots_at(0, 500) == 167
    assert book.orders == 500


@pytest.mark.parametrize("room", BOOKS, ids=BOTH)
def test_what_a_book_refuses(room):
    book = room.L3Book(1, 1)
    assert book.add(1, 2, 100, 1) == code.INVALID
    assert book.add(1, 0, 100, 0) == code.INVALID
    assert book.add(1, 0, 100, 1) == 0
    assert book.add(2, 0, 100, 1) == code.FULL
    assert book.change(1, 100, 0) == code.INVALID
    assert book.rest(1, 0, 100, 1) == code.INVALID
    assert book.rest(0, 0, 100, 0) == code.INVALID
    assert book.withdraw(0) == book.amend(0, 1) == code.ORDER_UNKNOWN
    assert book.rest(0, 0, 100, 1) == 0
    assert book.amend(0, 0) == code.INVALID
    with pytest.raises(ValueError, match="room for orders"):
        room.L3Book(0)

"""OrderTable against a dict of dicts and the state machine written as a table."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from hftbot.words.order import OrderState as S
from twins import both

rooms = both("fastcore.money.orders")
CAPACITY = 5
OPEN = (S.NAMED, S.SENT, S.LIVE, S.PARTIAL, S.DOUBT)
DONE = (S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED)


class NaiveTable:
    """Rows by ClientId; answers as the real one does."""

    def __init__(self):
        self.rows = {}

    def name(self, client_id, lots):
        if not 0 < client_id < 1 << 53 or client_id in self.rows:
            return -2
        if len(self.rows) >= CAPACITY:
            return -1
        self.rows[client_id] = {"state": S.NAMED, "ticks": 100, "lots": lots, "filled": 0,
                                "wish": 0}
        return 0

    def free(self, row):
        if row["state"] in OPEN:
            return -1
        self.rows = {key: value for key, value in self.rows.items() if value is not row}
        return 0

    def sent(self, row):
        if row["state"] != S.NAMED:
            return -1
        row["state"] = S.SENT
        return 0

    def acked(self, row):
        if row["state"] in (S.SENT, S.DOUBT):
            row["state"] = S.PARTIAL if row["filled"] else S.LIVE
            return 0
        return -1 if row["state"] == S.NAMED else 1

    def filled(self, row, lots):
        if row["state"] == S.NAMED or lots <= 0 or row["filled"] + lots > 1 << 61:
            return -1
        row["filled"] += lots
        size = max(row["lots"], row["wish"])
        if row["filled"] >= size:
            row["state"] = S.FILLED
        elif row["state"] in OPEN:
            row["state"] = S.PARTIAL
        return 2 if row["filled"] > size else 0

    def wish(self, row, lots):
        if row["wish"] or lots <= 0 or row["state"] not in (S.LIVE, S.PARTIAL):
            return -1
        row["wish"] = lots
        return 0

    def unwish(self, row):
        row["wish"] = 0
        if row["state"] in OPEN and row["filled"] >= row["lots"]:
            row["state"] = S.FILLED
        return 0

    def amended(self, row, lots):
        if row["state"] in (S.NAMED, *DONE) or lots <= 0:
            return -1
        row["lots"] = lots
        row["state"] = S.PARTIAL if row["filled"] else S.LIVE
        return 0

    def done(self, row, state):
        if state not in DONE or (row["state"] == S.NAMED and state == S.FILLED):
            return -1
        if row["state"] in DONE:
            return 1
        row["state"] = S(state)
        return 0

    def doubt(self, row):
        if row["state"] in DONE:
            return -1
        if row["state"] == S.DOUBT:
            return 1
        row["state"] = S.DOUBT
        return 0


# Few ids that collide in the hash (equal low bits), and impossible ones.
IDS = st.sampled_from([1, 2, 33, 65, (1 << 32) | 3, 1 | 64, (5 << 48) | 4, 0, -7, 1 << 53])
LOTS = st.sampled_from([1, 2, 5, 10, 0, -1, 1 << 61])
STEPS = st.one_of(
    st.tuples(st.just("name"), IDS, st.sampled_from([1, 5, 10])),
    st.tuples(st.sampled_from(["free", "sent", "sent", "acked", "doubt", "unwish"]), IDS),
    st.tuples(st.sampled_from(["filled", "amended", "wish"]), IDS, LOTS),
    st.tuples(st.just("done"), IDS, st.integers(0, 10)))


def act(table, step):
    """Do a step on a real table; the answer as the naive one gives it."""
    what, client_id, *words = step
    if what == "name":
        return min(0, table.name(client_id, 0, 1, 0, 100, *words, 1, 7, 8))
    handle = table.find(client_id)
    if what == "wish":
        words = [100, *words, 0]
    elif what == "amended":
        words = [100, *words]
    return getattr(table, what)(handle, *words)


def expect(naive, step):
    what, client_id, *words = step
    if what == "name":
        return naive.name(client_id, *words)
    if client_id not in naive.rows:
        return -2
    return getattr(naive, what)(naive.rows[client_id], *words)


@settings(deadline=None, max_examples=examples(200), database=None)
@given(st.lists(STEPS, max_size=60))
def test_every_form_agrees_with_the_dict(steps):
    tables = [room.OrderTable(CAPACITY) for room in rooms]
    naive = NaiveTable()
    for step in steps:
        expected = expect(naive, step)
        assert [act(table, step) for table in tables] == [expected] * len(tables), step
        for table in tables:
            assert {table.client_id(h): (table.state(h), table.lots(h), table.filled_lots(h))
                    for h in table.handles()} == {
                key: (row["state"], row["lots"], row["filled"])
                for key, row in naive.rows.items()}
            assert [table.client_id(h) for h in table.held_handles()] == sorted(
                key for key, row in naive.rows.items() if row["state"] < S.FILLED)
            assert table.used == len(naive.rows)
            assert table.open_count(0) == sum(row["state"] in OPEN for row in naive.rows.values())
    assert len({table.state_hash() for table in tables}) == 1


# Ids whose places in the hash lie side by side and overlap, at its end and at its beginning.
CROWD = [block * 64 + place for block in range(1, 5) for place in (62, 63, 0, 1, 2)]


@settings(deadline=None, max_examples=examples(150), database=None)
@given(st.lists(st.sampled_from(CROWD), max_size=80))
def test_names_are_found_again_after_any_order_of_frees(steps):
    table = rooms[0].OrderTable(16)
    alive = {}
    for client_id in steps:
        if client_id in alive:
            table.done(alive[client_id], S.CANCELED)
            assert table.free(alive.pop(client_id)) == 0
        elif len(alive) < 16:
            alive[client_id] = table.name(client_id, 0, 0, 0, 1, 1, 1, 0, 0)
        assert [table.find(name) for name in CROWD] == [alive.get(name, -1) for name in CROWD]

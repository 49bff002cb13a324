"""The whole chain on recorded frames, compiled and interpreted."""

import pathlib

from hypothesis import given, settings
from hypothesis import strategies as st

from hftbot.words.order import OrderState as State
from lane_rig import NOW_NS, NOW_US, Rig, forms, frames, needs_stream, room
from twins import BOTH


@forms
@needs_stream
def test_an_order_a_book_change_without_an_edge_and_none_with_a_large_one(form, tmp_path):
    rig = Rig(form, tmp_path, drift_bps_max=0)
    replay = room(form, "fastcore.lane.lane").replay
    content = frames()
    assert replay(rig.lane, rig.desk, content, 0, 100_000) == (980, len(content))
    assert rig.table.used == rig.account.open_orders == 0
    assert rig.journal.sequence == 980
    orders, good = replay(rig.lane, rig.desk, content, 10**9)
    assert (orders, good) == (0, len(content))


@needs_stream
def test_both_forms_end_in_the_same_state(tmp_path):
    ends = []
    for form in BOTH:
        rig = Rig(form, tmp_path, drift_bps_max=0)
        answer = room(form, "fastcore.lane.lane").replay(rig.lane, rig.desk, frames(), 3, 100_000)
        ends.append((answer, rig.state_hash(), bytes(rig.desk.frame()), rig.path.read_bytes()))
    assert all(end == ends[0] for end in ends)


HANDLE = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5])
PLACE = st.tuples(st.sampled_from(["place", "live"]), st.integers(0, 1),
                  st.integers(269_990, 270_020), st.integers(1, 5), st.sampled_from([0, 0, 1]))
EVENT = st.one_of(
    st.tuples(st.sampled_from(["acked", "rejected", "doubt", "cancel", "amend_rejected"]),
              HANDLE),
    st.tuples(st.just("fill"), HANDLE, st.integers(1, 4)),
    st.tuples(st.just("done"), HANDLE, st.sampled_from([6, 7, 9])),
    st.tuples(st.sampled_from(["amend", "amended"]), HANDLE,
              st.integers(269_990, 270_020), st.integers(1, 8)),
    st.tuples(st.just("free"), HANDLE))


def play(rig, step, now_ns):
    what, *words = step
    desk = rig.desk
    if what == "place":
        return desk.place(1, *words, False, NOW_US, 0, NOW_US, now_ns)
    if what == "live":
        return desk.acked(desk.place(1, *words, False, NOW_US, 0, NOW_US, now_ns))
    if what == "fill":
        return desk.fill(words[0], 270_005, words[1], 1)
    if what == "free":
        return rig.table.free(words[0])
    if what == "amend":
        return desk.amend(*words, NOW_US, now_ns)
    if what == "cancel":
        return desk.cancel(*words, NOW_US, now_ns)
    return getattr(desk, what)(*words)


def check_books(rig, limit):
    """Law 5, and that nothing is held which nobody may trade."""
    table, exposure = rig.table, rig.exposure
    open_lots = [0, 0]
    prices = [[], []]
    for handle in table.handles():
        if table.is_open(handle):
            open_lots[table.side(handle)] += max(table.word(handle, 11), 0)
            open_lots[table.side(handle)] += table.word(handle, 14)
            prices[table.side(handle)].append(table.ticks(handle))
            if table.word(handle, 12):
                prices[table.side(handle)].append(table.word(handle, 12))
            assert table.word(handle, 11) >= table.open_lots(handle)
    assert open_lots == [exposure.open_lots(0), exposure.open_lots(1)]
    assert exposure.best(0) == max(prices[0], default=0)
    assert exposure.best(1) == min(prices[1], default=0)
    assert rig.account.open_orders == table.open_count(-1)
    position = rig.position
    assert position.cash + position.cost == position.realised
    worst = max(exposure.open_value(0) + position.cost, exposure.open_value(1) - position.cost)
    assert rig.account.gross_e10 == rig.gate.gross_e10 == worst * 10
    return max(position.lots + open_lots[0], open_lots[1] - position.lots) <= limit


@settings(deadline=None, max_examples=100, database=None)
@given(steps=st.lists(PLACE | EVENT, max_size=60))
def test_table_guard_and_position_never_part(tmp_path_factory, steps):
    folder = pathlib.Path(tmp_path_factory.mktemp("desk"))
    limit = 12
    rigs = [Rig(form, folder, rows=6, position_lots_max=limit, capacity=1 << 14) for form in BOTH]
    for rig in rigs:
        rig.quote(270_000, 270_010)
    honest = True
    for number, step in enumerate(steps):
        now_ns = NOW_NS + number * 30_000_000
        for rig in rigs:
            rig.gate.link_seen_ns = now_ns
        answers = [play(rig, step, now_ns) for rig in rigs]
        assert len(set(answers)) == 1, step
        # A venue that fills more than was ordered, or grows orders, can pass any limit.
        late = step[0] == "fill" and rigs[0].table.state(step[1]) not in (State.PARTIAL,)
        honest = honest and step[0] != "amended" and not late
        for rig in rigs:
            assert check_books(rig, limit) or not honest
    assert len({rig.state_hash() for rig in rigs}) == 1
    for rig in rigs:
        rig.journal.close()
    assert len({(folder / f"{form}.journal").read_bytes() for form in BOTH}) == 1
    for form in BOTH:
        (folder / f"{form}.journal").unlink()

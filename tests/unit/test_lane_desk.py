"""LaneDesk: named and journaled before sent; table, guard and position move together."""

import json

import pytest

from hftbot.words.order import OrderState as State
from hftbot.words.order import client_id_parts
from hftbot.words.verdict import Verdict
from lane_rig import NOW_NS, NOW_US, Rig, forms, room

(ORDER, FILL, DONE, ACK, CANCEL, AMEND, DOUBT, AMENDED, ADOPT) = range(1, 10)


@pytest.fixture
def rig(form, tmp_path):
    rig = Rig(form, tmp_path)
    rig.quote()
    return rig


def rows(rig):
    """(kind, words) of the whole journal."""
    module = room(rig.form, "fastcore.money.journal")
    return [(kind, module.row_words(payload))
            for _seq, kind, payload in module.read_records(rig.path)]


def live(rig, **words):
    handle = rig.place(**words)
    assert handle >= 0, Verdict(-handle)
    assert rig.desk.acked(handle) == 0
    return handle


def nothing_held(rig):
    return (rig.exposure.open_lots(0), rig.exposure.open_lots(1), rig.exposure.best(0),
            rig.exposure.best(1), rig.account.open_orders) == (0, 0, 0, 0, 0)


@pytest.mark.law(1)
@forms
def test_order_is_named_journaled_and_written(rig):
    handle = rig.place(0, 270_010, 1_000_000, 1, strategy=3)
    assert handle >= 0
    client_id = rig.table.client_id(handle)
    assert client_id_parts(client_id) == (3, 7, 1)
    assert rig.table.state(handle) == State.SENT
    (kind, words), = rows(rig)
    assert (kind, words[0], words[2:6]) == (ORDER, client_id,
                                            (270_010, 1_000_000, NOW_US, NOW_US))
    assert words[1] == (0 << 16) + (1 << 20) + (3 << 32)
    sent = json.loads(bytes(rig.desk.frame()))
    assert sent["method"] == "add_order"
    assert sent["req_id"] == rig.desk.request == words[7]
    assert sent["params"]["side"] == "buy"
    assert (sent["params"]["limit_price"], sent["params"]["order_qty"]) == (27001.0, 0.01)
    assert sent["params"]["cl_ord_id"].startswith("h")
    assert words[6] == NOW_US + 5_000_000
    assert rig.exposure.open_lots(0) == 1_000_000
    assert rig.account.messages.taken == 1


@forms
def test_denied_order_changes_nothing(rig):
    before = rig.state_hash()
    rig.book.trust = 1
    assert rig.place() == -Verdict.DENY_UNTRUSTED_BOOK
    rig.book.trust = 2
    assert bytes(rig.desk.frame()) == b""
    assert rows(rig) == []
    assert (rig.table.used, rig.desk.denied, rig.gate.denied) == (0, 1, 1)
    assert nothing_held(rig)
    assert rig.state_hash() != before  # the denial itself is counted


@pytest.mark.law(6)
@forms
def test_expired_wish_is_never_sent(rig):
    assert rig.place(created_us=NOW_US - 101, ttl_us=100) == -Verdict.DENY_EXPIRED_INTENT


@pytest.mark.fault("D1")
@forms
def test_journal_that_is_full_denies_and_halts(form, tmp_path):
    rig = Rig(form, tmp_path, capacity=4096 + 64)
    rig.quote()
    answers = []
    for i in range(60):
        answers.append(rig.place(ticks=269_000 + i, tif=0))
        if answers[-1] < 0:
            break
    assert answers[-1] == -Verdict.DENY_JOURNAL
    assert bytes(rig.desk.frame()) == b""
    assert len(rows(rig)) == len(answers) - 1 == rig.table.used == rig.account.open_orders
    assert rig.account.state == 2
    assert -rig.place() & Verdict.DENY_HALTED


@forms
def test_full_table_denies(form, tmp_path):
    rig = Rig(form, tmp_path, rows=3)
    rig.quote()
    rig.account.open_orders_max = 10
    assert [rig.place(ticks=269_000 + i) >= 0 for i in range(4)] == [True, True, True, False]
    assert rig.place() == -Verdict.DENY_TABLE_FULL
    assert rig.account.open_orders == 3


@forms
def test_venues_own_budget(form, tmp_path):
    rig = Rig(form, tmp_path)
    rig.quote()
    throttle = room(form, "fastcore.money.throttle")
    counter = throttle.TradingCounter(1, 64, 11, 100, 9, 60)
    desk = room(form, "fastcore.lane.desk").LaneDesk(
        0, rig.table, rig.gate, rig.account, rig.position, rig.book, rig.text, rig.journal, counter)
    rig.desk = desk
    first, second = rig.place(ticks=269_000), rig.place(ticks=269_001)
    assert first >= 0 <= second
    assert rig.place(ticks=269_002) == -Verdict.DENY_VENUE_RATE
    assert desk.cancel(first, NOW_US, NOW_NS) == 0
    assert desk.cancel(second, NOW_US, NOW_NS) == -Verdict.DENY_VENUE_RATE
    assert counter.used(0, NOW_NS) == 10 * throttle.POINT
    assert desk.cancel(second, NOW_US, NOW_NS, True) == 0
    counter.set_limits(60, 100, 0, 2)
    assert rig.place(ticks=269_003) == -Verdict.DENY_OPEN_ORDERS
    desk.done(first, State.CANCELED)
    assert rig.place(ticks=269_003) >= 0


@forms
def test_fill_moves_position_table_and_guard(rig):
    handle = live(rig, side=0, ticks=270_010, lots=1000)
    assert rig.desk.fill(handle, 270_005, 400, 12, 99, NOW_US) == 0
    assert (rig.position.lots, rig.position.cost) == (400, 400 * 270_005)
    assert rig.position.fees_e10 == 12
    assert (rig.table.state(handle), rig.exposure.open_lots(0)) == (State.PARTIAL, 600)
    assert rig.account.gross_e10 == (400 * 270_005 + 600 * 270_010) * 10
    assert rig.desk.fill(handle, 270_010, 600, 0) == 0
    assert rig.table.state(handle) == State.FILLED
    assert nothing_held(rig)
    assert rig.desk.done(handle, State.FILLED) == 1
    assert rig.table.free(handle) == 0
    kind, words = rows(rig)[2]
    assert (kind, words[2:7]) == (FILL, (270_005, 400, 12, 99, NOW_US))


@forms
def test_fill_is_journaled_before_it_is_applied(form, tmp_path):
    rig = Rig(form, tmp_path, capacity=4096 + 64)
    rig.quote()
    handle = live(rig, lots=10_000)
    while rig.journal.append_words(99, 0, 0, 0, 0, 0, 0, 0, 0) > 0:
        pass
    # It happened, so it counts; but nothing goes on from here.
    assert rig.desk.fill(handle, 270_010, 10, 0) == 3
    assert rig.position.lots == 10
    assert rig.account.state == 2


@pytest.mark.fault("F2")
@forms
def test_fill_before_the_ack_and_after_the_end(rig):
    handle = rig.place(lots=1000)
    assert rig.desk.fill(handle, 270_010, 100, 0) == 0
    assert rig.desk.acked(handle) == 1
    assert rig.desk.done(handle, State.CANCELED) == 0
    assert nothing_held(rig)
    assert rig.desk.fill(handle, 270_010, 50, 0) == 0
    assert rig.position.lots == 150
    assert nothing_held(rig)
    assert rig.account.gross_e10 == 150 * 270_010 * 10


@forms
def test_fill_of_an_order_that_is_gone_counts(rig):
    assert rig.desk.stray_fill(5 << 48 | 1, 1, 270_000, 70, 3, 8, NOW_US) == 0
    assert (rig.position.lots, rig.position.fees_e10) == (-70, 3)
    assert rig.account.gross_e10 == 70 * 270_000 * 10
    assert rows(rig)[-1][0] == FILL


@forms
@pytest.mark.parametrize("fill", [(0, 5), (5, 0), (-1, 5), (5, -1), (1 << 62, 1 << 62)])
def test_impossible_fills_change_nothing(rig, fill):
    handle = live(rig)
    before = rig.state_hash()
    assert rig.desk.fill(handle, *fill, 0) == -1
    assert rig.desk.fill(99, 1, 1, 0) == -1
    assert rig.state_hash() == before


@forms
def test_reject_frees_everything_and_allows_a_retry_at_once(rig):
    handle = rig.place()
    assert rig.place() == -Verdict.DENY_DUPLICATE
    assert rig.desk.rejected(handle, NOW_US) == 0
    assert nothing_held(rig)
    assert rig.table.free(handle) == 0
    assert rig.place() >= 0
    assert [kind for kind, _words in rows(rig)] == [ORDER, DONE, ORDER]


@forms
def test_copy_of_an_order_that_traded_is_a_duplicate(rig):
    handle = live(rig, lots=1000)
    rig.desk.fill(handle, 270_010, 1000, 0)
    assert rig.place(lots=1000) == -Verdict.DENY_DUPLICATE
    rig.gate.link_seen_ns += 50_000_000
    assert rig.place(lots=1000, now_ns=NOW_NS + 50_000_000) >= 0


@pytest.mark.law(4)
@forms
def test_doubt_keeps_its_exposure(rig):
    handle = rig.place(lots=1000)
    assert rig.desk.doubt(handle, NOW_US) == 0
    assert rig.exposure.open_lots(0) == 1000
    assert rig.account.open_orders == 1
    assert rig.desk.doubt(handle) == 1
    assert rig.desk.done(handle, State.CANCELED) == 0
    assert nothing_held(rig)
    assert [kind for kind, _words in rows(rig)] == [ORDER, DOUBT, DONE]


@forms
def test_cancel_writes_a_frame_and_keeps_the_hold(rig):
    handle = live(rig, ticks=269_000, tif=0)
    assert rig.desk.cancel(handle, NOW_US, NOW_NS) == 0
    sent = json.loads(bytes(rig.desk.frame()))
    assert (sent["method"], sent["req_id"]) == ("cancel_order", rig.desk.request)
    assert rig.account.open_orders == 1
    rig.desk.done(handle, State.CANCELED)
    assert rig.desk.cancel(handle, NOW_US, NOW_NS) == -Verdict.DENY_INVALID
    assert bytes(rig.desk.frame()) == b""


@forms
def test_cancels_go_out_when_halted_and_when_orders_are_out_of_messages(form, tmp_path):
    rig = Rig(form, tmp_path, per_minute=10)
    rig.quote()
    handles = [rig.place(ticks=269_000 + i, tif=0) for i in range(9)]
    assert min(handles) >= 0
    rig.account.state = 2
    assert rig.place() < 0
    assert rig.desk.cancel(handles[0], NOW_US, NOW_NS) == 0


@forms
def test_amend_holds_both_until_the_answer(rig):
    handle = live(rig, ticks=269_000, lots=1000, tif=0)
    assert rig.desk.amend(handle, 269_010, 1500, NOW_US, NOW_NS) == 0
    sent = json.loads(bytes(rig.desk.frame()))
    assert sent["method"] == "amend_order"
    assert sent["params"]["limit_price"] == 26901.0
    assert (rig.exposure.open_lots(0), rig.exposure.best(0)) == (1500, 269_010)
    assert rig.desk.amend(handle, 269_020, 1500, NOW_US, NOW_NS) == -Verdict.DENY_DUPLICATE
    assert rig.desk.amended(handle, 269_010, 1500) == 0
    assert (rig.exposure.open_lots(0), rig.exposure.best(0)) == (1500, 269_010)
    assert rig.exposure.open_value(0) == 1500 * 269_010
    assert rig.account.open_orders == 1
    rig.desk.done(handle, State.CANCELED)
    assert nothing_held(rig)
    assert [kind for kind, _words in rows(rig)] == [ORDER, ACK, AMEND, AMENDED, DONE]


@forms
def test_amend_that_cannot_be_journaled_holds_nothing_more(form, tmp_path):
    rig = Rig(form, tmp_path, capacity=4096 + 64)
    rig.quote()
    handle = live(rig, ticks=269_000, lots=1000, tif=0)
    while rig.journal.append_words(99, 0, 0, 0, 0, 0, 0, 0, 0) > 0:
        pass
    assert rig.desk.amend(handle, 269_010, 1500, NOW_US, NOW_NS) == -Verdict.DENY_JOURNAL
    assert (rig.exposure.open_lots(0), rig.exposure.best(0)) == (1000, 269_000)
    assert (rig.account.state, bytes(rig.desk.frame())) == (2, b"")
    # The way out stays open.
    assert rig.desk.cancel(handle, NOW_US, NOW_NS) == 0


@forms
def test_refused_amend_leaves_the_order_as_it_was(rig):
    handle = live(rig, ticks=269_000, lots=1000, tif=0)
    rig.desk.amend(handle, 269_010, 400, NOW_US, NOW_NS)
    assert rig.desk.amend_rejected(handle) == 0
    assert (rig.exposure.open_lots(0), rig.exposure.best(0)) == (1000, 269_000)
    assert rig.desk.amend_rejected(handle) == -1


@forms
def test_order_that_ends_while_an_amend_is_on_its_way_holds_nothing(rig):
    handle = live(rig, ticks=269_000, lots=1000, tif=0)
    rig.desk.amend(handle, 269_010, 1500, NOW_US, NOW_NS)
    rig.desk.done(handle, State.CANCELED)
    assert nothing_held(rig)
    assert rig.desk.amended(handle, 269_010, 1500) == -1
    assert rig.desk.amend_rejected(handle) == -1
    assert rig.table.free(handle) == 0


@forms
def test_fills_while_an_amend_is_on_its_way(rig):
    handle = live(rig, ticks=269_000, lots=1000, tif=0)
    rig.desk.amend(handle, 269_010, 1500, NOW_US, NOW_NS)
    rig.desk.fill(handle, 269_000, 1000, 0)
    assert rig.table.state(handle) == State.PARTIAL
    assert rig.exposure.open_lots(0) == 500
    assert rig.desk.amended(handle, 269_010, 1500) == 0
    assert (rig.exposure.open_lots(0), rig.table.open_lots(handle)) == (500, 500)
    rig.desk.fill(handle, 269_010, 500, 0)
    assert nothing_held(rig)
    assert rig.position.lots == 1500


@forms
def test_amend_is_guarded(rig):
    handle = live(rig, ticks=269_000, lots=1000, tif=0)
    assert rig.desk.amend(handle, 300_000, 1000, NOW_US, NOW_NS) == -Verdict.DENY_PRICE_COLLAR
    assert rig.desk.amend(handle, 269_000, 0, NOW_US, NOW_NS) == -Verdict.DENY_INVALID
    assert rig.desk.amend(handle + 1, 269_000, 9, NOW_US, NOW_NS) == -Verdict.DENY_INVALID
    rig.gate.position_lots_max = 1200
    assert rig.desk.amend(handle, 269_000, 1201, NOW_US, NOW_NS) == -Verdict.DENY_POSITION
    assert rig.desk.amend(handle, 269_000, 1200, NOW_US, NOW_NS) == 0


@forms
def test_working_order_of_an_earlier_run_is_adopted(rig):
    handle = rig.desk.adopt((3 << 48) | (6 << 32) | 9, 1, 271_000, 1000, 400, 0, NOW_US, NOW_NS)
    assert handle >= 0
    assert (rig.table.state(handle), rig.table.strategy(handle)) == (State.PARTIAL, 3)
    assert (rig.exposure.open_lots(1), rig.exposure.best(1)) == (600, 271_000)
    assert rig.position.lots == 0
    assert rig.desk.done(handle, State.CANCELED) == 0
    assert nothing_held(rig)
    assert rig.desk.adopt(1, 1, 5, 5, 5, 0, NOW_US, NOW_NS) == -Verdict.DENY_INVALID


@forms
def test_scalper_may_retry_its_exit_again_and_again(rig):
    handle = live(rig, lots=1000)
    rig.desk.fill(handle, 270_010, 1000, 0)
    rig.table.free(handle)
    for _ in range(20):
        handle = live(rig, side=1, ticks=270_000, lots=1000)
        rig.desk.done(handle, State.EXPIRED)
        rig.table.free(handle)
    handle = live(rig, side=1, ticks=270_000, lots=1000)
    rig.desk.fill(handle, 270_000, 1000, 0)
    assert rig.position.lots == 0
    assert rig.position.realised == -10_000
    assert nothing_held(rig)


@forms
def test_parts_that_do_not_belong_together_are_refused(form, tmp_path):
    rig = Rig(form, tmp_path)
    desk = room(form, "fastcore.lane.desk").LaneDesk
    stranger = room(form, "fastcore.money.position").Position()
    with pytest.raises(ValueError, match="another"):
        desk(0, rig.table, rig.gate, rig.account, stranger, rig.book, rig.text, rig.journal)
    with pytest.raises(ValueError, match="None"):
        desk(0, rig.table, rig.gate, rig.account, rig.position, rig.book, rig.text, None)
    with pytest.raises(ValueError, match="run"):
        rig.desk.set_run(1 << 16)


@forms
def test_every_change_has_its_record(rig):
    handle = live(rig, ticks=269_000, lots=1000, tif=0)
    rig.desk.amend(handle, 269_010, 1500, NOW_US, NOW_NS)
    assert rig.desk.amend_rejected(handle, NOW_US) == 0
    assert rig.desk.discard(rig.place(ticks=269_500, tif=0), NOW_US) == 0
    assert rig.desk.adopt_position(500, 500 * 269_000, NOW_US, NOW_US - 9) == 0
    assert (rig.position.lots, rig.position.cost) == (500, 500 * 269_000)
    assert rig.desk.adopt_position(-1, 1, NOW_US, 0) == -1
    told = [(kind, words[1:]) for kind, words in rows(rig)][2:]
    assert [kind for kind, _ in told] == [AMEND, 11, ORDER, 12, 10, 10]
    assert told[4][1] == (0, 500, 500 * 269_000, 0, 0, NOW_US, NOW_US - 9)


@forms
def test_order_with_an_amend_on_its_way_is_adopted_and_holds_both(rig):
    handle = rig.desk.adopt((3 << 48) | (6 << 32) | 9, 0, 269_000, 1000, 400, 0, NOW_US, NOW_NS,
                            True, NOW_US - 50)
    assert rig.desk.adopt_wish(handle, 269_100, 1500, NOW_US) == 0
    assert (rig.exposure.open_lots(0), rig.exposure.best(0)) == (1100, 269_100)
    assert rig.desk.adopt_wish(handle, 269_100, 1500, NOW_US) < 0
    assert rig.desk.doubt(handle) == 0
    assert rig.desk.amended(handle, 269_100, 1500) == 0
    assert (rig.exposure.open_lots(0), rig.table.created_us(handle)) == (1100, NOW_US - 50)
    assert rig.desk.done(handle, State.CANCELED) == 0
    assert nothing_held(rig)
    assert rows(rig)[0][1][1:] == ((3 << 32) + (1 << 24), 269_000, 1000, 400, 0, NOW_US,
                                   NOW_US - 50)

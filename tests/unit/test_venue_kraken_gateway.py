"""venue.kraken.gateway: answers and reports in any order, gaps, doubts, recovery."""

from __future__ import annotations

import json

import pytest

from hftbot.venue.kraken import codec
from hftbot.venue.kraken.gateway import NO_ANSWER, Gateway
from hftbot.words import events as ev
from hftbot.words.market import VenueMode
from hftbot.words.order import OrderState, client_id_pack
from kraken_frames import (
    BALANCES,
    BTC,
    EMPTY,
    ETH,
    NOW_US,
    SECOND_NS,
    TOKEN,
    ManualClock,
    Raw,
    answer,
    executions,
    fixture_lines,
    needs_fixtures,
    report,
    trade,
    working,
)

OURS = client_id_pack(1, 7, 42)
NAME = codec.client_id_text(OURS)
ORDER = "OAAAAA-BBBBB-CCCCCC"


class Bench:
    """A gateway with its clock; frames get their sequence by themselves."""

    def __init__(self, connect=True):
        self.clock = ManualClock()
        self.gateway = Gateway((BTC, ETH), self.clock)
        self.sequence = 1
        if connect:
            self.gateway.connected(TOKEN)
            self.feed(EMPTY)
            self.feed(BALANCES)

    def feed(self, frame):
        return self.gateway.on_frame(frame, self.clock.ns)

    def told(self, *reports):
        self.sequence += 1
        return self.feed(executions(*reports, sequence=self.sequence))

    def sent(self, what="add_order", client_id=OURS):
        """As the router does it: the request id is the ClientId."""
        self.gateway.note_sent(client_id, client_id, what, self.clock.ns)


@pytest.fixture
def bench():
    return Bench()


def types(found):
    return [type(event).__name__ for event in found]


def test_it_subscribes_and_is_ready_when_both_snapshots_are_in():
    bench = Bench(connect=False)
    frames = [json.loads(frame) for frame in bench.gateway.connected(TOKEN)]
    assert [frame["params"] for frame in frames] == [
        {"channel": "executions", "snap_orders": True, "ratecounter": True,
         "snap_trades": False, "token": "token-of-the-test"},
        {"channel": "balances", "snapshot": True, "token": "token-of-the-test"}]
    assert bench.feed(EMPTY) == [ev.OrdersSeen((), NOW_US)]
    assert not bench.gateway.ready
    assert bench.feed(BALANCES) == [ev.BalanceSeen("USD", 800004943000000, NOW_US),
                                    ev.PrivateReady(NOW_US)]
    assert bench.gateway.ready


def test_both_shapes_of_the_subscription_answer(bench):
    for result, threshold in (({"channel": "executions", "maxratecount": 180, "snapshot": True},
                               180),
                              ({"channel": "executions", "maxratecount": 125, "snap_orders": True,
                                "snap_trades": True}, 125)):
        assert bench.feed(answer("subscribe", 0, result)) == []
        assert bench.gateway.rate_threshold == threshold


def test_an_order_that_takes_liquidity_answer_first(bench):
    bench.sent()
    assert bench.feed(answer("add_order", OURS, {"order_id": ORDER, "cl_ord_id": NAME})) == [
        ev.OrderAcked(OURS, ORDER, 1780000000000002)]
    found = bench.told(working(NAME), report("new", cl_ord_id=NAME),
                       trade(NAME, "T1", "0.00200000", "0.00200000"),
                       trade(NAME, "T2", "0.00300000", "0.00500000"),
                       report("filled", cl_ord_id=NAME, cum_qty=Raw("0.00500000")))
    stamp = 1780000000000001
    assert found == [
        ev.OrderAcked(OURS, ORDER, stamp, live=False), ev.OrderAcked(OURS, ORDER, stamp),
        ev.OrderFilled(OURS, ORDER, "T1", 0, 0, 500001, 200000, 10**10, False, stamp),
        ev.OrderFilled(OURS, ORDER, "T2", 0, 0, 500001, 300000, 10**10, False, stamp),
        ev.OrderDone(OURS, OrderState.FILLED, 500000, "", stamp)]
    assert bench.gateway.overdue(bench.clock.ns + 9 * SECOND_NS) == []


@pytest.mark.fault("F2")
def test_reports_before_the_answer_and_without_repeating_the_symbol(bench):
    bench.sent()
    assert types(bench.told(working(NAME))) == ["OrderAcked"]
    assert types(bench.told(report("new"))) == ["OrderAcked"]
    fill, = bench.told(report("trade", exec_id="T1", last_qty=Raw("0.001"), cum_qty=Raw("1e-3"),
                              last_price=Raw("5.00001e4"), liquidity_ind="m",
                              fees=[{"asset": "USD", "qty": Raw("0.0125")}]))
    assert (fill.client_id, fill.ticks, fill.lots, fill.maker) == (OURS, 500001, 100000, True)
    assert fill.fee_e10 == 125_000_000
    done, = bench.told(report("canceled", reason="User requested"))
    assert done == ev.OrderDone(OURS, OrderState.CANCELED, 100000, "User requested", done.ts_us)
    late = bench.feed(answer("add_order", OURS, {"order_id": ORDER, "cl_ord_id": NAME}))
    assert types(late) == ["OrderAcked"]


@pytest.mark.fault("F6")
def test_the_last_trade_may_say_partially_filled(bench):
    """Only a filled, canceled or expired report ends an order."""
    bench.sent()
    found = bench.told(working(NAME), trade(NAME, "T1", "0.00500000", "0.00500000"))
    assert types(found) == ["OrderAcked", "OrderFilled"]


@pytest.mark.fault("F5")
def test_a_fee_in_base_is_valued_at_the_fill(bench):
    fill, = bench.told(trade(NAME, "T1", "0.00100000", "0.00100000",
                             fees=[{"asset": "BTC", "qty": Raw("0.0000025001")}]))
    assert fill.fee_e10 == 25_001 * 500001 // 10 + 1


@pytest.mark.fault("F5")
def test_a_fee_in_a_third_asset_uses_the_venues_own_value(bench):
    fill, = bench.told(trade(NAME, "T1", "0.00100000", "0.00100000", fee_usd_equiv=Raw("0.2"),
                             fees=[{"asset": "KFEE", "qty": 20}]))
    assert fill.fee_e10 == 2_000_000_000
    assert bench.gateway.statistics()["odd_fees"] == 1


@pytest.mark.parametrize(("code", "expected"), [
    ("EOrder:Insufficient funds", ev.OrderRejected), ("EOrder:Post only order", ev.OrderRejected),
    ("EService:Deadline elapsed", ev.OrderRejected), ("EService:Unavailable", ev.OrderDoubt),
    ("EService:Timeout", ev.OrderDoubt), ("EGeneral:Internal error", ev.OrderDoubt)])
def test_refusals(bench, code, expected):
    bench.sent()
    event, = bench.feed(answer("add_order", OURS, error=code))
    assert type(event) is expected
    assert event.client_id == OURS


def test_an_order_that_was_reported_is_not_refused_by_a_late_answer(bench):
    bench.sent()
    bench.told(working(NAME))
    found = bench.feed(answer("add_order", OURS, error="EService:Unavailable"))
    assert types(found) == ["VenueError"]
    assert bench.gateway.contradictions == 1


@pytest.mark.fault("V12")
def test_a_refused_token_is_told_to_the_session(bench):
    bench.sent()
    found = bench.feed(answer("add_order", OURS, error="EAPI:Invalid token"))
    assert types(found) == ["VenueError", "OrderRejected"]


def test_a_token_refused_at_the_subscription():
    bench = Bench(connect=False)
    bench.gateway.connected(TOKEN)
    frame = (b'{"channel":"executions","error":"ESession:Invalid session","method":"subscribe",'
             b'"status":"error","success":false,"time_in":"2026-09-25T17:58:09.493462Z",'
             b'"time_out":"2026-09-25T17:58:09.493897Z"}')
    assert bench.feed(frame) == [ev.VenueError("ESession:Invalid session", 1790359089493897)]


def test_a_post_only_order_that_would_take_second_form(bench):
    """Accepted, then canceled with the reason: it is a rejection all the same."""
    bench.sent()
    bench.told(working(NAME, post_only=True))
    done, = bench.told(report("canceled", cl_ord_id=NAME, cum_qty=Raw("0.00000000"),
                              reason="Post only order"))
    assert (done.state, done.reason) == (OrderState.REJECTED, "EOrder:Post only order")


def test_amends(bench):
    bench.told(working(NAME))
    bench.sent("amend_order")
    assert bench.feed(answer("amend_order", OURS, {"amend_id": "A", "cl_ord_id": NAME})) == []
    amended, = bench.told(report("amended", reason="User requested", amended=True,
                                 limit_price=Raw("50000.2"), order_qty=Raw("0.00600000"),
                                 cum_qty=Raw("0.00000000")))
    assert (amended.client_id, amended.ticks, amended.lots) == (OURS, 500002, 600000)
    restated, = bench.told(report("restated", order_qty=Raw("0.00400000")))
    assert (restated.ticks, restated.lots) == (500002, 400000)
    bench.sent("amend_order")
    refused, = bench.feed(answer("amend_order", OURS, error="No amendable parameters"))
    assert refused == ev.CancelRejected(OURS, "No amendable parameters", refused.ts_us,
                                        amend=True)
    bench.sent("amend_order")
    assert types(bench.feed(answer("amend_order", OURS, error="EService:Timeout"))) == [
        "OrderDoubt"]


def test_cancels(bench):
    frame = json.loads(bench.gateway.cancel_frame(OURS, 9))
    assert frame == {"method": "cancel_order", "req_id": 9,
                     "params": {"cl_ord_id": [NAME], "token": "token-of-the-test"}}
    frame = json.loads(bench.gateway.cancel_venue_frame(ORDER, 9))
    assert frame["params"]["order_id"] == [ORDER]
    bench.sent("cancel_order")
    assert bench.feed(answer("cancel_order", OURS, {"cl_ord_id": NAME})) == []
    bench.sent("cancel_order")
    refused, = bench.feed(answer("cancel_order", OURS, error="EOrder:Unknown order"))
    assert refused == ev.CancelRejected(OURS, "EOrder:Unknown order", refused.ts_us)


def test_an_add_and_a_cancel_may_carry_the_same_request_id(bench):
    bench.sent()
    bench.sent("cancel_order")
    assert types(bench.feed(answer("cancel_order", OURS, error="EOrder:Unknown order"))) == [
        "CancelRejected"]
    assert types(bench.feed(answer("add_order", OURS, error="EOrder:Invalid price"))) == [
        "OrderRejected"]


def test_cancel_all(bench):
    frame = json.loads(bench.gateway.cancel_all_frame(5))
    assert frame == {"method": "cancel_all", "req_id": 5, "params": {"token":
                                                                     "token-of-the-test"}}
    bench.gateway.note_sent(5, 0, "cancel_all", bench.clock.ns)
    assert bench.gateway.cancelled_all == -1
    assert bench.feed(answer("cancel_all", 5, {"count": 3})) == []
    assert bench.gateway.cancelled_all == 3
    bench.gateway.note_sent(6, 0, "cancel_all", bench.clock.ns)
    assert types(bench.feed(answer("cancel_all", 6, error="EService:Busy"))) == ["VenueError"]


@pytest.mark.law(12)
def test_what_is_not_answered_is_in_doubt_once(bench):
    bench.sent()
    bench.sent("cancel_order", 77)
    assert bench.gateway.overdue(bench.clock.ns + 5 * SECOND_NS) == []
    late_ns = bench.clock.ns + 5 * SECOND_NS + 1
    assert bench.gateway.overdue(late_ns) == [OURS]
    assert bench.gateway.take_events() == [ev.CancelRejected(77, NO_ANSWER, NOW_US)]
    assert bench.gateway.overdue(late_ns) == []
    found = bench.feed(answer("add_order", OURS, {"order_id": ORDER, "cl_ord_id": NAME}))
    assert types(found) == ["OrderAcked"]


def test_a_report_answers_an_amend_and_a_cancel_too(bench):
    bench.told(working(NAME))
    bench.sent("amend_order")
    bench.told(report("amended", order_qty=Raw("0.004"), limit_price=Raw("50000.1")))
    bench.sent("cancel_order")
    bench.told(report("canceled", reason="User requested"))
    assert bench.gateway.overdue(bench.clock.ns + 6 * SECOND_NS) == []
    assert bench.gateway.take_events() == []


def test_asking_again_brings_the_list_without_losing_sight(bench):
    bench.told(working(NAME))
    bench.gateway.ask_again(bench.clock.ns)
    assert [json.loads(frame)["method"] for frame in bench.gateway.take_outbox()] == [
        "unsubscribe", "subscribe"]
    assert bench.gateway.ready
    bench.gateway.ask_again(bench.clock.ns)
    assert bench.gateway.take_outbox() == []
    seen, = bench.feed(executions(working(NAME, exec_type="new"), sequence=1, kind="snapshot"))
    assert [order.client_id for order in seen.orders] == [OURS]


@pytest.mark.fault("W1")
@pytest.mark.law(4)
def test_a_lost_connection_puts_unanswered_orders_in_doubt(bench):
    bench.sent()
    bench.sent(client_id=OURS + 1)
    bench.told(working(NAME))
    found = bench.gateway.disconnected("reset")
    assert found == [ev.PrivateLost("reset", NOW_US),
                     ev.OrderDoubt(OURS + 1, "connection lost: reset", NOW_US),
                     ev.ModeChanged(VenueMode.OPEN, NOW_US, private=True)]
    assert not bench.gateway.ready


@pytest.mark.fault("B3")
def test_a_sequence_gap_resubscribes_once_and_ends_in_a_new_snapshot(bench):
    bench.told(working(NAME))
    bench.sequence += 1
    found = bench.told(working(codec.client_id_text(OURS + 1), "OB"))
    assert types(found) == ["PrivateLost", "OrderAcked"]
    frames = [json.loads(frame) for frame in bench.gateway.take_outbox()]
    assert [(f["method"], f["params"]["channel"]) for f in frames] == [
        ("unsubscribe", "executions"), ("subscribe", "executions")]
    assert frames[1]["params"]["snap_trades"] is True
    bench.sequence += 5
    assert types(bench.told(report("new"))) == ["OrderAcked"]
    assert bench.gateway.take_outbox() == []
    bench.sequence = 1
    found = bench.feed(executions(working(NAME, exec_type="new", cum_qty=Raw("0.001")),
                                  working("somebody-else", "OC", exec_type="new", side="sell"),
                                  sequence=1, kind="snapshot"))
    assert types(found) == ["OrdersSeen", "PrivateReady"]
    assert [(o.client_id, o.venue_id, o.side, o.ticks, o.lots, o.filled_lots)
            for o in found[0].orders] == [(OURS, ORDER, 0, 500001, 500000, 100000),
                                          (0, "OC", 1, 500001, 500000, 0)]
    assert types(bench.told(report("new"))) == ["OrderAcked"]


@pytest.mark.fault("B3")
def test_fills_missed_in_a_gap_are_told_before_the_snapshot_oldest_first(bench):
    bench.sent()
    bench.told(working(NAME))
    bench.gateway.disconnected("reset")
    frames = bench.gateway.connected(TOKEN)
    assert json.loads(frames[0])["params"]["snap_trades"] is True
    newer = trade(NAME, "T2", "0.003", "0.005", timestamp="2026-05-28T20:26:41Z")
    older = trade(NAME, "T1", "0.002", "0.002", timestamp="2026-05-28T20:26:40Z")
    strange = trade(codec.client_id_text(5), "T0", "0.1", "0.1", order_id="OLD")
    found = bench.feed(executions(newer, older, strange, sequence=1, kind="snapshot"))
    assert types(found) == ["OrderFilled", "OrderFilled", "OrdersSeen"]
    assert [event.fill_id for event in found[:2]] == ["T1", "T2"]


@pytest.mark.fault("B6")
def test_old_fills_in_a_first_snapshot_are_not_told():
    bench = Bench(connect=False)
    bench.gateway.connected(TOKEN)
    found = bench.feed(executions(trade(NAME, "T1", "0.002", "0.002"), sequence=1,
                                  kind="snapshot"))
    assert types(found) == ["OrdersSeen"]


def test_a_fill_of_an_earlier_runs_order_is_told_if_it_is_expected():
    bench = Bench(connect=False)
    bench.gateway.expect(OURS)
    assert json.loads(bench.gateway.connected(TOKEN)[0])["params"]["snap_trades"] is True
    found = bench.feed(executions(trade(NAME, "T1", "0.002", "0.002"), sequence=1,
                                  kind="snapshot"))
    assert types(found) == ["OrderFilled", "OrdersSeen"]


@pytest.mark.fault("F1")
def test_a_repeated_frame_is_dropped(bench):
    frame = executions(trade(NAME, "T1", "0.002", "0.002"), sequence=2)
    assert types(bench.feed(frame)) == ["OrderFilled"]
    assert bench.feed(frame) == []
    assert bench.gateway.repeats == 1


def test_a_balance_gap_resubscribes_balances_alone(bench):
    update = (b'{"channel":"balances","type":"update","data":[{"asset":"USD","asset_class":'
              b'"currency","amount":1,"fee":0,"balance":500.5,"wallet_type":"spot","wallet_id":'
              b'"main","timestamp":"2023-09-22T10:33:05.710082Z"}],"sequence":%d}')
    assert bench.feed(update % 2) == [ev.BalanceSeen("USD", 5005000000000, 1695378785710082)]
    assert types(bench.feed(update % 4)) == ["PrivateLost", "BalanceSeen"]
    frames = bench.gateway.take_outbox()
    assert all(json.loads(frame)["params"]["channel"] == "balances" for frame in frames)
    assert types(bench.feed(BALANCES)) == ["BalanceSeen", "PrivateReady"]


def test_a_staked_balance_cannot_be_traded(bench):
    frame = (b'{"channel":"balances","type":"update","data":[{"asset":"ETH","balance":9,'
             b'"wallet_type":"earn","wallet_id":"flex"}],"sequence":2}')
    assert bench.feed(frame) == []


@pytest.mark.parametrize("bad", [
    trade(NAME, "T1", "0.000000001", "0.000000001"), trade(NAME, "T1", "1", "1", price="0.05"),
    trade(NAME, "T1", "0", "0"), trade(NAME, "", "1", "1"), trade(NAME, "T1", '"1"', "1"),
    trade(NAME, "T1", "1", "1", side="both"), report("trade", "OZ", exec_id="T1"), '{"a":1}', "7"])
def test_a_report_that_cannot_be_read_is_a_loss_and_does_not_hide_the_others(bench, bad):
    good = trade(NAME, "T9", "0.002", "0.002", order_id="OG")
    found = bench.told(bad, good)
    assert bench.gateway.bad_frames == 1
    assert types(found)[-2:] == ["VenueError", "PrivateLost"]
    assert ("OrderFilled" in types(found)) == (bad != "7")
    assert len(bench.gateway.take_outbox()) == 2


def test_an_unreadable_snapshot_is_asked_again_after_a_while():
    bench = Bench(connect=False)
    bench.gateway.connected(TOKEN)
    bad = executions(working(NAME, price="1e-9"), sequence=1, kind="snapshot")
    assert types(bench.feed(bad)) == ["VenueError"]
    assert bench.gateway.take_outbox() == []
    bench.gateway.overdue(bench.clock.ns + 4 * SECOND_NS)
    assert bench.gateway.take_outbox() == []
    bench.gateway.overdue(bench.clock.ns + 6 * SECOND_NS)
    assert len(bench.gateway.take_outbox()) == 4


@pytest.mark.fault("V11")
def test_external_orders_tell_only_their_fills(bench):
    assert bench.told(working("client-zero", "OX")) == []
    fill, = bench.told(report("trade", "OX", exec_id="T1", last_qty=Raw("0.1"),
                              last_price=Raw("50000"), cum_qty=Raw("0.1")))
    assert (fill.client_id, fill.ticks, fill.lots, fill.fee_e10) == (0, 500000, 10_000_000, 0)
    assert bench.told(report("filled", "OX", cum_qty=Raw("0.1"))) == []


def test_an_external_order_may_carry_a_price_that_is_no_price(bench):
    odd = working("x", "OX", order_type="trailing-stop-limit", price="-1.00005", exec_type="new")
    found = bench.feed(executions(odd, sequence=1, kind="snapshot"))
    assert found[0].orders[0].ticks == 0


def test_symbols_that_we_do_not_trade_are_counted_and_ignored(bench):
    assert bench.told(working(NAME, "OF", symbol="ADX/USD"), report("new", "OF"),
                      report("filled", "OF")) == []
    assert bench.gateway.statistics()["foreign_reports"] == 3


def test_unknown_kinds_keys_and_channels_are_tolerated(bench):
    assert bench.told(report("iceberg_refill", cl_ord_id=NAME, novelty=[1])) == []
    assert bench.told(report("a_new_kind", cl_ord_id=NAME)) == []
    for frame in (b'{"channel":"heartbeat"}', b'{"channel":"weather","data":1}', b"{}",
                  b'{"method":"pong","req_id":1,"time_in":"2024-05-20T11:08:49.272922Z",'
                  b'"time_out":"2024-05-20T11:08:49.272940Z"}',
                  b'{"method":"batch_cancel","orders_cancelled":2,"req_id":0,"success":true}'):
        assert bench.feed(frame) == []


@pytest.mark.fault("V2")
def test_the_mode_is_told_on_this_link_too(bench):
    frame = b'{"channel":"status","type":"update","data":[{"system":"cancel_only"}]}'
    assert bench.feed(frame) == [ev.ModeChanged(VenueMode.CANCEL_ONLY, NOW_US, private=True)]


def test_an_error_without_a_method_is_told(bench):
    for key in (b"error", b"Error"):
        said, = bench.feed(b'{"%s":"Exceeded msg rate"}' % key)
        assert (type(said), said.code) == (ev.VenueError, "Exceeded msg rate")


def test_memory_is_bounded(bench):
    for n in range(1000):
        bench.sent(client_id=n + 1)
        name = codec.client_id_text(n + 1)
        bench.told(working(name, f"O{n}"), report("filled", f"O{n}", cum_qty=Raw("0.005")))
        bench.feed(answer("add_order", n + 1, {"order_id": f"O{n}", "cl_ord_id": name}))
    reports = bench.gateway.reports
    assert len(reports._orders) <= 257
    assert len(reports._reported) <= 257
    assert not reports._expected
    assert not bench.gateway._calls


@needs_fixtures
def test_recorded_frames_are_read_without_a_complaint():
    for line in fixture_lines("ws_private/*.jsonl", "ws_trading/asyncrs_responses.jsonl",
                              "ws_errors/*.jsonl", "docs_examples/executions_*.json",
                              "docs_examples/balances_*.json", "docs_examples/cancel_*.json*",
                              "docs_examples/add_order_04.json"):
        if b'"params"' in line:
            continue  # a request, not an answer
        bench = Bench()
        bench.gateway.on_frame(line, bench.clock.ns)
        assert bench.gateway.bad_frames == 0, line


@needs_fixtures
def test_the_documented_sequence_of_a_taker_order():
    bench = Bench()
    bench.sequence = 7
    bench.gateway._sequence["executions"] = 7
    found = []
    for line in fixture_lines("docs_examples/executions_0[345].json"):
        found += bench.feed(line)
    fill, = found
    assert (fill.fill_id, fill.side, fill.ticks, fill.lots) == ("TGBB7L-HT5LX-J3BZ4A", 1, 265999,
                                                               500000)
    assert fill.fee_e10 == 3_458_000_000

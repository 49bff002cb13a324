"""venue.kraken.gateway: answers to batches, edits, validations and the switch, order by order."""

from __future__ import annotations

import json

import pytest
from test_venue_kraken_gateway import Bench, types

from hftbot.venue.kraken import codec
from hftbot.venue.kraken.calls import NO_ANSWER
from hftbot.venue.kraken.gateway import VALIDATED
from hftbot.words import events as ev
from hftbot.words.order import OrderState, client_id_pack
from kraken_frames import (
    NOW_US,
    SECOND_NS,
    Raw,
    answer,
    fixture_lines,
    needs_fixtures,
    report,
    trade,
    working,
)

FIRST, SECOND, THIRD = (client_id_pack(1, 7, number) for number in (1, 2, 3))
THREE = (FIRST, SECOND, THIRD)
STAMPS = {"time_in": "2026-05-28T20:26:40.000001Z", "time_out": "2026-05-28T20:26:40.000002Z"}


@pytest.fixture
def bench():
    return Bench()


def name(client_id):
    return codec.client_id_text(client_id)


def batch(rows, success=True, req_id=9):
    return json.dumps({"method": "batch_add", "req_id": req_id, "result": rows,
                       "success": success, **STAMPS}).encode()


def sent(bench, what, ids=THREE, req_id=9, validate=False):
    bench.gateway.note_batch(req_id, ids, what, bench.clock.ns, validate)


@pytest.mark.parametrize("success", [True, False])
def test_a_batch_is_answered_row_by_row_in_its_order(bench, success):
    sent(bench, "batch_add")
    found = bench.feed(batch([{"order_id": "OA"}, {"error": "EOrder:Insufficient funds"},
                              {"error": "EService:Unavailable"}], success))
    assert [(type(event), event.client_id) for event in found] == [
        (ev.OrderAcked, FIRST), (ev.OrderRejected, SECOND), (ev.OrderDoubt, THIRD)]
    assert (found[0].venue_id, found[1].code) == ("OA", "EOrder:Insufficient funds")
    done, = bench.told(report("canceled", "OA", reason="User requested"))
    assert done.client_id == FIRST, "the row's order id names our order from now on"


def test_a_batch_refused_as_a_whole_made_no_order(bench):
    sent(bench, "batch_add")
    found = bench.feed(answer("batch_add", 9, error="EGeneral:Invalid arguments:volume"))
    assert [(type(event), event.client_id) for event in found] == [
        (ev.OrderRejected, client_id) for client_id in THREE]
    sent(bench, "batch_add")
    assert types(bench.feed(answer("batch_add", 9, error="EService:Busy"))) == ["OrderDoubt"] * 3


def test_rows_that_are_missing_are_doubts_and_a_stranger_is_counted(bench):
    sent(bench, "batch_add")
    assert types(bench.feed(batch([{"order_id": "OA"}]))) == [
        "OrderAcked", "OrderDoubt", "OrderDoubt"]
    assert bench.feed(batch([{"order_id": "OB"}])) == []
    assert bench.gateway.unmatched == 1
    sent(bench, "batch_add")
    assert "VenueError" in types(bench.feed(answer("batch_add", 9, {})))
    assert bench.gateway.bad_frames == 1


@pytest.mark.law(12)
def test_a_batch_without_an_answer_is_in_doubt_but_for_what_was_reported(bench):
    sent(bench, "batch_add")
    bench.told(working(name(SECOND), "OB"))
    assert bench.gateway.overdue(bench.clock.ns + 6 * SECOND_NS) == [FIRST, THIRD]
    sent(bench, "batch_add", (THIRD,))
    found = bench.gateway.disconnected("reset")
    assert [event.client_id for event in found if isinstance(event, ev.OrderDoubt)] == [THIRD]


def test_fills_before_the_answer_of_a_batch(bench):
    sent(bench, "batch_add")
    assert types(bench.told(working(name(FIRST), "OA"),
                            trade(name(FIRST), "T1", "0.00500000", "0.00500000", order_id="OA"),
                            report("filled", "OA", cum_qty=Raw("0.005")))) == [
        "OrderAcked", "OrderFilled", "OrderDone"]
    found = bench.feed(batch([{"error": "EOrder:Unknown order"}, {"order_id": "OB"},
                              {"order_id": "OC"}]))
    assert types(found) == ["VenueError", "OrderAcked", "OrderAcked"]
    assert bench.gateway.contradictions == 1


@pytest.mark.parametrize("counted", [{"orders_cancelled": 3}, {"result": {"count": 3}}])
def test_both_shapes_of_a_batch_cancel(bench, counted):
    sent(bench, "batch_cancel")
    frame = json.dumps({"method": "batch_cancel", "req_id": 9, "success": True, **STAMPS,
                        **counted})
    assert bench.feed(frame.encode()) == []
    assert bench.gateway.overdue(bench.clock.ns + 6 * SECOND_NS) == []
    assert bench.gateway.take_events() == []


def test_a_batch_cancel_that_is_short_waits_for_the_stream(bench):
    bench.told(*(working(name(client_id), f"O{client_id}") for client_id in THREE))
    sent(bench, "batch_cancel")
    assert bench.feed(answer("batch_cancel", 9, {"count": 2})) == []
    bench.told(report("canceled", f"O{FIRST}"), report("canceled", f"O{THIRD}"))
    assert bench.gateway.overdue(bench.clock.ns + 6 * SECOND_NS) == []
    assert bench.gateway.take_events() == [ev.CancelRejected(SECOND, NO_ANSWER, NOW_US)]


def test_a_batch_cancel_that_is_refused(bench):
    sent(bench, "batch_cancel")
    found = bench.feed(answer("batch_cancel", 9, error="EOrder:Unknown order"))
    assert [(type(event), event.client_id) for event in found] == [
        (ev.CancelRejected, client_id) for client_id in THREE]


def test_a_cancel_of_several_has_one_answer_each_and_the_refusal_is_who_is_left(bench):
    bench.told(*(working(name(client_id), f"O{client_id}") for client_id in THREE))
    sent(bench, "cancel_order")
    assert bench.feed(answer("cancel_order", 9, {"cl_ord_id": name(FIRST)})) == []
    assert bench.feed(answer("cancel_order", 9, error="EOrder:Unknown order")) == []
    refused, = bench.feed(answer("cancel_order", 9, {"order_id": f"O{THIRD}"}))
    assert (type(refused), refused.client_id) == (ev.CancelRejected, SECOND)
    assert bench.feed(answer("cancel_order", 9, {"cl_ord_id": name(FIRST)})) == []
    assert bench.gateway.unmatched == 1


def test_an_edit_is_a_new_order_under_the_new_id(bench):
    """The old one ends by its own report; the new one has no name of ours on the wire."""
    bench.gateway.note_sent(9, SECOND, "edit_order", bench.clock.ns)
    acked, = bench.feed(answer("edit_order", 9, {"order_id": "ONEW", "original_order_id": "OOLD"}))
    assert (acked.client_id, acked.venue_id) == (SECOND, "ONEW")
    fill, = bench.told(report("trade", "ONEW", symbol="BTC/USD", side="buy", exec_id="T1",
                              last_qty=Raw("0.001"), last_price=Raw("5e4")))
    assert fill.client_id == SECOND
    bench.gateway.note_sent(10, THIRD, "edit_order", bench.clock.ns)
    refused, = bench.feed(answer("edit_order", 10, error="EOrder:Unknown order"))
    assert (type(refused), refused.client_id) == (ev.OrderRejected, THIRD)
    bench.gateway.note_sent(11, THIRD, "edit_order", bench.clock.ns)
    assert bench.gateway.overdue(bench.clock.ns + 6 * SECOND_NS) == [THIRD]


@pytest.mark.parametrize("result", [{}, {"order_id": ""}, {"order_id": "OA"}])
def test_an_order_that_was_only_validated_is_over_and_never_was_in_doubt(bench, result):
    bench.gateway.note_sent(9, FIRST, "add_order", bench.clock.ns, validate=True)
    done, = bench.feed(answer("add_order", 9, result))
    assert (done.client_id, done.state, done.filled_lots, done.reason) == (
        FIRST, OrderState.CANCELED, 0, VALIDATED)
    for error in ("EOrder:Insufficient funds", "EService:Busy"):
        bench.gateway.note_sent(9, FIRST, "add_order", bench.clock.ns, validate=True)
        refused, = bench.feed(answer("add_order", 9, error=error))
        assert (refused.client_id, refused.code) == (FIRST, error)
    bench.gateway.note_sent(9, FIRST, "add_order", bench.clock.ns, validate=True)
    assert bench.gateway.overdue(bench.clock.ns + 6 * SECOND_NS) == []
    assert bench.gateway.take_events() == [ev.OrderRejected(FIRST, NO_ANSWER, NOW_US)]
    sent(bench, "batch_add", validate=True)
    assert types(bench.feed(batch([{}, {}, {"error": "EOrder:Invalid price"}]))) == [
        "OrderDone", "OrderDone", "OrderRejected"]


def test_the_switch_tells_when_it_fires(bench):
    frame = json.loads(bench.gateway.switch_frame(60, 5))
    assert frame["params"] == {"timeout": 60, "token": "token-of-the-test"}
    bench.feed(answer("cancel_all_orders_after", 5, {"currentTime": "2024-05-19T19:22:20Z",
                                                     "triggerTime": "2024-05-19T19:22:25Z"}))
    assert bench.gateway.switch == "2024-05-19T19:22:25Z"
    bench.gateway.switch_frame(0, 6)
    assert bench.gateway.switch == ""
    bench.feed(answer("cancel_all_orders_after", 6, {"currentTime": "2024-05-19T19:22:20Z",
                                                     "triggerTime": "0"}))
    assert bench.gateway.switch == "0"
    assert types(bench.feed(answer("cancel_all_orders_after", 6,
                                   error="Invalid timeout argument"))) == ["VenueError"]


def test_a_stamp_that_is_no_time_does_not_cost_the_answer(bench):
    bench.sent(client_id=FIRST)
    frame = answer("add_order", FIRST, {"order_id": "OA"}).replace(b"000002Z", b"7890123")
    acked, = bench.feed(frame)
    assert acked == ev.OrderAcked(FIRST, "OA", NOW_US)


@pytest.mark.parametrize(("error", "again"), [
    ("EOrder:Rate limit exceeded", True), ("EAPI:Rate limit exceeded", True),
    ("EOrder:Insufficient funds", False), ("EService:Market in post_only mode", False),
    ("EOrder:Tick size check failed", False), ("EGeneral:Permission denied", False)])
def test_a_refusal_says_whether_the_same_order_may_be_taken_later(bench, error, again):
    answered = []
    bench.gateway.on_answer = lambda req_id, now_ns: answered.append((req_id, now_ns))
    bench.sent(client_id=FIRST)
    refused, = [event for event in bench.feed(answer("add_order", FIRST, error=error))
                if isinstance(event, ev.OrderRejected)]
    assert refused.again is again
    assert answered == [(FIRST, bench.clock.ns)]


def test_errors_that_no_table_knows_are_counted(bench):
    bench.sent(client_id=FIRST)
    refused, = bench.feed(answer("add_order", FIRST, error="EOrder:Quite new"))
    assert refused.code == "EOrder:Quite new"
    bench.feed(answer("subscribe", 5, error="Something about channels"))
    assert bench.gateway.statistics()["unmapped_errors"] == 2


@needs_fixtures
def test_recorded_answers_belong_to_their_requests(bench):
    """Each recorded trading answer, to a request that was made."""
    expected = {"add_order": ["OrderAcked"], "amend_order": [], "edit_order": ["OrderAcked"],
                "cancel_order": [], "cancel_all": [], "cancel_all_orders_after": [],
                "batch_add": ["OrderAcked", "OrderAcked"], "batch_cancel": []}
    answers = fixture_lines("ws_trading/asyncrs_responses.jsonl",
                            "docs_examples/batch_add_02.json", "docs_examples/edit_order_02.json",
                            "docs_examples/batch_cancel_02.json",
                            "docs_examples/cancel_order_response_lines.jsonl")
    for line in answers:
        message = codec.parse(line)
        ids = THREE[:2] if message["method"].startswith("batch") else (FIRST,)
        sent(bench, message["method"], ids, message["req_id"])
        assert types(bench.feed(line)) == expected[message["method"]], line
    assert bench.gateway.bad_frames == bench.gateway.unmatched == 0

"""Kraken order requests: valid JSON, exact numbers, the documented keys."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twins import BOTH, both

room = pytest.fixture(params=both("fastcore.codec.text"), ids=BOTH)(lambda request: request.param)
ROOMS = both("fastcore.codec.text")


def make(room, *grid, token=b"secret"):
    text = room.KrakenOrderText(b"BTC/USD", *(grid or (1, 8)))
    text.set_token(token)
    return text


def read(text, size):
    frame = bytes(text.frame())
    assert size == len(frame) == text.size
    return json.loads(frame, parse_float=Decimal)


def test_add_order_has_the_documented_keys(room):
    text = make(room)
    size = text.add_order(0, 452835, 12345678, 1, False, 36, 1767225600123456, 42)
    assert read(text, size) == {
        "method": "add_order", "req_id": 42, "params": {
            "order_type": "limit", "side": "buy", "symbol": "BTC/USD", "token": "secret",
            "limit_price": Decimal("45283.5"), "order_qty": Decimal("0.12345678"),
            "time_in_force": "ioc", "post_only": False, "cl_ord_id": "h10",
            "deadline": "2026-01-01T00:00:00.123Z"}}


def test_numbers_have_the_full_precision(room):
    text = make(room)
    text.add_order(1, 10, 100000000, 0, True, 1, 0, 0)
    frame = bytes(text.frame())
    assert b'"limit_price":1.0,"order_qty":1.00000000,"cl_ord_id":"h1"},"req_id":0}' in frame
    assert b'"side":"sell","time_in_force":"gtc","post_only":true' in frame
    assert b"deadline" not in frame


def test_other_requests(room):
    text = make(room)
    size = text.amend_order(37, 5, 7, True, 1767225600000000, 9)
    assert read(text, size) == {"method": "amend_order", "req_id": 9, "params": {
        "cl_ord_id": "h11", "limit_price": Decimal("0.5"), "order_qty": Decimal("0.00000007"),
        "post_only": True, "deadline": "2026-01-01T00:00:00.000Z", "token": "secret"}}
    size = text.cancel_order(1, 8)
    assert read(text, size) == {"method": "cancel_order", "req_id": 8, "params": {
        "cl_ord_id": ["h1"], "token": "secret"}}
    size = text.cancel_all((1 << 63) - 1)
    assert read(text, size) == {"method": "cancel_all", "req_id": (1 << 63) - 1,
                                "params": {"token": "secret"}}
    size = text.add_order(1, 5, 7, 2, False, 1, 0, 1)
    assert read(text, size)["params"]["time_in_force"] == "fok"


@pytest.mark.parametrize(("expire_us", "shown"), [
    (1767225600000000, "2026-01-01T00:00:00Z"), (1767225600000001, "2026-01-01T00:00:01Z"),
    (1, "1970-01-01T00:00:01Z"), (253402300798999999, "9999-12-31T23:59:59Z")])
@pytest.mark.parametrize("side", [0, 1])
def test_an_order_that_ends_by_itself(room, expire_us, shown, side):
    text = make(room)
    text.expire_us = expire_us
    for post_only, deadline_us in ((True, 0), (False, 1767225600123456)):
        size = text.add_order(side, 452835, 12345678, 3, post_only, 36, deadline_us, 42)
        params = read(text, size)["params"]
        assert params.pop("deadline", "") == ("2026-01-01T00:00:00.123Z" if deadline_us else "")
        assert params == {
            "order_type": "limit", "side": ("buy", "sell")[side], "symbol": "BTC/USD",
            "token": "secret", "limit_price": Decimal("45283.5"), "post_only": post_only,
            "order_qty": Decimal("0.12345678"), "time_in_force": "gtd", "expire_time": shown,
            "cl_ord_id": "h10"}


def test_an_order_that_would_never_end_is_no_gtd_order(room):
    text = make(room)
    for expire_us in (0, -1, 253402300799000000):
        text.expire_us = expire_us
        assert text.add_order(*GOOD[:3], 3, *GOOD[4:]) == -1


def test_token_is_escaped_and_replaced(room):
    text = make(room, token=b'a"b\\c')
    assert read(text, text.cancel_all(1))["params"]["token"] == 'a"b\\c'
    text.set_token(b"new")
    assert text.size == 0
    assert read(text, text.cancel_all(1))["params"]["token"] == "new"
    with pytest.raises(ValueError, match="buffer needs"):
        text.set_token(b"x" * 4000)
    assert read(text, text.cancel_all(1))["params"]["token"] == "new"


GOOD = (0, 452835, 1, 1, False, 36, 0, 42)


@pytest.mark.parametrize(("place", "value"), [
    (0, 2), (0, -1), (1, 0), (1, -5), (2, 0), (2, -(1 << 63)), (3, 3), (3, 4),
    (3, -1), (5, 0), (5, -1),
    (5, (1 << 53) + 1), (6, -1), (6, 253402300800000000), (7, -1)])
def test_what_cannot_be_written_is_refused(room, place, value):
    text = make(room)
    size = text.add_order(*GOOD)
    assert text.add_order(*GOOD[:place], value, *GOOD[place + 1:]) == -1
    assert text.size == size


def test_units_beyond_int64_are_refused(room):
    text = make(room, 1, 8, 10, 10)
    assert text.add_order(0, (1 << 63) - 1, 1, 1, False, 1, 0, 1) == -1
    assert text.add_order(0, 1, (1 << 63) - 1, 1, False, 1, 0, 1) == -1
    with pytest.raises(ValueError, match="precisions"):
        make(room, 19, 8)


@given(side=st.integers(0, 1), ticks=st.integers(1, (1 << 63) - 1), tif=st.integers(0, 2),
       lots=st.integers(1, (1 << 63) - 1) | st.integers(1, 10**9), post_only=st.booleans(),
       client_id=st.integers(1, 1 << 53), deadline_us=st.integers(1, 253402300799999999),
       req_id=st.integers(0, (1 << 63) - 1), precision=st.integers(0, 18))
@settings(max_examples=150, deadline=None)
def test_every_order_is_exact_and_the_same_in_both_forms(
        side, ticks, lots, tif, post_only, client_id, deadline_us, req_id, precision):
    frames = set()
    for module in ROOMS:
        text = make(module, precision, 18 - precision)
        size = text.add_order(side, ticks, lots, tif, post_only, client_id, deadline_us, req_id)
        found = read(text, size)
        frames.add(bytes(text.frame()))
    assert len(frames) == 1
    params = found["params"]
    assert Decimal(str(params["limit_price"])) == Decimal(ticks).scaleb(-precision)
    assert Decimal(str(params["order_qty"])) == Decimal(lots).scaleb(precision - 18)
    assert module.client_id_parse(params["cl_ord_id"]) == client_id
    assert params["cl_ord_id"] == module.client_id_text(client_id)
    assert found["req_id"] == req_id


ORDERS = st.lists(st.tuples(
    st.integers(0, 1), st.integers(1, (1 << 63) - 1), st.integers(1, (1 << 63) - 1),
    st.integers(0, 2), st.booleans(), st.integers(1, 1 << 53)), min_size=2, max_size=15)


@given(orders=ORDERS, deadline_us=st.just(0) | st.integers(1, 253402300799999999),
       req_id=st.integers(0, (1 << 63) - 1), precision=st.integers(0, 18))
@settings(max_examples=60, deadline=None)
def test_every_row_of_a_batch_is_the_order_that_was_asked(orders, deadline_us, req_id, precision):
    frames = set()
    for module in ROOMS:
        text = make(module, precision, 18 - precision, token=b"T" * 100)
        text.batch_open()
        assert [text.batch_add(*order) for order in orders] == list(range(1, len(orders) + 1))
        found = read(text, text.batch_close(deadline_us, req_id))
        frames.add(bytes(text.frame()))
    assert len(frames) == 1
    params = found["params"]
    assert (found["method"], found["req_id"], params["symbol"]) == ("batch_add", req_id, "BTC/USD")
    assert ("deadline" in params) == (deadline_us > 0)
    single = make(module, precision, 18 - precision)
    for order, row in zip(orders, params["orders"], strict=True):
        alone = read(single, single.add_order(*order, 0, 1))["params"]
        assert row == {key: alone[key] for key in alone if key not in ("symbol", "token")}


def test_a_batch_that_cannot_be_is_refused(room):
    text = make(room)
    order = GOOD[:6]
    assert text.batch_add(*order) == text.batch_close(0, 1) == -1, "nothing was opened"
    text.batch_open()
    for place, value in ((0, 2), (1, 0), (2, 0), (3, 3), (5, 0)):
        assert text.batch_add(*order[:place], value, *order[place + 1:]) == -1
    assert text.batch_add(*order) == 1
    assert text.batch_close(0, 1) == -1, "one order is no batch"
    assert [text.batch_add(*order) for _ in range(14)] == list(range(2, 16))
    assert text.batch_add(*order) == -1, "15 at most"
    assert text.batch_close(-1, 1) == text.batch_close(0, -1) == -1
    assert len(read(text, text.batch_close(0, 1))["params"]["orders"]) == 15
    assert text.batch_add(*order) == text.batch_close(0, 1) == -1, "it is closed"
    text.batch_open()
    assert text.batch_add(*order) == 1
    read(text, text.add_order(*GOOD))
    assert text.batch_add(*order) == -1, "another request took its place"
    text.batch_open()
    text.set_token(b"new")
    assert text.batch_add(*order) == -1, "its head held the old token"


def test_a_batch_never_leaves_its_buffer(room):
    text = room.KrakenOrderText(b"BTC/USD", 1, 8, 1, 1, 800)
    text.set_token(b"T" * 44)
    text.batch_open()
    fitted = 0
    while text.batch_add(*GOOD[:6]) > 0:
        fitted += 1
    assert 2 <= fitted < 15
    size = text.batch_close(1767225600000000, 7)
    assert size <= 800
    assert len(read(text, size)["params"]["orders"]) == fitted


@given(deadline_us=st.integers(1, 253402300799999999))
@settings(max_examples=100, deadline=None)
def test_deadline_is_the_calendar_of_the_library(deadline_us):
    from datetime import UTC, datetime, timedelta
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=deadline_us)
    expected = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    for module in ROOMS:
        text = make(module)
        found = read(text, text.add_order(0, 1, 1, 1, False, 1, deadline_us, 1))
        assert found["params"]["deadline"] == f"{expected}.{moment.microsecond // 1000:03}Z"


@pytest.mark.parametrize("text", ["", "h", "x10", "h01", "hABC", "h1 ", "h" + "z" * 11, "h-1",
                                  "h" + "1" * 12, "10", "h1_0"])
def test_foreign_ids_are_not_ours(room, text):
    assert room.client_id_parse(text) == 0


def test_client_ids_are_short_and_come_back(room):
    for client_id in (1, 35, 36, 1295, 1296, (1 << 53) - 1, 1 << 53):
        text = room.client_id_text(client_id)
        assert len(text) <= 18
        assert room.client_id_parse(text) == client_id
    for wrong in (0, -1, (1 << 53) + 1):
        with pytest.raises(ValueError, match="client id"):
            room.client_id_text(wrong)

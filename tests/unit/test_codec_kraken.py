"""Kraken market frames: what is read, what is refused, and the exact numbers."""

import json
import os
import pathlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twins import BOTH, both

room = pytest.fixture(params=both("fastcore.codec.kraken"), ids=BOTH)(
    lambda request: request.param)
SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
EXAMPLES = SHARED / "fixtures/kraken/docs_examples"
BOOK = (b'{"channel":"book","type":"%s","data":[{"symbol":"BTC/USD","bids":[%s],"asks":[%s],'
        b'"checksum":3310070434,"timestamp":"2023-10-06T17:35:55.440295Z"}]}')
LEVEL = b'{"price":%s,"qty":%s}'
TRADE = (b'{"channel":"trade","type":"update","data":[{"symbol":"%s","side":"%s",'
         b'"price":83744.3,"qty":0.00044780,"ord_type":"limit","trade_id":109116693,'
         b'"timestamp":"2026-09-25T17:48:26.844359Z"}]}')


def make(room):
    decoder = room.KrakenDecoder()
    assert decoder.add_symbol(b"ETH/USD", 2, 8, 1, 1) == 0
    assert decoder.add_symbol(b"BTC/USD", 1, 8, 1, 1) == 1
    assert decoder.add_symbol(b"X/Y", 5, 8, 10000, 100) == 2
    return decoder


def update(price, qty, kind=b"update"):
    return BOOK % (kind, LEVEL % (price, qty), b"")


def test_book_update(room):
    decoder = make(room)
    frame = BOOK % (b"update", LEVEL % (b"45283.5", b"0.10000000"), b",".join(
        (LEVEL % (b"45285.2", b"0.00000000"), LEVEL % (b"45286.0", b"12.3"))))
    assert decoder.decode(frame, 0) == room.KIND_BOOK_UPDATE == decoder.kind
    assert (decoder.instrument, decoder.level_count, decoder.trade_count) == (1, 3, 0)
    assert list(decoder.levels[:9]) == [0, 452835, 10000000, 1, 452852, 0, 1, 452860, 1230000000]
    assert decoder.checksum == 3310070434
    assert decoder.ts_us == 1696613755440295


def test_book_snapshot_may_have_no_timestamp(room):
    decoder = make(room)
    frame = update(b"1.5", b"1", b"snapshot").replace(
        b',"timestamp":"2023-10-06T17:35:55.440295Z"', b"")
    assert decoder.decode(frame) == room.KIND_BOOK_SNAPSHOT
    assert (decoder.ts_us, list(decoder.levels[:3])) == (0, [0, 15, 100000000])


def test_trades(room):
    decoder = make(room)
    assert decoder.decode(TRADE % (b"BTC/USD", b"sell")) == room.KIND_TRADE
    assert (decoder.instrument, decoder.trade_count, decoder.level_count) == (1, 1, 0)
    assert list(decoder.trades[:5]) == [1, 837443, 44780, 109116693, 1790358506844359]
    assert decoder.ts_us == 1790358506844359
    assert decoder.decode(TRADE % (b"BTC/USD", b"buy")) == room.KIND_TRADE
    assert decoder.trades[0] == 0


@pytest.mark.parametrize("frame", [
    b'{"method":"pong","req_id":1}', b"{}", b' {"channel":"status","data":5} \n',
    b'{"channel":"trade","type":"snapshot","data":[]}', b'{"channel":"instrument","data":{}}'])
def test_other_frames_are_cold(room, frame):
    decoder = make(room)
    decoder.decode(update(b"1.5", b"1"))
    assert decoder.decode(frame) == room.KIND_COLD
    assert (decoder.instrument, decoder.level_count, decoder.checksum) == (-1, 0, 0)


@pytest.mark.parametrize("frame", [b'{"channel":"heartbeat"}', b'{ "channel" : "heartbeat" }'])
def test_heartbeat(room, frame):
    assert make(room).decode(frame) == room.KIND_HEARTBEAT


GOOD = update(b"45283.5", b"0.10000000")


@pytest.mark.parametrize(("frame", "code"), [
    (b"", "BAD_JSON"), (b"[1]", "BAD_JSON"), (b"hello", "BAD_JSON"), (GOOD[:-1], "BAD_JSON"),
    (GOOD + b"x", "BAD_JSON"), (GOOD + b"\x00", "BAD_JSON"), (b"\xef\xbb\xbf" + GOOD, "BAD_JSON"),
    (GOOD.replace(b"BTC", b"\xff\xfe"), "BAD_JSON"), (update(b"01.5", b"1"), "BAD_JSON"),
    (update(b"NaN", b"1"), "BAD_JSON"), (update(b"1e999", b"1"), "BAD_JSON"),
    (update(b"123456789012345678901", b"1"), "BAD_JSON"),
    (b'{"channel":5}', "BAD_SHAPE"), (b'{"channel":"book"}', "BAD_SHAPE"),
    (GOOD.replace(b'"update"', b'"change"'), "BAD_SHAPE"),
    (GOOD.replace(b'"asks"', b'"bids"'), "BAD_SHAPE"), (update(b'"1.5"', b"1"), "BAD_SHAPE"),
    (GOOD.replace(b'"price"', b'"Price"'), "BAD_SHAPE"),
    (GOOD.replace(b'"price":', b'"price":1,"price":'), "BAD_SHAPE"),
    (GOOD.replace(b"2023-10-06", b"2023-13-06"), "BAD_SHAPE"),
    (GOOD.replace(b"3310070434", b"null"), "BAD_SHAPE"),
    (TRADE % (b"BTC/USD", b"hold"), "BAD_SHAPE"),
    (update(b"-45283.5", b"1"), "BAD_NUMBER"), (update(b"0.0", b"1"), "BAD_NUMBER"),
    (update(b"1.5", b"-1"), "BAD_NUMBER"), (update(b"999999999999999999.5", b"1"), "BAD_NUMBER"),
    (update(b"1e18", b"1"), "BAD_NUMBER"), (GOOD.replace(b"3310070434", b"4294967296"),
                                            "BAD_NUMBER"),
    (update(b"45283.55", b"1"), "INEXACT"), (update(b"45283.5", b"0.000000001"), "INEXACT"),
    (GOOD.replace(b"BTC/USD", b"DOGE/USD"), "UNKNOWN_SYMBOL"),
    (TRADE % (b"DOGE/USD", b"buy"), "UNKNOWN_SYMBOL"),
    (b'{"a":' * 17 + b"1" + b"}" * 17, "TOO_LARGE"), (b" " * (1 << 20) + b"{}", "TOO_LARGE")])
def test_bad_frames_give_a_code_and_no_content(room, frame, code):
    decoder = make(room)
    assert decoder.decode(GOOD) == room.KIND_BOOK_UPDATE
    assert decoder.decode(frame) == getattr(room, code) == decoder.kind
    assert (decoder.instrument, decoder.level_count, decoder.trade_count) == (-1, 0, 0)
    assert decoder.decode(GOOD) == room.KIND_BOOK_UPDATE


def test_off_the_grid_is_inexact(room):
    decoder = make(room)
    frame = update(b"27119.90000", b"1.5").replace(b"BTC/USD", b"X/Y")
    assert decoder.decode(frame) == room.KIND_BOOK_UPDATE
    assert list(decoder.levels[:3]) == [0, 271199, 1500000]
    assert decoder.decode(frame.replace(b".90000", b".95000")) == room.INEXACT
    assert decoder.decode(frame.replace(b"1.5", b"0.00000001")) == room.INEXACT


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda frame: memoryview(
    b"[" + frame + b"]" * 80)[1:-80]])
def test_any_buffer_is_read(room, wrap):
    decoder = make(room)
    assert decoder.decode(wrap(GOOD), 0) == room.KIND_BOOK_UPDATE
    assert decoder.level_count == 1
    with pytest.raises(TypeError):
        decoder.decode("text")


def test_frame_with_padding_is_read_in_place(room):
    decoder = make(room)
    for end in (b"9" * 64, b"}" * 64, bytes(64), GOOD[:64]):
        assert decoder.decode(memoryview(GOOD + end)[:len(GOOD)], 64) == room.KIND_BOOK_UPDATE
        assert decoder.decode(memoryview(GOOD + end)[:len(GOOD) - 9], 64) == room.BAD_JSON


@pytest.mark.parametrize("pair", [
    (b"", 1, 8), (b"A" * 32, 1, 8), (b'A"B', 1, 8), (b"A\\B", 1, 8), (b"A B", 1, 8),
    (b"\xc3\xa9", 1, 8), (b"A/B", -1, 8), (b"A/B", 1, 19), (b"A/B", 1, 8, 0, 1),
    (b"A/B", 1, 8, 1, -1), (b"BTC/USD", 1, 8)])
def test_impossible_pairs_are_refused(room, pair):
    with pytest.raises(ValueError, match="cannot read pair"):
        make(room).add_symbol(*pair)


@pytest.mark.parametrize(("token", "precision", "units"), [
    (b"45283.5", 1, 452835), ("1e-08", 8, 1), (b"5E-05", 8, 5000), (b"0.00000000", 8, 0),
    (b"-1.5", 1, -15), (b"-0", 3, 0), (b"100", 0, 100), (b"1.50000000000000000000000", 1, 15),
    (b"9223372036854775807", 0, (1 << 63) - 1), (b"0e999999999999999999", 0, 0),
    (b"1e18", 0, 10**18), (b"0." + b"0" * 30 + b"1e31", 0, 1)])
def test_exact_numbers(room, token, precision, units):
    assert room.exact(token, precision) == units


@pytest.mark.parametrize(("token", "precision"), [
    (b"", 0), (b"-", 0), (b"1.", 0), (b".5", 1), (b"01", 0), (b"1e", 0), (b"+1", 0), (b" 1", 0),
    (b"1 ", 0), (b"0x1", 0), ("1\u0661", 0), (b"1.55", 1), (b"9223372036854775808", 0),
    (b"1e19", 0), (b"1e-1", 0), (b"1e99999999999999999999", 0), (b"1", 19), (b"1", -1),
    (b"1_0", 0)])
def test_what_is_not_exact_is_refused(room, token, precision):
    with pytest.raises(ValueError, match=r"exact|precision"):
        room.exact(token, precision)


@given(digits=st.integers(-10**25, 10**25), places=st.integers(0, 25), power=st.integers(-30, 30),
       precision=st.integers(0, 18), plain=st.booleans())
@settings(max_examples=400, deadline=None)
def test_exact_equals_decimal(digits, places, power, precision, plain):
    number = Decimal(digits).scaleb(-places)
    text = f"{number:f}"
    if not plain:
        number, text = number.scaleb(power), f"{text}e{power}"
    units = number.scaleb(precision)
    expected = int(units) if units == int(units) and abs(units) < 1 << 63 else None
    for module in both("fastcore.codec.kraken"):
        try:
            found = module.exact(text, precision)
        except ValueError:
            found = None
        assert found == expected


@pytest.mark.skipif(not EXAMPLES.exists(), reason=f"no documented examples at {EXAMPLES}")
def test_documented_examples_have_one_answer():
    rooms = both("fastcore.codec.kraken")
    kinds = set()
    for path in sorted(EXAMPLES.glob("*.json")):
        text = path.read_bytes()
        try:
            compact = json.dumps(json.loads(text)).encode()
        except ValueError:
            compact = text
        for frame in (text, compact):
            answers = []
            for module in rooms:
                decoder = module.KrakenDecoder()
                decoder.add_symbol(b"MATIC/USD", 4, 8)
                kind = decoder.decode(frame)
                answers.append((kind, decoder.level_count, decoder.trade_count))
            assert answers == answers[:1] * len(answers), path
            kinds.add(answers[0][0])
    assert {rooms[0].KIND_COLD, rooms[0].KIND_HEARTBEAT, rooms[0].KIND_TRADE} <= kinds

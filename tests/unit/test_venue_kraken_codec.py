"""venue.kraken.codec: exact numbers, times, names; whatever is wrong is a BadFrame."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastcore.codec.kraken import exact
from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec
from hftbot.words.instrument import Instrument
from hftbot.words.order import CLIENT_ID_MAX
from kraken_frames import BTC, fixture_lines, needs_fixtures


def number(token):
    return codec.parse(f'{{"n":{token}}}'.encode())["n"]


@pytest.mark.parametrize(("token", "precision", "units"), [
    ("0.00000000", 8, 0), ("0.00044780", 8, 44780), ("1e-08", 8, 1), ("5e-05", 8, 5000),
    ("1E+2", 0, 100), ("-0.1", 1, -1), ("100", 3, 100000), ("45283.5", 1, 452835), ("0.0", 0, 0),
    ("0e400", 8, 0), ("9223372036854775807", 0, 2**63 - 1), ("1.50000000000000000000", 1, 15),
    ("-0", 8, 0), ("-0.0", 8, 0), ("12.5e1", 0, 125)])
def test_numbers_are_read_exactly(token, precision, units):
    assert codec.units(number(token), precision) == units


@pytest.mark.parametrize(("token", "precision"), [
    ("0.000000001", 8), ("45283.55", 1), ("9223372036854775808", 0), ("1e999", 8), ("1e30", 8),
    ("1e-400", 8), ("1e9999", 0), ("0." + "1" * 41, 8), ("1" * 41 + ".0", 0), ("1e-09", 8),
    ('"0.1"', 1), ("true", 1), ("null", 1), ("[1]", 1), ("{}", 1)])
def test_numbers_that_do_not_fit_are_refused(token, precision):
    with pytest.raises(BadFrame):
        codec.units(number(token), precision)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8,
                   min_value=-10**9, max_value=10**9))
def test_numbers_equal_decimal(value):
    token = format(value, "f")
    assert codec.units(number(token), 8) == int(value.scaleb(8))
    assert codec.units(number(format(value, "e")), 8) == int(value.scaleb(8))


@given(st.integers(-10**12, 10**12), st.integers(-12, 12), st.integers(0, 10))
def test_numbers_with_exponents_equal_decimal(digits, exponent, precision):
    exact = Decimal(digits).scaleb(exponent + precision)
    token = number(f"{digits}e{exponent}")
    if exact == exact.to_integral_value() and abs(exact) < 2**63:
        assert codec.units(token, precision) == int(exact)
    else:
        with pytest.raises(BadFrame):
            codec.units(token, precision)


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?",
                     fullmatch=True), st.integers(0, 12))
def test_the_hot_codec_reads_the_same_numbers(token, precision):
    def either(read):
        try:
            return read()
        except (ValueError, BadFrame):
            return None
    assert either(lambda: codec.units(number(token), precision)) == either(
        lambda: exact(token, precision))


def test_prices_and_sizes_must_lie_on_the_grid():
    grid = Instrument(0, "kraken", "X/Y", "X", "Y", price_precision=2, qty_precision=3,
                      tick_units=5, lot_units=10)
    row = codec.parse(b'{"p":1.35,"q":0.120,"off":1.36,"oddlot":0.125,"zero":0,"minus":-0.05}')
    assert codec.ticks(row, "p", grid) == 27
    assert codec.lots(row, "q", grid) == 12
    assert codec.lots(row, "zero", grid) == 0
    for reader, key in ((codec.ticks, "off"), (codec.lots, "oddlot"), (codec.ticks, "zero"),
                        (codec.ticks, "minus"), (codec.lots, "minus"), (codec.ticks, "missing")):
        with pytest.raises(BadFrame, match=key):
            reader(row, key, grid)


@pytest.mark.parametrize("frame", [
    b"", b"{", b"[]", b"1", b'"x"', b"\xff{}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}',
    b'{"a":01}', b"[" * 100_000, b'{"a":' * 100_000, b"{}x", b"\x00", b'{"a":"\n"}',
    b'{"a":' + b"9" * 5000 + b"}", "{}".encode("utf-16"), b"\xef\xbb\xbf{}",
    b"CloudFlare WebSocket proxy restarting"])
def test_what_is_not_a_json_object_is_refused(frame):
    with pytest.raises(BadFrame):
        codec.parse(frame)


def test_an_oversized_frame_is_refused_unread():
    with pytest.raises(BadFrame, match="limit"):
        codec.parse(b"{}" + b" " * codec.FRAME_BYTES_MAX)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_read(kind):
    assert codec.parse(kind(b'{"a":"\xc3\xa9"}')) == {"a": "é"}


@pytest.mark.parametrize("value", ['"\\ud800"', '"\\n"', "1", "1.5", "null", "[]", '"' + "x" * 257
                                   + '"'])
def test_texts_are_short_and_printable(value):
    with pytest.raises(BadFrame):
        codec.text(codec.parse(b'{"t":' + value.encode() + b"}"), "t")


@pytest.mark.parametrize(("stamp", "us"), [
    ("1970-01-01T00:00:00Z", 0), ("2023-09-22T10:33:05.709950Z", 1695378785709950),
    ("2024-02-29T23:59:59.999999999Z", 1709251199999999), ("2000-03-01T00:00:00.5Z",
                                                           951868800500000)])
def test_times_are_wall_clock_microseconds(stamp, us):
    assert codec.time_us(stamp) == us


@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2400, 1, 1)))
def test_times_equal_the_calendar(moment):
    exact = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    assert codec.time_us(moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "Z") == exact


@pytest.mark.parametrize("stamp", [
    "", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-32T00:00:00Z",
    "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00+00:00",
    "1969-01-01T00:00:00Z", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.1234567890Z",
    "٢٠24-01-01T00:00:00Z"])
def test_what_is_no_time_is_refused(stamp):
    with pytest.raises(BadFrame):
        codec.time_us(stamp)


@given(st.integers(1, CLIENT_ID_MAX - 1))
def test_a_client_id_survives_its_name(client_id):
    name = codec.client_id_text(client_id)
    assert len(name) <= 18
    assert codec.client_id_parse(name) == client_id


@pytest.mark.parametrize("name", ["", "h", "h0", "h01", "hA", "x1", "client-zero", "h" + "z" * 11,
                                  "h-1", "h_1", "H1", "h²", "6d1b345e-2821-40e2-ad83-4ecb18a06876"])
def test_a_name_that_is_not_ours_is_client_id_0(name):
    assert codec.client_id_parse(name) == 0


def test_requests_have_the_documented_shape():
    assert codec.subscribe("book", ["BTC/USD"], depth=10, snapshot=True) == (
        b'{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10,'
        b'"snapshot":true}}')
    assert codec.subscribe("book", ["BTC/USD"], undo=True, depth=10) == (
        b'{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}')
    assert codec.request("cancel_all", {"token": "t"}, 3) == (
        b'{"method":"cancel_all","params":{"token":"t"},"req_id":3}')


@needs_fixtures
def test_every_recorded_frame_is_an_object_with_its_numbers_intact():
    lines = fixture_lines("ws_*/*.jsonl", "docs_examples/*.json*")
    assert len(lines) > 100
    for line in lines:
        assert _floats(codec.parse(line)) == json.loads(line)


def _floats(value):
    if isinstance(value, codec.Number):
        return float(value)
    if isinstance(value, dict):
        return {key: _floats(inner) for key, inner in value.items()}
    return [_floats(inner) for inner in value] if isinstance(value, list) else value


def test_a_row_names_its_field_when_it_is_wrong():
    row = codec.parse(b'{"a":1.5,"b":"x","c":[1],"d":{}}')
    for reader, key in ((codec.integer, "a"), (codec.text, "a"), (codec.inner, "b"),
                        (codec.side, "b"), (codec.e10, "d")):
        with pytest.raises(BadFrame, match=key):
            reader(row, key)
    with pytest.raises(BadFrame, match="c holds"):
        list(codec.rows(row, "c"))
    assert codec.lots(codec.parse(b'{"q":0.00500000}'), "q", BTC) == 500000

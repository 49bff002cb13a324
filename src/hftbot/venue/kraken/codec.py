"""Kraken's JSON as exact Python: parsing of cold and private frames, building of requests.

Numbers never pass through a float. A JSON integer stays an ``int``; every other number keeps its
text as a ``Number`` until ``units`` turns it into a whole count of 10**-precision, or refuses.
Whatever is not as documented raises BadFrame, and nothing else is raised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from fastcore.codec.text import client_id_parse, client_id_text
from hftbot.errors import BadFrame
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side

__all__ = ["Number", "Row", "client_id_parse", "client_id_text", "e10", "inner", "integer",
           "lots", "number", "parse", "request", "rows", "side", "stamp", "stamp_us",
           "subscribe", "text", "text_or", "ticks", "time_ns", "time_us", "units", "written"]

FRAME_BYTES_MAX = 1 << 20
TEXT_MAX = 256
INT64_MAX = (1 << 63) - 1
AMOUNT_MAX = 10**30
E10_PRECISION = 10
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"(-?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?")
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_SECONDS = re.compile(r"([0-5]\d)(?:\.(\d{1,9}))?Z", re.ASCII)
MINUTE_CHARACTERS = len("2026-01-31T23:59:")
_MINUTE: dict[str, int] = {}
DIGITS_PLAIN = 40
TENS = tuple(10**power for power in range(DIGITS_PLAIN))
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_DAYS_TO_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)

Row = Mapping[str, Any]


class Number(str):
    """The text of a JSON number that has a fraction or an exponent."""

    __slots__ = ()


def _constant(token: str) -> NoReturn:
    raise ValueError(f"{token} is not a number")


_DECODER = json.JSONDecoder(parse_float=Number, parse_constant=_constant)


def parse(frame: bytes | bytearray | memoryview,
          bytes_max: int = FRAME_BYTES_MAX) -> dict[str, Any]:
    """One text frame as an object, numbers exact. Raises BadFrame."""
    if len(frame) > bytes_max:
        raise BadFrame(f"frame of {len(frame)} bytes, the limit is {bytes_max}")
    try:
        message = _DECODER.decode(str(frame, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise BadFrame("not a JSON object")
    return message


def text(row: Row, key: str) -> str:
    """A required short printable string. Raises BadFrame."""
    value = row.get(key)
    # A Number is a text of another type.
    if type(value) is not str or len(value) > TEXT_MAX or not value.isprintable():
        raise BadFrame(f"{key} is not a short text")
    return value


def text_or(row: Row, key: str, default: str = "") -> str:
    """An optional short printable string. Raises BadFrame if it is there and something else."""
    return default if row.get(key) is None else text(row, key)


def integer(row: Row, key: str) -> int:
    """A required JSON integer. Raises BadFrame."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadFrame(f"{key} is not an integer")
    return value


def rows(message: Row, key: str = "data") -> Iterator[dict[str, Any]]:
    """The objects of a required array. Raises BadFrame."""
    value = message.get(key)
    if not isinstance(value, list):
        raise BadFrame(f"{key} is not an array")
    for row in value:
        if not isinstance(row, dict):
            raise BadFrame(f"{key} holds something that is not an object")
        yield row


def inner(message: Row, key: str) -> dict[str, Any]:
    """A required object. Raises BadFrame."""
    value = message.get(key)
    if not isinstance(value, dict):
        raise BadFrame(f"{key} is not an object")
    return value


def units(value: object, precision: int, limit: int = INT64_MAX) -> int:
    """A JSON number as a whole count of 10**-precision.

    Raises BadFrame if it is no number, has more digits than that, or passes the limit.
    """
    if isinstance(value, bool) or not isinstance(value, int | Number):
        raise BadFrame(f"{value!r:.40} is not a number")
    count: int
    if isinstance(value, int):
        count = value * 10**precision
    else:
        count = _scaled(value, precision)
    if not -limit <= count <= limit:
        raise BadFrame(f"number {value!s:.40} is too large")
    return count


def _scaled(token: str, precision: int) -> int:
    whole, _, fraction = token.partition(".")
    if len(token) <= DIGITS_PLAIN and len(fraction) <= precision < DIGITS_PLAIN \
            and whole.isdecimal() and fraction.isdecimal():
        scale: int = TENS[precision - len(fraction)]
        return int(whole + fraction) * scale
    return _scaled_slowly(token, precision)


def _scaled_slowly(token: str, precision: int) -> int:
    """Signs, exponents, zeros beyond the precision, and what is no number."""
    match = _NUMBER.fullmatch(token)
    if match is None:
        raise BadFrame(f"number {token:.40} has too many digits")
    sign, whole, fraction, exponent = match.groups(default="")
    digits = int(whole + fraction)
    if digits == 0:
        return 0
    count: int
    shift = int(exponent or 0) - len(fraction) + precision
    if shift >= 0:
        count, rest = digits * 10**shift, 0
    else:
        count, rest = divmod(digits, 10**-shift)
    if rest:
        raise BadFrame(f"number {token:.40} has more than {precision} decimals")
    return -count if sign else count


def number(row: Row, key: str, precision: int, limit: int = INT64_MAX) -> int:
    """A required number of a row in units of 10**-precision. Raises BadFrame."""
    try:
        return units(row.get(key), precision, limit)
    except BadFrame as error:
        raise BadFrame(f"{key}: {error}") from None


def e10(row: Row, key: str) -> int:
    """A required amount of money in 1e-10 units. Raises BadFrame."""
    return number(row, key, E10_PRECISION, AMOUNT_MAX)


def ticks(row: Row, key: str, instrument: Instrument) -> int:
    """A required price above zero, in ticks. Raises BadFrame if it is off the grid."""
    return _steps(row, key, instrument.price_precision, instrument.tick_units, 1)


def lots(row: Row, key: str, instrument: Instrument) -> int:
    """A required size, in lots. Raises BadFrame if it is negative or off the grid."""
    return _steps(row, key, instrument.qty_precision, instrument.lot_units, 0)


def _steps(row: Row, key: str, precision: int, step: int, least: int) -> int:
    whole, rest = divmod(number(row, key, precision), step)
    if rest or whole < least:
        raise BadFrame(f"{key} {row.get(key)!s:.40} is not on the grid")
    return whole


def side(row: Row, key: str = "side") -> Side:
    """A required ``buy`` or ``sell``. Raises BadFrame."""
    value = _SIDES.get(text(row, key))
    if value is None:
        raise BadFrame(f"{key} is neither buy nor sell")
    return value


def time_us(stamp: str) -> int:
    """RFC 3339 UTC text with up to 9 fractional digits, as wall-clock us. Raises BadFrame."""
    return time_ns(stamp) // 1000


def time_ns(stamp: str) -> int:
    """The same in nanoseconds, as level 3 orders its queues. Raises BadFrame."""
    prefix = stamp[:MINUTE_CHARACTERS]
    minute_ns = _MINUTE.get(prefix)
    match = _SECONDS.fullmatch(stamp, MINUTE_CHARACTERS) if minute_ns is not None else None
    if minute_ns is not None and match is not None:
        seconds_ns = int(match.group(1)) * 1_000_000_000
        return minute_ns + seconds_ns + int((match.group(2) or "").ljust(9, "0"))
    found = _time_ns(stamp)
    # Stamps of a minute come one after the other: the next ones need only their seconds.
    _MINUTE.clear()
    _MINUTE[prefix] = _time_ns(prefix + "00Z")
    return found


def _time_ns(stamp: str) -> int:
    match = _STAMP.fullmatch(stamp)
    if match is None:
        raise BadFrame(f"{stamp!r:.40} is not a UTC time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31
            and hour < 24 and minute < 60 and second <= 60):
        raise BadFrame(f"{stamp!r} is not a UTC time")
    leaps = year - (month < 3)
    days = ((year - 1970) * 365 + leaps // 4 - leaps // 100 + leaps // 400 - 477
            + _DAYS_TO_MONTH[month - 1] + day - 1)
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + second
    return seconds * 1_000_000_000 + int((match.group(7) or "").ljust(9, "0"))


def stamp_us(row: Row, key: str = "timestamp", default_us: int = 0) -> int:
    """An optional time of a row in wall-clock us. Raises BadFrame if it is there and no time."""
    return default_us if row.get(key) is None else time_us(text(row, key))


def stamp(time_us: int, digits: int) -> str:
    """RFC 3339 UTC text of wall-clock us, cut to so many fractional digits (0 to 6)."""
    moment = (EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{time_us % 1_000_000:06}"[:digits + 1] if digits else ""
    return f"{moment}{fraction}Z"


def written(value: object) -> str:
    """Compact JSON text in which a Number stands as it is written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{written(held)}"
                              for key, held in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def request(method: str, params: Mapping[str, Any] | None = None,
            req_id: int | None = None) -> bytes:
    """One request frame, compact."""
    message: dict[str, Any] = {"method": method}
    if params is not None:
        message["params"] = params
    if req_id is not None:
        message["req_id"] = req_id
    return written(message).encode()


def subscribe(channel: str, symbols: Sequence[str] = (), *, undo: bool = False,
              **params: Any) -> bytes:
    """A subscribe frame, or with ``undo`` an unsubscribe frame."""
    asked: dict[str, Any] = {"channel": channel}
    if symbols:
        asked["symbol"] = list(symbols)
    return request("unsubscribe" if undo else "subscribe", {**asked, **params})

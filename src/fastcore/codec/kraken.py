"""Kraken WebSocket v2 market frames to ticks and lots: the interpreted twin of kraken.pyx.

It answers every frame, good or bad, exactly as the compiled decoder does; PyPy runs it live.
"""

import json
import re
from array import array

KIND_COLD, KIND_BOOK_UPDATE, KIND_BOOK_SNAPSHOT, KIND_TRADE, KIND_HEARTBEAT = range(5)
BAD_JSON, BAD_SHAPE, BAD_NUMBER, TOO_LARGE, INEXACT, UNKNOWN_SYMBOL = range(-1, -7, -1)
FRAME_MAX = 1 << 20
DEPTH_MAX = 16
PADDING = 64
LEVELS_MAX = 2048
TRADES_MAX = 1024
PAIRS_MAX = 1024
SYMBOL_MAX = 31
INT64_MAX = (1 << 63) - 1

_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?", re.ASCII)
_STAMP = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
                    r"(?:\.([0-9]{1,9}))?Z", re.ASCII)
_SYMBOL = re.compile(rb'[!#-\[\]-~]{1,%d}' % SYMBOL_MAX)
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_TWICE = object()


class _Number(str):
    """The text of a JSON number."""

    __slots__ = ()


class _Refused(Exception):
    """A frame is not good; the code says why."""

    def __init__(self, code):
        self.code = code


def _exact(text, precision):
    """Units of 10**-precision, or a negative code."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return None, BAD_NUMBER
    sign, whole, fraction, power = found.groups()
    fraction = fraction or ""
    significant = (whole + fraction).lstrip("0")
    kept = significant.rstrip("0")
    if not kept:
        return 0, 0
    exponent = precision - len(fraction) + len(significant) - len(kept)
    if power:
        exponent += max(-100000000, min(100000000, _integer(power)))
    if len(kept) + exponent > 19:
        return None, BAD_NUMBER
    if exponent < 0:
        large = len(kept) + exponent == 19 and int(kept[:19]) > INT64_MAX
        return None, BAD_NUMBER if large else INEXACT
    units = int(kept) * 10**exponent
    if units > INT64_MAX:
        return None, BAD_NUMBER
    return -units if sign else units, 0


def _integer(text):
    """An integer of any length, cut where it no longer matters."""
    digits = text.lstrip("+-").lstrip("0")
    value = int(digits or "0") if len(digits) < 9 else 100000000
    return -value if text[0] == "-" else value


def exact(token: bytes | str, precision: int) -> int:
    """The exact value of a decimal number text in units of 10**-precision.

    Exponents are read. Raises ValueError if it is not a JSON number, is not a whole number of
    units, or does not fit int64.
    """
    if not 0 <= precision <= 18:
        raise ValueError(f"precision must be 0 to 18, not {precision}")
    text = token if isinstance(token, str) else bytes(token).decode("latin-1")
    units, code = _exact(text, precision)
    if code:
        raise ValueError(f"{token!r} is not an exact number of 1e-{precision} units")
    return units


def _days(year, month, day):
    """Days from 1970-01-01 to a date of the Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _stamp_us(text):
    """Microseconds since the epoch of an RFC 3339 text in UTC; digits beyond them are cut."""
    found = _STAMP.fullmatch(text) if type(text) is str else None
    if not found:
        raise _Refused(BAD_SHAPE)
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59
            and second <= 60):
        raise _Refused(BAD_SHAPE)
    seconds = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    return seconds * 1000000 + int((found.group(7) or "")[:6].ljust(6, "0"))


def _object(pairs):
    """A JSON object; keys that came twice are listed under _TWICE."""
    made = dict(pairs)
    if len(made) != len(pairs):
        if any(_surrogates(value) for _, value in pairs):
            raise ValueError("half of a surrogate pair")
        keys = [key for key, _ in pairs]
        made[_TWICE] = {key for key in made if keys.count(key) > 1}
    return made


def _whole(text):
    if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 64:
        raise ValueError(text)
    return _Number(text)


def _real(text):
    if float(text) in (float("inf"), float("-inf")):
        raise ValueError(text)
    return _Number(text)


def _constant(text):
    raise ValueError(text)


_read = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_float=_real,
                         parse_constant=_constant).decode


def _too_deep(frame):
    """Whether brackets outside strings nest deeper than allowed, in valid JSON or not."""
    depth = 0
    for found in _BRACKETS.finditer(frame):
        mark = found.group()
        if mark in (b"{", b"["):
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif mark in (b"}", b"]"):
            depth -= 1
    return False


def _surrogates(value):
    """Whether a string anywhere holds half of a surrogate pair."""
    if isinstance(value, str):
        return any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, list):
        return any(map(_surrogates, value))
    if isinstance(value, dict):
        return any(_surrogates(key) for key in value if key is not _TWICE) or any(
            _surrogates(item) for key, item in value.items() if key is not _TWICE)
    return False


def _root(frame):
    """The frame's object. Raises _Refused."""
    try:
        root = _read(frame.decode())
        good = isinstance(root, dict) and not (b"\\u" in frame and _surrogates(root))
    except (ValueError, RecursionError):
        good = False
    if not good or (frame.count(b"[") + frame.count(b"{") > DEPTH_MAX and _too_deep(frame)):
        raise _Refused(TOO_LARGE if _too_deep(frame) else BAD_JSON)
    return root


def _item(value, keys):
    """An object in which none of the keys came twice."""
    if type(value) is not dict or (_TWICE in value and not keys.isdisjoint(value[_TWICE])):
        raise _Refused(BAD_SHAPE)
    return value


def _array(value):
    if type(value) is not list:
        raise _Refused(BAD_SHAPE)
    return value


def _token(item, key):
    value = item.get(key)
    if type(value) is not _Number:
        raise _Refused(BAD_SHAPE)
    return value


_ROOT_KEYS = frozenset(("channel", "type", "data"))
_BOOK_KEYS = frozenset(("symbol", "bids", "asks", "checksum", "timestamp"))
_LEVEL_KEYS = frozenset(("price", "qty"))
_TRADE_KEYS = frozenset(("symbol", "side", "price", "qty", "trade_id", "timestamp"))


class KrakenDecoder:
    """Reads frames into the fields of the decoder, which hold until the next one.

    ``levels`` has three words a level (side, ticks, lots) and ``level_count`` counts them;
    ``trades`` has five (side, ticks, lots, trade_id, ts_us) and ``trade_count``. ``instrument`` is
    the index that add_symbol() gave, -1 for a frame without one.
    """

    def __init__(self) -> None:
        self.levels = memoryview(array("q", bytes(24 * LEVELS_MAX)))
        self.trades = memoryview(array("q", bytes(40 * TRADES_MAX)))
        self.scanned = 0
        self.parsed = 0
        self._pairs = []
        self._index = {}
        self._inexact = False
        self._clear()

    def _clear(self):
        self.kind = KIND_COLD
        self.instrument = -1
        self.level_count = self.trade_count = self.checksum = self.ts_us = 0

    def add_symbol(self, symbol: bytes, price_precision: int, qty_precision: int,
                   tick_units: int = 1, lot_units: int = 1) -> int:
        """Make a pair known; returns its index.

        Precisions are 0 to 18 fraction digits, units the increments in units of the last digit.
        Raises ValueError for a pair that cannot be.
        """
        text = symbol.decode("latin-1")
        if (not _SYMBOL.fullmatch(symbol) or text in self._index or tick_units < 1 or lot_units < 1
                or len(self._pairs) >= PAIRS_MAX or not 0 <= price_precision <= 18
                or not 0 <= qty_precision <= 18):
            raise ValueError(
                f"cannot read pair {symbol!r} with precisions {price_precision}, {qty_precision} "
                f"and units {tick_units}, {lot_units}")
        self._index[text] = len(self._pairs)
        self._pairs.append((price_precision, qty_precision, tick_units, lot_units))
        return len(self._pairs) - 1

    def decode(self, frame: bytes | bytearray | memoryview, padding: int = 0) -> int:
        """Read a frame: any contiguous buffer; ``padding`` does not matter here.

        Returns one of the KIND_ constants or a negative error. Raises TypeError if it is no buffer.
        """
        self._clear()
        try:
            kind = self._decode(bytes(memoryview(frame)))
        except _Refused as refused:
            kind = refused.code
        if kind <= KIND_COLD:
            self._clear()
        self.kind = kind
        return kind

    def decode_without_scanner(self, frame: bytes | bytearray | memoryview) -> int:
        """The same as decode(): there is no scanner here."""
        return self.decode(frame)

    def _decode(self, frame):
        if len(frame) > FRAME_MAX:
            return TOO_LARGE
        self.parsed += 1
        root = _item(_root(frame), _ROOT_KEYS)
        if "channel" not in root:
            return KIND_COLD
        channel = root["channel"]
        if type(channel) is not str:
            return BAD_SHAPE
        if channel == "heartbeat":
            return KIND_HEARTBEAT
        if channel not in ("book", "trade"):
            return KIND_COLD
        kind = root.get("type")
        if type(kind) is not str or kind not in ("update", "snapshot"):
            return BAD_SHAPE
        items = _array(root.get("data"))
        self._inexact = False
        if channel == "trade":
            found = self._trades(items)
        else:
            self._book(items)
            found = KIND_BOOK_UPDATE if kind == "update" else KIND_BOOK_SNAPSHOT
        return INEXACT if self._inexact else found

    def _pair(self, symbol):
        index = self._index.get(symbol)
        if index is None:
            raise _Refused(UNKNOWN_SYMBOL)
        self.instrument = index
        return self._pairs[index]

    def _whole(self, text, precision, step):
        """Steps in a number; 1 and a note for one that is off the grid."""
        units, code = _exact(text, precision)
        if code == BAD_NUMBER or (code == 0 and units < 0):
            raise _Refused(BAD_NUMBER)
        if code or units % step:
            self._inexact = True
            return 1
        return units // step

    def _price(self, text, pair):
        ticks = self._whole(text, pair[0], pair[2])
        if ticks == 0:
            raise _Refused(BAD_NUMBER)
        return ticks

    def _book(self, items):
        if len(items) != 1:
            raise _Refused(BAD_SHAPE)
        item = _item(items[0], _BOOK_KEYS)
        symbol = item.get("symbol")
        if type(symbol) is not str:
            raise _Refused(BAD_SHAPE)
        rows = []
        if "bids" not in item or "asks" not in item:
            raise _Refused(BAD_SHAPE)
        for key in item:  # levels stay in the order of the text
            if key not in ("bids", "asks"):
                continue
            side = int(key == "asks")
            for level in _array(item[key]):
                _item(level, _LEVEL_KEYS)
                rows.append((side, _token(level, "price"), _token(level, "qty")))
        checksum = _token(item, "checksum")
        if "timestamp" in item:
            self.ts_us = _stamp_us(item["timestamp"])
        if len(rows) > LEVELS_MAX:
            raise _Refused(TOO_LARGE)
        pair = self._pair(symbol)
        self.checksum = self._whole(checksum, 0, 1)
        if self.checksum > 0xFFFFFFFF:
            raise _Refused(BAD_NUMBER)
        levels = self.levels
        at = 0
        for side, price, qty in rows:
            levels[at] = side
            levels[at + 1] = self._price(price, pair)
            levels[at + 2] = self._whole(qty, pair[1], pair[3])
            at += 3
        self.level_count = len(rows)

    def _trades(self, items):
        rows = []
        for value in items:
            item = _item(value, _TRADE_KEYS)
            symbol, side = item.get("symbol"), item.get("side")
            if type(symbol) is not str or type(side) is not str or side not in ("buy", "sell"):
                raise _Refused(BAD_SHAPE)
            if symbol != items[0]["symbol"]:
                raise _Refused(BAD_SHAPE)
            rows.append((int(side == "sell"), _token(item, "price"), _token(item, "qty"),
                         _token(item, "trade_id"), _stamp_us(item.get("timestamp"))))
        if not rows:
            return KIND_COLD
        if len(rows) > TRADES_MAX:
            raise _Refused(TOO_LARGE)
        pair = self._pair(items[0]["symbol"])
        at = 0
        for side, price, qty, trade_id, ts_us in rows:
            self.trades[at:at + 5] = array("q", [
                side, self._price(price, pair), self._whole(qty, pair[1], pair[3]),
                self._whole(trade_id, 0, 1), ts_us])
            self.ts_us = ts_us
            at += 5
        self.trade_count = len(rows)
        return KIND_TRADE

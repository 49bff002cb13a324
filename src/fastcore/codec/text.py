"""Kraken WebSocket v2 order requests as JSON text, written into one buffer without allocating.

Numbers are written exactly at the pair's precision. A ClientId becomes cl_ord_id "h" and its
base-36 text, at most 12 letters.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
import json
from array import array

if cython.compiled:
    from cython.cimports.fastcore._bits import bit_length
    from cython.cimports.fastcore.codec._copy import copy_blocks, copy_two
else:
    def bit_length(v):
        return v.bit_length() or 1

if not cython.compiled:
    HEAD_ADD, TERMS, HEAD_AMEND, AMENDED, HEAD_CANCEL, HEAD_CANCEL_ALL = 0, 1, 13, 14, 16, 17
    QTY, CLIENT, DEADLINE, REQUEST, REQUEST_LIST, REQUEST_ALL = range(18, 24)
    HEAD_BATCH, ROW, ROW_END, BATCH_DEADLINE = 24, 25, 37, 38
    TERMS_GTD, GTD_PRICE, GTD = 40, 44, 3

BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
CLIENT_ID_MAX = 1 << 53
DEADLINE_MAX_US = 253402300799999999  # the end of the year 9999
ROOM = 320  # the changing part of a request is shorter
BATCH_MAX = 15


def client_id_text(client_id: int) -> str:
    """The venue's cl_ord_id for a ClientId. Raises ValueError if it is not 1 to 2**53."""
    if not 0 < client_id <= CLIENT_ID_MAX:
        raise ValueError(f"not a client id: {client_id}")
    text = ""
    while client_id:
        client_id, digit = divmod(client_id, 36)
        text = BASE_36[digit] + text
    return "h" + text


def client_id_parse(text: str) -> int:
    """The ClientId of a cl_ord_id, 0 if it is not one of ours."""
    digits = text[1:]
    if text[:1] != "h" or not 0 < len(digits) < 12 or digits[0] == "0":
        return 0
    if any(letter not in BASE_36 for letter in digits):
        return 0
    value = int(digits, 36)
    return value if value <= CLIENT_ID_MAX else 0


class KrakenOrderText:
    """Writes the order requests of one pair.

    Each request is written over the one before; frame() is a view of it, to be sent before the
    next is written. ``capacity`` is the buffer's size in bytes.
    """

    def __init__(self, symbol: bytes, price_precision: int, qty_precision: int,
                 tick_units: int = 1, lot_units: int = 1, capacity: int = 4096) -> None:
        if not (0 <= price_precision <= 18 and 0 <= qty_precision <= 18 and tick_units >= 1
                and lot_units >= 1):
            raise ValueError(f"precisions are 0 to 18 and units positive: {price_precision}, "
                             f"{qty_precision}, {tick_units}, {lot_units}")
        self.symbol = symbol
        self.price_precision = price_precision
        self.qty_precision = qty_precision
        self.tick_units = tick_units
        self.lot_units = lot_units
        self.ticks_max = ((1 << 63) - 1) // tick_units
        self.lots_max = ((1 << 63) - 1) // lot_units
        self.client_max = CLIENT_ID_MAX
        self.deadline_max = DEADLINE_MAX_US
        self.capacity = capacity
        self.size = 0
        self.rows = self.at = 0
        self.rows_max = BATCH_MAX
        self.room = ROOM
        self.expire_us = 0
        self.second = -1
        self.buffer = bytearray(capacity)
        self.out = memoryview(self.buffer)
        self.powers = array("q", [int("1" + "0" * i) for i in range(19)])
        self.powers36 = array("q", [int("1" + "0" * i, 36) for i in range(12)])
        self.tens = bytearray("".join(f"{i:02}" for i in range(100)).encode())
        self.pairs36 = bytearray("".join(a + b for a in BASE_36 for b in BASE_36).encode())
        self.stamp = bytearray(b"0000-00-00T00:00:00.".ljust(32))
        self.set_token(b"")

    def set_token(self, token: bytes) -> None:
        """Take the session token that every request carries.

        Raises ValueError if the requests would not fit the buffer.
        """
        secret = json.dumps(token.decode())
        pieces = ['{"method":"add_order","params":{"order_type":"limit","symbol":'
                  + json.dumps(self.symbol.decode()) + ',"token":' + secret]
        pieces += [f',"side":"{side}","time_in_force":"{tif}","post_only":{flag},"limit_price":'
                   for side in ("buy", "sell") for tif in ("gtc", "ioc", "fok")
                   for flag in ("false", "true")]
        pieces.append('{"method":"amend_order","params":{"token":' + secret)
        pieces += [f',"post_only":{flag},"limit_price":' for flag in ("false", "true")]
        pieces.append('{"method":"cancel_order","params":{"token":' + secret + ',"cl_ord_id":["h')
        pieces.append('{"method":"cancel_all","params":{"token":' + secret)
        pieces += [',"order_qty":', ',"cl_ord_id":"h', '","deadline":"',
                   '"},"req_id":', '"]},"req_id":', '},"req_id":']
        pieces.append('{"method":"batch_add","params":{"symbol":'
                      + json.dumps(self.symbol.decode()) + ',"token":' + secret + ',"orders":[')
        pieces += [f'{{"order_type":"limit","side":"{side}","time_in_force":"{tif}",'
                   f'"post_only":{flag},"limit_price":'
                   for side in ("buy", "sell") for tif in ("gtc", "ioc", "fok")
                   for flag in ("false", "true")]
        pieces += ['"},', '],"deadline":"', ']},"req_id":']
        pieces += [f',"side":"{side}","time_in_force":"gtd","post_only":{flag},"expire_time":"'
                   for side in ("buy", "sell") for flag in ("false", "true")]
        pieces.append('Z","limit_price":')
        encoded = [piece.encode() for piece in pieces]
        needed = max(len(piece) for piece in encoded) + ROOM
        if needed > self.capacity:
            raise ValueError(f"the buffer needs {needed} bytes for this token, not {self.capacity}")
        starts = [0]
        for piece in encoded:
            starts.append(starts[len(starts) - 1] + len(piece))
        self.parts = bytearray(b"".join(encoded) + bytes(32))
        self.starts = array("q", starts)
        self.shown = -1
        self.size = self.rows = 0

    # -- requests: the size in bytes, or -1 for a value that cannot be written

    def add_order(self, side: int, ticks: int, lots: int, tif: int, post_only: bool,
                  client_id: int, deadline_us: int, req_id: int) -> int:
        """A limit order. ``tif`` is 0 GTC, 1 IOC, 2 FOK or 3 GTD; ``deadline_us`` 0 leaves it out.

        The deadline is wall-clock microseconds, written in whole milliseconds. A GTD order works
        until ``expire_us`` of this writer, rounded up to a whole second.
        """
        if side >> 1 or tif < 0 or tif > GTD:
            return -1
        if not self._fits(client_id, ticks, lots, deadline_us, req_id):
            return -1
        if tif == GTD:
            return self._add_until(side, ticks, lots, post_only, client_id, deadline_us, req_id)
        at = self._part(self._head(HEAD_ADD),
                        TERMS + side * 6 + tif * 2 + (1 if post_only else 0))
        return self._terms(at, ticks, lots, client_id, deadline_us, req_id)

    def _add_until(self, side, ticks, lots, post_only, client_id, deadline_us, req_id):
        """A limit order that ends by itself."""
        if self.expire_us <= 0 or self.expire_us > self.deadline_max - 1000000:
            return -1
        at = self._part(self._head(HEAD_ADD), TERMS_GTD + side * 2 + (1 if post_only else 0))
        at = self._seconds(at, (self.expire_us + 999999) // 1000000) - 1
        return self._terms(self._part(at, GTD_PRICE), ticks, lots, client_id, deadline_us, req_id)

    def amend_order(self, client_id: int, ticks: int, lots: int, post_only: bool,
                    deadline_us: int, req_id: int) -> int:
        """A new price and size for a working order, in place."""
        if not self._fits(client_id, ticks, lots, deadline_us, req_id):
            return -1
        at = self._part(self._head(HEAD_AMEND), AMENDED + (1 if post_only else 0))
        return self._terms(at, ticks, lots, client_id, deadline_us, req_id)

    def cancel_order(self, client_id: int, req_id: int) -> int:
        """A cancel of one order."""
        if not self._fits(client_id, 1, 1, 0, req_id):
            return -1
        at = self._client(self._head(HEAD_CANCEL), client_id)
        return self._end(at, REQUEST_LIST, req_id)

    def cancel_all(self, req_id: int) -> int:
        """A cancel of every order of the account."""
        if req_id < 0:
            return -1
        return self._end(self._head(HEAD_CANCEL_ALL), REQUEST_ALL, req_id)

    def batch_open(self) -> None:
        """Begin a batch of 2 to 15 limit orders; any other request takes its place."""
        self.at = self._head(HEAD_BATCH)
        self.rows = 0
        self.size = 0

    def batch_add(self, side: int, ticks: int, lots: int, tif: int, post_only: bool,
                  client_id: int) -> int:
        """One more order, with the fields of add_order.

        Returns how many there are, -1 without an open batch, beyond 15 or for a bad value.
        """
        if self.shown != HEAD_BATCH or self.size or self.rows >= self.rows_max or side >> 1 \
                or tif < 0 or tif > 2:
            return -1
        if self.at + self.room > self.capacity or not self._fits(client_id, ticks, lots, 0, 0):
            return -1
        at = self._part(self.at, ROW + side * 6 + tif * 2 + (1 if post_only else 0))
        at = self._fixed(at, ticks * self.tick_units, self.price_precision)
        at = self._fixed(self._part(at, QTY), lots * self.lot_units, self.qty_precision)
        self.at = self._part(self._client(self._part(at, CLIENT), client_id), ROW_END)
        self.rows += 1
        return self.rows

    def batch_close(self, deadline_us: int, req_id: int) -> int:
        """The size of the request; -1 for fewer than two orders or a bad value."""
        if self.shown != HEAD_BATCH or self.size or self.rows < 2 or req_id < 0 \
                or deadline_us < 0 or deadline_us > self.deadline_max:
            return -1
        at = self.at - 1  # over the comma of the last row
        if deadline_us:
            at = self._deadline(self._part(at, BATCH_DEADLINE), deadline_us)
            return self._end(at, REQUEST, req_id)
        return self._end(at, BATCH_DEADLINE + 1, req_id)

    def frame(self) -> memoryview:
        """The last request's bytes, in the buffer itself."""
        return memoryview(self.buffer)[:self.size]

    # -- inside: each writes at a position and returns the next

    def _fits(self, client_id, ticks, lots, deadline_us, req_id):
        return (0 < ticks <= self.ticks_max and 0 < lots <= self.lots_max
                and 0 < client_id <= self.client_max and 0 <= deadline_us <= self.deadline_max
                and req_id >= 0)

    def _head(self, part):
        """The constant head, which stays in the buffer from one request to the next."""
        if self.shown != part:
            self.shown = part
            self._part(0, part)
        return self.starts[part + 1] - self.starts[part]

    def _part(self, at, part):
        start = self.starts[part]
        n = self.starts[part + 1] - start
        if cython.compiled:
            copy_blocks(cython.address(self.out[at]), cython.address(self.parts[start]), n)
        else:
            self.out[at:at + n] = self.parts[start:start + n]
        return at + n

    def _terms(self, at, ticks, lots, client_id, deadline_us, req_id):
        at = self._fixed(at, ticks * self.tick_units, self.price_precision)
        at = self._fixed(self._part(at, QTY), lots * self.lot_units, self.qty_precision)
        at = self._client(self._part(at, CLIENT), client_id)
        if deadline_us:
            at = self._deadline(self._part(at, DEADLINE), deadline_us)
        return self._end(at, REQUEST, req_id)

    def _digits(self, at, value, least):
        """A whole number of at least so many digits."""
        n = bit_length(value) * 1233 >> 12
        if n < 19 and value >= self.powers[n]:
            n += 1
        if n < least:
            n = least
        p = at + n
        while p > at + 1:
            two = value % 100
            value //= 100
            p -= 2
            if cython.compiled:
                copy_two(cython.address(self.out[p]), cython.address(self.tens[2 * two]))
            else:
                self.out[p:p + 2] = self.tens[2 * two:2 * two + 2]
        if p > at:
            self.out[at] = 48 + value
        return at + n

    def _fixed(self, at, units, precision):
        """A number with all its fraction digits."""
        if precision == 0:
            return self._digits(at, units, 1)
        stop = self._digits(at + 1, units, precision + 1)
        while at < stop - precision - 1:
            self.out[at] = self.out[at + 1]
            at += 1
        self.out[at] = 46
        return stop

    def _client(self, at, client_id):
        n = bit_length(client_id) * 198 >> 10
        if client_id >= self.powers36[n]:
            n += 1
        p = at + n
        while p > at + 1:
            two = client_id % 1296
            client_id //= 1296
            p -= 2
            if cython.compiled:
                copy_two(cython.address(self.out[p]), cython.address(self.pairs36[2 * two]))
            else:
                self.out[p:p + 2] = self.pairs36[2 * two:2 * two + 2]
        if p > at:
            self.out[at] = self.pairs36[2 * client_id + 1]
        return at + n

    def _deadline(self, at, deadline_us):
        second = deadline_us // 1000000
        at = self._digits(self._seconds(at, second), (deadline_us - second * 1000000) // 1000, 3)
        self.out[at] = 90
        return at + 1

    def _seconds(self, at, second):
        """A date and time with the point behind them."""
        if second != self.second:
            self._date(second)
        if cython.compiled:
            copy_blocks(cython.address(self.out[at]), cython.address(self.stamp[0]), 20)
        else:
            self.out[at:at + 20] = self.stamp[:20]
        return at + 20

    def _date(self, second):
        """Write the stamp of a second: Gregorian calendar, years counted from March."""
        self.second = second
        days = second // 86400
        second -= days * 86400
        days += 719468
        era = days // 146097
        of_era = days - era * 146097
        year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
        of_year = of_era - (365 * year + year // 4 - year // 100)
        month = (5 * of_year + 2) // 153
        self._two(8, of_year - (153 * month + 2) // 5 + 1)
        month += 3 if month < 10 else -9
        year += era * 400 + (1 if month < 3 else 0)
        self._two(0, year // 100)
        self._two(2, year % 100)
        self._two(5, month)
        self._two(11, second // 3600)
        self._two(14, second // 60 % 60)
        self._two(17, second % 60)

    def _two(self, at, value):
        self.stamp[at] = self.tens[2 * value]
        self.stamp[at + 1] = self.tens[2 * value + 1]

    def _end(self, at, part, req_id):
        at = self._digits(self._part(at, part), req_id, 1)
        self.out[at] = 125
        self.size = at + 1
        return at + 1

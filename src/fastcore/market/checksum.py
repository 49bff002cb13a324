"""Kraken's book checksum: CRC-32 of the digits of the best ten asks, then of the best ten bids.

The checksum of a text moves on linearly when more text follows, so each level's own checksum is
kept with its length and the book's is put together from them; only changed levels are worked out.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

if cython.compiled:
    from cython.cimports.fastcore._bits import bit_length
else:
    def bit_length(v):
        return v.bit_length() or 1

DEPTH = 10
DIGITS_MAX = 38
CACHE = 1024


def _build_tables():
    """Checksum of one digit and of two, and of each byte moved on by 0..63, 64, 128 and 256."""
    single = array("I")
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        single.append(value)
    row = [value << 8 * byte for byte in range(4) for value in range(256)]
    moved = array("I", row)
    for _ in range(64):
        row = [value >> 8 ^ single[value & 255] for value in row]
        moved.extend(row)
    for _ in range(2):
        row = [row[value & 255] ^ row[256 + (value >> 8 & 255)] ^ row[512 + (value >> 16 & 255)]
               ^ row[768 + (value >> 24)] for value in row]
        moved.extend(row)
    first = [single[48 + digit] for digit in range(10)]
    pair = array("I", [left >> 8 ^ single[(left ^ 48 + right) & 255]
                       for left in first for right in range(10)])
    pair.extend(first)
    return pair, moved


_PAIR, _MOVED = _build_tables()


class KrakenChecksum:
    """Checksum of one instrument's book.

    ``tick_units`` and ``lot_units`` turn ticks and lots into the venue's digits: the price and
    size increments in units of the last digit.
    """

    def __init__(self, tick_units: int = 1, lot_units: int = 1) -> None:
        if tick_units < 1 or lot_units < 1:
            raise ValueError(f"units must be positive: {tick_units}, {lot_units}")
        self.tick_units = tick_units
        self.lot_units = lot_units
        self.ticks_max = ((1 << 63) - 1) // tick_units
        self.lots_max = ((1 << 63) - 1) // lot_units
        self.all_ones = 0xFFFFFFFF
        self.pair = _PAIR
        self.moved = _MOVED
        self.powers = array("q", [int("1" + "0" * i) for i in range(19)])
        self.known_ticks = array("q", [-1]) * CACHE
        self.known_lots = array("q", [-1]) * CACHE
        self.known_sum = array("q", [0]) * CACHE
        self.known_length = array("q", [0]) * CACHE
        self.versions = array("q", [-1, -1])
        self.sums = array("q", [0, 0])
        self.lengths = array("q", [0, 0])

    def compute(self, book) -> int:
        """CRC-32 of the book's best ten levels a side, as Kraken sends it."""
        if book.versions[1] != self.versions[1]:
            self._side(book, 1)
        if book.versions[0] != self.versions[0]:
            self._side(book, 0)
        length = self.lengths[0]
        state = self._move(self.sums[1], length & 63)
        if length & 64:
            state = self._move(state, 64)
        if length & 128:
            state = self._move(state, 65)
        if length & 256:
            state = self._move(state, 66)
        return state ^ self.sums[0] ^ self.all_ones

    def _side(self, book, side):
        """Work out one side. The asks start from all ones as CRC-32 does, the bids from zero."""
        n = book.gather(side, 10)
        state = self.all_ones * side
        length = 0
        for i in range(n):
            ticks = book.found_ticks[i]
            lots = book.found_lots[i]
            at = (ticks & 511) + side * 512
            if self.known_ticks[at] != ticks or self.known_lots[at] != lots:
                self._level(at, ticks, lots)
            state = self._move(state, self.known_length[at]) ^ self.known_sum[at]
            length += self.known_length[at]
        self.sums[side] = state
        self.lengths[side] = length
        self.versions[side] = book.versions[side]

    def _move(self, state, row):
        """The checksum after row zero bytes more (rows 64, 65, 66 are 64, 128, 256 bytes)."""
        row *= 1024
        return (self.moved[row + (state & 255)]
                ^ self.moved[row + 256 + (state >> 8 & 255)]
                ^ self.moved[row + 512 + (state >> 16 & 255)]
                ^ self.moved[row + 768 + (state >> 24)])

    def _level(self, at, ticks, lots):
        """Work out one level's own checksum and keep it."""
        self.known_ticks[at] = ticks
        self.known_lots[at] = lots
        ticks = min(ticks, self.ticks_max) * self.tick_units
        lots = min(lots, self.lots_max) * self.lot_units
        digits = self._digits(lots)
        self.known_sum[at] = (self._move(self._sum(ticks, self._digits(ticks)), digits)
                              ^ self._sum(lots, digits))
        self.known_length[at] = self._digits(ticks) + digits

    def _digits(self, units):
        """How many decimal digits units has."""
        n = bit_length(units) * 1233 >> 12
        return n + 1 if n < 19 and units >= self.powers[n] else n

    def _sum(self, units, digits):
        """Checksum of the digits alone, begun from zero, two digits at a time."""
        state = 0
        if digits & 1:
            digits -= 1
            two = units // self.powers[digits]
            units -= two * self.powers[digits]
            state = self.pair[100 + two]
        while digits > 0:
            digits -= 2
            two = units // self.powers[digits]
            units -= two * self.powers[digits]
            state = (state >> 16 ^ self.moved[2048 + (state & 255)]
                     ^ self.moved[2304 + (state >> 8 & 255)] ^ self.pair[two])
        return state

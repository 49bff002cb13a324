"""Kraken WebSocket v2 market frames to ticks and lots.

A strict scanner reads what Kraken writes; simdjson reads everything else. Both give the same
answer as the interpreted twin, and a bad frame gives a negative code, never an exception.
"""

from array import array

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t


cdef extern from "kraken.hpp" namespace "fastcore" nogil:
    const int LEVELS_MAX
    const int TRADES_MAX
    struct Frame:
        int64_t instrument, level_count, trade_count, checksum, ts_us

    cppclass KrakenReader:
        Frame frame
        int64_t scanned, parsed
        KrakenReader(int64_t*, int64_t*)
        int add(const char*, size_t, int, int, int64_t, int64_t)
        int read(const char*, size_t, size_t, bint)

    int exact_units "fastcore::exact" (const char*, const char*, int, int64_t*)


FRAME_MAX = 1 << 20
DEPTH_MAX = 16
PADDING = 64


def exact(token, int precision) -> int:
    """The exact value of a decimal number text in units of 10**-precision.

    Exponents are read. Raises ValueError if it is not a JSON number, is not a whole number of
    units, or does not fit int64.
    """
    cdef bytes text = token.encode() if isinstance(token, str) else bytes(token)
    cdef const char* begin = text
    cdef int64_t units = 0
    if not 0 <= precision <= 18:
        raise ValueError(f"precision must be 0 to 18, not {precision}")
    if exact_units(begin, begin + len(text), precision, &units):
        raise ValueError(f"{token!r} is not an exact number of 1e-{precision} units")
    return units


cdef class KrakenDecoder:
    """Reads frames into the fields of the decoder, which hold until the next one.

    ``levels`` has three words a level (side, ticks, lots) and ``level_count`` counts them;
    ``trades`` has five (side, ticks, lots, trade_id, ts_us) and ``trade_count``. ``instrument`` is
    the index that add_symbol() gave, -1 for a frame without one.
    """

    def __cinit__(self):
        self.levels = array("q", bytes(8 * LEVEL_WORDS * LEVELS_MAX))
        self.trades = array("q", bytes(8 * TRADE_WORDS * TRADES_MAX))
        self.instrument = -1
        self.parser = new KrakenReader(&self.levels[0], &self.trades[0])

    def __dealloc__(self):
        cdef KrakenReader* reader = <KrakenReader*>self.parser
        del reader

    def add_symbol(self, bytes symbol, int price_precision, int qty_precision,
                   int64_t tick_units=1, int64_t lot_units=1) -> int:
        """Make a pair known; returns its index.

        Precisions are 0 to 18 fraction digits, units the increments in units of the last digit.
        Raises ValueError for a pair that cannot be.
        """
        cdef int index = (<KrakenReader*>self.parser).add(
            symbol, len(symbol), price_precision, qty_precision, tick_units, lot_units)
        if index < 0:
            raise ValueError(
                f"cannot read pair {symbol!r} with precisions {price_precision}, {qty_precision} "
                f"and units {tick_units}, {lot_units}")
        return index

    cdef int decode_pointer(self, const char* frame, Py_ssize_t size,
                            Py_ssize_t capacity) noexcept nogil:
        return self._read(frame, size, capacity, True)

    cdef int _read(self, const char* frame, Py_ssize_t size, Py_ssize_t capacity,
                   bint scan) noexcept nogil:
        cdef KrakenReader* reader = <KrakenReader*>self.parser
        cdef int kind = reader.read(frame, size, capacity, scan)
        self.kind = kind
        self.instrument = reader.frame.instrument
        self.level_count = reader.frame.level_count
        self.trade_count = reader.frame.trade_count
        self.checksum = reader.frame.checksum
        self.ts_us = reader.frame.ts_us
        self.scanned = reader.scanned
        self.parsed = reader.parsed
        return kind

    cpdef int decode(self, frame, Py_ssize_t padding=0) except? -100:
        """Read a frame: any contiguous buffer, with ``padding`` readable bytes after it.

        Returns one of the KIND_ constants or a negative error. With a padding of 64 or more the
        frame is read in place, else it is copied first. Raises TypeError if it is no buffer.
        """
        return self._decode(frame, padding, True)

    def decode_without_scanner(self, frame) -> int:
        """Like decode(), through simdjson alone: the two must agree, and tests compare them."""
        return self._decode(frame, 0, False)

    cdef int _decode(self, frame, Py_ssize_t padding, bint scan) except? -100:
        cdef Py_buffer view
        cdef int kind
        if isinstance(frame, bytes):
            return self._read(frame, len(<bytes>frame), len(<bytes>frame) + padding, scan)
        PyObject_GetBuffer(frame, &view, PyBUF_SIMPLE)
        kind = self._read(<const char*>view.buf, view.len, view.len + padding, scan)
        PyBuffer_Release(&view)
        return kind

"""Kraken WebSocket v2 market frames. C modules may cimport this: the C++ is behind void*."""
from libc.stdint cimport int64_t

cdef enum:
    LEVEL_WORDS = 3        # side, ticks, lots
    TRADE_WORDS = 5        # side, ticks, lots, trade_id, ts_us

# What decode() returns.
cpdef enum:
    KIND_COLD = 0          # valid JSON of no hot channel
    KIND_BOOK_UPDATE = 1
    KIND_BOOK_SNAPSHOT = 2
    KIND_TRADE = 3
    KIND_HEARTBEAT = 4
    BAD_JSON = -1          # not a JSON object in UTF-8, or a number beyond double or 64 bits
    BAD_SHAPE = -2         # a key is missing, twice there or of the wrong type
    BAD_NUMBER = -3        # negative, a price of 0, beyond int64
    TOO_LARGE = -4         # over 1 MiB, deeper than 16, more than 2048 levels or 1024 trades
    INEXACT = -5           # beyond the pair's precision or off its grid
    UNKNOWN_SYMBOL = -6


cdef class KrakenDecoder:
    cdef void* parser
    cdef readonly int64_t kind
    cdef readonly int64_t instrument       # index of add_symbol(), -1 if the frame has none
    cdef readonly int64_t level_count
    cdef readonly int64_t trade_count
    cdef readonly int64_t checksum
    cdef readonly int64_t ts_us            # wall-clock microseconds, 0 if the frame has none
    cdef readonly int64_t scanned          # frames that the strict scanner read
    cdef readonly int64_t parsed           # frames that went to simdjson
    cdef readonly int64_t[::1] levels      # LEVEL_WORDS a level
    cdef readonly int64_t[::1] trades      # TRADE_WORDS a trade

    # Returns the kind or a negative error. capacity is how many bytes may be read from frame.
    cdef int decode_pointer(self, const char* frame, Py_ssize_t size,
                            Py_ssize_t capacity) noexcept nogil
    cpdef int decode(self, frame, Py_ssize_t padding=*) except? -100

    cdef int _read(self, const char* frame, Py_ssize_t size, Py_ssize_t capacity,
                   bint scan) noexcept nogil
    cdef int _decode(self, frame, Py_ssize_t padding, bint scan) except? -100

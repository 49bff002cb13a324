"""Kraken's book checksum."""
cimport cython
from libc.stdint cimport int64_t, uint32_t

from fastcore.market.book cimport OrderBook


@cython.final
cdef class KrakenChecksum:
    cdef readonly int64_t tick_units   # checksum digits of a price are ticks * tick_units
    cdef readonly int64_t lot_units    # and of a size lots * lot_units
    cdef int64_t ticks_max             # beyond these the digits would not fit 64 bits
    cdef int64_t lots_max
    cdef int64_t all_ones
    cdef uint32_t[::1] pair            # checksum of two digits, by their number; then of one
    cdef uint32_t[::1] moved           # [row][byte][value]: a checksum moved on by some bytes
    cdef int64_t[::1] powers           # 10**i
    cdef int64_t[::1] known_ticks      # a cache of levels, by price and side
    cdef int64_t[::1] known_lots
    cdef int64_t[::1] known_sum        # checksum of the level's digits alone
    cdef int64_t[::1] known_length     # how many digits
    cdef int64_t[::1] versions         # of the book, when the side's checksum was last worked out
    cdef int64_t[::1] sums
    cdef int64_t[::1] lengths

    @cython.locals(length=int64_t, state=int64_t)
    cpdef int64_t compute(self, OrderBook book) noexcept nogil
    @cython.locals(n=int64_t, i=int64_t, at=int64_t, ticks=int64_t, lots=int64_t, state=int64_t,
                   length=int64_t)
    cdef void _side(self, OrderBook book, int side) noexcept nogil
    cdef int64_t _move(self, int64_t state, int64_t row) noexcept nogil
    @cython.locals(digits=int64_t)
    cdef void _level(self, int64_t at, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(n=int64_t)
    cdef int64_t _digits(self, int64_t units) noexcept nogil
    @cython.locals(state=int64_t, two=int64_t)
    cdef int64_t _sum(self, int64_t units, int64_t digits) noexcept nogil

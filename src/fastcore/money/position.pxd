"""Position: what is held, what it cost, what it earned."""
cimport cython
from libc.stdint cimport int64_t, uint64_t


@cython.final
cdef class Position:
    cdef readonly int64_t instrument
    cdef readonly int64_t lots          # net lots, negative when short
    cdef readonly int64_t cost          # tick-lots paid for them; has the sign of lots
    cdef readonly int64_t cash          # tick-lots received less paid; cash + cost == realised
    cdef readonly int64_t realised      # tick-lots earned on what was closed, before fees
    cdef readonly int64_t fees_e10      # 1e-10 quote units; a rebate is negative
    cdef readonly int64_t traded_lots   # sum of all fills
    cdef readonly int64_t fills         # how many

    # changes
    @cython.locals(sign=int64_t, held=int64_t, paid=int64_t, closing=int64_t, released=int64_t,
                   gain=int64_t, lots_after=int64_t, cost_after=int64_t, realised_after=int64_t,
                   cash_after=int64_t, fees_after=int64_t)
    cpdef int apply(self, int side, int64_t ticks, int64_t lots, int64_t fee_e10) noexcept nogil
    cpdef int adopt(self, int64_t lots, int64_t cost) noexcept nogil
    cpdef int restore(self, int64_t lots, int64_t cost, int64_t realised,
                      int64_t fees_e10) noexcept nogil

    # reads
    cpdef int64_t unrealised2(self, int64_t mark2_ticks) noexcept nogil
    cpdef int64_t unrealised(self, int64_t mark2_ticks) noexcept nogil
    @cython.locals(digest=uint64_t)
    cpdef uint64_t state_hash(self) noexcept nogil

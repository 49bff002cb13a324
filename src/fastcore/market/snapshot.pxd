"""A book that is replaced as a whole."""
cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class SnapshotBook:
    cdef readonly int64_t instrument
    cdef readonly int64_t depth        # levels kept a side
    cdef public int64_t trust
    cdef public int64_t ts_us
    cdef public int64_t recv_ns
    cdef readonly int64_t updates      # how often it was replaced
    cdef int64_t none_ask
    cdef int64_t[::1] keys             # best first; asks in the second half
    cdef int64_t[::1] sizes
    cdef int64_t[::1] counts

    @cython.locals(i=int64_t, side=int64_t, ticks=int64_t, lots=int64_t)
    cpdef int replace(self, int64_t[::1] words, int64_t count) noexcept nogil
    cpdef void clear(self) noexcept nogil
    cpdef int64_t best_bid(self) noexcept nogil
    cpdef int64_t best_ask(self) noexcept nogil
    cpdef int64_t best_bid_lots(self) noexcept nogil
    cpdef int64_t best_ask_lots(self) noexcept nogil
    cpdef bint has_bid(self) noexcept nogil
    cpdef bint has_ask(self) noexcept nogil
    cpdef bint crossed(self) noexcept nogil
    cpdef int64_t count(self, int side) noexcept nogil
    @cython.locals(key=int64_t, i=int64_t)
    cpdef int64_t lots_at(self, int side, int64_t ticks) noexcept nogil
    cpdef int64_t level_ticks(self, int side, int64_t i) noexcept nogil
    cpdef int64_t level_lots(self, int side, int64_t i) noexcept nogil
    cpdef list levels(self, int side, int64_t count)
    cpdef object state_hash(self)
    @cython.locals(start=int64_t, n=int64_t, i=int64_t, at=int64_t)
    cdef void _insert(self, int64_t side, int64_t key, int64_t lots) noexcept nogil

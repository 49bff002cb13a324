"""What our open orders may still do, by side and price."""
cimport cython
from libc.stdint cimport int64_t, uint64_t


@cython.final
cdef class Exposure:
    cdef readonly int64_t levels        # price levels a side
    cdef int64_t[::1] keys              # ticks of bids, minus ticks of asks; best last
    cdef int64_t[::1] orders            # how many of our orders stand at that key
    cdef int64_t[::1] counts            # keys a side
    cdef int64_t[::1] lots              # open lots a side
    cdef int64_t[::1] values            # sum of ticks * open lots a side

    # changes: 0, or -1 and nothing changed
    @cython.locals(key=int64_t, start=int64_t, end=int64_t, at=int64_t, i=int64_t,
                   value=int64_t)
    cpdef int add(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(key=int64_t, start=int64_t, end=int64_t, at=int64_t, i=int64_t)
    cpdef int remove(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    cpdef int reduce(self, int side, int64_t ticks, int64_t lots) noexcept nogil

    # reads
    cpdef int64_t best(self, int side) noexcept nogil
    cpdef int64_t open_lots(self, int side) noexcept nogil
    cpdef int64_t open_value(self, int side) noexcept nogil
    @cython.locals(digest=uint64_t, side=int64_t, i=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil

    # inside
    cdef bint _fits(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(start=int64_t, low=int64_t, high=int64_t, middle=int64_t)
    cdef int64_t _seek(self, int side, int64_t key) noexcept nogil

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Ladder:
    cdef readonly int64_t capacity
    # Two sides of `capacity` rows each, worst level first.
    cdef int64_t[::1] ticks, lots, first, last
    cdef int64_t[::1] sizes

    cpdef int64_t count(self, int side) noexcept nogil
    @cython.locals(start=int64_t, low=int64_t, high=int64_t, middle=int64_t)
    cpdef int64_t search(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(row=int64_t)
    cpdef int64_t find(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(row=int64_t, end=int64_t, i=int64_t)
    cpdef int64_t insert(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(end=int64_t, i=int64_t)
    cpdef void remove(self, int side, int64_t row) noexcept nogil
    cpdef int64_t best(self, int side) noexcept nogil
    cpdef int64_t row(self, int side, int64_t rank) noexcept nogil
    cpdef int64_t best_ticks(self, int side) noexcept nogil
    @cython.locals(row=int64_t)
    cpdef int64_t lots_at(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(row=int64_t, rank=int64_t)
    cpdef list levels(self, int side, int64_t count)

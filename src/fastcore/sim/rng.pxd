cimport cython
from libc.stdint cimport int64_t, uint64_t


@cython.final
cdef class SplitMix:
    cdef uint64_t mask, gamma, mix_a, mix_b
    cdef double scale
    # The whole state: save it, restore it.
    cdef public uint64_t state

    @cython.locals(z=uint64_t)
    cpdef uint64_t word(self) noexcept nogil
    @cython.locals(z=uint64_t)
    cpdef double random(self) noexcept nogil
    cpdef int64_t below(self, int64_t limit) noexcept nogil
    @cython.locals(whole=double, first=double, last=double, u=double, odd=cython.int)
    cpdef double exponential(self) noexcept nogil
    @cython.locals(i=cython.int, total=double)
    cpdef double normal(self) noexcept nogil
    cpdef int64_t randrange(self, int64_t start, int64_t stop) noexcept nogil

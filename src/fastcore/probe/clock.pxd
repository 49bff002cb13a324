cimport cython
from libc.stdint cimport int64_t

cpdef int64_t now_ns() noexcept nogil
cpdef int64_t now_us() noexcept nogil
cpdef int64_t mono_ns() noexcept nogil


@cython.final
cdef class Stopwatch:
    cdef int64_t started_ns        # mono_ns of start()
    cdef int64_t lapped_ns         # mono_ns of the last lap() or start()
    cdef int64_t stopped_ns        # mono_ns of stop(), 0 while running

    cpdef Stopwatch start(self)
    @cython.locals(now=int64_t, lap_ns=int64_t)
    cpdef int64_t lap(self) noexcept nogil
    cpdef int64_t stop(self) noexcept nogil
    cpdef int64_t elapsed_ns(self) noexcept nogil
    cpdef int64_t elapsed_us(self) noexcept nogil

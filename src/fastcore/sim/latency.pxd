"""Order latency: nanoseconds to the exchange and back."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.sim.rng cimport SplitMix


@cython.final
cdef class OrderLatency:
    cdef readonly int kind
    cdef readonly int64_t entry_ns, response_ns, jitter_ns, tail_ns, rejects_e6
    cdef readonly int64_t rows, returned_rows
    cdef object seed
    # Recorded orders, and those that got there; the row right of which each side stands.
    cdef int64_t[::1] requested, reached, answered, arrived, returned
    cdef int64_t entry_row, response_row
    cdef SplitMix rng

    @cython.locals(i=int64_t, j=int64_t, latency_ns=int64_t)
    cpdef int64_t entry(self, int64_t now_ns) noexcept nogil
    @cython.locals(i=int64_t, j=int64_t)
    cpdef int64_t response(self, int64_t exch_ns) noexcept nogil
    @cython.locals(latency_ns=int64_t, tail_ns=int64_t)
    cdef int64_t drawn(self, int64_t mean_ns, int64_t rejects_e6) noexcept nogil


@cython.locals(slope=double, change_ns=int64_t)
cdef int64_t between(int64_t x, int64_t left, int64_t left_ns, int64_t right,
                     int64_t right_ns) noexcept nogil

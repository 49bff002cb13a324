"""Weighted token bucket, and the exact count of a sliding minute."""
cimport cython
from libc.stdint cimport int64_t, uint64_t


@cython.final
cdef class TokenBucket:
    # Amounts are micro-tokens, so that slow refills are exact.
    cdef readonly int64_t capacity_e6
    cdef readonly int64_t refill_e6     # per second
    cdef readonly int64_t reserve_e6    # only reserved takes may use the last of them
    cdef readonly int64_t level_e6      # at last_ns
    cdef readonly int64_t last_ns       # latest time seen, less what is carried below
    cdef int64_t carry                  # micro-tokens times 1e-6 s not yet credited
    cdef int64_t full_us                # time from empty to full
    cdef readonly int64_t taken         # tokens granted so far
    cdef readonly int64_t refused       # takes refused so far

    cpdef int take(self, int64_t weight, int64_t now_ns, bint reserved=*) noexcept nogil
    cpdef void spend(self, int64_t weight) noexcept nogil
    cpdef bint would_take(self, int64_t weight, int64_t now_ns, bint reserved=*) noexcept nogil
    cpdef int64_t available(self, int64_t now_ns) noexcept nogil
    cpdef void set_level(self, int64_t tokens, int64_t now_ns) noexcept nogil
    @cython.locals(digest=uint64_t)
    cpdef uint64_t state_hash(self) noexcept nogil
    @cython.locals(passed_us=int64_t, credit=int64_t)
    cdef void _refill(self, int64_t now_ns) noexcept nogil


@cython.final
cdef class MinuteWindow:
    cdef readonly int64_t capacity      # messages in a window
    cdef readonly int64_t reserve       # of them, only reserved takes may use the last ones
    cdef readonly int64_t window_ns
    cdef readonly int64_t last_ns       # latest time seen
    cdef readonly int64_t taken         # places granted so far
    cdef readonly int64_t refused       # takes refused so far
    cdef int64_t[::1] sent_ns           # ring, one a place; the oldest is at ``at``
    cdef int64_t at
    cdef int64_t used                   # newest of the ring that were in the window when counted

    cpdef int take(self, int64_t weight, int64_t now_ns, bint reserved=*) noexcept nogil
    @cython.locals(i=int64_t)
    cpdef void spend(self, int64_t weight) noexcept nogil
    @cython.locals(back=int64_t)
    cpdef bint would_take(self, int64_t weight, int64_t now_ns, bint reserved=*) noexcept nogil
    cpdef int64_t available(self, int64_t now_ns) noexcept nogil
    @cython.locals(digest=uint64_t, i=int64_t, back=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil
    @cython.locals(back=int64_t)
    cdef void _forget(self) noexcept nogil

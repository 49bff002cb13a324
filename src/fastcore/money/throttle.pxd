"""Weighted token bucket, the exact count of a sliding minute, and Kraken's trading counter."""
cimport cython
from libc.stdint cimport int64_t, uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define FASTCORE_SECOND INT64_C(1000000000)
    #define FASTCORE_POINT (100 * FASTCORE_SECOND)
    """
    int64_t SECOND_NS "FASTCORE_SECOND"
    int64_t ADD_COST "FASTCORE_POINT"                   # an order costs one point
    int64_t COST_MAX "(10000 * FASTCORE_POINT)"         # of one request
    int64_t LEVEL_MAX "(INT64_C(1) << 61)"
    int64_t SETTLE_NS "(10 * FASTCORE_SECOND)"          # what is not answered has arrived by then
    int64_t DECAY_NS_MAX "(INT64_C(1) << 50)"           # times the largest decay: still an int64

cdef enum:
    REQUESTS = 1024     # on their way at the same time
    NOT_PROVED = -1     # touched_ns: no answer yet
    MOVING = -2         # touched_ns: less the time from before an amend


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


@cython.final
cdef class TradingCounter:
    # Amounts are 1/POINT points.
    cdef readonly int64_t instruments
    cdef readonly int64_t rows
    cdef readonly int64_t maximum       # 0 = no limit
    cdef readonly int64_t reserve       # only reserved takes may use the last of them
    cdef readonly int64_t decay_e2      # hundredths of a point a second
    cdef readonly int64_t orders_max    # open orders of a pair
    cdef int64_t[::1] level             # by pair: what has certainly arrived, at last_ns
    cdef int64_t[::1] pending           # by pair: what is on its way
    cdef int64_t[::1] last_ns
    cdef readonly int64_t[::1] open_orders
    cdef int64_t[::1] touched_ns        # by row of the order table
    cdef int64_t[::1] asked             # by request: number, pair, cost, when it left
    cdef int64_t oldest                 # request that may be on its way, 0 = none
    cdef int64_t newest

    cpdef int64_t amend_cost(self, int64_t handle, int64_t now_ns) noexcept nogil
    cpdef int64_t cancel_cost(self, int64_t handle, int64_t now_ns) noexcept nogil
    @cython.locals(free=int64_t)
    cpdef bint would_take(self, int64_t instrument, int64_t cost, int64_t now_ns,
                          bint reserved=*) noexcept nogil
    cpdef bint admits(self, int64_t instrument, int64_t now_ns) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef void spend(self, int64_t instrument, int64_t cost, int64_t request,
                     int64_t now_ns) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef void answered(self, int64_t request, int64_t now_ns) noexcept nogil
    @cython.locals(missing=int64_t)
    cpdef bint told(self, int64_t instrument, int64_t count, int64_t now_ns) noexcept nogil
    cpdef void confirmed(self, int64_t handle, int64_t now_ns) noexcept nogil
    cpdef void moving(self, int64_t handle) noexcept nogil
    cpdef void moved(self, int64_t handle, int64_t now_ns) noexcept nogil
    cpdef void stayed(self, int64_t handle) noexcept nogil
    cpdef void opened(self, int64_t instrument, int64_t handle) noexcept nogil
    cpdef void closed(self, int64_t instrument) noexcept nogil
    cpdef bint full(self, int64_t instrument) noexcept nogil
    cpdef int64_t used(self, int64_t instrument, int64_t now_ns) noexcept nogil
    @cython.locals(digest=uint64_t, i=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil
    cdef int64_t _age_ns(self, int64_t handle, int64_t now_ns) noexcept nogil
    @cython.locals(passed_ns=int64_t)
    cdef void _decay(self, int64_t instrument, int64_t now_ns) noexcept nogil
    cdef void _add(self, int64_t instrument, int64_t cost, int64_t now_ns) noexcept nogil
    cdef void _settle(self, int64_t at, int64_t now_ns) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void _forget(self, int64_t now_ns) noexcept nogil

"""A grid of post-only orders around the mid price: the strategy of the golden fills."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.sim.replay cimport Replay
from fastcore.sim.replay_local cimport LocalSide


@cython.final
cdef class GridMaker:
    cdef readonly int64_t asset, interval_ns, levels, step_ticks, order_lots
    cdef readonly double half_spread_ticks, skew_ticks, position_max
    cdef readonly int64_t steps        # wake-ups so far
    cdef int64_t[::1] tops             # best wanted price of each side
    cdef int64_t[::1] quotes           # whether a side is quoted

    cpdef int64_t run(self, Replay replay) except -1
    @cython.locals(bid=int64_t, ask=int64_t, center=double, position=double)
    cpdef int decide(self, Replay replay) except -1
    @cython.locals(i=int64_t, row=int64_t, at=int64_t, kept=cython.int)
    cdef void withdraw(self, LocalSide home, int64_t now_ns) noexcept nogil
    @cython.locals(i=int64_t, side=int64_t, ticks=int64_t)
    cdef void offer(self, LocalSide home, int64_t now_ns) noexcept nogil
    @cython.locals(away=int64_t)
    cdef bint wants(self, int64_t side, int64_t ticks) noexcept nogil


@cython.locals(whole=int64_t)
cdef int64_t floor_of(double x) noexcept nogil

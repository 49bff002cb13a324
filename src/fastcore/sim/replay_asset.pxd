"""One asset of a replay: its exchange and its trader."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.sim.replay_depth cimport Depth
from fastcore.sim.replay_exchange cimport ExchangeSide
from fastcore.sim.replay_local cimport LocalSide


@cython.final
cdef class Asset:
    cdef int64_t number
    cdef readonly ExchangeSide exchange
    cdef readonly LocalSide home
    cdef int64_t[::1] tops             # best keys before an instant
    cdef double[::1] top_quantities

    cdef int64_t next_ns(self) noexcept nogil
    @cython.locals(exchange_ns=int64_t, home_ns=int64_t)
    cdef int64_t run(self, int64_t limit_ns) except? -1
    @cython.locals(done=cython.int)
    cdef int run_exchange(self, int64_t limit_ns, int stops) except -1
    @cython.locals(done=cython.int)
    cdef int run_home(self, int64_t limit_ns) except -1
    @cython.locals(depth=Depth, found=int64_t, side=int64_t, key=int64_t, quantity=double)
    cdef int64_t run_instant(self, int64_t at_ns) except -1

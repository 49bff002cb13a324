"""The exchange of an instrument recorded order by order."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.sim.replay_exchange cimport ExchangeSide
from fastcore.sim.replay_l3 cimport L3Book


cdef class L3Exchange(ExchangeSide):
    cdef L3Book book
    cdef readonly int trouble          # why a row was bad: what the book answered

    @cython.locals(answers=int64_t, until_ns=int64_t, done=cython.int)
    cdef int advance(self, int64_t limit_ns, int stops) noexcept nogil
    @cython.locals(ev=int64_t, exch_ns=int64_t, i=int64_t, row=int64_t)
    cdef int event(self, int64_t at) noexcept nogil

    @cython.locals(source=int64_t, exch_ns=int64_t, request=int64_t, row=int64_t)
    cdef void serve(self) noexcept nogil
    @cython.locals(at=int64_t, side=cython.int, tif=int64_t, best=int64_t, crosses=bint)
    cdef void arrive(self, int64_t row, int64_t exch_ns, int64_t request) noexcept nogil
    @cython.locals(at=int64_t, ticks=int64_t, lots=int64_t, stays=bint)
    cdef void change(self, int64_t row, int64_t source, int64_t exch_ns) noexcept nogil
    cdef void leave(self, int64_t row) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void execute(self, int64_t row, int64_t ticks, int maker, int64_t exch_ns,
                      int64_t request) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void end(self, int64_t row, int status, int64_t exch_ns, int64_t request) noexcept nogil

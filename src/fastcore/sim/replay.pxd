"""A replay of recorded markets with our orders in them."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.sim.replay_asset cimport Asset
from fastcore.sim.replay_exchange cimport ExchangeSide
from fastcore.sim.replay_local cimport LocalSide


@cython.final
cdef class Replay:
    cdef list assets                   # Asset by number
    cdef list latencies
    cdef readonly int64_t count
    cdef readonly int64_t now_ns
    cdef readonly int64_t woken        # the asset that woke the last step
    cdef int64_t begun
    cdef int64_t waiting               # assets woken at this instant and not told yet
    cdef int64_t[::1] woken_bits       # why, by asset

    # the clock
    @cython.locals(asset=Asset, i=int64_t)
    cdef int begin(self) except -1
    cpdef int elapse(self, int64_t duration_ns) except -1
    @cython.locals(asset=Asset, i=int64_t, next_ns=int64_t)
    cpdef int goto(self, int64_t until_ns) except -1
    @cython.locals(m=int64_t, i=int64_t, asset=Asset, found=int64_t)
    cpdef int64_t step(self, int64_t until_ns, int64_t wake) except -1
    @cython.locals(i=int64_t)
    cdef int64_t tell(self) noexcept
    cdef int64_t ahead(self, int64_t until_ns) noexcept
    @cython.locals(i=int64_t, first=int64_t, first_ns=int64_t, second_ns=int64_t, t=int64_t,
                   asset=Asset)
    cdef int run_exchanges(self, int64_t limit_ns, int stops) except -1
    @cython.locals(asset=Asset, i=int64_t)
    cpdef bint ended(self)
    @cython.locals(found=Asset)
    cdef LocalSide home(self, int64_t asset)

    # orders
    cpdef int submit(self, int64_t asset, int64_t order_id, int side, int64_t ticks, int64_t lots,
                     int tif, int order_type=*) except -1
    cpdef int cancel(self, int64_t asset, int64_t order_id) except -1
    cpdef int modify(self, int64_t asset, int64_t order_id, int64_t ticks,
                     int64_t lots) except -1
    cpdef int drop_inactive(self, int64_t asset) except -1
    @cython.locals(home=LocalSide, row=int64_t)
    cpdef object order(self, int64_t asset, int64_t order_id)
    @cython.locals(home=LocalSide, i=int64_t)
    cpdef list orders(self, int64_t asset)

    # the book and the account as seen here
    @cython.locals(key=int64_t)
    cpdef int64_t best(self, int64_t asset, int side) except? -1
    @cython.locals(home=LocalSide)
    cpdef int64_t lots_at(self, int64_t asset, int side, int64_t ticks) except? -1
    cpdef int64_t position(self, int64_t asset) except? -1
    cpdef double position_quantity(self, int64_t asset) except? -1.0
    cpdef double balance(self, int64_t asset) except? -1.0
    cpdef double fee(self, int64_t asset) except? -1.0
    cpdef double trading_value(self, int64_t asset) except? -1.0
    cpdef int64_t trades_count(self, int64_t asset) except? -1
    cpdef int64_t volume_lots(self, int64_t asset) except? -1
    @cython.locals(home=LocalSide, bid=int64_t, ask=int64_t)
    cpdef double equity(self, int64_t asset) except? -1.0

    # what happened since the last call
    @cython.locals(home=LocalSide, i=int64_t, k=int64_t, at=int64_t)
    cpdef list responses(self)
    @cython.locals(home=LocalSide, i=int64_t, k=int64_t, at=int64_t)
    cpdef list fills(self)
    @cython.locals(home=LocalSide, i=int64_t, k=int64_t, at=int64_t)
    cpdef list trades(self)
    @cython.locals(home=LocalSide, i=int64_t)
    cpdef object collect(self, int what)
    cpdef object attach(self, int64_t asset, object order_book)
    @cython.locals(asset=Asset, home=LocalSide, exchange=ExchangeSide, i=int64_t, k=int64_t,
                   at=int64_t, m=int64_t)
    cpdef object state_hash(self)


cdef list in_order(list found, int64_t count)
@cython.locals(at=int64_t)
cdef dict order_fields(LocalSide home, int64_t row)

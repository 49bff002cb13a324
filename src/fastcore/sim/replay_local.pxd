"""The trader's side of a replayed instrument: what was known here, and when."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.sim.fees cimport FeeModel
from fastcore.sim.latency cimport OrderLatency
from fastcore.sim.replay_bus cimport Bus
from fastcore.sim.replay_depth cimport Depth
from fastcore.sim.replay_l3 cimport L3Book


@cython.final
cdef class LocalSide:
    cdef Depth depth
    cdef Bus requests                  # from us
    cdef Bus responses                 # to us
    cdef OrderLatency latency
    cdef FeeModel fees
    cdef int contract
    cdef double contract_size
    cdef readonly int64_t next_row     # first event row not seen
    cdef int64_t alarms                # of the book, when room was last looked for
    cdef int64_t by_order              # the rows are single orders, kept in `book`
    cdef L3Book book
    cdef int64_t bits                  # WAKE_* since the caller reset it

    # our orders
    cdef int64_t capacity
    cdef int64_t[::1] orders           # rows of ORDER_WORDS
    cdef int64_t[::1] used             # rows in use by age
    cdef int64_t[::1] taken            # whether a row is in use
    cdef int64_t[::1] free_rows
    cdef int64_t[::1] places           # rows by id, plus one; 0 is free
    cdef int64_t mask
    cdef readonly int64_t count        # orders remembered
    cdef readonly int64_t ended        # of them, those that ended

    # account
    cdef readonly int64_t position_lots, trades_count, volume_lots
    cdef readonly double balance, fee, trading_value
    cdef readonly double held          # position in base units, summed as doubles

    # logs
    cdef public int collecting         # COLLECT_* bits
    cdef int64_t[::1] response_log, fill_log, trade_log
    cdef readonly int64_t response_count, fill_count, trade_count

    # seen rows and responses
    @cython.locals(until_ns=int64_t)
    cdef int advance(self, int64_t limit_ns) noexcept nogil
    @cython.locals(at=int64_t, ev=int64_t, kind=int64_t, side=int64_t, price=double)
    cdef int event(self, int64_t i) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void log_trade(self, int64_t i, int64_t side) noexcept nogil
    @cython.locals(side=cython.int, best=int64_t)
    cdef void show_levels(self) noexcept nogil
    cdef void show(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(source=int64_t, request=int64_t, row=int64_t, at=int64_t, k=int64_t)
    cdef void receive(self) noexcept nogil
    @cython.locals(price=double, quantity=double, value=double)
    cdef void account(self, int64_t side, int64_t ticks, int64_t lots, int maker) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void log_response(self, int64_t source) noexcept nogil
    cdef bint needs_room(self) noexcept nogil
    cdef void listen(self, int64_t wake) noexcept nogil
    cdef int64_t data_ns(self) noexcept nogil
    @cython.locals(at=int64_t)
    cdef int64_t next_ns(self) noexcept nogil

    # requests
    @cython.locals(row=int64_t, at=int64_t, place=int64_t)
    cdef int submit(self, int64_t now_ns, int64_t order_id, int side, int64_t ticks, int64_t lots,
                    int tif, int order_type) noexcept nogil
    @cython.locals(row=int64_t)
    cdef int cancel(self, int64_t now_ns, int64_t order_id) noexcept nogil
    cdef int cancel_row(self, int64_t now_ns, int64_t row) noexcept nogil
    @cython.locals(row=int64_t, at=int64_t, source=int64_t)
    cdef int modify(self, int64_t now_ns, int64_t order_id, int64_t ticks,
                    int64_t lots) noexcept nogil
    @cython.locals(latency_ns=int64_t, at=int64_t, source=int64_t, k=int64_t)
    cdef void send(self, int64_t row, int64_t request, int64_t now_ns) noexcept nogil
    @cython.locals(row=int64_t)
    cdef int may_ask(self, int64_t row) noexcept nogil

    # the table of orders
    @cython.locals(place=int64_t)
    cdef int64_t place_of(self, int64_t order_id) noexcept nogil
    @cython.locals(row=int64_t)
    cdef int64_t find(self, int64_t order_id) noexcept nogil
    @cython.locals(i=int64_t, kept=int64_t, row=int64_t)
    cdef void drop_ended(self) noexcept nogil
    @cython.locals(place=int64_t, gap=int64_t, home=int64_t)
    cdef void forget(self, int64_t order_id) noexcept nogil
    @cython.locals(mixed=int64_t)
    cdef int64_t home_of(self, int64_t order_id) noexcept nogil
    cdef bint has_ended(self, int64_t row) noexcept nogil

cimport cython
from libc.stdint cimport int64_t, uint64_t

from fastcore.sim.ladder cimport Ladder


@cython.final
cdef class Matcher:
    cdef Ladder ladder
    # One row per order; `after` also chains the free slots.
    cdef int64_t[::1] generation, owners, sides, prices, leaves, expiry, after, before
    cdef int64_t[::1] display, visible
    cdef int64_t[::1] fill_rows, change_rows, cancel_rows
    cdef int64_t free, fill_capacity
    cdef uint64_t mask, prime
    cdef int stopped
    cdef readonly int64_t capacity, open_orders
    cdef readonly int64_t fill_count, change_count, cancel_count
    # Outcome of the last call: codes.py; lots.
    cdef readonly int state, reason
    cdef readonly int64_t filled, remaining
    # Time of the earliest GTD expiry (0: none), and price of the last trade.
    cdef readonly int64_t expiry_us, last_ticks

    cpdef void clear_events(self) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void emit_fill(self, int64_t maker, int64_t taker_id, int64_t taker_owner,
                        int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void emit_change(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void emit_cancel(self, int64_t slot, int reason) noexcept nogil
    @cython.locals(i=int64_t, at=int64_t)
    cpdef list fills(self)
    @cython.locals(i=int64_t, at=int64_t)
    cpdef list changes(self)
    @cython.locals(i=int64_t, at=int64_t)
    cpdef list cancels(self)

    cdef int64_t order_id(self, int64_t slot) noexcept nogil
    @cython.locals(slot=int64_t)
    cdef int64_t slot_of(self, int64_t order_id) noexcept nogil
    @cython.locals(slot=int64_t)
    cdef int64_t allocate(self, int64_t owner, int side, int64_t ticks, int64_t lots,
                          int64_t expire_us, int64_t display) noexcept nogil
    cdef void release(self, int64_t slot) noexcept nogil
    @cython.locals(side=cython.int, row=int64_t, due=int64_t)
    cdef int rest(self, int64_t slot) noexcept nogil
    @cython.locals(shown=int64_t, tail=int64_t)
    cdef void append(self, int64_t slot, int64_t row) noexcept nogil
    @cython.locals(head=int64_t, tail=int64_t)
    cdef void unlink(self, int64_t slot, int64_t row) noexcept nogil
    @cython.locals(side=cython.int, row=int64_t)
    cdef void withdraw(self, int64_t slot) noexcept nogil

    @cython.locals(row=int64_t)
    cpdef int crosses(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(other=cython.int, found=int64_t, rank=int64_t, row=int64_t, price=int64_t,
                   slot=int64_t)
    cpdef int64_t fillable(self, int64_t owner, int side, int64_t ticks, int64_t lots,
                           int stp) noexcept nogil
    @cython.locals(other=cython.int, left=int64_t, row=int64_t, price=int64_t)
    cdef int64_t take(self, int64_t taker_id, int64_t owner, int side, int64_t ticks,
                      int64_t lots, int stp) noexcept nogil
    @cython.locals(left=int64_t, ticks=int64_t, total=int64_t, side=cython.int, slot=int64_t,
                   quantity=int64_t)
    cdef int64_t take_level(self, int64_t row, int64_t taker_id, int64_t owner, int64_t lots,
                            int stp) noexcept nogil
    cdef void settle(self, int64_t slot, int64_t left, int keep) noexcept nogil
    cdef int shows(self, int64_t lots, int64_t display) noexcept nogil

    @cython.locals(keep=cython.int, slot=int64_t, order_id=int64_t, left=int64_t)
    cpdef int64_t place(self, int64_t owner, int side, int64_t ticks, int64_t lots, int tif=*,
                        int post_only=*, int stp=*, int64_t expire_us=*,
                        int64_t display=*) noexcept nogil
    @cython.locals(slot=int64_t, side=cython.int, row=int64_t, left=int64_t, shown=int64_t)
    cpdef int64_t amend(self, int64_t order_id, int64_t ticks, int64_t lots, int post_only=*,
                        int stp=*, int64_t display=*) noexcept nogil
    @cython.locals(slot=int64_t)
    cpdef int64_t cancel(self, int64_t order_id) noexcept nogil
    @cython.locals(slot=int64_t, due=int64_t)
    cpdef int64_t expire(self, int64_t now_us) noexcept nogil

    cpdef int64_t best(self, int side) noexcept nogil
    cpdef int64_t count(self, int side) noexcept nogil
    cpdef int64_t lots_at(self, int side, int64_t ticks) noexcept nogil
    cpdef list levels(self, int side, int64_t count)
    @cython.locals(slot=int64_t)
    cpdef int64_t leaves_of(self, int64_t order_id) noexcept nogil
    @cython.locals(row=int64_t, slot=int64_t)
    cpdef list orders_at(self, int side, int64_t ticks)
    @cython.locals(slot=int64_t)
    cpdef int64_t visible_of(self, int64_t order_id) noexcept nogil
    cdef uint64_t mix(self, uint64_t seed, int64_t value) noexcept nogil
    @cython.locals(seed=uint64_t, side=cython.int, rank=int64_t, row=int64_t, slot=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil

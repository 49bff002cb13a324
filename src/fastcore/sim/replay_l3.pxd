"""A book of single orders, ours among them: market by order."""
cimport cython
from libc.stdint cimport int64_t, uint64_t

from fastcore.sim.ladder cimport Ladder
from fastcore.sim.replay_depth cimport Depth


@cython.locals(side=int64_t)
cdef int side_of(int64_t ev) noexcept nogil


@cython.final
cdef class L3Book:
    cdef Ladder ladder
    # One row per order, ours first; `after` also chains the free rows; a side of -1 is no order.
    cdef int64_t[::1] ids, sides, prices, lots, after, before
    # Rows of recorded orders by the hash of their id, -1 for none.
    cdef int64_t[::1] rows
    cdef int64_t[::1] best_ticks
    cdef int64_t[::1] hits
    cdef uint64_t word, gamma
    cdef int64_t mask, free, used, capacity
    cdef readonly int64_t ours, orders, resting, hit_count
    # The level of the last event row, and the one that an order left.
    cdef int row_side
    cdef int64_t row_ticks, left_ticks

    cpdef int64_t room(self) noexcept nogil
    @cython.locals(mixed=uint64_t)
    cdef int64_t home(self, int64_t order_id) noexcept nogil
    @cython.locals(place=int64_t)
    cdef int64_t place_of(self, int64_t order_id) noexcept nogil
    @cython.locals(hole=int64_t, place=int64_t, home=int64_t)
    cdef void forget(self, int64_t order_id) noexcept nogil

    @cython.locals(level=int64_t, last=int64_t)
    cdef void append(self, int64_t row, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(side=cython.int, ticks=int64_t, level=int64_t, before=int64_t, after=int64_t,
                   emptied=cython.int)
    cdef void unlink(self, int64_t row) noexcept nogil
    @cython.locals(other=cython.int)
    cdef void came(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(level=int64_t, start=int64_t)
    cdef int64_t behind(self, int side, int64_t ticks) noexcept nogil
    cdef void hit(self, int64_t slot) noexcept nogil
    @cython.locals(level=int64_t, row=int64_t, after=int64_t)
    cdef void hit_before(self, int side, int64_t ticks, int64_t stop) noexcept nogil
    @cython.locals(rank=int64_t, level=int64_t, price=int64_t, count=int64_t)
    cdef void sweep(self, int side, int64_t ticks, int64_t best) noexcept nogil
    @cython.locals(now=int64_t)
    cdef void lifted(self, int side, int64_t best) noexcept nogil
    @cython.locals(side=cython.int, level=int64_t, last=int64_t, before=int64_t, after=int64_t)
    cdef void requeue(self, int64_t row, int64_t lots) noexcept nogil

    @cython.locals(ev=int64_t, kind=int64_t, order_id=int64_t, row=int64_t, price=double,
                   ticks=int64_t, lots=int64_t)
    cdef int follow(self, Depth depth, int64_t at) noexcept nogil
    @cython.locals(place=int64_t, row=int64_t, best=int64_t)
    cpdef int add(self, int64_t order_id, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(row=int64_t, side=cython.int, best=int64_t, level=int64_t)
    cpdef int change(self, int64_t order_id, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(row=int64_t)
    cpdef int remove(self, int64_t order_id) noexcept nogil
    @cython.locals(row=int64_t)
    cpdef int fill(self, int64_t order_id, int64_t ticks) noexcept nogil
    @cython.locals(one=cython.int, row=int64_t)
    cpdef void clear(self, int side) noexcept nogil

    cpdef int rest(self, int64_t slot, int side, int64_t ticks, int64_t lots) noexcept nogil
    cpdef int withdraw(self, int64_t slot) noexcept nogil
    cpdef int amend(self, int64_t slot, int64_t lots) noexcept nogil
    @cython.locals(total=int64_t, row=int64_t)
    cpdef int64_t ahead(self, int64_t slot) noexcept nogil

    cpdef int64_t best(self, int side) noexcept nogil
    cpdef int64_t lots_at(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(level=int64_t, row=int64_t)
    cpdef list queue_at(self, int side, int64_t ticks)
    @cython.locals(i=int64_t)
    cpdef list hit_slots(self)

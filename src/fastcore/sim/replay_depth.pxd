"""A recorded book as the rows build it: a window of ticks by bitmap, the rest in a table."""
cimport cython
from libc.stdint cimport int64_t, uint32_t

from fastcore.market.book cimport OrderBook


@cython.final
cdef class Depth:
    # A level's key is its ticks for a bid and minus its ticks for an ask: a higher key is better.
    cdef const int64_t[::1] words      # the event rows, and the same memory as doubles
    cdef const double[::1] reals
    cdef readonly int64_t rows
    cdef int64_t flag                  # rows without it are not for this book
    cdef int64_t stamp                 # the word of a row's time for this book
    cdef readonly double tick_size
    cdef readonly double lot_size
    cdef readonly double least         # the smallest quantity that is a level: half a lot
    cdef double ticks_each             # about 1 / tick_size

    cdef int64_t width, words_a_side
    # A slot is key & (width - 1); asks have the second half.
    cdef double[::1] quantities        # two books' side by side: of a slot and `odd`
    cdef int64_t odd                   # 0 for the first of two books, 1 for the second
    cdef uint32_t[::1] bits            # which slots are occupied
    cdef uint32_t[::1] marks           # which slots follow() must not touch
    cdef int64_t[::1] base             # lowest key of the window, a multiple of 32
    cdef int64_t[::1] best             # best key, NO_KEY without one
    cdef int64_t[::1] low              # no search for the next best goes below
    cdef int64_t[::1] counts           # levels in the window
    cdef int64_t[::1] touch            # best key of a resting order of ours, NO_KEY without one

    cdef int64_t far_size              # places a side of the table of levels outside the window
    cdef int64_t[::1] far_keys
    cdef double[::1] far_quantities
    cdef int64_t[::1] far_used, far_live
    cdef int64_t[::1] far_marked       # whether a level outside the window is marked

    cdef int64_t stops_at_trades       # follow() leaves trades to the caller
    cdef int64_t stops_at_orders       # and rows of single orders
    cdef int64_t stopped               # why follow() returned: 0 time, 1 a row, 2 an alarm
    cdef int64_t alarms                # grows when a window moves or room becomes scarce
    cdef int64_t seen                  # WAKE_DEPTH once a level was set; callers reset it
    cdef readonly OrderBook mirror     # a live book that is kept in step, or nothing
    cdef int64_t mirrored

    cpdef object lie_beside(self, Depth other)
    cdef int64_t cell(self, int64_t slot) noexcept nogil

    # rows
    @cython.locals(at=int64_t, ev=int64_t, kind=int64_t, side=int64_t, ticks=int64_t, key=int64_t,
                   slot=int64_t, x=double, quantity=double, alarms=int64_t, change=int64_t)
    cdef int64_t follow(self, int64_t i, int64_t limit_ns) noexcept nogil
    cdef bint is_for_caller(self, int64_t kind) noexcept nogil
    cdef int64_t first_from(self, int64_t i) noexcept nogil
    cdef int64_t next_ns(self, int64_t i) noexcept nogil
    cdef bint fits(self, double price) noexcept nogil
    @cython.locals(x=double, ticks=int64_t)
    cpdef int64_t ticks_of(self, double price) noexcept nogil
    cdef int64_t lots_of(self, double quantity) noexcept nogil

    # levels
    @cython.locals(slot=int64_t, before=double)
    cdef double put(self, int64_t side, int64_t key, double quantity) noexcept nogil
    @cython.locals(one=int64_t, other=int64_t)
    cdef void store(self, int64_t side, int64_t key, int64_t slot, double quantity) noexcept nogil
    @cython.locals(one=int64_t)
    cdef void erase(self, int64_t side, int64_t key, int64_t slot) noexcept nogil
    @cython.locals(offset=int64_t)
    cpdef double quantity(self, int64_t side, int64_t key) noexcept nogil
    cdef void settle(self, int64_t side, int64_t start) noexcept nogil
    @cython.locals(floor=int64_t, block=int64_t, last=int64_t, word=int64_t, key=int64_t,
                   one=int64_t, best=int64_t, i=int64_t)
    cdef int64_t below(self, int64_t side, int64_t start) noexcept nogil
    @cython.locals(key=int64_t, last=int64_t)
    cdef void clear(self, int64_t side, double price) noexcept nogil
    @cython.locals(i=int64_t, key=int64_t)
    cdef void wipe(self, int64_t side) noexcept nogil
    @cython.locals(key=int64_t)
    cpdef list levels(self, int64_t side, int64_t count)

    # marks
    @cython.locals(one=int64_t, slot=int64_t, offset=int64_t)
    cdef void mark(self, int64_t side, int64_t key) noexcept nogil
    @cython.locals(one=int64_t, slot=int64_t, offset=int64_t)
    cdef void unmark(self, int64_t side, int64_t key) noexcept nogil
    @cython.locals(i=int64_t)
    cdef void unmark_all(self, int64_t side) noexcept nogil

    # outside the window
    @cython.locals(base=int64_t, i=int64_t, block=int64_t, word=int64_t, slot=int64_t, one=int64_t,
                   key=int64_t, at=int64_t, cell=int64_t, quantity=double)
    cdef void slide(self, int64_t side, int64_t key) noexcept nogil
    @cython.locals(at=int64_t)
    cdef int64_t far_find(self, int64_t side, int64_t key) noexcept nogil
    @cython.locals(at=int64_t)
    cdef void far_put(self, int64_t side, int64_t key, double quantity) noexcept nogil
    cdef double set_far(self, int64_t side, int64_t key, double quantity) noexcept nogil
    cdef void look_for_room(self, int64_t side) noexcept nogil
    cdef bint needs_room(self) noexcept nogil

    @cython.locals(lots=int64_t)
    cdef void copy_level(self, int64_t side, int64_t key, double quantity) noexcept nogil
    cdef void stamp_mirror(self, int64_t at) noexcept nogil

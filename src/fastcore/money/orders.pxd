"""Order table: one row of sixteen words an order."""
cimport cython
from libc.stdint cimport int64_t, uint64_t

# Words of a row. The same numbers stand in orders.py for the interpreted form.
cdef enum:
    STATE = 0           # OrderState
    SIDE = 1
    TICKS = 2
    LOTS = 3            # size as it stands at the venue
    FILLED = 4          # lots
    INSTRUMENT = 5
    CLIENT_ID = 6
    STRATEGY = 7
    TIF = 8
    CREATED_US = 9      # wall clock
    CREATED_NS = 10     # monotonic
    HELD = 11           # lots that the gate holds for it at TICKS
    WISH_TICKS = 12     # an amend on its way: 0 = none
    WISH_LOTS = 13
    WISH_HELD = 14      # extra lots that the gate holds for it at WISH_TICKS
    POST_ONLY = 15
    ROW_BITS = 4

cdef enum:  # words/order.py OrderState
    FREE = 0
    NAMED = 1
    SENT = 2
    LIVE = 3
    PARTIAL = 4
    DOUBT = 5
    FULL = 6            # FILLED; that name is taken by the word above
    CANCELED = 7
    REJECTED = 8
    EXPIRED = 9

cdef enum:  # answers of transitions
    DONE_ALREADY = 1    # legal, nothing changed
    OVERFILLED = 2      # applied, but the fills exceed the order
    ILLEGAL = -1
    NO_ORDER = -2


@cython.final
cdef class OrderTable:
    cdef readonly int64_t capacity
    cdef readonly int64_t used          # rows in use
    cdef readonly int64_t run           # 16 bits, part of every ClientId
    cdef public int64_t counter         # 32 bits, last ClientId counter given out
    cdef public int64_t request         # last request number given out
    cdef int64_t[::1] rows
    cdef int64_t[::1] free_rows         # stack
    cdef int64_t[::1] slots             # hash of ClientId -> handle, -1 empty
    cdef int64_t mask

    # names
    cpdef int set_run(self, int64_t run) noexcept nogil
    cpdef int64_t next_client_id(self, int64_t strategy) noexcept nogil
    cpdef int64_t next_request(self) noexcept nogil
    @cython.locals(handle=int64_t, at=int64_t)
    cpdef int64_t name(self, int64_t client_id, int64_t instrument, int64_t strategy, int side,
                       int64_t ticks, int64_t lots, int tif, int64_t created_us,
                       int64_t created_ns) noexcept nogil
    @cython.locals(slot=int64_t, handle=int64_t)
    cpdef int64_t find(self, int64_t client_id) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef int free(self, int64_t handle) noexcept nogil

    # transitions: 0 or positive is legal, negative changed nothing
    @cython.locals(at=int64_t, state=int64_t)
    cpdef int sent(self, int64_t handle) noexcept nogil
    @cython.locals(at=int64_t, state=int64_t)
    cpdef int acked(self, int64_t handle) noexcept nogil
    @cython.locals(at=int64_t, state=int64_t, size=int64_t)
    cpdef int filled(self, int64_t handle, int64_t lots) noexcept nogil
    @cython.locals(at=int64_t, state=int64_t)
    cpdef int amended(self, int64_t handle, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef int wish(self, int64_t handle, int64_t ticks, int64_t lots,
                   int64_t held) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef int unwish(self, int64_t handle) noexcept nogil
    @cython.locals(at=int64_t, before=int64_t)
    cpdef int done(self, int64_t handle, int64_t state) noexcept nogil
    @cython.locals(at=int64_t, state=int64_t)
    cpdef int doubt(self, int64_t handle) noexcept nogil

    # one order
    cpdef int64_t word(self, int64_t handle, int64_t index) noexcept nogil
    cpdef int64_t state(self, int64_t handle) noexcept nogil
    cpdef int64_t side(self, int64_t handle) noexcept nogil
    cpdef int64_t ticks(self, int64_t handle) noexcept nogil
    cpdef int64_t lots(self, int64_t handle) noexcept nogil
    cpdef int64_t filled_lots(self, int64_t handle) noexcept nogil
    cpdef int64_t open_lots(self, int64_t handle) noexcept nogil
    cpdef int64_t instrument(self, int64_t handle) noexcept nogil
    cpdef int64_t client_id(self, int64_t handle) noexcept nogil
    cpdef int64_t strategy(self, int64_t handle) noexcept nogil
    cpdef int64_t tif(self, int64_t handle) noexcept nogil
    cpdef int64_t created_us(self, int64_t handle) noexcept nogil
    cpdef int64_t created_ns(self, int64_t handle) noexcept nogil
    cpdef bint is_open(self, int64_t handle) noexcept nogil
    cdef void set_word(self, int64_t handle, int64_t index, int64_t value) noexcept nogil

    # all orders
    @cython.locals(handle=int64_t, at=int64_t, count=int64_t)
    cpdef int64_t open_count(self, int64_t instrument) noexcept nogil
    @cython.locals(digest=uint64_t, handle=int64_t, at=int64_t, i=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil

    # inside
    cdef int64_t _at(self, int64_t handle) noexcept nogil
    @cython.locals(slot=int64_t)
    cdef void _remember(self, int64_t handle, int64_t client_id) noexcept nogil
    @cython.locals(slot=int64_t, empty=int64_t, handle=int64_t, wanted=int64_t)
    cdef void _forget(self, int64_t client_id) noexcept nogil

    # last, so that rooms compiled earlier still find the others
    @cython.locals(handle=int64_t, at=int64_t, seen=int64_t)
    cpdef list held_handles(self)

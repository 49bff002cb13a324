"""The incremental order book: fields with their units, methods in families."""
cimport cython
from libc.stdint cimport int64_t, uint32_t


@cython.final
cdef class OrderBook:
    # A level's key is its ticks for a bid and minus its ticks for an ask: a higher key is better.
    cdef readonly int64_t instrument
    cdef public int64_t depth          # levels kept a side by truncate(); 0 keeps all
    cdef readonly int64_t width        # ticks in the window of each side, a power of two
    cdef readonly int64_t spill_max    # levels a side kept outside the window
    cdef public int64_t trust          # 0 EMPTY, 1 SUSPECT, 2 TRUSTED
    cdef public int64_t ts_us          # the venue's stamp of the last change
    cdef public int64_t recv_ns        # our monotonic stamp of the last change
    cdef int64_t words                 # bitmap words a side
    cdef int64_t none_ask              # what best_ask() says when there is none
    cdef int64_t[::1] ladder           # lots by slot (key & (width - 1)); asks in the second half
    cdef uint32_t[::1] bits            # which slots are occupied
    cdef int64_t[::1] base             # lowest key of the window, a multiple of 32
    cdef int64_t[::1] best             # best key
    cdef int64_t[::1] worst            # no window level has a lower key
    cdef int64_t[::1] counts           # levels, spill included
    cdef int64_t[::1] versions         # changes so far; differs between any two books
    cdef int64_t[::1] spill_keys       # levels worse than the window, best first
    cdef int64_t[::1] spill_lots
    cdef int64_t[::1] spilled          # how many of them
    cdef int64_t[::1] found_ticks      # result of gather()
    cdef int64_t[::1] found_lots
    cdef int64_t first_version
    cdef readonly int64_t dropped      # levels lost because the spill was full

    # changes
    @cython.locals(key=int64_t, at=int64_t, old=int64_t, top=int64_t, one=int64_t)
    cpdef int update(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(side=int64_t, at=int64_t, key=int64_t)
    cpdef void clear(self) noexcept nogil
    cpdef void truncate(self) noexcept nogil

    # reads
    cpdef int64_t best_bid(self) noexcept nogil
    cpdef int64_t best_ask(self) noexcept nogil
    cpdef int64_t best_bid_lots(self) noexcept nogil
    cpdef int64_t best_ask_lots(self) noexcept nogil
    cpdef bint has_bid(self) noexcept nogil
    cpdef bint has_ask(self) noexcept nogil
    cpdef bint crossed(self) noexcept nogil
    cpdef int64_t count(self, int side) noexcept nogil
    @cython.locals(key=int64_t, at=int64_t)
    cpdef int64_t lots_at(self, int side, int64_t ticks) noexcept nogil
    @cython.locals(key=int64_t)
    cpdef int64_t level_ticks(self, int side, int64_t i) noexcept nogil
    @cython.locals(key=int64_t)
    cpdef int64_t level_lots(self, int side, int64_t i) noexcept nogil
    @cython.locals(n=int64_t, key=int64_t, sign=int64_t, block=int64_t, low=int64_t, word=int64_t,
                   bit=int64_t, i=int64_t, spilled=int64_t, one=int64_t)
    cpdef int64_t gather(self, int side, int64_t count) noexcept nogil
    cpdef list levels(self, int side, int64_t count)
    cpdef object state_hash(self)

    # inside
    @cython.locals(block=int64_t, low=int64_t, word=int64_t, one=int64_t)
    cdef int64_t _next(self, int side, int64_t key) noexcept nogil
    @cython.locals(block=int64_t, word=int64_t)
    cdef int64_t _lowest(self, int side) noexcept nogil
    @cython.locals(key=int64_t)
    cdef int64_t _nth(self, int side, int64_t i) noexcept nogil
    @cython.locals(low=int64_t, high=int64_t, middle=int64_t)
    cdef int64_t _spill_find(self, int side, int64_t key) noexcept nogil
    cdef int64_t _lots_of(self, int side, int64_t key) noexcept nogil
    @cython.locals(one=int64_t)
    cdef void _put(self, int side, int64_t key, int64_t lots) noexcept nogil
    @cython.locals(one=int64_t)
    cdef void _clear_slot(self, int side, int64_t key) noexcept nogil
    cdef int _outside(self, int side, int64_t ticks, int64_t key, int64_t lots) noexcept nogil
    @cython.locals(at=int64_t, n=int64_t, i=int64_t, old=int64_t)
    cdef int _spill_update(self, int side, int64_t key, int64_t lots) noexcept nogil
    cdef void _after_best_gone(self, int side, int64_t key) noexcept nogil
    @cython.locals(n=int64_t, key=int64_t, gone=int64_t, kept=int64_t, i=int64_t, at=int64_t)
    cdef void _slide_up(self, int side, int64_t base) noexcept nogil
    @cython.locals(n=int64_t, at=int64_t, key=int64_t, i=int64_t, pulled=int64_t)
    cdef void _slide_down(self, int side, int64_t base) noexcept nogil
    @cython.locals(key=int64_t)
    cdef void _truncate_side(self, int side) noexcept nogil

    # many changes in one call; last, so that rooms compiled earlier still find the others
    @cython.locals(i=int64_t, moved=int64_t)
    cpdef int64_t update_all(self, int64_t[::1] words, int64_t count) noexcept nogil

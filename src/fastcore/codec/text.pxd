"""Kraken WebSocket v2 order requests as JSON text."""
cimport cython
from libc.stdint cimport int64_t, uint8_t

# The constant pieces of the requests, by their place in parts.
cdef enum:
    HEAD_ADD = 0           # then 12: side, time in force, post-only
    TERMS = 1
    HEAD_AMEND = 13        # then 2: post-only
    AMENDED = 14
    HEAD_CANCEL = 16
    HEAD_CANCEL_ALL = 17
    QTY = 18
    CLIENT = 19
    DEADLINE = 20
    REQUEST = 21
    REQUEST_LIST = 22
    REQUEST_ALL = 23
    HEAD_BATCH = 24
    ROW = 25               # then 12, as TERMS
    ROW_END = 37
    BATCH_DEADLINE = 38    # then the end without one
    TERMS_GTD = 40         # then 4: side, post-only
    GTD_PRICE = 44
    GTD = 3


@cython.final
cdef class KrakenOrderText:
    cdef readonly int64_t size             # bytes of the frame in out
    cdef readonly int64_t tick_units
    cdef readonly int64_t lot_units
    cdef readonly int64_t price_precision
    cdef readonly int64_t qty_precision
    cdef readonly int64_t rows             # orders of the open batch
    cdef public int64_t expire_us          # when the next GTD order ends, wall clock
    cdef int64_t rows_max
    cdef int64_t room                      # bytes that any request or row may need
    cdef int64_t at                        # where the batch goes on
    cdef int64_t capacity
    cdef int64_t shown                     # which constant head is in out
    cdef int64_t ticks_max
    cdef int64_t lots_max
    cdef int64_t client_max
    cdef int64_t deadline_max
    cdef int64_t second                    # whose text is in stamp
    cdef readonly uint8_t[::1] out
    cdef object buffer                     # the bytearray under out
    cdef bytes symbol
    cdef uint8_t[::1] parts                # the constant pieces, one after another
    cdef int64_t[::1] starts               # where each begins
    cdef int64_t[::1] powers               # 10**i
    cdef int64_t[::1] powers36             # 36**i
    cdef uint8_t[::1] tens                 # "00" to "99"
    cdef uint8_t[::1] pairs36              # "00" to "zz"
    cdef uint8_t[::1] stamp                # "2026-01-01T00:00:00.", padded

    # Sizes in bytes; -1 for what cannot be written (a value out of range).
    @cython.locals(at=int64_t)
    cpdef int64_t add_order(self, int side, int64_t ticks, int64_t lots, int tif, bint post_only,
                            int64_t client_id, int64_t deadline_us, int64_t req_id) noexcept nogil
    @cython.locals(at=int64_t)
    cdef int64_t _add_until(self, int side, int64_t ticks, int64_t lots, bint post_only,
                            int64_t client_id, int64_t deadline_us, int64_t req_id) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef int64_t amend_order(self, int64_t client_id, int64_t ticks, int64_t lots,
                              bint post_only, int64_t deadline_us, int64_t req_id) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef int64_t cancel_order(self, int64_t client_id, int64_t req_id) noexcept nogil
    cpdef int64_t cancel_all(self, int64_t req_id) noexcept nogil
    cpdef void batch_open(self) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef int64_t batch_add(self, int side, int64_t ticks, int64_t lots, int tif, bint post_only,
                            int64_t client_id) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef int64_t batch_close(self, int64_t deadline_us, int64_t req_id) noexcept nogil
    cpdef object frame(self)

    cdef bint _fits(self, int64_t client_id, int64_t ticks, int64_t lots, int64_t deadline_us,
                    int64_t req_id) noexcept nogil
    cdef int64_t _head(self, int64_t part) noexcept nogil
    @cython.locals(n=int64_t, start=int64_t)
    cdef int64_t _part(self, int64_t at, int64_t part) noexcept nogil
    @cython.locals(n=int64_t, two=int64_t, p=int64_t)
    cdef int64_t _digits(self, int64_t at, int64_t value, int64_t least) noexcept nogil
    @cython.locals(stop=int64_t)
    cdef int64_t _fixed(self, int64_t at, int64_t units, int64_t precision) noexcept nogil
    @cython.locals(n=int64_t, two=int64_t, p=int64_t)
    cdef int64_t _client(self, int64_t at, int64_t client_id) noexcept nogil
    cdef int64_t _terms(self, int64_t at, int64_t ticks, int64_t lots, int64_t client_id,
                        int64_t deadline_us, int64_t req_id) noexcept nogil
    @cython.locals(second=int64_t)
    cdef int64_t _deadline(self, int64_t at, int64_t deadline_us) noexcept nogil
    cdef int64_t _seconds(self, int64_t at, int64_t second) noexcept nogil
    @cython.locals(days=int64_t, era=int64_t, of_era=int64_t, year=int64_t, of_year=int64_t,
                   month=int64_t)
    cdef void _date(self, int64_t second) noexcept nogil
    cdef void _two(self, int64_t at, int64_t value) noexcept nogil
    cdef int64_t _end(self, int64_t at, int64_t part, int64_t req_id) noexcept nogil

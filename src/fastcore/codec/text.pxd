"""Kraken WebSocket v2 order requests as JSON text."""
cimport cython
from libc.stdint cimport int64_t, uint8_t


@cython.final
cdef class KrakenOrderText:
    cdef readonly int64_t size             # bytes of the frame in out
    cdef readonly int64_t tick_units
    cdef readonly int64_t lot_units
    cdef readonly int64_t price_precision
    cdef readonly int64_t qty_precision
    cdef int64_t capacity
    cdef int64_t shown                     # which constant head is in out
    cdef int64_t ticks_max
    cdef int64_t lots_max
    cdef int64_t second                    # whose text is in stamp
    cdef readonly uint8_t[::1] out
    cdef object buffer                     # the bytearray under out
    cdef bytes symbol
    cdef bytes token
    cdef uint8_t[::1] parts                # the constant pieces, one after another
    cdef int64_t[::1] starts               # where each begins
    cdef int64_t[::1] powers
    cdef uint8_t[::1] tens                 # "00" to "99"
    cdef uint8_t[::1] pairs36              # two base-36 digits, by their number
    cdef uint8_t[::1] stamp                # "2026-01-01T00:00:00"

    cpdef void set_token(self, bytes token)
    # Sizes in bytes; -1 for what cannot be written (a value out of range).
    cpdef int64_t add_order(self, int side, int64_t ticks, int64_t lots, int tif, bint post_only,
                            int64_t client_id, int64_t deadline_us, int64_t req_id) noexcept nogil
    cpdef int64_t amend_order(self, int64_t client_id, int64_t ticks, int64_t lots,
                              bint post_only, int64_t deadline_us, int64_t req_id) noexcept nogil
    cpdef int64_t cancel_order(self, int64_t client_id, int64_t req_id) noexcept nogil
    cpdef int64_t cancel_all(self, int64_t req_id) noexcept nogil
    cpdef object frame(self)

    cdef int64_t _head(self, int64_t part) noexcept nogil
    @cython.locals(i=int64_t, stop=int64_t)
    cdef int64_t _part(self, int64_t at, int64_t part) noexcept nogil
    @cython.locals(n=int64_t, two=int64_t, p=int64_t)
    cdef int64_t _digits(self, int64_t at, int64_t value, int64_t least) noexcept nogil
    @cython.locals(stop=int64_t, p=int64_t)
    cdef int64_t _fixed(self, int64_t at, int64_t units, int64_t precision) noexcept nogil
    @cython.locals(n=int64_t, two=int64_t, p=int64_t, rest=int64_t)
    cdef int64_t _client(self, int64_t at, int64_t client_id) noexcept nogil
    @cython.locals(second=int64_t, i=int64_t)
    cdef int64_t _deadline(self, int64_t at, int64_t deadline_us) noexcept nogil
    @cython.locals(days=int64_t, era=int64_t, of_era=int64_t, year=int64_t, of_year=int64_t,
                   month=int64_t, day=int64_t)
    cdef void _date(self, int64_t second) noexcept nogil
    cdef int64_t _end(self, int64_t at, int64_t req_id) noexcept nogil

"""The account of a replay over time: rows in three arrays, time, lots and money."""
cimport cython
from libc.stdint cimport int64_t

cdef enum:
    MONEY = 4                          # doubles of an asset in a row: mid, balance, fee, value


@cython.final
cdef class AccountRows:
    cdef readonly int64_t assets
    cdef readonly int64_t rows_max
    cdef public int64_t interval_ns
    cdef readonly int64_t due_ns       # when add() wants to be called next
    cdef int64_t row_due_ns            # when the next row is one that stays
    cdef int64_t watch_ns              # when somebody wants to be told of a moment
    cdef int64_t last_ns
    cdef int64_t count                 # rows
    cdef int64_t room                  # rows that the arrays have place for
    cdef bint passing                  # the last row stays only until the next one
    cdef int64_t[::1] times
    cdef int64_t[::1] lots             # one an asset
    cdef double[::1] money             # MONEY an asset

    @cython.locals(row=int64_t, i=int64_t, at=int64_t, due=cython.bint)
    cpdef bint add(self, int64_t now_ns, list rows) except -1
    cpdef void watch(self, int64_t at_ns) noexcept
    cpdef object moments(self)
    cpdef object column(self, int64_t asset, int name)

    # inside
    cdef void keep(self, int64_t at_ns) noexcept
    @cython.locals(row=int64_t, kept=int64_t, before=int64_t, interval=int64_t)
    cdef void thin(self) noexcept
    @cython.locals(i=int64_t)
    cdef void move(self, int64_t row, int64_t to) noexcept
    @cython.locals(fresh=int64_t)
    cdef int grow(self) except -1

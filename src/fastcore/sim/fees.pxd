"""Fees and contracts of the replay; money in doubles, rates as fractions."""
cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class FeeModel:
    cdef readonly int kind
    cdef readonly double maker, taker
    cdef readonly int64_t exponent

    @cython.locals(rate=double, spread=double, share=double, i=int64_t)
    cpdef double fee(self, double price, double quantity, double value, int maker) noexcept nogil


@cython.locals(steps=int64_t)
cdef double cut(double money) noexcept nogil
cpdef double traded_value(int contract, double size, double price,
                          double quantity) noexcept nogil
@cython.locals(worth=double)
cpdef double equity(int contract, double size, double position, double balance, double fees,
                    double price) noexcept nogil

"""Fair values: float ticks, probabilities, volatility per square-root second."""
cimport cython
from libc.stdint cimport int64_t

from fastcore.market.book cimport OrderBook

cpdef int64_t mid2(int64_t bid, int64_t ask) noexcept nogil
@cython.locals(x=double, power=double, square=double, term=double)
cpdef double natural_log(double ratio) noexcept nogil
@cython.locals(term=double, total=double, power=int64_t, i=int64_t)
cpdef double natural_exp(double x) noexcept nogil
cpdef double normal_density(double x) noexcept nogil
@cython.locals(term=double, total=double, i=double)
cpdef double normal_series(double x) noexcept nogil
cpdef double normal_cdf(double x) noexcept nogil
@cython.locals(root=double)
cpdef double digital_reference(double spot, double strike, double tau_s,
                               double sigma) noexcept nogil


@cython.final
cdef class NormalTable:
    cdef double[::1] value             # N(i / 64) for i = 0..512
    cdef double[::1] slope             # its derivative over one step

    @cython.locals(i=int64_t, t=double, low=double, high=double, rise=double, down=bint)
    cdef double cdf(self, double x) noexcept nogil


cdef NormalTable TABLE


@cython.final
cdef class FairPrice:
    cdef readonly int64_t depth

    @cython.locals(bid=int64_t, ask=int64_t)
    cpdef double mid(self, OrderBook book) noexcept nogil
    @cython.locals(bid=double, ask=double, bid_lots=double, ask_lots=double)
    cpdef double microprice(self, OrderBook book) noexcept nogil
    @cython.locals(i=int64_t, count=int64_t, lots=double, bid=double, ask=double,
                   bid_weight=double, weight=double)
    cpdef double depth_weighted(self, OrderBook book, int64_t n=*) noexcept nogil


@cython.final
cdef class EwmaVolatility:
    cdef readonly int64_t half_life_us
    cdef double last_price
    cdef int64_t last_us
    cdef double variance               # sum of weighted squared log returns
    cdef double seconds                # sum of equally weighted time
    cdef readonly int64_t samples

    @cython.locals(elapsed=double, change=double, keep=double)
    cpdef int update(self, double price, int64_t ts_us) noexcept nogil
    cpdef double per_sqrt_s(self) noexcept nogil


@cython.final
cdef class DigitalFair:
    cdef readonly double strike
    cdef readonly double tau_s
    cdef readonly double sigma
    cdef double inverse                # 1 / strike
    cdef double scale                  # 1 / (sigma * sqrt(tau))
    cdef double drift                  # half of sigma * sqrt(tau)
    cdef NormalTable table

    @cython.locals(root=double)
    cpdef int set(self, double strike, double tau_s, double sigma) noexcept nogil
    cpdef double price(self, double spot) noexcept nogil

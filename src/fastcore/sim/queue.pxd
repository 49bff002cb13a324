"""Queue models: where our resting order stands; doubles in base units."""
cimport cython
from libc.stdint cimport int64_t

@cython.locals(whole=int64_t)
cpdef int64_t rounded(double x) noexcept nogil
cpdef double smaller(double a, double b) noexcept nogil
@cython.locals(huge=double, endless=double)
cpdef double divided(double a, double b) noexcept nogil
@cython.locals(huge=double, endless=double)
cpdef double log_of_one_more(double x) noexcept nogil
@cython.locals(count=int64_t, result=double, huge=double)
cpdef double raised(double x, double power) noexcept nogil
@cython.locals(behind=double)
cpdef double share_behind(int kind, double power, double front, double back) noexcept nogil
cpdef double after_trade(double front, double quantity) noexcept nogil
@cython.locals(canceled=double, back=double, behind=double, over=double)
cpdef double after_depth(int kind, double power, double front, double traded, double before,
                         double after) noexcept nogil
cpdef int64_t lots_reached(double front, double lot_size) noexcept nogil
cpdef double fill_probability(double front, double quantity, double expected) noexcept nogil

"""A line of order records on their way, first in, first out."""
cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Bus:
    cdef int64_t[::1] words            # rows of ORDER_WORDS
    cdef int64_t mask                  # rows there is room for, less one
    cdef int64_t first                 # row of the oldest record
    cdef readonly int64_t count        # records on their way
    cdef readonly int64_t head_ns      # when the oldest arrives; NEVER if there is none
    cdef int64_t last_ns               # when the youngest arrives

    @cython.locals(at=int64_t)
    cdef int64_t append(self, int64_t arrive_ns) noexcept nogil
    cdef int64_t oldest(self) noexcept nogil
    cdef void drop_oldest(self) noexcept nogil
    cdef int64_t room(self) noexcept nogil

cimport cython
from libc.stdint cimport int64_t, uint64_t

# Not visible from Python once compiled; assigned in histogram.py.
cdef int64_t HEADER_WORDS, EMPTY_LEAST, FNV_PRIME


@cython.final
cdef class Histogram:
    # geometry
    cdef readonly int64_t highest             # values above are recorded as this and counted
    cdef readonly int64_t lowest              # smallest value told apart from 0
    cdef readonly int significant_figures
    cdef readonly int64_t buckets             # length of the counts
    cdef int64_t mask                         # bits of a value inside the first bucket
    cdef int unit_bits                        # log2 of the resolution at the low end
    cdef int half_bits                        # log2 of half the sub-buckets of one bucket
    # storage: words[row ...] is count, least, most, clamped, then the buckets
    cdef object storage
    cdef int64_t[::1] words
    cdef int64_t row

    # place
    cpdef int64_t words_needed(self) noexcept nogil
    cpdef adopt(self, object storage, int64_t row)

    # record
    cpdef void record(self, int64_t value) noexcept nogil
    cpdef void record_row(self, int64_t row, int64_t value) noexcept nogil
    @cython.locals(index=int64_t, last=int64_t)
    cpdef void record_count(self, int64_t value, int64_t times) noexcept nogil
    @cython.locals(missing=int64_t, least=int64_t, times=int64_t)
    cpdef void record_corrected(self, int64_t value, int64_t expected_interval) noexcept nogil
    @cython.locals(i=int64_t)
    cpdef void record_all(self, int64_t[::1] values) noexcept nogil

    # buckets
    @cython.locals(shift=int)
    cpdef int64_t index_of(self, int64_t value) noexcept nogil
    @cython.locals(shift=int)
    cpdef int64_t least_at(self, int64_t index) noexcept nogil
    @cython.locals(shift=int)
    cpdef int64_t most_at(self, int64_t index) noexcept nogil
    cpdef double middle_at(self, int64_t index) noexcept nogil
    cpdef int64_t count_at(self, int64_t index) noexcept nogil
    cpdef int add_at(self, int64_t index, int64_t times) noexcept nogil

    # read
    cpdef int64_t total(self) noexcept nogil
    @cython.locals(need=int64_t, seen=int64_t, i=int64_t, value=int64_t,
                   target=double, whole=double)
    cpdef int64_t value_at_percentile(self, double percentile) noexcept nogil
    @cython.locals(i=int64_t, end=int64_t, total=double, centre=double)
    cpdef double mean(self) noexcept nogil
    @cython.locals(i=int64_t, end=int64_t, total=double, centre=double, gap=double)
    cpdef double stddev(self) noexcept nogil
    @cython.locals(digest=uint64_t, mask=uint64_t, i=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil
    @cython.locals(i=int64_t, merged=int64_t)
    cpdef int64_t merge(self, Histogram other) except? -1
    @cython.locals(i=int64_t)
    cpdef void reset(self) noexcept nogil

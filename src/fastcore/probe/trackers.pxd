from libc.stdint cimport int64_t, uint64_t
from fastcore.probe.histogram cimport Histogram
cimport cython


@cython.final
cdef class Trackers:
    cdef readonly int64_t dropped      # samples for an index that does not exist
    cdef readonly int64_t size         # trackers in use
    cdef int64_t capacity              # trackers that the storage has room for
    cdef int64_t stride                # words of one tracker in the storage
    cdef Histogram bank                # records into any row of the storage
    cdef object storage
    cdef dict indexes                  # name -> index, in index order
    cdef list histograms               # index -> Histogram on its row

    # record
    cpdef void record(self, int64_t index, int64_t ns) noexcept nogil
    cpdef void record_since(self, int64_t index, int64_t start_ns) noexcept nogil
    cpdef int64_t record_named(self, str name, int64_t ns) except? -1

    # names
    @cython.locals(index=int64_t)
    cpdef int64_t add(self, str name) except? -1
    cpdef Histogram get(self, str name)
    @cython.locals(index=int64_t, fresh=Histogram)
    cpdef resize(self, int64_t capacity)

    # read
    cpdef reset(self)

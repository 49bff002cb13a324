"""Append-only journal on a preallocated mapping."""
cimport cython
from libc.stdint cimport int64_t

# Bytes of a record: length u32, crc32 u32, sequence u64, kind u32, length u32, payload, padding.
cdef enum:
    HEAD_BYTES = 24
    ROW_BYTES = 64


@cython.final
cdef class Journal:
    cdef readonly object path
    cdef readonly bytes header
    cdef readonly int64_t capacity      # bytes of the file
    cdef readonly int64_t start         # offset of the first record
    cdef readonly int64_t size          # bytes in use, the file's own header included
    cdef readonly int64_t sequence      # of the last record, 0 = none
    cdef readonly int64_t refused       # appends that did not fit
    cdef object mapping
    cdef unsigned char[::1] view
    cdef unsigned char *memory

    cpdef int64_t append(self, int64_t kind, object payload) except? -2
    cpdef int64_t append_words(self, int64_t kind, int64_t w0, int64_t w1, int64_t w2,
                               int64_t w3, int64_t w4, int64_t w5, int64_t w6,
                               int64_t w7) noexcept nogil

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


@cython.final
cdef class Rows:
    cdef readonly int64_t start         # offset of the first record
    cdef readonly int64_t end           # offset behind the last whole record
    cdef readonly int64_t sequence      # of the last whole record, 0 = none
    cdef readonly int64_t at            # offset of the last whole record
    cdef readonly int64_t length        # its bytes, without padding
    cdef readonly int64_t size          # bytes of the content
    cdef object content
    cdef const unsigned char[::1] view
    cdef const unsigned char *memory

    @cython.locals(length=int64_t)
    cpdef bint step(self) noexcept nogil
    cdef void _rest(self) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef tuple words(self)


@cython.locals(rows=Rows)
cpdef tuple scan(object content, int64_t start)

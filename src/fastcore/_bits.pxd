from libc.stdint cimport int64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define fastcore_bit_length(v) (64 - __builtin_clzll((unsigned long long)(v) | 1ULL))
    """
    # Bits needed for v; 1 for 0, so that callers may index with bit_length(v) - 1.
    int bit_length "fastcore_bit_length" (int64_t v)

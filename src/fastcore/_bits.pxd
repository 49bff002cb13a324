from libc.stdint cimport int64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define fastcore_bit_length(v) (64 - __builtin_clzll((unsigned long long)(v) | 1ULL))
    #define fastcore_prefetch(p, bytes) __builtin_prefetch((const char *)(p) + (bytes))
    """
    # Bits needed for v; 1 for 0, so that callers may index with bit_length(v) - 1.
    int bit_length "fastcore_bit_length" (int64_t v)
    # Asks for the memory that many bytes after p, soon needed; it may be past an end.
    void prefetch "fastcore_prefetch" (const void *p, int64_t bytes)

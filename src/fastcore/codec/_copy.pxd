from libc.stdint cimport int64_t, uint8_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    /* Copies n bytes in blocks of 32: up to 31 bytes more are read and written. A plain loop would
       read its pointers again after each byte, since bytes may alias them. */
    static inline void fastcore_copy_blocks(uint8_t *to, const uint8_t *from, int64_t n) {
      for (int64_t i = 0; i < n; i += 32) memcpy(to + i, from + i, 32);
    }
    static inline void fastcore_copy_two(uint8_t *to, const uint8_t *from) {
      memcpy(to, from, 2);
    }
    """
    void copy_blocks "fastcore_copy_blocks" (uint8_t *to, const uint8_t *start, int64_t n)
    void copy_two "fastcore_copy_two" (uint8_t *to, const uint8_t *start)

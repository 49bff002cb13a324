from libc.stdint cimport int64_t, uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define FASTCORE_AMOUNT_MAX (INT64_C(1) << 61)

    /* a * b for a, b >= 0; INT64_MAX if it does not fit. */
    static inline int64_t fastcore_product(int64_t a, int64_t b) {
        int64_t product;
        return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
    }

    /* a * b / c for a, b >= 0 and c > 0, rounded down; INT64_MAX if it does not fit. */
    static inline int64_t fastcore_muldiv(int64_t a, int64_t b, int64_t c) {
        unsigned __int128 product = (unsigned __int128)(uint64_t)a * (uint64_t)b;
        if ((uint64_t)(product >> 64) == 0) {
            uint64_t small = (uint64_t)product / (uint64_t)c;
            return small > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)small;
        }
        product /= (uint64_t)c;
        return product > (unsigned __int128)INT64_MAX ? INT64_MAX : (int64_t)product;
    }

    /* The same, rounded up. */
    static inline int64_t fastcore_muldiv_up(int64_t a, int64_t b, int64_t c) {
        if (c == 1) return fastcore_product(a, b);
        unsigned __int128 product = (unsigned __int128)(uint64_t)a * (uint64_t)b
                                    + (uint64_t)(c - 1);
        if ((uint64_t)(product >> 64) == 0) {
            uint64_t small = (uint64_t)product / (uint64_t)c;
            return small > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)small;
        }
        product /= (uint64_t)c;
        return product > (unsigned __int128)INT64_MAX ? INT64_MAX : (int64_t)product;
    }

    static inline uint64_t fastcore_mix(uint64_t digest, int64_t word) {
        digest = (digest ^ (uint64_t)word) * UINT64_C(0x9E3779B97F4A7C15);
        return digest ^ (digest >> 29);
    }
    """
    # Same meaning as fastcore.money.wide, for the compiled rooms.
    int64_t AMOUNT_MAX "FASTCORE_AMOUNT_MAX"
    int64_t product "fastcore_product" (int64_t a, int64_t b)
    int64_t muldiv "fastcore_muldiv" (int64_t a, int64_t b, int64_t c)
    int64_t muldiv_up "fastcore_muldiv_up" (int64_t a, int64_t b, int64_t c)
    uint64_t mix "fastcore_mix" (uint64_t digest, int64_t word)

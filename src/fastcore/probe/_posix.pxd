from libc.stdint cimport int64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <time.h>
    static inline int64_t fastcore_clock_ns(clockid_t which) {
        struct timespec now;
        clock_gettime(which, &now);
        return (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec;
    }
    #define fastcore_wall_ns() fastcore_clock_ns(CLOCK_REALTIME)
    #define fastcore_monotonic_ns() fastcore_clock_ns(CLOCK_MONOTONIC)
    """
    # The same two clocks as time.time_ns and time.monotonic_ns.
    int64_t time_ns "fastcore_wall_ns" ()
    int64_t monotonic_ns "fastcore_monotonic_ns" ()

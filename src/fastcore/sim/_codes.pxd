# The numbers of codes.py, for compiled code.
cdef enum:
    GTC = 0
    IOC = 1
    FOK = 2
    GTD = 3
    RESTING = 1
    FILLED = 2
    CANCELED = 3
    REASON_NONE = 0
    REASON_USER = 1
    REASON_IOC = 2
    REASON_FOK = 3
    REASON_SELF_TRADE = 4
    REASON_EXPIRED = 5
    REASON_FULL = 6
    INVALID = -1
    WOULD_TAKE = -2
    FULL = -3
    UNKNOWN = -4
    CANCEL_NEWEST = 0
    CANCEL_OLDEST = 1
    CANCEL_BOTH = 2
    FILL_WORDS = 8
    CHANGE_WORDS = 3
    CANCEL_WORDS = 4
    SLICES_MAX = 15

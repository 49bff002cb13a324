# The numbers of replay_codes.py, for compiled code.
from libc.stdint cimport int64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #define REPLAY_AT_EXCHANGE (2147483648LL)
    #define REPLAY_NO_KEY (-4611686018427387904LL)
    #define REPLAY_NO_BID (INT64_MIN)
    #define REPLAY_NO_ASK (9223372036854775807LL)
    #define REPLAY_NEVER (9223372036854775807LL)
    """
    const int64_t AT_EXCHANGE "REPLAY_AT_EXCHANGE"
    const int64_t NO_KEY "REPLAY_NO_KEY"
    const int64_t NO_BID "REPLAY_NO_BID"
    const int64_t NO_ASK "REPLAY_NO_ASK"
    const int64_t NEVER "REPLAY_NEVER"

cdef enum:
    ROW_WORDS = 8
    EV = 0
    EXCH_NS = 1
    LOCAL_NS = 2
    PRICE = 3
    QUANTITY = 4
    EVENT_ORDER = 5
    EVENT_INT = 6
    EVENT_REAL = 7
    DEPTH_ROW = 1
    TRADE_ROW = 2
    CLEAR_ROW = 3
    SNAPSHOT_ROW = 4
    ADD_ROW = 10
    CANCEL_ROW = 11
    MODIFY_ROW = 12
    FILL_ROW = 13
    AT_LOCAL = 1073741824
    BUYER = 536870912
    SELLER = 268435456
    ORDER_WORDS = 16
    AT_NS = 0
    ROW = 1
    ORDER_ID = 2
    REQUEST = 3
    STATUS = 4
    SIDE = 5
    TICKS = 6
    LOTS = 7
    LEAVES = 8
    TIF = 9
    ORDER_TYPE = 10
    EXEC_TICKS = 11
    EXEC_LOTS = 12
    MAKER = 13
    STAMP_NS = 14
    SENT_NS = 15
    NOTHING = 0
    NEW = 1
    CANCEL = 4
    REFUSED = 6
    MODIFY = 7
    UNSENT = 0
    RESTING = 1
    EXPIRED = 2
    FILLED = 3
    CANCELED = 4
    PARTLY = 5
    REJECTED = 6
    GTC = 0
    GTX = 1
    FOK = 2
    IOC = 3
    LIMIT = 0
    MARKET = 1
    TAKEN_LEVELS = 256
    SPENT_LEVELS = 1024
    NO_PARTIAL_FILL = 0
    PARTIAL_FILL = 1
    L3_FIFO = 2
    OK = 0
    ID_EXISTS = 10
    REQUEST_PENDING = 11
    ORDER_UNKNOWN = 12
    INVALID = 13
    INVALID_STATUS = 14
    FULL = 16
    WAKE_TOP = 1
    WAKE_DEPTH = 2
    WAKE_TRADE = 4
    WAKE_RESPONSE = 8
    WAKE_FEED = 16
    END = 1073741824
    REACHED = 0
    ANSWERED = 1
    NEEDS_ROOM = 2
    BAD_ROW = 3
    COLLECT_RESPONSES = 1
    COLLECT_FILLS = 2
    COLLECT_TRADES = 4
    RESPONSE_WORDS = 10
    FILL_WORDS = 7
    TRADE_WORDS = 5

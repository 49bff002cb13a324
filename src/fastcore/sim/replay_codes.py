"""Numbers of the replay: hftbacktest's own where it has them.

``_replay_codes.pxd`` repeats them for compiled code; a unit test keeps both equal.
"""

# Event rows: words of a row of 64 bytes, kinds (the low byte of ``ev``) and flags.
ROW_WORDS = 8
EV, EXCH_NS, LOCAL_NS, PRICE, QUANTITY, EVENT_ORDER, EVENT_INT, EVENT_REAL = range(8)
DEPTH_ROW, TRADE_ROW, CLEAR_ROW, SNAPSHOT_ROW = 1, 2, 3, 4
ADD_ROW, CANCEL_ROW, MODIFY_ROW, FILL_ROW = 10, 11, 12, 13
AT_EXCHANGE, AT_LOCAL, BUYER, SELLER = 1 << 31, 1 << 30, 1 << 29, 1 << 28

# A book's side without a level, and a stream without an event.
NO_KEY = -(1 << 62)
NO_BID, NO_ASK = -(1 << 63), (1 << 63) - 1
NEVER = (1 << 63) - 1

# Order records: words of a row.
ORDER_WORDS = 16
(AT_NS, ROW, ORDER_ID, REQUEST, STATUS, SIDE, TICKS, LOTS, LEAVES, TIF, ORDER_TYPE, EXEC_TICKS,
 EXEC_LOTS, MAKER, STAMP_NS, SENT_NS) = range(16)

# What an order waits for, and what a response answers: 0 is news that nobody asked for.
NOTHING, NEW, CANCEL, REFUSED, MODIFY = 0, 1, 4, 6, 7
# Where an order stands.
UNSENT, RESTING, EXPIRED, FILLED, CANCELED, PARTLY, REJECTED = 0, 1, 2, 3, 4, 5, 6
GTC, GTX, FOK, IOC = 0, 1, 2, 3
LIMIT, MARKET = 0, 1
# A taker trades with this many levels at most.
TAKEN_LEVELS = 256
# What we took is remembered for this many levels a side; beyond, nothing more is there to take.
SPENT_LEVELS = 1024
# Exchange models.
NO_PARTIAL_FILL, PARTIAL_FILL, L3_FIFO = 0, 1, 2

# What ``submit``, ``cancel`` and ``modify`` answer.
OK, ID_EXISTS, REQUEST_PENDING, ORDER_UNKNOWN, INVALID, INVALID_STATUS = 0, 10, 11, 12, 13, 14
FULL = 16
MEANING = {
    OK: "sent",
    ID_EXISTS: "an order of this id is there; drop_inactive forgets those that ended",
    REQUEST_PENDING: "an earlier request of this order is not answered yet",
    ORDER_UNKNOWN: "there is no order of this id",
    INVALID: "side, price, lots, time in force or type cannot be",
    INVALID_STATUS: "the order has ended",
    FULL: "the order table is full: drop_inactive, or add() with more orders=",
}

# Why ``step`` returned.
WAKE_TOP, WAKE_DEPTH, WAKE_TRADE, WAKE_RESPONSE, WAKE_FEED, END = 1, 2, 4, 8, 16, 1 << 30
# Why a side stopped before its time: it answered an order; a table must grow; a bad row.
REACHED, ANSWERED, NEEDS_ROOM, BAD_ROW = 0, 1, 2, 3

# What ``responses``, ``fills`` and ``trades`` collect.
COLLECT_RESPONSES, COLLECT_FILLS, COLLECT_TRADES = 1, 2, 4
RESPONSE_WORDS, FILL_WORDS, TRADE_WORDS = 10, 7, 5

"""What the matchers say: order outcomes, reasons, refusals, and how their event rows are laid out.

``_codes.pxd`` repeats the numbers for compiled code; a unit test keeps both equal.
"""

# Lifetimes, as in hftbot.words.order.Tif.
GTC = 0
IOC = 1
FOK = 2
GTD = 3

# What became of an order after ``place`` or ``amend``.
RESTING = 1
FILLED = 2
CANCELED = 3

# Why an order was canceled.
REASON_NONE = 0
REASON_USER = 1
REASON_IOC = 2
REASON_FOK = 3
REASON_SELF_TRADE = 4
REASON_EXPIRED = 5
REASON_FULL = 6

# Refusals: nothing changed.
INVALID = -1
WOULD_TAKE = -2
FULL = -3
UNKNOWN = -4

# Self-trade prevention.
CANCEL_NEWEST = 0
CANCEL_OLDEST = 1
CANCEL_BOTH = 2

# A fill row: maker id, maker owner, taker id, taker owner, taker side, ticks, lots, maker lots
# left.
FILL_WORDS = 8
# A level change: side, ticks, lots now (0: the level is gone).
CHANGE_WORDS = 3
# A resting order taken out by the engine: id, owner, reason, lots left.
CANCEL_WORDS = 4
# An order that shows a part of its lots at a time has at most this many parts.
SLICES_MAX = 15

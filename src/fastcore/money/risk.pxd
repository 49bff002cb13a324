"""The guard: account-wide limits, and one gate an instrument."""
cimport cython
from libc.stdint cimport int64_t, uint64_t
from fastcore.market.book cimport OrderBook
from fastcore.money.exposure cimport Exposure
from fastcore.money.position cimport Position
from fastcore.money.throttle cimport MinuteWindow

# hftbot/words/verdict.py; a test holds the two equal.
cdef enum:
    DENY_INVALID = 1 << 0
    DENY_HALTED = 1 << 1
    DENY_REDUCING = 1 << 2
    DENY_MODE = 1 << 3
    DENY_UNTRUSTED_BOOK = 1 << 4
    DENY_STALE_BOOK = 1 << 5
    DENY_STALE_REF = 1 << 6
    DENY_PRICE_COLLAR = 1 << 7
    DENY_PRICE_DRIFT = 1 << 8
    DENY_ORDER_VALUE = 1 << 9
    DENY_ORDER_LOTS = 1 << 10
    DENY_POSITION = 1 << 11
    DENY_GROSS = 1 << 12
    DENY_OPEN_ORDERS = 1 << 13
    DENY_MESSAGE_RATE = 1 << 14
    DENY_REPEATED_FILLS = 1 << 15
    DENY_DAILY_LOSS = 1 << 16
    DENY_DUPLICATE = 1 << 17
    DENY_SELF_TRADE = 1 << 18
    DENY_EXPIRED_INTENT = 1 << 19
    DENY_BELOW_MINIMUM = 1 << 20
    DENY_TABLE_FULL = 1 << 21
    DENY_NOT_READY = 1 << 22
    DENY_JOURNAL = 1 << 23
    DENY_NO_FUNDS = 1 << 24
    DENY_BREAKER = 1 << 25
    DENY_VENUE_RATE = 1 << 26

cdef enum:
    ACTIVE = 0
    REDUCING = 1
    HALTED = 2
    POST_ONLY_MODE = 1      # VenueMode
    CANCEL_ONLY_MODE = 2
    TRUSTED = 2             # BookTrust
    GTC = 0                 # Tif
    GTD = 3
    STRATEGIES = 32
    RECENT = 16             # orders that the duplicate rule remembers
    DRIFT_SLOTS = 8


@cython.final
cdef class AccountRisk:
    # set by the engine
    cdef public int64_t state               # ACTIVE, REDUCING, HALTED
    cdef public int64_t mode                # VenueMode
    cdef public int64_t ready               # 1 when the venue link is reconciled
    cdef public int64_t loss_e10            # the day's loss so far, 1e-10 quote units
    # limits
    cdef public int64_t loss_e10_max        # 0 = off
    cdef public int64_t gross_e10_max       # worst-case gross over all gates
    cdef public int64_t open_orders_max
    cdef public int64_t fills_in_row_max    # 0 = off
    cdef readonly MinuteWindow messages     # orders, amends and cancels of any minute
    # counters
    cdef readonly int64_t gross_e10
    cdef readonly int64_t open_orders
    cdef int64_t[::1] disabled              # by strategy, 1 until enable()

    cpdef bint is_disabled(self, int64_t strategy) noexcept nogil
    cpdef void disable(self, int64_t strategy) noexcept nogil
    cpdef void enable(self, int64_t strategy) noexcept nogil
    @cython.locals(digest=uint64_t, i=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil


@cython.final
cdef class RiskGate:
    cdef readonly int64_t instrument
    cdef readonly AccountRisk account
    cdef readonly Position position
    cdef readonly Exposure exposure
    # limits of one order
    cdef public int64_t order_value_max         # tick-lots
    cdef public int64_t order_lots_max
    cdef public int64_t lots_min
    cdef public int64_t value_min               # tick-lots
    cdef public int64_t tick_min
    cdef public int64_t tick_max
    cdef public int64_t collar_bps              # 0..10000 beyond the touch
    cdef public int64_t same_order_window_ns    # 0 = off
    # limits of the market
    cdef public int64_t drift_bps_max           # 0..10000, 0 = off
    cdef public int64_t drift_window_ns
    cdef public int64_t book_silence_ns_max     # 0 = off
    cdef public int64_t ref_age_ns_max          # 0 = no reference price is needed
    # limits of the position
    cdef public int64_t position_lots_max       # position and open orders, worst case
    # one tick-lot is value_numerator / value_denominator of 1e-10 quote units
    cdef readonly int64_t value_numerator
    cdef readonly int64_t value_denominator
    # set by the engine
    cdef public int64_t link_seen_ns            # last frame on the market link, monotonic
    cdef public int64_t ref_ticks               # reference price, 0 = none
    cdef public int64_t ref_seen_ns
    cdef public int64_t funds_value             # quote balance in tick-lots, -1 = not known
    cdef public int64_t funds_lots              # base balance in lots, -1 = not known
    # counters
    cdef readonly int64_t gross_e10             # this instrument's share of the account's gross
    cdef readonly int64_t denied                # checks that said no
    cdef int64_t[::1] denials                   # by bit
    cdef int64_t[::1] fills_in_row              # by strategy
    # orders of a moment ago: side, ticks, lots, time
    cdef int64_t[::1] recent
    cdef int64_t recent_at
    # mids (doubled) of the drift window: slot number, low, high of each slot
    cdef int64_t[::1] drift
    cdef int64_t drift_slot
    cdef int64_t drift_from_ns                  # when the present slot began
    cdef int64_t drift_until_ns
    cdef int64_t drift_low                      # of the slots before the present one
    cdef int64_t drift_high

    # checks
    cpdef int64_t check(self, OrderBook book, int side, int64_t ticks, int64_t lots, int tif,
                        bint post_only, int64_t now_us, int64_t now_ns, int64_t created_us,
                        int64_t ttl_us, int64_t strategy) noexcept nogil
    @cython.locals(mask=int64_t, reducing=bint)
    cpdef int64_t check_top(self, int64_t trust, int64_t bid, int64_t ask, int side,
                            int64_t ticks, int64_t lots, int tif, bint post_only,
                            int64_t now_us, int64_t now_ns, int64_t created_us,
                            int64_t ttl_us, int64_t strategy) noexcept nogil
    @cython.locals(mask=int64_t, reducing=bint)
    cpdef int64_t check_amend(self, OrderBook book, int side, int64_t ticks, int64_t lots,
                              int64_t extra_lots, bint post_only, int64_t now_ns,
                              int64_t strategy) noexcept nogil
    @cython.locals(slot=int64_t, at=int64_t, mid2=int64_t, i=int64_t)
    cpdef void observe(self, int64_t bid, int64_t ask, int64_t now_ns) noexcept nogil

    # what is at stake
    cpdef int hold(self, int side, int64_t ticks, int64_t lots, int64_t now_ns) noexcept nogil
    cpdef int release(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    cpdef int filled(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    cpdef int hold_more(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    cpdef int release_more(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(at=int64_t)
    cpdef void forget(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(now_e10=int64_t)
    cpdef void revalue(self) noexcept nogil
    cpdef void note_fill(self, int64_t strategy, bint increased) noexcept nogil
    cpdef bint reduces(self, int side, int64_t lots) noexcept nogil
    @cython.locals(digest=uint64_t, i=int64_t)
    cpdef uint64_t state_hash(self) noexcept nogil

    # rules
    @cython.locals(mask=int64_t)
    cdef int64_t _state_rules(self, bint post_only, bint reducing, int64_t now_ns,
                              int64_t strategy) noexcept nogil
    @cython.locals(mask=int64_t, usable=bint)
    cdef int64_t _market_rules(self, int64_t trust, int64_t bid, int64_t ask, int64_t ticks,
                               bint reducing, int64_t now_ns) noexcept nogil
    @cython.locals(low=int64_t, high=int64_t, mid2=int64_t, at=int64_t)
    cdef bint _drifted(self, int64_t bid, int64_t ask) noexcept nogil
    @cython.locals(mask=int64_t, value=int64_t, own=int64_t)
    cdef int64_t _order_rules(self, int side, int64_t ticks, int64_t lots) noexcept nogil
    @cython.locals(mask=int64_t, value=int64_t, worst_e10=int64_t)
    cdef int64_t _exposure_rules(self, int side, int64_t ticks,
                                 int64_t extra_lots) noexcept nogil
    @cython.locals(buys=int64_t, sells=int64_t)
    cdef int64_t _worst_e10(self, int64_t more_buys, int64_t more_sells) noexcept nogil
    @cython.locals(mask=int64_t)
    cdef int64_t _funds_rule(self, int side, int64_t ticks, int64_t extra_lots) noexcept nogil
    @cython.locals(at=int64_t)
    cdef bint _sent_before(self, int side, int64_t ticks, int64_t lots,
                           int64_t now_ns) noexcept nogil
    @cython.locals(i=int64_t, left=int64_t)
    cdef int64_t _count(self, int64_t mask) noexcept nogil


cdef bint _beyond(int64_t ticks, int64_t low, int64_t high, int64_t bps) noexcept nogil

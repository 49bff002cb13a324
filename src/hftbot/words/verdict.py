"""The guard's answer to an Intent: 0 allows; else one bit per rule that said no."""

from __future__ import annotations

from enum import IntFlag


class Verdict(IntFlag):
    """Reasons for a denial. ``Desk.place`` returns the negative of the mask."""

    ALLOW = 0
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


EXPLAINED: dict[Verdict, str] = {
    Verdict.DENY_INVALID: "price, size or side is zero, negative or beyond int64",
    Verdict.DENY_HALTED: "the guard is halted until a human clears it",
    Verdict.DENY_REDUCING: "only orders that lower exposure are allowed now",
    Verdict.DENY_MODE: "the venue's mode does not accept this order",
    Verdict.DENY_UNTRUSTED_BOOK: "the book is empty or suspect",
    Verdict.DENY_STALE_BOOK: "the book's link has been silent too long",
    Verdict.DENY_STALE_REF: "the reference price is too old",
    Verdict.DENY_PRICE_COLLAR: "the price is too far from the market",
    Verdict.DENY_PRICE_DRIFT: "the market moved too far within the drift window",
    Verdict.DENY_ORDER_VALUE: "the order is worth too much",
    Verdict.DENY_ORDER_LOTS: "the order has too many lots",
    Verdict.DENY_POSITION: "position plus working and doubtful orders would pass the limit",
    Verdict.DENY_GROSS: "gross exposure over all instruments would pass the limit",
    Verdict.DENY_OPEN_ORDERS: "too many open orders",
    Verdict.DENY_MESSAGE_RATE: "too many messages in a minute (cancels keep a reserved share)",
    Verdict.DENY_REPEATED_FILLS: "too many fills in a row that each increased the position",
    Verdict.DENY_DAILY_LOSS: "the daily loss limit is reached",
    Verdict.DENY_DUPLICATE: "the same order was sent a moment ago",
    Verdict.DENY_SELF_TRADE: "it would trade with our own order",
    Verdict.DENY_EXPIRED_INTENT: "the intent is past its ttl",
    Verdict.DENY_BELOW_MINIMUM: "below the venue's minimum size or value",
    Verdict.DENY_TABLE_FULL: "the order table is full",
    Verdict.DENY_NOT_READY: "the venue link or its reconciliation is not ready",
    Verdict.DENY_JOURNAL: "the journal cannot be written",
    Verdict.DENY_NO_FUNDS: "the known balance does not cover it",
    Verdict.DENY_BREAKER: "the circuit breaker is open: the venue failed us several times in a row",
    Verdict.DENY_VENUE_RATE: "the venue's own counter of transactions would refuse it "
                             "(a share is kept for cancels and exits)",
}


def explain(verdict: int) -> str:
    """Names and reasons of a verdict mask (positive or negative)."""
    mask = Verdict(abs(verdict))
    if mask == Verdict.ALLOW:
        return "ALLOW"
    return "; ".join(f"{rule.name}: {EXPLAINED[rule]}" for rule in mask)

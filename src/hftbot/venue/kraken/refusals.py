"""Every error string that Kraken documents: its class, and so what the desk does about it.

docs/errors.md is written from this table. A string longer than its row (a detail after a colon, a
symbol, a time) belongs to the longest row that begins it; one that belongs to none is counted, and
handled as a plain VenueReject.
"""

from __future__ import annotations

import re

from hftbot.errors import (
    BadNonce,
    Denied,
    EngineDown,
    NoFunds,
    PostOnlyWouldTake,
    RateLimited,
    TokenRefused,
    VenueReject,
)

Rows = dict[str, tuple[type[VenueReject], str]]

_KEY: Rows = {
    "EAPI:Invalid key": (Denied, "the key is not known, or was deleted"),
    "EAPI:Invalid signature": (Denied, "the secret does not belong to the key"),
    "EAPI:Feature disabled": (Denied, "the account has switched this off"),
    "EGeneral:Permission denied": (Denied, "the key lacks the right"),
    "EGeneral:Temporary lockout": (Denied, "too many invalid keys; lasts about 15 minutes"),
    "EAccount:Invalid permissions": (Denied, "the account may not trade this, or not here"),
    "EAuth:Account temporary disabled": (Denied, "the venue locked the account"),
    "EAuth:Account unconfirmed": (Denied, "the account is not verified"),
    "ETrade:User Locked": (Denied, "the venue locked the account for trading"),
    "EAPI:Invalid nonce": (BadNonce, "another request of this key was faster"),
    "ESession:Invalid session": (TokenRefused, "the WebSocket token is old or unknown"),
    "EAPI:Invalid token": (TokenRefused, "the WebSocket token is old or unknown"),
    "Token(s) not found": (TokenRefused, "a private request without a token"),
}
_BUSY: Rows = {
    "EService:Unavailable": (EngineDown, "the engine did not answer the gateway"),
    "EService:Timeout": (EngineDown, "the engine did not answer the gateway in time"),
    "EService:Busy": (EngineDown, "the engine is overloaded"),
    "EGeneral:Internal error": (EngineDown, "something broke inside the venue"),
    "EService:Market in cancel_only mode": (EngineDown, "only cancels are accepted"),
    "EService:Market in post_only mode": (EngineDown, "only post-only orders and cancels are"),
    "EService:Market in limit_only mode": (EngineDown, "market orders are not accepted"),
    "EService:Throttled": (RateLimited, "too many requests at once; a time follows"),
    "EGeneral:Too many requests": (RateLimited, "too many requests"),
    "EAPI:Rate limit exceeded": (RateLimited, "the REST counter of the key is full"),
    "EAuth:Rate limit exceeded": (RateLimited, "too many sign-ins"),
    "EAuth:Too many requests": (RateLimited, "too many sign-ins"),
    "Exceeded msg rate": (RateLimited, "too many frames on one connection"),
    "EOrder:Rate limit exceeded": (RateLimited, "the trading counter of the pair is full"),
    "EOrder:Domain rate limit exceeded": (RateLimited, "the account's own limit, all pairs"),
    "EOrder:Orders limit exceeded": (RateLimited, "too many open orders of the pair"),
    "EOrder:Scheduled orders limit exceeded": (RateLimited, "too many scheduled orders"),
    "EOrder:Positions limit exceeded": (RateLimited, "too many open margin positions"),
}
_FUNDS: Rows = {
    "EOrder:Insufficient funds": (NoFunds, "the account cannot pay for the order"),
    "EOrder:Insufficient margin": (NoFunds, "the venue has no margin to lend"),
    "EOrder:Margin allowance exceeded": (NoFunds, "the account's margin allowance is used"),
    "EOrder:Margin level too low": (NoFunds, "not enough equity for the margin"),
    "EOrder:Margin position size exceeded": (NoFunds, "the position would be too large"),
    "EBM:limit exceeded:CAL": (NoFunds, "the credit line is used"),
}
_ORDER: Rows = {
    "EOrder:Post only order": (PostOnlyWouldTake, "a post-only order would have traded at once"),
    "EOrder:Tick size check failed": (VenueReject, "the price is off the pair's grid"),
    "EOrder:Invalid price": (VenueReject, "the price is zero, negative or out of range"),
    "EOrder:Order minimum not met": (VenueReject, "the size is below the pair's minimum"),
    "EOrder:Cost minimum not met": (VenueReject, "price times size is below the minimum"),
    "EOrder:Invalid order": (VenueReject, "an id that cannot be, or an order that makes no sense"),
    "EOrder:Unknown order": (VenueReject, "it is over or never was; the stream tells which"),
    "EOrder:Cannot open position": (VenueReject, "the account may not hold a margin position"),
    "EOrder:Cannot open opposing position": (VenueReject, "a position the other way is open"),
    "EOrder:Unknown position": (VenueReject, "the margin position to settle is not there"),
    "EOrder:Reduce only:No position exists": (VenueReject, "nothing to reduce"),
    "EOrder:Reduce only:Position is closed": (VenueReject, "nothing to reduce any more"),
    "EOrder:Reduce only:Non-PC": (VenueReject, "the position cannot be reduced this way"),
    "EOrder:Reduce only": (VenueReject, "a reduce-only order that would not reduce"),
    "EService:Deadline elapsed": (VenueReject, "the engine saw the order after its deadline"),
    "EQuery:Unknown asset pair": (VenueReject, "the venue does not list the pair"),
    "EQuery:Invalid asset pair": (VenueReject, "a text that cannot be a pair"),
    "EQuery:Unknown asset": (VenueReject, "the venue does not list the asset"),
    "EGeneral:Invalid arguments:Index unavailable": (
        VenueReject, "the pair has no index price to trigger on"),
    "EGeneral:Invalid arguments": (VenueReject, "a field is wrong; its name follows"),
    "EGeneral:Unknown method": (VenueReject, "REST has no such endpoint"),
    "ETrade:Invalid request": (VenueReject, "the request makes no sense"),
    "EFunding:Max fee exceeded": (VenueReject, "a withdrawal's fee; never asked for here"),
    "No amendable parameters": (VenueReject, "an amend that changes nothing"),
    "Invalid timeout argument": (VenueReject, "the dead man's switch: not 0 to 86,399 s"),
}
_FRAME: Rows = {
    "Currency pair not supported": (VenueReject, "an unknown or old symbol; it follows"),
    "Subscription depth not supported": (VenueReject, "a depth that is not offered"),
    "Subscription ohlc interval not supported": (VenueReject, "an interval that is not offered"),
    "Subscription ohlc requires interval": (VenueReject, "an unsubscribe without interval"),
    "Subscription name invalid": (VenueReject, "an unknown channel"),
    "Subscription Not Found": (VenueReject, "an unsubscribe of nothing; ignored"),
    "Already subscribed": (VenueReject, "a second subscription; ignored"),
    "Symbol(s) not found": (VenueReject, "a subscription without symbols"),
    "Unsupported event": (VenueReject, "an unknown method"),
    "Unsupported field": (VenueReject, "a field that the method does not have; it follows"),
    "Malformed request": (VenueReject, "a frame that is not JSON, or no request"),
    "Limit_price field must be a number_float": (VenueReject, "a price that is not a number"),
    "Cash_order_qty field must be a number_float": (VenueReject, "a size that is not a number"),
    "<Field> field must be a <type>": (VenueReject, "any other field of a wrong JSON type"),
    "price(s) not found": (VenueReject, "a limit order without price"),
    "Private data and trading are unavailable on this endpoint": (
        VenueReject, "a private request at the public address"),
    "Public market data subscriptions are unavailable on this endpoint": (
        VenueReject, "a public request at the private address"),
}
FAMILIES: dict[str, Rows] = {
    "Key, account and token": _KEY, "Engine and limits": _BUSY, "Funds": _FUNDS,
    "Orders": _ORDER, "Frames and subscriptions": _FRAME}
ROWS: Rows = {code: row for rows in FAMILIES.values() for code, row in rows.items()}
# The order may have been placed although the answer says no.
UNKNOWN = ("EService:Unavailable", "EService:Timeout", "EService:Busy", "EGeneral:Internal error")

_TYPED = "<Field> field must be a <type>"
_WRONG_TYPE = re.compile(r"[A-Z][a-z_]{1,40} field must be an? [a-z_]{1,40}", re.ASCII)


def row_of(code: str) -> str:
    """The row of the table that an error string belongs to; empty if to none."""
    known = code
    while known:
        if known in ROWS:
            return known
        known = known[:max(known.rfind(":"), known.rfind(" "), known.rfind("."), 0)]
    return _TYPED if _WRONG_TYPE.fullmatch(code) else ""


def error_for(code: str) -> type[VenueReject]:
    """The error class of one of Kraken's error strings; unmapped ones are VenueReject."""
    row = row_of(code)
    return ROWS[row][0] if row else VenueReject


def outcome_unknown(code: str) -> bool:
    """True if an order answered like this may exist all the same: ask, never resend."""
    return code.startswith(UNKNOWN)


def token_refused(code: str) -> bool:
    """True if a new WebSocket token is needed."""
    return error_for(code) is TokenRefused


def forbids(code: str) -> bool:
    """True if the venue refuses the key or the account: nothing will get better by asking."""
    return error_for(code).remedy == "halt"

"""The only requests that a guardian may make: the dead man's switch, cancel all, list what is open.

Sans-IO. ``ALLOWED`` is the whole list; nothing here can name, price or size an order.
"""

from __future__ import annotations

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec, rules
from hftbot.words.secret import Secret

AFTER = "/0/private/CancelAllOrdersAfter"
ALL = "/0/private/CancelAll"
OPEN = "/0/private/OpenOrders"
ALLOWED = frozenset((AFTER, ALL, OPEN))
OFF = "0"

Signed = tuple[str, dict[str, str], bytes]


def after_request(timeout_s: int, key: Secret, secret: Secret, nonce: int) -> Signed:
    """(path, headers, body): restart the switch, or with 0 switch it off."""
    return rules.private_request(AFTER, {"timeout": str(timeout_s)}, key, secret, nonce)


def all_request(key: Secret, secret: Secret, nonce: int) -> Signed:
    """(path, headers, body): cancel every order of the account."""
    return rules.private_request(ALL, {}, key, secret, nonce)


def open_request(key: Secret, secret: Secret, nonce: int) -> Signed:
    """(path, headers, body): list every open order of the account."""
    return rules.private_request(OPEN, {}, key, secret, nonce)


def after_response(status: int, body: bytes) -> str:
    """When the switch will fire, in the venue's words; ``0`` if it is off.

    Raises the mapped VenueReject, TransportError if the API was not reached, BadFrame.
    """
    return codec.text(rules.answer_of(status, body), "triggerTime")


def all_response(status: int, body: bytes) -> int:
    """How many orders were cancelled. Raises as after_response."""
    return codec.integer(rules.answer_of(status, body), "count")


def open_response(status: int, body: bytes) -> int:
    """How many orders are open. Raises as after_response."""
    listed = rules.answer_of(status, body).get("open")
    if not isinstance(listed, dict):
        raise BadFrame("open is not an object")
    return len(listed)

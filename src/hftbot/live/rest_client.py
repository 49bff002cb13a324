"""Sends Kraken's REST calls: one private call at a time, nonces rising, no order sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hftbot.errors import (
    BadFrame,
    BadNonce,
    RateLimited,
    TransportError,
    UnknownOutcome,
    VenueReject,
)
from hftbot.venue.kraken import rules
from hftbot.venue.kraken.rest import Call
from hftbot.words.ports import Http
from hftbot.words.secret import Secret

ANSWER_S = 10.0
# The venue's REST counter falls by one point in two or three seconds, and most calls cost one.
PATIENCE_S = 20.0
PAUSE_S = 4.0
AGENT = {"User-Agent": "hftbot"}

Answer = TypeVar("Answer")


class RestClient:
    """Asks one venue with one key.

    ``nonces`` gives the next nonce of the key. Private calls wait for each other: two on their
    way at once may arrive in the other order, and the venue would refuse the later nonce.
    ``hold`` waits until a private call of that name is no call too many. With ``patience_s`` a
    question that the venue's counter still refuses is asked again for that long: the runs before
    this one have used the counter too.
    """

    def __init__(self, http: Http, rest_url: str, key: Secret, secret: Secret,
                 nonces: Callable[[], int],
                 hold: Callable[[str], Awaitable[None]] | None = None,
                 patience_s: float = 0.0) -> None:
        self._http = http
        self._rest_url = rest_url
        self._key = key
        self._secret = secret
        self._nonces = nonces
        self._hold = hold
        self._patience_s = patience_s
        self._turn = asyncio.Lock()

    async def ask(self, call: Call, read: Callable[[int, bytes], Answer],
                  deadline_s: float = ANSWER_S) -> Answer:
        """Send a call and read its answer: ``ask(rest.balance(), rest.balance_answer)``.

        A nonce that another process's request overtook on the way is asked with once more: the
        call was refused, so nothing happens twice. Raises the mapped VenueReject, TransportError,
        Timeout, BadFrame; UnknownOutcome for a call that places an order and whose answer was
        lost, cannot be read or leaves open whether the order exists.
        """
        try:
            return await self._patiently(call, read, deadline_s)
        except (TransportError, BadFrame) as error:
            if call.places_orders:
                raise UnknownOutcome(f"{call.path}: {error}") from None
            raise
        except VenueReject as error:
            if call.places_orders and rules.outcome_unknown(str(error)):
                raise UnknownOutcome(f"{call.path}: {error}") from None
            raise

    async def _patiently(self, call: Call, read: Callable[[int, bytes], Answer],
                         deadline_s: float) -> Answer:
        """Ask until the counter lets the call in; an order is not asked for again."""
        left_s = 0.0 if call.places_orders else self._patience_s
        while True:
            try:
                return await self._once_more(call, read, deadline_s)
            except RateLimited:
                if left_s <= 0.0:
                    raise
            await asyncio.sleep(min(PAUSE_S, left_s))
            left_s -= PAUSE_S

    async def _once_more(self, call: Call, read: Callable[[int, bytes], Answer],
                         deadline_s: float) -> Answer:
        """Ask, and again with the next nonce if the first came too late."""
        try:
            return read(*await self._send(call, deadline_s))
        except BadNonce:
            return read(*await self._send(call, deadline_s))

    async def _send(self, call: Call, deadline_s: float) -> tuple[int, bytes]:
        if not call.private:
            return await self._http.request("GET", self._rest_url + call.target, AGENT, b"",
                                            deadline_s)
        async with self._turn:
            if self._hold is not None:
                await self._hold(call.path.rpartition("/")[2])
            path, headers, body = call.signed(self._key, self._secret, self._nonces())
            return await self._http.request("POST", self._rest_url + path, headers, body,
                                            deadline_s)

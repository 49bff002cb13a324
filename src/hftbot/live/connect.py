"""Before a session: what the venue lists, and the token that opens its private stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from hftbot.errors import ConfigError, Timeout, VenueError
from hftbot.live.rest_client import RestClient
from hftbot.venue.kraken import codec, rest, rules
from hftbot.wire.ws import Connect
from hftbot.words.instrument import Instrument
from hftbot.words.ports import Clock, Http
from hftbot.words.secret import Secret

ANSWER_S = 10.0
NEAREST_SHOWN = 5


class RestBudget(Protocol):
    """Counts the REST calls of a key (venue.kraken.limits.RestCalls)."""

    def take(self, name: str, now_ns: int) -> float:
        """0.0 if the call may be made, else for how many seconds to wait."""


async def within_budget(budget: RestBudget, name: str, clock: Clock) -> None:
    """Wait until a private call of that name is no call too many, and count it."""
    while wait_s := budget.take(name, clock.mono_ns()):
        await asyncio.sleep(wait_s)


class TokenSource:
    """Fetches WebSocket tokens by signed REST; nonces strictly rise.

    ``told`` hears of each token before anybody uses it, so that no log ever shows it. ``nonces``
    gives nonces where other processes use the same key; ``budget`` holds a call back that the
    venue would refuse. ``rest`` asks anything else with them.
    """

    def __init__(self, http: Http, rest_url: str, key: Secret, secret: Secret,
                 clock: Clock, told: Callable[[Secret], None] = lambda token: None,
                 nonces: Callable[[], int] | None = None,
                 budget: RestBudget | None = None, patience_s: float = 0.0) -> None:
        self._told = told
        self._clock = clock
        self._budget = budget
        self._nonce = 0
        self.rest = RestClient(http, rest_url, key, secret, nonces or self._own_nonce,
                               self._hold, patience_s)

    async def fetch(self) -> Secret:
        """A fresh token. Raises the mapped VenueReject, or TransportError."""
        token = await self.rest.ask(rest.websockets_token(), rest.websockets_token_answer)
        self._told(token)
        return token

    async def _hold(self, name: str) -> None:
        if self._budget is not None:
            await within_budget(self._budget, name, self._clock)

    def _own_nonce(self) -> int:
        self._nonce = max(self._nonce + 1, self._clock.now_us() * 1000)
        return self._nonce


async def discover(url: str, connect: Connect, symbols: Sequence[str], maker_fee_e6: int,
                   taker_fee_e6: int) -> list[Instrument]:
    """Ask the venue for the grids of our symbols.

    Raises ConfigError for a symbol that it does not list, Timeout, Disconnected.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[rules.PairRow]] = loop.create_future()

    def on_frame(view: memoryview, padding: int, recv_ns: int) -> None:
        if answer.done():
            return
        try:
            message = codec.parse(view)
            if message.get("channel") == "instrument":
                answer.set_result(rules.instruments_from(message))
        except VenueError as error:
            answer.set_exception(error)

    def on_close(reason: str) -> None:
        if not answer.done():
            answer.set_exception(Timeout(f"{url} closed before it listed its pairs: {reason}"))

    wire = await connect(url, on_frame, on_close)
    try:
        wire.send(codec.subscribe("instrument", snapshot=True))
        async with asyncio.timeout(ANSWER_S):
            rows = await answer
    except TimeoutError:
        raise Timeout(f"{url}: no list of pairs within {ANSWER_S:.0f} s") from None
    finally:
        wire.close("pairs are known")
        if answer.done() and not answer.cancelled():
            answer.exception()
    listed = {row.symbol: row for row in rows}
    for symbol in symbols:
        if symbol not in listed:
            some = ", ".join(sorted(listed)[:NEAREST_SHOWN])
            raise ConfigError(f"SYMBOLS: the venue does not list {symbol} (it lists {some}"
                              f"{', ...' if len(listed) > NEAREST_SHOWN else ''})")
    return [rules.instrument_from_row(listed[symbol], index, maker_fee_e6, taker_fee_e6)
            for index, symbol in enumerate(symbols)]

"""What must hold before an order may leave for a real venue; each has a name to be refused by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hftbot.errors import HftbotError, PreconditionError, Timeout, TransportError, VenueError
from hftbot.live.rest_client import RestClient
from hftbot.venue.kraken import codec, rest
from hftbot.venue.kraken.rest_rows import ApiKey
from hftbot.wire.ws import Connect
from hftbot.words.ports import Clock

# What the bot's key has to be allowed, in the venue's words; the guardian's needs less.
TRADE_RIGHTS = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades",
                "close-trades", "create-ws-token")
GUARDIAN_RIGHTS = ("query-open-trades", "close-trades")
FORBIDDEN = "withdraw"
PINGS = 5
PING_S = 5.0
CLOCK_OFF_US_MAX = 500_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One precondition: whether it holds, what was found, and what mends it."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """All findings, and the account's own fees by symbol: (maker, taker) in millionths.

    ``iban`` is the account's name at the venue, empty if it was not told.
    """

    findings: tuple[Finding, ...]
    fees_e6: dict[str, tuple[int, int]]
    iban: str = ""

    def refuse(self) -> None:
        """Raise PreconditionError naming each one that does not hold."""
        missing = [each for each in self.findings if not each.ok]
        if missing:
            raise PreconditionError("--live is refused: " + "; ".join(
                f"{each.name}: {each.found}" + (f" ({each.remedy})" if each.remedy else "")
                for each in missing))


class Inspector:
    """Asks a venue what has to be known before trading there. Changes nothing.

    ``guardian`` asks with the guardian's own key, None if it has none. ``deadline_us`` is how long
    an order may take: a clock that is off by more than a part of that is no clock. ``dry``: what a
    dry run needs as well.
    """

    def __init__(self, client: RestClient, guardian: RestClient | None, connect: Connect,
                 ws_url: str, clock: Clock, symbols: Sequence[str], deadline_us: int,
                 dry: bool = False) -> None:
        self._client = client
        self._dry = dry
        self._guardian = guardian
        self._connect = connect
        self._ws_url = ws_url
        self._clock = clock
        self._symbols = tuple(symbols)
        # The accounts that the keys asked about are of, the bot's first.
        self._ibans: list[str] = []
        self._off_us_max = min(CLOCK_OFF_US_MAX, deadline_us // 4)

    async def look(self) -> Found:
        """Look at everything; what cannot be asked is a finding too."""
        findings = [await self._reach()]
        if not findings[0].ok:
            return Found(tuple(findings), {})
        findings += [await self._time(),
                     *await self._rights("permissions", self._client, TRADE_RIGHTS)]
        if self._guardian is not None:
            findings += await self._rights("guardian's permissions", self._guardian,
                                           GUARDIAN_RIGHTS)
            findings += self._one_account()
        if self._dry:
            findings.append(await self._leftovers())
        fees: dict[str, tuple[int, int]] = {}
        findings.append(await self._fees(fees))
        return Found(tuple(findings), fees, next(iter(self._ibans), ""))

    async def _reach(self) -> Finding:
        try:
            mode, _ = await self._client.ask(rest.system_status(), rest.system_status_answer)
        except VenueError as error:
            return Finding("venue", False, f"cannot be asked: {error}",
                           "KRAKEN_REST_URL, KRAKEN_CA_FILE and the network")
        return Finding("venue", True, f"answers, mode {mode.name}")

    async def _time(self) -> Finding:
        try:
            off_us, round_us = await clock_offset(self._ws_url, self._connect, self._clock)
        except HftbotError as error:
            return Finding("clock", False, f"the venue's time is not known: {error}",
                           "KRAKEN_WS_URL")
        text = f"{off_us / 1000:+.1f} ms against the venue's (round trip {round_us / 1000:.1f} ms)"
        fine = abs(off_us) - round_us // 2 <= self._off_us_max
        return Finding("clock", fine, text, "" if fine else "set this machine's clock (NTP)")

    async def _rights(self, name: str, client: RestClient,
                      wanted: Iterable[str]) -> list[Finding]:
        """The rights of one key: all that are needed, and none that moves money away."""
        try:
            key = await client.ask(rest.api_key_info(), rest.api_key_info_answer)
        except VenueError as error:
            return [Finding(name, False, f"the key's rights are not known: {error}",
                            "KRAKEN_API_KEY and KRAKEN_API_SECRET of one key")]
        self._ibans.append(key.iban)
        return [*key_findings(name, key, wanted, self._clock.now_us() // 1_000_000)]

    def _one_account(self) -> list[Finding]:
        """A guardian cancels what its own key's account has open, and nothing else."""
        known = [iban for iban in self._ibans if iban]
        if len(known) < 2:
            return []
        same = len(set(known)) == 1
        return [Finding("guardian's account", same, "the bot's" if same else
                        "not the bot's: it could cancel nothing of this run",
                        "" if same else "two keys of one account")]

    async def _leftovers(self) -> Finding:
        """A dry run cancels nothing, so nothing of ours may be left open."""
        try:
            listed = await self._client.ask(rest.open_orders(), rest.open_orders_answer)
        except VenueError as error:
            return Finding("open orders", False, f"are not known: {error}")
        ours = [order for order in listed if order.client_id]
        return Finding("open orders", not ours, f"{len(ours)} of an earlier run are open, and a "
                       "dry run cancels nothing" if ours else "none of an earlier run",
                       "`hftbot cancel-all --live --set DRY_RUN=0`" if ours else "")

    async def _fees(self, fees: dict[str, tuple[int, int]]) -> Finding:
        try:
            pairs = {pair.symbol: pair for pair in await self._client.ask(
                rest.asset_pairs(), rest.asset_pairs_answer) if pair.symbol in self._symbols}
            told = await self._client.ask(rest.trade_volume(
                [pair.altname for pair in pairs.values()]), rest.trade_volume_answer)
        except VenueError as error:
            return Finding("fees", False, f"the account's fees are not known: {error}")
        by_name = {row.pair: row for row in told.fees}
        for symbol, pair in pairs.items():
            row = by_name.get(pair.name) or by_name.get(pair.altname) or by_name.get(symbol)
            if row is not None:
                fees[symbol] = row.maker_fee_e6, row.taker_fee_e6
        missing = [symbol for symbol in self._symbols if symbol not in fees]
        if missing:
            return Finding("fees", False, f"the venue tells none for {', '.join(missing)}",
                           "SYMBOLS; `hftbot markets --live` lists them")
        return Finding("fees", True, ", ".join(
            f"{symbol} {maker / 10_000:g} % maker, {taker / 10_000:g} % taker"
            for symbol, (maker, taker) in fees.items()))


def key_findings(name: str, key: ApiKey, wanted: Iterable[str],
                 now_s: int) -> Iterable[Finding]:
    """What the rights of a key mean. Withdrawing is a finding of its own."""
    lacking = [right for right in wanted if right not in key.permissions]
    expired = 0 < key.valid_until_s <= now_s
    if expired:
        yield Finding(name, False, "the key has expired", "a new key")
    else:
        yield Finding(name, not lacking,
                      f"the key lacks {', '.join(lacking)}" if lacking
                      else ", ".join(sorted(key.permissions)),
                      "allow it on the key's page" if lacking else "")
    dangerous = sorted(right for right in key.permissions if FORBIDDEN in right)
    whose = name.replace("permissions", "").strip()
    yield Finding(f"{whose} withdraw right".strip(), not dangerous,
                  f"the key may {', '.join(dangerous)}: whoever steals it takes the money"
                  if dangerous else "none",
                  "a key without it" if dangerous else "")


async def clock_offset(url: str, connect: Connect, clock: Clock) -> tuple[int, int]:
    """(our clock minus the venue's, shortest round trip), microseconds, by WebSocket pings.

    Raises TransportError or Timeout if the venue does not answer them.
    """
    answers: asyncio.Queue[tuple[int, int] | str] = asyncio.Queue()

    def on_frame(view: memoryview, padding: int, recv_ns: int) -> None:
        now_us = clock.now_us()
        try:
            message = codec.parse(view)
            if message.get("method") == "pong":
                answers.put_nowait((codec.stamp_us(message, "time_in"), now_us))
        except VenueError as error:
            answers.put_nowait(str(error))

    wire = await connect(url, on_frame, answers.put_nowait)
    best: tuple[int, int] | None = None
    try:
        for number in range(PINGS):
            sent_us = clock.now_us()
            wire.send(b'{"method":"ping","req_id":%d}' % (number + 1))
            async with asyncio.timeout(PING_S):
                answer = await answers.get()
            if isinstance(answer, str):
                raise TransportError(f"{url}: {answer}")
            venue_us, recv_us = answer
            found = (sent_us + recv_us) // 2 - venue_us, recv_us - sent_us
            best = found if best is None or found[1] < best[1] else best
    except TimeoutError:
        raise Timeout(f"{url}: no pong within {PING_S:g} s") from None
    finally:
        wire.close("the time is known")
    assert best is not None
    return best

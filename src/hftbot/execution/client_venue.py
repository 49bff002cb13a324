"""A ccxt or ccxt.pro exchange object as the venue: it serves books and orders, our guard decides.

Unlike the embedded exchange this may be real money: the product's own limits hold unless
``settings`` says otherwise, and the journal is kept where ``state_dir`` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastcore.lane.lane import EVENT_BOOK, EVENT_TOP, EVENT_TRADE
from hftbot.errors import ConfigError, HftbotError, StoreError
from hftbot.execution.client_markets import Client, explained, grids_of
from hftbot.execution.client_orders import ClientOrders
from hftbot.execution.market import Market, door_settings, markets_of
from hftbot.execution.socket_venue import SocketVenue
from hftbot.live.carry_over import base_rows
from hftbot.live.world import World
from hftbot.store.account_lock import AccountLock
from hftbot.store.journal_file import JournalFile
from hftbot.words.events import E10, BalanceSeen
from hftbot.words.market import BookTrust
from hftbot.words.order import OrderState
from hftbot.words.secret import Secret

POLL_S = 0.5
CLOSE_S, CLOSE_LOOK_S = 10.0, 0.02
# A book that was told over a socket so long ago is asked for.
FRESH_NS = 1_000_000_000
# The venue's own counters are the client's business.
ALWAYS = {"KRAKEN_TIER": "off"}
NO_TOKEN = Secret("sent by another client")


class ClientVenue(SocketVenue):
    """One world over a client object that somebody else made and will close."""

    def __init__(self, listener: Any, client: Any, given: Mapping[str, Any],
                 symbols: Sequence[str] | None, state_dir: Any) -> None:
        super().__init__(listener, state_dir)
        door_settings(given, ALWAYS, ("BTC/USD",))
        self._given = given
        self._symbols = symbols
        self._client = Client(client)
        self._say: Callable[[str], None] = listener.say
        self._world: World | None = None
        self._orders: ClientOrders | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._watching = False
        self._heard_ns: dict[int, int] = {}
        self._asking_balance = False

    # --- life ----------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Learn the markets and the balances; then orders may leave."""
        ends, client = self._ends, self._client
        ends.callback(client.close)
        await self._asked("load_markets")
        grids = grids_of(client.client, self._symbols)
        settings = door_settings(self._given, ALWAYS, [grid.symbol for grid in grids])
        state = self._state()
        account = f"ccxt:{grids[0].venue}:{_fingerprint(client.client)}"
        ends.enter_context(AccountLock(account))
        run = state.next_run()
        journal = self._journal(state, settings, run, grids, account)
        world = World(settings, grids, self._clock, self._notes, journal.journal, run)
        world.set_token(NO_TOKEN)
        self._markets = {market.symbol: market for market in markets_of(world, self._voice)}
        self._orders = ClientOrders(client, world, self._say, self._money_moved)
        world.gateway = self._orders  # type: ignore[assignment]
        world.router.batches = None
        world.on_halt = journal.sync_soon
        self._world = world
        await self._ask_balance()
        world.router.attach(lambda frame: None)
        world.guard.set_ready(True)
        world.engine.blind = False
        world.engine.start()
        self._tasks.append(asyncio.ensure_future(self._timer(world, journal)))

    async def _timer(self, world: World, journal: JournalFile) -> None:
        """Freed rows, the loss limit, and the journal's next file."""
        while True:
            await asyncio.sleep(world.settings.loop_interval_us / 1e6)
            world.engine.on_timer()
            if journal.failed:
                world.guard.journal_failed(journal.failed)
            elif journal.rotation_due:
                try:
                    world.use_journal(journal.rotate(base_rows(world)))
                except StoreError as error:
                    self._notes.error(str(error))

    async def close(self) -> None:
        """Cancel what is open, wait until the venue says so, and let the object go."""
        world = self._world
        if world is not None:
            world.engine.stop()
            world.engine.cancel_everything()
            for _ in range(int(CLOSE_S / CLOSE_LOOK_S)):
                if not _expected(world):
                    break
                await asyncio.sleep(CLOSE_LOOK_S)
            left = len(world.engine.open_client_ids())
            if left:
                self._say(f"orders that may still be open at the venue: {left}; look there")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._orders is not None:
            await self._orders.close()
        await self._ends.aclose()

    # --- markets -------------------------------------------------------------------------------

    async def freshen(self, market: Market, order_book: Mapping[str, Any] | None) -> None:
        """Ask for the book, unless a socket told it a moment ago."""
        if self._world is None:
            raise HftbotError("the engine is closed")
        heard_ns = self._clock.mono_ns() - self._heard_ns.get(market.index, 0)
        if not (self._watching and self._client.pushes_books and heard_ns < FRESH_NS):
            self._show(market, await self._asked("fetch_order_book", market.symbol))
        market.world.refresh_limits()

    def _show(self, market: Market, told: Mapping[str, Any]) -> None:
        """The venue's book is this one."""
        book, grid = market.book, market.grid
        book.clear()
        for side, name in enumerate(("bids", "asks")):
            for level in told[name]:
                book.update(side, round(float(level[0]) / grid.tick_size),
                            round(float(level[1]) / grid.lot_size))
        both = book.has_bid() and book.has_ask() and not book.crossed()
        book.trust = int(BookTrust.TRUSTED if both else BookTrust.SUSPECT)
        now_ns = self._heard_ns[market.index] = self._clock.mono_ns()
        market.world.link_seen(now_ns)
        market.world.engine.on_market(market.index, EVENT_BOOK | EVENT_TOP, (), now_ns)

    def wake(self) -> None:
        """Time goes on by itself."""

    def start(self) -> None:
        """Hear the markets: over a socket where the object can, else by asking."""
        if self._watching:
            return
        self._watching = True
        for market in self._markets.values():
            for follow in (self._follow_book, self._follow_trades):
                self._tasks.append(asyncio.ensure_future(self._patiently(follow, market)))

    async def _patiently(self, follow: Callable[[Market], Awaitable[None]],
                         market: Market) -> None:
        """Go on after errors: a book that is not heard goes stale, and the guard sees that."""
        while True:
            try:
                await follow(market)
            except HftbotError as error:
                self._notes.warn(str(error))
                await asyncio.sleep(POLL_S)

    async def _follow_book(self, market: Market) -> None:
        if self._client.pushes_books:
            self._show(market, await self._asked("watch_order_book", market.symbol))
        else:
            self._show(market, await self._asked("fetch_order_book", market.symbol))
            await asyncio.sleep(POLL_S)

    async def _follow_trades(self, market: Market) -> None:
        since: int | None = None
        told: set[str] = set()
        while True:
            if self._client.pushes_trades:
                rows = await self._asked("watch_trades", market.symbol)
            else:
                await asyncio.sleep(POLL_S)
                rows = await self._asked("fetch_trades", market.symbol, since)
            fresh = [row for row in rows if str(row.get("id")) not in told]
            told = {str(row.get("id")) for row in rows}
            if rows:
                since = int(rows[-1].get("timestamp") or 0) or since
            grid = market.grid
            market.world.engine.on_market(
                market.index, EVENT_TRADE,
                [(int(row.get("side") == "sell"), round(float(row["price"]) / grid.tick_size),
                  round(float(row["amount"]) / grid.lot_size), 0,
                  int(row.get("timestamp") or 0) * 1000) for row in fresh],
                self._clock.mono_ns())

    # --- the client ----------------------------------------------------------------------------

    async def _asked(self, method: str, *words: Any) -> Any:
        """Call the client. Raises HftbotError that names the method."""
        try:
            return await self._client.call(method, *words)
        except Exception as error:
            raise explained(error, f"exchange_connector.{method}") from error

    def _money_moved(self) -> None:
        if not self._asking_balance:
            self._asking_balance = True
            self._tasks.append(asyncio.ensure_future(self._ask_again()))

    async def _ask_again(self) -> None:
        self._asking_balance = False
        with contextlib.suppress(HftbotError):
            await self._ask_balance()

    async def _ask_balance(self) -> None:
        """What the account holds: the guard refuses what it cannot pay."""
        world = self._world
        assert world is not None
        told = (await self._asked("fetch_balance")).get("total") or {}
        if not isinstance(told, Mapping):
            raise ConfigError("exchange_connector.fetch_balance tells no totals")
        now_us = self._clock.now_us()
        assets = {asset for grid in world.instruments for asset in (grid.base, grid.quote)}
        world.engine.on_events([
            BalanceSeen(asset, int(float(told.get(asset) or 0) * E10), now_us)
            for asset in sorted(assets)])


def _expected(world: World) -> list[int]:
    """Orders whose end will be told: one in doubt may never be."""
    table = world.table
    return [client_id for client_id in world.engine.open_client_ids()
            if table.state(table.find(client_id)) != OrderState.DOUBT]


def _fingerprint(client: Any) -> str:
    """A name for the account that shows nothing of its key."""
    key = str(getattr(client, "apiKey", "") or "")
    return hashlib.sha256(key.encode()).hexdigest()[:16]

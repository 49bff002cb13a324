"""The live engine of the door: the embedded exchange, over real sockets.

The same session, engine, guard and journal as ``hftbot run`` has; only the strategy is the door's.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hftbot.app import venue as venues
from hftbot.app.children import ExchangeChild
from hftbot.app.fees import ask_fees
from hftbot.app.options import RunOptions, check_run
from hftbot.app.recovery import carried
from hftbot.config.fee_schedules import rates_e6
from hftbot.config.schema import Settings
from hftbot.errors import HftbotError, StoreError, TransportError
from hftbot.execution.market import Listener, Market, door_settings, markets_of
from hftbot.execution.socket_venue import SocketVenue
from hftbot.live.carry_over import base_rows
from hftbot.live.connect import TokenSource, discover
from hftbot.live.rest_client import PATIENCE_S
from hftbot.live.session import READY_S, Session
from hftbot.live.world import World
from hftbot.store.account_lock import AccountLock
from hftbot.store.journal_file import JournalFile
from hftbot.store.nonce_file import NonceFile, Nonces
from hftbot.store.state_dir import StateDir
from hftbot.wire import ws
from hftbot.wire.http import HttpClient
from hftbot.wire.link import ConnectBudget, Link
from hftbot.words.instrument import Instrument

# The embedded account loses no money: our own limit on messages would only slow it.
GUARDED_PER_MINUTE = 600_000


class EmbeddedVenue(SocketVenue):
    """One session on an embedded exchange: a child of ours, or the one at ``url``."""

    def __init__(self, listener: Listener, given: Mapping[str, Any], weaker: Mapping[str, str],
                 symbols: Sequence[str], url: str | None, state_dir: Any) -> None:
        super().__init__(listener, state_dir)
        self._settings: Settings = door_settings(given, weaker, symbols)
        self._options = RunOptions(exchange_url=url)
        check_run(self._settings, self._options)
        self._session: Session | None = None
        self._running: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._links: list[tuple[Link, asyncio.Task[None]]] = []

    # --- life ----------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Start or find the exchange, connect, reconcile, and be ready to trade."""
        ends, state = self._ends, self._state()
        self._settings = replace(self._settings, state_dir=str(state.path))
        if self._settings.venue == "paper":
            self._notes.warn(f"PAPER: orders are filled on this machine, by the market of "
                             f"{self._settings.kraken_ws_url}")
        exchange = await venues.open_venue(self._settings, self._options, state)
        ends.push_async_callback(exchange.release)
        ends.enter_context(AccountLock(exchange.account))
        instruments = await self._instruments(exchange, state)
        run = state.next_run()
        journal = self._journal(state, self._settings, run, instruments, exchange.journal_account)
        http = HttpClient(exchange.access.tls)
        ends.push_async_callback(http.close)
        nonces = NonceFile(state.path, exchange.endpoint.api_key)
        ends.callback(nonces.close)
        world = World(replace(self._settings, max_orders_per_min=GUARDED_PER_MINUTE), instruments,
                      self._clock, self._notes, journal.journal, run)
        self._markets = {market.symbol: market for market in markets_of(world, self._voice)}
        left, _ = carried(state.journal, exchange.journal_account, journal.path, instruments)
        endpoint = exchange.endpoint
        tokens = TokenSource(http, endpoint.rest_url, endpoint.api_key, endpoint.api_secret,
                             self._clock, nonces=Nonces(nonces, self._now_ns_wall,
                                                        self._notes.warn),
                             budget=world.limits.rest, patience_s=PATIENCE_S)
        session = Session(world, tokens.fetch, self._settings.loop_interval_us,
                          self._settings.order_deadline_us, left)
        self._session = session
        self._watch(journal, world, session)
        await self._start(session, exchange)

    async def _instruments(self, exchange: venues.OpenVenue, state: StateDir) -> list[Instrument]:
        settings = self._settings
        fees, _ = await ask_fees(exchange.endpoint, settings.symbols, state.path,
                                 lambda symbol: rates_e6(settings.fees, symbol), self._notes.warn)
        try:
            grids = await discover(exchange.endpoint.ws_url, ws.connect, settings.symbols, 0, 0)
        except TransportError as error:
            raise exchange.explained(error) from None
        return [replace(grid, maker_fee_e6=fees[grid.symbol][0],
                        taker_fee_e6=fees[grid.symbol][1]) for grid in grids]

    def _now_ns_wall(self) -> int:
        return self._clock.now_us() * 1000

    def _watch(self, journal: JournalFile, world: World, session: Session) -> None:
        """A journal that fails halts; one that is nearly full goes on in the next file."""
        loop = asyncio.get_running_loop()

        def failed(reason: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(world.guard.journal_failed, reason)

        def tick(now_us: int) -> None:
            if journal.rotation_due:
                try:
                    world.use_journal(journal.rotate(base_rows(world)))
                except StoreError as error:
                    self._notes.error(f"{error}; the engine halts when it is full")

        journal.watch(failed)
        world.on_halt = journal.sync_soon
        session.on_tick = tick

    async def _start(self, session: Session, exchange: venues.OpenVenue) -> None:
        endpoint, rng, budget = exchange.endpoint, random.Random(), ConnectBudget()
        public = Link(endpoint.ws_url, rng, on_open=session.public_up,
                      on_frame=session.public_frame, on_close=session.public_down, budget=budget)
        private = Link(endpoint.ws_auth_url, rng, on_open=session.private_up,
                       on_frame=session.private_frame, on_close=session.private_down,
                       prepare=session.private_prepare, budget=budget)
        self._links = [(link, asyncio.ensure_future(self._keep(link, session)))
                       for link in (public, private)]
        if exchange.child is not None:
            self._watching = asyncio.ensure_future(self._watch_child(exchange.child, session))
        self._running = asyncio.ensure_future(session.run(None))
        engine = session.engine
        await session.wait_condition(
            lambda: engine.trading or self._running is None or self._running.done(), READY_S)
        if not engine.trading:
            if self._running.done():
                self._running.result()
            raise HftbotError(f"the exchange is not ready: {session.missing()}")

    async def _watch_child(self, child: ExchangeChild, session: Session) -> None:
        """An exchange that died under us will not answer again."""
        how = await child.wait()
        session.lose_venue(f"the embedded exchange ended by itself: {how}")

    async def _keep(self, link: Link, session: Session) -> None:
        """Run one link; what no reconnect mends stops the session, a defect of ours included."""
        try:
            await link.run()
        except HftbotError as error:
            session.fail(str(error))
        except asyncio.CancelledError:
            # An event loop that ends under us takes the links along: nothing can be waited for.
            session.venue_gone = self._notes.quiet = True
            raise
        except Exception as error:
            session.fail(f"a frame could not be handled: {type(error).__name__}: {error}")
            raise

    async def close(self) -> None:
        """Cancel what is open, verify it, hang up, stop the exchange if it is ours."""
        self._notes.quiet = True
        if self._session is not None:
            self._session.stop("the engine is closed")
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)
        if self._watching is not None:
            self._watching.cancel()
        for link, task in self._links:
            link.stop()
            task.cancel()
        await asyncio.gather(*(task for _, task in self._links), return_exceptions=True)
        self._links.clear()
        await self._ends.aclose()

    # --- markets -------------------------------------------------------------------------------

    async def freshen(self, market: Market, order_book: Mapping[str, Any] | None) -> None:
        """The feed keeps the books: nothing to ask. Raises HftbotError once the session is over."""
        if self._running is not None and self._running.done():
            raise HftbotError("the engine's session is over: "
                              f"{self._session.stop_reason if self._session else 'closed'}")

    def wake(self) -> None:
        """Time goes on by itself."""

    def start(self) -> None:
        """The feed runs anyway."""

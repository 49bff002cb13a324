"""Puts a run together: state directory, log, venue, world, links, reporter; and takes it apart."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastcore
from hftbot import __version__
from hftbot.app import crash, dying, halting, hardening, ledger, live_venue
from hftbot.app import venue as venues
from hftbot.app.access import serving_context
from hftbot.app.children import Endpoint, ExchangeChild
from hftbot.app.control_commands import control_of
from hftbot.app.exit_codes import EXIT_FAILED, EXIT_HALTED, EXIT_NOT_VERIFIED
from hftbot.app.fees import ask_fees, base_text
from hftbot.app.guarding import Guarding
from hftbot.app.jobs import job_of
from hftbot.app.journal_header import journal_header
from hftbot.app.market_tape import MarketTape
from hftbot.app.options import FLATTEN, TRADE, ExchangeOptions, RunOptions
from hftbot.app.recovery import carried
from hftbot.app.reporter import Reporter
from hftbot.app.screening import Screening
from hftbot.app.view import View
from hftbot.config.fee_schedules import rates_e6
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, HftbotError, StoreError, TransportError
from hftbot.live.carry_over import base_rows
from hftbot.live.clock import SystemClock
from hftbot.live.connect import RestBudget, TokenSource, discover
from hftbot.live.control import Control
from hftbot.live.flatten import Flattener, Leaving
from hftbot.live.rest_client import PATIENCE_S
from hftbot.live.session import Session
from hftbot.live.world import World
from hftbot.store.account_lock import locked
from hftbot.store.drain_file import DrainFile
from hftbot.store.halt_file import KillFile
from hftbot.store.journal_file import JournalFile, Row
from hftbot.store.ledger_db import LedgerDb
from hftbot.store.nonce_file import NonceFile, Nonces
from hftbot.store.state_dir import StateDir
from hftbot.timing import LATENCY_TRACKERS
from hftbot.watch import logs as logging_room
from hftbot.watch import report
from hftbot.watch.line_folding import fitted
from hftbot.watch.logs import Logs
from hftbot.watch.recent import RecentNotes
from hftbot.wire.http import HttpClient
from hftbot.wire.link import ConnectBudget, Link
from hftbot.wire.poll import BusyPoll
from hftbot.words.instrument import Instrument

JOURNAL_BYTES = 64 << 20
REPLAY_POLL_S = 0.25
DATA_TOO_SHORT = "the data ended before trading began"
KILLED = "by signal SIGQUIT"


def run_loop(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a coroutine on uvloop where it exists, on asyncio elsewhere."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def run(settings: Settings, options: RunOptions) -> int:
    """``hftbot run``: returns the exit code. Raises HftbotError for what the user can mend."""
    settings = live_venue.adjusted(settings)
    if settings.secrets():
        hardening.forbid_dumps()
    with _early_signals() as early, StateDir(settings.state_dir) as state:
        logs = logging_room.setup(state.log, settings.log_level, settings.log_format == "json",
                                  settings.secrets())
        try:
            crash.send_to(logs.error, logs.redactor)
            return run_loop(lambda: _run(settings, options, state, logs, early))
        finally:
            logs.close()


@contextlib.contextmanager
def _early_signals() -> Iterator[list[str]]:
    """Notes a Ctrl-C until the loop takes it: raised anywhere, some room could swallow it.

    Ctrl-Z does nothing: a bot that is stopped has orders out.
    """
    noted: list[str] = []
    before = signal.signal(signal.SIGINT, lambda _number, _frame: noted.append("SIGINT"))
    paused = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTSTP, paused)


async def _run(settings: Settings, options: RunOptions, state: StateDir, logs: Logs,
               early: list[str]) -> int:
    stop = _StopRequest(state, early)
    if options.job != FLATTEN:
        # Closing what is held is what a human does after a halt.
        halting.refuse_kill(state.path)
    guarding = await Guarding.start(settings, state.path)
    try:
        exchange = await _open(settings, options, state)
        try:
            for secret in exchange.endpoint.secrets():
                logs.redactor.add(secret)
            if options.job != FLATTEN:
                halting.refuse(state.path, *exchange.halt_names)
            with locked(exchange.lock_names):
                return await _trade(settings, options, state, logs, exchange, stop, guarding)
        finally:
            await exchange.release()
    finally:
        await guarding.close()
        stop.close()


async def _open(settings: Settings, options: RunOptions, state: StateDir) -> venues.OpenVenue:
    """The venue of the run; a live one only if all its preconditions hold."""
    if settings.venue != "live":
        return await venues.open_venue(settings, options, state)
    return await live_venue.open_live(settings, state.path, options.job != FLATTEN)


async def _trade(settings: Settings, options: RunOptions, state: StateDir, logs: Logs,
                 exchange: venues.OpenVenue, stop: _StopRequest, guarding: Guarding) -> int:
    """One session on an exchange that is already there."""
    screen = Screening(state.path, _printer(options.json, logs.redactor),
                       wanted=options.job == TRADE and not (options.json or options.plain))
    say = screen.say
    clock = SystemClock()
    endpoint = exchange.endpoint
    instruments = await _instruments(settings, exchange, state, logs)
    job = job_of(settings, options, state.database)
    run_number = state.next_run()
    header = journal_header(settings, run_number, instruments, exchange.journal_account, job.name,
                            clock.now_us())
    journal = JournalFile(state, run_number, JOURNAL_BYTES, header, keep=settings.journal_keep)
    rebuilt = ledger.rebuild_missing(state)
    store = LedgerDb(state.database)
    http = HttpClient(exchange.access.tls)
    nonces = NonceFile(state.path, endpoint.api_key)
    control: Control | None = None
    try:
        recent = RecentNotes(logs, clock.now_us, logs.redactor)
        world = World(settings, instruments, clock, recent, journal.journal, run_number,
                      LATENCY_TRACKERS.trackers)
        go_on = _follow_journal(journal, world)
        if job.strategy is not None:
            world.add_strategy(job.strategy)
        tokens = _tokens(exchange, http, nonces, clock, logs, world.limits.rest)
        left, remarks = carried(state.journal, exchange.journal_account, journal.path, instruments)
        session = Session(world, tokens.fetch, settings.loop_interval_us,
                          settings.order_deadline_us, left)
        reporter, leaving = _onlookers(settings, state, exchange, session, store, logs, screen)
        guarding.attach(session, endpoint, exchange.own, recent)

        def tick(now_us: int) -> None:
            guarding.tick()
            reporter.tick(now_us)
            go_on()

        session.on_tick, session.on_reconciled = tick, reporter.reconciled
        keeper = _keeper(session, exchange, state, logs, screen)
        session.drain_asked = DrainFile(state.path).take
        stop.attach(session)
        job.attach(session, leaving)
        view = View(session, reporter, recent, logs.redactor)
        world.engine.observers.append(view)
        control = control_of(state.path, session, leaving.flattener, reporter, view, logs)
        await control.start()
        say(_banner(settings, options, state, exchange, journal, guarding, (*remarks, *rebuilt)))
        for note in (f"run {run_number} of hftbot {__version__} starts: {exchange.mode}, "
                     f"settings {settings.digest()}", *journal.notes):
            logs.info(note)
        try:
            await _with_links(settings, session, endpoint, options, exchange, screen)
        finally:
            await guarding.leave()
        reporter.finish([str(state.database), str(state.log), str(state.latency_log),
                         str(journal.path)], options.json and options.job == TRADE)
        if session.world.guard.sticky:
            say(halting.told_text(keeper.kept, state.path))
        return job.finish(session, _exit_code(session), options.json, say)
    finally:
        if control is not None:
            await control.close()
        await http.close()
        nonces.close()
        store.close()
        journal.close()
        if journal.failed:
            logs.error(f"{journal.failed}; what it lacks is kept in {journal.hot or journal.path}")


def _keeper(session: Session, exchange: venues.OpenVenue, state: StateDir,
            logs: Logs, screen: Screening) -> halting.HaltKeeper:
    """Halts and kills of this session are kept; what a dry run would send is written down."""
    def tell(text: str) -> None:
        screen.chat(text)
        session.notes.info(text)

    keeper = halting.HaltKeeper(state.path, exchange.journal_account, exchange.own, logs.redactor,
                                exchange.halt_owner)
    keeper.make_room()
    session.on_halt, session.kill_asked = keeper.keep, keeper.kill_asked
    if exchange.access.dry is not None:
        exchange.access.dry.attach(session, tell)
    return keeper


def _tokens(exchange: venues.OpenVenue, http: HttpClient, nonces: NonceFile, clock: SystemClock,
            logs: Logs, budget: RestBudget) -> TokenSource:
    """Where the session's tokens come from; no log ever shows one."""
    endpoint = exchange.endpoint
    return TokenSource(exchange.access.http(http, endpoint.rest_url), endpoint.rest_url,
                       endpoint.api_key, endpoint.api_secret, clock, logs.redactor.add_passing,
                       Nonces(nonces, lambda: clock.now_us() * 1000, logs.warn), budget,
                       PATIENCE_S)


def _onlookers(settings: Settings, state: StateDir, exchange: venues.OpenVenue, session: Session,
               store: LedgerDb, logs: Logs, screen: Screening) -> tuple[Reporter, Leaving]:
    """Who tells people about the session in lines and files, and what ends its positions."""
    reporter = Reporter(settings, exchange.mode, session, store, state.path, screen.say,
                        logs.redactor)
    reporter.account = {"account": exchange.account, "account_own": exchange.own}
    reporter.routine, reporter.chat = logs.info, screen.chat
    session.world.engine.observers.append(reporter)
    leaving = Leaving(Flattener(session.world, session.wait_condition, lambda: session.hurried),
                      settings.on_stop, settings.on_halt)
    session.leaving = reporter.leaving = leaving
    return reporter, leaving


def _banner(settings: Settings, options: RunOptions, state: StateDir, exchange: venues.OpenVenue,
            journal: JournalFile, guarding: Guarding, remarks: Sequence[str]) -> str:
    endpoint = exchange.endpoint
    guardian = "" if exchange.access.dry else guarding.described(endpoint)
    return report.banner(settings, report.BannerFacts(
        mode=exchange.mode, market=exchange.market, latency=exchange.latency,
        state_dir=str(state.path), origin=options.origin, journal=journal.places,
        guardian=guardian, urls=(endpoint.rest_url, endpoint.ws_url),
        fees=exchange.fees_from, base_fees=base_text(settings, exchange.fees_e6),
        notes=(*options.notes, *exchange.notes, *journal.notes, *remarks),
        core="compiled" if fastcore.compiled else "interpreted (slow)"))


async def _instruments(settings: Settings, exchange: venues.OpenVenue, state: StateDir,
                       logs: Logs) -> list[Instrument]:
    """The grids of the run's symbols, as the venue tells them, with the account's fees."""
    if not exchange.fees_e6:
        exchange.fees_e6, exchange.fees_from = await ask_fees(
            exchange.endpoint, settings.symbols, state.path,
            lambda symbol: rates_e6(exchange.fees, symbol), logs.warn)
    fees = exchange.fees_e6
    try:
        grids = await discover(exchange.endpoint.ws_url, exchange.access.connect(),
                               settings.symbols, 0, 0)
        return [replace(grid, maker_fee_e6=fees[grid.symbol][0], taker_fee_e6=fees[grid.symbol][1])
                for grid in grids]
    except TransportError as error:
        raise exchange.explained(error) from None


async def _with_links(settings: Settings, session: Session, endpoint: Endpoint,
                      options: RunOptions, exchange: venues.OpenVenue,
                      screen: Screening) -> None:
    """Keep both links up, and the view, while the session lives."""
    rng = random.Random()
    budget = ConnectBudget()
    session.world.limits.connects = lambda: (
        budget.used(asyncio.get_running_loop().time()), budget.limit)
    poll = BusyPoll(settings.busy_poll)
    tape = MarketTape(options.record, session.feed, session.notes, screen.say)

    def public_frame(view: memoryview, padding: int, recv_ns: int) -> None:
        session.public_frame(view, padding, recv_ns)
        tape.take(view, recv_ns)
        poll.touch(recv_ns)

    public = Link(endpoint.ws_url, rng, on_open=session.public_up, on_frame=public_frame,
                  on_close=session.public_down, budget=budget,
                  connect=exchange.access.connect())
    private = Link(endpoint.ws_auth_url, rng, on_open=session.private_up,
                   on_frame=session.private_frame, on_close=session.private_down,
                   prepare=session.private_prepare, budget=budget,
                   connect=exchange.access.connect(dying.connect(os.environ)))
    level3 = _level3_link(session, exchange, rng, budget)
    note = poll.start()
    if note:
        screen.say(note)
    await screen.start()
    links = [asyncio.ensure_future(_keep(link, session)) for link in (public, private)]
    if session.level3 is not None and level3 is not None:
        links.append(asyncio.ensure_future(session.level3.keep(level3)))
    if exchange.mode == report.MODE_REPLAY:
        links.append(asyncio.ensure_future(_watch_data(endpoint, session)))
    if exchange.child is not None:
        links.append(asyncio.ensure_future(_watch_child(exchange.child, session)))
    # A collection in the middle of a turn costs milliseconds; what is built by now stays.
    gc.collect()
    if hasattr(gc, "freeze"):  # PyPy has none
        gc.freeze()
    try:
        await session.run(options.duration_s)
    finally:
        await screen.close()
        poll.stop()
        tape.close()
        public.stop()
        private.stop()
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)


def _level3_link(session: Session, exchange: venues.OpenVenue, rng: random.Random,
                 budget: ConnectBudget) -> Link | None:
    """The link that level 3 comes by, if the run reads it. Raises ConfigError without address."""
    stream = session.level3
    if stream is None:
        return None
    address = exchange.endpoint.ws_l3_url
    if not address:
        raise ConfigError("LEVEL3_DEPTH: this exchange has no address for level 3; set "
                          "LEVEL3_DEPTH=off")
    return Link(address, rng, on_open=stream.up, on_frame=stream.frame,
                on_close=stream.down, prepare=stream.prepare, budget=budget,
                connect=exchange.access.connect())


async def _keep(link: Link, session: Session) -> None:
    """Run one link; what no reconnect mends stops the session, a defect of ours included."""
    try:
        await link.run()
    except HftbotError as error:
        session.fail(str(error))
    except Exception as error:
        session.fail(f"a frame could not be handled: {type(error).__name__}: {error}")
        raise


async def _watch_child(child: ExchangeChild, session: Session) -> None:
    """An exchange that died under us will not answer again: nothing is left to wait for."""
    how = await child.wait()
    session.lose_venue(f"the embedded exchange ended by itself: {how}")


async def _watch_data(endpoint: Endpoint, session: Session) -> None:
    """A replay ends the run when its data ends; one that never traded has failed."""
    from hftbot.app.children import status
    while True:
        await asyncio.sleep(REPLAY_POLL_S)
        with contextlib.suppress(TransportError):
            if (await status(endpoint.rest_url)).get("finished"):
                session.stop("end of data" if session.begun else
                             f"{DATA_TOO_SHORT}, missing: {session.missing()}")
                return


def _exit_code(session: Session) -> int:
    if session.world.guard.state == 2:
        return EXIT_HALTED
    if not session.verified:
        return EXIT_NOT_VERIFIED
    too_short = session.stop_reason.startswith(DATA_TOO_SHORT)
    return EXIT_FAILED if session.engine.mute or too_short else 0


def _follow_journal(journal: JournalFile, world: World,
                    rows: Callable[[World], Iterable[Row]] = base_rows) -> Callable[[], None]:
    """A copy that fails halts the guard; a halt brings the journal to the disk at once.

    Returns what the timer calls: it goes on in the next file once that is prepared.
    """
    loop = asyncio.get_running_loop()

    def soon(call: Callable[[str], object], text: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(call, text)

    def go_on() -> None:
        if not journal.rotation_due:
            return
        try:
            world.use_journal(journal.rotate(rows(world)))
            world.notes.info(f"the journal goes on in {journal.places}")
        except StoreError as error:
            world.notes.error(f"{error}; the run halts when it is full")

    world.on_halt = journal.sync_soon
    journal.watch(lambda reason: soon(world.guard.journal_failed, reason),
                  lambda text: soon(world.notes.warn, text))
    return go_on


def _printer(json_wanted: bool, redact: Callable[[str], str]) -> Callable[[str], None]:
    """Where lines for people go: standard error if standard output belongs to the JSON."""
    stream = sys.stderr if json_wanted else sys.stdout

    def say(text: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(fitted(redact(text), stream), file=stream, flush=True)

    return say


class _StopRequest:
    """Ctrl-C and SIGTERM: the first asks for an orderly stop, the second hurries it.

    SIGQUIT (Ctrl-\\) is a kill: halt, cancel all, stay halted. A signal before the session exists
    cancels the start.
    """

    def __init__(self, state: StateDir, early: Sequence[str] = ()) -> None:
        self._kill = KillFile(state.path)
        self._session: Session | None = None
        self._early = ""
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._asked, signal.Signals(number).name)
        self._loop.add_signal_handler(signal.SIGQUIT, self._killed)
        for name in early:
            self._asked(name)

    def attach(self, session: Session) -> None:
        """From here on the session decides how to stop.

        A cancelled start may come this far: what it waited for was done at the same moment.
        """
        self._session = session
        if self._early == KILLED:
            self._killed()
        elif self._early:
            self._asked(self._early)

    def close(self) -> None:
        """Give the signals back."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            self._loop.remove_signal_handler(number)

    def _killed(self) -> None:
        if self._session is not None:
            self._session.fail(f"killed: {KILLED}")
            return
        # No session could keep the halt: the next start finds the kill and refuses.
        self._early = KILLED
        self._kill.ask(KILLED)
        if self._task is not None:
            self._task.cancel()

    def _asked(self, name: str) -> None:
        if self._session is not None:
            self._session.stop("Ctrl-C" if name == "SIGINT" else name)
        elif self._task is not None:
            self._early = self._early or name
            self._task.cancel()


def exchange(settings: Settings, options: ExchangeOptions) -> int:
    """``hftbot exchange``: serves until a signal, the end of its bot, or its duration."""
    from hftbot.exchange import server
    if settings.secrets():
        hardening.forbid_dumps()
    if options.fresh:
        with StateDir(settings.state_dir) as state:
            venues.archive(state)
    folder = Path(settings.state_dir).expanduser().absolute() / "exchange"
    told, events = venues.exchange_settings(settings, options, folder)
    tls = serving_context(options.tls_cert, options.tls_key)
    if told.mode == "paper":
        from hftbot.app import following
        return run_loop(lambda: following.serve(settings.kraken_ws_url, settings.kraken_ca_file,
                                                told, tls=tls, duration_s=options.duration_s))
    return run_loop(lambda: server.serve(told, events, tls=tls, duration_s=options.duration_s))

"""The venue of a run: an exchange given by URL, one that still runs, or a new child."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hftbot.app import halting
from hftbot.app.access import Access
from hftbot.app.children import (
    Endpoint,
    ExchangeChild,
    attach,
    find,
    status,
)
from hftbot.app.options import FLATTEN, ExchangeOptions, RunOptions
from hftbot.config.schema import Settings
from hftbot.errors import HftbotError, StoreError, TransportError
from hftbot.exchange.settings import (
    ExchangeSettings,
    Latency,
    Mode,
    replay_listing,
    switched,
)
from hftbot.exchange.state_file import account_market
from hftbot.live.clock import SystemClock
from hftbot.store.halt_file import HaltFile
from hftbot.store.state_dir import StateDir
from hftbot.watch import report

STOP_S = 10.0


@dataclass(slots=True)
class OpenVenue:
    """A venue that answers, and what the banner says of it.

    ``own``: its account lives in the state directory of this run. ``fees_e6`` are the account's
    own fees by symbol, (maker, taker), and ``fees_from`` says in one line where they are from.
    ``lock`` and ``ledger`` name the account for halts and locks, and for the journal; they differ
    in a dry run only. ``owner`` names it by what all its keys have in common, empty if unknown.
    """

    endpoint: Endpoint
    mode: str
    market: str
    latency: str
    fees: str
    own: bool = False
    child: ExchangeChild | None = None
    notes: list[str] = field(default_factory=list)
    access: Access = field(default_factory=Access)
    fees_e6: dict[str, tuple[int, int]] = field(default_factory=dict)
    fees_from: str = ""
    lock: str = ""
    ledger: str = ""
    owner: str = ""

    def explained(self, error: TransportError) -> HftbotError:
        """The error, or why the exchange that we started is gone, if that is the cause."""
        if self.child is None or self.child.alive:
            return error
        return StoreError(f"the embedded exchange ended by itself: {self.child.ending()}")

    @property
    def account(self) -> str:
        """The venue account, as halts name it."""
        return self.lock or halting.account_name("sim", self.endpoint.api_key)

    @property
    def lock_names(self) -> tuple[str, ...]:
        """What two bots of one account would both hold, whichever keys they have."""
        return (self.account, self.owner) if self.owner else (self.account,)

    @property
    def halt_names(self) -> tuple[str, ...]:
        """What a halt that forbids this run may be kept under."""
        return (*self.lock_names, self.journal_account)

    @property
    def halt_owner(self) -> str:
        """Whose every key a halt of this run forbids: a dry run's forbids dry runs only."""
        return "" if self.access.dry else self.owner

    @property
    def journal_account(self) -> str:
        """The account whose positions the journal keeps: a dry run has one of its own."""
        return self.ledger or self.account

    async def release(self) -> None:
        """Stop the exchange if this run started it; one that was found is left to its linger."""
        if self.child is not None:
            await self.child.release()


async def open_venue(settings: Settings, options: RunOptions, state: StateDir) -> OpenVenue:
    """Attach to the exchange by URL, find one of this state directory, or start one."""
    if options.exchange_url is not None:
        endpoint = await attach(options.exchange_url, settings.kraken_api_key,
                                settings.kraken_api_secret)
        if settings.kraken_api_key:
            endpoint.guardian_key = settings.kraken_guardian_api_key
            endpoint.guardian_secret = settings.kraken_guardian_api_secret
        facts = await status(endpoint.rest_url)
        venue = _described(endpoint, facts)
        venue.notes.append("attached to an exchange that was started by hand; it is not stopped")
        return venue
    if options.replay is not None:
        # Refuse a file that is none here, where its error is the user's answer.
        from hftbot.backtest.data import open_events
        open_events(options.replay, symbol=settings.symbols[0])
    found = await find(state.exchange)
    if found is not None:
        facts = await status(found.rest_url)
        wanted = {**wanted_facts(settings, options.replay), "faults": options.faults_seed}
        if not options.fresh and all(facts.get(name) == value for name, value in wanted.items()):
            venue = _described(found, facts)
            venue.own = True
            venue.notes.append("found the exchange of an earlier run still serving")
            return venue
        await _stop(found, state)
    notes = other_market(settings, options, state)
    if options.fresh or notes:
        archive(state)
    child, endpoint = await ExchangeChild.start(
        _arguments(settings, options), settings.environment(), state.path / "exchange.log",
        state.exchange)
    venue = _described(endpoint, await status(endpoint.rest_url))
    venue.child, venue.own = child, True
    venue.notes += notes
    return venue


def other_market(settings: Settings, options: RunOptions, state: StateDir) -> list[str]:
    """Why the account of the last run cannot go on: its prices were those of other data.

    What it holds cost something else there, and its ticks and lots may mean something else. An
    account on paper is for the exchange to refuse, one with a halt for a human to look at, and
    one that is only to be closed stays.
    """
    before = account_market(state.exchange)
    now = _mode(settings, options.replay), _source(settings, options.replay)
    if (before in (None, now) or "paper" in (before[0], now[0]) or options.job == FLATTEN
            or HaltFile(state.path).read()):
        return []
    was = before[1] or "the synthetic market"
    return [f"the account here traded on {was}: it and its journals are kept in "
            f"{state.archive_dir}, this run begins anew"]


def wanted_facts(settings: Settings, replay: str | None) -> dict[str, Any]:
    """What a running exchange must say of itself to be the one that these settings describe."""
    wanted: dict[str, Any] = {"fees": settings.fees, "symbols": list(settings.symbols)}
    if settings.venue == "paper":
        wanted.update(mode="paper", source=_host(settings.kraken_ws_url))
    elif replay is None:
        wanted.update(mode="synthetic", seed=settings.seed)
    else:
        # A replay starts at the beginning of its data.
        wanted.update(mode="restart")
    return wanted


def _described(endpoint: Endpoint, facts: dict[str, Any]) -> OpenVenue:
    modes = {"replay": (report.MODE_REPLAY, "recorded market data, our orders queued in it"),
             "paper": (report.MODE_PAPER, f"{facts.get('source')} as it happens, our orders queued "
                                          "in it; none leaves this machine")}
    mode, market = modes.get(str(facts.get("mode")), (
        report.MODE_SIMULATED,
        f"synthetic order flow, seed {facts.get('seed')}: not a real market"))
    venue = OpenVenue(endpoint, mode, market,
                      str(facts.get("latency", "not told")), str(facts.get("fees", "free")))
    if facts.get("faults") is not None:
        venue.notes.append(f"the venue is faulty on purpose: seed:{facts['faults']}; exchange.log "
                           "tells of each fault as it begins")
    return venue


def _arguments(settings: Settings, options: RunOptions) -> list[str]:
    arguments = ["--with-bot", "--json", "--state", settings.state_dir]
    if options.replay is not None:
        arguments += ["--replay", str(Path(options.replay).absolute())]
    if options.faults_seed is not None:
        arguments += ["--faults", f"seed:{options.faults_seed}"]
    return arguments


async def _stop(endpoint: Endpoint, state: StateDir) -> None:
    """End an exchange that serves something else than what is wanted now."""
    pid = state.exchange_pid()
    if pid:
        os.kill(pid, signal.SIGTERM)
    for _ in range(int(STOP_S / 0.05)):
        try:
            await status(endpoint.rest_url)
        except TransportError:
            if not state.exchange_pid():
                return
        await asyncio.sleep(0.05)
    raise StoreError(f"the exchange at {endpoint.rest_url} (pid {pid}) does not stop; end it and "
                     "run again")


def archive(state: StateDir) -> None:
    """Move journal and account away, together, and the account's halt."""
    moment = halting.moment(SystemClock().now_us())
    state.archive(moment)
    HaltFile(state.path).archive_own(moment)


def _rate_tier(tier: str) -> Any:
    """The embedded account's tier: that of most accounts, if none is asked for."""
    return "intermediate" if tier == "auto" else tier


def _host(url: str) -> str:
    """Whose market paper follows."""
    return urlsplit(url).netloc


def _mode(settings: Settings, replay: str | None) -> Mode:
    """Where the exchange's prices come from."""
    if settings.venue == "paper":
        return "paper"
    return "replay" if replay else "synthetic"


def _source(settings: Settings, replay: str | None) -> str:
    """Whose prices they are: of which host, of which file; empty for our own market."""
    if settings.venue == "paper":
        return _host(settings.kraken_ws_url)
    return str(Path(replay).absolute()) if replay else ""


def exchange_settings(settings: Settings, options: ExchangeOptions,
                      folder: Path) -> tuple[ExchangeSettings, Iterable[Any] | None]:
    """What the embedded exchange is told, and the events that it replays."""
    events: Iterable[Any] | None = None
    listings: tuple[Any, ...] = ()
    if options.replay is not None:
        from hftbot.backtest.data import open_events
        file = open_events(options.replay, symbol=settings.symbols[0])
        listings = (replay_listing(settings.symbols[0], file.tick_size, file.lot_size),)
        events = file.events()
    told = ExchangeSettings(
        state_dir=folder, port=options.port, mode=_mode(settings, options.replay),
        seed=settings.seed, symbols=settings.symbols, listings=listings,
        fees=settings.fees,
        rate_tier=_rate_tier(settings.kraken_tier),
        balances={"USD": settings.sim_balance_usd, "BTC": Decimal(0), "ETH": Decimal(0)},
        latency=Latency(
            network_us=settings.sim_network_us, network_jitter_us=settings.sim_network_jitter_us,
            engine_us=settings.sim_engine_us, engine_jitter_us=settings.sim_engine_jitter_us),
        pace=settings.sim_pace_e6 / 1e6,
        linger_s=settings.linger_us / 1e6, watch_stdin=options.with_bot,
        json_output=options.json, faults_seed=options.faults_seed,
        source=_source(settings, options.replay),
        switches=switched(options.switches))
    return told.check(), events

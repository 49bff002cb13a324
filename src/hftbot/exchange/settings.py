"""What the embedded exchange is told: listings, latency, fees, money, where its state lies."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from hftbot.config.fee_schedules import NAMES as FEE_NAMES
from hftbot.errors import ConfigError
from hftbot.exchange.listings import LISTINGS as LISTINGS
from hftbot.exchange.listings import Listing as Listing
from hftbot.exchange.listings import replay_listing as replay_listing

# How long the venue takes for a public answer, and to check a token.
PUBLIC_ANSWER_US = 50
TOKEN_CHECK_US = 2_000

Mode = Literal["synthetic", "replay"]

# Trading-engine counter per account and pair: threshold, decay per second, open orders per pair.
RATE_TIERS: dict[str, tuple[int, float, int]] = {
    "starter": (60, 1.0, 60), "intermediate": (125, 2.34, 80), "pro": (180, 3.75, 225)}


@dataclass(frozen=True, slots=True)
class Switches:
    """Points of the protocol that no source confirms; both readings can be chosen."""

    # A post-only order that would trade: refused in the ack, or accepted and canceled.
    post_only_reject: Literal["ack", "cancel"] = "ack"
    # A FOK order that cannot be filled: accepted and canceled, or refused in the ack.
    fok_reject: Literal["ack", "cancel"] = "cancel"
    # Whether `new` is reported for an order that never rests.
    new_before_ioc: bool = True
    # `snapshot` (recorded) or `snap_orders`, `snap_trades` (documented) in the executions ack.
    executions_ack: Literal["snapshot", "documented"] = "snapshot"
    # Whether executions may overtake the ack of the order that caused them.
    reports_before_ack: bool = True
    # Whether the engine keeps the order of one connection's requests, which nobody promises.
    requests_in_order: bool = True
    # The fees in REST's AssetPairs: none (recorded 2026) or the schedule (recorded 2023, 2025).
    asset_pairs_fees: Literal["empty", "schedule"] = "empty"
    # What a REST call for past trades or ledger rows costs: 4 (2026) or 2 (older).
    rest_history_cost: Literal["4", "2"] = "4"
    # Reason texts that the documentation leaves open.
    ioc_reason: str = "IOC order not fully filled"
    fok_reason: str = "FOK order not fillable"
    self_trade_reason: str = "Self trade prevention"
    dead_man_reason: str = "Cancel all orders after"
    # A socket without subscriptions: closed when it has been idle (a private one even if it
    # pings), or as soon as it has unsubscribed from its last channel.
    empty_socket: Literal["idle", "close"] = "idle"
    # How long that may last, seconds; 0 for ever.
    idle_close_s: int = 60
    # Requests a second on one connection, 0 for no limit (the venue publishes none), and whether
    # the refusal is the bare text of v1 or an answer to the request.
    messages_per_s: int = 0
    message_rate_error: Literal["bare", "answer"] = "bare"
    # Connection attempts in ten minutes, 0 for no limit.
    connections_per_10_min: int = 150
    # Seconds after which the status is pushed again, 0 for changes only.
    status_every_s: int = 0
    # Whether one connection may read a book at two depths.
    two_depths: bool = False
    # Whether the venue agrees to permessage-deflate.
    permessage_deflate: bool = False
    # Whether nobody trades while the engine is not online.
    modes_stop_trading: bool = True


@dataclass(frozen=True, slots=True)
class Latency:
    """One-way network and engine delays, microseconds; jitter is the mean of an exponential."""

    network_us: int = 1_500
    network_jitter_us: int = 250
    engine_us: int = 1_000
    engine_jitter_us: int = 250

    def text(self) -> str:
        """One line for the banner."""
        return (f"network {self.network_us} us one way (+{self.network_jitter_us} us jitter), "
                f"engine {self.engine_us} us (+{self.engine_jitter_us} us jitter)")


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """Everything that the embedded exchange needs to know. Validated by ``check``."""

    state_dir: pathlib.Path = pathlib.Path("hftbot-state/exchange")
    host: str = "127.0.0.1"
    port: int = 0
    mode: Mode = "synthetic"
    seed: int = 1
    symbols: tuple[str, ...] = ("BTC/USD",)
    # Replaces LISTINGS; needed for replay, where it has exactly one row.
    listings: tuple[Listing, ...] = ()
    # A name of config/fee_schedules.py.
    fees: str = "free"
    balances: dict[str, Decimal] = field(
        default_factory=lambda: {"USD": Decimal(10_000), "BTC": Decimal(0), "ETH": Decimal(0)})
    latency: Latency = field(default_factory=Latency)
    switches: Switches = field(default_factory=Switches)
    # Trading-engine rate counter: off, or a tier of RATE_TIERS.
    rate_tier: Literal["off", "starter", "intermediate", "pro"] = "off"
    # How long to serve on after the bot's pipe closed, seconds.
    linger_s: float = 30.0
    # Watch stdin: end of file means that the bot is gone.
    watch_stdin: bool = False
    # Recorded time runs this many times as fast as the clock (replay).
    pace: float = 1.0
    # A reader that leaves more than this unread is disconnected, frames.
    backlog_frames_max: int = 20_000
    json_output: bool = False
    # The seed of a plan of faults (exchange/faults.py), or None.
    faults_seed: int | None = None

    def listed(self) -> tuple[Listing, ...]:
        """The listings to serve. Raises ConfigError for an unknown symbol."""
        if self.listings:
            return self.listings
        unknown = [symbol for symbol in self.symbols if symbol not in LISTINGS]
        if unknown:
            raise ConfigError(f"SYMBOLS: the embedded exchange lists {', '.join(LISTINGS)}, "
                              f"not {', '.join(unknown)}")
        return tuple(LISTINGS[symbol] for symbol in self.symbols)

    def check(self) -> ExchangeSettings:
        """Raise ConfigError for a setting that cannot be."""
        if self.host not in ("127.0.0.1", "localhost"):
            raise ConfigError(f"the embedded exchange listens on 127.0.0.1 only, not {self.host}")
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port {self.port} is not in 0..65535")
        if self.fees not in FEE_NAMES:
            raise ConfigError(f"FEES: {self.fees!r} is not one of {', '.join(FEE_NAMES)}")
        if not self.pace > 0 or not self.linger_s >= 0:
            raise ConfigError(f"pace {self.pace} must be above 0, linger {self.linger_s} not below")
        if self.mode == "replay" and len(self.listings) != 1:
            raise ConfigError("replay needs exactly one listing with the data's tick and lot")
        if not self.listed():
            raise ConfigError("SYMBOLS: at least one symbol is needed")
        negative = [asset for asset, amount in self.balances.items() if not amount >= 0]
        if negative:
            raise ConfigError(f"balances must not be negative: {', '.join(negative)}")
        return replace(self, host="127.0.0.1")

"""What the embedded exchange is told: listings, latency, fees, money, where its state lies."""

from __future__ import annotations

import difflib
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, Literal, get_args, get_type_hints

from hftbot.config.fee_schedules import NAMES as FEE_NAMES
from hftbot.errors import ConfigError
from hftbot.exchange.listings import LISTINGS as LISTINGS
from hftbot.exchange.listings import Listing as Listing
from hftbot.exchange.listings import replay_listing as replay_listing

# How long the venue takes for a public answer, and to check a token.
PUBLIC_ANSWER_US = 50
# A synthetic book has room for so many orders a side far from the touch.
DEEP_MAX = 3_000
TOKEN_CHECK_US = 2_000

Mode = Literal["synthetic", "replay", "paper"]

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
    # Private REST requests under way at once, 0 for no limit (the venue publishes none).
    rest_together: int = 0
    # Wrong keys or signatures in a row that lock REST for 15 minutes, 0 for never.
    lockout_after: int = 0
    # By how much a nonce may be lower than the last one of its key (the keys' "nonce window").
    nonce_window: int = 0
    # Reason texts that the documentation leaves open.
    ioc_reason: str = "IOC order not fully filled"
    fok_reason: str = "FOK order not fillable"
    self_trade_reason: str = "Self trade prevention"
    dead_man_reason: str = "Cancel all orders after"
    edit_reason: str = "Order replaced"
    funds_reason: str = "Insufficient funds"
    # A socket without subscriptions: closed when it has been idle (a private one even if it
    # pings), or as soon as it has unsubscribed from its last channel.
    empty_socket: Literal["idle", "close"] = "idle"
    # How long that may last, seconds; 0 for ever.
    idle_close_s: int = 60
    # Requests a second on one connection, 0 for no limit (the venue publishes none).
    messages_per_s: int = 0
    # Whether a request beyond that is refused by the bare text of v1 or by an answer.
    message_rate_error: Literal["bare", "answer"] = "bare"
    # Connection attempts in ten minutes, 0 for no limit.
    connections_per_10_min: int = 150
    # Seconds after which the status is pushed again, 0 for changes only.
    status_every_s: int = 0
    # Whether one connection may read a book at two depths.
    two_depths: bool = False
    # Whether the venue agrees to permessage-deflate.
    permessage_deflate: bool = False
    # Orders a side that rest behind the 26 of the synthetic book, for the depths beyond it.
    deep_book: int = 0
    # Whether nobody trades while the engine is not online.
    modes_stop_trading: bool = True
    # How batch_cancel says how many: `orders_cancelled` (recorded) or `count` (documented).
    batch_cancel_answer: Literal["recorded", "documented"] = "recorded"
    # Whether a batch_add of which single orders were refused is a success at its top.
    batch_add_partly: Literal["success", "failure"] = "success"
    # Name of the rate counter in reports of a subscription that asked for it.
    ratecounter_field: Literal["ratecount", "rate_count"] = "ratecount"
    # Who pays the fee if the client does not say: the quote asset (recorded), or the base asset
    # for sells (documented).
    fee_default: Literal["quote", "documented"] = "quote"
    # Whether an order that waits for its trigger holds its money, or is checked when it fires.
    trigger_hold: Literal["placed", "triggered"] = "placed"
    # What cancel_all costs: one per pair (the official client's reckoning), or each order's own.
    cancel_all_cost: Literal["pair", "orders"] = "pair"
    # What an amend that changes nothing is told, before `No amendable parameters`.
    no_op_prefix: Literal["EGeneral:Invalid arguments", "EOrder"] = "EGeneral:Invalid arguments"
    # Status in the report of the trade that completes an order; `filled` follows either way.
    last_trade_status: Literal["partially_filled", "filled"] = "partially_filled"
    # Whether a deadline less than 500 milliseconds ahead is refused or only missed.
    deadline_short: Literal["missed", "refused"] = "missed"
    # What a cancel of an id that cannot be one is told.
    malformed_id: Literal["invalid", "unknown"] = "invalid"


REASON_TEXT = "a text of up to 100 characters"


def switch_values() -> dict[str, tuple[str, ...]]:
    """Every switch and what it can be, the default first; one word stands for any of its kind."""
    hints = get_type_hints(Switches)
    found: dict[str, tuple[str, ...]] = {}
    for each in fields(Switches):
        default: Any = each.default
        if hints[each.name] is bool:
            found[each.name] = ("true", "false") if default else ("false", "true")
        elif words := get_args(hints[each.name]):
            found[each.name] = (default, *(word for word in words if word != default))
        else:
            found[each.name] = (str(default),)
    return found


def whole_switch(text: str, name: str, value: str) -> int:
    """The number of a switch that is one. Raises ConfigError."""
    if not (value.isascii() and value.isdigit()) or len(value) > 9:
        raise ConfigError(f"--switch {text[:80]!r}: {name} is a whole number")
    return int(value)


def switched(texts: Iterable[str]) -> Switches:
    """Switches from NAME=VALUE texts. Raises ConfigError that names what can be said."""
    known = switch_values()
    chosen: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise ConfigError(f"--switch {text[:80]!r}: expected NAME=VALUE, where NAME is one of "
                              f"{', '.join(known)}")
        words = known[name]
        if len(words) > 1 and value not in words:
            raise ConfigError(f"--switch {text[:80]!r}: {name} is one of {', '.join(words)}")
        if not value or len(value) > 100 or not value.isprintable():
            raise ConfigError(f"--switch {text[:80]!r}: {name} is {REASON_TEXT}")
        if isinstance(getattr(Switches(), name), bool):
            chosen[name] = value == "true"
        elif isinstance(getattr(Switches(), name), int):
            chosen[name] = whole_switch(text, name, value)
        else:
            chosen[name] = value
    return Switches(**chosen)


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
    # Replaces LISTINGS; needed for replay, where it has exactly one row, and for paper.
    listings: tuple[Listing, ...] = ()
    # Whose market a paper exchange follows.
    source: str = ""
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
        if self.mode == "paper":
            # The followed venue says what it lists.
            return ()
        if unknown:
            near = difflib.get_close_matches(unknown[0], LISTINGS, n=1)
            raise ConfigError(f"SYMBOLS: the embedded exchange does not list {', '.join(unknown)}"
                              + (f"; did you mean {near[0]}?" if near else "")
                              + f" (`hftbot markets` shows its {len(LISTINGS)})")
        return tuple(LISTINGS[symbol] for symbol in self.symbols)

    def check(self) -> ExchangeSettings:
        """Raise ConfigError for a setting that cannot be."""
        if self.host not in ("127.0.0.1", "localhost"):
            raise ConfigError(f"the embedded exchange listens on 127.0.0.1 only, not {self.host}")
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port {self.port} is not in 0..65535")
        if self.fees not in FEE_NAMES:
            raise ConfigError(f"FEES: {self.fees!r} is not one of {', '.join(FEE_NAMES)}")
        if not 0 <= self.switches.deep_book <= DEEP_MAX:
            raise ConfigError(f"deep_book {self.switches.deep_book} is not in 0..{DEEP_MAX}")
        if not self.pace > 0 or not self.linger_s >= 0:
            raise ConfigError(f"pace {self.pace} must be above 0, linger {self.linger_s} not below")
        if self.mode == "replay" and len(self.listings) != 1:
            raise ConfigError("replay needs exactly one listing with the data's tick and lot")
        if self.mode != "paper" and not self.listed():
            raise ConfigError("SYMBOLS: at least one symbol is needed")
        negative = [asset for asset, amount in self.balances.items() if not amount >= 0]
        if negative:
            raise ConfigError(f"balances must not be negative: {', '.join(negative)}")
        return replace(self, host="127.0.0.1")

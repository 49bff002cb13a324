"""What the embedded exchange is told: listings, latency, fees, money, where its state lies."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, Literal, get_args, get_type_hints

from hftbot.errors import ConfigError

# How long the venue takes for a public answer, and to check a token.
PUBLIC_ANSWER_US = 50
TOKEN_CHECK_US = 2_000

FeeSchedule = Literal["free", "kraken"]
Mode = Literal["synthetic", "replay"]

# Public schedule, base tier: maker 0.25 %, taker 0.40 %, in millionths.
FEES_E6: dict[str, tuple[int, int]] = {"free": (0, 0), "kraken": (2500, 4000)}
# Trading-engine counter per account and pair: threshold, decay per second, open orders per pair.
RATE_TIERS: dict[str, tuple[int, float, int]] = {
    "starter": (60, 1.0, 60), "intermediate": (125, 2.34, 80), "pro": (180, 3.75, 225)}


@dataclass(frozen=True, slots=True)
class Listing:
    """One pair as the venue lists it.

    ``tick_units`` is the price increment in 10**-price_precision, ``lot_units`` the size increment
    in 10**-qty_precision. ``start_ticks`` and ``lot_scale`` (lots of a typical level) shape the
    synthetic market.
    """

    symbol: str
    price_precision: int
    qty_precision: int
    tick_units: int = 1
    lot_units: int = 1
    lots_min: int = 1
    cost_min: Decimal = Decimal("0.5")
    start_ticks: int = 0
    lot_scale: int = 1

    @property
    def base(self) -> str:
        """Asset that is bought and sold."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """Asset that pays."""
        return self.symbol.partition("/")[2]

    @property
    def grid(self) -> list[int]:
        """What ticks and lots mean."""
        return [self.price_precision, self.qty_precision, self.tick_units, self.lot_units]

    @property
    def value_exponent(self) -> int:
        """Decimals of price times size."""
        return self.price_precision + self.qty_precision


LISTINGS: dict[str, Listing] = {
    "BTC/USD": Listing("BTC/USD", 1, 8, lots_min=5_000, start_ticks=600_000,
                       lot_scale=12_000_000),
    "ETH/USD": Listing("ETH/USD", 2, 8, lots_min=200_000, start_ticks=250_000,
                       lot_scale=280_000_000),
}


def replay_listing(symbol: str, tick_size: Decimal, lot_size: Decimal) -> Listing:
    """The listing of recorded data: the data's own tick and lot.

    Raises ConfigError if they are not positive decimals or too fine for exact money.
    """
    precisions = []
    for name, step in (("tick", tick_size), ("lot", lot_size)):
        if not step.is_finite() or step <= 0:
            raise ConfigError(f"{symbol}: {name} size {step} is not a positive number")
        exponent = step.normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        precisions.append(max(0, -exponent))
    price, qty = precisions
    if price + qty > 10:
        raise ConfigError(f"{symbol}: tick {tick_size} and lot {lot_size} are finer than 1e-10 "
                          "together")
    lots_min = max(1, math.ceil(Decimal("0.00001") / lot_size))
    return Listing(symbol, price, qty, int(tick_size.scaleb(price)), int(lot_size.scaleb(qty)),
                   lots_min)


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
    # Reason texts that the documentation leaves open.
    ioc_reason: str = "IOC order not fully filled"
    fok_reason: str = "FOK order not fillable"
    self_trade_reason: str = "Self trade prevention"
    dead_man_reason: str = "Cancel all orders after"
    edit_reason: str = "Order replaced"
    funds_reason: str = "Insufficient funds"
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
    # Replaces LISTINGS; needed for replay, where it has exactly one row.
    listings: tuple[Listing, ...] = ()
    fees: FeeSchedule = "free"
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
        if self.fees not in FEES_E6:
            raise ConfigError(f"FEES: {self.fees!r} is not one of {', '.join(FEES_E6)}")
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

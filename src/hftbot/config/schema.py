"""Every setting, declared once: its name in files, its range, its unit, its default, its help.

The names in files end in the unit that people type (``_MS``, ``_S``, ``_PCT``); the attributes of
``Settings`` end in the unit that the house uses (``_us``, ``_e6``). The kind converts, once, here.
"""

# A key is declared by a call that returns a dataclass field, which RUF009 cannot know.
# ruff: noqa: RUF009
from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from functools import cache
from typing import Any

from hftbot.config.fee_schedules import NAMES as FEE_NAMES
from hftbot.config.key import E6 as _E6
from hftbot.config.key import US_PER_MS as _US_PER_MS
from hftbot.config.key import US_PER_S as _US_PER_S
from hftbot.config.key import Key
from hftbot.config.key import key as _key
from hftbot.config.key import number as _number
from hftbot.config.key import usd as _usd
from hftbot.config.kinds import (
    Choice,
    Flag,
    Hours,
    SecretText,
    Symbols,
    Text,
    Url,
)
from hftbot.config.schema_strategy import StrategySettings
from hftbot.errors import ConfigError
from hftbot.words.secret import Secret

# Other venues' secrets, which come later: allowed in a file, guarded like ours, used by nothing.
SECRETS_LATER = (
    "HYPERLIQUID_PK", "HYPERLIQUID_PRIVATE_KEY", "HYPERLIQUID_TESTNET_PK", "POLYMARKET_PK",
    "POLYMARKET_API_KEY", "POLYMARKET_API_SECRET", "POLYMARKET_PASSPHRASE", "PK",
)
_KEY_FILE = Text("the path of a file", optional=True)
_LOGIN = re.compile(r"//[^/@]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StrategySettings):
    """Everything that a run is told. Frozen; ``digest()`` names it without its secrets.

    Units are in the names: ``_us`` microseconds, ``_e6`` millionths, ``_usd`` Decimal dollars,
    ``_bps`` hundredths of a percent.
    """

    venue: str = _key(
        "VENUE", Choice(("sim", "paper", "live")),
        "sim", "run", "sim is the embedded exchange: no key, no network; paper: it follows the "
        "real market of KRAKEN_WS_URL, and no order leaves this machine")
    strategy: str = _key(
        "STRATEGY", Text("a name such as micro_scalper, or path/to/file.py:Class"),
        "micro_scalper", "run", "who speaks: a built-in name or a class in your own file")
    symbols: tuple[str, ...] = _key(
        "SYMBOLS", Symbols(), "BTC/USD", "run", "what is subscribed and traded, nothing else is")
    dry_run: bool = _key(
        "DRY_RUN", Flag(), "1", "run", "1: no order leaves for a venue outside this machine")
    loop_interval_us: int = _key(
        "LOOP_INTERVAL_MS", _number("1", "60000", "ms", _US_PER_MS), "50", "run",
        "how often timers run; book events never wait for it")
    quote_refresh_ttl_us: int = _key(
        "QUOTE_REFRESH_TTL_MS", _number("1", "3600000", "ms", _US_PER_MS), "500", "run",
        "how long an intent stays valid; older ones are never sent")
    max_orders_per_min: int = _key(
        "MAX_ORDERS_PER_MIN", _number("2", "6000", "messages a minute"), "100", "run",
        "orders, amends and cancels together; cancels keep a reserved share")
    trading_hours: tuple[tuple[int, int], ...] = _key(
        "TRADING_HOURS", Hours(), "", "run",
        "when entries are allowed, UTC; exits always are; empty: always")
    order_deadline_us: int = _key(
        "ORDER_DEADLINE_MS", _number("500", "60000", "ms", _US_PER_MS), "5000", "run",
        "the venue drops an order that reaches its engine later than this")
    busy_poll: str = _key(
        "BUSY_POLL", Choice(("off", "on", "adaptive")), "adaptive", "run",
        "spin for the next frame instead of sleeping; needs two processors")
    on_stop: str = _key(
        "ON_STOP", Choice(("hold", "flatten")), "hold", "run",
        "at an orderly end positions are kept, or closed by IOC inside the collar")
    on_halt: str = _key(
        "ON_HALT", Choice(("hold", "flatten")), "hold", "run",
        "the same at a halt")
    holdings: str = _key(
        "HOLDINGS", Choice(("leave", "adopt")), "leave", "run",
        "live: coins that this bot did not buy are left alone, or become its position")
    guardian: bool = _key(
        "GUARDIAN", Flag(), "1", "run",
        "a second process cancels everything if this one dies or stops beating")
    guardian_limit_us: int = _key(
        "GUARDIAN_LIMIT_S", _number("0.5", "50", "s", _US_PER_S), "10", "run",
        "how long the guardian waits for a beat")
    state_dir: str = _key(
        "STATE_DIR", Text("a directory"), "hftbot-state", "run",
        "journal, database, log, account of the embedded exchange")
    journal_keep: int = _key(
        "JOURNAL_KEEP", _number("1", "65535"), "20", "run",
        "files of earlier journals that are kept; older ones go once a newer one stands alone")

    order_value_usd_max: Decimal = _key(
        "ORDER_VALUE_USD_MAX", _usd("0.5", "10000000"), "1500", "risk", "value of one order")
    position_usd_max: Decimal = _key(
        "POSITION_USD_MAX", _usd("0.5", "10000000"), "1200", "risk",
        "position in one market, with working and doubtful orders")
    gross_usd_max: Decimal = _key(
        "GROSS_USD_MAX", _usd("0.5", "100000000"), "2500", "risk", "all markets together")
    open_orders_max: int = _key(
        "OPEN_ORDERS_MAX", _number("1", "1000"), "20", "risk", "orders that are not done")
    loss_usd_day_max: Decimal = _key(
        "LOSS_USD_DAY_MAX", _usd("0.01", "1000000"), "25", "risk",
        "loss since midnight UTC at which only exits are allowed")
    collar_bps: int = _key(
        "COLLAR_BPS", _number("1", "5000", "bps"), "300", "risk",
        "how far from the market an order may be priced")
    drift_bps: int = _key(
        "DRIFT_BPS", _number("1", "10000", "bps"), "500", "risk",
        "a market that moves further within DRIFT_WINDOW_S is not traded")
    drift_window_us: int = _key(
        "DRIFT_WINDOW_S", _number("0.1", "3600", "s", _US_PER_S), "10", "risk",
        "the window of DRIFT_BPS")
    book_silence_us: int = _key(
        "BOOK_SILENCE_MS", _number("10", "60000", "ms", _US_PER_MS), "2000", "risk",
        "a market link silent for longer is not traded on")
    fills_in_row_max: int = _key(
        "FILLS_IN_ROW_MAX", _number("1", "10000"), "50", "risk",
        "fills in a row that each add to a position, before entries stop")
    same_order_window_us: int = _key(
        "SAME_ORDER_WINDOW_MS", _number("0", "60000", "ms", _US_PER_MS), "50", "risk",
        "the same order again within this time is refused")
    breaker_failures: int = _key(
        "BREAKER_FAILURES", _number("0", "1000"), "5", "risk",
        "failures of the venue in a row after which only exits are sent; 0: never",
        aliases=("MAX_CONSECUTIVE_FAILURES",))
    breaker_cooldown_us: int = _key(
        "BREAKER_COOLDOWN_S", _number("1", "86400", "s", _US_PER_S), "300", "risk",
        "how long the breaker stays open before one order is tried")
    kill_latency_us: int = _key(
        "KILL_LATENCY_US", _number("0", "60000000", "us"), "0", "risk",
        "orders answered more slowly than this, on average, halt the bot; 0: never")
    kill_latency_after_us: int = _key(
        "KILL_LATENCY_AFTER_S", _number("0", "3600", "s", _US_PER_S), "10", "risk",
        "for how long they have to be that slow")
    blind_max_us: int = _key(
        "BLIND_MAX_S", _number("0", "86400", "s", _US_PER_S), "60", "risk",
        "without private feed for longer, with orders or positions, the bot halts; 0: never")
    book_depth: str = _key(
        "BOOK_DEPTH", Choice(("10", "25", "100", "500", "1000")), "10", "market",
        "levels a side of each book; the venue's checksum covers ten of them")
    ticker: str = _key(
        "TICKER", Choice(("off", "trades", "bbo")), "off", "market",
        "read the venue's 24-hour summary: after each trade, or when the best price moves")
    candles: str = _key(
        "CANDLES", Choice(("off", "1", "5", "15", "30", "60", "240", "1440", "10080", "21600")),
        "off", "market", "read the venue's candles of so many minutes")
    level3_depth: str = _key(
        "LEVEL3_DEPTH", Choice(("off", "10", "100", "1000")), "off", "market",
        "read the book order by order, to know what stands before ours; a connection and a token "
        "of its own")
    book_quiet_us: int = _key(
        "BOOK_QUIET_S", _number("0", "3600", "s", _US_PER_S), "30", "risk",
        "a book without an update for this long is asked for afresh; 0: never")

    seed: int = _key(
        "SEED", _number("0", "9007199254740991"), "1", "sim", "seed of the synthetic market")
    fees: str = _key(
        "FEES", Choice(FEE_NAMES), "free", "sim",
        "fees of the embedded account: none, Kraken's public schedule, or its tier of this volume")
    sim_balance_usd: Decimal = _key(
        "SIM_BALANCE_USD", _usd("1", "1000000000"), "10000", "sim",
        "what a new embedded account starts with")
    sim_network_us: int = _key(
        "SIM_NETWORK_US", _number("0", "10000000", "us"), "1500", "sim",
        "delay on the simulated network, each way")
    sim_network_jitter_us: int = _key(
        "SIM_NETWORK_JITTER_US", _number("0", "10000000", "us"), "250", "sim",
        "mean of the random part that is added to it")
    sim_engine_us: int = _key(
        "SIM_ENGINE_US", _number("0", "10000000", "us"), "1000", "sim",
        "time that the simulated matching engine takes for an order")
    sim_engine_jitter_us: int = _key(
        "SIM_ENGINE_JITTER_US", _number("0", "10000000", "us"), "250", "sim",
        "mean of the random part that is added to it")
    sim_pace_e6: int = _key(
        "SIM_PACE", _number("0.01", "1000", "times", _E6), "1", "sim",
        "recorded time runs this many times as fast as the clock")
    linger_us: int = _key(
        "LINGER_S", _number("0", "86400", "s", _US_PER_S), "30", "sim",
        "how long the embedded exchange outlives a bot that died")

    kraken_rest_url: str = _key(
        "KRAKEN_REST_URL", Url("http", "https"), "https://api.kraken.com", "kraken", "REST")
    kraken_ws_url: str = _key(
        "KRAKEN_WS_URL", Url("ws", "wss"), "wss://ws.kraken.com/v2", "kraken",
        "public WebSocket, version 2")
    kraken_ws_auth_url: str = _key(
        "KRAKEN_WS_AUTH_URL", Url("ws", "wss"), "wss://ws-auth.kraken.com/v2", "kraken",
        "private WebSocket, version 2")
    kraken_ws_l3_url: str = _key(
        "KRAKEN_WS_L3_URL", Url("ws", "wss"), "wss://ws-l3.kraken.com/v2", "kraken",
        "WebSocket of single orders (level 3), version 2")
    kraken_ca_file: str = _key(
        "KRAKEN_CA_FILE", Text("the path of a file", optional=True), "", "kraken",
        "PEM certificates that prove the venue, instead of the system's")
    kraken_tier: str = _key(
        "KRAKEN_TIER", Choice(("auto", "starter", "intermediate", "pro", "off")), "auto", "kraken",
        "tier of the account, for its rate limits; auto: what the venue tells; off: not counted")
    kraken_api_key: Secret = _key(
        "KRAKEN_API_KEY", SecretText(), "", "kraken", "key with query and trade rights, no more",
        aliases=("KRAKEN_SPOT_API_KEY",))
    kraken_api_secret: Secret = _key(
        "KRAKEN_API_SECRET", SecretText(base64=True), "", "kraken", "the key's private half",
        aliases=("KRAKEN_SPOT_API_SECRET",))
    kraken_guardian_api_key: Secret = _key(
        "KRAKEN_GUARDIAN_API_KEY", SecretText(), "", "kraken",
        "the guardian's own key, with the rights to query and to cancel; else it uses the other")
    kraken_guardian_api_secret: Secret = _key(
        "KRAKEN_GUARDIAN_API_SECRET", SecretText(base64=True), "", "kraken",
        "its private half")

    kraken_api_key_file: str = _key(
        "KRAKEN_API_KEY_FILE", _KEY_FILE, "", "secrets",
        "file with mode 600 that holds KRAKEN_API_KEY on one line",
        aliases=("KRAKEN_SPOT_API_KEY_FILE",))
    kraken_api_secret_file: str = _key(
        "KRAKEN_API_SECRET_FILE", _KEY_FILE, "", "secrets",
        "file with mode 600 that holds KRAKEN_API_SECRET on one line",
        aliases=("KRAKEN_SPOT_API_SECRET_FILE",))
    kraken_guardian_api_key_file: str = _key(
        "KRAKEN_GUARDIAN_API_KEY_FILE", _KEY_FILE, "", "secrets",
        "file with mode 600 that holds KRAKEN_GUARDIAN_API_KEY on one line")
    kraken_guardian_api_secret_file: str = _key(
        "KRAKEN_GUARDIAN_API_SECRET_FILE", _KEY_FILE, "", "secrets",
        "file with mode 600 that holds KRAKEN_GUARDIAN_API_SECRET on one line")
    keyring: bool = _key(
        "KEYRING", Flag(), "0", "secrets",
        "1: ask the system's keyring, service hftbot, for keys that no file holds")

    log_format: str = _key(
        "LOG_FORMAT", Choice(("text", "json")), "text", "watch", "lines of bot_hft.log")
    log_level: str = _key(
        "LOG_LEVEL", Choice(("debug", "info", "warn", "error")), "info", "watch",
        "the least important line that is kept")
    report_interval_us: int = _key(
        "REPORT_INTERVAL_S", _number("1", "86400", "s", _US_PER_S), "30", "watch",
        "how often the latency report is printed")
    reconcile_interval_us: int = _key(
        "RECONCILE_INTERVAL_S", _number("1", "86400", "s", _US_PER_S), "300", "risk",
        "how often positions and open orders are compared with the venue's own")
    progress_interval_us: int = _key(
        "PROGRESS_INTERVAL_S", _number("0.1", "86400", "s", _US_PER_S), "5", "watch",
        "how often a progress line is printed")

    secrets_later: tuple[Secret, ...] = field(default=(), compare=False, repr=False)

    def secrets(self) -> list[Secret]:
        """Every secret that was loaded, for the redaction of logs."""
        ours = [getattr(self, key.attribute) for key in keys().values() if key.secret]
        return [secret for secret in (*ours, *self.secrets_later) if secret]

    def texts(self) -> dict[str, str]:
        """NAME to the text that a file would hold; secrets as ***."""
        return {key.name: key.kind.text(getattr(self, key.attribute)) for key in keys().values()}

    def environment(self) -> dict[str, str]:
        """HFTBOT__NAME variables that give a child process the same settings.

        Secrets are left out, and so is where they are kept. So is ORDER_SIZE_USD where the size
        is a percentage: it stands at its default then, and nobody may say both.
        """
        told = {f"HFTBOT__{key.name}": key.kind.text(getattr(self, key.attribute))
                for key in keys().values() if not (key.secret or key.group == "secrets")}
        if self.order_size_pct_e6:
            del told["HFTBOT__ORDER_SIZE_USD"]
        return told

    def digest(self) -> str:
        """16 hex digits that name this configuration; secrets and their places have no part."""
        lines = (f"{name}={text}\n" for name, text in sorted(self.texts().items())
                 if not (keys()[name].secret or keys()[name].group == "secrets"))
        return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


@cache
def keys() -> Mapping[str, Key]:
    """All keys by their name in files, in the order of the schema."""
    return {key.name: key for key in _declared()}


def _declared() -> Iterator[Key]:
    for item in fields(Settings):
        if "key" in item.metadata:
            key: Key = item.metadata["key"]
            yield Key(key.name, key.kind, key.default, key.group, key.help, item.name,
                      key.aliases, key.later, key.secret)


@cache
def _by_any_name() -> Mapping[str, Key]:
    return {name: key for key in keys().values() for name in (key.name, *key.aliases)}


def find(name: str) -> Key | None:
    """The key of a name or of an alias, in either case; None if there is none."""
    return _by_any_name().get(name.strip().upper())


def groups() -> list[str]:
    """The sections that a TOML or JSON file may use."""
    return list(dict.fromkeys(key.group for key in keys().values()))


def nearest(name: str, known: Iterator[str] | list[str] | None = None) -> str:
    """The known name that looks most like this one, or the empty string."""
    names = list(known) if known is not None else list(_by_any_name())
    upper = {each.upper(): each for each in names}
    found = difflib.get_close_matches(name.strip().upper(), list(upper), n=1, cutoff=0.5)
    return upper[found[0]] if found else ""


def parse(key: Key, text: str, source: str) -> Any:
    """The value of a key. Raises ConfigError naming key, value, source and range."""
    try:
        return key.kind.parse(text)
    except ValueError as reason:
        shown = "***" if key.secret else _shortened(text)
        raise ConfigError(f"{key.name}={shown} ({source}) is not allowed: {reason}") from None


def unknown(name: str, source: str) -> ConfigError:
    """What to say about a key that nobody knows. The value is not repeated: it may be a secret."""
    guess = nearest(name)
    remedy = f"; did you mean {guess}?" if guess else "; `hftbot config keys` lists them"
    return ConfigError(f"unknown key {_shortened(name)} ({source}){remedy}")


def check(settings: Settings, source_of: Mapping[str, str]) -> None:
    """Refuse settings that contradict each other. Raises ConfigError naming both."""

    def refuse(first: str, second: str, reason: str) -> None:
        texts = settings.texts()
        sides = " and ".join(f"{name}={texts[name]} ({source_of.get(name, 'default')})"
                             for name in (first, second))
        raise ConfigError(f"{sides} cannot both hold: {reason}")

    if settings.order_size_usd > settings.order_value_usd_max:
        refuse("ORDER_SIZE_USD", "ORDER_VALUE_USD_MAX", "every entry would be denied")
    if settings.order_size_usd > settings.position_usd_max:
        refuse("ORDER_SIZE_USD", "POSITION_USD_MAX", "every entry would be denied")
    if settings.order_size_usd > settings.gross_usd_max:
        refuse("ORDER_SIZE_USD", "GROSS_USD_MAX", "every entry would be denied")
    if settings.guardian and settings.loop_interval_us * 4 > settings.guardian_limit_us:
        refuse("LOOP_INTERVAL_MS", "GUARDIAN_LIMIT_S", "the timer beats for the guardian, which "
               "would take a slow one for a dead bot")
    if bool(settings.kraken_guardian_api_key) != bool(settings.kraken_guardian_api_secret):
        raise ConfigError("KRAKEN_GUARDIAN_API_KEY and KRAKEN_GUARDIAN_API_SECRET belong together")
    if settings.min_hold_us > settings.max_hold_us:
        refuse("MIN_HOLD_S", "MAX_HOLD_S", "the forced exit would come first")
    if settings.entries_in_flight > settings.orders_in_flight:
        refuse("ENTRIES_IN_FLIGHT", "ORDERS_IN_FLIGHT", "an entry is an order")
    if settings.order_size_pct_e6 and source_of.get("ORDER_SIZE_USD", "default") != "default":
        refuse("ORDER_SIZE_USD", "ORDER_SIZE_PCT", "each says how large an entry is")
    if settings.min_profit_e6 > settings.profit_target_e6:
        refuse("MIN_PROFIT_PCT", "PROFIT_TARGET_PCT", "the target would come first")


def _shortened(text: str) -> str:
    line = _LOGIN.sub("//***@", text if text.isprintable() else repr(text)[1:-1])
    return line if len(line) <= 60 else line[:57] + "..."

"""What a command was asked to do this once, beside the settings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from hftbot.config.kinds import is_loopback
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError

TRADE, FLATTEN, LIVETEST = "run", "flatten", "livetest"
_EXCHANGE_URL = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of ``hftbot run``. ``duration_s`` None means until Ctrl-C or the end of data.

    ``plain``: lines instead of the live view, also on a terminal. ``job`` is what the session is
    for, ``only`` the symbols of a flatten (none: all). ``origin`` says in one line where the
    settings came from, ``notes`` what the user should know. ``record`` is a new file for the
    market's frames.
    """

    duration_s: float | None = None
    replay: str | None = None
    record: str | None = None
    exchange_url: str | None = None
    faults_seed: int | None = None
    json: bool = False
    plain: bool = False
    fresh: bool = False
    live: bool = False
    job: str = TRADE
    only: tuple[str, ...] = ()
    origin: str = "defaults"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeOptions:
    """Options of ``hftbot exchange``.

    ``with_bot``: serve until standard input closes, then LINGER_S more; otherwise until a signal.
    ``switches`` are NAME=VALUE texts of the venue's unconfirmed points.
    """

    port: int = 0
    tls_cert: str = ""
    tls_key: str = ""
    duration_s: float | None = None
    faults_seed: int | None = None
    replay: str | None = None
    json: bool = False
    fresh: bool = False
    with_bot: bool = False
    switches: tuple[str, ...] = ()
    origin: str = "defaults"
    notes: tuple[str, ...] = ()


def check_run(settings: Settings, options: RunOptions) -> None:
    """Refuse a run whose flags and settings contradict each other. Raises ConfigError."""
    if options.exchange_url is not None:
        check_exchange(options.exchange_url)
    if options.record is not None:
        _check_record(options.record)
    if settings.venue == "live":
        _check_live(settings, options)
    elif options.live:
        raise ConfigError("--live needs VENUE=live")
    if settings.venue == "paper":
        for flag, given in (("--replay", options.replay), ("--exchange", options.exchange_url)):
            if given is not None:
                raise ConfigError(f"--venue paper and {flag} exclude each other: paper has its "
                                  "prices from KRAKEN_WS_URL")
    if options.replay is not None and len(settings.symbols) != 1:
        raise ConfigError(f"--replay plays one market, but SYMBOLS={','.join(settings.symbols)}")
    if settings.venue == "sim" and options.replay is None and options.exchange_url is None:
        # The exchange would refuse them too, but only once it was started for nothing.
        from hftbot.exchange.settings import ExchangeSettings
        ExchangeSettings(symbols=settings.symbols).listed()
    if options.faults_seed is not None and options.exchange_url is not None:
        raise ConfigError("--faults and --exchange exclude each other: give --faults to the "
                          "exchange that you start yourself")
    if options.replay is not None and options.exchange_url is not None:
        raise ConfigError("--replay and --exchange exclude each other: give --replay to the "
                          "`hftbot exchange` that serves the URL")


def _check_record(path: str) -> None:
    if os.path.lexists(path):
        raise ConfigError(f"--record {path}: something is there already; a recording begins a new "
                          "file")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise ConfigError(f"--record {path}: there is no directory {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"--record {path}: nothing can be written into {folder}")


def check_exchange(url: str) -> None:
    """Refuse what is no address of an exchange on this machine. Raises ConfigError."""
    found = _EXCHANGE_URL.fullmatch(url)
    if found is None:
        raise ConfigError(f"--exchange {url[:80]!r}: must be an address such as "
                          "http://127.0.0.1:8080, as `hftbot exchange` prints it")
    if not is_loopback(found[1]):
        raise ConfigError(f"--exchange {url[:80]}: the embedded exchange is on this machine; its "
                          "host is 127.0.0.1")
    if found[2] is not None and not 0 < int(found[2]) < 65536:
        raise ConfigError(f"--exchange {url[:80]}: a port is from 1 to 65535")


def _check_live(settings: Settings, options: RunOptions) -> None:
    if not options.live:
        raise ConfigError("VENUE=live risks real money and needs --live on the command line too")
    for flag, given in (("--replay", options.replay), ("--exchange", options.exchange_url),
                        ("--faults", options.faults_seed)):
        if given is not None:
            raise ConfigError(f"--live and {flag} exclude each other")
    if options.fresh:
        raise ConfigError("--live and --fresh exclude each other: a real account cannot be begun "
                          "anew, and its journal says what the bot holds there")
    from hftbot.app.live_venue import check_settings
    check_settings(settings)
    if settings.dry_run and options.job != TRADE:
        raise ConfigError(f"DRY_RUN=1: `hftbot {options.job} --live` changes the real account and "
                          "needs DRY_RUN=0")

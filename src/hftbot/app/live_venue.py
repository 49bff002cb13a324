"""A real venue: the keys' account on the addresses of the settings, once every precondition holds.

Real money moves only with all of these: ``--live`` on the command line, DRY_RUN=0, keys that can
trade and cannot withdraw, encrypted addresses, a clock that is right, fees that are known, and no
halt. Each one that is missing is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from hftbot.app import halting
from hftbot.app.access import Access, tls_context
from hftbot.app.children import Endpoint
from hftbot.app.fees import rates_text
from hftbot.app.venue import OpenVenue
from hftbot.config.kinds import is_loopback
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError
from hftbot.live.clock import SystemClock
from hftbot.live.dry_run import DryRun
from hftbot.live.preconditions import Finding, Found, Inspector
from hftbot.live.rest_client import PATIENCE_S, RestClient
from hftbot.store.nonce_file import NonceFile, Nonces
from hftbot.watch import report
from hftbot.wire.http import HttpClient
from hftbot.words.secret import Secret

ADDRESSES = ("KRAKEN_REST_URL", "KRAKEN_WS_URL", "KRAKEN_WS_AUTH_URL", "KRAKEN_WS_L3_URL")
PRODUCTION = "real"
Say = Callable[[str], None]


def adjusted(settings: Settings) -> Settings:
    """A dry run leaves nothing open, and a guardian would cancel what is not ours: it has none."""
    if settings.venue == "live" and settings.dry_run:
        return replace(settings, guardian=False)
    return settings


def check_settings(settings: Settings) -> None:
    """What can be refused without asking anybody. Raises ConfigError naming the setting."""
    for name, secret in (("KRAKEN_API_KEY", settings.kraken_api_key),
                         ("KRAKEN_API_SECRET", settings.kraken_api_secret)):
        if not secret:
            raise ConfigError(f"--live needs {name}, in the environment or in a .env file with "
                              "mode 600")
    urls = addresses(settings)
    for name, url in urls.items():
        if urlsplit(url).scheme not in ("https", "wss"):
            raise ConfigError(f"--live needs an encrypted {name}, and {url} is none: https:// or "
                              "wss://")
    here = {name: is_loopback(urlsplit(url).hostname or "") for name, url in urls.items()}
    if len(set(here.values())) > 1:
        inside = ", ".join(name for name, loopback in here.items() if loopback)
        raise ConfigError(f"--live: {inside} is this machine and the other addresses are not: one "
                          "venue has all of them")


def addresses(settings: Settings) -> dict[str, str]:
    """The venue's addresses by the name of their setting."""
    return dict(zip(ADDRESSES, (settings.kraken_rest_url, settings.kraken_ws_url,
                                settings.kraken_ws_auth_url, settings.kraken_ws_l3_url),
                    strict=True))


def endpoint_of(settings: Settings) -> Endpoint:
    """Where the live venue is and how to log in."""
    return Endpoint(settings.kraken_rest_url, settings.kraken_ws_url, settings.kraken_ws_auth_url,
                    settings.kraken_api_key, settings.kraken_api_secret,
                    {"ws_l3_url": settings.kraken_ws_l3_url},
                    settings.kraken_guardian_api_key, settings.kraken_guardian_api_secret)


def account_names(settings: Settings) -> tuple[str, str]:
    """The account by the key that trades on it, and as the journal names it: a dry run's apart."""
    account = halting.account_name("live", settings.kraken_api_key)
    return account, (halting.account_name("dry", settings.kraken_api_key) if settings.dry_run
                     else account)


def owner_name(iban: str) -> str:
    """The account by its name at the venue, which all its keys share; empty if it has none."""
    return halting.account_name("live-owner", Secret(iban)) if iban else ""


async def look(settings: Settings, folder: Path | None, access: Access,
               warn: Say = lambda text: None) -> Found:
    """Ask the venue about everything that has to hold. Changes nothing there.

    ``folder`` keeps the nonces of the keys; None: the clock alone gives them.
    """
    clock, client = SystemClock(), HttpClient(access.tls)
    files: list[NonceFile] = []

    def asker(key: Secret, secret: Secret) -> RestClient:
        file = None if folder is None else NonceFile(folder, key)
        if file is not None:
            files.append(file)
        return RestClient(access.http(client, settings.kraken_rest_url), settings.kraken_rest_url,
                          key, secret, Nonces(file, lambda: clock.now_us() * 1000, warn),
                          patience_s=PATIENCE_S)

    try:
        bot = asker(settings.kraken_api_key, settings.kraken_api_secret)
        guardian = None
        if settings.kraken_guardian_api_key:
            guardian = asker(settings.kraken_guardian_api_key, settings.kraken_guardian_api_secret)
        return await Inspector(bot, guardian, access.connect(), settings.kraken_ws_url, clock,
                               settings.symbols, settings.order_deadline_us,
                               settings.dry_run).look()
    finally:
        for file in files:
            file.close()
        await client.close()


async def open_live(settings: Settings, folder: Path, halts: bool = True) -> OpenVenue:
    """The live venue, if every precondition holds.

    ``halts`` False: a halt in force is none, because positions shall be closed. Raises
    ConfigError, Halted, or PreconditionError naming what is missing.
    """
    check_settings(settings)
    account, ledger = account_names(settings)
    if halts:
        halting.refuse(folder, account, ledger)
    dry = DryRun() if settings.dry_run else None
    access = Access(tls_context(settings.kraken_ca_file), dry)
    found = await look(settings, folder, access)
    found.refuse()
    host = urlsplit(settings.kraken_rest_url).netloc
    venue = OpenVenue(
        endpoint_of(settings), report.MODE_DRY if dry else report.MODE_LIVE,
        f"{host}: real prices, " + ("no order of ours among them" if dry else "real orders"),
        "as it is, measured", PRODUCTION, access=access, fees_e6=found.fees_e6,
        fees_from=f"the venue tells {rates_text(found.fees_e6)}")
    venue.lock = account
    venue.owner, venue.ledger = owner_name(found.iban), ledger
    venue.notes += notes(settings, found.findings)
    return venue


def notes(settings: Settings, findings: tuple[Finding, ...]) -> list[str]:
    """What the banner says of a live run beside the usual."""
    told = [f"{each.name}: {each.found}" for each in findings if each.name in ("clock", "fees")]
    if settings.dry_run:
        return [*told, "no guardian: it could only cancel orders that are not this run's"]
    told.append("the venue's dead man's switch and the guardian cancel EVERY order of the account, "
                "those placed by hand too" if settings.guardian else
                "GUARDIAN=0: a bot that dies leaves its orders open")
    told.append("coins on the account that this bot did not buy "
                + ("are left alone" if settings.holdings == "leave" else "become its position"))
    return told

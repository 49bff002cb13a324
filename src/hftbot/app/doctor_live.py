"""``hftbot doctor --live``: everything that `run --live` needs, asked and not touched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from hftbot.app import halting, live_venue
from hftbot.app.access import Access, tls_context
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, HftbotError
from hftbot.wire import ws

Row = tuple[str, bool, str, str]
SOCKETS = ("KRAKEN_WS_URL", "KRAKEN_WS_AUTH_URL", "KRAKEN_WS_L3_URL")


def findings(settings: Settings) -> list[Row]:
    """(name, whether it holds, what was found, remedy) of each check, in order."""
    try:
        live_venue.check_settings(settings)
        access = Access(tls_context(settings.kraken_ca_file))
    except ConfigError as error:
        return [("live settings", False, str(error), "`hftbot config show` prints them")]
    rows: list[Row] = [("live settings", True, "keys are there, all addresses are encrypted", "")]
    asked, owner = asyncio.run(_ask(settings, access))
    rows += asked
    rows += _halts(settings, owner)
    rows.append(("DRY_RUN", True, "1: `run --live` sends no order" if settings.dry_run else
                 "0: `run --live` TRADES WITH REAL MONEY", ""))
    return rows


async def _ask(settings: Settings, access: Access) -> tuple[list[Row], str]:
    """What the venue says, and the account by the name that all its keys share."""
    folder = Path(settings.state_dir).expanduser().absolute()
    found = await live_venue.look(settings, folder if folder.is_dir() else None, access)
    rows: list[Row] = [("venue's clock" if each.name == "clock" else each.name, each.ok,
                        each.found, each.remedy) for each in found.findings]
    urls = live_venue.addresses(settings)
    rows += [await _socket(name, urls[name], access) for name in SOCKETS]
    return rows, live_venue.owner_name(found.iban)


async def _socket(name: str, url: str, access: Access) -> Row:
    """Whether a WebSocket opens there."""
    gone = asyncio.Event()

    def heard(view: memoryview, padding: int, recv_ns: int) -> None:
        """What it says does not matter here."""

    try:
        wire = await access.connect()(url, heard, lambda reason: gone.set())
    except HftbotError as error:
        return name, False, str(error), f"{name}, KRAKEN_CA_FILE and the network"
    wire.close("it is there")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone.wait(), ws.DEADLINE_S)
    return name, True, f"{url} opens", ""


def _halts(settings: Settings, owner: str) -> Iterator[Row]:
    folder = Path(settings.state_dir).expanduser().absolute()
    try:
        halting.refuse(folder, *live_venue.account_names(settings), owner)
    except HftbotError as error:
        yield "halt", False, str(error), halting.remedy(folder)
    else:
        yield "halt", True, "none is in force", ""

"""Cancels every order of an account without a bot, by the three requests of a guardian."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hftbot.app import hardening
from hftbot.app.access import Access, tls_context
from hftbot.app.children import Endpoint, attach, find
from hftbot.app.live_venue import endpoint_of
from hftbot.app.options import RunOptions
from hftbot.config.schema import Settings
from hftbot.live.clock import SystemClock
from hftbot.live.guardian import CancelDoor
from hftbot.store.nonce_file import NonceFile, Nonces
from hftbot.wire.http import HttpClient

TRIES = 5
AGAIN_S = 0.5


async def cancel_account(settings: Settings, options: RunOptions, folder: Path) -> dict[str, Any]:
    """Cancel all and list, until the list is empty or five tries are over.

    ``asked`` counts what the venue cancelled, ``open_orders`` what it listed last; ``served`` is
    False if there is no exchange here whose orders could be open. Raises VenueError if the venue
    refuses or cannot be reached, ConfigError.
    """
    if settings.secrets():
        hardening.forbid_dumps()
    access = Access()
    endpoint: Endpoint | None
    if settings.venue == "live":
        endpoint = endpoint_of(settings)
        access = Access(tls_context(settings.kraken_ca_file))
    elif options.exchange_url is not None:
        endpoint = await attach(options.exchange_url, settings.kraken_api_key,
                                settings.kraken_api_secret)
    else:
        endpoint = await find(folder / "exchange")
    if endpoint is None:
        return {"served": False, "asked": 0, "open_orders": 0,
                "told": f"no bot runs in {folder} and no embedded exchange serves there: nothing "
                        "is open"}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock, client = SystemClock(), HttpClient(access.tls)
    file = NonceFile(folder, endpoint.api_key)
    door = CancelDoor(client, endpoint.rest_url, endpoint.api_key, endpoint.api_secret,
                      Nonces(file, lambda: clock.now_us() * 1000, lambda text: None))
    try:
        asked, left = 0, None
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(AGAIN_S)
            asked += await door.cancel_all()
            left = await door.open_orders()
            if not left:
                break
        return {"served": True, "asked": asked, "open_orders": left,
                "told": f"{endpoint.rest_url}: {asked} orders of the account cancelled"}
    finally:
        file.close()
        await client.close()

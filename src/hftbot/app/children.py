"""The embedded exchange as a child process: found again if it still runs, started otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from hftbot.app.secret_sources import without_secrets
from hftbot.errors import ConfigError, StoreError, TransportError
from hftbot.words.secret import Secret

START_S = 30.0
PROBE_S = 3.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(slots=True)
class Endpoint:
    """Where an embedded exchange listens and how to log in.

    The guardian's key is empty if it has none of its own.
    """

    rest_url: str
    ws_url: str
    ws_auth_url: str
    api_key: Secret
    api_secret: Secret
    facts: dict[str, Any]
    guardian_key: Secret = field(default_factory=lambda: Secret(""))
    guardian_secret: Secret = field(default_factory=lambda: Secret(""))

    @property
    def ws_l3_url(self) -> str:
        """Where level 3 is told; empty if it is not."""
        return str(self.facts.get("ws_l3_url", ""))

    def secrets(self) -> tuple[Secret, ...]:
        """What no log may show."""
        return (self.api_key, self.api_secret, self.guardian_key, self.guardian_secret)


def endpoint_from(facts: dict[str, Any], source: str) -> Endpoint:
    """Read an endpoint description. Raises StoreError if a part is missing or not loopback."""
    try:
        urls = [str(facts[name]) for name in ("rest_url", "ws_url", "ws_auth_url")]
        key, secret = Secret(str(facts["api_key"])), Secret(str(facts["api_secret"]))
    except KeyError as missing:
        raise StoreError(f"{source}: no {missing} in the exchange's description") from None
    for url in urls:
        if urlsplit(url).hostname not in LOOPBACK:
            raise StoreError(f"{source}: {url} is not on this machine; the embedded exchange is")
    guardian = [Secret(str(facts.get(f"guardian_api_{name}", ""))) for name in ("key", "secret")]
    return Endpoint(urls[0], urls[1], urls[2], key, secret, facts, *guardian)


async def status(rest_url: str) -> dict[str, Any]:
    """What the embedded exchange says of itself. Raises TransportError if it does not answer."""
    timeout = aiohttp.ClientTimeout(total=PROBE_S)
    try:
        async with (aiohttp.ClientSession(timeout=timeout) as http,
                    http.get(f"{rest_url}/sim/status") as answer):
            found = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        raise TransportError(f"no embedded exchange answers at {rest_url}: "
                             f"{type(error).__name__}") from None
    if not isinstance(found, dict):
        raise TransportError(f"{rest_url} is not an embedded exchange")
    return found


async def find(folder: pathlib.Path) -> Endpoint | None:
    """The exchange of this state directory, if it is still running."""
    path = folder / "endpoint.json"
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    try:
        endpoint = endpoint_from(facts, str(path))
        await status(endpoint.rest_url)
    except (StoreError, TransportError):
        return None
    return endpoint


async def attach(url: str, key: Secret, secret: Secret) -> Endpoint:
    """An exchange started by hand, by a URL that was checked. Raises ConfigError, TransportError.
    """
    parts = urlsplit(url)
    rest = f"http://{parts.netloc}"
    facts = await status(rest)
    if not (key and secret):
        named = facts.get("endpoint_file")
        try:
            return endpoint_from(json.loads(pathlib.Path(str(named)).read_text()), str(named))
        except (OSError, ValueError):
            raise ConfigError(
                f"--exchange {url}: cannot read its key from {named}; set KRAKEN_API_KEY and "
                f"KRAKEN_API_SECRET to those of that file") from None
    return Endpoint(rest, f"ws://{parts.netloc}/v2", f"ws://{parts.netloc}/v2/auth", key, secret,
                    facts)


class ExchangeChild:
    """A running embedded exchange that this process started.

    Its standard input is a pipe from us: when we die, it notices, serves on for the linger time
    and saves. ``release`` leaves it at once but in order.
    """

    def __init__(self, process: asyncio.subprocess.Process, log: pathlib.Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, arguments: Sequence[str], environment: dict[str, str],
                    log: pathlib.Path,
                    folder: pathlib.Path) -> tuple[ExchangeChild, Endpoint]:
        """Start ``python -m hftbot exchange`` and wait until it listens.

        ``folder`` is where it leaves endpoint.json. Raises StoreError.
        """
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hftbot", "exchange", *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
                env={**without_secrets(os.environ), **environment}, start_new_session=True)
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_S)
            json.loads(line)
            facts = json.loads((folder / "endpoint.json").read_text())
        except (TimeoutError, ValueError, OSError):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise StoreError(f"the embedded exchange did not start{_reason(log)}") from None
        return cls(process, log), endpoint_from(facts, "the embedded exchange")

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.returncode is None

    async def wait(self) -> str:
        """Wait until the process ends; how it ended, in words."""
        await self._process.wait()
        return self.ending()

    def ending(self) -> str:
        """How the process ended, with the last line that it wrote."""
        return f"exit code {self._process.returncode}{_reason(self._log)}"

    async def release(self) -> None:
        """Ask it to save and stop; kill it if it does not within the start time."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), START_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def _reason(log: pathlib.Path) -> str:
    """The last line that it wrote, as the end of a sentence."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
        # Without room it cannot even say that there is none.
        full = not lines and os.statvfs(log.parent).f_bavail == 0
    except OSError:
        return ""
    if full:
        return f": no space is left for {log.parent}"
    return f": {lines[-1]}" if lines else ""

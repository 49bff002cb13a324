"""HTTP requests on kept-alive connections, each with a deadline."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from hftbot.errors import Disconnected, Timeout, TransportError

BODY_BYTES_MAX = 16 << 20
CONNECTIONS_MAX = 8


class HttpClient:
    """Implements words.ports.Http. Create it inside a running loop, close it at the end.

    Redirects are not followed: signed headers go to the host that was asked, and to no other.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl = ssl_context
        self._session: aiohttp.ClientSession | None = None

    async def request(self, method: str, url: str, headers: dict[str, str], body: bytes,
                      deadline_s: float) -> tuple[int, bytes]:
        """Returns (status, body).

        Raises Timeout if the whole answer is not in within the deadline, Disconnected if the
        connection broke, TransportError for an answer above 16 MiB.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, ssl=self._ssl or True),
                trust_env=False, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with asyncio.timeout(deadline_s), self._session.request(
                    method, url, headers=headers, data=body or None,
                    allow_redirects=False) as response:
                return response.status, await _bounded(response)
        except TimeoutError:
            raise Timeout(f"{method} {url}: no answer within {deadline_s:g} s") from None
        except (OSError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise Disconnected(f"{method} {url}: {type(error).__name__}: {error}") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise TransportError(f"{method} {url}: {type(error).__name__}: {error}") from None

    async def close(self) -> None:
        """Close the kept connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise TransportError(f"answer above {BODY_BYTES_MAX} bytes")
    return bytes(body)

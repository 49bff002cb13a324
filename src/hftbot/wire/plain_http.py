"""HTTP requests one at a time with the standard library: quick to import, nothing kept open."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from urllib.parse import urlsplit

from hftbot.errors import Disconnected, Timeout, TransportError

BODY_BYTES_MAX = 1 << 20


class PlainHttp:
    """Implements words.ports.Http for a process that asks rarely and has to start at once.

    Each request has its own connection and its own thread. Redirects are not followed: signed
    headers go to the host that was asked, and to no other. ``ca_file``: PEM certificates that
    prove the host instead of the system's.
    """

    def __init__(self, ca_file: str = "") -> None:
        self._ca_file = ca_file

    async def request(self, method: str, url: str, headers: dict[str, str], body: bytes,
                      deadline_s: float) -> tuple[int, bytes]:
        """Returns (status, body).

        Raises Timeout if the answer is not in within the deadline, Disconnected if the connection
        broke, TransportError for an answer above 1 MiB.
        """
        try:
            async with asyncio.timeout(deadline_s):
                return await asyncio.to_thread(_request, method, url, headers, body, deadline_s,
                                               self._ca_file)
        except TimeoutError:
            raise Timeout(f"{method} {url}: no answer within {deadline_s:g} s") from None
        except OSError as error:
            raise Disconnected(f"{method} {url}: {type(error).__name__}: {error}") from None
        except (http.client.HTTPException, ValueError) as error:
            raise TransportError(f"{method} {url}: {type(error).__name__}: {error}") from None


def _request(method: str, url: str, headers: dict[str, str], body: bytes,
             deadline_s: float, ca_file: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        raise ValueError(f"{url} is not an address")
    # HTTPSConnection checks the certificate and the host's name by default.
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        tls = ssl.create_default_context(cafile=ca_file or None)
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=deadline_s,
                                                 context=tls)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=deadline_s)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read(BODY_BYTES_MAX + 1)
        if len(content) > BODY_BYTES_MAX:
            raise ValueError(f"answer above {BODY_BYTES_MAX} bytes")
        if answer.length:
            # Read with a bound, the library takes half an answer for a whole one.
            raise http.client.IncompleteRead(content, answer.length)
        return answer.status, content
    finally:
        connection.close()

"""wire.plain_http: answers, deadlines, broken connections; the guardian's way out."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from canned_ws import run

from hftbot.errors import Disconnected, Timeout, TransportError
from hftbot.wire.plain_http import BODY_BYTES_MAX, PlainHttp


async def answered(answer: bytes | None, requests: list[bytes], path: str = "/0/private/X",
                   deadline_s: float = 5.0) -> tuple[int, bytes]:
    """One request to a server that answers with these bytes; None: it only listens."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        requests.append(head + await reader.readexactly(length))
        if answer is None:
            await reader.read()  # until the client has given up
        else:
            writer.write(answer)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await PlainHttp().request("POST", f"http://127.0.0.1:{port}{path}",
                                         {"API-Key": "k"}, b"nonce=1", deadline_s)
    finally:
        server.close()


def test_method_path_headers_and_body_arrive_and_the_answer_comes_back() -> None:
    requests: list[bytes] = []
    found = run(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", requests,
                         "/0/private/X?a=b"))
    assert found == (200, b"{}")
    [request] = requests
    assert request.startswith(b"POST /0/private/X?a=b HTTP/1.1\r\n")
    assert b"API-Key: k\r\n" in request
    assert request.endswith(b"\r\n\r\nnonce=1")


@pytest.mark.fault("W10")
def test_a_redirect_is_not_followed() -> None:
    requests: list[bytes] = []
    status, _ = run(answered(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                             b"Content-Length: 0\r\n\r\n", requests))
    assert status == 302
    assert len(requests) == 1


def test_no_answer_in_time() -> None:
    with pytest.raises(Timeout, match=r"no answer within 0\.2 s"):
        run(answered(None, [], deadline_s=0.2))


@pytest.mark.parametrize(("answer", "error"), [
    (b"", TransportError), (b"nonsense\r\n\r\n", TransportError),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", TransportError),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_BYTES_MAX + 1), TransportError)])
def test_answers_that_are_none(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(answered(answer, []))


def test_nobody_listens() -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        await PlainHttp().request("POST", f"http://127.0.0.1:{port}/", {}, b"", 5.0)
    with pytest.raises(Disconnected):
        run(main())


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "/path", "http:///path"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(TransportError):
        run(PlainHttp().request("POST", url, {}, b"", 5.0))

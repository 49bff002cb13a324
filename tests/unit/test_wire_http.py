"""wire.http: answers, deadlines, broken connections."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from canned_ws import run

from hftbot.errors import Disconnected, Timeout, TransportError
from hftbot.wire import http


async def served(*handlers):
    application = web.Application()
    for path, handler in handlers:
        application.router.add_route("*", path, handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


def test_method_headers_and_body_arrive_and_one_connection_is_kept():
    peers = set()

    async def echo(request):
        peers.add(request.transport.get_extra_info("peername"))
        body = await request.read()
        return web.Response(body=f"{request.method} {request.headers['API-Key']} ".encode() + body,
                            status=201)

    async def main():
        runner, url = await served(("/private", echo))
        client = http.HttpClient()
        for _ in range(3):
            answer = await client.request("POST", url + "/private", {"API-Key": "k"}, b"nonce=1",
                                          5.0)
            assert answer == (201, b"POST k nonce=1")
        assert len(peers) == 1
        await client.close()
        await runner.cleanup()
    run(main())


@pytest.mark.fault("W10")
def test_a_redirect_is_not_followed():
    async def elsewhere(_request):
        raise web.HTTPFound("http://127.0.0.1:1/")

    async def main():
        runner, url = await served(("/", elsewhere))
        client = http.HttpClient()
        status, _ = await client.request("GET", url + "/", {}, b"", 5.0)
        assert status == 302
        await client.close()
        await runner.cleanup()
    run(main())


def test_an_answer_too_late_is_a_timeout():
    async def main():
        hold = asyncio.Event()

        async def late(_request):
            await hold.wait()
            return web.Response()

        runner, url = await served(("/", late))
        client = http.HttpClient()
        with pytest.raises(Timeout, match="no answer"):
            await client.request("GET", url + "/", {}, b"", 0.02)
        hold.set()
        await client.close()
        await runner.cleanup()
    run(main())


def test_a_connection_that_breaks_in_the_answer_is_disconnected():
    async def main():
        async def cut(_reader, writer):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(cut, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        client = http.HttpClient()
        with pytest.raises(Disconnected):
            await client.request("GET", url, {}, b"", 5.0)
        server.close()
        await server.wait_closed()
        with pytest.raises(Disconnected):
            await client.request("GET", url, {}, b"", 5.0)
        await client.close()
    run(main())


@pytest.mark.fault("W9")
def test_an_answer_that_is_no_http_or_too_large_is_a_transport_error(monkeypatch):
    monkeypatch.setattr(http, "BODY_BYTES_MAX", 10)

    async def large(_request):
        return web.Response(body=b"x" * 100)

    async def main():
        runner, url = await served(("/", large))
        client = http.HttpClient()
        with pytest.raises(TransportError, match="above"):
            await client.request("GET", url + "/", {}, b"", 5.0)

        async def garbage(_reader, writer):
            writer.write(b"\x00\x01 not http\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(garbage, "127.0.0.1", 0)
        garbage_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(TransportError):
            await client.request("GET", garbage_url, {}, b"", 5.0)
        server.close()
        await client.close()
        await runner.cleanup()
    run(main())

"""wire.ws: frames in order and in place, every way a connection can end."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import sys

import pytest
from canned_ws import Client, frame, serving
from canned_ws import run as run_on

from hftbot.errors import ConfigError, Disconnected, TransportError
from hftbot.wire import ws

LOOPS = {"asyncio": None}
with contextlib.suppress(ImportError):
    import uvloop
    LOOPS["uvloop"] = uvloop.new_event_loop
LIBRARIES = ["aiohttp"]
with contextlib.suppress(ImportError):
    import picows  # noqa: F401
    LIBRARIES.insert(0, "picows")
loop_factory = None


@pytest.fixture(params=[(library, loop) for library in LIBRARIES for loop in LOOPS],
                ids=lambda pair: "-".join(pair), autouse=True)
def library(request, monkeypatch):
    chosen, loop = request.param
    monkeypatch.setenv("HFTBOT_WIRE", chosen)
    monkeypatch.setattr(sys.modules[__name__], "loop_factory", LOOPS[loop])
    return chosen


def run(main):
    return run_on(main, loop_factory)


def test_the_environment_chooses_the_library(library, monkeypatch):
    assert ws.library() == library
    monkeypatch.setenv("HFTBOT_WIRE", "pigeon")
    with pytest.raises(ConfigError, match="pigeon"):
        ws.library()


def test_frames_arrive_in_order_with_stamps_and_go_out(library):
    async def handler(_request, socket):
        await socket.send_str('{"channel":"status"}')
        async for message in socket:
            await socket.send_str("echo " + message.data)

    async def main():
        client = Client()
        async with serving(handler) as url:
            wire = await ws.connect(url, client.on_frame, client.on_close)
            for outgoing in (b"one", bytearray(b"two"), memoryview(b"three")):
                wire.send(outgoing)
            await client.until(lambda: len(client.frames) == 4)
            assert wire.last_recv_ns == client.stamps[-1]
            wire.close()
            assert await client.gone() == "closed by us"
            with pytest.raises(Disconnected):
                wire.send(b"late")
        assert client.frames == [b'{"channel":"status"}', b"echo one", b"echo two", b"echo three"]
        assert client.stamps == sorted(client.stamps)
        assert client.paddings == [64 if library == "picows" else 0] * 4
        assert client.reasons == ["closed by us"]
    run(main())


@pytest.mark.fault("W5")
def test_a_frame_in_many_segments_and_many_frames_in_one_segment():
    async def handler(request, socket):
        raw = frame(b"x" * 300)
        for offset in range(0, len(raw), 7):
            request.transport.write(raw[offset:offset + 7])
            await asyncio.sleep(0)
        request.transport.write(frame(b"a") + frame(b"b") + frame(b"c"))
        await socket.receive()

    async def main():
        client = Client()
        async with serving(handler) as url:
            wire = await ws.connect(url, client.on_frame, client.on_close)
            await client.until(lambda: len(client.frames) == 4)
            wire.close()
            await client.gone()
        assert client.frames == [b"x" * 300, b"a", b"b", b"c"]
    run(main())


@pytest.mark.fault("W5")
def test_continuation_frames_are_joined_with_a_ping_between_them():
    async def handler(request, socket):
        request.transport.write(frame(b"he", fin=False) + frame(b"hi", opcode=9)
                                + frame(b"ll", opcode=0, fin=False) + frame(b"o", opcode=0)
                                + frame(b"whole"))
        await socket.receive()

    async def main():
        client = Client()
        async with serving(handler) as url:
            wire = await ws.connect(url, client.on_frame, client.on_close)
            await client.until(lambda: len(client.frames) == 2)
            wire.close()
            await client.gone()
        assert client.frames == [b"hello", b"whole"]
    run(main())


@pytest.mark.fault("W9")
def test_a_frame_of_one_mebibyte_passes_and_one_above_closes():
    async def handler(request, socket):
        request.transport.write(frame(b"y" * (ws.FRAME_BYTES_MAX - 1)))
        request.transport.write(frame(b"z" * (ws.FRAME_BYTES_MAX + 1)))
        await socket.receive()

    async def main():
        client = Client()
        async with serving(handler) as url:
            await ws.connect(url, client.on_frame, client.on_close)
            reason = await client.gone()
        assert [len(got) for got in client.frames] == [ws.FRAME_BYTES_MAX - 1]
        assert reason != "connection lost"
    run(main())


@pytest.mark.fault("W9")
def test_pieces_above_the_limit_close():
    async def handler(request, socket):
        half = b"y" * (ws.FRAME_BYTES_MAX // 2 + 1)
        request.transport.write(frame(half, fin=False) + frame(half, opcode=0))
        await socket.receive()

    async def main():
        client = Client()
        async with serving(handler) as url:
            await ws.connect(url, client.on_frame, client.on_close)
            await client.gone()
        assert client.frames == []
    run(main())


@pytest.mark.fault("W9")
def test_a_binary_frame_closes():
    async def handler(_request, socket):
        await socket.send_bytes(b"\x00\x01")
        await socket.receive()

    async def main():
        client = Client()
        async with serving(handler) as url:
            await ws.connect(url, client.on_frame, client.on_close)
            assert await client.gone() == "binary frame on a text protocol"
    run(main())


def test_the_close_code_of_the_peer_is_kept():
    async def handler(_request, socket):
        await socket.close(code=1008, message=b"policy")

    async def main():
        client = Client()
        async with serving(handler) as url:
            wire = await ws.connect(url, client.on_frame, client.on_close)
            assert "1008" in await client.gone()
            assert wire.close_code == 1008
    run(main())


@pytest.mark.parametrize("how", ["abort", "half_close", "mid_frame"])
def test_an_abrupt_end_is_told_once(how):
    async def handler(request, socket):
        await socket.send_str("last words")
        await socket.receive()
        if how == "abort":
            request.transport.abort()
        elif how == "half_close":
            request.transport.write_eof()
        else:
            request.transport.write(frame(b"cut short")[:4])
            request.transport.close()

    async def main():
        client = Client()
        async with serving(handler) as url:
            wire = await ws.connect(url, client.on_frame, client.on_close)
            await client.until(lambda: bool(client.frames))
            wire.send(b"go")
            assert await client.gone()
            assert wire.close_code == 1006
            assert wire.failure is None
        assert client.frames == [b"last words"]
        assert len(client.reasons) == 1
    run(main())


def test_a_handler_that_raises_closes_and_keeps_the_defect():
    async def handler(_request, socket):
        await socket.send_str("boom")
        await socket.receive()

    async def main():
        client = Client()

        def broken(_view, _padding, _recv_ns):
            raise KeyError("defect")

        async with serving(handler) as url:
            wire = await ws.connect(url, broken, client.on_close)
            assert "KeyError" in await client.gone()
            assert isinstance(wire.failure, KeyError)
    run(main())


@pytest.mark.fault("W8")
def test_abort_does_not_wait_for_a_peer_that_does_not_read():
    async def main():
        hold = asyncio.Event()

        async def handler(_request, _socket):
            await hold.wait()

        client = Client()
        async with serving(handler) as url:
            wire = await ws.connect(url, client.on_frame, client.on_close)
            wire.close("enough", abort=True)
            assert await client.gone() == "enough"
            hold.set()
    run(main())


@pytest.mark.fault("W10")
def test_what_cannot_be_connected_says_why():
    async def main():
        client = Client()
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Disconnected, match=str(port)):
            await ws.connect(f"ws://127.0.0.1:{port}/", client.on_frame, client.on_close)
        server.close()
        await server.wait_closed()
        with pytest.raises(Disconnected):
            await ws.connect(f"ws://127.0.0.1:{port}/", client.on_frame, client.on_close)
        with pytest.raises(ConfigError, match="ws://"):
            await ws.connect("http://127.0.0.1/", client.on_frame, client.on_close)
        assert client.reasons == []
    run(main())


@pytest.mark.fault("W10")
def test_a_server_that_never_answers_the_handshake_times_out():
    async def main():
        client = Client()
        done = asyncio.Event()

        async def silent(_reader, writer):
            await done.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransportError):
            await ws.connect(f"ws://127.0.0.1:{port}/", client.on_frame, client.on_close,
                             deadline_s=0.05)
        done.set()
        server.close()
    run(main())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"], check=True, capture_output=True)
    return folder


@pytest.mark.fault("W10")
def test_wss_carries_frames_to_a_peer_that_is_trusted_and_to_no_other(certificate):
    async def handler(_request, socket):
        async for message in socket:
            await socket.send_str(message.data)

    async def main():
        serving_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        serving_tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        client = Client()
        async with serving(handler, serving_tls) as url:
            wire = await ws.connect(url, client.on_frame, client.on_close, ssl_context=trusting)
            wire.send(b"secret")
            await client.until(lambda: client.frames == [b"secret"])
            wire.close()
            await client.gone()
            with pytest.raises(Disconnected, match=r"(?i)certificate"):
                await ws.connect(url, client.on_frame, client.on_close)
    run(main())


def test_tls_is_chosen_by_the_scheme():
    async def handler(_request, socket):
        await socket.receive()

    async def main():
        client = Client()
        async with serving(handler) as url:
            with pytest.raises(Disconnected):
                await ws.connect(url.replace("ws://", "wss://"), client.on_frame,
                                 client.on_close, ssl_context=ssl.create_default_context())
    run(main())

"""A TCP proxy on 127.0.0.1 that harms connections: between a bot and its exchange, in a thread.

Inside one connection bytes never vanish and never change their order, as TCP promises; they come
late, in other pieces, or the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

READ_BYTES = 65_536
LOOK_S = 0.005
KINDS = ("public", "private", "rest")


@dataclass
class Way:
    """What happens to the bytes of one direction; may be changed at any time.

    ``chunk_bytes``: write in pieces of so many, ``pause_s`` apart. ``glue_s``: collect for so
    long, write at once. ``reset_after_bytes``: after so many more bytes both sides get a RST.
    ``writes`` and ``passed`` count what was done, ``slept_s`` what a rate cost.
    """

    delay_s: float = 0.0
    stalled: bool = False
    chunk_bytes: int = 0
    pause_s: float = 0.0
    glue_s: float = 0.0
    rate_bytes_s: int = 0
    reset_after_bytes: int | None = None
    writes: int = 0
    passed: int = 0
    slept_s: float = 0.0

    def heal(self) -> None:
        """No fault any more."""
        self.delay_s = self.pause_s = self.glue_s = 0.0
        self.chunk_bytes = self.rate_bytes_s = 0
        self.stalled = False
        self.reset_after_bytes = None

    @property
    def read_bytes(self) -> int:
        """How much to take at once: a slow way must not hide bytes in this process."""
        return max(1, self.rate_bytes_s // 20) if self.rate_bytes_s else READ_BYTES


@dataclass
class Both:
    """Up is from the client to the server, down is back."""

    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)

    def heal(self) -> None:
        """No fault on either way."""
        self.up.heal()
        self.down.heal()


class Connection:
    """One client and the server behind it."""

    def __init__(self, client: socket.socket) -> None:
        self.kind = ""
        self.client = client
        self.server: socket.socket | None = None
        self.task: asyncio.Task[None] | None = None
        self.rough = False

    def end(self, rough: bool) -> None:
        """Stop both pumps; the sockets are closed by the task, with a RST if ``rough``."""
        self.rough = self.rough or rough
        if self.task is not None:
            self.task.cancel()

    def close(self) -> None:
        for each in (self.client, self.server):
            if each is not None:
                if self.rough:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.close()


class Proxy:
    """Listens on ``port`` and forwards to ``target`` on 127.0.0.1.

    Connections are told apart by the first line of their request: ``ways["public"]`` is GET /v2,
    ``"private"`` GET /v2/auth, ``"rest"`` everything else. While ``answers[kind]`` is set, new
    connections of that kind get those bytes, then an end, and never reach the server.
    ``opened`` counts connections, ``opened_us`` are their wall times; ``refused`` counts those
    that got an answer of ours.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.ways = {kind: Both() for kind in KINDS}
        self.answers: dict[str, bytes] = {}
        self.opened = dict.fromkeys(KINDS, 0)
        self.opened_us: dict[str, list[int]] = {kind: [] for kind in KINDS}
        self.refused = dict.fromkeys(KINDS, 0)
        self.living: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self, *kinds: str) -> int:
        """RST all connections of these kinds, both ways. Returns how many there were."""
        return self._each(kinds, lambda connection: connection.end(rough=True))

    def close_all(self, *kinds: str) -> int:
        """End connections in order (FIN both ways)."""
        return self._each(kinds, lambda connection: connection.end(rough=False))

    def half_close(self, *kinds: str) -> int:
        """Tell the client that nothing more comes down; what it sends still goes up."""
        return self._each(kinds, lambda connection: connection.client.shutdown(socket.SHUT_WR))

    def heal(self) -> None:
        """All ways are as good as a wire again."""
        self.answers.clear()
        for both in self.ways.values():
            both.heal()

    def close(self) -> None:
        """End everything and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # In the thread of the proxy.

    def _each(self, kinds: tuple[str, ...], what: Callable[[Connection], object]) -> int:
        async def act() -> int:
            chosen = [one for one in self.living if one.kind in kinds]
            for one in chosen:
                with contextlib.suppress(OSError):
                    what(one)
            return len(chosen)

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        accepting = self._loop.create_task(self._accept())
        self._loop.run_forever()
        tasks = [accepting, *(one.task for one in self.living if one.task is not None)]
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._listener.close()
        self._loop.close()

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(client)
            self.living.add(connection)
            connection.task = self._loop.create_task(self._carry(connection))

    async def _carry(self, connection: Connection) -> None:
        pumps: list[asyncio.Task[None]] = []
        try:
            with contextlib.suppress(OSError):
                first = await self._loop.sock_recv(connection.client, READ_BYTES)
                kind = connection.kind = kind_of(first)
                self.opened[kind] += 1
                self.opened_us[kind].append(time.time_ns() // 1000)
                if kind in self.answers:
                    self.refused[kind] += 1
                    await self._loop.sock_sendall(connection.client, self.answers[kind])
                    return
                server = connection.server = socket.socket()
                server.setblocking(False)
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.ways[kind].down.rate_bytes_s:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await self._loop.sock_connect(server, ("127.0.0.1", self.target))
                both = self.ways[kind]
                pumps = [self._loop.create_task(self._pump(connection, connection.client, server,
                                                           both.up, first)),
                         self._loop.create_task(self._pump(connection, server, connection.client,
                                                           both.down, b""))]
                await asyncio.gather(*pumps)
        except asyncio.CancelledError:
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.living.discard(connection)
            connection.close()

    async def _pump(self, connection: Connection, source: socket.socket, sink: socket.socket,
                    way: Way, piece: bytes) -> None:
        while True:
            if not piece:
                piece = await self._loop.sock_recv(source, way.read_bytes)
            if not piece:
                sink.shutdown(socket.SHUT_WR)
                return
            if way.glue_s:
                await asyncio.sleep(way.glue_s)
                with contextlib.suppress(BlockingIOError):
                    piece += source.recv(READ_BYTES)
            if way.delay_s:
                await asyncio.sleep(way.delay_s)
            while way.stalled:
                await asyncio.sleep(LOOK_S)
            if way.reset_after_bytes is not None and way.reset_after_bytes < len(piece):
                piece = piece[:way.reset_after_bytes]
                way.reset_after_bytes = None
                await self._write(sink, way, piece)
                connection.end(rough=True)
                return
            if way.reset_after_bytes is not None:
                way.reset_after_bytes -= len(piece)
            await self._write(sink, way, piece)
            piece = b""

    async def _write(self, sink: socket.socket, way: Way, piece: bytes) -> None:
        step = way.chunk_bytes or len(piece) or 1
        for at in range(0, len(piece), step):
            part = piece[at:at + step]
            if way.rate_bytes_s:
                wait_s = len(part) / way.rate_bytes_s
                way.slept_s += wait_s
                await asyncio.sleep(wait_s)
            await self._loop.sock_sendall(sink, part)
            way.writes += 1
            way.passed += len(part)
            if way.chunk_bytes:
                await asyncio.sleep(way.pause_s)


def kind_of(request: bytes) -> str:
    """Which of KINDS begins with these bytes."""
    path = request.split(b"\r\n", 1)[0].split(b" ")[1:2]
    return {b"/v2": "public", b"/v2/auth": "private"}.get(b"".join(path), "rest")

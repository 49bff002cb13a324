"""The embedded exchange on 127.0.0.1: one port for both WebSockets and REST.

The only room of the exchange with sockets and a real clock. It drives a KrakenFace with one timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TextIO, cast

from aiohttp import WSMsgType, web

from hftbot.errors import ConfigError, HftbotError, StoreError
from hftbot.exchange.connection import Connection
from hftbot.exchange.face_kraken import Kind, KrakenFace
from hftbot.exchange.faults import MINUTES, FaultInjector, plan_of
from hftbot.exchange.replay_market import Event
from hftbot.exchange.settings import ExchangeSettings
from hftbot.exchange.state_file import StateFolder

WIRE_BYTES_MAX = 4 << 20
# What stays in endpoint.json and is not printed.
SECRET_FACTS = frozenset(("api_key", "api_secret", "guardian_api_key", "guardian_api_secret",
                          "keys"))
SAVE_S = 1.0
# Frames and events are handled in steps of this much; finer timers would only burn processor time.
TIMER_S_MIN = 0.0005
TIMER_S_MAX = 0.25


class WallClock:
    """Wall microseconds that never go back: the start is read once, the rest is monotonic."""

    def __init__(self) -> None:
        self.origin_us = time.time_ns() // 1_000
        self.origin_ns = time.monotonic_ns()

    def now_us(self) -> int:
        """Wall-clock microseconds since the epoch."""
        return self.origin_us + (time.monotonic_ns() - self.origin_ns) // 1_000

    def mono_ns(self) -> int:
        """Monotonic nanoseconds."""
        return time.monotonic_ns()


@dataclass(slots=True)
class Reader:
    """One client socket and what wakes its writer."""

    connection: Connection
    socket: web.WebSocketResponse
    frames: list[str]
    wake: asyncio.Event
    gone: bool = False
    code: int = 1008


class ExchangeServer:
    """One listening exchange. ``start`` it, wait for ``stopped``, ``close`` it.

    With ``tls``, an SSL context, it serves https and wss.
    """

    def __init__(self, settings: ExchangeSettings, events: Iterable[Event] | None = None,
                 tls: Any = None) -> None:
        self.settings = settings.check()
        self.tls = tls
        self.folder = StateFolder(self.settings.state_dir)
        self.saved: dict[str, Any] | None = None
        try:
            self.saved = self.folder.load()
            self.clock = WallClock()
            self.face = KrakenFace(self.settings, self.clock, random.Random(settings.seed),
                                   self.saved, events, random.SystemRandom())
            if self.saved is not None:
                self.face.remember(self.saved, self.folder.history(self.saved))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.folder.close(withdraw=False)
            if self.saved is None:
                raise
            raise StoreError(f"{self.folder.path / 'state.json'} is not an exchange state "
                             f"({type(error).__name__}: {error}); move it away or use --fresh"
                             ) from error
        except BaseException:
            self.folder.close(withdraw=False)
            raise
        if settings.faults_seed is not None:
            FaultInjector(self.face, plan_of(settings.faults_seed, MINUTES), settings.faults_seed,
                          lambda text: print(text, file=sys.stderr, flush=True))
        self.readers: list[Reader] = []
        self.stopped = asyncio.Event()
        self.timer: asyncio.TimerHandle | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.runner: web.AppRunner | None = None
        self.port = 0
        self.closed = False

    # Life.

    async def start(self) -> dict[str, Any]:
        """Listen; returns the endpoint document. Raises StoreError if the port is taken."""
        app = web.Application(client_max_size=WIRE_BYTES_MAX)
        # Clients that add /v2 to a host of their own need the other two under a path before it.
        for path, kind in (("/v2", "public"), ("/v2/auth", "private"), ("/auth/v2", "private"),
                           ("/v2/l3", "level3"), ("/l3/v2", "level3")):
            app.router.add_get(path, partial(self.socket, kind=cast(Kind, kind)))
        app.router.add_route("*", "/{path:.*}", self.rest)
        self.runner = web.AppRunner(app, access_log=None, handle_signals=False,
                                    shutdown_timeout=1.0)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.settings.port, ssl_context=self.tls)
        try:
            await site.start()
        except OSError as error:
            await self.runner.cleanup()
            self.folder.close(withdraw=False)
            raise ConfigError(f"port {self.settings.port} on 127.0.0.1 is in use or not allowed "
                              f"({error.strerror}); choose another or 0") from error
        self.port = self.runner.addresses[0][1]
        document = self.endpoint()
        self.folder.prepared(self.face.saved(), self.face.desk.history)()
        self.folder.announce(document)
        self.face.skip(self.clock.now_us())
        self.turn()
        self.spawn(self.keep_saving())
        return document

    def endpoint(self) -> dict[str, Any]:
        """How to reach this exchange, with the account's key."""
        host, secure = f"127.0.0.1:{self.port}", "s" if self.tls else ""
        return {"rest_url": f"http{secure}://{host}", "ws_url": f"ws{secure}://{host}/v2",
                "ws_auth_url": f"ws{secure}://{host}/v2/auth",
                "ws_l3_url": f"ws{secure}://{host}/v2/l3", "pid": os.getpid(),
                "api_key": self.face.gate.api_key, "api_secret": self.face.gate.api_secret,
                "guardian_api_key": self.face.gate.guardian_key,
                "guardian_api_secret": self.face.gate.guardian_secret,
                "keys": {key.name: {"api_key": key.key, "api_secret": key.secret,
                                    "rights": sorted(key.rights)}
                         for key in self.face.gate.keys.values()},
                "mode": self.settings.mode, "symbols": list(self.face.listings),
                "fees": self.settings.fees, "latency": self.settings.latency.text()}

    async def close(self) -> None:
        """Stop serving, save, take endpoint.json away."""
        if self.closed:
            return
        self.closed = True
        if self.timer is not None:
            self.timer.cancel()
        for reader in list(self.readers):
            reader.wake.set()
            with contextlib.suppress(OSError, RuntimeError, asyncio.TimeoutError):
                await asyncio.wait_for(reader.socket.close(code=1001, message=b"going away"), 0.5)
        for task in list(self.tasks):
            task.cancel()
        if self.saving is not None:
            # A save that has begun must not overwrite the last one.
            await asyncio.wait([self.saving])
        if self.runner is not None:
            await self.runner.cleanup()
        self.folder.prepared(self.face.saved(), self.face.desk.history)()
        self.folder.close()

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside; an error in it stops the server."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self.tasks.discard(finished)
            if not finished.cancelled() and finished.exception() is not None:
                self.failure = finished.exception()
                self.stopped.set()
        task.add_done_callback(done)

    failure: BaseException | None = None
    saving: asyncio.Future[None] | None = None

    async def keep_saving(self) -> None:
        """Save every second if anything of the account changed."""
        last: dict[str, Any] = {}
        while True:
            await asyncio.sleep(SAVE_S)
            document = self.face.saved()
            if document != last:
                # In a thread: a disk may take milliseconds, and clients are waiting here.
                work = self.folder.prepared(document, self.face.desk.history)
                self.saving = asyncio.ensure_future(asyncio.to_thread(work))
                await asyncio.shield(self.saving)
                last = document

    # Driving the face.

    def turn(self) -> None:
        """Advance the face to now, hand out frames, set the timer for the next thing."""
        if self.closed:
            return
        try:
            now_us = self.clock.now_us()
            self.face.skip(now_us)
            self.face.advance(now_us)
        except Exception as error:
            # A timer's exception would only be logged, and the market would stand still.
            self.failure = error
            self.stopped.set()
            return
        for reader in self.readers:
            frames = reader.connection.take()
            if frames:
                reader.frames += frames
                reader.wake.set()
            if len(reader.frames) > self.settings.backlog_frames_max:
                self.drop(reader)
            if reader.connection.hung_up and not reader.gone:
                reader.code, reader.gone = reader.connection.close_code, True
                reader.wake.set()
        due = self.face.next_due_us()
        wait = TIMER_S_MAX if due is None else (due - self.clock.now_us()) / 1_000_000
        if self.timer is not None:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(
            min(TIMER_S_MAX, max(TIMER_S_MIN, wait)), self.turn)

    def drop(self, reader: Reader) -> None:
        """A client that does not read is cut off before it fills our memory."""
        reader.frames.clear()
        reader.gone = True
        reader.wake.set()

    # Sockets.

    async def socket(self, request: web.Request, kind: Kind) -> web.StreamResponse:
        """Serve one WebSocket until it ends."""
        if not self.face.doorman.admit(self.clock.now_us()):
            return web.Response(status=429, text="error code: 1015")
        socket = web.WebSocketResponse(
            max_msg_size=WIRE_BYTES_MAX, timeout=1.0,
            compress=self.settings.switches.permessage_deflate)
        if not socket.can_prepare(request).ok:
            return web.Response(status=426, text="this is a WebSocket endpoint")
        await socket.prepare(request)
        connection = self.face.connect(kind)
        reader = Reader(connection, socket, [], asyncio.Event())
        self.readers.append(reader)
        writer = asyncio.get_running_loop().create_task(self.write(reader))
        self.turn()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    connection.on_text(message.data)
                else:
                    connection.on_binary()
                self.turn()
        finally:
            connection.close()
            reader.gone = True
            reader.wake.set()
            self.readers.remove(reader)
            writer.cancel()
        return socket

    async def write(self, reader: Reader) -> None:
        """Send a reader's frames as it takes them."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                await reader.wake.wait()
                reader.wake.clear()
                while reader.frames:
                    frames, reader.frames = reader.frames, []
                    for frame in frames:
                        await reader.socket.send_str(frame)
                if reader.gone:
                    await reader.socket.close(
                        code=reader.code,
                        message=b"policy violation" if reader.code == 1008 else b"going away")
                    return

    async def rest(self, request: web.Request) -> web.Response:
        """Any other path: REST."""
        body = await request.read()
        status, headers, answer = self.face.http(request.method, request.path_qs,
                                                 request.headers, body)
        self.turn()
        return web.Response(status=status, headers=headers, body=answer)


async def watch_pipe(stop: Callable[[], None]) -> None:
    """Wait until stdin is at its end: the bot that started us is gone."""
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
    except (OSError, ValueError):
        # Standard input is a file or closed: there is nobody to lose.
        return
    while await stream.read(4_096):
        pass
    stop()


async def linger(server: ExchangeServer, seconds: float) -> None:
    """The bot is gone: serve on for a while, longer if another has attached, then stop."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or server.readers:
        await asyncio.sleep(min(0.2, max(0.01, deadline - time.monotonic())))
        if server.readers:
            deadline = time.monotonic() + seconds
    server.stopped.set()


def print_banner(server: ExchangeServer, document: dict[str, Any], out: TextIO) -> None:
    """Say where it listens: one JSON line, or text; the secret stays in endpoint.json."""
    settings = server.settings
    if settings.json_output:
        shown = {key: value for key, value in document.items()
                 if key not in SECRET_FACTS}
        print(json.dumps(shown), file=out, flush=True)
        return
    money = ", ".join(f"{amount} {asset}" for asset, amount in settings.balances.items())
    print(f"SIMULATED Kraken ({settings.mode}): {', '.join(document['symbols'])}\n"
          f"  REST       {document['rest_url']}\n"
          f"  WebSocket  {document['ws_url']}\n"
          f"  private    {document['ws_auth_url']}\n"
          f"  level 3    {document['ws_l3_url']}\n"
          f"  fees       {settings.fees}, account started with {money}\n"
          f"  latency    {document['latency']}\n"
          f"  key in     {server.folder.path / 'endpoint.json'}", file=out, flush=True)


@contextlib.asynccontextmanager
async def running(settings: ExchangeSettings,
                  events: Iterable[Event] | None = None) -> AsyncIterator[ExchangeServer]:
    """A listening exchange inside this process, for tests and tools."""
    server = ExchangeServer(settings, events)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


async def serve(settings: ExchangeSettings, events: Iterable[Event] | None = None,
                out: TextIO | None = None, tls: Any = None,
                duration_s: float | None = None) -> int:
    """Run the exchange until SIGTERM, SIGINT, or (with watch_stdin) linger_s after stdin ends.

    ``tls``: an SSL context to serve https and wss with; ``duration_s``: not longer than this.
    Returns the exit code. Raises ConfigError or StoreError before it listens.
    """
    server = ExchangeServer(settings, events, tls)
    document = await server.start()
    loop = asyncio.get_running_loop()
    # Before the banner: whoever reads it may send a signal at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, server.stopped.set)
    print_banner(server, document, out or sys.stdout)
    if settings.watch_stdin:
        server.spawn(watch_pipe(lambda: server.spawn(linger(server, settings.linger_s))))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.stopped.wait(), duration_s)
    await server.close()
    if isinstance(server.failure, HftbotError):
        raise server.failure
    if server.failure is not None:
        raise StoreError(f"the exchange stopped: {server.failure}") from server.failure
    return 0

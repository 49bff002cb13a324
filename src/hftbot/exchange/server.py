"""The embedded exchange on 127.0.0.1: one port for both WebSockets and REST.

The only room of the exchange with sockets and a real clock. It drives a KrakenFace with one timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
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
from hftbot.exchange.followed_market import Follower
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
ATTACH_S = 5.0
TIMER_S_MAX = 0.25
# What a client leaves unread in the system's and our buffers before its frames wait here.
UNSENT_BYTES_MAX = 1 << 16
UNSENT_PAUSE_S = 0.005
FRAMES_AT_ONCE = 64
# A client that leaves more than this unread is cut off, however few frames it is.
BACKLOG_CHARACTERS_MAX = 64 << 20
# Objects made since, younger sweeps since, and so on, before the garbage is swept.
SWEEP_AFTER = (20_000, 20, 50)


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


def text_frame(text: str) -> bytes:
    """One unmasked WebSocket text frame."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


@dataclass(slots=True)
class Reader:
    """One client socket and what wakes its writer.

    ``transport`` is None where frames are compressed: then they go out one by one.
    """

    connection: Connection
    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    frames: list[str]
    wake: asyncio.Event
    gone: bool = False
    code: int = 1008
    # Characters of the frames that wait.
    unread: int = 0

    def keep(self, frames: list[str]) -> None:
        """Let frames wait until the client has read those before them."""
        self.frames += frames
        self.unread += sum(map(len, frames))
        self.wake.set()

    def send_now(self, frames: list[str]) -> bool:
        """Hand frames to the system in one piece, if nothing is waiting before them."""
        transport = self.transport
        if (self.frames or self.gone or transport is None or transport.is_closing()
                or transport.get_write_buffer_size()):
            return False
        transport.write(b"".join([text_frame(frame) for frame in frames]))
        return True

    async def send(self, frames: list[str]) -> None:
        """Send frames as fast as the client takes them."""
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            part = frames[start:start + FRAMES_AT_ONCE]
            if self.transport is None:
                for frame in part:
                    await self.socket.send_str(frame)
                continue
            while self.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:
                if self.gone:
                    return
                await asyncio.sleep(UNSENT_PAUSE_S)
            if self.transport.is_closing():
                raise ConnectionResetError
            self.transport.write(b"".join([text_frame(frame) for frame in part]))


class ExchangeServer:
    """One listening exchange. ``start`` it, wait for ``stopped``, ``close`` it.

    With ``tls``, an SSL context, it serves https and wss.
    """

    def __init__(self, settings: ExchangeSettings, events: Iterable[Event] | None = None,
                 tls: Any = None, follower: Follower | None = None) -> None:
        self.settings = settings.check()
        self.tls = tls
        self.follower = follower
        self.folder = StateFolder(self.settings.state_dir)
        self.saved: dict[str, Any] | None = None
        try:
            self.saved = self.folder.load()
            self.clock = WallClock()
            self.refuse_other_market()
            self.face = KrakenFace(self.settings, self.clock, random.Random(settings.seed),
                                   self.saved, events, random.SystemRandom(),
                                   follower.markets if follower else ())
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
        self.timer_at = 0.0
        self.tasks: set[asyncio.Task[None]] = set()
        self.runner: web.AppRunner | None = None
        self.port = 0
        self.closed = False
        self.asked_s = 0.0

    def refuse_other_market(self) -> None:
        """An account of our own market is worth nothing on a real one, nor the reverse."""
        before, mode = (self.saved or {}).get("mode", ""), self.settings.mode
        if before and before != mode and "paper" in (before, mode):
            raise StoreError(f"the account in {self.folder.path} traded in mode {before}, at other "
                             f"prices than mode {mode} has; use another --state, or --fresh")

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
        if self.follower is not None:
            self.spawn(self.follower.follow(self.told))
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
            self.hand_out()
            self.set_timer(now_us)
        except Exception as error:
            # A timer's exception would only be logged, and the market would stand still.
            self.failure = error
            self.stopped.set()

    def told(self) -> None:
        """A follower told its markets something: it is due now."""
        self.face.market_ahead = None
        self.turn()

    def hand_out(self) -> None:
        """Give each client what has arrived for it."""
        for reader in self.readers:
            frames = reader.connection.take()
            if frames and not reader.send_now(frames):
                reader.keep(frames)
            if (len(reader.frames) > self.settings.backlog_frames_max
                    or reader.unread > BACKLOG_CHARACTERS_MAX):
                self.drop(reader)
            if reader.connection.hung_up and not reader.gone:
                reader.code, reader.gone = reader.connection.close_code, True
                reader.wake.set()

    def set_timer(self, now_us: int) -> None:
        """Turn again when the next thing is due."""
        due = self.face.next_due_us()
        wait = TIMER_S_MAX if due is None else (due - now_us) / 1_000_000
        loop = asyncio.get_running_loop()
        at = loop.time() + min(TIMER_S_MAX, max(TIMER_S_MIN, wait))
        # A timer that comes too early only turns once more; setting a new one each time costs more.
        if self.timer is None or at < self.timer_at:
            if self.timer is not None:
                self.timer.cancel()
            self.timer, self.timer_at = loop.call_at(at, self.tick), at

    def tick(self) -> None:
        """The timer: something is due."""
        self.timer = None
        self.turn()

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
        compressed = self.settings.switches.permessage_deflate
        transport = None if compressed else request.transport
        reader = Reader(connection, socket, transport, [], asyncio.Event())
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
                    # They stay in the list until they are out, so that nothing overtakes them.
                    await reader.send(frames := list(reader.frames))
                    del reader.frames[:len(frames)]
                    reader.unread -= sum(map(len, frames))
                if reader.gone:
                    await reader.socket.close(
                        code=reader.code,
                        message=b"policy violation" if reader.code == 1008 else b"going away")
                    return

    async def rest(self, request: web.Request) -> web.Response:
        """Any other path: REST."""
        if self.stopped.is_set():
            return web.Response(status=503, text="the exchange is closing")
        self.asked_s = time.monotonic()
        body = await request.read()
        # The same way there and back for every request, so that none overtakes another.
        way_s = 0.0 if request.path.startswith("/sim/") else (
            self.settings.latency.network_us / 1_000_000)
        with self.face.rest.under_way(request.path):
            await asyncio.sleep(way_s)
            status, headers, answer = self.face.http(request.method, request.path_qs,
                                                     request.headers, body)
            self.turn()
            await asyncio.sleep(way_s)
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
    """The bot is gone: serve on for a while, longer if another has attached, then stop.

    Whoever asked a moment ago means to attach.
    """
    deadline = time.monotonic() + seconds
    while True:
        now = time.monotonic()
        deadline = max(deadline, server.asked_s + ATTACH_S, now + seconds if server.readers else 0)
        if now >= deadline and not server.readers:
            break
        await asyncio.sleep(min(0.2, max(0.01, deadline - now)))
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


def keep_house() -> None:
    """For a process that only serves: what is there stays, and the rest is swept less often."""
    gc.collect()
    if hasattr(gc, "freeze"):  # PyPy has none
        gc.freeze()
        gc.set_threshold(*SWEEP_AFTER)


async def serve(settings: ExchangeSettings, events: Iterable[Event] | None = None,
                out: TextIO | None = None, tls: Any = None,
                duration_s: float | None = None, follower: Follower | None = None) -> int:
    """Run the exchange until SIGTERM, SIGINT, or (with watch_stdin) linger_s after stdin ends.

    ``tls``: an SSL context to serve https and wss with; ``duration_s``: not longer than this;
    ``follower``: whose markets are served instead of our own.
    Returns the exit code. Raises ConfigError or StoreError before it listens.
    """
    server = ExchangeServer(settings, events, tls, follower)
    document = await server.start()
    keep_house()
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

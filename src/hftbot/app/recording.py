"""``hftbot record``: real or simulated market data into files, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastcore.probe.clock import mono_ns
from hftbot.app import children
from hftbot.app.access import Access, tls_context
from hftbot.app.compose import run_loop
from hftbot.app.options import check_exchange
from hftbot.backtest import parquet_file
from hftbot.backtest.data import open_rows
from hftbot.backtest.recorder import Recorder
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, HftbotError
from hftbot.store.state_dir import StateDir
from hftbot.wire.link import Link
from hftbot.wire.ws import WsWire

FLUSH_S = 1.0
SILENCE_S = 10.0
ROTATE_BYTES = 1 << 30
COMPRESSION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """Options of ``hftbot record``; see its help."""

    folder: str
    exchange_url: str | None = None
    live: bool = False
    depth: int = 100
    duration_s: float | None = None
    rotate_s: float = 3_600.0
    parquet: bool = False
    json: bool = False


def record(settings: Settings, options: RecordOptions) -> int:
    """Record until Ctrl-C or the duration; 1 if anything is missing in what was recorded.

    Raises ConfigError, StoreError, and TransportError if no exchange answers at the URL.
    """
    if options.live and options.exchange_url is not None:
        raise ConfigError("--live and --exchange exclude each other")
    if options.exchange_url is not None:
        check_exchange(options.exchange_url)
    if options.parquet:
        parquet_file.require()
    return run_loop(lambda: _Recording(settings, options).run())


class _Recording:
    def __init__(self, settings: Settings, options: RecordOptions) -> None:
        self.settings = settings
        self.options = options
        self.begun_s = time.monotonic()
        self.failure: HftbotError | None = None
        self.finishing = ThreadPoolExecutor(1, "finish-recording")
        self.finished: list[dict[str, Any]] = []
        self.recorder = Recorder(
            Path(options.folder).expanduser(), settings.symbols, options.depth,
            rotate_ns=round(options.rotate_s * 1e9), rotate_bytes=ROTATE_BYTES, say=self._say,
            finished=lambda path: self.finishing.submit(self._finish, path))
        self.ahead_ns = time.time_ns() - int(mono_ns())
        self.link: Link | None = None

    async def run(self) -> int:
        try:
            with self._stopped_by_signals():
                async with contextlib.AsyncExitStack() as stack:
                    url, source, access = await self._venue(stack)
                    self._say(f"recording {', '.join(self.settings.symbols)} from {source} into "
                              f"{self.recorder.folder}; Ctrl-C stops")
                    self.link = Link(url, random.Random(), on_open=self._on_open,
                                     on_frame=self._on_frame, on_close=self._on_close,
                                     silence_s=SILENCE_S, connect=access.connect())
                    await self._until_stopped(self.link)
        finally:
            self.recorder.close()
            await asyncio.to_thread(self.finishing.shutdown)
        if self.failure is not None:
            raise self.failure
        return self._told(source)

    async def _venue(self, stack: contextlib.AsyncExitStack) -> tuple[str, str, Access]:
        """Where to connect, what that is in words, and how."""
        settings, options = self.settings, self.options
        if options.live:
            host = urlsplit(settings.kraken_ws_url).netloc
            return (settings.kraken_ws_url, f"{host}: real prices",
                    Access(tls_context(settings.kraken_ca_file)))
        if options.exchange_url is not None:
            parts = urlsplit(options.exchange_url)
            await children.status(f"{parts.scheme}://{parts.netloc}")
            return f"ws://{parts.netloc}/v2", f"the exchange at {parts.netloc}", Access()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hftbot-record-")))
        with StateDir(folder) as state:
            child, endpoint = await children.ExchangeChild.start(
                ["--with-bot", "--json", "--state", str(folder)], settings.environment(),
                folder / "exchange.log", state.exchange)
        stack.push_async_callback(child.release)
        return (endpoint.ws_url, f"a synthetic market, seed {settings.seed}: not a real one",
                Access())

    async def _until_stopped(self, link: Link) -> None:
        flushing = asyncio.create_task(self._flush())
        try:
            async with asyncio.timeout(self.options.duration_s):
                await link.run()
        except TimeoutError:
            pass
        finally:
            link.stop()
            flushing.cancel()

    async def _flush(self) -> None:
        """What was written survives our death a second later."""
        while True:
            await asyncio.sleep(FLUSH_S)
            self._guarded(self.recorder.flush)

    @contextlib.contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            if self.link is not None:
                self.link.stop()
            elif task is not None:
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _wall_ns(self) -> int:
        return int(mono_ns()) + self.ahead_ns

    def _on_open(self, wire: WsWire) -> None:
        self.ahead_ns = time.time_ns() - int(mono_ns())
        for frame in self._guarded(self.recorder.connected, self._wall_ns()) or ():
            wire.send(frame)

    def _on_frame(self, view: memoryview, padding: int, recv_ns: int) -> None:
        for frame in self._guarded(self.recorder.on_frame, bytes(view),
                                   recv_ns + self.ahead_ns) or ():
            if self.link is not None and self.link.wire is not None:
                self.link.send(frame)

    def _on_close(self, why: str) -> None:
        if why != "stopped":
            self._guarded(self.recorder.lost, why, self._wall_ns())

    def _guarded(self, call: Any, *what: Any) -> Any:
        """A full disk ends the recording in order."""
        try:
            return call(*what)
        except HftbotError as error:
            self.failure = error
            if self.link is not None:
                self.link.stop()
            return None

    def _finish(self, path: Path) -> None:
        """In a thread: pack one whole file, and write its Parquet beside it."""
        packed = path.with_suffix(".gz")
        fact: dict[str, Any] = {"file": str(packed)}
        try:
            with open(path, "rb") as source, gzip.open(packed, "wb", COMPRESSION) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            os.unlink(path)
            fact["bytes"] = packed.stat().st_size
        except OSError as error:
            fact = {"file": str(path), "problem": f"not packed: {error.strerror or error}"}
        if self.options.parquet:
            fact["parquet"] = []
            for symbol in self.settings.symbols:
                table = packed.with_name(f"{packed.stem}-{symbol.replace('/', '')}.parquet")
                try:
                    found = open_rows(Path(fact["file"]), symbol=symbol)
                    parquet_file.write(table, found)
                    fact["parquet"].append(str(table))
                except (HftbotError, OSError) as error:
                    fact["problem"] = f"{symbol}: no Parquet: {error}"
        self.finished.append(fact)

    def _told(self, source: str) -> int:
        recorded = self.recorder.recorded
        problems = [f"{fact['file']}: {fact['problem']}" for fact in self.finished
                    if "problem" in fact]
        seconds = round(time.monotonic() - self.begun_s, 3)
        content = {"source": source, "symbols": list(self.settings.symbols),
                   "depth": self.options.depth, "seconds": seconds,
                   "frames": recorded.frames, "bytes": recorded.bytes, "files": self.finished,
                   "books_compared": recorded.checked, "books_unequal": recorded.unequal,
                   "gaps": recorded.gaps, "connections_lost": recorded.losses,
                   "unreadable": recorded.unreadable, "problems": problems,
                   "notes": recorded.notes}
        if self.options.json:
            print(json.dumps(content, indent=2))
        else:
            print(f"{recorded.frames:,} frames, {recorded.bytes:,} bytes, in {seconds} s; "
                  f"{recorded.checked:,} books compared, {recorded.unequal} differed, "
                  f"{recorded.gaps} gaps, {recorded.losses} connections lost, "
                  f"{recorded.unreadable} frames unreadable")
            print("\n".join(f"  {fact['file']}" for fact in self.finished))
        for problem in problems:
            print(f"hftbot: {problem}", file=sys.stderr)
        whole = not (problems or recorded.unequal or recorded.gaps or recorded.losses
                     or recorded.unreadable) and recorded.frames > 0
        return 0 if whole else 1

    def _say(self, text: str) -> None:
        if not self.options.json:
            print(text, file=sys.stderr, flush=True)

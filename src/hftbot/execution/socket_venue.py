"""What the doors to real venues share: where a run is kept, its markets, this machine's clock."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from hftbot.app.journal_header import journal_header
from hftbot.config.schema import Settings
from hftbot.execution.deadlines import Deadlines
from hftbot.execution.market import Market, Voice, resolve
from hftbot.live.clock import SystemClock
from hftbot.store.journal_file import JournalFile
from hftbot.store.state_dir import StateDir
from hftbot.words.instrument import Instrument

JOURNAL_BYTES = 8 << 20


class DoorNotes:
    """Warnings and errors of the engine, told to the door's user; the rest is for nobody."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener
        self.quiet = False

    def info(self, text: str) -> None:
        """Routine."""

    def warn(self, text: str) -> None:
        """Something that a user should know."""
        if not self.quiet:
            self._listener.say(text)

    error = warn


class SocketVenue(ABC):
    """A venue on this machine's time, with a journal; ``state_dir`` None is a folder of its own."""

    def __init__(self, listener: Any, state_dir: Any) -> None:
        self._state_dir = state_dir
        self._voice = Voice(listener)
        self._notes = DoorNotes(listener)
        self._clock = SystemClock()
        self._markets: dict[str, Market] = {}
        self._deadlines = Deadlines()
        self._ends = contextlib.AsyncExitStack()

    async def open(self) -> None:
        """Reach the venue; then orders may leave. What was begun is taken back if that fails."""
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise

    @abstractmethod
    async def _open(self) -> None:
        """Everything that ``_ends`` has to take back is in it at once."""

    @abstractmethod
    async def close(self) -> None:
        """Cancel what is open, and let everything go."""

    def _state(self) -> StateDir:
        """The state directory, held until the end."""
        folder = self._state_dir
        if folder is None:
            folder = self._ends.enter_context(
                tempfile.TemporaryDirectory(prefix="hftbot-execution-"))
        return self._ends.enter_context(StateDir(folder))

    def _journal(self, state: StateDir, settings: Settings, run: int,
                 instruments: Sequence[Instrument], account: str) -> JournalFile:
        """The journal of this run, closed at the end."""
        header = journal_header(settings, run, instruments, account, "execution",
                                self._clock.now_us())
        journal = JournalFile(state, run, JOURNAL_BYTES, header, keep=settings.journal_keep)
        self._ends.callback(journal.close)
        # Without a close its copy in shared memory would stay.
        atexit.register(journal.close)
        self._ends.callback(atexit.unregister, journal.close)
        return journal

    def market(self, symbol: str, order_book: Mapping[str, Any] | None = None
               ) -> tuple[Market, str]:
        """The market that is meant, with a remark if it is another currency's."""
        found, remark = resolve(symbol, self._markets)
        return self._markets[found], remark

    async def wait(self, future: asyncio.Future[bool], timeout_s: float) -> bool:
        """Wait on this machine's clock."""
        return await self._deadlines.wait(future, timeout_s)

    def now_ns(self) -> int:
        """This machine's monotonic clock."""
        return self._clock.mono_ns()

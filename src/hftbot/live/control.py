"""DIR/control.sock: how other processes of the same user speak to a running bot.

One connection carries one request and one answer, each a JSON object on a line of its own:
``{"do": "status"}`` and what the handler of that command returns, or ``{"error": "..."}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hftbot.errors import HftbotError, NoBot, StoreError

CONTROL_FILE = "control.sock"
REQUEST_BYTES_MAX = 64 << 10
ANSWER_BYTES_MAX = 8 << 20
REQUEST_S = 5.0
CALLERS_MAX = 32
# The kernel takes 107 bytes on Linux and 103 on macOS; longer paths go through a descriptor.
ADDRESS_BYTES_MAX = 100

Content = dict[str, Any]


class Clean(dict[str, Any]):
    """An answer whose maker has taken the secrets out already: a big one is looked at once."""


Handler = Callable[[Content], Content | Awaitable[Content]]


class Control:
    """Serves the commands of one bot on its own event loop.

    ``handlers`` maps the word in ``do`` to what answers it. A handler gets the whole request and
    returns a JSON object; it runs on the trading loop, so it must be short, or a coroutine that
    waits. An HftbotError that it raises is the caller's answer; anything else is a fault of ours,
    told to the caller by its type and to ``complain`` in full. ``redact`` sees every answer that
    is not Clean.
    """

    def __init__(self, path: Path | str, handlers: Mapping[str, Handler],
                 redact: Callable[[Any], Any] = lambda content: content,
                 complain: Callable[[str], None] = lambda text: None) -> None:
        self.path = Path(path)
        self._handlers = dict(handlers)
        self._redact = redact
        self._complain = complain
        self._server: asyncio.AbstractServer | None = None
        self._callers: set[asyncio.Task[Any]] = set()
        self._identity = (0, 0)

    async def start(self) -> None:
        """Listen from now on, for the same user only. Replaces what a killed bot left.

        Raises StoreError if the directory does not take a socket.
        """
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            with contextlib.suppress(FileNotFoundError):
                fresh.unlink()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                with _address(fresh) as address:
                    listener.bind(address)
                # Nobody can connect before it listens, and then only who may.
                os.chmod(fresh, 0o600)
                listener.setblocking(False)
                listener.listen(CALLERS_MAX)
                facts = os.stat(fresh)
                os.replace(fresh, self.path)
            except BaseException:
                listener.close()
                raise
        except OSError as reason:
            raise StoreError(f"cannot listen at {self.path}: {reason.strerror or reason}"
                             ) from None
        self._identity = facts.st_dev, facts.st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listener,
                                                       limit=REQUEST_BYTES_MAX)

    async def close(self) -> None:
        """Stop listening and remove the socket, if it is still ours. May be called twice."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for task in list(self._callers):
            task.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        with contextlib.suppress(OSError):
            facts = os.stat(self.path)
            if (facts.st_dev, facts.st_ino) == self._identity:
                os.unlink(self.path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        try:
            answer = (await self._read_and_answer(reader) if len(self._callers) <= CALLERS_MAX
                      else {"error": f"{CALLERS_MAX} others are asking; try again"})
            writer.write(json.dumps(answer, default=str).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), REQUEST_S)
        except (OSError, TimeoutError, asyncio.CancelledError):
            # The caller has gone, does not read, or the bot ends: there is nobody to tell.
            writer.transport.abort()
        finally:
            self._callers.discard(task)
            writer.close()

    async def _read_and_answer(self, reader: asyncio.StreamReader) -> Content:
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_S)
        except TimeoutError:
            return {"error": f"no request within {REQUEST_S:g} s"}
        except ValueError:
            return {"error": f"a request has at most {REQUEST_BYTES_MAX} bytes"}
        answer = await self._answer(line)
        if not isinstance(answer, Clean):
            answer = self._redact(answer)
        return answer if isinstance(answer, dict) else {"error": "no answer"}

    async def _answer(self, line: bytes) -> Content:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"error": "the request is not JSON"}
        if not isinstance(request, dict):
            return {"error": "the request is not a JSON object"}
        word = request.get("do")
        handler = self._handlers.get(word) if isinstance(word, str) else None
        if handler is None:
            return {"error": f"no command {str(word)[:40]!r}; there are "
                             + ", ".join(sorted(self._handlers))}
        try:
            answer = handler(request)
            return await answer if inspect.isawaitable(answer) else answer
        except HftbotError as error:
            return {"error": str(error)}
        except Exception as error:
            self._complain(f"command {word}: {type(error).__name__}: {error}")
            return {"error": f"{word} failed: {type(error).__name__}; the log says more"}


def ask(path: Path | str, request: Mapping[str, Any], deadline_s: float = REQUEST_S) -> Content:
    """Ask the bot that listens at ``path`` and return its answer.

    Raises NoBot if none listens, HftbotError if it does not answer in time or says no.
    """
    target = Path(path)
    line = json.dumps(dict(request)).encode() + b"\n"
    end_s = time.monotonic() + deadline_s
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.settimeout(deadline_s)
            with _address(target) as address:
                caller.connect(address)
            caller.sendall(line)
            raw = _read_line(caller, end_s)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise NoBot(f"no bot runs in {target.parent} (start one with `hftbot run`, or name its "
                    "directory with --state)") from None
    except TimeoutError:
        raise HftbotError(f"the bot in {target.parent} did not answer within {deadline_s:g} s: "
                          "it is stopped or overloaded") from None
    except OSError as reason:
        raise HftbotError(f"cannot speak to the bot at {target}: {reason.strerror or reason}"
                          ) from None
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        raise HftbotError(f"the bot in {target.parent} ended before it answered"
                          if not raw.endswith(b"\n") else
                          f"{target}: the answer is not JSON") from None
    if not isinstance(answer, dict):
        raise HftbotError(f"{target}: the answer is not a JSON object")
    if "error" in answer:
        raise HftbotError(str(answer["error"]))
    return answer


def _read_line(caller: socket.socket, end_s: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= ANSWER_BYTES_MAX:
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        caller.settimeout(left_s)
        part = caller.recv(1 << 16)
        parts.append(part)
        size += len(part)
        if not part or part.endswith(b"\n"):
            break
    return b"".join(parts)


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path as the kernel takes it: a deep directory is named by a descriptor."""
    whole = str(path)
    if len(os.fsencode(whole)) <= ADDRESS_BYTES_MAX:
        yield whole
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)

"""Keeps the traceback of an unexpected error in a file, without secrets."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from hftbot.config.schema import SECRETS_LATER, Settings, keys
from hftbot.watch.redaction import Redactor
from hftbot.words.secret import Secret

CRASH_LOG = "crash.log"
_run: list[Redactor] = []  # what the run of this process knows, if there is one


def keep(error: BaseException, arguments: Sequence[str],
         environment: Mapping[str, str] | None = None) -> str:
    """Append the traceback to DIR/crash.log, or to a temporary file if that cannot be written.

    Returns the path, or words that say that it is nowhere. Never raises.
    """
    known = os.environ if environment is None else environment
    text = "".join(traceback.format_exception(error))
    entry = (f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC "
             f"hftbot {' '.join(arguments)}\n{_redactor(known, error)(text)}\n")
    folder = _state_folder(arguments, known)
    candidates = [folder / CRASH_LOG] if folder.is_dir() else []
    candidates.append(Path(tempfile.gettempdir()) / f"hftbot-crash-{os.getuid()}.log")
    for path in candidates:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            with open(os.open(path, flags, 0o600), "a", encoding="utf-8",
                      errors="backslashreplace") as file:
                file.write(entry)
            return str(path)
        except OSError:
            continue
    return "no file: nothing could be written"


def redacted(text: str, error: BaseException) -> str:
    """A line about an error, without the secrets that the error came by."""
    return _redactor(os.environ, error)(text)


def send_to(say: Callable[[str], None], redactor: Redactor) -> None:
    """Errors that nobody catches, in threads and in destructors, go there and not on the screen.

    ``say`` is the log, and ``redactor`` knows what the run knows: crash reports ask it too.
    """
    _run[:] = [redactor]

    def in_thread(found: threading.ExceptHookArgs) -> None:
        say(_traced(f"thread {found.thread.name if found.thread else ''} ended", found.exc_value))

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        say(_traced(found.err_msg or "an error was swallowed", found.exc_value))

    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def _traced(what: str, error: BaseException | None) -> str:
    text = "".join(traceback.format_exception(error)) if error is not None else ""
    return f"{what}: {text}"


def _state_folder(arguments: Sequence[str], environment: Mapping[str, str]) -> Path:
    for index, word in enumerate(arguments):
        if word == "--state" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
        if word.startswith("--state="):
            return Path(word.removeprefix("--state="))
    return Path(environment.get("HFTBOT__STATE_DIR") or environment.get("STATE_DIR")
                or keys()["STATE_DIR"].default)


def _redactor(environment: Mapping[str, str], error: BaseException) -> Callable[[str], str]:
    """Knows the secrets of the environment and those in the frames that the error passed."""
    names = {alias for key in keys().values() if key.secret for alias in (key.name, *key.aliases)}
    names.update(SECRETS_LATER)
    secrets = [Secret(text) for name, text in environment.items()
               if text and name.removeprefix("HFTBOT__").rpartition("__")[2].upper() in names]
    for value in _locals(error):
        if isinstance(value, Secret):
            secrets.append(value)
        elif isinstance(value, Settings):
            secrets.extend(value.secrets())
    ours = Redactor(secrets)

    def redact(text: str) -> str:
        for known in _run:
            text = known(text)
        return ours(text)

    return redact


def _locals(error: BaseException) -> Iterator[object]:
    """What the functions that an error passed held, those of the errors behind it included."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        trace = one.__traceback__
        while trace is not None:
            yield from list(trace.tb_frame.f_locals.values())
            trace = trace.tb_next

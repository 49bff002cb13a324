"""Keeps the traceback of an unexpected error in a file, without secrets."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from hftbot.config.schema import SECRETS_LATER, Settings, keys
from hftbot.watch.redaction import Redactor
from hftbot.words.secret import Secret

CRASH_LOG = "crash.log"


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


def _state_folder(arguments: Sequence[str], environment: Mapping[str, str]) -> Path:
    for index, word in enumerate(arguments):
        if word == "--state" and index + 1 < len(arguments):
            return Path(arguments[index + 1])
        if word.startswith("--state="):
            return Path(word.removeprefix("--state="))
    return Path(environment.get("HFTBOT__STATE_DIR") or environment.get("STATE_DIR")
                or keys()["STATE_DIR"].default)


def _redactor(environment: Mapping[str, str], error: BaseException) -> Redactor:
    """Knows the secrets of the environment and those in the frames that the error passed."""
    names = [alias for key in keys().values() if key.secret for alias in (key.name, *key.aliases)]
    secrets = [Secret(environment[name]) for name in (*names, *SECRETS_LATER)
               if environment.get(name)]
    trace = error.__traceback__
    while trace is not None:
        for value in list(trace.tb_frame.f_locals.values()):
            if isinstance(value, Secret):
                secrets.append(value)
            elif isinstance(value, Settings):
                secrets.extend(value.secrets())
        trace = trace.tb_next
    return Redactor(secrets)

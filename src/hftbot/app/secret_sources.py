"""Where keys come from: a file of their own, the keyring; and which files are private enough."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from hftbot.config.schema import SECRETS_LATER, keys
from hftbot.errors import ConfigError

SERVICE = "hftbot"
KEY_BYTES_MAX = 8192
PATH_SHOWN = 300
_LIKE_A_KEY = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def complaint(path: Path, found: os.stat_result) -> str:
    """Why a file is not private enough for a secret, with the remedy; empty if it is.

    ``found`` is what the open file said of itself, so that nobody can swap it in between.
    """
    shown = shlex.quote(str(path))
    if path.is_symlink():
        return f"is a link, and a link can be turned elsewhere; name {path.resolve()} itself"
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_uid != os.geteuid():
        return (f"belongs to user {found.st_uid}, not to you; copy it to a file of your own with "
                "mode 600")
    if found.st_mode & _OTHERS:
        return (f"other users may read it (mode {stat.S_IMODE(found.st_mode):04o}); run: chmod 600 "
                f"{shown}")
    return ""


def key_file(path: Path, asked_by: str) -> str:
    """The one line of a key's own file. Raises ConfigError unless it is ours and ours alone.

    ``asked_by`` is the setting that names the file, and where it was said.
    """
    try:
        # A pipe must not hold us up.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            wrong = complaint(path, os.fstat(number))
            content = b"" if wrong else os.read(number, KEY_BYTES_MAX + 1)
        finally:
            os.close(number)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{asked_by}: {str(path)[:PATH_SHOWN]}: {said}") from None
    if wrong:
        raise ConfigError(f"{asked_by}: {path} {wrong}")
    lines = content.decode("ascii", errors="replace").strip().splitlines()
    if len(content) > KEY_BYTES_MAX or len(lines) != 1:
        raise ConfigError(f"{asked_by}: {path} must hold the key on one line, and nothing else")
    return lines[0].strip()


def keyring_text(name: str) -> str:
    """What the system's keyring keeps under this name; empty if nothing. Raises ConfigError."""
    try:
        import keyring
    except ImportError:
        raise ConfigError("KEYRING=1 needs the package keyring; run: pip install "
                          "'hftbot[keyring]'") from None
    try:
        return keyring.get_password(SERVICE, name) or ""
    except Exception as error:  # each backend has its own kinds, and their texts are not ours
        raise ConfigError(f"KEYRING=1: the keyring does not answer ({type(error).__name__}); "
                          f"unlock it, or use {name}_FILE") from None


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child process that needs no key of ours."""
    secret = {name for key in keys().values() if key.secret or key.group == "secrets"
              for name in (key.name, *key.aliases)} | set(SECRETS_LATER)
    return {name: text for name, text in environment.items()
            if name.removeprefix("HFTBOT__").rpartition("__")[2].upper() not in secret}


def settle(found: Mapping[str, tuple[str, str]], files: Mapping[str, tuple[str, str]],
           passed_over: Callable[[str, str], None], here: Path) -> dict[str, tuple[str, str]]:
    """Text and source of each secret: its own file, a file of settings, keyring, environment.

    ``found`` is what was found by the order of all settings, ``files`` what the files of settings
    say, both as (text, source) by name. ``passed_over`` hears the text of a secret that is there
    but not used, and a note about it.
    """
    settled: dict[str, tuple[str, str]] = {}
    asks_keyring = found.get("KEYRING", ("0", ""))[0].strip().lower() in ("1", "true", "yes", "on")
    for key in keys().values():
        if not key.secret:
            continue
        best: tuple[str, str] | None = None
        named = found.get(f"{key.name}_FILE")
        if named is not None and named[0].strip():
            path = here / Path(named[0].strip()).expanduser()
            if _LIKE_A_KEY.fullmatch(named[0].strip()) and not path.exists():
                raise ConfigError(f"{key.name}_FILE ({named[1]}) looks like the key itself; it "
                                  "must name a file that holds the key")
            best = key_file(path, f"{key.name}_FILE ({named[1]})"), f"file {path}"
        elif key.name in files:
            best = files[key.name]
        elif asks_keyring:
            text = keyring_text(key.name)
            best = (text, f"keyring, service {SERVICE}") if text else None
        other = found.get(key.name)
        if best is not None:
            settled[key.name] = best
            if other is not None and other[0].strip() != best[0].strip():
                passed_over(other[0].strip(), f"{key.name} ({other[1]}) is not used: it comes "
                                              f"from {best[1]}")
        elif other is not None:
            settled[key.name] = other
    return settled

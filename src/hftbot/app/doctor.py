"""``hftbot doctor``: is this machine ready? Each check says what it found, and the remedy."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hftbot import __version__
from hftbot.app import hardening
from hftbot.config.schema import Settings, keys

DISK_BYTES_MIN = 512 << 20
SHARED_BYTES_MIN = 64 << 20
PACKAGES = ("numpy", "aiohttp", "uvloop", "picows", "rich")
ON_CPYTHON_ONLY = ("uvloop", "picows")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. ``ok`` False fails the command; a remedy with ok True is advice."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def report(settings: Settings, json_wanted: bool = False,
           sources: Mapping[str, str] | None = None, live: bool = False) -> int:
    """Print all checks; 0 if every one passed, else 1. ``sources`` says where settings are from.

    ``live``: the real venue is asked about everything that `run --live` needs.
    """
    checks = run_checks(settings, sources or {})
    if live:
        from hftbot.app import doctor_live
        checks += [Check(*row) for row in doctor_live.findings(settings)]
    good = all(check.ok for check in checks)
    if json_wanted:
        print(json.dumps({"ok": good, "version": __version__,
                          "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print(f"hftbot {__version__}")
        for check in checks:
            mark = "FAIL" if not check.ok else "note" if check.remedy else "ok"
            print(f"  {mark:<5}{check.name:<19}{check.found}")
            if check.remedy:
                print(f"  {'':<24}remedy: {check.remedy}")
        print("ready" if good else "not ready")
    return 0 if good else 1


def run_checks(settings: Settings, sources: Mapping[str, str]) -> list[Check]:
    """Every check in order; one that breaks is a failed check, not an error."""
    folder = Path(settings.state_dir).expanduser().absolute()
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("python", check_python), ("core", check_core), ("packages", check_packages),
        ("processors", lambda: check_processors(settings)), ("clock", check_clock),
        ("state directory", lambda: check_state(folder)), ("disk", lambda: check_disk(folder)),
        ("shared memory", check_shared_memory), ("sockets", check_sockets),
        ("keys", lambda: check_keys(settings, sources)),
        ("guardian", lambda: check_guardian(settings))]
    results = []
    for name, check in checks:
        try:
            results.append(check())
        except Exception as error:
            results.append(Check(name, False, f"{type(error).__name__}: {error}"))
    return results


def check_python() -> Check:
    """The interpreter."""
    found = f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}"
    return Check("python", sys.version_info >= (3, 11), found,
                 "" if sys.version_info >= (3, 11) else "use Python 3.11 or later")


def check_core() -> Check:
    """Whether the machine room is compiled."""
    try:
        import fastcore
    except ImportError as error:
        return Check("core", False, "no compiled core", str(error))
    if fastcore.compiled:
        return Check("core", True, "compiled")
    pypy = sys.implementation.name != "cpython"
    return Check("core", True, "interpreted" + (", by the JIT" if pypy else ""),
                 "slower; CPython with the compiled core is the fast way" if pypy
                 else "unset FASTCORE_PURE for the compiled core")


def check_packages() -> Check:
    """Versions of what we stand on."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            if sys.implementation.name == "cpython" or name not in ON_CPYTHON_ONLY:
                missing.append(name)
    return Check("packages", not missing, ", ".join(found) or "none",
                 f"pip install {' '.join(missing)}" if missing else "")


def check_processors(settings: Settings) -> Check:
    """Spinning needs a second processor."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    alone = count < 2 and settings.busy_poll != "off"
    return Check("processors", True, str(count),
                 f"BUSY_POLL={settings.busy_poll} needs two; it will not spin" if alone else "")


def check_clock() -> Check:
    """Wall clock plausible, both clocks in microseconds or better."""
    wall, mono = time.get_clock_info("time"), time.get_clock_info("monotonic")
    resolution_us = max(wall.resolution, mono.resolution) * 1e6
    year = time.gmtime().tm_year
    fine = resolution_us <= 1.0
    remedy = "" if fine else "latencies will be coarse on this machine"
    if not 2024 <= year < 2100:
        return Check("clock", False, f"the year is {year}", "set the clock (NTP)")
    return Check("clock", True, f"resolution {resolution_us:.3g} µs", remedy)


def check_state(folder: Path) -> Check:
    """The state directory can be made and written, and nobody else reads it."""
    place = _existing(folder)
    if not place.is_dir():
        return Check("state directory", False, f"{place} is not a directory",
                     "choose another with --state")
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("state directory", False, f"{place} cannot be written",
                     "choose another with --state")
    if place != folder:
        return Check("state directory", True, f"{folder} (will be made)")
    others = folder.stat().st_mode & 0o077
    return Check("state directory", True, str(folder),
                 f"other users may enter it; chmod 700 {folder}" if others else "")


def check_disk(folder: Path) -> Check:
    """Space for journal, log and database."""
    free = shutil.disk_usage(_existing(folder)).free
    enough = free >= DISK_BYTES_MIN
    return Check("disk", enough, f"{free / (1 << 30):.1f} GiB free",
                 "" if enough else f"free at least {DISK_BYTES_MIN >> 20} MiB")


def check_shared_memory() -> Check:
    """The hot journal lives in shared memory where there is some."""
    place = Path("/dev/shm")
    if not place.is_dir() or not os.access(place, os.W_OK):
        return Check("shared memory", True, "none",
                     "the journal is mapped on disk: its appends take longer at the 99th "
                     "percentile")
    free = shutil.disk_usage(place).free
    return Check("shared memory", True, f"{free / (1 << 20):.0f} MiB free in {place}",
                 "" if free >= SHARED_BYTES_MIN else "little is left; the journal may not fit")


def check_sockets() -> Check:
    """The embedded exchange needs a port on 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5.0):
            return Check("sockets", True, "127.0.0.1 listens and connects")


def check_keys(settings: Settings, sources: Mapping[str, str]) -> Check:
    """Where keys come from, by name, and whether this system keeps them from core files."""
    given = [name for name, key in keys().items()
             if key.secret and getattr(settings, key.attribute)]
    if not given:
        return Check("keys", True, "none, and none is needed for the embedded exchange")
    found = "; ".join(f"{name} from {sources.get(name, 'default')}" for name in given)
    if not hardening.forbid_dumps():
        return Check("keys", True, found,
                     "this system does not keep them from core files and debuggers")
    in_environment = any(sources.get(name, "").startswith("environment") for name in given)
    return Check("keys", True, f"{found}; kept from core files and debuggers",
                 "the environment is seen by child processes; KRAKEN_API_KEY_FILE names a file"
                 if in_environment else "")


def check_guardian(settings: Settings) -> Check:
    """Who cancels if the bot dies."""
    if not settings.guardian:
        return Check("guardian", True, "off", "GUARDIAN=1: without it a bot that dies leaves its "
                     "orders open")
    found = f"on, waits {settings.guardian_limit_us / 1e6:g} s for a beat"
    if settings.kraken_guardian_api_key or not settings.kraken_api_key:
        return Check("guardian", True, f"{found}; a key of its own")
    return Check("guardian", True, f"{found}; the bot's key",
                 "KRAKEN_GUARDIAN_API_KEY: one that can query and cancel only")


def _existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path

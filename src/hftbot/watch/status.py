"""status.json: what the bot says of itself while it runs, and after."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hftbot.errors import HftbotError, StoreError
from hftbot.watch.logs import stamp
from hftbot.watch.report import strategy_lines

STATUS_FILE = "status.json"
LATENCY_LOG = "latency.hlog"
FILE_BYTES_MAX = 8 << 20
FIGURES = ("count", "min_us", "avg_us", "p50_us", "p95_us", "p99_us", "max_us")


def write(path: Path | str, content: Mapping[str, Any]) -> None:
    """Replace the status file in one step, so that a reader sees the old one or the new one.

    Keys that ``hftbot status`` shows: pid, updated_us, state, mode, symbols, duration_s,
    orders_sent, fills, open_orders, positions, pnl_usd, fees_usd, latency. Raises StoreError.
    """
    target = Path(path)
    fresh = target.with_name(f"{target.name}.{os.getpid()}.new")
    text = json.dumps(content, default=str)
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)
        os.replace(fresh, target)
    except OSError as reason:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StoreError(f"cannot write {target}: {reason.strerror or reason}") from None


def read(path: Path | str) -> dict[str, Any]:
    """What the bot last said of itself.

    Raises HftbotError if no bot has run here, StoreError if the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.loads(file.read(FILE_BYTES_MAX))
    except FileNotFoundError:
        raise HftbotError(f"no bot has run here yet: {path} is missing (start one with "
                          "`hftbot run`, or name its directory with --state)") from None
    except OSError as reason:
        raise StoreError(f"cannot read {path}: {reason.strerror or reason}") from None
    except (ValueError, RecursionError):
        raise StoreError(f"{path} is damaged: it is not JSON") from None
    if not isinstance(content, dict):
        raise StoreError(f"{path} is damaged: it is not a JSON object")
    return content


def latencies(path: Path | str) -> dict[str, Mapping[str, float]]:
    """What the last run measured so far, by tracker. Raises HftbotError if that is nothing."""
    told = read(path).get("latency")
    found = {name: row for name, row in _rows(told)
             if row.get("count") and all(isinstance(row.get(key), int | float) for key in FIGURES)}
    if not found:
        raise HftbotError("no latencies yet: the last run has measured none; trade with "
                          "`hftbot run`")
    return found


def is_alive(content: Mapping[str, Any]) -> bool:
    """True if the process that wrote the status still runs and did not say that it stopped."""
    pid = content.get("pid")
    if content.get("state") == "stopped" or not isinstance(pid, int) or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def text(content: Mapping[str, Any], alive: bool, now_us: int) -> str:
    """The status for people."""
    updated_us = content.get("updated_us")
    when = ""
    if isinstance(updated_us, int):
        age_s = (now_us - updated_us) / 1e6
        when = f", {stamp(updated_us)} UTC ({age_s:.1f} s ago)"
    state = content.get("state", "unknown")
    head = f"running, pid {content.get('pid')}" if alive else "not running"
    lines = [f"{head}; last state: {state}{when}"]
    for name, value in content.items():
        if name == "limits" and isinstance(value, Mapping):
            lines += [f"  {'limits':<16} {line}" for line in limit_lines(value)]
        elif name == "links" and isinstance(value, Mapping):
            lines.append(f"  {'links':<16} {link_line(value)}")
        elif name == "strategy" and isinstance(value, Mapping):
            lines += [f"  {line}" for own, counters in value.items()
                      if isinstance(counters, Mapping) for line in strategy_lines(own, counters)]
        elif name == "positions" and isinstance(value, list):
            lines.append(f"  {name:<16} {_held(value)}")
        elif name not in ("pid", "updated_us", "state", "latency"):
            lines.append(f"  {name:<16} {_shown(value)}")
    latency = content.get("latency")
    if isinstance(latency, Mapping):
        lines += [f"  {'latency':<16} {name}: p50 {row['p50_us']:.2f}µs p95 {row['p95_us']:.2f}µs "
                  f"p99 {row['p99_us']:.2f}µs max {row['max_us']:.2f}µs"
                  for name, row in latency.items()
                  if isinstance(row, Mapping) and row.get("count")]
    return "\n".join(lines)


def _held(positions: list[Any]) -> str:
    held = [f"{row['size']:+.8g} {row['symbol']}" for row in positions
            if isinstance(row, Mapping) and isinstance(row.get("size"), int | float)
            and "symbol" in row]
    return ", ".join(held) if len(held) == len(positions) and held else _shown(positions)


def limit_lines(limits: Mapping[str, Any]) -> list[str]:
    """What is used of the venue's limits and of ours, a line for each pair and one for the rest."""
    lines = []
    for symbol, row in _rows(limits.get("trading")):
        lines.append(f"{symbol}: {_shown(row.get('used'))} of {row.get('max')} points "
                     f"(-{_shown(row.get('decay_per_s'))} a second, "
                     f"{_shown(row.get('cancel_reserve'))} kept for cancels), "
                     f"{row.get('open_orders')} of {row.get('open_orders_max')} orders")
    lines.append("; ".join([f"tier {limits.get('tier')}"] + [
        f"{name} {row.get('used')} of {row.get('max')}"
        for name, row in _rows(limits) if name != "trading"]))
    return lines


def link_line(links: Mapping[str, Any]) -> str:
    """Whether each connection lives, and for how long nothing came over it."""
    parts = []
    for name, row in _rows(links):
        silent_s = row.get("silent_s")
        heard = f" (silent for {silent_s:.1f} s)" if isinstance(silent_s, int | float) else ""
        parts.append(f"{name} {'up' if row.get('up') else 'DOWN'}{heard}")
    return ", ".join(parts)


def _rows(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows of a mapping that are mappings: a status file may be anything."""
    if not isinstance(value, Mapping):
        return []
    return [(name, row) for name, row in value.items() if isinstance(row, Mapping)]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value) or "none"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_shown(item)}" for name, item in value.items()) or "none"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def as_json(content: Mapping[str, Any]) -> str:
    """Pretty JSON for standard output."""
    return json.dumps(content, indent=2, default=str)

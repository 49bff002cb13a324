"""What a human must not overlook in the state of a bot, worst first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALARM, CAUTION = "alarm", "caution"
# In the last words of a bot that stopped in order.
PROVED = "no order is open, the venue was asked"


def limit_rows(content: Mapping[str, Any]) -> list[tuple[str, float, float, float]]:
    """(name, used, most, what of that is for cancels only) of each budget, the fullest first."""
    rows = []
    for name, row in content.get("limits", {}).items():
        if isinstance(row, Mapping):
            ones = [(name, row)] if "max" in row else row.items()
            rows += [(str(key), float(one.get("used", 0)), float(one["max"]),
                      float(one.get("cancel_reserve", 0)))
                     for key, one in ones if isinstance(one, Mapping) and one.get("max")]
    return sorted(rows, key=lambda row: -share_used(*row[1:]))


def share_used(used: float, most: float, reserve: float) -> float:
    """How much of what orders may use is used: at 1 only cancels are left."""
    return used / (most - reserve) if most > reserve else 1.0


def found(content: Mapping[str, Any], trouble: str = "",
          silent_s: float = 0.0) -> list[tuple[str, str]]:
    """(alarm or caution, sentence) of all that stops or hampers trading.

    ``trouble``: a word, a colon, and why the bot has not answered for ``silent_s`` seconds; what
    is known of it is old.
    """
    rows: list[tuple[str, str]] = []
    if trouble:
        rows.append((_severity(content, trouble),
                     f"{trouble}; what you see is {silent_s:,.0f} s old" if content else trouble))
    rows += _guard(content)
    if not content:
        return rows
    stopping = content.get("state") == "stopping"
    if content.get("blind") and content.get("state") != "starting":
        rows.append((ALARM, "BLIND: the trading link is down or not reconciled; no order leaves"))
    for market in content.get("markets", ()):
        if market.get("trust") != "TRUSTED":
            rows.append((ALARM, f"{market.get('symbol')}: book {market.get('trust')}, not trusted; "
                                "its orders are denied"))
    doubts = [row for row in content.get("orders", ()) if row.get("state") == "DOUBT"]
    if doubts:
        rows.append((ALARM, f"{len(doubts)} {'order' if len(doubts) == 1 else 'orders'} IN DOUBT: "
                            "sent, outcome not known; the venue is being asked"))
    if content.get("guarded") is False:
        rows.append((ALARM, "NO GUARDIAN: no order leaves until it is back"))
    if content.get("doubtful"):
        rows.append((ALARM, "a position disagrees with the venue; nothing new is placed"))
    if content.get("venue_mode", "OPEN") != "OPEN":
        rows.append((CAUTION, f"venue is {str(content['venue_mode']).replace('_', ' ')}"))
    if content.get("breaker"):
        rows.append((CAUTION, f"breaker {content['breaker']}"))
    for name, used, most, reserve in limit_rows(content):
        if reserve and used >= most - reserve:
            rows.append((CAUTION, f"{name} {used:,.0f} of {most:,.0f}: what is left is for "
                                  "cancels; new orders are denied"))
    if content.get("disabled"):
        rows.append((CAUTION, f"strategy disabled: {', '.join(content['disabled'])}"))
    if stopping:
        rows.append((CAUTION, f"STOPPING ({content.get('stop_reason') or 'asked'}): cancelling all "
                              "and verifying that no order is open"))
    if content.get("missing") and not stopping:
        rows.append((CAUTION, f"starting: waits for {content['missing']}"))
    return rows


def _severity(content: Mapping[str, Any], trouble: str) -> str:
    """A bot that stopped in order, or does not listen yet, is no emergency."""
    return CAUTION if not content or PROVED in trouble else ALARM


def _guard(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    guard, reason = content.get("guard"), content.get("guard_reason") or "no reason given"
    if guard == "HALTED":
        stays = "; stays until `hftbot resume --yes`" if content.get("sticky") else ""
        return [(ALARM, f"HALTED: {reason}{stays}")]
    if guard == "REDUCING":
        return [(CAUTION, f"REDUCING, exits only: {reason}")]
    return [(CAUTION, str(reason))] if content.get("sticky") else []


def state_word(content: Mapping[str, Any], trouble: str) -> tuple[str, str]:
    """One word for the whole bot, and alarm, caution or nothing."""
    if trouble:
        return trouble.partition(":")[0], _severity(content, trouble)
    guard, state = content.get("guard"), content.get("state")
    if guard == "HALTED":
        return "HALTED", ALARM
    if state == "stopping":
        return "STOPPING", CAUTION
    if content.get("blind") and state != "starting":
        return "BLIND", ALARM
    if guard == "REDUCING":
        return "REDUCING", CAUTION
    if any(market.get("trust") != "TRUSTED" for market in content.get("markets", ())):
        return ("NO TRUSTED BOOK" if not any(
            market.get("trust") == "TRUSTED" for market in content.get("markets", ()))
            else "TRADING IN PART"), CAUTION
    return str(state or "unknown").upper(), ""

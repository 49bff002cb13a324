"""Check the JSON object of ``hftbot run --json``: it traded, measured, and left nothing open."""

import json
import sys

KEYS = {"mode", "venues", "duration_s", "orders_sent", "fills", "rejects", "doubts", "positions",
        "pnl_usd", "fees_usd", "open_orders_at_exit", "latency"}
TRACKERS = {"loop_iteration", "intent_generation", "risk_check", "order_placement", "book_update",
            "fair_price_calc"}
FIGURES = {"count", "min_us", "avg_us", "p50_us", "p95_us", "p99_us", "max_us"}


def wrong(result: dict) -> list[str]:
    """Everything that is not as a healthy run leaves it."""
    found = [f"{key} is missing" for key in sorted(KEYS - result.keys())]
    latency = result.get("latency", {})
    for name in sorted(TRACKERS):
        figures = latency.get(name, {})
        if not figures.get("count"):
            found.append(f"tracker {name} has no sample")
        found += [f"tracker {name} lacks {key}" for key in sorted(FIGURES - figures.keys())]
    if not result.get("fills"):
        found.append("no fills")
    if result.get("open_orders_at_exit") != 0:
        found.append(f"{result.get('open_orders_at_exit')} orders open at exit")
    if not isinstance(result.get("venues"), list):
        found.append("venues is not a list")
    return found


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    result = json.loads(text)  # one object and nothing else, or this raises
    problems = wrong(result)
    print({key: result.get(key) for key in ("mode", "venues", "duration_s", "orders_sent", "fills",
                                            "pnl_usd", "fees_usd", "open_orders_at_exit")})
    print({name: figures.get("p50_us") for name, figures in result.get("latency", {}).items()})
    sys.exit("\n".join(problems) or 0)

"""What the door counts: latencies as measured, fills, and how well the queue model guessed."""

from __future__ import annotations

from typing import Any

from fastcore.probe.histogram import Histogram
from hftbot.execution.latency_simulator import TARGET_NS

BINS = 10
FILL_RATE_LOW = 0.8
ORDERS_JUDGED = 10
ADVICE = (
    "Fill rate below 80 %: adjust the queue position model (try RiskAverse); place orders closer "
    "to the market price; increase the order size (it may improve priority); check the exchange's "
    "queue position logic")


class LatencyFigures:
    """Durations in nanoseconds that were measured; nothing else is ever put in."""

    def __init__(self) -> None:
        self.count = self.total_ns = self.max_ns = self.min_ns = 0
        self._histogram = Histogram()

    def add(self, took_ns: int) -> None:
        """Count one duration."""
        self.min_ns = took_ns if not self.count else min(self.min_ns, took_ns)
        self.max_ns = max(self.max_ns, took_ns)
        self.count += 1
        self.total_ns += took_ns
        self._histogram.record(took_ns)

    def content(self) -> dict[str, Any]:
        """The figures under the handbook's names; zeros while nothing was measured."""
        average = self.total_ns / self.count if self.count else 0.0
        found = {"count": self.count, "avg_ns": average, "avg_us": average / 1000,
                 "min_ns": self.min_ns, "max_ns": self.max_ns, "target_ns": TARGET_NS,
                 "achieved": self.count > 0 and average < TARGET_NS}
        for name, share in (("p50_ns", 50.0), ("p99_ns", 99.0)):
            found[name] = self._histogram.value_at_percentile(share) if self.count else 0
        return found


class Calibration:
    """Guessed fill probabilities beside what happened, in ten classes."""

    def __init__(self) -> None:
        self._rows = [[0, 0.0, 0] for _ in range(BINS)]

    def add(self, guessed: float, filled: bool) -> None:
        """An order that rested is over: it was guessed so, and was filled whole or not."""
        row = self._rows[min(BINS - 1, int(guessed * BINS))]
        row[0] += 1
        row[1] += guessed
        row[2] += filled

    def content(self) -> list[dict[str, float]]:
        """Classes that have orders: how many, the mean guess, the share that was filled."""
        return [{"from": number / BINS, "to": (number + 1) / BINS, "orders": orders,
                 "guessed": total / orders, "filled": filled / orders}
                for number, (orders, total, filled) in enumerate(self._rows) if orders]


def report_text(stats: dict[str, Any]) -> str:
    """The figures for a person, as text that ends with a line end."""
    latency = stats["latency"]
    lines = [f"orders {stats['total_orders']}, traded {stats['total_executions']}, active "
             f"{stats['active_orders']}, fill rate {stats['fill_rate']:.2%}",
             f"call to first answer: average {latency['avg_us']:.3f} us, least "
             f"{latency['min_ns']} ns, most {latency['max_ns']} ns (measured; target "
             f"{latency['target_ns']} ns {'met' if latency['achieved'] else 'not met'})",
             f"profit {stats['profit']:.2f}, fees {stats['fees']:.2f}"]
    if stats["remark"]:
        lines[-1] += f" ({stats['remark']})"
    if stats["calibration"]:
        lines.append("fill probability, guessed against filled:")
        lines += [f"  {row['from']:.1f} to {row['to']:.1f}: {row['orders']} orders, guessed "
                  f"{row['guessed']:.2f}, filled {row['filled']:.2f}"
                  for row in stats["calibration"]]
    lines += stats["notes"]
    if stats["advice"]:
        lines.append(stats["advice"])
    return "\n".join(lines) + "\n"

"""What a run prints while it trades: the latency report comes in its interval, and not twice."""

from __future__ import annotations

import pathlib

import pytest

from hftbot.app.reporter import Reporter
from hftbot.watch.redaction import Redactor
from world.ring import Notes, Ring, run_ring


class NoStore:
    def fill(self, row: dict[str, object]) -> None: ...
    def order(self, row: dict[str, object]) -> None: ...
    def note(self, row: dict[str, object]) -> None: ...
    def loss(self) -> str: return ""


@pytest.mark.parametrize(("seconds", "reports"), [(4.0, 2), (5.0, 3)])
def test_no_latency_report_just_before_the_one_at_the_end(
        tmp_path: pathlib.Path, seconds: float, reports: int) -> None:
    """Every two seconds; of the run of four seconds the second one is the one at its end."""
    said: list[str] = []
    made: list[Reporter] = []

    def plan(ring: Ring) -> None:
        ring.world.notes = ring.session.notes = ring.world.engine.notes = Notes()
        reporter = Reporter(ring.world.settings, "sim", ring.session, NoStore(), tmp_path,
                            said.append, Redactor([]))
        reporter.routine = lambda text: None
        ring.session.on_tick = reporter.tick
        made.append(reporter)

    run_ring(5, seconds, script=plan, bot={"report_interval_us": 2_000_000})
    reporter, = made
    reporter.finish([], json_wanted=False)
    assert sum("LATENCY REPORT" in text for text in said) == reports
    assert "SUMMARY" in said[-1]

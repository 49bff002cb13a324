"""``hftbot backtest``: data, a strategy and models in; fills, statistics and a tearsheet out."""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hftbot.app import backtest_models as models
from hftbot.app.backtest_run import Plan, adjusted, run
from hftbot.app.exit_codes import EXIT_FAILED, EXIT_HALTED
from hftbot.backtest.fill_file import fills_text
from hftbot.backtest.result import BacktestResult
from hftbot.backtest.world import NO_MARKET
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from hftbot.app.backtest_engines import Beside
    from hftbot.backtest.comparison import Comparison

CALIBRATED, OPTIMISTIC, PESSIMISTIC = "calibrated", "optimistic", "pessimistic"
BAR_CELLS = 32
BAR_STEPS = 200
PLAIN_STEPS = 4


def command(options: argparse.Namespace) -> int:
    """All that follows the flags. Raises HftbotError for what the user can mend."""
    from hftbot.app.cli import load_settings
    loaded = load_settings(options)
    plan = plan_of(options, loaded.settings, tuple(loaded.notes))
    queues = {CALIBRATED: models.queue_of(options.exchange, options.queue)}
    if not options.single and options.exchange != models.L3_FIFO:
        queues[OPTIMISTIC] = models.queue_choice(models.OPTIMISTIC_QUEUE)
        queues[PESSIMISTIC] = models.queue_choice(models.PESSIMISTIC_QUEUE)
    for path in filter(None, (options.report, options.fills)):
        _writable(Path(path))
    beside = _beside(options, plan, queues[CALIBRATED])
    bar = ProgressBar(sys.stderr, len(queues))
    runs = []
    try:
        for name, queue in queues.items():
            wrap = beside.tape if beside and name == CALIBRATED else None
            runs.append(run(plan, name, queue, bar.show, wrap=wrap))
            # The rooms of a run know each other: only a collection frees their books.
            gc.collect()
    finally:
        bar.close()
    return tell(options, runs, beside.comparisons(runs[0]) if beside else ())


def _beside(options: argparse.Namespace, plan: Plan, queue: models.QueueChoice) -> Beside | None:
    """The other engine, if it is asked for."""
    if options.engine != "hftbacktest":
        return None
    from hftbot.app.backtest_engines import Beside
    return Beside(plan, queue)


def plan_of(options: argparse.Namespace, settings: Settings, notes: tuple[str, ...]) -> Plan:
    """Open the data and choose the models. Raises ConfigError and DataError."""
    if options.fee_model is None:
        raise ConfigError("a backtest has to know what trading costs: give --fees (one of: "
                          f"{models.FEES_FORM})")
    models.queue_of(options.exchange, options.queue)
    models.fee_choice(options.fee_model, "BTC/USD")
    from hftbot.app.backtest_markets import markets_of
    markets = markets_of(options, settings)
    notes += tuple(f"{market.grid.symbol}: {note}" for market in markets
                   for note in market.rows.notes)
    return Plan(adjusted(settings, [market.grid.symbol for market in markets]), markets,
                options.exchange, options.contract, options.contract_size, notes)


def tell(options: argparse.Namespace, runs: Sequence[BacktestResult],
         comparisons: Sequence[Comparison] = ()) -> int:
    """Write the files, print the report, and the exit code."""
    from hftbot.backtest.report import statistics
    from hftbot.backtest.report_text import report_json, report_text
    reports = [statistics(result) for result in runs]
    written = {}
    if options.fills:
        written["fills"] = _write(options.fills, fills_text(runs[0]))
    if options.report:
        from hftbot.backtest.tearsheet import tearsheet
        written["report"] = _write(options.report, tearsheet(reports))
    code = exit_code(runs)
    if options.json:
        content: dict[str, Any] = report_json(reports)
        if comparisons:
            from hftbot.backtest.comparison import comparison_json
            content["comparison"] = [comparison_json(one) for one in comparisons]
        print(json.dumps({**content, "files": written, "exit_code": code}, indent=2))
    else:
        print(report_text(reports))
        if comparisons:
            from hftbot.backtest.comparison import comparison_text
            print("\nBeside hftbacktest", *map(comparison_text, comparisons), sep="\n")
        for what, path in written.items():
            print(f"{what}: {path}")
    return code


def exit_code(runs: Sequence[BacktestResult]) -> int:
    """0, unless the run that counts was halted, or there was nothing to trade or to trade with."""
    ended = runs[0].ended
    if ended.startswith("halted"):
        return EXIT_HALTED
    return EXIT_FAILED if ended == NO_MARKET or ended.startswith("every strategy") else 0


def _writable(path: Path) -> None:
    """Refuse a place that cannot be written before anything is computed for it."""
    folder = path.expanduser().absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{path}: there is no directory {folder}; make it first")
    if path.expanduser().is_dir():
        raise ConfigError(f"{path} is a directory; name a file")


def _write(name: str, text: str) -> str:
    path = Path(name).expanduser()
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None
    return str(path)


class ProgressBar:
    """How far the runs are: one moving line on a terminal, a line at each quarter elsewhere."""

    def __init__(self, stream: TextIO, runs: int = 1) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._steps = BAR_STEPS if self._terminal else PLAIN_STEPS
        self._runs = runs
        self._number = 0
        self._name = ""
        self._shown = 0

    def show(self, name: str, part: float) -> None:
        """``part`` of the run ``name`` is done, 0 to 1."""
        if name != self._name:
            self._name, self._shown = name, 0
            self._number += 1
        step = int(min(max(part, 0.0), 1.0) * self._steps)
        if step <= self._shown:
            return
        self._shown = step
        label = f"{name} ({self._number} of {self._runs})"
        share = step / self._steps
        if self._terminal:
            cells = int(share * BAR_CELLS)
            self._stream.write(f"\r{label:24} {'█' * cells}{'░' * (BAR_CELLS - cells)} "
                               f"{share:6.1%}")
        else:
            self._stream.write(f"{label} {share:.0%}\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the terminal's line."""
        if self._terminal and self._number:
            self._stream.write("\r\033[K")
            self._stream.flush()

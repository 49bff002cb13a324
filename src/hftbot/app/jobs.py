"""What a session is for: to trade, to close what is held, or to try one order."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from hftbot.app.exit_codes import EXIT_FAILED, EXIT_NOT_VERIFIED
from hftbot.app.livetest import LiveTest
from hftbot.app.options import FLATTEN, LIVETEST, RunOptions
from hftbot.app.strategies import build_strategy
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError
from hftbot.live.flatten import Leaving
from hftbot.live.session import Session
from hftbot.words.ports import Strategy

Say = Callable[[str], None]


class Job(Protocol):
    """One purpose of a session. ``strategy`` None: nobody speaks."""

    name: str
    strategy: Strategy | None

    def attach(self, session: Session, leaving: Leaving) -> None:
        """Before the session runs."""

    def finish(self, session: Session, code: int, json_wanted: bool, say: Say) -> int:
        """After it: print what is to be said, and the exit code for one that ended with code."""


def job_of(settings: Settings, options: RunOptions, database: Path) -> Job:
    """The job that the command asked for; a strategy may look back in ``database``.

    Raises ConfigError.
    """
    if options.job == FLATTEN:
        return FlattenJob(options.only)
    if options.job == LIVETEST:
        return LiveTestJob(settings)
    return TradeJob(build_strategy(settings, database))


class TradeJob:
    """``hftbot run``."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy: Strategy | None = strategy
        self.name = strategy.name
        self._leaving: Leaving | None = None

    def attach(self, session: Session, leaving: Leaving) -> None:
        """Whether positions were closed at the end is part of the answer."""
        self._leaving = leaving

    def finish(self, session: Session, code: int, json_wanted: bool, say: Say) -> int:
        """The reporter has said everything; positions that should be closed and are not count."""
        flat = self._leaving is None or self._leaving.flat
        return code or (0 if flat else EXIT_NOT_VERIFIED)


class FlattenJob:
    """``hftbot flatten`` with no bot running: connect, reconcile, close, prove, end."""

    name = "flatten"
    strategy: Strategy | None = None

    def __init__(self, only: tuple[str, ...]) -> None:
        self._only = only
        self._leaving: Leaving | None = None

    def attach(self, session: Session, leaving: Leaving) -> None:
        """Stop as soon as the account is known; the end closes the positions."""
        symbols = [grid.symbol for grid in session.world.instruments]
        for symbol in self._only:
            if symbol not in symbols:
                raise ConfigError(f"--symbol {symbol}: not among SYMBOLS={','.join(symbols)}")
        leaving.on_stop = leaving.on_halt = "flatten"
        leaving.only = frozenset(self._only)
        self._leaving = leaving
        told = session.on_reconciled

        def found(report: Any) -> None:
            told(report)
            session.stop("asked to close positions")
        session.on_reconciled = found

    def finish(self, session: Session, code: int, json_wanted: bool, say: Say) -> int:
        """0 only if nothing is held and nothing is open, and the venue confirmed both."""
        assert self._leaving is not None
        closings = self._leaving.closings
        flat = self._leaving.flat and session.open_at_exit == 0
        if json_wanted:
            print(json.dumps(closings_content(closings, flat, session.open_at_exit)),
                  file=sys.stdout)
        elif flat and not closings:
            say("nothing was held")
        if not flat:
            return code or EXIT_NOT_VERIFIED
        return code


class LiveTestJob:
    """``hftbot livetest``: one deep post-only minimum order, placed, amended, cancelled."""

    name = "livetest"

    def __init__(self, settings: Settings) -> None:
        self.strategy: Strategy | None = LiveTest(settings.collar_bps)

    def attach(self, session: Session, leaving: Leaving) -> None:
        """It stops the session when it is done."""
        test = self.strategy
        assert isinstance(test, LiveTest)
        test.ended = session.stop
        leaving.on_stop = leaving.on_halt = "hold"

    def finish(self, session: Session, code: int, json_wanted: bool, say: Say) -> int:
        """0 if all three were answered and the order is over."""
        test = self.strategy
        assert isinstance(test, LiveTest)
        for line in test.lines():
            say(line)
        if json_wanted:
            print(json.dumps({"ok": test.passed and session.open_at_exit == 0,
                              "open_orders": session.open_at_exit, **test.statistics()}))
        return code or (0 if test.passed else EXIT_FAILED)


def closings_content(closings: list[Any], flat: bool, open_orders: int | None) -> dict[str, Any]:
    """For --json, and the answer on the control socket."""
    return {"flat": flat, "open_orders": open_orders,
            "closed": [{**asdict(closing), "flat": closing.flat} for closing in closings]}

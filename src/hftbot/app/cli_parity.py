"""The command `parity` and its words."""

from __future__ import annotations

import argparse
from pathlib import Path

from hftbot.app.cli_flags import Commands, add_json, add_sources, add_state, declare, run_number

TOLERANCE, TOLERANCE_LIMIT = 5.0, 60_000.0

PARITY = (
    "compare a recorded run with the backtest, fill by fill",
    """\
Sends the orders of a run once more, at the moments at which they left, with the latency that they
had, through the backtest of the market that was recorded with it (`hftbot run --record FILE`).
Each fill of the venue is laid beside that of the backtest; what differs is explained with what
stood and traded at its price.""",
    """\
examples:
  hftbot run --strategy spread_maker --duration 60 --record market.raw
  hftbot parity --market market.raw
  hftbot parity --market market.raw --queue log-prob2 --all
  hftbot parity --market market.raw --again      and what the strategy would have done itself
  hftbot parity --market market.raw --json       one JSON object: every pair of fills""",
)


def add(commands: Commands) -> None:
    """Declare it."""
    parser = declare(commands, "parity", PARITY, command_parity)
    parser.add_argument("--market", metavar="FILE", required=True,
                        help="the recording of the run's market (files that continue each "
                             "other: A,B)")
    parser.add_argument("--run", metavar="N", type=run_number,
                        help="this run (default: the last one)")
    parser.add_argument("--symbol", metavar="NAME", help="which market, if the run traded several")
    parser.add_argument("--queue", metavar="MODEL", default="risk-averse",
                        help="who leaves when a level shrinks without a trade, as in `backtest` "
                             "(default risk-averse)")
    parser.add_argument("--exchange", metavar="MODEL", dest="fills", default="partial",
                        help="partial (default): a trade fills an order as far as it reaches; "
                             "no-partial: all of it")
    parser.add_argument("--tolerance", metavar="MS", type=_tolerance, default=TOLERANCE,
                        help="fills closer in time than this are equal (default 5)")
    parser.add_argument("--again", action="store_true",
                        help="let the strategy decide anew in the backtest, too; give the run's "
                             "--profile, --config and --set")
    parser.add_argument("--strategy", metavar="NAME",
                        help="with --again: the run's strategy, if it was your own file")
    parser.add_argument("--all", action="store_true", help="print every difference")
    add_state(parser)
    add_json(parser)
    add_sources(parser)


def command_parity(options: argparse.Namespace) -> int:
    """``hftbot parity``"""
    from hftbot.app import parity
    from hftbot.app.cli import load_settings
    folder = options.state or load_settings(options).settings.state_dir
    return parity.command(options, Path(folder).expanduser().absolute())


def _tolerance(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= TOLERANCE_LIMIT:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of milliseconds from 0 "
                                         f"to {TOLERANCE_LIMIT:.0f}")
    return number

"""The flags of ``hftbot backtest``."""

from __future__ import annotations

import argparse
import math

from hftbot.app import texts_backtest
from hftbot.app.cli_flags import Commands, add_json, add_sources, declare, step


def add(commands: Commands) -> None:
    """Declare it."""
    parser = declare(commands, "backtest", texts_backtest.BACKTEST, command_backtest)
    parser.add_argument("--data", metavar="FILE", action="append", required=True,
                        help="recorded events of one market (files that continue each other: "
                             "A,B); once more for each further market")
    parser.add_argument("--tick", metavar="STEP", action="append", type=step, default=[],
                        help="the price step, once for each --data in their order (default: the "
                             "venue's own, else found in the data)")
    parser.add_argument("--lot", metavar="STEP", action="append", type=step, default=[],
                        help="the size step, likewise")
    # Not called fees: that is a setting of the embedded exchange, and has a default.
    parser.add_argument("--fees", metavar="MODEL", dest="fee_model",
                        help="what trading costs, required: free, kraken, 250k; "
                             "maker=-0.5,taker=7 in bps of the value; qty:maker=M,taker=T, "
                             "flat:maker=M,taker=T; polymarket[:RATE]")
    parser.add_argument("--strategy", metavar="NAME", help="built-in name or path/to/file.py:Class")
    parser.add_argument("--queue", metavar="MODEL", default="power-prob:3",
                        help="who leaves when a level shrinks without a trade (default "
                             "power-prob:3): risk-averse, log-prob, log-prob2, power-prob[:N], "
                             "power-prob2[:N], power-prob3[:N]")
    parser.add_argument("--latency", metavar="MODEL", default="venue",
                        help="of orders (default venue): a venue's name, ENTRY/RESPONSE such as "
                             "5ms/5ms, feed[:FACTOR], a file of rows, or realistic, optimistic, "
                             "pessimistic (inside one core)")
    parser.add_argument("--exchange", choices=("no-partial", "partial", "l3-fifo"),
                        default="no-partial",
                        help="whether an order can fill in parts (default no-partial); l3-fifo: "
                             "data of single orders, whose queues are known")
    parser.add_argument("--contract", choices=("linear", "inverse", "binary"), default="linear",
                        help="what a lot is worth (default linear)")
    parser.add_argument("--contract-size", metavar="N", type=_size, default=1.0,
                        help="how much of the base (inverse: of the quote) one unit is")
    parser.add_argument("--engine", choices=("hftbot", "hftbacktest"), default="hftbot",
                        help="hftbacktest: send the requests of the run through hftbacktest, too, "
                             "and compare the fills (an extra)")
    parser.add_argument("--single", action="store_true",
                        help="only this queue model; else an optimistic and a pessimistic one run "
                             "beside it")
    parser.add_argument("--symbols", metavar="LIST", help="what to call the markets, in order")
    parser.add_argument("--seed", metavar="N", help="seed of drawn latencies")
    parser.add_argument("--report", metavar="FILE", help="write the tearsheet, one HTML file")
    parser.add_argument("--fills", metavar="FILE", help="write the fill list, CSV")
    add_json(parser)
    add_sources(parser)


def command_backtest(options: argparse.Namespace) -> int:
    """``hftbot backtest``"""
    from hftbot.app import backtest
    return backtest.command(options)


def _size(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not (math.isfinite(size) and 0 < size <= 1e9):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a size above 0")
    return size

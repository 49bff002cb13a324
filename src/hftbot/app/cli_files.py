"""The commands about recorded market data: convert, replay, record."""

from __future__ import annotations

import argparse
import math
from typing import Any

from hftbot.app import texts_files
from hftbot.app.cli_flags import Commands, add_json, add_sources, declare, step


def add(commands: Commands) -> None:
    """Declare them."""
    _add_record(commands)
    convert = declare(commands, "convert", texts_files.CONVERT, command_convert)
    convert.add_argument("inputs", metavar="IN", nargs="+", help="one file, or several in order")
    convert.add_argument("output", metavar="OUT", help="name.npy, name.npz or name.parquet")
    convert.add_argument("--repair", action="store_true",
                         help="put the rows of an array in order, and its receive times right")
    convert.add_argument("--force", action="store_true", help="replace OUT if it is there")
    convert.add_argument("--strict", action="store_true",
                         help="exit code 1 if anything is odd (gaps, a crossed book, ...)")
    convert.add_argument("--order-latency", action="store_true",
                         help="write rows of order latency; IN is a state directory or a feed")
    convert.add_argument("--times", metavar="N", type=_positive, default=1.0,
                         help="with --order-latency and a feed: N times its latency (default 1)")
    replay = declare(commands, "replay", texts_files.REPLAY, command_replay)
    replay.add_argument("inputs", metavar="FILE", nargs="+", help="one file, or several in order")
    replay.add_argument("--every", metavar="S", type=_positive,
                        help="market seconds from line to line (default: twenty lines in all)")
    replay.add_argument("--speed", metavar="N", type=_positive,
                        help="N times as fast as it happened (default: as fast as it goes)")
    for parser in (convert, replay):
        parser.add_argument("--symbol", metavar="NAME", help="the market, if there are several")
        parser.add_argument("--tick", metavar="STEP", type=step, help="the price step")
        parser.add_argument("--lot", metavar="STEP", type=step, help="the size step")
        parser.add_argument("--base-latency", metavar="MS", type=_not_negative, default=1.0,
                            help="where the clocks of sender and receiver disagree, the fastest "
                                 "message took so long (default 1)")
        add_json(parser)


def _add_record(commands: Commands) -> None:
    record = declare(commands, "record", texts_files.RECORD, command_record)
    record.add_argument("folder", metavar="DIR", help="where the files go; made if it is not there")
    record.add_argument("--symbols", metavar="LIST", help="markets, such as BTC/USD,ETH/USD")
    record.add_argument("--live", action="store_true",
                        help="the real venue's public stream: no key, nothing is traded")
    record.add_argument("--exchange", metavar="URL",
                        help="an `hftbot exchange` that you started yourself")
    record.add_argument("--depth", metavar="N", type=int, default=100,
                        help="levels of the book: 10, 25, 100 (default), 500 or 1000")
    record.add_argument("--duration", metavar="S", type=_positive,
                        help="stop after S seconds (default: at Ctrl-C)")
    record.add_argument("--rotate", metavar="S", type=_positive, default=3_600.0,
                        help="a new file each S seconds (default 3600), and each GiB")
    record.add_argument("--parquet", action="store_true",
                        help="each finished file as Parquet too, one for each market")
    record.add_argument("--seed", metavar="N", help="seed of the synthetic market")
    record.add_argument("--json", action="store_true", help="one JSON object at the end")
    add_sources(record)


def command_record(options: argparse.Namespace) -> int:
    """``hftbot record``"""
    from hftbot.app import recording
    from hftbot.app.cli import load_settings
    return recording.record(load_settings(options).settings, recording.RecordOptions(
        folder=options.folder, exchange_url=options.exchange, live=options.live,
        depth=options.depth, duration_s=options.duration, rotate_s=options.rotate,
        parquet=options.parquet, json=options.json))


def command_convert(options: argparse.Namespace) -> int:
    """``hftbot convert``"""
    from hftbot.app import converting
    return converting.convert(converting.ConvertOptions(
        output=options.output, repair=options.repair, force=options.force, strict=options.strict,
        order_latency=options.order_latency, times=options.times, json=options.json,
        **_reading(options)))


def command_replay(options: argparse.Namespace) -> int:
    """``hftbot replay``"""
    from hftbot.app import replaying
    return replaying.replay(replaying.ReplayOptions(
        every_s=options.every, speed=options.speed, json=options.json, **_reading(options)))


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    return {"inputs": tuple(options.inputs), "symbol": options.symbol, "tick_size": options.tick,
            "lot_size": options.lot, "base_latency_ns": round(options.base_latency * 1e6)}


def _not_negative(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (math.isfinite(number) and 0 <= number <= 1e9):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 0 to 1e9")
    return number


def _positive(text: str) -> float:
    number = _not_negative(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number above 0")
    return number

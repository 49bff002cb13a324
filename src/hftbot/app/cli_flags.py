"""What the commands' flags have in common: how a command is declared, and flags that many have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from hftbot.errors import ConfigError

if TYPE_CHECKING:
    from decimal import Decimal

DURATION_S_MAX = 366 * 86_400.0
Command = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


class Parser(argparse.ArgumentParser):
    """argparse that answers a mistake with one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{' '.join(message.split())} (see `{self.prog} --help`)")


def declare(commands: Commands, name: str, words: tuple[str, str, str], call: Command) -> Parser:
    """A parser for one command. ``words``: its line in the list, a paragraph, examples."""
    line, about, examples = words
    parser = commands.add_parser(name, help=line, description=about, epilog=examples,
                                 formatter_class=argparse.RawDescriptionHelpFormatter,
                                 allow_abbrev=False)
    parser.set_defaults(command=call, parser=parser)
    return parser


def add_sources(parser: argparse.ArgumentParser) -> None:
    """The flags by which every command finds its settings."""
    group = parser.add_argument_group("where settings come from")
    group.add_argument("--profile", metavar="NAME",
                       help="read .env.NAME here, else the packaged profile (hft)")
    group.add_argument("--config", metavar="FILE", help="a .toml or .json file")
    group.add_argument("--set", metavar="KEY=VALUE", action="append", default=[],
                       help="set any key; may be given several times")


def add_state(parser: argparse.ArgumentParser) -> None:
    """``--state``: where the run is kept."""
    parser.add_argument("--state", metavar="DIR", help="state directory (default hftbot-state)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``: for programs that read the answer."""
    parser.add_argument("--json", action="store_true", help="one JSON object")


def duration(text: str) -> float:
    """Seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= DURATION_S_MAX:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds from above 0 "
                                         f"to {DURATION_S_MAX:.0f}")
    return seconds


def port(text: str) -> int:
    """A port, 0 for any."""
    if not (text.isascii() and text.isdigit() and int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a port from 0 to 65535")
    return int(text)


def run_number(text: str) -> int:
    """The number of a run."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a run from 1 to 65535")
    return int(text)


def step(text: str) -> Decimal:
    """The step that a flag names, such as 0.01."""
    from decimal import Decimal, InvalidOperation
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(0)
    if not (found.is_finite() and Decimal("1e-12") <= found <= Decimal("1e9")):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a step such as 0.01")
    return found

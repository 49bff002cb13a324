"""How one setting is declared: its name in files, its kind, its default, its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hftbot.config.kinds import Kind, Money, Number, SecretText

US_PER_MS, US_PER_S, E6_PER_PCT, E6 = 1_000, 1_000_000, 10_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Key:
    """One setting as files and flags know it, and the attribute of Settings that holds it."""

    name: str
    kind: Kind
    default: str
    group: str
    help: str
    attribute: str = ""
    aliases: tuple[str, ...] = ()
    later: str = ""
    secret: bool = False


def number(low: str, high: str, unit: str = "", scale: int = 1) -> Number:
    """A number within a range, kept times ``scale``."""
    return Number(Decimal(low), Decimal(high), unit, scale)


def usd(low: str, high: str) -> Money:
    """An amount of dollars within a range."""
    return Money(Decimal(low), Decimal(high))


def key(name: str, kind: Kind, default: str, group: str, help_line: str, *,
        aliases: tuple[str, ...] = (), later: str = "") -> Any:
    """The dataclass field of one setting."""
    made = Key(name, kind, default, group, help_line, aliases=aliases, later=later,
               secret=isinstance(kind, SecretText))
    return field(default_factory=lambda: kind.parse(default), metadata={"key": made},
                 compare=not made.secret)

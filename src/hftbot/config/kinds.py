"""Kinds of settings: how text becomes a value, and the words for what is allowed.

``parse`` raises ValueError with a reason that completes "KEY=... is not allowed: it ...".
Every kind is a plain object, so that a key is declared in one line of the schema.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from hftbot.words.secret import Secret

TEXT_LENGTH_MAX = 4096
NUMBER_LENGTH_MAX = 28  # no more digits than Decimal's context keeps, so all of them count
SYMBOLS_MAX = 32
DAY_MINUTES = 1440
WINDOWS_MAX = 24
_SYMBOL = re.compile(r"[A-Z0-9.]{1,16}/[A-Z0-9.]{1,16}")
_URL = re.compile(r"(?P<scheme>[a-z]+)://(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)"
                  r"(?::(?P<port>\d{1,5}))?(?P<path>/[!-~]*)?")
_WINDOW = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")
_OLD_ASSETS = {"XBT": "BTC", "XDG": "DOGE"}


class Kind(Protocol):
    """How one setting is read, written and explained."""

    def parse(self, text: str) -> Any:
        """Text of a file or flag to the value in Settings. Raises ValueError."""

    def text(self, value: Any) -> str:
        """The value as a file would say it."""

    def expects(self) -> str:
        """The range, in words."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the file's unit, kept as an integer: the number times ``scale``."""

    low: Decimal
    high: Decimal
    unit: str = ""
    scale: int = 1

    def parse(self, text: str) -> int:
        number = _decimal(text, self.expects())
        if not self.low <= number <= self.high:
            raise ValueError(f"must be {self.expects()}")
        scaled = number * self.scale
        if scaled != scaled.to_integral_value():
            raise ValueError(f"must be a whole multiple of {_plain(Decimal(1) / self.scale)}"
                             f"{_after(self.unit)} ({self.expects()})")
        return int(scaled)

    def text(self, value: int) -> str:
        return _plain(Decimal(value) / self.scale)

    def expects(self) -> str:
        return f"from {_plain(self.low)} to {_plain(self.high)}{_after(self.unit)}"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in quote units (dollars), kept exactly."""

    low: Decimal
    high: Decimal
    unit: str = "USD"

    def parse(self, text: str) -> Decimal:
        number = _decimal(text, self.expects())
        if not self.low <= number <= self.high:
            raise ValueError(f"must be {self.expects()}")
        if number != number.quantize(Decimal("1e-10")):
            raise ValueError(f"must not be finer than 0.0000000001 USD ({self.expects()})")
        return Decimal(_plain(number))

    def text(self, value: Decimal) -> str:
        return _plain(value)

    def expects(self) -> str:
        return f"from {_plain(self.low)} to {_plain(self.high)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no: 1/0, true/false, yes/no, on/off."""

    def parse(self, text: str) -> bool:
        word = text.strip().lower()
        if word in ("1", "true", "yes", "on"):
            return True
        if word in ("0", "false", "no", "off"):
            return False
        raise ValueError(f"must be {self.expects()}")

    def text(self, value: bool) -> str:
        return "1" if value else "0"

    def expects(self) -> str:
        return "1 or 0 (true or false)"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words. ``later`` are words that will mean something, and what to say now."""

    words: tuple[str, ...]
    later: Mapping[str, str] = field(default_factory=dict)

    def parse(self, text: str) -> str:
        word = text.strip().lower()
        if word in self.later:
            raise ValueError(f"{self.later[word]} (now: {self.expects()})")
        if word not in self.words:
            raise ValueError(f"must be {self.expects()}")
        return word

    def text(self, value: str) -> str:
        return value

    def expects(self) -> str:
        return "one of " + ", ".join(self.words)


@dataclass(frozen=True, slots=True)
class Symbols:
    """A list of markets, separated by commas."""

    def parse(self, text: str) -> tuple[str, ...]:
        names = tuple(part.strip().upper() for part in text.split(",") if part.strip())
        if not names or len(names) > SYMBOLS_MAX:
            raise ValueError(f"must be {self.expects()}")
        for name in names:
            if not _SYMBOL.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is not a market; must be {self.expects()}")
            for old, new in _OLD_ASSETS.items():
                if old in name.split("/"):
                    raise ValueError(f"{name} is called {name.replace(old, new)} here")
        if len(set(names)) != len(names):
            raise ValueError("must not name a market twice")
        return names

    def text(self, value: Sequence[str]) -> str:
        return ",".join(value)

    def expects(self) -> str:
        return f"1 to {SYMBOLS_MAX} markets such as BTC/USD,ETH/USD"


@dataclass(frozen=True, slots=True)
class Hours:
    """Windows of the UTC day, as (first minute, minute after the last); none means always."""

    def parse(self, text: str) -> tuple[tuple[int, int], ...]:
        windows = []
        for part in text.split(","):
            if not part.strip():
                continue
            found = _WINDOW.fullmatch(part.strip())
            if found is None:
                raise ValueError(f"{part.strip()[:40]!r} is not a window; must be "
                                 f"{self.expects()}")
            first, last = (int(found[i]) * 60 + int(found[i + 1]) for i in (1, 3))
            if first == last or first >= DAY_MINUTES or last > DAY_MINUTES:
                raise ValueError(f"{part.strip()} has no length or is beyond the day; must be "
                                 f"{self.expects()}")
            windows.append((first, last))
        if len(windows) > WINDOWS_MAX:
            raise ValueError(f"must not have more than {WINDOWS_MAX} windows")
        return tuple(windows)

    def text(self, value: Sequence[tuple[int, int]]) -> str:
        return ",".join(f"{first // 60:02d}:{first % 60:02d}-{last // 60:02d}:{last % 60:02d}"
                        for first, last in value)

    def expects(self) -> str:
        return "windows of UTC such as 08:00-16:30,22:00-02:00, or nothing for always"


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; empty only where nothing is an answer too."""

    what: str
    optional: bool = False

    def parse(self, text: str) -> str:
        line = text.strip()
        if self.optional and not line:
            return line
        if not line or len(line) > TEXT_LENGTH_MAX or not line.isprintable():
            raise ValueError(f"must be {self.expects()}")
        return line

    def text(self, value: str) -> str:
        return value

    def expects(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Url:
    """An address. Without TLS it must be this machine, because keys travel on it."""

    plain: str
    secure: str

    def parse(self, text: str) -> str:
        url = text.strip()
        found = _URL.fullmatch(url)
        if found is None or found["scheme"] not in (self.plain, self.secure):
            raise ValueError(f"must be {self.expects()}")
        if found["port"] and not 0 < int(found["port"]) < 65536:
            raise ValueError("must have a port from 1 to 65535")
        if found["scheme"] == self.plain and not is_loopback(found["host"]):
            raise ValueError(f"must begin with {self.secure}:// unless it is this machine, "
                             "because keys travel on it")
        return url

    def text(self, value: str) -> str:
        return value

    def expects(self) -> str:
        return f"an address such as {self.secure}://host/path"


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret; ``base64`` if the venue issues it in that form. It is never shown."""

    base64: bool = False

    def parse(self, text: str) -> Secret:
        plain = text.strip()
        if len(plain) > TEXT_LENGTH_MAX or not plain.isascii() or " " in plain:
            raise ValueError(f"must be {self.expects()}")
        if self.base64 and plain:
            try:
                binascii.a2b_base64(plain, strict_mode=True)
            except binascii.Error:
                raise ValueError(f"must be {self.expects()}") from None
        return Secret(plain)

    def text(self, value: Secret) -> str:
        return "***" if value else ""

    def expects(self) -> str:
        return "the base64 text that the venue shows once" if self.base64 else "one word of ASCII"


def is_loopback(host: str) -> bool:
    """True if the host name can only mean this machine."""
    bare = host.strip("[]").lower()
    if bare in ("localhost", "::1"):
        return True
    parts = bare.split(".")
    return (len(parts) == 4 and parts[0] == "127"
            and all(part.isdecimal() and int(part) < 256 for part in parts))


def _decimal(text: str, expects: str) -> Decimal:
    word = text.strip()
    if not word or len(word) > NUMBER_LENGTH_MAX or not word.isascii():
        raise ValueError(f"must be a number {expects}")
    try:
        number = Decimal(word)
    except ArithmeticError:
        raise ValueError(f"must be a number {expects}") from None
    if not number.is_finite():
        raise ValueError(f"must be a number {expects}")
    return number


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""

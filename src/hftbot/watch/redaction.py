"""Takes secrets out of text, in whatever spelling they appear."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from hftbot.words.secret import Secret

HIDDEN = "***"
_HEX = re.compile(r"[0-9a-fA-F]+")
_ESCAPES = re.compile(r"(%(?:25)?|\\\\u)([0-9a-fA-F]{4}|[0-9a-fA-F]{2})")
PASSING_MAX = 8
LENGTH_MIN = 4  # a shorter secret would take ordinary words out of every line


class Redactor:
    """Replaces every known secret by ***: raw, hex, base64, URL, JSON, HTML and repr spellings.

    A secret that is base64 text itself is also known by the bytes that it stands for.
    Add secrets as they become known (session tokens).
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._spellings: set[str] = set()
        self._passing: dict[str, set[str]] = {}
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Know one more secret from now on. Secrets under four characters are not looked for."""
        self._spellings |= _known_spellings(secret)
        self._compile()

    def add_passing(self, secret: Secret) -> None:
        """Know one of many that follow each other, such as session tokens; old ones are forgotten.
        """
        plain = secret.reveal()
        if plain in self._passing:
            return
        self._passing[plain] = _known_spellings(secret)
        while len(self._passing) > PASSING_MAX:
            del self._passing[next(iter(self._passing))]
        self._compile()

    def _compile(self) -> None:
        known = self._spellings.union(*self._passing.values())
        longest_first = sorted(known, key=len, reverse=True)
        if longest_first:
            self._pattern = re.compile("|".join(map(_pattern, longest_first)))

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(HIDDEN, text) if self._pattern is not None else text

    def tree(self, content: Any) -> Any:
        """Dictionaries, lists and texts as they are in JSON, without the secrets."""
        if isinstance(content, str):
            return self(content)
        if isinstance(content, dict):
            return {self.tree(name): self.tree(value) for name, value in content.items()}
        if isinstance(content, list | tuple):
            return [self.tree(value) for value in content]
        return content


def _known_spellings(secret: Secret) -> set[str]:
    plain = secret.reveal()
    if len(plain) < LENGTH_MIN:
        return set()
    return {spelling for spelling in _spellings(plain) if len(spelling) >= LENGTH_MIN}


def _pattern(spelling: str) -> str:
    """The spelling as a regular expression; hexadecimal digits of escapes in either case."""
    if _HEX.fullmatch(spelling):
        return f"(?i:{spelling})"
    return _ESCAPES.sub(r"\1(?i:\2)", re.escape(spelling))


def _spellings(plain: str) -> Iterator[str]:
    yield from _text_spellings(plain)
    raw = plain.encode()
    yield from _byte_spellings(raw)
    try:
        inner = binascii.a2b_base64(plain, strict_mode=True)
    except (binascii.Error, ValueError):
        return
    if len(inner) >= 8:
        yield from _byte_spellings(inner)
        yield repr(inner)[2:-1]


def _text_spellings(plain: str) -> Iterator[str]:
    in_json = json.dumps(plain)[1:-1]
    yield plain
    yield in_json
    yield in_json.replace("/", "\\/")
    yield json.dumps(in_json)[1:-1]
    yield json.dumps(plain, ensure_ascii=False)[1:-1]
    yield repr(plain)[1:-1]
    yield html.escape(plain)
    for quoted in (quote(plain), quote(plain, safe=""), quote(plain, safe="!*'()"),
                   quote_plus(plain)):
        yield quoted
        yield quote(quoted, safe="")


def _byte_spellings(raw: bytes) -> Iterator[str]:
    yield raw.hex()
    for altchars in (None, b"-_"):
        for shift in range(3):
            # Inside a longer text (key:secret) the alignment differs, and the characters at both
            # ends mix with the neighbours; what lies between is always the same.
            code = base64.b64encode(b"\0" * shift + raw, altchars).decode().rstrip("=")
            first = (0, 2, 3)[shift]
            last = len(code) if (shift + len(raw)) % 3 == 0 else len(code) - 1
            inner = code[first:last]
            yield inner
            in_url = quote(inner, safe="")
            if in_url != inner:
                yield in_url

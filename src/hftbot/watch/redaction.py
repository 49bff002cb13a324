"""Takes secrets out of text, in whatever spelling they appear."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from hftbot.words.secret import Secret

HIDDEN = "***"
_HEX = re.compile(r"[0-9a-fA-F]+")
_ESCAPES = re.compile(r"(%(?:25)?|\\\\u)([0-9a-fA-F]{4}|[0-9a-fA-F]{2})")
LENGTH_MIN = 4  # a shorter secret would take ordinary words out of every line


class Redactor:
    """Replaces every known secret by ***: raw, hex, base64, URL, JSON, HTML and repr spellings.

    A secret that is base64 text itself is also known by the bytes that it stands for.
    Add secrets as they become known (session tokens).
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Know one more secret from now on. Secrets under four characters are not looked for."""
        plain = secret.reveal()
        if len(plain) < LENGTH_MIN:
            return
        self._spellings.update(spelling for spelling in _spellings(plain)
                               if len(spelling) >= LENGTH_MIN)
        longest_first = sorted(self._spellings, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_pattern, longest_first)))

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(HIDDEN, text) if self._pattern is not None else text


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

"""Secrets leave no trace in text, however they are spelt."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.watch.redaction import Redactor
from hftbot.words.secret import Secret

PLAIN = 'k/ey+with "quotes"\\ & ünicode='
RAW = bytes(range(200, 232)) + b"\x00\xffkraken private key"
VENUE_SECRET = base64.b64encode(RAW).decode()

SPELLINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "hex": lambda plain: plain.encode().hex(),
    "HEX": lambda plain: plain.encode().hex().upper(),
    "base64": lambda plain: base64.b64encode(plain.encode()).decode(),
    "base64 url": lambda plain: base64.urlsafe_b64encode(plain.encode()).decode().rstrip("="),
    "url": lambda plain: quote(plain),
    "url, all": lambda plain: quote(plain, safe=""),
    "url, lower": lambda plain: quote(plain, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "form": lambda plain: urlencode({"key": plain}),
    "plus": quote_plus,
    "json": json.dumps,
    "json, not ascii": lambda plain: json.dumps(plain, ensure_ascii=False),
    "json, slashes": lambda plain: json.dumps(plain).replace("/", "\\/"),
    "json in json": lambda plain: json.dumps(json.dumps({"key": plain})),
    "repr": repr,
    "html": html.escape,
}


@pytest.mark.fault("S1")
@pytest.mark.law(10)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("plain", [PLAIN, VENUE_SECRET, "simpleSecret123"])
def test_every_spelling_is_found(plain: str, spelling: str) -> None:
    text = SPELLINGS[spelling](plain)
    hidden = Redactor([Secret(plain)])(f"before {text} after")
    assert text.strip("\"'") not in hidden
    assert "***" in hidden
    assert hidden.startswith("before")
    assert hidden.endswith("after")
    assert plain not in hidden


@pytest.mark.parametrize("neighbour", ["", "a", "ab", "abc", "api-key:"])
def test_base64_of_a_longer_text_hides_the_secret(neighbour: str) -> None:
    plain = "simpleSecret123"
    code = base64.b64encode(f"{neighbour}{plain}:tail".encode()).decode()
    hidden = Redactor([Secret(plain)])(f"Authorization: Basic {code}")
    assert "***" in hidden
    left = hidden.removeprefix("Authorization: Basic ").replace("***", "")
    assert len(left) < len(code) - len(plain)


def test_the_bytes_behind_a_base64_secret_are_known() -> None:
    redact = Redactor([Secret(VENUE_SECRET)])
    for text in (RAW.hex(), RAW.hex().upper(), repr(RAW), str(RAW[:]),
                 base64.urlsafe_b64encode(RAW).decode()):
        assert "***" in redact(text)
        assert text.strip("b'") not in redact(text)


def test_secrets_can_become_known_later() -> None:
    redact = Redactor()
    assert redact("token abcdef") == "token abcdef"
    redact.add(Secret("abcdef"))
    assert redact("token abcdef") == "token ***"
    redact.add(Secret("abcdefgh"))
    assert redact("token abcdefgh") == "token ***"


def test_very_short_secrets_do_not_eat_the_log() -> None:
    redact = Redactor([Secret(""), Secret("a"), Secret("abc")])
    assert redact("an abc of trading") == "an abc of trading"


@given(st.text(st.characters(codec="utf-8"), min_size=8, max_size=80))
def test_no_secret_survives_its_spellings(plain: str) -> None:
    redact = Redactor([Secret(plain)])
    for spell in (str, json.dumps, quote, quote_plus, repr):
        text = spell(plain)
        assert redact(f"<{text}>") != f"<{text}>"
        assert redact(f"<{plain}>") == "<***>"

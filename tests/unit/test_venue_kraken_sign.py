"""venue.kraken.sign: Kraken's documented vector."""

from __future__ import annotations

import pytest

from hftbot.errors import ConfigError
from hftbot.venue.kraken import sign
from hftbot.words.secret import Secret

SECRET = Secret("kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1"
                "huXg==")


def test_the_documented_vector():
    body = (b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25")
    assert sign.api_sign("/0/private/AddOrder", 1616492376594, body, SECRET) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==")


def test_a_secret_that_is_not_base64_is_refused_without_showing_it():
    with pytest.raises(ConfigError, match="base64") as caught:
        sign.api_sign("/x", 1, b"nonce=1", Secret("not base64!"))
    assert "not base64!" not in str(caught.value)

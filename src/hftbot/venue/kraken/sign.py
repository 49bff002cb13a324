"""Kraken's REST signature (API-Sign)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from hftbot.errors import ConfigError
from hftbot.words.secret import Secret


def api_sign(path: str, nonce: int, body: bytes, secret: Secret) -> str:
    """The API-Sign header of one request.

    ``path`` is the URI path (``/0/private/...``); ``body`` exactly the bytes sent, the nonce among
    them. Raises ConfigError if the secret is not base64.
    """
    try:
        key = base64.b64decode(secret.reveal(), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError("KRAKEN_API_SECRET is not base64: copy it again from the key's page, "
                          "without spaces or quotes") from None
    digest = hashlib.sha256(str(nonce).encode() + body).digest()
    signature = hmac.new(key, path.encode() + digest, hashlib.sha512).digest()
    return base64.b64encode(signature).decode()

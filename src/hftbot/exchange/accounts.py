"""The client's account: balances, holds, fees, and the key, nonce and tokens that open it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from hftbot.exchange.settings import FEES_E6, FeeSchedule, Listing
from hftbot.words.ports import Rng

E10 = 10**10
TOKEN_LIFE_US = 900 * 1_000_000
# Ledger decimals of the quote asset: a fee is rounded to them.
FEE_DECIMALS: dict[str, int] = {"USD": 4, "EUR": 4, "USDT": 8}


def api_sign(path: str, nonce: str, body: bytes, secret: str) -> str:
    """API-Sign header: HMAC-SHA512 over path and SHA256(nonce + body), keyed by the secret."""
    message = path.encode() + hashlib.sha256(nonce.encode() + body).digest()
    mac = hmac.new(base64.b64decode(secret), message, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()


def random_text(rng: Rng, length: int, alphabet: str) -> str:
    """Seeded random characters."""
    return "".join(alphabet[rng.randrange(0, len(alphabet))] for _ in range(length))


@dataclass(slots=True)
class Movement:
    """One ledger row of a trade; amounts in 1e-10 units, the fee not included in ``amount``."""

    asset: str
    amount_e10: int
    fee_e10: int
    balance_e10: int


@dataclass(slots=True)
class Account:
    """Balances and holds in 1e-10 units of each asset; fees in millionths of the value."""

    balances: dict[str, int]
    maker_fee_e6: int = 0
    taker_fee_e6: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    fees_paid_e10: int = 0
    volume_e10: int = 0

    def available(self, asset: str) -> int:
        """What may still be promised."""
        return self.balances.get(asset, 0) - self.holds.get(asset, 0)

    def hold(self, asset: str, amount_e10: int) -> None:
        """Promise an amount (negative: give back)."""
        self.holds[asset] = self.holds.get(asset, 0) + amount_e10

    def value_e10(self, listing: Listing, tick_lots: int) -> int:
        """Ticks times lots in the quote asset, exact."""
        scale: int = 10 ** (10 - listing.value_exponent)
        return tick_lots * listing.tick_units * listing.lot_units * scale

    def qty_e10(self, listing: Listing, lots: int) -> int:
        """Lots in the base asset, exact."""
        scale: int = 10 ** (10 - listing.qty_precision)
        return lots * listing.lot_units * scale

    def fee_e10(self, listing: Listing, value_e10: int, maker: bool) -> int:
        """Fee of a trade in the quote asset, rounded half up to its ledger decimals."""
        rate = self.maker_fee_e6 if maker else self.taker_fee_e6
        step: int = 10 ** (10 - FEE_DECIMALS.get(listing.quote, 8))
        exact = value_e10 * rate
        return (2 * exact + step * 1_000_000) // (2 * step * 1_000_000) * step

    def needed(self, listing: Listing, side: int, tick_lots: int, lots: int,
               base_fee: bool = False) -> tuple[str, int]:
        """Asset and amount that an order may cost at worst; the fee comes out of its own asset."""
        worst = max(self.maker_fee_e6, self.taker_fee_e6, 0)
        asset, amount = ((listing.base, self.qty_e10(listing, lots)) if side == 1
                         else (listing.quote, self.value_e10(listing, tick_lots)))
        if base_fee == (side == 1):
            amount += -(-amount * worst // 1_000_000)
        return asset, amount

    def trade(self, listing: Listing, side: int, ticks: int, lots: int, maker: bool,
              base_fee: bool = False) -> tuple[int, Movement, Movement]:
        """Book a fill. Returns the fee in quote and the two ledger rows (base leg, quote leg).

        With ``base_fee`` the fee is taken from the base asset, in its row.
        """
        value = self.value_e10(listing, ticks * lots)
        qty = self.qty_e10(listing, lots)
        fee = self.fee_e10(listing, value, maker)
        sign = 1 - 2 * side
        rate = self.maker_fee_e6 if maker else self.taker_fee_e6
        in_base = -(-qty * rate // 1_000_000) if base_fee else 0
        in_quote = 0 if base_fee else fee
        base = self.balances.get(listing.base, 0) + sign * qty - in_base
        quote = self.balances.get(listing.quote, 0) - sign * value - in_quote
        self.balances[listing.base] = base
        self.balances[listing.quote] = quote
        self.fees_paid_e10 += fee
        self.volume_e10 += value
        return (fee, Movement(listing.base, sign * qty, in_base, base),
                Movement(listing.quote, -sign * value, in_quote, quote))


def new_account(balances: Mapping[str, Decimal], fees: FeeSchedule) -> Account:
    """An account with starting money; amounts finer than 1e-10 are cut off."""
    maker, taker = FEES_E6[fees]
    return Account({asset: int(amount * E10) for asset, amount in balances.items()}, maker, taker)


# What the guardian's key may do: it cannot trade, and cannot open the private stream.
CANCEL_ONLY = frozenset(("CancelAllOrdersAfter", "CancelAll", "OpenOrders"))


class Gatekeeper:
    """Knows the API keys; checks nonces, signatures and WebSocket tokens.

    The account has two keys: one may do everything, the guardian's only what CANCEL_ONLY says.
    Each has its own nonces.
    """

    def __init__(self, rng: Rng, saved: Mapping[str, Any] | None = None) -> None:
        self.rng = rng
        if saved:
            self.api_key = str(saved["api_key"])
            self.api_secret = str(saved["api_secret"])
            self.last_nonce = int(saved["last_nonce"])
        else:
            secret = bytes(rng.getrandbits(8) for _ in range(64))
            public = bytes(rng.getrandbits(8) for _ in range(42))
            self.api_key = base64.b64encode(public).decode()
            self.api_secret = base64.b64encode(secret).decode()
            self.last_nonce = 0
        self.guardian_nonce = int(saved.get("guardian_nonce", 0)) if saved else 0
        seed = b"guardian " + self.api_secret.encode()
        self.guardian_secret = base64.b64encode(hashlib.sha512(seed).digest()).decode()
        seed = b"public " + seed
        self.guardian_key = base64.b64encode(hashlib.sha512(seed).digest()[:42]).decode()
        # Token to its expiry; 0 while a connection keeps it alive.
        self.tokens: dict[str, int] = {}
        self.kept: dict[str, int] = {}

    def saved(self) -> dict[str, Any]:
        """What the next run must know."""
        return {"api_key": self.api_key, "api_secret": self.api_secret,
                "last_nonce": self.last_nonce, "guardian_nonce": self.guardian_nonce}

    def refuse(self, path: str, headers: Mapping[str, str], body: bytes) -> str:
        """Error text of a private REST request, or an empty string if it may pass."""
        lowered = {name.lower(): value for name, value in headers.items()}
        key = lowered.get("api-key", "").encode(errors="replace")
        guardian = hmac.compare_digest(key, self.guardian_key.encode())
        if not guardian and not hmac.compare_digest(key, self.api_key.encode()):
            return "EAPI:Invalid key"
        secret = self.guardian_secret if guardian else self.api_secret
        fields = form(body)
        nonce = fields.get("nonce", "")
        if not (nonce.isascii() and nonce.isdigit()) or len(nonce) > 20:
            return "EAPI:Invalid nonce"
        expected = api_sign(path, nonce, body, secret)
        given = lowered.get("api-sign", "").encode(errors="replace")
        if not hmac.compare_digest(given, expected.encode()):
            return "EAPI:Invalid signature"
        last = self.guardian_nonce if guardian else self.last_nonce
        if int(nonce) <= last or int(nonce) >= 1 << 64:
            return "EAPI:Invalid nonce"
        if not guardian:
            self.last_nonce = int(nonce)
            return ""
        self.guardian_nonce = int(nonce)
        return "" if path.rpartition("/")[2] in CANCEL_ONLY else "EGeneral:Permission denied"

    def issue(self, now_us: int) -> str:
        """A new WebSocket token, good for 15 minutes."""
        for token, until in list(self.tokens.items()):
            if until < now_us and not self.kept.get(token):
                del self.tokens[token]
        token = base64.b64encode(bytes(self.rng.getrandbits(8) for _ in range(32))).decode()
        token = token.rstrip("=")
        self.tokens[token] = now_us + TOKEN_LIFE_US
        return token

    def valid(self, token: str, now_us: int) -> bool:
        """Whether a token opens the private channels now."""
        until = self.tokens.get(token)
        return until is not None and (now_us < until or self.kept.get(token, 0) > 0)

    def keep(self, token: str) -> None:
        """A connection subscribed with the token and keeps it alive."""
        self.kept[token] = self.kept.get(token, 0) + 1

    def let_go(self, token: str) -> None:
        """A connection that kept the token alive has closed."""
        self.kept[token] = self.kept.get(token, 1) - 1


def form(body: bytes) -> dict[str, str]:
    """Fields of a form-encoded or JSON body; empty if it is neither."""
    try:
        text = body.decode()
        if text.lstrip().startswith("{"):
            fields = json.loads(text)
            return {str(key): str(value) for key, value in fields.items()}
        return {key: values[-1] for key, values in parse_qs(text, keep_blank_values=True).items()}
    except (ValueError, RecursionError):
        return {}

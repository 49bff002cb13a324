"""Who may ask: API keys with their rights and nonces, REST counters, WebSocket tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hftbot.exchange.requests import Refused
from hftbot.exchange.rest_form import Fields, form, text_of
from hftbot.words.ports import Rng

TOKEN_LIFE_US = LOCKOUT_US = 900 * 1_000_000
QUERY = frozenset(("query-funds", "query-open-trades", "query-closed-trades", "query-ledger"))
TRADE = frozenset(("modify-trades", "close-trades", "create-ws-token"))
# What each key of the account may do. The trader's cannot withdraw; the guardian's can cancel and
# see what is open; `reader` and `withdrawer` are there for clients that check their rights.
RIGHTS: dict[str, frozenset[str]] = {
    "trader": QUERY | TRADE,
    "guardian": frozenset(("query-open-trades", "close-trades")),
    "reader": QUERY,
    "withdrawer": QUERY | TRADE | frozenset(("add-funds", "withdraw-funds"))}
# Any one of these rights opens the endpoint; none are needed where the set is empty.
NEEDS: dict[str, frozenset[str]] = {
    "GetWebSocketsToken": frozenset(("create-ws-token",)),
    "GetApiKeyInfo": frozenset(),
    "Balance": frozenset(("query-funds",)), "BalanceEx": frozenset(("query-funds",)),
    "TradeBalance": frozenset(("query-funds",)), "TradeVolume": frozenset(("query-funds",)),
    "OpenOrders": frozenset(("query-open-trades",)),
    "OpenPositions": frozenset(("query-open-trades",)),
    "ClosedOrders": frozenset(("query-closed-trades",)),
    "QueryOrders": frozenset(("query-open-trades", "query-closed-trades")),
    "OrderAmends": frozenset(("query-open-trades", "query-closed-trades")),
    "TradesHistory": frozenset(("query-closed-trades",)),
    "QueryTrades": frozenset(("query-closed-trades",)),
    "Ledgers": frozenset(("query-ledger",)), "QueryLedgers": frozenset(("query-ledger",)),
    "AddOrder": frozenset(("modify-trades",)), "AddOrderBatch": frozenset(("modify-trades",)),
    "AmendOrder": frozenset(("modify-trades", "close-trades")),
    "EditOrder": frozenset(("modify-trades",)),
    "CancelOrder": frozenset(("modify-trades", "close-trades")),
    "CancelOrderBatch": frozenset(("modify-trades", "close-trades")),
    "CancelAll": frozenset(("modify-trades", "close-trades")),
    "CancelAllOrdersAfter": frozenset(("modify-trades", "close-trades")),
    "WithdrawMethods": frozenset(("withdraw-funds",)),
    "WithdrawStatus": frozenset(("withdraw-funds",))}
# REST counter of a key by tier: maximum, decay per second.
REST_TIERS: dict[str, tuple[float, float]] = {
    "starter": (15.0, 0.33), "intermediate": (20.0, 0.5), "pro": (20.0, 1.0)}
# These have the trading engine's own counter and cost nothing here.
ENGINE_CALLS = frozenset(("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder",
                          "CancelOrderBatch"))
HISTORY_CALLS = frozenset(("ClosedOrders", "TradesHistory", "QueryTrades", "Ledgers",
                           "QueryLedgers"))


def api_sign(path: str, nonce: str, body: bytes, secret: str) -> str:
    """API-Sign header: HMAC-SHA512 over path and SHA256(nonce + body), keyed by the secret."""
    message = path.encode() + hashlib.sha256(nonce.encode() + body).digest()
    mac = hmac.new(base64.b64decode(secret), message, hashlib.sha512)
    return base64.b64encode(mac.digest()).decode()


@dataclass(slots=True)
class ApiKey:
    """One key of the account. Times in microseconds; ``counter`` is the REST counter then."""

    name: str
    key: str
    secret: str
    rights: frozenset[str]
    created_us: int = 0
    last_nonce: int = 0
    last_used_us: int = 0
    counter: float = 0.0
    counted_us: int = 0
    # Nonces that were used and are inside the window; below the floor none is good any more.
    recent: set[int] = field(default_factory=set)
    floor: int = 0

    def use(self, nonce: int, window: int) -> bool:
        """Use up a nonce; False if it is spent, too low or too large."""
        lowest = max(self.floor, self.last_nonce - window)
        if not lowest < nonce < 1 << 64 or nonce in self.recent:
            return False
        self.last_nonce = max(self.last_nonce, nonce)
        if window:
            self.recent = {used for used in self.recent if used > self.last_nonce - window}
            self.recent.add(nonce)
        else:
            self.floor = nonce
        return True

    def left(self, now_us: int, decay: float) -> float:
        """The REST counter now."""
        return max(0.0, self.counter - decay * max(0, now_us - self.counted_us) / 1_000_000)


class Gatekeeper:
    """Knows the API keys; checks nonces, signatures, rights, REST counters, WebSocket tokens.

    ``tier`` is one of REST_TIERS, or another word for no counting. ``history_cost`` is what a call
    for past trades or ledger rows adds to the counter. After ``lockout_after`` wrong keys or
    signatures in a row (0: never) every private request is refused for 15 minutes. A nonce may be
    lower than the last one by less than ``nonce_window``, once.
    """

    def __init__(self, rng: Rng, saved: Mapping[str, Any] | None = None, tier: str = "off",
                 history_cost: int = 4, now_us: int = 0, lockout_after: int = 0,
                 nonce_window: int = 0) -> None:
        self.rng = rng
        self.nonce_window = nonce_window
        self.limit = REST_TIERS.get(tier)
        self.history_cost = history_cost
        self.lockout_after = lockout_after
        self.strikes = self.locked_until_us = 0
        if saved:
            self.api_key, self.api_secret = str(saved["api_key"]), str(saved["api_secret"])
        else:
            secret = bytes(rng.getrandbits(8) for _ in range(64))
            public = bytes(rng.getrandbits(8) for _ in range(42))
            self.api_key = base64.b64encode(public).decode()
            self.api_secret = base64.b64encode(secret).decode()
        self.keys = {name: self.made(name, rights, saved or {}, now_us)
                     for name, rights in RIGHTS.items()}
        # Token to its expiry, and to how many connections keep it alive.
        self.tokens: dict[str, int] = {}
        self.kept: dict[str, int] = {}

    def made(self, name: str, rights: frozenset[str], saved: Mapping[str, Any],
             now_us: int) -> ApiKey:
        """A key: the trader's own, the others derived from its secret, so that they stay."""
        public, secret = self.api_key, self.api_secret
        if name != "trader":
            seed = f"{name} {self.api_secret}".encode()
            secret = base64.b64encode(hashlib.sha512(seed).digest()).decode()
            public = base64.b64encode(hashlib.sha512(b"public " + seed).digest()[:42]).decode()
        nonces = saved.get("nonces", {})
        old = {"trader": "last_nonce", "guardian": "guardian_nonce"}.get(name, "")
        nonce = int(nonces.get(name, saved.get(old, 0)))
        return ApiKey(name, public, secret, rights, int(saved.get("created_us", now_us)), nonce,
                      floor=nonce)

    @property
    def iban(self) -> str:
        """What all keys of the account have in common, in the venue's form of it."""
        digest = hashlib.sha256(f"iban {self.api_secret}".encode()).hexdigest().upper()
        return f"AA{int(digest[:8], 16) % 100:02d} {digest[8:12]} {digest[12:16]} {digest[16:20]}"

    @property
    def guardian_key(self) -> str:
        """The public half of the guardian's key."""
        return self.keys["guardian"].key

    @property
    def guardian_secret(self) -> str:
        """The secret half of the guardian's key."""
        return self.keys["guardian"].secret

    @property
    def last_nonce(self) -> int:
        """The last nonce that the trader's key was used with."""
        return self.keys["trader"].last_nonce

    def saved(self) -> dict[str, Any]:
        """What the next run must know."""
        return {"api_key": self.api_key, "api_secret": self.api_secret,
                "created_us": self.keys["trader"].created_us,
                "last_nonce": self.last_nonce, "guardian_nonce": self.keys["guardian"].last_nonce,
                "nonces": {name: key.last_nonce for name, key in self.keys.items()}}

    def admit(self, path: str, headers: Mapping[str, str], body: bytes,
              now_us: int) -> tuple[ApiKey, Fields]:
        """The key and the fields of a private request that may pass; else raises Refused.

        A nonce is used up once the signature is right, whatever comes of the request.
        """
        lowered = {name.lower(): value for name, value in headers.items()}
        given = lowered.get("api-key", "").encode(errors="replace")
        found = [key for key in self.keys.values()
                 if hmac.compare_digest(given, key.key.encode())]
        if now_us < self.locked_until_us:
            raise Refused("EGeneral:Temporary lockout")
        if not found:
            self.strike(now_us)
            raise Refused("EAPI:Invalid key")
        key = found[0]
        fields = form(body)
        nonce = text_of(fields, "nonce")
        if not (nonce.isascii() and nonce.isdigit()) or len(nonce) > 20:
            raise Refused("EAPI:Invalid nonce")
        expected = api_sign(path, nonce, body, key.secret)
        sign = lowered.get("api-sign", "").encode(errors="replace")
        if not hmac.compare_digest(sign, expected.encode()):
            self.strike(now_us)
            raise Refused("EAPI:Invalid signature")
        self.strikes = 0
        if not key.use(int(nonce), self.nonce_window):
            raise Refused("EAPI:Invalid nonce")
        key.last_used_us = now_us
        name = path.rpartition("/")[2]
        needs = NEEDS.get(name, frozenset())
        if needs and not needs & key.rights:
            raise Refused("EGeneral:Permission denied")
        self.count(key, name, now_us)
        return key, fields

    def strike(self, now_us: int) -> None:
        """A request with a wrong key or signature: after too many nobody is let in for a while."""
        self.strikes += 1
        if self.lockout_after and self.strikes >= self.lockout_after:
            self.strikes, self.locked_until_us = 0, now_us + LOCKOUT_US

    def count(self, key: ApiKey, name: str, now_us: int) -> None:
        """Add a call to the key's REST counter; raises Refused if there is no room for it."""
        if self.limit is None or name in ENGINE_CALLS:
            return
        most, decay = self.limit
        cost = self.history_cost if name in HISTORY_CALLS else 1
        counter = key.left(now_us, decay)
        if counter + cost > most:
            raise Refused("EAPI:Rate limit exceeded")
        key.counter, key.counted_us = counter + cost, now_us

    # WebSocket tokens.

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
        left = self.kept.pop(token, 1) - 1
        if left > 0:
            self.kept[token] = left

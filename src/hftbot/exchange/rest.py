"""Kraken's REST paths, as far as the embedded exchange serves them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hftbot.exchange.maintenance import BadWish, administer
from hftbot.exchange.requests import Refused, parse
from hftbot.exchange.rest_account import RestAccount
from hftbot.exchange.rest_form import Fields, form, text_of
from hftbot.exchange.rest_market import RestMarkets
from hftbot.exchange.rest_names import Names
from hftbot.exchange.rest_trading import RestTrading

if TYPE_CHECKING:
    from hftbot.exchange.face_kraken import KrakenFace

Answer = tuple[int, dict[str, str], bytes]
UNKNOWN = "EGeneral:Unknown method"
# How much later a throttled client is told to come back.
THROTTLE_S = 1


class Rest:
    """Answers one request at a time."""

    def __init__(self, face: KrakenFace) -> None:
        self.face = face
        self.names = Names(face.listings.values())
        self.markets = RestMarkets(self)
        self.account = RestAccount(self)
        self.trading = RestTrading(self)
        self.private = self.account.calls | self.trading.calls
        self.together = 0

    @contextmanager
    def under_way(self, path: str) -> Iterator[None]:
        """From the moment a request leaves its client until the answer is there."""
        counts = path.startswith("/0/private/")
        self.together += counts
        try:
            yield
        finally:
            self.together -= counts

    def answer(self, method: str, target: str, headers: Mapping[str, str],
               body: bytes) -> Answer:
        """Status, headers and body of a request; errors are in the envelope, status 200."""
        try:
            parts = urlsplit(target)
        except ValueError:
            return 404, {"Content-Type": "text/plain"}, b"404 page not found"
        if parts.path == "/sim/status" and method == "GET":
            return self.plain(self.face.status())
        if parts.path.startswith("/sim/") and method == "POST":
            return self.administer(parts.path[5:], headers, body)
        pieces = parts.path.split("/")
        if len(pieces) != 4 or pieces[:2] != ["", "0"]:
            return 404, {"Content-Type": "text/plain"}, b"404 page not found"
        try:
            result = self.result(method, pieces[2], parts.path, parts.query, headers, body)
        except Refused as refusal:
            return self.plain({"error": [str(refusal)]})
        return self.plain({"error": [], "result": result})

    def result(self, method: str, area: str, path: str, query: str, headers: Mapping[str, str],
               body: bytes) -> Any:
        """What the request is for. Raises Refused."""
        name = path.rpartition("/")[2]
        if area == "public" and name in self.markets.calls and method in ("GET", "POST"):
            return self.markets.calls[name](form(query.encode(errors="replace")) | form(body))
        if area == "private" and name in self.private and method == "POST":
            self.check_throttle()
            key, fields = self.face.gate.admit(path, headers, body, self.face.now_us)
            self.account.key = key
            return self.private[name](fields)
        raise Refused(UNKNOWN)

    def check_throttle(self) -> None:
        """Refuse a private request beside too many others; no nonce is used up by it."""
        most = self.face.settings.switches.rest_together
        if most and self.together > most:
            raise Refused(f"EService:Throttled: {self.face.now_us // 1_000_000 + THROTTLE_S}")

    def administer(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What an administrator of the exchange wishes: modes, maintenance. JSON both ways.

        A page in a browser cannot send that content type here without being asked first.
        """
        kinds = [value for key, value in headers.items() if key.lower() == "content-type"]
        wish = parse(body.decode(errors="replace"))
        if wish is None or not kinds or not kinds[0].startswith("application/json"):
            return self.plain({"error": "POST a JSON object as application/json"}, 400)
        try:
            return self.plain(administer(self.face, name, wish))
        except BadWish as refusal:
            return self.plain({"error": str(refusal)}, 400)

    def plain(self, document: Any, status: int = 200) -> Answer:
        """A JSON answer."""
        return (status, {"Content-Type": "application/json"},
                json.dumps(document, separators=(",", ":")).encode())

    # Names.

    def symbol(self, name: str) -> str:
        """The symbol that a client calls so. Raises Refused."""
        symbol = self.names.symbol(name)
        if symbol is None:
            raise Refused("EQuery:Unknown asset pair")
        return symbol

    def pair(self, fields: Fields) -> str:
        """The symbol of the field ``pair``."""
        return self.symbol(text_of(fields, "pair"))

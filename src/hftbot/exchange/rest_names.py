"""What REST calls assets and pairs: the old names, where Kraken still has them."""

from __future__ import annotations

from collections.abc import Iterable

from hftbot.exchange.settings import Listing

# Crypto that was listed first has an X before its name, currencies a Z; two have other names.
SHORT = {"BTC": "XBT", "DOGE": "XDG"}
LEGACY = {"BTC": "XXBT", "ETH": "XETH", "DOGE": "XXDG", "LTC": "XLTC", "XRP": "XXRP",
          "XLM": "XXLM", "ETC": "XETC", "XMR": "XXMR", "ZEC": "XZEC", "REP": "XREP",
          "USD": "ZUSD", "EUR": "ZEUR", "GBP": "ZGBP", "CAD": "ZCAD", "JPY": "ZJPY", "AUD": "ZAUD"}
# Pairs of two old names whose key is nevertheless the short one.
SHORT_KEYS = frozenset(("DOGE/USD", "DOGE/EUR"))
# (ledger decimals, displayed decimals); others have 10 and 5.
DECIMALS = {"USD": (4, 2), "EUR": (4, 2), "GBP": (4, 2), "CAD": (4, 2), "AUD": (4, 2),
            "CHF": (4, 2), "JPY": (2, 0), "USDT": (8, 4), "USDC": (8, 4)}
ASSET_DECIMALS = (10, 5)


def asset_key(asset: str) -> str:
    """``XXBT`` for BTC."""
    return LEGACY.get(asset, asset)


def short(asset: str) -> str:
    """``XBT`` for BTC."""
    return SHORT.get(asset, asset)


def decimals(asset: str) -> int:
    """Decimals of an asset in the ledger."""
    return DECIMALS.get(asset, ASSET_DECIMALS)[0]


def amount(asset: str, amount_e10: int) -> str:
    """An amount of 1e-10 units with the asset's ledger decimals; what is finer is cut off."""
    digits = decimals(asset)
    sign = "-" if amount_e10 < 0 else ""
    text = str(abs(amount_e10) // int(10 ** (10 - digits))).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}"


def altname(symbol: str) -> str:
    """``XBTUSD`` for BTC/USD."""
    base, _, quote = symbol.partition("/")
    return short(base) + short(quote)


def wsname(symbol: str) -> str:
    """``XBT/USD`` for BTC/USD."""
    base, _, quote = symbol.partition("/")
    return f"{short(base)}/{short(quote)}"


def pair_key(symbol: str) -> str:
    """``XXBTZUSD`` for BTC/USD: the key of a pair in REST answers."""
    base, _, quote = symbol.partition("/")
    if base in LEGACY and quote in LEGACY and symbol not in SHORT_KEYS:
        return LEGACY[base] + LEGACY[quote]
    return altname(symbol)


class Names:
    """Every name under which a client may ask for a listed pair or asset."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self.pairs: dict[str, str] = {}
        self.assets: dict[str, str] = {}
        for listing in listings:
            symbol = listing.symbol
            for name in (symbol, symbol.replace("/", ""), altname(symbol), wsname(symbol),
                         pair_key(symbol)):
                self.pairs[name] = symbol
            for asset in (listing.base, listing.quote):
                for name in (asset, short(asset), asset_key(asset)):
                    self.assets[name] = asset

    def symbol(self, name: str) -> str | None:
        """The symbol that a client calls so, or None."""
        return self.pairs.get(name) or self.pairs.get(name.upper())

    def answered(self, name: str) -> str:
        """The key under which the answer tells of a pair: a name with a slash is kept."""
        return name if "/" in name else pair_key(self.pairs[name.upper()])

"""What a simulated trade costs, and what a position is worth.

Prices are in quote units (not ticks), quantities in contracts or base units; balances are doubles,
as in reports. A contract is

* LINEAR: worth ``size`` of the base for each unit, paid in quote (spot, USD futures);
* INVERSE: worth ``size`` of the quote for each unit, paid in base (coin-margined futures);
* BINARY: pays 1 or 0 when it settles, and costs its price until then (prediction markets). Short
  YES is long NO: the price of NO is 1 minus that of YES.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from fastcore.sim.model_codes import (  # noqa: F401
    BINARY,
    CURVE,
    FLAT,
    INVERSE,
    LINEAR,
    PER_QUANTITY,
    PER_VALUE,
)

if cython.compiled:
    from cython.cimports.fastcore.sim import _model_codes as code
else:
    from fastcore.sim import model_codes as code

RATE_MAX = {PER_VALUE: 0.5, CURVE: 1.0}


class FeeModel:
    """Fees of makers and takers; a negative rate is a rebate.

    ``kind`` is PER_VALUE (a share of the traded value: 0.0007 is 7 bps), PER_QUANTITY (money for
    each unit), FLAT (money for each trade) or CURVE (see ``polymarket``). Raises ValueError for
    what can only be a mistake, such as 7 where 0.0007 is meant.
    """

    def __init__(self, kind: int, maker: float, taker: float, exponent: int = 1) -> None:
        if kind not in (PER_VALUE, PER_QUANTITY, FLAT, CURVE):
            raise ValueError(f"fees are per value, per quantity, flat or a curve, not {kind}")
        for name, rate in (("maker", maker), ("taker", taker)):
            limit = RATE_MAX.get(kind, 1e9)
            if not -limit <= rate <= limit:
                raise ValueError(f"the {name} fee must be within +-{limit:g}, not {rate}; "
                                 "rates are fractions: 7 bps are 0.0007")
        if not 1 <= exponent <= 8:
            raise ValueError(f"a fee curve's exponent must be 1 to 8, not {exponent}")
        self.kind = kind
        self.maker = maker
        self.taker = taker
        self.exponent = exponent

    @staticmethod
    def polymarket(rate: float = 0.07, exponent: int = 1, maker: float = 0.0) -> "FeeModel":
        """quantity * rate * (price * (1 - price)) ** exponent, in steps of 0.00001.

        Takers pay it, makers nothing; a negative ``maker`` is their rebate by the same curve.
        """
        return FeeModel(CURVE, maker, rate, exponent)

    def fee(self, price: float, quantity: float, value: float, maker: int) -> float:
        """What one trade costs; ``value`` is its traded value, see ``traded_value``."""
        rate = self.maker if maker else self.taker
        if self.kind == code.PER_VALUE:
            return rate * value
        if self.kind == code.PER_QUANTITY:
            return rate * quantity
        if self.kind == code.FLAT:
            return rate
        spread = price * (1.0 - price)
        if not spread > 0.0:
            return 0.0
        share = spread
        for i in range(self.exponent - 1):
            share *= spread
        return cut(rate * quantity * share)


def cut(money: float) -> float:
    """Money in whole steps of 0.00001, the nearest; half a step goes up, away from zero."""
    if money > 9e12 or money < -9e12:
        return money
    steps = int(money * 100_000.0 + (0.5 if money > 0.0 else -0.5))
    return steps / 100_000.0


def traded_value(contract: int, size: float, price: float, quantity: float) -> float:
    """The money that changes hands: quote, or base for INVERSE. 0 for an inverse price of 0."""
    if contract == code.INVERSE:
        return size * quantity / price if price > 0.0 else 0.0
    return size * price * quantity


def equity(contract: int, size: float, position: float, balance: float, fees: float,
           price: float) -> float:
    """What the account is worth at this price: cash and position, fees paid.

    ``position`` is signed, in units; ``balance`` the cash of all trades, without ``fees``. For
    INVERSE the cash is the value sold minus the value bought, so both count the other way round.
    A BINARY position is worth its price, at the end 1 or 0.
    """
    if contract == code.INVERSE:
        worth = size * position / price if price > 0.0 else 0.0
        return -balance - worth - fees
    return balance + size * position * price - fees


"""Where a resting order of ours stands in its queue, guessed from the level's quantity alone.

Quantities are in the instrument's base units, as doubles: these are estimates. An order has
``front``, what stands before it, and ``traded``, what trades took from its level since the last
depth row; the matcher keeps both. A new order has ``front`` = the level's quantity, ``traded`` = 0.
A trade at its price takes from the front (``after_trade``); a depth row of its level may move it
(``after_depth``); it trades once ``lots_reached`` is above 0.

The models differ in one thing: of a decrease that no trade explains, which share was cancelled
*behind* us, given the quantities before (f) and behind (b) us:

=========== ======================= ==========================================
RISK_AVERSE all of it               we advance by trades alone
LOG_PROB    ln(1+b)/(ln(1+b)+ln(1+f))
LOG_PROB2   ln(1+b)/ln(1+b+f)
POWER_PROB  b^n/(b^n+f^n)           n is ``power``
POWER_PROB2 b^n/(b+f)^n
POWER_PROB3 1-(f/(f+b))^n
=========== ======================= ==========================================
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from fastcore.sim.model_codes import (  # noqa: F401
    LOG_PROB,
    LOG_PROB2,
    POWER_PROB,
    POWER_PROB2,
    POWER_PROB3,
    RISK_AVERSE,
)

if cython.compiled:
    from cython.cimports.fastcore.market.fair import natural_exp, natural_log
    from cython.cimports.fastcore.sim import _model_codes as code
else:
    from fastcore.market.fair import natural_exp, natural_log
    from fastcore.sim import model_codes as code

NAMES = {
    "risk-averse": RISK_AVERSE,
    "log-prob": LOG_PROB,
    "log-prob2": LOG_PROB2,
    "power-prob": POWER_PROB,
    "power-prob2": POWER_PROB2,
    "power-prob3": POWER_PROB3,
}


def rounded(x: float) -> int:
    """The nearest whole number, halves away from zero, within +-9e18; 0 for not a number."""
    if x != x:
        return 0
    if x > 9e18 or x < -9e18:
        x = 9e18 if x > 0.0 else -9e18
    whole = int(x)
    if x - whole >= 0.5:
        return whole + 1
    if x - whole <= -0.5:
        return whole - 1
    return whole


def smaller(a: float, b: float) -> float:
    """The smaller of two; one that is not a number loses."""
    if a != a:
        return b
    return a if b != b or a < b else b


def divided(a: float, b: float) -> float:
    """IEEE 754's quotient: what it is without meaning is not a number, never an exception."""
    if b == 0.0:
        huge = 1e300
        endless = huge * huge
        if a == 0.0 or a != a:
            return endless - endless
        return endless if a > 0.0 else -endless
    return a / b


def log_of_one_more(x: float) -> float:
    """ln(1 + x); minus infinity at -1 and not a number below."""
    if x > -1.0:
        return natural_log(1.0 + x)
    huge = 1e300
    endless = huge * huge
    return -endless if x == -1.0 else endless - endless


def raised(x: float, power: float) -> float:
    """``x`` to a power above 0; the root of a negative number is not a number."""
    count = int(power)
    if power == count and count <= 64:
        result = x
        while count > 1:
            result *= x
            count -= 1
        return result
    if x > 0.0:
        return natural_exp(power * natural_log(x))
    if x == 0.0:
        return 0.0
    huge = 1e300
    return huge * huge - huge * huge


def share_behind(kind: int, power: float, front: float, back: float) -> float:
    """The share of a cancelled quantity that stood behind us; not a number if it has no meaning."""
    if kind == code.RISK_AVERSE:
        return 1.0
    if kind == code.LOG_PROB:
        behind = log_of_one_more(back)
        return divided(behind, behind + log_of_one_more(front))
    if kind == code.LOG_PROB2:
        return divided(log_of_one_more(back), log_of_one_more(back + front))
    if kind == code.POWER_PROB:
        behind = raised(back, power)
        return divided(behind, behind + raised(front, power))
    if kind == code.POWER_PROB2:
        return divided(raised(back, power), raised(back + front, power))
    return 1.0 - raised(divided(front, front + back), power)


def after_trade(front: float, quantity: float) -> float:
    """The front after a trade at our price; below 0 it reached us. ``traded`` grows by as much."""
    return front - quantity


def after_depth(kind: int, power: float, front: float, traded: float, before: float,
                after: float) -> float:
    """The front once our level shows ``after`` where it showed ``before``.

    ``traded`` is what trades took from the level since its last depth row; the caller sets it to 0
    afterwards. No more than the level shows can stand before us.
    """
    if kind == code.RISK_AVERSE:
        return smaller(front, after)
    canceled = before - after - traded
    if canceled < 0.0:
        return smaller(front, after)
    back = before - front
    behind = share_behind(kind, power, front, back)
    if behind > 1e308 or behind < -1e308:
        behind = 1.0
    # More cancelled behind than stood there must have stood before us.
    over = smaller(back - behind * canceled, 0.0)
    return smaller(front - (1.0 - behind) * canceled + over, after)


def lots_reached(front: float, lot_size: float) -> int:
    """How many lots of trades went past the front: above 0, our order trades."""
    return rounded(-front / lot_size)


def fill_probability(front: float, quantity: float, expected: float) -> float:
    """How likely an order is filled whole, 0 to 1: before it stands ``front``, itself ``quantity``.

    ``expected`` is the mean quantity that trades at this price while the order rests. The volume
    is taken as exponential: exp(-(front + quantity) / expected), which falls in the first two and
    rises in the third. 0 if nothing is expected to trade.
    """
    if front < 0.0:
        front = 0.0
    if not expected > 0.0:
        return 0.0
    return natural_exp(-(front + quantity) / expected)

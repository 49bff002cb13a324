"""The short way of reading ordinary limit orders says what the long way says."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hftbot.exchange.requests import Refused, add_request, parse, plain_request
from hftbot.exchange.settings import LISTINGS

NOW_US = 1_700_000_000_000_000
NUMBERS = st.sampled_from((30_000, Decimal("30000.1"), Decimal("30000.15"), Decimal("0.001"), 1,
                           Decimal("0.00005"), Decimal("1e-9"), 0, -1, Decimal("1e300"), 1 << 61,
                           Decimal("0.0010000000000000000000000000000001"), None))
FIELDS = {
    "order_type": st.sampled_from(("limit", "limit", "limit", "market", "iceberg", "settle")),
    "side": st.sampled_from(("buy", "sell", "both")),
    "symbol": st.sampled_from(("BTC/USD", "SOL/USD", "XRP/EUR", "BTC/XYZ")),
    "order_qty": NUMBERS, "limit_price": NUMBERS,
    "time_in_force": st.sampled_from(("gtc", "ioc", "fok", "gtd", "", "day")),
    "post_only": st.booleans(), "validate": st.booleans(), "margin": st.booleans(),
    "cl_ord_id": st.sampled_from(("", "mine", "not one", "0" * 19, "0" * 32)),
    "deadline": st.sampled_from(("", "2023-11-14T22:13:25Z", "2023-11-14T23:13:25Z", "soon")),
    "stp_type": st.sampled_from(("cancel_both", "cancel_newest")),
    "order_userref": st.integers(-5, 5), "token": st.just("t"),
    "display_qty": st.just(Decimal("0.001")), "fee_preference": st.just("base")}
SURE = ("order_type", "side", "symbol", "order_qty", "limit_price")
RARE = ("validate", "margin", "stp_type", "order_userref", "display_qty", "fee_preference")


def outcome(read, params):
    """The request, or the words of the refusal."""
    try:
        return read(params, LISTINGS, NOW_US)
    except Refused as refusal:
        return str(refusal)


@st.composite
def orders(draw):
    """Orders as most are, and those with something unusual or wrong about them."""
    names = [*SURE, *draw(st.sets(st.sampled_from(sorted(FIELDS.keys() - set(SURE + RARE))))),
             *draw(st.sets(st.sampled_from(RARE), max_size=1))]
    if draw(st.integers(0, 9)) == 0:
        names.remove(draw(st.sampled_from(SURE)))
    return {name: draw(FIELDS[name]) for name in names}


@given(orders())
def test_the_short_way_returns_and_refuses_what_the_long_way_does(params):
    short = outcome(plain_request, params)
    if short is not None:
        assert short == outcome(add_request, params)


def test_an_ordinary_order_goes_the_short_way():
    params = {"order_type": "limit", "side": "sell", "symbol": "BTC/USD", "token": "t",
              "order_qty": Decimal("0.001"), "limit_price": Decimal("30000.1"),
              "time_in_force": "ioc", "cl_ord_id": "b1"}
    found = plain_request(params, LISTINGS, NOW_US)
    assert found is not None
    assert (found.side, found.ticks, found.lots, found.deadline_us) == (
        1, 300_001, 100_000, NOW_US + 5_000_000)
    assert found == add_request(params, LISTINGS, NOW_US)
    assert plain_request({**params, "post_only": True}, LISTINGS, NOW_US) is None
    assert plain_request({**params, "margin": False}, LISTINGS, NOW_US) is None


def test_frames_are_read_alike_with_and_without_space_around_them():
    frame = '{"method":"ping","req_id":1.10}'
    assert parse(frame) == parse(f" \n{frame}\t ") == {"method": "ping", "req_id": Decimal("1.10")}
    for wrong in ("", " ", "[]", "5", '{"a":}', '{"a"', f"{frame}x", f"x{frame}", frame * 2,
                  '{"a":NaN}', '{"a":{}', "\ufeff{}"):
        assert parse(wrong) is None, wrong

"""RiskGate and AccountRisk: boundaries of the control table, one by one."""

import pytest

from hftbot.words.verdict import Verdict
from lane_rig import NOW_NS, NOW_US, Rig, forms, room

INT64_MAX = (1 << 63) - 1
EXACT = {"collar_bps": 300, "order_value_max": 10_000_000, "order_lots_max": 1000,
         "position_lots_max": 1500, "value_min": 10_000, "lots_min": 2}


@pytest.fixture
def rig(form, tmp_path):
    rig = Rig(form, tmp_path, **EXACT)
    rig.quote(10_000, 10_010, 50)
    return rig


def ask(rig, side=0, ticks=10_010, lots=10, tif=1, *, post_only=False, now_us=NOW_US,
        now_ns=NOW_NS, created_us=NOW_US, ttl_us=0, strategy=0):
    return Verdict(rig.gate.check(rig.book, side, ticks, lots, tif, post_only, now_us, now_ns,
                                  created_us, ttl_us, strategy))


@forms
@pytest.mark.parametrize(("order", "verdict"), [
    ({}, Verdict.ALLOW),
    ({"ticks": 0}, Verdict.DENY_INVALID),
    ({"lots": 0}, Verdict.DENY_INVALID),
    ({"lots": -5}, Verdict.DENY_INVALID),
    ({"side": 2}, Verdict.DENY_INVALID),
    ({"side": -1}, Verdict.DENY_INVALID),
    ({"tif": 4}, Verdict.DENY_INVALID),
    ({"tif": 1, "post_only": True}, Verdict.DENY_INVALID),
    ({"ttl_us": -1}, Verdict.DENY_INVALID),
    ({"tif": 0, "post_only": True}, Verdict.ALLOW),
    ({"ticks": 10_310}, Verdict.ALLOW),
    ({"ticks": 10_311}, Verdict.DENY_PRICE_COLLAR),
    ({"ticks": 9_700}, Verdict.ALLOW),
    ({"ticks": 9_699}, Verdict.DENY_PRICE_COLLAR),
    ({"ticks": 10_000, "lots": 1000}, Verdict.ALLOW),
    ({"ticks": 10_001, "lots": 1000}, Verdict.DENY_ORDER_VALUE),
    ({"ticks": 9_900, "lots": 1001}, Verdict.DENY_ORDER_LOTS),
    ({"lots": 1}, Verdict.DENY_BELOW_MINIMUM),
    ({"created_us": NOW_US - 100, "ttl_us": 100}, Verdict.ALLOW),
    ({"created_us": NOW_US - 101, "ttl_us": 100}, Verdict.DENY_EXPIRED_INTENT),
    ({"now_ns": NOW_NS + 2_000_000_000}, Verdict.ALLOW),
    ({"now_ns": NOW_NS + 2_000_000_001}, Verdict.DENY_STALE_BOOK),
    ({"strategy": 32}, Verdict.DENY_REPEATED_FILLS),
])
def test_boundaries_of_one_order(rig, order, verdict):
    assert ask(rig, **order) == verdict


@forms
def test_largest_numbers_are_denied_by_every_limit(rig):
    mask = ask(rig, ticks=INT64_MAX, lots=INT64_MAX)
    for rule in ("ORDER_VALUE", "ORDER_LOTS", "PRICE_COLLAR", "POSITION", "GROSS"):
        assert mask & Verdict["DENY_" + rule]


@forms
def test_missing_top_denies(rig):
    rig.book.update(1, 10_010, 0)
    assert ask(rig) == Verdict.DENY_PRICE_COLLAR
    rig.book.clear()
    assert ask(rig) == Verdict.DENY_PRICE_COLLAR


@forms
def test_no_book_denies(rig):
    assert rig.gate.check(None, 0, 10, 10, 1, False, 1, 1, 1, 0, 0) == Verdict.DENY_UNTRUSTED_BOOK


@forms
@pytest.mark.parametrize("trust", [0, 1])
def test_untrusted_book_denies(rig, trust):
    rig.book.trust = trust
    assert ask(rig) == Verdict.DENY_UNTRUSTED_BOOK


@forms
def test_quiet_market_on_a_live_link_is_not_stale(rig):
    rig.book.ts_us = 1
    rig.book.recv_ns = 1
    rig.gate.link_seen_ns = NOW_NS + 3_600_000_000_000
    assert ask(rig, now_ns=NOW_NS + 3_600_000_000_000) == Verdict.ALLOW


@forms
def test_link_never_seen_is_stale(rig):
    rig.gate.link_seen_ns = 0
    assert ask(rig) == Verdict.DENY_STALE_BOOK


@forms
def test_reference_price(rig):
    rig.gate.ref_age_ns_max = 1000
    assert ask(rig) == Verdict.DENY_STALE_REF
    rig.gate.ref_ticks, rig.gate.ref_seen_ns = 10_000, NOW_NS - 1000
    assert ask(rig) == Verdict.ALLOW
    rig.gate.ref_seen_ns = NOW_NS - 1001
    assert ask(rig) == Verdict.DENY_STALE_REF
    rig.gate.ref_ticks, rig.gate.ref_seen_ns = 9_000, NOW_NS
    assert ask(rig) == Verdict.DENY_PRICE_COLLAR


@forms
def test_ramp_of_small_steps_is_stopped(rig):
    bid = 10_000
    for step in range(20):
        now_ns = NOW_NS + step * 400_000_000
        rig.gate.link_seen_ns = now_ns
        rig.quote(bid, bid + 10)
        mask = ask(rig, ticks=bid + 10, now_ns=now_ns)
        assert mask == (0 if bid <= 10_500 else Verdict.DENY_PRICE_DRIFT)
        bid += 50
    # The same price is fine once the window has passed over it.
    now_ns += 12_000_000_000
    rig.gate.link_seen_ns = now_ns
    assert ask(rig, ticks=bid, now_ns=now_ns) == Verdict.ALLOW


@forms
def test_position_counts_open_orders_of_its_side(rig):
    rig.gate.hold(0, 9_990, 1000, NOW_NS)
    assert ask(rig, ticks=9_999, lots=500) == Verdict.ALLOW
    assert ask(rig, ticks=9_999, lots=501) == Verdict.DENY_POSITION
    assert ask(rig, side=1, ticks=10_000, lots=1000) == Verdict.ALLOW
    rig.gate.release(0, 9_990, 1000)
    assert ask(rig, ticks=9_999, lots=501) == Verdict.ALLOW


@pytest.mark.law(5)
@forms
def test_many_wishes_at_one_moment_never_pass_the_limit(rig):
    allowed = 0
    for i in range(1000):
        if ask(rig, ticks=9_800 + i % 190, lots=7 + i % 5) == Verdict.ALLOW:
            rig.gate.hold(0, 9_800 + i % 190, 7 + i % 5, NOW_NS)
            allowed += 7 + i % 5
    assert 0 < allowed == rig.exposure.open_lots(0) <= 1500
    assert rig.account.open_orders <= rig.account.open_orders_max


@forms
def test_gross_is_shared_by_all_gates(form, tmp_path):
    rig = Rig(form, tmp_path, drift_bps_max=0)
    rig.quote()
    rig.account.gross_e10_max = 1_000_000
    position = room(form, "fastcore.money.position").Position(1)
    other = room(form, "fastcore.money.risk").RiskGate(
        1, rig.account, position, room(form, "fastcore.money.exposure").Exposure(8), 1, 1000,
        order_value_max=10**9, order_lots_max=10**9, position_lots_max=10**9, collar_bps=300)
    other.hold(0, 1000, 999_001, NOW_NS)
    assert rig.account.gross_e10 == other.gross_e10 == 999_001
    # 99 tick-lots of the first instrument are 990 units, rounded up nowhere.
    assert rig.gate.check_top(2, 100, 101, 0, 99, 1, 1, False, 0, NOW_NS, 0, 0, 0) == 0
    assert rig.gate.check_top(2, 100, 101, 0, 100, 1, 1, False, 0, NOW_NS, 0, 0,
                              0) == Verdict.DENY_GROSS


@forms
def test_closing_is_not_gross(rig):
    rig.position.apply(0, 10_000, 100, 0)
    rig.gate.revalue()
    before = rig.account.gross_e10
    rig.gate.hold(1, 9_000, 100, NOW_NS)
    assert rig.account.gross_e10 == before == 100 * 10_000 * 10


@forms
@pytest.mark.parametrize(("state", "opening", "closing"), [
    (0, Verdict.ALLOW, Verdict.ALLOW),
    (1, Verdict.DENY_REDUCING, Verdict.ALLOW),
    (2, Verdict.DENY_REDUCING | Verdict.DENY_HALTED, Verdict.DENY_HALTED),
])
def test_trading_states(rig, state, opening, closing):
    rig.position.apply(0, 10_000, 100, 0)
    rig.account.state = state
    assert ask(rig) == opening
    assert ask(rig, side=1, ticks=10_000, lots=100) == closing


@forms
def test_more_than_the_position_does_not_reduce(rig):
    rig.position.apply(0, 10_000, 100, 0)
    rig.account.state = 1
    assert ask(rig, side=1, ticks=10_000, lots=101) == Verdict.DENY_REDUCING
    rig.gate.hold(1, 10_010, 60, NOW_NS)
    assert ask(rig, side=1, ticks=10_000, lots=41) == Verdict.DENY_REDUCING
    assert ask(rig, side=1, ticks=10_000, lots=40) == Verdict.ALLOW


@forms
def test_daily_loss_lets_only_closing_through(rig):
    rig.position.apply(0, 10_000, 100, 0)
    rig.account.loss_e10_max = 25
    rig.account.loss_e10 = 24
    assert ask(rig) == Verdict.ALLOW
    rig.account.loss_e10 = 25
    assert ask(rig) == Verdict.DENY_DAILY_LOSS
    assert ask(rig, side=1, ticks=10_000, lots=100) == Verdict.ALLOW


@forms
def test_fifty_first_fill_in_a_row_disables_until_a_human_enables(rig):
    for _ in range(50):
        rig.gate.note_fill(5, True)
    assert ask(rig, strategy=5) == Verdict.ALLOW
    rig.gate.note_fill(5, True)
    assert ask(rig, strategy=5) == Verdict.DENY_REPEATED_FILLS
    assert ask(rig, strategy=6) == Verdict.ALLOW
    rig.gate.note_fill(5, False)
    assert ask(rig, strategy=5) == Verdict.DENY_REPEATED_FILLS
    rig.account.enable(5)
    assert ask(rig, strategy=5) == Verdict.ALLOW
    for _ in range(50):
        rig.gate.note_fill(5, True)
    assert ask(rig, strategy=5) == Verdict.ALLOW


@forms
def test_fills_in_row_are_of_one_strategy_on_one_instrument(rig):
    other = room(rig.form, "fastcore.money.risk").RiskGate(
        1, rig.account, room(rig.form, "fastcore.money.position").Position(1),
        room(rig.form, "fastcore.money.exposure").Exposure(8))
    for _ in range(50):
        rig.gate.note_fill(5, True)
        other.note_fill(5, True)
        rig.gate.note_fill(6, True)
    assert not rig.account.is_disabled(5)
    other.note_fill(5, False)
    rig.gate.note_fill(5, True)
    assert rig.account.is_disabled(5)
    assert not rig.account.is_disabled(6)


@forms
def test_strategies_that_cannot_be_are_not_counted(rig):
    for strategy in (-1, 32, 1 << 40):
        for _ in range(60):
            rig.gate.note_fill(strategy, True)
        assert rig.account.is_disabled(strategy)
    assert not any(map(rig.account.is_disabled, range(32)))


@forms
def test_reducing_fill_begins_the_row_anew(rig):
    for _ in range(10):
        for _ in range(50):
            rig.gate.note_fill(5, True)
        rig.gate.note_fill(5, False)
    assert not rig.account.is_disabled(5)


@forms
def test_messages_of_a_minute(form, tmp_path):
    rig = Rig(form, tmp_path, per_minute=10, book_silence_ns_max=0)
    rig.quote()
    assert rig.account.limits()["messages_max"] == 10
    assert rig.account.limits()["messages_reserve"] == 1
    rig.account.messages.take(8, NOW_NS)
    assert ask(rig, ticks=270_000, lots=1000) == Verdict.ALLOW
    rig.account.messages.take(1, NOW_NS)
    assert ask(rig, ticks=270_000, lots=1000) == Verdict.DENY_MESSAGE_RATE
    over_ns = NOW_NS + 60_000_000_000
    assert ask(rig, ticks=270_000, lots=1000, now_ns=over_ns - 1) == Verdict.DENY_MESSAGE_RATE
    assert ask(rig, ticks=270_000, lots=1000, now_ns=over_ns) == Verdict.ALLOW


@forms
def test_same_order_within_the_window(rig):
    rig.gate.hold(0, 10_000, 10, NOW_NS)
    assert ask(rig, ticks=10_000, now_ns=NOW_NS + 49_999_999) == Verdict.DENY_DUPLICATE
    assert ask(rig, ticks=10_000, now_ns=NOW_NS + 50_000_000) == Verdict.ALLOW
    assert ask(rig, ticks=10_001) == Verdict.ALLOW
    assert ask(rig, ticks=10_000, lots=11) == Verdict.ALLOW
    rig.gate.same_order_window_ns = 0
    assert ask(rig, ticks=10_000) == Verdict.ALLOW


@forms
def test_other_orders_between_do_not_hide_a_copy(rig):
    rig.gate.hold(0, 10_000, 10, NOW_NS)
    rig.gate.hold(0, 9_999, 10, NOW_NS)
    assert ask(rig, ticks=10_000) == Verdict.DENY_DUPLICATE
    rig.gate.forget(0, 10_000, 10)
    assert ask(rig, ticks=10_000) == Verdict.ALLOW
    assert ask(rig, ticks=9_999) == Verdict.DENY_DUPLICATE


@pytest.mark.law(11)
@forms
def test_own_orders_are_not_crossed(rig):
    rig.gate.hold(1, 10_005, 10, NOW_NS)
    assert ask(rig, ticks=10_005) == Verdict.DENY_SELF_TRADE
    assert ask(rig, ticks=10_004) == Verdict.ALLOW
    rig.gate.release(1, 10_005, 10)
    rig.gate.hold(0, 10_005, 10, NOW_NS)
    assert ask(rig, side=1, ticks=10_005, lots=11) == Verdict.DENY_SELF_TRADE
    assert ask(rig, side=1, ticks=10_006) == Verdict.ALLOW


@pytest.mark.fault("V2")
@pytest.mark.law(11)
@forms
@pytest.mark.parametrize(("mode", "taker", "maker"), [
    (0, 0, 0), (1, Verdict.DENY_MODE, 0), (2, Verdict.DENY_MODE, Verdict.DENY_MODE),
    (3, Verdict.DENY_MODE, Verdict.DENY_MODE)])
def test_venue_modes(rig, mode, taker, maker):
    rig.account.mode = mode
    assert ask(rig) == taker
    assert ask(rig, tif=0, post_only=True, ticks=10_000) == maker


@forms
def test_new_account_is_not_ready(form):
    messages = room(form, "fastcore.money.throttle").MinuteWindow(10)
    account_risk = room(form, "fastcore.money.risk").AccountRisk
    assert account_risk(messages=messages).ready == 0
    with pytest.raises(ValueError, match="needs a MinuteWindow"):
        account_risk()


@forms
def test_funds(rig):
    rig.gate.funds_value, rig.gate.funds_lots = 1_000_000, 100
    assert ask(rig, ticks=10_000, lots=100) == Verdict.ALLOW
    assert ask(rig, ticks=10_000, lots=101) == Verdict.DENY_NO_FUNDS
    assert ask(rig, side=1, lots=100) == Verdict.ALLOW
    assert ask(rig, side=1, lots=101) == Verdict.DENY_NO_FUNDS
    rig.gate.hold(0, 9_000, 100, NOW_NS)
    assert ask(rig, ticks=10_000, lots=11) == Verdict.DENY_NO_FUNDS


@forms
def test_all_reasons_come_at_once_and_are_counted(rig):
    rig.account.ready = 0
    rig.book.trust = 1
    mask = ask(rig, ticks=20_000, lots=2000)
    assert mask == (Verdict.DENY_NOT_READY | Verdict.DENY_UNTRUSTED_BOOK
                    | Verdict.DENY_PRICE_COLLAR | Verdict.DENY_ORDER_VALUE
                    | Verdict.DENY_ORDER_LOTS | Verdict.DENY_POSITION)
    assert rig.gate.denied == 1
    assert rig.gate.denial_counts() == {rule.name: 1 for rule in mask}


@forms
def test_limits_never_set_allow_nothing(form, tmp_path):
    rig = Rig(form, tmp_path, order_value_max=0, order_lots_max=0, position_lots_max=0)
    rig.quote()
    mask = ask(rig, ticks=270_000, lots=1)
    assert mask == (Verdict.DENY_ORDER_VALUE | Verdict.DENY_ORDER_LOTS | Verdict.DENY_POSITION)


@forms
@pytest.mark.parametrize("limits", [{"collar_bps": 10_001}, {"order_lots_max": -1},
                                    {"order_value_max": (1 << 61) + 1}, {"drift_bps_max": -1}])
def test_impossible_limits_are_refused(form, tmp_path, limits):
    with pytest.raises(ValueError, match="must be"):
        Rig(form, tmp_path, **limits)


@forms
def test_unknown_limit_is_refused_and_known_ones_are_shown(form, tmp_path):
    with pytest.raises(TypeError, match="order_lot_max"):
        Rig(form, tmp_path, order_lot_max=1)
    shown = Rig(form, tmp_path).gate.limits()
    assert shown["collar_bps"] == 300
    assert shown["same_order_window_ns"] == 50_000_000
    assert Rig(form, tmp_path).account.limits()["fills_in_row_max"] == 50

"""Loss limit, states that only become stricter, and what each still allows."""

from __future__ import annotations

import pathlib

import pytest
from engine_rig import ASK, BID, LOTS, Rig, Voice

from hftbot.engine.guard import ACTIVE, DAY_US, HALTED, REDUCING
from hftbot.words import events as ev
from hftbot.words.market import Side, VenueMode
from hftbot.words.order import Tif
from hftbot.words.verdict import Verdict


@pytest.fixture
def rig(tmp_path: pathlib.Path) -> Rig:
    return Rig(tmp_path, Voice(), loss_usd_day_max=10, position_usd_max=1200)


def lose(rig: Rig, usd: float) -> None:
    """A position of 0.01 BTC that cost so much more than it is worth."""
    order = rig.buy(1_000_000)
    rig.fill(order, 1_000_000, f"L{usd}", ticks=ASK + round(usd * 1_000))
    rig.tell(ev.BalanceSeen("BTC", rig.lots() * 100, rig.clock.us))
    rig.engine.on_timer()


@pytest.mark.fault("K3")
def test_guard_loss_limit_reduces_then_halts(rig: Rig) -> None:
    rig.engine.on_timer()
    lose(rig, 9.0)
    assert rig.guard.state == ACTIVE
    rig.quote(BID - 1_100, ASK - 1_100)
    rig.engine.on_timer()
    assert rig.guard.state == REDUCING
    verdict = rig.desk().place(0, Side.BUY, ASK - 1_100, LOTS, Tif.IOC)
    assert -verdict & Verdict.DENY_REDUCING
    assert -verdict & Verdict.DENY_DAILY_LOSS
    resting = rig.sell(LOTS, ASK, Tif.GTC)
    rig.ack(resting)
    assert rig.desk().place(0, Side.SELL, ASK - 1, rig.lots(), Tif.IOC) < 0, "more than is held"
    rig.quote(BID - 6_500, ASK - 6_500)
    rig.engine.on_timer()
    assert rig.guard.state == HALTED
    assert b"cancel_order" in rig.sent[-1]
    assert -rig.desk().place(0, Side.SELL, BID - 6_500, LOTS, Tif.IOC) & (
        Verdict.DENY_HALTED | Verdict.DENY_NOT_READY)


def test_guard_never_relaxes_by_itself(rig: Rig) -> None:
    rig.engine.on_timer()
    lose(rig, 10.5)
    assert rig.guard.state == REDUCING
    rig.quote(BID + 10_000, ASK + 10_000)
    rig.engine.on_timer()
    rig.later(86_400 * 2)
    rig.engine.on_timer()
    assert rig.guard.state == REDUCING
    rig.guard.raise_to(ACTIVE, "no")
    assert rig.guard.state == REDUCING


def test_guard_midnight_starts_a_new_day(rig: Rig) -> None:
    rig.engine.on_timer()
    lose(rig, 9.0)
    rig.later((DAY_US - rig.clock.us % DAY_US) / 1e6)
    rig.engine.on_timer()
    assert rig.world.account.loss_e10 == 0
    rig.quote(BID - 9_500, ASK - 9_500)
    rig.engine.on_timer()
    assert rig.guard.state == ACTIVE
    rig.quote(BID - 11_000, ASK - 11_000)
    rig.engine.on_timer()
    assert rig.guard.state == REDUCING


def test_guard_midnight_while_the_market_link_is_down(rig: Rig) -> None:
    """The new day starts from what was, not from an empty book."""
    rig.engine.on_timer()
    lose(rig, 9.0)
    rig.engine.books[0].clear()
    rig.later((DAY_US - rig.clock.us % DAY_US) / 1e6)
    rig.engine.on_timer()
    rig.quote()
    rig.engine.on_timer()
    assert rig.guard.state == ACTIVE
    assert rig.world.account.loss_e10 == pytest.approx(0, abs=10)


@pytest.mark.fault("D1")
def test_guard_journal_that_is_full_halts_and_says_so_once(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), journal_bytes=6000)
    order = rig.buy(ticks=BID, tif=Tif.GTC)
    verdict = 1
    while verdict > 0:
        verdict = rig.desk().place(0, Side.BUY, BID - 10, 10_000, Tif.GTC)
    assert -verdict & (Verdict.DENY_JOURNAL | Verdict.DENY_HALTED)
    rig.engine.on_timer()
    rig.engine.on_timer()
    assert rig.notes.said("the journal refused a record") == 1
    assert rig.table.state(rig.table.find(order)) == 2
    assert rig.cancels() == len(rig.engine.open_client_ids())


def test_guard_journal_failure_is_told_even_while_reducing(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice())
    rig.guard.raise_to(REDUCING, "loss")
    rig.world.account.state = HALTED
    rig.engine.on_timer()
    assert rig.guard.reason == "the journal refused a record"
    assert rig.notes.said("guard HALTED") == 1


@pytest.mark.fault("V2")
@pytest.mark.law(11)
@pytest.mark.parametrize(("mode", "taker", "maker"), [
    (VenueMode.OPEN, True, True), (VenueMode.POST_ONLY, False, True),
    (VenueMode.CANCEL_ONLY, False, False), (VenueMode.DOWN, False, False)])
def test_guard_venue_mode_is_obeyed(rig: Rig, mode: VenueMode, taker: bool, maker: bool) -> None:
    resting = rig.buy(ticks=BID - 5, tif=Tif.GTC)
    rig.tell(ev.ModeChanged(mode, 1))
    taken = rig.desk().place(0, Side.BUY, ASK, LOTS, Tif.IOC)
    made = rig.desk().place(0, Side.BUY, BID, LOTS, Tif.GTC, post_only=True)
    assert (taken > 0, made > 0) == (taker, maker)
    assert rig.desk().cancel(resting) == 0


@pytest.mark.law(4, 5)
def test_guard_exposure_in_doubt_still_counts(rig: Rig) -> None:
    """An order in doubt keeps its share of the position limit."""
    order = rig.buy(1_900_000)
    rig.doubt(order)
    verdict = rig.desk().place(0, Side.BUY, ASK, 200_000, Tif.IOC)
    assert -verdict & Verdict.DENY_POSITION
    rig.done(order)
    assert rig.buy(200_000)


@pytest.mark.fault("W3")
@pytest.mark.law(6)
def test_guard_silent_market_link_denies_and_its_return_allows(rig: Rig) -> None:
    limit_ns = rig.world.gates[0].book_silence_ns_max
    rig.clock.ns += limit_ns
    assert rig.desk().place(0, Side.BUY, ASK, LOTS, Tif.IOC) > 0
    rig.clock.ns += 1
    assert -rig.desk().place(0, Side.BUY, ASK, LOTS + 1, Tif.IOC) & Verdict.DENY_STALE_BOOK
    rig.later(0)
    assert rig.desk().place(0, Side.BUY, ASK, LOTS + 1, Tif.IOC) > 0


def test_guard_adopted_position_counts_at_once(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), position_usd_max=1200, start=False)
    rig.tell(ev.BalanceSeen("BTC", 1_900_000 * 100, 1))
    rig.fill(0, 7, "of a leftover")
    rig.world.adopt_positions()
    rig.engine.start()
    assert rig.lots() == 1_900_000
    assert rig.world.account.gross_e10 > 0
    assert -rig.desk().place(0, Side.BUY, ASK, 200_000, Tif.IOC) & Verdict.DENY_POSITION
    assert rig.desk().place(0, Side.SELL, BID, 1_900_000, Tif.IOC) > 0


@pytest.mark.law(7)
def test_guard_halt_is_sticky_unless_it_is_about_the_process(rig: Rig) -> None:
    assert not rig.guard.sticky
    rig.guard.raise_to(REDUCING, "careful")
    assert not rig.guard.sticky
    rig.guard.halt("the exchange ended", sticky=False)
    assert (rig.guard.state, rig.guard.sticky) == (HALTED, False)
    rig.guard.halt("again", sticky=False)
    assert rig.guard.reason == "the exchange ended"
    rig.guard.halt("impossible fill")
    assert (rig.guard.sticky, rig.guard.reason) == (True, "impossible fill")
    rig.guard.halt("killed")
    rig.guard.halt("the exchange ended", sticky=False)
    assert (rig.guard.sticky, rig.guard.reason) == (True, "impossible fill")


def test_guard_journal_refusal_is_sticky(rig: Rig) -> None:
    rig.world.account.state = HALTED
    rig.guard.halt("the exchange ended", sticky=False)
    rig.engine.on_timer()
    assert (rig.guard.sticky, rig.guard.reason) == (True, "the journal refused a record")


@pytest.mark.fault("D1")
def test_guard_journal_that_cannot_be_kept_halts_with_its_reason(rig: Rig) -> None:
    """The copying thread's word counts, also after the hot path met the refusal first."""
    halts: list[str] = []
    rig.world.on_halt = lambda: halts.append(rig.guard.reason)
    rig.journal.refuse()
    verdict = rig.desk().place(0, Side.BUY, BID, LOTS, Tif.GTC)
    assert -verdict & Verdict.DENY_JOURNAL
    assert rig.guard.state == HALTED
    rig.guard.journal_failed("the disk is full")
    rig.guard.journal_failed("the disk is full")
    rig.engine.on_timer()
    assert rig.guard.reason == "the disk is full"
    assert halts == ["the disk is full"]


@pytest.mark.parametrize(("fee_usd", "state"), [(9.99, ACTIVE), (10.0, REDUCING),
                                                (14.99, REDUCING), (15.0, HALTED)])
def test_guard_loss_limit_is_crossed_by_a_fee_alone(rig: Rig, fee_usd: float, state: int) -> None:
    rig.engine.on_timer()
    order = rig.buy(LOTS)
    # At the mid, so that neither mark nor profit has a part.
    rig.fill(order, LOTS, ticks=(BID + ASK) // 2, fee_e10=round(fee_usd * 1e10))
    rig.engine.on_timer()
    assert rig.guard.state == state
    assert rig.guard.sticky == (state == HALTED)


def test_guard_loss_limit_is_on_by_default(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice())
    assert rig.guard.loss_day_max == 25
    rig.engine.on_timer()
    rig.fill(rig.buy(LOTS), LOTS, ticks=(BID + ASK) // 2, fee_e10=25 * 10**10)
    rig.engine.on_timer()
    assert rig.guard.state == REDUCING


def test_guard_loss_of_yesterday_is_not_todays(rig: Rig) -> None:
    """Ten dollars in all, but over midnight: neither day reaches the limit."""
    rig.engine.on_timer()
    middle = (BID + ASK) // 2
    rig.fill(rig.buy(LOTS), LOTS, "F1", ticks=middle, fee_e10=6 * 10**10)
    rig.later((DAY_US - rig.clock.us % DAY_US) / 1e6 - 1)
    rig.engine.on_timer()
    rig.later(1.0)
    rig.engine.on_timer()
    rig.fill(rig.buy(LOTS), LOTS, "F2", ticks=middle, fee_e10=6 * 10**10)
    rig.engine.on_timer()
    assert rig.guard.state == ACTIVE
    assert rig.world.account.loss_e10 == pytest.approx(6 * 10**10, abs=10)


@pytest.mark.law(5)
def test_guard_a_thousand_wishes_in_one_event_never_pass_the_limits(tmp_path: pathlib.Path) -> None:
    """Counters move when an order is named, not when its frame or its answer comes."""
    class Greedy(Voice):
        def on_book(self, book: object) -> None:
            for i in range(1000):
                self.told.append(self.desk.place(0, Side.BUY, BID - i % 300, LOTS + i, Tif.GTC))
    voice = Greedy()
    rig = Rig(tmp_path, voice, position_usd_max=1200, open_orders_max=15, max_orders_per_min=100,
              gross_usd_max=1000)
    rig.engine.on_market(0, 3, (), rig.clock.ns)
    placed = [found for found in voice.told[1:] if found > 0]
    assert 0 < len(placed) == len(rig.sent) == len(rig.engine.open_client_ids())
    assert len(placed) <= 15
    exposure = rig.world.gates[0].exposure
    assert exposure.open_lots(0) <= rig.world.gates[0].position_lots_max
    assert rig.world.account.gross_e10 <= rig.world.account.gross_e10_max
    assert rig.world.account.messages.taken == len(placed)
    # One more than fits was denied by the limit that was met first.
    assert rig.engine.rows.denials["DENY_OPEN_ORDERS"] == 1000 - len(placed)


@pytest.mark.parametrize("largest", [(1 << 62) - 1, 1 << 62, (1 << 63) - 1])
def test_guard_numbers_near_the_end_are_denied_with_every_limit(rig: Rig, largest: int) -> None:
    for ticks, lots in ((largest, largest), (ASK, largest), (largest, LOTS), (1 << 31, 1 << 32)):
        denied = -rig.desk().place(0, Side.BUY, ticks, lots, Tif.IOC)
        assert denied & Verdict.DENY_ORDER_VALUE
        assert denied & Verdict.DENY_GROSS
        assert not ticks > 2 * ASK or denied & Verdict.DENY_PRICE_COLLAR
        assert not lots > LOTS or denied & Verdict.DENY_POSITION
    assert rig.sent == []


def test_guard_same_order_of_two_strategies_within_the_window_is_one_too_many(
        tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice("one"), Voice("two"), same_order_window_us=50_000)
    assert rig.desk(0).place(0, Side.BUY, BID, LOTS, Tif.GTC) > 0
    assert rig.desk(1).place(0, Side.BUY, BID, LOTS, Tif.GTC) == -Verdict.DENY_DUPLICATE
    rig.later(0.05)
    assert rig.desk(1).place(0, Side.BUY, BID, LOTS, Tif.GTC) > 0


@pytest.mark.fault("V2")
@pytest.mark.law(11)
def test_guard_two_links_disagree_the_stricter_counts(rig: Rig) -> None:
    rig.guard.set_mode(VenueMode.CANCEL_ONLY, private=True)
    rig.guard.set_mode(VenueMode.OPEN)
    assert rig.guard.mode == VenueMode.CANCEL_ONLY
    rig.guard.set_mode(VenueMode.POST_ONLY)
    rig.guard.set_mode(VenueMode.OPEN, private=True)
    assert rig.guard.mode == rig.guard.account.mode == VenueMode.POST_ONLY

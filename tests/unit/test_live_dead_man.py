"""The guardian's decisions, from beats, answers and time alone."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from hftbot.live.dead_man import (
    BACKOFF_NS_MAX,
    EXIT_CANCELLED,
    EXIT_GOODBYE,
    EXIT_NOT_VERIFIED,
    EXIT_STILL_ARMED,
    HURRY_NS,
    LIMITED_NS,
    REFRESH_NS,
    SECOND_NS,
    SLOW_NS,
    SWITCH_S,
    Beat,
    DeadMan,
    Want,
)

START_NS = 1_000 * SECOND_NS


class Rig:
    """A DeadMan and a venue that obeys: time moves in steps of 10 ms."""

    def __init__(self, limit_s: float = 10.0, settle_s: float = 5.0, give_up_s: float = 0.0):
        self.now_ns = START_NS
        self.dead_man = DeadMan(int(limit_s * SECOND_NS), int(settle_s * SECOND_NS),
                                int(give_up_s * SECOND_NS), self.now_ns)
        self.asked: list[tuple[Want, float]] = []
        self.open = 3
        self.beats = True
        self.works = True
        self.limited = False
        self.ended = False

    @property
    def at_s(self) -> float:
        return (self.now_ns - START_NS) / SECOND_NS

    def pass_time(self, seconds: float) -> None:
        end_ns = self.now_ns + int(seconds * SECOND_NS)
        while self.now_ns < end_ns and not self.ended:
            self.now_ns += SECOND_NS // 100
            if self.beats and self.now_ns % (SECOND_NS // 2) == 0:
                self.dead_man.beat(Beat.TRADING, self.now_ns)
            self.serve()

    def serve(self) -> None:
        want = self.dead_man.want(self.now_ns)
        self.ended = want == Want.END
        if want in (Want.NOTHING, Want.END):
            return
        self.asked.append((want, self.at_s))
        self.dead_man.started(want)
        if not self.works:
            self.dead_man.failed(want, self.now_ns, self.limited)
            return
        count = self.open
        if want == Want.CANCEL:
            self.open = 0
        self.dead_man.done(want, self.now_ns, count)

    def wants(self) -> list[Want]:
        return [want for want, _ in self.asked]

    def times(self, want: Want) -> list[float]:
        return [at_s for each, at_s in self.asked if each == want]


@pytest.mark.fault("V13")
def test_while_beats_come_the_switch_is_refreshed_as_recommended() -> None:
    rig = Rig()
    rig.pass_time(200)
    assert set(rig.wants()) == {Want.ARM}
    times = rig.times(Want.ARM)
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert all(15 <= pause <= 30 for pause in pauses)
    assert SWITCH_S == 60
    assert not rig.dead_man.fired


@pytest.mark.fault("P7", "V13")
@pytest.mark.parametrize("limit_s", [0.5, 1.0, 10.0, 50.0])
def test_silence_fires_at_the_limit_and_not_before(limit_s: float) -> None:
    rig = Rig(limit_s)
    rig.pass_time(3)
    rig.beats = False
    silent_s = rig.at_s
    rig.pass_time(limit_s + 1)
    [cancelled_s, *_] = rig.times(Want.CANCEL)
    assert limit_s - 0.5 <= cancelled_s - silent_s <= limit_s + 0.02
    assert "no beat" in rig.dead_man.fired


@pytest.mark.fault("P7")
def test_a_pipe_that_ends_without_goodbye_fires_at_once_and_looks_again_at_the_end() -> None:
    rig = Rig(settle_s=5.0)
    rig.pass_time(3)
    rig.beats = False
    rig.dead_man.closed(rig.now_ns)
    rig.pass_time(0.1)
    assert rig.wants() == [Want.ARM, Want.CANCEL, Want.LIST]
    rig.open = 1  # it was on its way when the bot died
    rig.pass_time(20)
    assert rig.wants()[3:] == [Want.LIST, Want.CANCEL, Want.LIST, Want.DISARM]
    assert rig.times(Want.LIST)[1] == pytest.approx(8.0, abs=0.05)
    assert rig.dead_man.proved
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_CANCELLED


def test_goodbye_disarms_and_cancels_nothing() -> None:
    rig = Rig()
    rig.pass_time(3)
    rig.dead_man.beat(Beat.GOODBYE, rig.now_ns)
    rig.dead_man.closed(rig.now_ns)
    rig.pass_time(100)
    assert rig.wants() == [Want.ARM, Want.DISARM]
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_GOODBYE


def test_goodbye_before_anything_was_armed_asks_nothing() -> None:
    rig = Rig()
    rig.dead_man.beat(Beat.GOODBYE, rig.now_ns)
    assert rig.dead_man.want(rig.now_ns) == Want.END


def test_goodbye_with_a_venue_that_is_gone_ends_soon_and_says_so() -> None:
    rig = Rig()
    rig.pass_time(3)
    rig.works = False
    rig.dead_man.beat(Beat.GOODBYE, rig.now_ns)
    rig.pass_time(2)
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_STILL_ARMED
    assert Want.CANCEL not in rig.wants()


def test_an_arm_without_an_answer_counts_as_armed() -> None:
    rig = Rig()
    rig.works = False
    rig.pass_time(1)
    rig.works = True
    rig.dead_man.beat(Beat.GOODBYE, rig.now_ns)
    rig.pass_time(1)
    assert rig.wants()[-1] == Want.DISARM


@pytest.mark.fault("K2")
def test_a_venue_that_is_down_is_asked_gently_and_for_ever() -> None:
    rig = Rig(limit_s=1.0)
    rig.pass_time(1)
    rig.beats = rig.works = False
    rig.dead_man.closed(rig.now_ns)
    rig.pass_time(600)
    times = rig.times(Want.CANCEL)
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert max(pauses[:10]) <= BACKOFF_NS_MAX / SECOND_NS + 0.02
    assert min(pauses[-10:]) >= SLOW_NS / SECOND_NS - 0.02
    assert not rig.ended
    rig.works = True
    rig.pass_time(60)
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_CANCELLED
    assert rig.open == 0


def test_it_keeps_within_the_slowest_rate_limit_once_told() -> None:
    rig = Rig(limit_s=1.0)
    rig.pass_time(1)
    rig.beats = rig.works = False
    rig.limited = True
    rig.dead_man.closed(rig.now_ns)
    rig.pass_time(HURRY_NS / SECOND_NS)
    times = rig.times(Want.CANCEL)
    assert all(later - sooner >= LIMITED_NS / SECOND_NS - 0.02
               for sooner, later in pairwise(times))


def test_orders_that_stay_open_are_cancelled_again_ever_more_slowly() -> None:
    rig = Rig(settle_s=0.5)
    rig.pass_time(1)
    rig.beats = False
    rig.dead_man.closed(rig.now_ns)
    for _ in range(3_000):
        rig.open = 2
        rig.pass_time(0.01)
        rig.open = 2
    calls = len(rig.times(Want.CANCEL)) + len(rig.times(Want.LIST))
    # 15 tokens and a third of one each second is the least that the venue allows.
    assert 6 <= calls <= 15 + 30 / 3
    rig.pass_time(20)
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_CANCELLED


def test_give_up_ends_without_proof_only_where_it_is_allowed() -> None:
    rig = Rig(give_up_s=60)
    rig.pass_time(1)
    rig.beats = rig.works = False
    rig.dead_man.closed(rig.now_ns)
    rig.pass_time(59)
    assert not rig.ended
    rig.pass_time(2)
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_NOT_VERIFIED


def test_it_is_ended_from_outside_only_once_the_bot_is_given_up() -> None:
    rig = Rig()
    rig.dead_man.give_up()
    rig.pass_time(1)
    assert not rig.ended
    rig.works = False
    rig.dead_man.closed(rig.now_ns)
    rig.dead_man.give_up()
    rig.pass_time(0.1)
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_NOT_VERIFIED


def test_its_own_pause_is_no_silence_of_the_bot() -> None:
    rig = Rig()
    rig.pass_time(3)
    rig.now_ns += 300 * SECOND_NS
    assert rig.dead_man.want(rig.now_ns) == Want.ARM
    rig.dead_man.done(Want.ARM, rig.now_ns)
    rig.dead_man.beat(Beat.TRADING, rig.now_ns)
    rig.pass_time(30)
    assert not rig.dead_man.fired
    # If the bot does not come back with it, half a second is all it gets.
    rig.now_ns += 300 * SECOND_NS
    rig.beats = False
    rig.pass_time(0.6)
    assert rig.dead_man.fired


def test_beats_after_it_fired_change_nothing() -> None:
    rig = Rig(limit_s=1.0, settle_s=5.0)
    rig.pass_time(1)
    rig.beats = False
    rig.pass_time(1.2)
    assert rig.dead_man.fired
    rig.beats = True
    rig.dead_man.beat(Beat.GOODBYE, rig.now_ns)
    rig.pass_time(20)
    assert rig.ended
    assert rig.dead_man.exit_code == EXIT_CANCELLED


def test_late_is_told_before_the_switch_fires_by_itself() -> None:
    rig = Rig()
    rig.pass_time(1)
    rig.works = False
    rig.pass_time(39)
    assert not rig.dead_man.late(rig.now_ns)
    rig.pass_time(2)
    assert rig.dead_man.late(rig.now_ns)
    assert rig.at_s < SWITCH_S
    assert rig.times(Want.ARM)[1] <= REFRESH_NS / SECOND_NS + 0.1


@pytest.mark.parametrize("seed", range(200))
def test_whatever_fails_it_never_ends_with_orders_open_unless_it_says_so(seed: int) -> None:
    rng = random.Random(seed)
    rig = Rig(limit_s=rng.choice((0.5, 2.0, 10.0)), settle_s=rng.choice((0.5, 5.0)),
              give_up_s=rng.choice((0.0, 30.0)))
    rig.pass_time(rng.uniform(0.5, 30))
    rig.beats = False
    dead_s = rig.at_s
    if rng.random() < 0.5:
        rig.dead_man.closed(rig.now_ns)
    for _ in range(60):
        rig.works = rng.random() < 0.6
        rig.limited = rng.random() < 0.2
        if rig.at_s - dead_s < rig.dead_man.settle_ns / SECOND_NS - 0.6 and rng.random() < 0.3:
            rig.open += 1  # orders that were on their way
        rig.pass_time(rng.uniform(0.05, 5))
        if rig.ended:
            break
    rig.works = True
    rig.pass_time(60)
    assert rig.ended
    assert rig.dead_man.exit_code in (EXIT_CANCELLED, EXIT_NOT_VERIFIED)
    if rig.dead_man.exit_code == EXIT_CANCELLED:
        assert rig.open == 0
        assert rig.dead_man.proved

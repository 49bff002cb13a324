"""What a guardian does next: decided from beats, answers and monotonic time alone, no I/O."""

from __future__ import annotations

from enum import IntEnum

SECOND_NS = 1_000_000_000
# As Kraken recommends: 60 s, restarted every 15 to 30.
SWITCH_S = 60
REFRESH_NS = 20 * SECOND_NS
ARM_AGAIN_NS = 2 * SECOND_NS
# Without a success for so long the switch is about to fire by itself.
LATE_NS = 40 * SECOND_NS
BACKOFF_NS = SECOND_NS // 4
BACKOFF_NS_MAX = 5 * SECOND_NS
LIMITED_NS = 5 * SECOND_NS
HURRY_NS = 60 * SECOND_NS
SLOW_NS = 15 * SECOND_NS
DISARM_TRIES = 3
# What a bot has to say for itself once we were stopped ourselves.
GRACE_NS = SECOND_NS // 2

EXIT_GOODBYE, EXIT_STILL_ARMED, EXIT_NOT_VERIFIED, EXIT_CANCELLED = 0, 1, 4, 6


class Beat(IntEnum):
    """What the bot says of itself with each beat."""

    TRADING = ord("t")
    DRAINING = ord("d")
    GOODBYE = ord("g")


class Want(IntEnum):
    """What has to be done now; one thing at a time."""

    NOTHING, ARM, CANCEL, LIST, DISARM, END = range(6)


class DeadMan:
    """The decision part of a guardian. All times are monotonic nanoseconds.

    While beats come it wants the venue's switch armed and refreshed. Without a beat for
    ``limit_ns``, or at the end of the pipe without a goodbye, it fires: cancel and list until
    nothing is open, and for the last time ``settle_ns`` after the last sign of life, when no order
    can be under way any more. ``give_up_ns`` ends that without a proof; 0 means never.
    """

    def __init__(self, limit_ns: int, settle_ns: int, give_up_ns: int, now_ns: int) -> None:
        self.limit_ns = limit_ns
        self.settle_ns = settle_ns
        self.give_up_ns = give_up_ns
        self.fired = ""
        self.leaving = False
        self.armed = False
        self.cancelled = 0
        self.ended = False
        self.exit_code = EXIT_GOODBYE
        self._beat_ns = self._looked_ns = now_ns
        self._armed_ns = now_ns
        self._try_ns = now_ns
        self._fired_ns = 0
        self._next = Want.ARM
        self._failures = 0
        self._rounds = 0
        self.proved = False

    # What happens.

    def beat(self, kind: int, now_ns: int) -> None:
        """The bot lives; or says goodbye. Neither has an effect once it was given up."""
        if self.fired:
            return
        self._beat_ns = now_ns
        if kind == Beat.GOODBYE and not self.leaving:
            self.leaving = True
            self._failures = 0
            self._turn(Want.DISARM, now_ns)
            self.ended = not self.armed

    def closed(self, now_ns: int) -> None:
        """The pipe is at its end: without a goodbye the bot is dead."""
        if not self.leaving and not self.fired:
            self._beat_ns = now_ns
            self._fire("the bot is gone without a goodbye", now_ns)

    def started(self, want: Want) -> None:
        """A request is on its way: from now on the switch may be armed, answer or not."""
        if want == Want.ARM:
            self.armed = True

    def done(self, want: Want, now_ns: int, count: int = 0) -> None:
        """The venue did it. ``count`` is how many orders it cancelled, or lists as open."""
        self._failures = 0
        if want == Want.ARM:
            self._armed_ns = now_ns
            self._turn(Want.ARM, now_ns + REFRESH_NS)
        elif want == Want.CANCEL:
            self.cancelled += count
            self._turn(Want.LIST, now_ns)
        elif want == Want.LIST:
            self._listed(count, now_ns)
        elif want == Want.DISARM:
            self.armed = False
            self.ended = True

    def failed(self, want: Want, now_ns: int, limited: bool = False) -> None:
        """The venue did not do it, or nobody knows. ``limited``: it asks us to be slower."""
        self._failures += 1
        if want == Want.ARM:
            self._turn(Want.ARM, now_ns + (LIMITED_NS if limited else ARM_AGAIN_NS))
            return
        if want == Want.DISARM and self._failures >= DISARM_TRIES:
            self.ended = True
            self.exit_code = self.exit_code or EXIT_STILL_ARMED
            return
        wait_ns = self._backoff_ns(self._failures, now_ns)
        # A list that did not come: cancelling once more costs no more than asking once more.
        self._turn(Want.CANCEL if want == Want.LIST else want,
                   now_ns + (max(wait_ns, LIMITED_NS) if limited else wait_ns))

    def give_up(self) -> None:
        """Somebody ends this process: no proof will come."""
        if self.fired:
            self.ended, self.exit_code = True, EXIT_NOT_VERIFIED

    # What follows.

    def want(self, now_ns: int) -> Want:
        """What has to be done now. Ask at least every quarter of the limit."""
        if now_ns - self._looked_ns > self.limit_ns // 2:
            # We were stopped, not the bot: its beats may wait in the pipe.
            self._beat_ns = max(self._beat_ns, now_ns - self.limit_ns + GRACE_NS)
        self._looked_ns = now_ns
        if not self.fired and not self.leaving and now_ns - self._beat_ns >= self.limit_ns:
            self._fire(f"no beat for {(now_ns - self._beat_ns) / SECOND_NS:.1f} s", now_ns)
        if self.fired and self.give_up_ns and now_ns - self._fired_ns >= self.give_up_ns \
                and self._next != Want.DISARM:
            self.give_up()
        if self.ended:
            return Want.END
        return self._next if now_ns >= self._try_ns else Want.NOTHING

    def wait_ns(self, now_ns: int) -> int:
        """How long ``want`` may be left alone if nothing happens."""
        look_ns = self.limit_ns // 4
        return min(look_ns, max(self._try_ns - now_ns, 0)) if now_ns < self._try_ns else look_ns

    def late(self, now_ns: int) -> bool:
        """True if the switch was not refreshed for so long that it is about to fire."""
        return now_ns - self._armed_ns > LATE_NS

    def _fire(self, reason: str, now_ns: int) -> None:
        if not self.fired:
            self.fired = reason
            self.exit_code = EXIT_CANCELLED
            self._fired_ns = now_ns
            self._failures = 0
            self._turn(Want.CANCEL, now_ns)

    def _listed(self, count: int, now_ns: int) -> None:
        if count:
            # It takes the venue a moment to take them out; then again, gently.
            self._rounds += 1
            self._turn(Want.CANCEL, now_ns + self._backoff_ns(self._rounds, now_ns))
        elif now_ns < self._beat_ns + self.settle_ns:
            self._turn(Want.LIST, self._beat_ns + self.settle_ns)
        else:
            self.proved = True
            self._turn(Want.DISARM, now_ns)
            self.ended = not self.armed

    def _backoff_ns(self, count: int, now_ns: int) -> int:
        if self.fired and now_ns - self._fired_ns > HURRY_NS:
            return SLOW_NS
        return min(BACKOFF_NS << min(count - 1, 8), BACKOFF_NS_MAX)

    def _turn(self, want: Want, at_ns: int) -> None:
        self._next, self._try_ns = want, at_ns

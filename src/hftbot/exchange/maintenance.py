"""The venue's state as its clients are told: the engine's mode, pairs' modes, announced work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hftbot.exchange.kraken_text import quoted

if TYPE_CHECKING:
    from hftbot.exchange.face_kraken import KrakenFace

# From free to forbidden: of the engine's and the pair's mode the stricter one counts.
SYSTEMS = ("online", "post_only", "cancel_only", "maintenance")
PAIR_MODES = ("online", "post_only", "cancel_only", "limit_only", "reduce_only", "maintenance",
              "delisted", "work_in_progress")
# What the engine's word for a pair's mode is.
MEANT = {"limit_only": "online", "reduce_only": "cancel_only", "delisted": "maintenance",
         "work_in_progress": "maintenance"}
LONGEST_S = 7 * 86_400


class BadWish(Exception):
    """An administrator's wish that cannot be; the text says why."""


@dataclass(frozen=True, slots=True)
class Work:
    """Announced maintenance: from and until in wall-clock microseconds, and what comes after."""

    from_us: int
    until_us: int
    post_only_s: int


class Operations:
    """Switches modes and tells every connection. ``face.system`` is the engine's mode."""

    def __init__(self, face: KrakenFace) -> None:
        self.face = face
        self.pairs: dict[str, str] = {}
        self.planned: list[Work] = []
        self._calls = 0
        every_s = face.settings.switches.status_every_s
        if every_s:
            face.later(face.now_us + every_s * 1_000_000, self._repeat)

    def status_frame(self, connection_id: int) -> str:
        """The status message for a connection."""
        stamps = self.face.stamps
        planned = ",".join(f'{{"start":"{stamps.whole(work.from_us)}",'
                           f'"end":"{stamps.whole(work.until_us)}"}}' for work in self.planned)
        return (f'{{"channel":"status","type":"update","data":[{{"version":"2.0.10",'
                f'"system":"{self.face.system}","api_version":"v2",'
                f'"connection_id":{connection_id},"upcoming_maintenance":[{planned}],'
                f'"emergency":[]}}]}}')

    def push(self) -> None:
        """Tell every connection how things stand."""
        for connection in self.face.connections:
            connection.data(self.status_frame(connection.connection_id), self.face.now_us)

    def mode_of(self, symbol: str) -> str:
        """The mode that orders of a pair meet: the engine's or the pair's.

        limit_only lets orders through, all types but limit are the trading desk's to refuse;
        nothing can be reduced without margin, so reduce_only leaves cancels.
        """
        pair = self.pairs.get(symbol, "online")
        meant = MEANT.get(pair, pair)
        return meant if self.face.system == "online" else max(self.face.system, meant,
                                                               key=SYSTEMS.index)

    # What an administrator may wish.

    def plan(self, in_s: int, for_s: int, post_only_s: int = 0) -> Work:
        """Announce maintenance; it begins and ends by itself, then post-only for a while."""
        now_us = self.face.now_us
        from_us = now_us + in_s * 1_000_000
        work = Work(from_us, from_us + for_s * 1_000_000, post_only_s)
        self.planned.append(work)
        self.planned.sort(key=lambda one: one.from_us)
        self.face.later(work.from_us, lambda _at_us: self.face.set_system("maintenance"))
        self.face.later(work.until_us, lambda at_us: self._done(work, at_us))
        self.push()
        return work

    def set_pair(self, symbol: str, mode: str) -> None:
        """Change one pair's mode and publish its row on the instrument channel."""
        self.pairs[symbol] = mode
        self.face.feed.publish_pair(symbol, mode, self.face.now_us)

    def _done(self, work: Work, at_us: int) -> None:
        self.planned.remove(work)
        self.face.set_system("post_only" if work.post_only_s else "online")
        if work.post_only_s:
            def end(_at_us: int) -> None:
                if self.face.system == "post_only":
                    self.face.set_system("online")
            self.face.later(at_us + work.post_only_s * 1_000_000, end)

    def _repeat(self, at_us: int) -> None:
        self.push()
        self.face.later(at_us + self.face.settings.switches.status_every_s * 1_000_000,
                        self._repeat)


def administer(face: KrakenFace, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """POST /sim/NAME; returns the state afterwards. Raises BadWish."""
    wishes: dict[str, Callable[[KrakenFace, dict[str, Any]], None]] = {
        "system": _wish_system, "maintenance": _wish_maintenance, "pair": _wish_pair}
    wish = wishes.get(name)
    if wish is None:
        raise BadWish(f"/sim/{name}: there are {', '.join(sorted(wishes))}")
    wish(face, fields)
    operations = face.operations
    return {"system": face.system, "pairs": dict(operations.pairs),
            "upcoming_maintenance": [
                {"in_s": max(0, work.from_us - face.now_us) / 1e6,
                 "for_s": (work.until_us - work.from_us) / 1e6} for work in operations.planned]}


def _wish_system(face: KrakenFace, fields: dict[str, Any]) -> None:
    face.set_system(_one_of(fields, "system", SYSTEMS))


def _wish_maintenance(face: KrakenFace, fields: dict[str, Any]) -> None:
    face.operations.plan(_seconds(fields, "in_s", 0), _seconds(fields, "for_s", 1),
                         _seconds(fields, "post_only_s", 0))


def _wish_pair(face: KrakenFace, fields: dict[str, Any]) -> None:
    symbol = _one_of(fields, "symbol", tuple(face.listings))
    face.operations.set_pair(symbol, _one_of(fields, "status", PAIR_MODES))


def _one_of(fields: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise BadWish(f"{name} {quoted(str(value)[:80])} is not one of {', '.join(allowed)}")
    return value


def _seconds(fields: dict[str, Any], name: str, least: int) -> int:
    value = fields.get(name, least)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LONGEST_S:
        raise BadWish(f"{name} {quoted(str(value)[:80])} is not a whole number of seconds from "
                      f"{least} to {LONGEST_S}")
    return value

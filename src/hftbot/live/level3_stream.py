"""The level 3 connection of a run: the queue our orders stand in. Nothing depends on it.

It has its own token and its own fate: a venue that refuses it costs this view and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hftbot.errors import HftbotError
from hftbot.venue.kraken.level3 import Level3Feed
from hftbot.wire.link import Link
from hftbot.words.events import TrustChanged
from hftbot.words.market import BookTrust
from hftbot.words.ports import Notes, Wire
from hftbot.words.secret import Secret


class Level3Stream:
    """Feeds a Level3Feed from a link; its methods are the link's handlers."""

    def __init__(self, feed: Level3Feed, fetch_token: Callable[[], Awaitable[Secret]],
                 notes: Notes) -> None:
        self.feed = feed
        self._fetch_token = fetch_token
        self._notes = notes
        self._token = Secret("")
        self._wire: Wire | None = None

    async def prepare(self) -> None:
        """Before each attempt: a token. Raises what the venue refuses it with."""
        self._token = await self._fetch_token()

    def up(self, wire: Wire) -> None:
        """The link is open: subscribe."""
        self._wire = wire
        for frame in self.feed.connected(self._token):
            wire.send(frame)

    def down(self, reason: str) -> None:
        """The link is gone: no queue is known until it is back."""
        self._wire = None
        self.feed.disconnected()
        self.feed.take_events()
        self._notes.warn(f"level 3 link lost: {reason}")

    def frame(self, view: memoryview | bytes, _padding: int, recv_ns: int) -> None:
        """One frame; the view is valid during the call only."""
        self.feed.on_frame(view, recv_ns)
        for event in self.feed.take_events():
            if isinstance(event, TrustChanged):
                symbol = self.feed.instruments[event.instrument].symbol
                say = self._notes.info if event.trust == BookTrust.TRUSTED else self._notes.warn
                say(f"{symbol}: level 3 is {event.trust.name}: {event.reason}")
            else:
                self._notes.warn(f"level 3: {getattr(event, 'code', event)}")
        frames = self.feed.take_outbox()
        if self._wire is not None:
            for frame in frames:
                self._wire.send(frame)

    async def keep(self, link: Link) -> None:
        """Run the link until it is stopped; a venue that refuses it is told once."""
        try:
            await link.run()
        except HftbotError as error:
            self._notes.warn(f"level 3 is given up, orders go on without it: {error}")

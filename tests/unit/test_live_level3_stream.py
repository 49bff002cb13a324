"""live.level3_stream: subscribes, recovers a book alone, and never stops the run."""

from __future__ import annotations

import asyncio
import json
import random

from engine_rig import Notes

from hftbot.errors import Denied
from hftbot.live.level3_stream import Level3Stream
from hftbot.venue.kraken.level3 import Level3Feed
from hftbot.words.market import BookTrust
from kraken_frames import BTC, TOKEN
from level3_market import SlowVenue, update


class Wire:
    def __init__(self):
        self.sent = []

    def send(self, frame):
        self.sent.append(json.loads(frame))

    def close(self):
        raise AssertionError("nobody closes it here")


async def fetch():
    return TOKEN


def scene():
    notes, wire = Notes(), Wire()
    stream = Level3Stream(Level3Feed((BTC,)), fetch, notes)
    asyncio.run(stream.prepare())
    stream.up(wire)
    venue = SlowVenue(BTC, 10, random.Random(1))
    for _ in range(40):
        venue.happen()
    stream.frame(venue.snapshot(), 0, 1)
    return stream, wire, venue, notes


def test_it_subscribes_with_its_token_and_says_what_became_of_the_book():
    stream, wire, venue, notes = scene()
    assert wire.sent[0]["params"]["token"] == "token-of-the-test"
    assert notes.said("BTC/USD: level 3 is TRUSTED")
    update(venue)
    stream.frame(update(venue), 0, 2)
    assert notes.said("BTC/USD: level 3 is SUSPECT")
    assert [frame["method"] for frame in wire.sent[1:]] == ["unsubscribe", "subscribe"]
    stream.frame(b'{"error":"EGeneral:Permission denied","method":"subscribe"}', 0, 3)
    assert notes.said("level 3: EGeneral:Permission denied")


def test_a_lost_link_empties_the_books_and_sends_nothing():
    stream, wire, venue, notes = scene()
    stream.down("reset")
    assert stream.feed.books[0].trust == BookTrust.EMPTY
    assert notes.said("level 3 link lost: reset")
    sent = len(wire.sent)
    stream.frame(venue.snapshot().replace(b'"checksum":', b'"checksum":1'), 0, 1)
    assert len(wire.sent) == sent


def test_a_venue_that_refuses_it_costs_the_view_and_nothing_else():
    class Refused:
        async def run(self):
            raise Denied("EGeneral:Permission denied")

    stream, _, _, notes = scene()
    asyncio.run(stream.keep(Refused()))
    assert notes.said("given up, orders go on without it: EGeneral:Permission denied") == 1

"""live.rest_client: one private call at a time, a nonce asked again once, orders never."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest

from hftbot import errors
from hftbot.live.rest_client import RestClient
from hftbot.venue.kraken import rest
from hftbot.words.secret import Secret
from world.virtual_loop import VirtualLoop

PLACE = rest.add_order("XBTUSD", {"type": "buy"})
REFUSED = b'{"error":["%s"]}'


class Venue:
    """Answers what the test says, in order; an exception is raised instead."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.inside = self.most = 0

    async def request(self, method, url, headers, body, deadline_s):
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        self.asked.append((method, url, body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return 200, answer


def client(venue):
    nonces = iter(range(1, 100))
    return RestClient(venue, "https://venue", Secret("key"), Secret("c2VjcmV0"),
                      lambda: next(nonces))


def nonce(asked):
    return int(parse_qs(asked[2].decode())["nonce"][0])


def test_private_calls_wait_for_each_other_and_nonces_rise():
    venue = Venue(*[b'{"error":[],"result":{"ZUSD":"1"}}'] * 5)

    async def five():
        asker = client(venue)
        return await asyncio.gather(*(asker.ask(rest.balance(), rest.balance_answer)
                                      for _ in range(5)))

    assert len(asyncio.run(five())) == 5
    assert venue.most == 1
    assert [nonce(asked) for asked in venue.asked] == [1, 2, 3, 4, 5]


def test_public_calls_are_fetched_without_a_key():
    venue = Venue(b'{"error":[],"result":{"unixtime":5}}')
    assert asyncio.run(client(venue).ask(rest.server_time(), rest.server_time_answer)) == 5_000_000
    assert venue.asked == [("GET", "https://venue/0/public/Time", b"")]


@pytest.mark.parametrize("call", [PLACE, rest.cancel_all()])
def test_a_refused_nonce_is_asked_with_once_more(call):
    venue = Venue(REFUSED % b"EAPI:Invalid nonce", REFUSED % b"EAPI:Invalid nonce")
    with pytest.raises(errors.BadNonce):
        asyncio.run(client(venue).ask(call, rest.cancel_answer))
    assert [nonce(asked) for asked in venue.asked] == [1, 2]


@pytest.mark.parametrize("answer", [
    errors.Timeout("no answer"), errors.Disconnected("gone"), b"<html>",
    REFUSED % b"EService:Unavailable",
    REFUSED % b"EService:Timeout", REFUSED % b"EService:Busy",
    REFUSED % b"EGeneral:Internal error:17"])
def test_an_order_whose_answer_is_lost_is_unknown_and_sent_once(answer):
    venue = Venue(answer)
    with pytest.raises(errors.UnknownOutcome, match="AddOrder"):
        asyncio.run(client(venue).ask(PLACE, rest.add_order_answer))
    assert len(venue.asked) == 1
    with pytest.raises((errors.TransportError, errors.EngineDown, errors.BadFrame)):
        asyncio.run(client(Venue(answer)).ask(rest.balance(), rest.balance_answer))


def test_a_proven_refusal_of_an_order_is_no_doubt():
    venue = Venue(REFUSED % b"EOrder:Insufficient funds")
    with pytest.raises(errors.NoFunds):
        asyncio.run(client(venue).ask(PLACE, rest.add_order_answer))


def patient(venue):
    numbers = iter(range(1, 100))
    return RestClient(venue, "https://venue", Secret("key"), Secret("c2VjcmV0"),
                      lambda: next(numbers), patience_s=20.0)


def test_a_full_counter_is_waited_for_and_an_order_is_not_asked_for_again():
    """On virtual time: the counter of earlier runs lets a question in some seconds later."""
    full, balance = REFUSED % b"EAPI:Rate limit exceeded", b'{"error":[],"result":{"ZUSD":"1"}}'
    venue = Venue(full, full, balance)
    loop = VirtualLoop()
    loop.run_until_complete(patient(venue).ask(rest.balance(), rest.balance_answer))
    assert 5.0 < loop.time() <= 20.0
    assert [nonce(asked) for asked in venue.asked] == [1, 2, 3]
    venue = Venue(*[full] * 9)
    with pytest.raises(errors.RateLimited):
        loop.run_until_complete(patient(venue).ask(rest.balance(), rest.balance_answer))
    assert len(venue.asked) == 6
    venue = Venue(full)
    with pytest.raises(errors.RateLimited):
        loop.run_until_complete(patient(venue).ask(PLACE, rest.add_order_answer))
    assert len(venue.asked) == 1
    loop.close()

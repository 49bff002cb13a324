"""REST calls wait for what the key has left, and are counted once each."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from hftbot.live.connect import TokenSource
from hftbot.words.secret import Secret
from kraken_frames import ManualClock

ANSWER = {"error": [], "result": {"token": "T" * 43, "expires": 900}}


class Budget:
    """Asks to wait twice, then grants."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def take(self, name: str, now_ns: int) -> float:
        self.asked.append(name)
        return 0.001 if len(self.asked) < 3 else 0.0


class Door:
    """Answers each request, and notes how often the budget had been asked by then."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.seen: list[tuple[str, int]] = []

    async def request(self, method: str, url: str, headers: Any, body: bytes,
                      deadline_s: float) -> tuple[int, bytes]:
        self.seen.append((url.rsplit("/", 1)[-1], len(self.budget.asked)))
        return 200, json.dumps(ANSWER).encode()


def test_budget_holds_a_call_back_until_it_may_be_made() -> None:
    budget = Budget()
    door = Door(budget)
    tokens = TokenSource(door, "https://venue", Secret("key"),
                         Secret(base64.b64encode(b"secret" * 8).decode()), ManualClock(),
                         budget=budget)
    assert asyncio.run(tokens.fetch()).reveal() == "T" * 43
    assert budget.asked == ["GetWebSocketsToken"] * 3
    assert door.seen == [("GetWebSocketsToken", 3)]
    asyncio.run(tokens.fetch())
    assert len(budget.asked) == 4

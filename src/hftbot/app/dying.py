"""HFTBOT_CRASH_AT: lets a run die at a named place, for the tests that start it again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from hftbot.errors import ConfigError
from hftbot.wire import ws
from hftbot.words import crash_points

VARIABLE = "HFTBOT_CRASH_AT"
MID_SEND = "mid_send"
_MASK = b"\0\0\0\0"


def arm(environment: Mapping[str, str]) -> None:
    """Die where the variable says, if it is set. Raises ConfigError for a place that is none."""
    text = environment.get(VARIABLE, "")
    if text:
        try:
            crash_points.arm(text, die)
        except ValueError as error:
            raise ConfigError(str(error)) from None


def die() -> None:
    """As by kill -9: nothing is flushed, closed or said."""
    os.kill(os.getpid(), signal.SIGKILL)


def connect(environment: Mapping[str, str]) -> Any:
    """What a link connects with: ``ws.connect``, or one whose wire tears an order in two."""
    if not environment.get(VARIABLE, "").startswith(MID_SEND):
        return ws.connect

    async def torn(*what: Any, **more: Any) -> Any:
        wire: Any = await ws.connect(*what, **more)
        transport = getattr(wire, "_transport", None)
        if transport is not None:
            wire.send = torn_send(wire.send, transport.underlying_transport.write)
        return wire

    return torn


def torn_send(send: Callable[[Any], None], write: Callable[[bytes], None]) -> Callable[[Any], None]:
    """Sends whole frames, but of an order only the first half before it passes the place."""
    def sending(frame: Any) -> None:
        content = bytes(frame)
        if b'"add_order"' not in content:
            send(frame)
            return
        whole = client_frame(content)
        half = len(whole) // 2
        write(whole[:half])
        crash_points.pass_by(MID_SEND)
        write(whole[half:])

    return sending


def client_frame(payload: bytes) -> bytes:
    """One text frame as a client sends it, with a mask that changes nothing."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + _MASK + payload
    return bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big") + _MASK + payload

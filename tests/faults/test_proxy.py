"""The proxy itself: what it harms, it harms as it says, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from faults.proxy import Proxy, kind_of
from journeys.bot import wait_condition

HELLO = b"POST /0/private/x HTTP/1.1\r\n\r\n"


class Ends:
    """A client and a server on both sides of a proxy, joined by one connection."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.proxy = Proxy(self.listener.getsockname()[1])
        self.ways = self.proxy.ways["rest"]
        self.client = socket.create_connection(("127.0.0.1", self.proxy.port), 10)
        self.client.sendall(HELLO)
        self.server, _ = self.listener.accept()
        self.server.settimeout(10)
        assert read(self.server, len(HELLO)) == HELLO
        wait_condition(lambda: self.ways.up.writes == 1)

    def close(self) -> None:
        self.proxy.close()
        for each in (self.client, self.server, self.listener):
            each.close()


def read(source: socket.socket, count: int) -> bytes:
    """Exactly so many bytes, or fewer if the end comes first."""
    found = b""
    while len(found) < count and (piece := source.recv(count - len(found))):
        found += piece
    return found


@pytest.fixture
def ends() -> Iterator[Ends]:
    opened = Ends()
    yield opened
    opened.close()


def test_bytes_pass_both_ways_until_either_end_closes(ends: Ends) -> None:
    content = bytes(range(256)) * 1000
    ends.client.sendall(content)
    assert read(ends.server, len(content)) == content
    ends.server.sendall(content)
    assert read(ends.client, len(content)) == content
    ends.client.shutdown(socket.SHUT_WR)
    assert ends.server.recv(1) == b""
    ends.server.sendall(b"still down")
    assert read(ends.client, 10) == b"still down"
    ends.server.close()
    assert ends.client.recv(1) == b""
    wait_condition(lambda: not ends.proxy.living)
    assert ends.ways.up.passed == len(HELLO) + len(content)


def test_split_writes_every_byte_alone(ends: Ends) -> None:
    ends.ways.up.chunk_bytes = 1
    ends.client.sendall(b"0123456789")
    assert read(ends.server, 10) == b"0123456789"
    wait_condition(lambda: ends.ways.up.writes == 11)


def test_glue_makes_one_write_of_several(ends: Ends) -> None:
    ends.ways.down.glue_s = 0.5
    ends.server.sendall(b"first")
    ends.server.sendall(b"second")
    assert read(ends.client, 11) == b"firstsecond"
    wait_condition(lambda: ends.ways.down.writes == 1)


def test_reset_after_so_many_bytes_reaches_both_ends(ends: Ends) -> None:
    ends.ways.up.reset_after_bytes = 7
    ends.client.sendall(b"abcd")
    ends.client.sendall(b"efghij")
    # What had arrived before the RST may be thrown away with it, as the kernel likes.
    with pytest.raises(ConnectionResetError):
        read(ends.server, 100)
    assert ends.ways.up.passed == len(HELLO) + 7
    with pytest.raises(ConnectionResetError):
        ends.client.recv(1)


def test_reset_now(ends: Ends) -> None:
    assert ends.proxy.reset("public", "private") == 0
    assert ends.proxy.reset("rest") == 1
    for each in (ends.client, ends.server):
        with pytest.raises(ConnectionResetError):
            each.recv(1)


def test_half_close_leaves_the_way_up(ends: Ends) -> None:
    assert ends.proxy.half_close("rest") == 1
    assert ends.client.recv(1) == b""
    ends.client.sendall(b"up")
    assert read(ends.server, 2) == b"up"


def test_stall_one_way_holds_and_loses_nothing(ends: Ends) -> None:
    ends.ways.up.stalled = True
    ends.client.sendall(b"later")
    ends.server.sendall(b"down")
    assert read(ends.client, 4) == b"down"
    assert ends.ways.up.passed == len(HELLO)
    ends.proxy.heal()
    assert read(ends.server, 5) == b"later"


def test_throttle_takes_its_time_and_does_not_hoard(ends: Ends) -> None:
    ends.ways.down.rate_bytes_s = 20_000
    ends.server.sendall(b"x" * 4_000)
    assert read(ends.client, 4_000) == b"x" * 4_000
    wait_condition(lambda: ends.ways.down.passed == 4_000)
    assert ends.ways.down.slept_s == pytest.approx(0.2)
    assert ends.ways.down.read_bytes == 1_000


def test_delay_keeps_order(ends: Ends) -> None:
    ends.ways.up.delay_s = 0.05
    for number in range(5):
        ends.client.sendall(bytes([65 + number]))
    assert read(ends.server, 5) == b"ABCDE"


def test_an_answer_of_its_own_never_reaches_the_server(ends: Ends) -> None:
    ends.proxy.answers["public"] = b"HTTP/1.1 403 Forbidden\r\n\r\n"
    with socket.create_connection(("127.0.0.1", ends.proxy.port), 10) as asking:
        asking.sendall(b"GET /v2 HTTP/1.1\r\n\r\n")
        assert read(asking, 1_000) == b"HTTP/1.1 403 Forbidden\r\n\r\n"
    assert ends.proxy.refused == {"public": 1, "private": 0, "rest": 0}
    ends.listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        ends.listener.accept()


@pytest.mark.parametrize(("line", "kind"), [
    (b"GET /v2 HTTP/1.1\r\nHost: x", "public"), (b"GET /v2/auth HTTP/1.1\r\n", "private"),
    (b"POST /0/private/GetWebSocketsToken HTTP/1.1\r\n", "rest"), (b"", "rest"),
    (b"GET", "rest"), (b"\x16\x03\x01", "rest")])
def test_kinds(line: bytes, kind: str) -> None:
    assert kind_of(line) == kind

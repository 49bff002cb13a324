"""A spinning WebSocket server with canned frames: it stamps how long an answer takes."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from array import array
from collections.abc import Sequence

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PATIENCE_NS = 5_000_000_000


def server_frame(payload: bytes) -> bytes:
    """One unmasked text frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    return bytes((0x81, 126)) + size.to_bytes(2, "big") + payload


def whole_size(received: bytearray | memoryview, have: int) -> int:
    """Bytes of the client frame that begins here, 0 if its header is not there yet."""
    if have < 8:
        return 0
    size = received[1] & 0x7F
    return size + 6 if size < 126 else (received[2] << 8 | received[3]) + 8


class CannedServer:
    """Accepts WebSocket connections by path and measures answers on them."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.port = self.listener.getsockname()[1]
        self.links: dict[str, socket.socket] = {}
        self.buffer = bytearray(1 << 16)

    def accept(self, *paths: str) -> None:
        """Wait for one connection on each path."""
        while set(self.links) != set(paths):
            link, _ = self.listener.accept()
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            head = b""
            while b"\r\n\r\n" not in head:
                head += link.recv(4096)
            lines = head.decode().split("\r\n")
            headers = {name.lower(): value for name, value in
                       (line.split(": ", 1) for line in lines[1:] if ": " in line)}
            digest = hashlib.sha1(headers["sec-websocket-key"].encode() + MAGIC).digest()
            link.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                         + base64.b64encode(digest) + b"\r\n\r\n")
            link.setblocking(False)
            self.links[lines[0].split()[1].strip("/")] = link

    def answer(self, ask: str, reply: str, frame: bytes) -> int:
        """Send a frame on one connection; nanoseconds until one whole frame is in on another."""
        reader, buffer, have = self.links[reply], self.buffer, 0
        view = memoryview(buffer)
        started = time.perf_counter_ns()
        self.links[ask].send(frame)
        while True:
            try:
                have += reader.recv_into(view[have:])
            except BlockingIOError:
                if time.perf_counter_ns() - started > PATIENCE_NS:
                    raise TimeoutError(f"no answer on {reply}") from None
                continue
            took = time.perf_counter_ns() - started
            if have and have >= (whole_size(buffer, have) or have + 1):
                return took

    def block(self, ask: str, reply: str, frames: Sequence[bytes], gap_ns: int) -> array[int]:
        """Answer times of all frames, with a pause that spins before each."""
        times = array("q")
        for frame in frames:
            until = time.perf_counter_ns() + gap_ns
            while time.perf_counter_ns() < until:
                continue
            times.append(self.answer(ask, reply, frame))
        return times

    def close(self) -> None:
        """Hang up."""
        for link in (*self.links.values(), self.listener):
            link.close()

"""A venue that talks too fast: book frames at a given rate to the first client, then a last word.

Usage: flood_server.py RATE COUNT. Prints its port, then one JSON line when all is written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

from kraken_market import Market

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CYCLE = 256
LAST = b'{"channel":"last_word"}'
PACE_S = 0.0005


def text_frame(payload: bytes) -> bytes:
    """One unmasked text frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return bytes((0x81, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x81, 127)) + size.to_bytes(8, "big") + payload


def accept(listener: socket.socket) -> socket.socket:
    """The first client, once it may receive frames."""
    link, _ = listener.accept()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while b"\r\n\r\n" not in head:
        head += link.recv(4096)
    key = next(line.split(b": ", 1)[1] for line in head.split(b"\r\n")
               if line.lower().startswith(b"sec-websocket-key"))
    accepted = base64.b64encode(hashlib.sha1(key.strip() + MAGIC).digest())
    link.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accepted + b"\r\n\r\n")
    return link


def flood(link: socket.socket, rate: float, count: int) -> dict[str, float]:
    """Write ``count`` updates, never faster than ``rate``; a slow reader holds us up."""
    market = Market()
    frames = [text_frame(frame) for frame in market.updates(CYCLE)]
    link.sendall(text_frame(market.snapshot()))
    start_ns = time.monotonic_ns()
    sent = 0
    while sent < count:
        due = min(count, int((time.monotonic_ns() - start_ns) * rate / 1e9))
        if due == sent:
            time.sleep(PACE_S)
            continue
        link.sendall(b"".join(frames[number % CYCLE] for number in range(sent, due)))
        sent = due
    took_s = (time.monotonic_ns() - start_ns) / 1e9
    link.sendall(text_frame(LAST))
    return {"sent": sent, "start_ns": start_ns, "took_s": took_s}


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        print(listener.getsockname()[1], flush=True)
        with accept(listener) as link:
            told = flood(link, float(sys.argv[1]), int(sys.argv[2]))
            print(json.dumps(told), flush=True)
            while link.recv(4096):
                continue


if __name__ == "__main__":
    main()

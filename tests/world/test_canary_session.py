"""Row S1, law 10: a session full of planted secrets and errors that carry them, and no output."""

from __future__ import annotations

import base64
import io
import json
import pathlib
from typing import Any

import pytest

from canaries import ENCODINGS, canary, files, hits, spelt
from hftbot.app import crash, halting
from hftbot.app.load import load
from hftbot.app.reporter import Reporter
from hftbot.config.schema import keys
from hftbot.live.connect import TokenSource
from hftbot.store.ledger_db import LedgerDb
from hftbot.watch import logs as logging_room
from hftbot.watch.redaction import Redactor
from hftbot.words.market import Side
from hftbot.words.order import Tif
from hftbot.words.ports import Strategy
from world.ring import REST, Ring
from world.tamper import GENEROUS, LOTS, Tamper, Trader, method, play

REFUSED = 20
SECRET = base64.b64encode(bytes(range(150, 214))).decode()
PLANTED = {
    "key from a file": canary("key"), "secret from a file": SECRET,
    "passed over": canary("over"), "later, environment": canary("pass"),
    "later, .env": canary("pk"), "later, config": canary("hyper"), "second later": canary("two"),
}
# Keys of other rooms, if there are any: whoever declares one has it searched for here.
OTHERS = {key.name: base64.b64encode(canary(key.name).encode()).decode()
          for key in keys().values() if key.secret
          and key.name not in ("KRAKEN_API_KEY", "KRAKEN_API_SECRET")}
PLANTED.update(OTHERS)


def plant(folder: pathlib.Path) -> Any:
    """Settings with a secret through every door."""
    def put(name: str, text: str) -> str:
        path = folder / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)
    folder.mkdir()
    put(".env", f"POLYMARKET_PK={PLANTED['later, .env']}\nPK={PLANTED['second later']}\n")
    config = put("c.json", json.dumps({"hyperliquid_pk": PLANTED["later, config"]}))
    return load(here=folder, config=config, environment={
        "KRAKEN_API_KEY_FILE": put("key", PLANTED["key from a file"]),
        "KRAKEN_API_SECRET_FILE": put("secret", SECRET), "KRAKEN_API_KEY": PLANTED["passed over"],
        "POLYMARKET_PASSPHRASE": PLANTED["later, environment"], **OTHERS})


class Leaky(Strategy):
    """Says secrets wherever a strategy may say something."""

    name = "leaky"

    def __init__(self, told: str) -> None:
        self.told = told
        self.sent = 0

    def on_book(self, book: Any) -> None:
        if self.sent < 3 and not self.desk.open_orders():
            self.sent += 1
            self.desk.place(0, Side.BUY, book.best_bid() - 500, LOTS, Tif.IOC)
        elif self.sent == 3:
            raise RuntimeError(self.told)

    def statistics(self) -> dict[str, Any]:
        return {"said": [self.told, {self.told: 1}]}


class Room:
    """What ``hftbot run`` puts around a session, in a folder, around the one of a Ring."""

    def __init__(self, ring: Ring, tamper: Tamper, folder: pathlib.Path, loaded: Any,
                 json_lines: bool) -> None:
        settings = loaded.settings
        self.folder, self.loaded, self.ring = folder, loaded, ring
        self.tokens: dict[str, str] = {}
        self.said = [loaded.origin(), *loaded.notes, str(loaded), repr(settings)]
        self.logs = logging_room.setup(folder / "bot_hft.log", "debug", json_lines,
                                       settings.secrets())
        crash.send_to(self.logs.error, self.logs.redactor)
        world, session = ring.world, ring.session
        world.notes = session.notes = world.engine.notes = self.logs
        self.store = LedgerDb(folder / "bot_hft.db")
        self.reporter = Reporter(settings, "sim", session, self.store, folder, self._say,
                                 self.logs.redactor)
        world.engine.observers.append(self.reporter)
        session.on_tick = self.reporter.tick
        account = halting.account_name("sim", settings.kraken_api_key)
        self.keeper = halting.HaltKeeper(folder, account, False, self.logs.redactor)
        session.on_halt = self.keeper.keep
        self._log_in(ring, settings)
        self._lie(tamper)
        drain = session.drain

        async def drain_and_keep() -> None:
            await drain()
            (folder / "journal").write_bytes(pathlib.Path(world.journal.path).read_bytes())
        session.drain = drain_and_keep  # type: ignore[method-assign]

    def _say(self, text: str) -> None:
        self.said.append(self.logs.redactor(text))

    def _log_in(self, ring: Ring, settings: Any) -> None:
        """The exchange knows our key; each token that it gives is one more secret."""
        gate = ring.venue.face.gate
        gate.api_key = settings.kraken_api_key.reveal()
        gate.api_secret = settings.kraken_api_secret.reveal()
        gate.keys["trader"].key, gate.keys["trader"].secret = gate.api_key, gate.api_secret
        issue = gate.issue

        def issued(now_us: int) -> str:
            token = issue(now_us)
            self.tokens[f"token {len(self.tokens)}"] = token
            return token
        gate.issue = issued
        ring.session._fetch_token = TokenSource(
            ring.venue, REST, settings.kraken_api_key, settings.kraken_api_secret,
            ring.venue.clock, self.logs.redactor.add_passing).fetch

    def _lie(self, tamper: Tamper) -> None:
        """The venue refuses orders with our secrets in its words, and then the token, once."""
        encodings = list(ENCODINGS.values())
        turn = [0]

        def outbound(frame: bytes) -> list[bytes]:
            if method(frame) == "add_order" and turn[0] <= REFUSED:
                frame = frame.replace(b"BTC/USD", b"BTC/NOK")
            return [frame]

        def inbound(frame: bytes) -> list[bytes]:
            if method(frame) != "add_order" or turn[0] > REFUSED:
                return [frame]
            code = "ESession:Invalid session" if turn[0] == REFUSED else "EOrder:Unknown"
            plain = list(self.planted().values())[turn[0] % len(self.planted())]
            told = f"{code} {encodings[turn[0] % len(encodings)](plain)}"
            turn[0] += 1
            return [json.dumps({**json.loads(frame), "error": told}).encode()]
        tamper.inbound, tamper.outbound = inbound, outbound

    def planted(self) -> dict[str, str]:
        return {**PLANTED, **self.tokens}

    def fail(self) -> None:
        """What a defect of ours would say, with everything in its arguments."""
        told = " ".join(spelt(plain) for plain in self.planted().values())
        self.ring.session.fail(f"a frame could not be handled: ValueError: {told}")

    def outputs(self) -> dict[str, bytes]:
        """Everything that the run has left or said."""
        out = io.StringIO()
        self.reporter.finish([], True, out)
        told = spelt(PLANTED["key from a file"])
        try:
            raise RuntimeError(told) from ValueError(" ".join(map(spelt, self.tokens.values())))
        except RuntimeError as error:
            crash.keep(error, ["run", "--state", str(self.folder)], {})
            self.said.append(crash.redacted(told, error))
        self.store.close()
        self.logs.close()
        return {**files(self.folder), "--json": out.getvalue().encode(),
                "screen": "\n".join(self.said).encode()}


@pytest.fixture
def room(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Play a session in a Room; hands out the Room."""
    import sys
    import threading
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(crash, "_run", [])
    rooms: list[Room] = []

    def played(json_lines: bool = False) -> Room:
        loaded = plant(tmp_path / "settings")
        (tmp_path / "state").mkdir()

        def plan(ring: Ring, tamper: Tamper) -> None:
            one = Room(ring, tamper, tmp_path / "state", loaded, json_lines)
            rooms.append(one)
            told = " ".join(spelt(plain) for plain in PLANTED.values())
            ring.world.add_strategy(Leaky(told))
            ring.venue.loop.call_later(9.0, one.fail)
        play(10.0, Trader(), plan, bot={**GENEROUS, "progress_interval_us": 1_000_000})
        return rooms[0]
    yield played
    for one in rooms:
        one.store.close()
        one.logs.close()


@pytest.mark.fault("S1")
@pytest.mark.law(10)
@pytest.mark.parametrize("json_lines", [False, True])
def test_canaries_of_a_whole_session_are_nowhere(room: Any, json_lines: bool) -> None:
    found = room(json_lines)
    outputs = found.outputs()
    assert hits(outputs, found.planted()) == []
    assert len(found.tokens) >= 2, "a refused token was replaced"
    assert len(found.planted()) >= 8
    assert {"bot_hft.log", "bot_hft.db", "status.json", "halt.json", "journal", "crash.log",
            "latency.hlog", "--json", "screen"} <= set(outputs)
    log = outputs["bot_hft.log"].decode()
    for words in ("strategy leaky disabled", "rejected: EOrder", "token refused",
                  "a frame could not be handled"):
        assert words in log
        assert "***" in next(line for line in log.splitlines() if words in line)
    for place in ("--json", "status.json", "halt.json", "crash.log", "screen", "bot_hft.db"):
        assert b"***" in outputs[place], place
    assert json.loads(outputs["--json"])["strategy"]["leaky"]["said"]


def test_canaries_are_seen_without_the_filter(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search can fail: with a filter that does nothing each of these places leaks."""
    monkeypatch.setattr(Redactor, "__call__", lambda self, text: text)
    found = room()
    leaks = hits(found.outputs(), found.planted())
    for place in ("bot_hft.log", "status.json", "halt.json", "--json", "screen", "bot_hft.db",
                  "crash.log"):
        assert [leak for leak in leaks if leak.startswith(f"{place}: ")], place
    for name in found.planted():
        for encoding in ENCODINGS:
            assert f"bot_hft.log: {name} as {encoding}" in leaks

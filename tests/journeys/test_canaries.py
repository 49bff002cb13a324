"""Row S1 with real processes: secrets through every door, errors that carry them, no output."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import subprocess
import sys

import pytest

from canaries import canary, files, hits, spelt
from journeys.bot import (
    command,
    endpoint,
    environment,
    finish,
    start,
    started,
    status,
    wait_condition,
)

pytestmark = pytest.mark.usefixtures("nothing_stays")
LEAKY = """
from pathlib import Path
from hftbot import Side, Strategy

TOLD = (Path(__file__).parent / "told").read_text()
if "import" in __file__:
    raise RuntimeError(TOLD)

class Leaky(Strategy):
    name = "leaky"
    sent = 0

    def __init__(self):
        if "init" in __file__:
            raise KeyError(TOLD)

    def on_book(self, book):
        if not self.desk.open_orders():
            if self.sent == 3:
                raise RuntimeError(TOLD)
            self.sent += self.desk.place(0, Side.BUY, book.best_ask() + 5, 100_000, 1) > 0

    def statistics(self):
        return {"said": TOLD}
"""
OTHER_SECRET = base64.b64encode(bytes(range(100, 164))).decode()
PLANTED = {
    "passed over": canary("over"), "secret passed over": OTHER_SECRET,
    "later, environment": canary("pass"), "later, .env": canary("pk"),
    "later, second": canary("two"), "later, third": canary("three"),
}


class Folder:
    """A user's folder with keys in it; ``said`` collects what the commands print."""

    def __init__(self, path: pathlib.Path, api_key: str, api_secret: str) -> None:
        self.path = path
        self.planted = {**PLANTED, "key": api_key, "secret": api_secret}
        self.said: dict[str, bytes] = {}
        self.put("key", api_key)
        self.put("secret", api_secret)
        self.put(".env", "".join(f"{name}={PLANTED[canary_name]}\n" for name, canary_name in (
            ("POLYMARKET_PK", "later, .env"), ("HYPERLIQUID_PK", "later, second"),
            ("PK", "later, third"))))
        for name in ("leaky.py", "import.py", "init.py"):
            self.put(name, LEAKY)
        self.put("told", " ".join(map(spelt, self.planted.values())))

    def put(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o600)

    def environment(self, **more: str) -> dict[str, str]:
        return {**environment(), "KRAKEN_API_KEY_FILE": "key", "KRAKEN_API_SECRET_FILE": "secret",
                "KRAKEN_API_KEY": PLANTED["passed over"], "HFTBOT__KRAKEN_API_SECRET": OTHER_SECRET,
                "POLYMARKET_PASSPHRASE": PLANTED["later, environment"], **more}

    def run(self, code: int, *arguments: str, **more: str) -> str:
        done = subprocess.run(command(*arguments), cwd=self.path, env=self.environment(**more),
                              text=True, capture_output=True, timeout=60)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        self.said[" ".join(arguments)] = (done.stdout + done.stderr).encode()
        return done.stdout + done.stderr


@pytest.mark.fault("S1")
@pytest.mark.law(10)
def test_canaries_of_real_processes_are_nowhere(tmp_path) -> None:
    (tmp_path / "venue").mkdir()
    venue = start(tmp_path / "venue", "exchange", "--json")
    url = json.loads(venue.stdout.readline())["rest_url"]
    facts = endpoint(tmp_path / "venue" / "hftbot-state")
    (tmp_path / "bot").mkdir()
    user = Folder(tmp_path / "bot", facts["api_key"], facts["api_secret"])
    run = ("run", "--exchange", url)
    told = user.run(1, *run, "--strategy", "leaky.py:Leaky", "--json", "--duration", "20")
    assert "every strategy is disabled" in told
    assert '"said": "***' in told
    told = user.run(0, *run, "--profile", "hft", "--duration", "1")
    assert "KRAKEN_API_KEY from file" in told
    assert "is not used" in told
    assert "***" in user.run(2, *run, "--strategy", "import.py:Leaky")
    told = user.run(70, *run, "--strategy", "init.py:Leaky")
    assert "crash.log" in told
    for arguments in (("config", "show"), ("config", "show", "--json"), ("doctor",),
                      ("doctor", "--json"), ("journal", "show"), ("journal", "show", "--json"),
                      ("journal", "verify"), ("journal", "replay"),
                      ("journal", "replay", "--json"), ("latency",), ("resume",)):
        user.run(0, *arguments)
    assert b"from file" in user.said["doctor"]
    user.run(1, "status", "--json")
    user.put("secret", base64.b64encode(b"another secret of the same venue").decode())
    assert "signature" in user.run(5, *run, "--profile", "hft", "--duration", "5")
    user.planted["wrong secret"] = (user.path / "secret").read_text()
    out, err = finish(venue)
    own = {f"venue: {name}": content for name, content in files(
        tmp_path / "venue" / "hftbot-state", ("exchange/endpoint.json", "exchange/state.json")
    ).items()}
    left = files(user.path / "hftbot-state")
    outputs = {**left, **own, **user.said, "venue's screen": (out + err).encode()}
    assert {"bot_hft.log", "bot_hft.db", "status.json", "crash.log", "latency.hlog", "halt.json",
            "journal/run-00001.journal"} <= set(left)
    assert b"***" in left["bot_hft.log"]
    assert b"***" in left["crash.log"]
    assert hits(outputs, user.planted) == []
    assert hits({"told": (user.path / "told").read_bytes()}, user.planted) != []


def born_by(parent: int) -> list[int]:
    """The child processes of a process."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                found += [int(entry.name)] if int(fields[1]) == parent else []
    return found


@pytest.mark.fault("S1")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_child_and_no_core_file_gets_a_key(tmp_path) -> None:
    user = Folder(tmp_path, canary("key"), OTHER_SECRET)
    bot = subprocess.Popen(command("run", "--profile", "hft"), cwd=tmp_path,
                           env=user.environment(), text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    started.append(bot)
    state = tmp_path / "hftbot-state"
    wait_condition(lambda: status(state)["pid"] == bot.pid)
    children = wait_condition(lambda: born_by(bot.pid))
    assert endpoint(state)["pid"] in children
    for child in children:
        place = pathlib.Path(f"/proc/{child}")
        inherited = (place / "environ").read_bytes()
        assert b"PATH=" in inherited
        assert b"KRAKEN_API" not in inherited
        assert hits({"environ": inherited, "command": (place / "cmdline").read_bytes()},
                    user.planted) == []
    limits = pathlib.Path(f"/proc/{bot.pid}/limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    if os.geteuid():
        assert os.stat(f"/proc/{bot.pid}/mem").st_uid == 0, "what may not be dumped is root's"
    out, err = finish(bot)
    assert bot.returncode == 0, err
    assert hits({"screen": (out + err).encode()}, user.planted) == []

"""The guardian as a separate process: bots that die, stop, or leave in order."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import urllib.request

import pytest

from hftbot.venue.kraken import cancels
from hftbot.words.secret import Secret
from journeys.bot import (
    DEADLINE_S,
    RESTER,
    command,
    endpoint,
    environment,
    finish,
    run,
    sim,
    start,
    wait_condition,
)

# Of the tests that stop a process; the others keep the default, so that a busy machine cannot look
# like a dead bot.
LIMIT_S = 2.0
BRIEF = ("--set", f"GUARDIAN_LIMIT_S={LIMIT_S}")


@pytest.fixture(autouse=True)
def _no_guardian_stays(tmp_path, nothing_stays):
    yield
    for pid in guardians(tmp_path):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def url(tmp_path) -> str:
    """An exchange that outlives every bot: the witness."""
    venue = start(tmp_path, "exchange", "--state", "venue", "--json")
    return str(json.loads(venue.stdout.readline())["rest_url"])


def log(folder: pathlib.Path) -> str:
    return (folder / "hftbot-state" / "guardian.log").read_text()


def guardians(folder: pathlib.Path) -> list[int]:
    """Guardians that hold the lock of the state directory of this test."""
    try:
        pid = int((folder / "hftbot-state" / "guardian.lock").read_text())
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return []
    return [pid] if b"guardian" in words else []


def rest(folder: pathlib.Path, url: str, *arguments: str,
         more: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A bot that has an order resting at the exchange, guarded."""
    (folder / "rester.py").write_text(RESTER)
    words = ("run", "--strategy", "rester.py:Rester", "--exchange", url, "--set",
             "ORDER_DEADLINE_MS=1000", *arguments)
    if more is None:
        bot = start(folder, *words)
    else:
        bot = subprocess.Popen(command(*words), cwd=folder, env=environment() | more, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_condition(lambda: sim(url)["open_orders"] == 1)
    assert guardians(folder)
    return bot


@pytest.mark.fault("P7")
def test_killed_bot_leaves_no_order_open(tmp_path, url) -> None:
    bot = rest(tmp_path, url)
    assert sim(url)["dead_man_us"] > 0
    [guardian] = guardians(tmp_path)
    assert os.getsid(guardian) == guardian, "Ctrl-C in the terminal must not reach it"
    bot.kill()
    bot.communicate()
    wait_condition(lambda: sim(url)["open_orders"] == 0, 10 * (LIMIT_S + 1))
    wait_condition(lambda: not guardians(tmp_path))
    assert sim(url)["dead_man_us"] == 0
    assert sim(url)["dead_man_fired"] == 0
    text = log(tmp_path)
    assert "the bot is gone without a goodbye: cancelling everything" in text
    assert "proved: no order is open" in text
    assert "exit code 6" in text
    for name in ("api_secret", "guardian_api_secret"):
        assert endpoint(tmp_path / "venue")[name] not in text


@pytest.mark.fault("P7", "T2", "V13")
def test_stopped_bot_is_cancelled_for_and_trades_again_after_a_reconcile(tmp_path, url) -> None:
    bot = rest(tmp_path, url, *BRIEF)
    [first] = guardians(tmp_path)
    orders = sim(url)["orders"]
    bot.send_signal(signal.SIGSTOP)
    wait_condition(lambda: sim(url)["open_orders"] == 0, 10 * (LIMIT_S + 1))
    wait_condition(lambda: "proved: no order is open" in log(tmp_path))
    assert "no beat for" in log(tmp_path)
    assert sim(url)["orders"] == orders
    bot.send_signal(signal.SIGCONT)
    wait_condition(lambda: sim(url)["open_orders"] == 1)
    wait_condition(lambda: guardians(tmp_path) not in ([], [first]))
    bot_log = tmp_path / "hftbot-state" / "bot_hft.log"
    wait_condition(lambda: "the new guardian is in place" in bot_log.read_text())
    text = bot_log.read_text()
    assert text.index("connecting anew") < text.index("the new guardian is in place")
    out, err = finish(bot)
    assert bot.returncode == 0, (out, err)
    assert sim(url)["open_orders"] == 0
    assert not guardians(tmp_path)


@pytest.mark.fault("V14")
def test_killed_guardian_is_replaced_once_then_the_run_halts(tmp_path, url) -> None:
    bot = rest(tmp_path, url)
    [first] = guardians(tmp_path)
    os.kill(first, signal.SIGKILL)
    [second] = wait_condition(lambda: [pid for pid in guardians(tmp_path) if pid != first])
    state = tmp_path / "hftbot-state"
    wait_condition(lambda: "the new guardian is in place" in (state / "bot_hft.log").read_text())
    assert bot.poll() is None
    os.kill(second, signal.SIGKILL)
    out, err = bot.communicate(timeout=DEADLINE_S)
    assert bot.returncode == 5, (out, err)
    assert "the guardian ended again" in out
    assert sim(url)["open_orders"] == 0
    # Not sticky: it says nothing about the account.
    again = run(tmp_path, "run", "--profile", "hft", "--duration", "1", "--exchange", url)
    assert again.returncode == 0, again.stderr


@pytest.mark.fault("V14")
def test_stopped_guardian_counts_as_dead(tmp_path, url) -> None:
    bot = rest(tmp_path, url, *BRIEF)
    [first] = guardians(tmp_path)
    os.kill(first, signal.SIGSTOP)
    wait_condition(lambda: guardians(tmp_path) not in ([], [first]))
    assert not pathlib.Path(f"/proc/{first}").exists()
    finish(bot)
    assert bot.returncode == 0


@pytest.mark.long
@pytest.mark.fault("V14")
def test_a_switch_that_cannot_be_refreshed_ends_the_run_before_it_fires(tmp_path, url) -> None:
    """Somebody spent the last nonce of the guardian's key: every refresh is refused."""
    facts = endpoint(tmp_path / "venue")
    bot = rest(tmp_path, url)
    key, secret = Secret(facts["guardian_api_key"]), Secret(facts["guardian_api_secret"])
    path, headers, body = cancels.open_request(key, secret, (1 << 64) - 1)
    request = urllib.request.Request(url + path, body, headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert b'"error":[]' in answer.read()
    out, err = bot.communicate(timeout=600)
    assert bot.returncode == 5, (out, err)
    assert "the venue's switch could not be armed: EAPI:Invalid nonce" in out
    assert sim(url)["open_orders"] == 0
    assert sim(url)["dead_man_fired"] == 0


def test_clean_stop_leaves_guardian_gone_and_switch_off(tmp_path, url) -> None:
    """With the bot's own key for both: one nonce file, no refused nonce."""
    facts = endpoint(tmp_path / "venue")
    bot = rest(tmp_path, url, more={"KRAKEN_API_KEY": facts["api_key"],
                                    "KRAKEN_API_SECRET": facts["api_secret"]})
    [guardian] = guardians(tmp_path)
    shown = pathlib.Path(f"/proc/{guardian}/cmdline").read_bytes()
    # A process with a key shows its environment to root at most.
    with contextlib.suppress(PermissionError):
        shown += pathlib.Path(f"/proc/{guardian}/environ").read_bytes()
    assert facts["api_key"].encode() not in shown
    assert facts["api_secret"].encode() not in shown
    out, err = finish(bot)
    assert bot.returncode == 0, (out, err)
    assert "the bot's key" in out
    assert not guardians(tmp_path)
    assert sim(url)["dead_man_us"] == 0
    assert sim(url)["open_orders"] == 0
    assert len(list((tmp_path / "hftbot-state").glob("nonce-*"))) == 1
    assert "nonce" not in log(tmp_path)
    assert "exit code 0" in log(tmp_path)
    assert "cancelled" not in log(tmp_path)


@pytest.mark.long
def test_key_of_its_own_is_used_and_is_refused_if_it_is_none(tmp_path, url) -> None:
    facts = endpoint(tmp_path / "venue")
    keys = {"KRAKEN_API_KEY": facts["api_key"], "KRAKEN_API_SECRET": facts["api_secret"],
            "KRAKEN_GUARDIAN_API_KEY": facts["guardian_api_key"],
            "KRAKEN_GUARDIAN_API_SECRET": facts["guardian_api_secret"]}
    bot = rest(tmp_path, url, more=keys)
    out, err = finish(bot)
    assert bot.returncode == 0, (out, err)
    assert "a key of its own" in out
    assert len(list((tmp_path / "hftbot-state").glob("nonce-*"))) == 2
    orders = sim(url)["orders"]
    wrong = subprocess.run(
        command("run", "--strategy", "rester.py:Rester", "--exchange", url, "--duration", "5"),
        cwd=tmp_path, text=True, capture_output=True, timeout=DEADLINE_S,
        env=environment() | keys | {"KRAKEN_GUARDIAN_API_KEY": "nobody"})
    assert wrong.returncode == 1, wrong.stderr
    assert "no trading without a guardian" in wrong.stderr
    assert "EAPI:Invalid key" in wrong.stderr
    assert sim(url)["orders"] == orders


@pytest.mark.long
@pytest.mark.fault("P4")
def test_crash_loop_leaves_no_order_and_no_process(tmp_path, url) -> None:
    for _ in range(3):
        bot = rest(tmp_path, url)
        bot.kill()
        bot.communicate()
        wait_condition(lambda: sim(url)["open_orders"] == 0, 10 * (LIMIT_S + 1))
    wait_condition(lambda: not guardians(tmp_path))
    assert log(tmp_path).count("proved: no order is open") == 3
    assert sim(url)["dead_man_us"] == 0


def test_off_is_off_and_said_so(tmp_path, url) -> None:
    done = run(tmp_path, "run", "--profile", "hft", "--duration", "1", "--exchange", url,
               "--set", "GUARDIAN=off")
    assert done.returncode == 0, done.stderr
    assert "off: a bot that dies leaves its orders open" in done.stdout
    assert not (tmp_path / "hftbot-state" / "guardian.log").exists()


def test_by_hand_it_says_who_starts_it(tmp_path) -> None:
    done = subprocess.run(command("guardian"), cwd=tmp_path, env=environment(), text=True,
                          capture_output=True, timeout=DEADLINE_S, input="hello\n")
    assert done.returncode == 2
    assert "started by `hftbot run`" in done.stderr
    nothing = subprocess.run(command("guardian"), cwd=tmp_path, env=environment(), text=True,
                             capture_output=True, timeout=DEADLINE_S, stdin=subprocess.DEVNULL)
    assert nothing.returncode == 2
    assert "Traceback" not in nothing.stderr


def test_its_process_holds_nothing_that_could_order(tmp_path) -> None:
    banned = ("fastcore.lane", "fastcore.money", "hftbot.engine", "hftbot.strategy",
              "hftbot.live.session", "hftbot.venue.kraken.gateway", "hftbot.wire.ws", "aiohttp",
              "picows")
    code = ("import sys, hftbot.app.cli, hftbot.app.guardian\n"
            f"print([name for name in sys.modules if name.startswith({banned!r})])")
    done = subprocess.run([*command()[:1], "-c", code], cwd=tmp_path, env=environment(), text=True,
                          capture_output=True, timeout=DEADLINE_S)
    assert done.stdout == "[]\n", done.stderr

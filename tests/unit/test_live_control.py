"""live.control: one JSON line each way over DIR/control.sock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import threading

import pytest
from canned_ws import run as run_on

from hftbot.errors import HftbotError, NoBot, StoreError
from hftbot.live import control
from hftbot.live.control import Control, ask

LOOPS = {"asyncio": None}
with contextlib.suppress(ImportError):
    import uvloop
    LOOPS["uvloop"] = uvloop.new_event_loop


@pytest.fixture(params=LOOPS, autouse=True)
def loop_factory(request):
    return LOOPS[request.param]


def serve(path, handlers, calls, loop_factory, **options):
    """What ``calls`` return, each made from a thread while the loop serves."""
    async def main():
        served = Control(path, handlers, **options)
        await served.start()
        try:
            return [await asyncio.to_thread(call) for call in calls]
        finally:
            await served.close()

    return run_on(main(), loop_factory)


def test_control_answers_with_what_the_handler_returns(tmp_path, loop_factory):
    path = tmp_path / "control.sock"
    asked = []

    def status(request):
        asked.append(request)
        return {"state": "running", "deep": [1, {"two": None}]}

    answers = serve(path, {"status": status},
                    [lambda: ask(path, {"do": "status", "wide": True})] * 2, loop_factory)
    assert answers == [{"state": "running", "deep": [1, {"two": None}]}] * 2
    assert asked == [{"do": "status", "wide": True}] * 2


def test_control_waits_for_a_handler_that_waits(tmp_path, loop_factory):
    path = tmp_path / "control.sock"
    gate = threading.Event()

    async def slow(request):
        await asyncio.to_thread(gate.wait, 20)
        return {"done": True}

    def both():
        found = []
        caller = threading.Thread(target=lambda: found.append(ask(path, {"do": "slow"}, 20)))
        caller.start()
        quick = ask(path, {"do": "quick"})
        gate.set()
        caller.join(20)
        return quick, found

    answers = serve(path, {"slow": slow, "quick": lambda request: {"ok": 1}}, [both], loop_factory)
    assert answers == [({"ok": 1}, [{"done": True}])]


def test_control_socket_is_private_and_goes_with_the_bot(tmp_path, loop_factory):
    path = tmp_path / "control.sock"
    answers = serve(path, {}, [lambda: os.stat(path)], loop_factory)
    assert stat.S_IMODE(answers[0].st_mode) == 0o600
    assert stat.S_ISSOCK(answers[0].st_mode)
    assert os.listdir(tmp_path) == []
    with pytest.raises(NoBot, match="no bot runs in"):
        ask(path, {"do": "status"})


def test_control_replaces_what_a_killed_bot_left(tmp_path, loop_factory):
    path = tmp_path / "control.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(NoBot, match="hftbot run"):
        ask(path, {"do": "status"})
    assert serve(path, {"status": lambda request: {"new": 1}},
                 [lambda: ask(path, {"do": "status"})], loop_factory) == [{"new": 1}]


def test_control_leaves_the_socket_of_the_next_bot_alone(tmp_path, loop_factory):
    path = tmp_path / "control.sock"

    async def main():
        first, second = (Control(path, {"who": lambda request, name=name: {"who": name}})
                         for name in ("first", "second"))
        await first.start()
        await second.start()
        await first.close()
        await first.close()
        try:
            return await asyncio.to_thread(ask, path, {"do": "who"})
        finally:
            await second.close()

    assert run_on(main(), loop_factory) == {"who": "second"}


def test_control_in_a_directory_too_deep_for_an_address(tmp_path, loop_factory):
    folder = tmp_path / ("d" * 120) / ("e" * 120)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    assert serve(path, {"status": lambda request: {"deep": 1}},
                 [lambda: ask(path, {"do": "status"})], loop_factory) == [{"deep": 1}]
    with pytest.raises(NoBot):
        ask(path, {"do": "status"})
    with pytest.raises(NoBot):
        ask(tmp_path / "nowhere" / "control.sock", {"do": "status"})


def test_control_says_why_it_says_no(tmp_path, loop_factory):
    path = tmp_path / "control.sock"
    complaints = []

    def refuse(request):
        raise StoreError("the disk is full")

    def fail(request):
        raise KeyError("inner")

    def refusal_of(request):
        def call():
            with pytest.raises(HftbotError) as caught:
                ask(path, request)
            return str(caught.value)
        return call

    answers = serve(path, {"refuse": refuse, "fail": fail},
                    [refusal_of({"do": "refuse"}), refusal_of({"do": "fail"}),
                     refusal_of({"do": "dance"}), refusal_of({"do": ["list"]}), refusal_of({})],
                    loop_factory, complain=complaints.append)
    assert answers[0] == "the disk is full"
    assert answers[1] == "fail failed: KeyError; the log says more"
    assert answers[2] == "no command 'dance'; there are fail, refuse"
    assert "no command" in answers[3]
    assert "no command" in answers[4]
    assert complaints == ["command fail: KeyError: 'inner'"]


@pytest.mark.parametrize(("line", "said"), [
    (b"not json\n", "not JSON"), (b"[1, 2]\n", "not a JSON object"), (b"\xff\xfe\n", "not JSON"),
    (b"[" * 60_000 + b"\n", "not JSON"), (b"x" * 200_000 + b"\n", "at most 65536 bytes"),
    (b"", "not JSON")])
def test_control_survives_any_request(tmp_path, loop_factory, line, said):
    path = tmp_path / "control.sock"

    def speak():
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(20)
            caller.connect(str(path))
            # The bot may answer and hang up before it has read all of a request that is too long.
            with contextlib.suppress(OSError):
                caller.sendall(line)
                caller.shutdown(socket.SHUT_WR)
            try:
                return caller.recv(1 << 16)
            except ConnectionResetError:
                return json.dumps({"error": said}).encode()

    answers = serve(path, {"status": lambda request: {"ok": 1}},
                    [speak, lambda: ask(path, {"do": "status"})], loop_factory)
    assert said in json.loads(answers[0])["error"]
    assert answers[1] == {"ok": 1}


def test_control_answers_pass_the_filter_of_secrets(tmp_path, loop_factory):
    path = tmp_path / "control.sock"

    def hide(content):
        return json.loads(json.dumps(content).replace("hunter2", "***"))

    def fail(request):
        raise HftbotError("key hunter2 is wrong")

    def both():
        with pytest.raises(HftbotError) as caught:
            ask(path, {"do": "fail"})
        return ask(path, {"do": "status"}), str(caught.value)

    assert serve(path, {"status": lambda request: {"key": "hunter2"}, "fail": fail}, [both],
                 loop_factory, redact=hide) == [({"key": "***"}, "key *** is wrong")]


def test_control_caller_that_never_asks_is_let_go(tmp_path, loop_factory, monkeypatch):
    monkeypatch.setattr(control, "REQUEST_S", 0.05)
    path = tmp_path / "control.sock"

    def wait_for_the_end():
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(20)
            caller.connect(str(path))
            return caller.makefile("rb").read()

    answers = serve(path, {}, [wait_for_the_end], loop_factory)
    assert b"no request within" in answers[0]


def test_control_bot_that_does_not_answer_is_told_apart_from_none(tmp_path, loop_factory):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen(1)
        with pytest.raises(HftbotError, match="did not answer within") as caught:
            ask(path, {"do": "status"}, 0.05)
        assert not isinstance(caught.value, NoBot)


def test_control_closing_does_not_wait_for_a_caller(tmp_path, loop_factory):
    path = tmp_path / "control.sock"

    async def main():
        entered = asyncio.Event()

        async def never(request):
            entered.set()
            await asyncio.Event().wait()

        served = Control(path, {"never": never})
        await served.start()
        caller = asyncio.ensure_future(asyncio.to_thread(ask, path, {"do": "never"}, 20))
        await asyncio.wait_for(entered.wait(), 20)
        await served.close()
        with pytest.raises(HftbotError, match=r"ended before|Connection reset"):
            await caller

    run_on(main(), loop_factory)


def test_control_a_folder_that_takes_no_socket(tmp_path, loop_factory):
    async def main():
        with pytest.raises(StoreError, match="cannot listen at"):
            await Control(tmp_path / "gone" / "control.sock", {}).start()

    run_on(main(), loop_factory)

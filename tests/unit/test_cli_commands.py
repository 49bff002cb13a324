"""The command line: one clear line for a mistake, an exit code, and never a traceback."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import types
from typing import Any

import pytest

import hftbot
import hftbot.app
from fastcore.probe.trackers import LOOP_ITERATION, Trackers
from hftbot.app import crash
from hftbot.app.cli import build_parser, main
from hftbot.app.options import ExchangeOptions, RunOptions
from hftbot.errors import HftbotError, StoreError
from hftbot.watch import latency_log, status

COMMANDS = ("run", "exchange", "guardian", "kill", "resume", "latency", "status", "doctor",
            "journal", "config", "flatten", "cancel-all", "livetest", "markets", "init")
KEY = "test-api-key-123456"
SECRET = base64.b64encode(b"0123456789abcdef" * 4).decode()


class Composed:
    """Stands where compose is, and keeps what the command line hands over."""

    def __init__(self) -> None:
        self.settings: Any = None
        self.options: Any = None
        self.answer: int | BaseException = 0

    def run(self, settings: Any, options: Any) -> int:
        self.settings, self.options = settings, options
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Composed:
    composed = Composed()
    module = types.ModuleType("hftbot.app.compose")
    module.run = module.exchange = composed.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hftbot.app.compose", module)
    monkeypatch.setattr(hftbot.app, "compose", module, raising=False)
    return composed


@pytest.fixture(autouse=True)
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(hftbot.__file__).absolute().parents[1]))
    for name in os.environ:
        if name.startswith(("HFTBOT", "KRAKEN")):
            monkeypatch.delenv(name)
    return tmp_path


def complaint(capsys: pytest.CaptureFixture[str], *words: str, code: int = 2) -> str:
    """The one line that a refused command prints."""
    assert main(words) == code
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("hftbot: error: ")
    assert "Traceback" not in err
    return lines[0]


def shell(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hftbot", *words], text=True, timeout=60,
                          capture_output=True, check=False, **how)


@pytest.mark.parametrize(("words", "expected"), [
    (("run", "--profle", "hft"), "unknown flag --profle; did you mean --profile?"),
    (("run", "--profle=hft"), "did you mean --profile?"),
    (("run", "hft"), "unexpected argument 'hft'"),
    (("run", "--prof", "hft"), "unknown flag --prof"),
    (("run", "--duration"), "--duration: expected one argument"),
    (("run", "--duration", "0"), "from above 0"),
    (("run", "--duration", "-1"), "--duration"),
    (("run", "--duration", "nan"), "from above 0"),
    (("run", "--duration", "inf"), "from above 0"),
    (("run", "--duration", "1e99"), "from above 0"),
    (("run", "--duration", "soon"), "'soon' is not a number of seconds"),
    (("rnu",), "invalid choice: 'rnu'"),
    (("--wrong",), "unknown flag --wrong"),
    (("config",), "the following arguments are required: what"),
    (("config", "shwo"), "invalid choice: 'shwo'"),
    (("exchange", "--port", "65536"), "not a port from 0 to 65535"),
    (("exchange", "--port", "x"), "not a port"),
    (("exchange", "--switch", "fok_reject=perhaps"), "fok_reject is one of cancel, ack"),
    (("exchange", "--switch", "fok=ack"), "expected NAME=VALUE, where NAME is one of"),
    (("run", "--set", "SEED"), "--set needs KEY=VALUE"),
    (("run", "--set", "=1"), "--set needs KEY=VALUE"),
    (("run", "--set", "SEDE=1"), "did you mean SEED?"),
    (("run", "--set", "SEED=-1"), "SEED=-1 (command line: --set) is not allowed: must be from 0"),
    (("run", "--seed", "x"), "SEED=x (command line: --seed)"),
    (("run", "--fees", "low"), "FEES=low (command line: --fees)"),
    (("run", "--busy-poll", "yes"), "BUSY_POLL=yes (command line: --busy-poll)"),
    (("run", "--log-format", "xml"), "LOG_FORMAT=xml"),
    (("run", "--symbols", "BTC"), "SYMBOLS=BTC (command line: --symbols)"),
    (("run", "--strategy", ""), "STRATEGY= (command line: --strategy)"),
    (("run", "--profile", "hfft"), "did you mean hft?"),
    (("run", "--config", "none.toml"), "none.toml: No such file"),
    (("run", "--set", "VENUE=live"), "needs --live on the command line too"),
    (("run", "--live"), "--live needs KRAKEN_API_KEY"),
    (("run", "--liv"), "unknown flag --liv"),
    (("run", "--live=1"), "ignored explicit argument"),
    (("flatten", "--live", "--exchange", "http://127.0.0.1:1"), "--live and --exchange exclude"),
    (("flatten", "--symbol", "ETH/USD"), "--symbol ETH/USD: not among SYMBOLS=BTC/USD"),
    (("exchange", "--tls-cert", "x.pem", "--liv"), "unknown flag --liv"),
    (("run", "--live", "--replay", "x.npz"), "--live and --replay exclude each other"),
    (("run", "--live", "--exchange", "http://127.0.0.1:1"), "--live and --exchange exclude"),
    (("run", "--exchange", "http://exchange.example:80"), "its host is 127.0.0.1"),
    (("run", "--exchange", "localhost:80"), "must be an address such as"),
    (("run", "--exchange", "http://127.0.0.1:99999"), "a port is from 1 to 65535"),
    (("run", "--replay", "x.npz", "--symbols", "BTC/USD,ETH/USD"), "--replay plays one market"),
    (("run", "--replay", "x.npz", "--exchange", "http://127.0.0.1:1"), "exclude each other"),
])
def test_mistakes_are_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str],
                                               composed: Composed, words: tuple[str, ...],
                                               expected: str) -> None:
    assert expected in complaint(capsys, *words)
    assert composed.settings is None


def test_run_hands_over_settings_and_options(composed: Composed) -> None:
    assert main(["run", "--profile", "hft"]) == 0
    assert composed.options == RunOptions(origin="packaged profile hft",
                                          notes=composed.options.notes)
    assert composed.settings.strategy == "micro_scalper"
    assert composed.settings.symbols == ("BTC/USD",)
    assert (composed.settings.venue, composed.settings.fees) == ("sim", "free")
    composed.answer = 5
    assert main(["run", "--duration", "1.5", "--replay", "d.npz", "--json", "--fresh", "--state",
                 "s", "--symbols", "eth/usd", "--strategy", "m.py:M", "--fees", "kraken", "--seed",
                 "9", "--busy-poll", "off", "--log-format", "json", "--set", "COLLAR_BPS=100"]) == 5
    options, settings = composed.options, composed.settings
    assert (options.duration_s, options.replay, options.json, options.fresh) == (
        1.5, "d.npz", True, True)
    assert (settings.state_dir, settings.symbols) == ("s", ("ETH/USD",))
    assert settings.strategy == "m.py:M"
    assert (settings.fees, settings.seed, settings.busy_poll) == ("kraken", 9, "off")
    assert (settings.log_format, settings.collar_bps) == ("json", 100)
    assert main(["run", "--exchange", "http://localhost:8080/"]) == 5
    assert composed.options.exchange_url == "http://localhost:8080/"


def test_exchange_hands_over_its_options(composed: Composed) -> None:
    assert main(["exchange", "--port", "8080", "--with-bot", "--linger", "2", "--json",
                 "--duration", "3"]) == 0
    assert composed.options == ExchangeOptions(port=8080, with_bot=True, json=True, duration_s=3.0,
                                               origin="command line")
    assert composed.settings.linger_us == 2_000_000


@pytest.mark.fault("H2")
def test_live_needs_the_flag_and_both_keys(composed: Composed, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KRAKEN_API_KEY", KEY)
    assert "--live needs KRAKEN_API_SECRET" in complaint(capsys, "run", "--live")
    monkeypatch.setenv("KRAKEN_API_SECRET", SECRET)
    assert main(["run", "--live"]) == 0
    assert (composed.settings.venue, composed.options.live) == ("live", True)
    assert composed.settings.dry_run


@pytest.mark.fault("H2")
@pytest.mark.parametrize(("command", "other"), [
    ("run", "--venue paper"), ("run", "--venue sim"), ("run", "--set VENUE=sim"),
    ("flatten", "--set VENUE=sim")])
def test_live_beside_another_venue_is_refused(composed: Composed, command: str,
                                              other: str,
                                              monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    """Who says both may mean the one that costs nothing."""
    for name, text in (("KRAKEN_API_KEY", KEY), ("KRAKEN_API_SECRET", SECRET), ("DRY_RUN", "0")):
        monkeypatch.setenv(name, text)
    told = complaint(capsys, command, "--live", *other.split())
    assert f"--live and {other} contradict each other" in told


def test_errors_become_exit_codes(composed: Composed, capsys: pytest.CaptureFixture[str]) -> None:
    composed.answer = StoreError("state directory x is in use by pid 7")
    assert complaint(capsys, "run", code=3).endswith("x is in use by pid 7")
    composed.answer = HftbotError("two\nlines")
    assert complaint(capsys, "run", code=1).endswith("two lines")
    for interruption in (KeyboardInterrupt(), asyncio.CancelledError()):
        composed.answer = interruption
        assert main(["run"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_core_that_is_not_compiled_is_one_line(composed: Composed,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    composed.answer = ImportError("fastcore was installed without its compiled core. Reinstall")
    assert "without its compiled core" in complaint(capsys, "run", code=1)
    composed.answer = ModuleNotFoundError("No module named 'aiohttp.web'", name="aiohttp.web")
    assert "the package aiohttp is missing" in complaint(capsys, "run", code=1)


def test_a_fault_of_ours_leaves_its_traceback_in_a_file(
        composed: Composed, capsys: pytest.CaptureFixture[str], here: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_SECRET", SECRET)
    composed.answer = RuntimeError(f"boom {SECRET} {SECRET.encode().hex()}")
    (here / "hftbot-state").mkdir()
    line = complaint(capsys, "run", code=70)
    assert "unexpected RuntimeError" in line
    assert line.endswith("its traceback is in hftbot-state/crash.log")
    text = (here / "hftbot-state" / "crash.log").read_text()
    assert "Traceback (most recent call last)" in text
    assert "RuntimeError: boom *** ***" in text
    assert (here / "hftbot-state" / "crash.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.fault("S1")
@pytest.mark.law(10)
def test_secrets_from_a_file_are_kept_out_of_the_crash_log(
        composed: Composed, capsys: pytest.CaptureFixture[str], here: pathlib.Path) -> None:
    (here / ".env").write_text(f"KRAKEN_API_KEY={KEY}\n")
    (here / ".env").chmod(0o600)
    (here / "other").mkdir()
    composed.answer = RuntimeError(f"boom {KEY}")
    assert "other/crash.log" in complaint(capsys, "run", "--state", "other", code=70)
    assert KEY not in (here / "other" / "crash.log").read_text()


def test_a_crash_without_a_state_directory_goes_to_a_temporary_file(
        here: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(here))
    where = crash.keep(RuntimeError("x"), ["run"], {})
    assert pathlib.Path(where).parent == here
    monkeypatch.setattr("tempfile.tempdir", str(here / "missing"))
    assert "nothing could be written" in crash.keep(RuntimeError("x"), ["run"], {})


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "exit codes:" in text
    assert "examples:" in text
    assert all(re.search(rf"^    {command} ", text, re.M) for command in COMMANDS)
    for command in COMMANDS:
        with pytest.raises(SystemExit) as done:
            main([command, "--help"])
        assert done.value.code == 0
        assert "examples:" in capsys.readouterr().out


def test_the_examples_of_the_help_parse(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    text = capsys.readouterr().out
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([command, "--help"])
        text += capsys.readouterr().out
    lines = [line.strip().split("  ")[0] for line in text.splitlines()
             if line.startswith("  hftbot ") and "COMMAND" not in line]
    assert len(lines) > 15
    for line in lines:
        options, unknown = build_parser().parse_known_args(line.split()[1:])
        assert unknown == [], line
        assert options.command


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"hftbot {hftbot.__version__}\n"


def test_config_show_prints_value_and_source(capsys: pytest.CaptureFixture[str],
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_SECRET", SECRET)
    assert main(["config", "show", "--profile", "hft", "--set", "SEED=9"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^LOOP_INTERVAL_MS=50 +# packaged profile hft:\d+$", text, re.M)
    assert re.search(r"^SEED=9 +# command line: --set$", text, re.M)
    assert re.search(r"^KRAKEN_API_SECRET=\*\*\* +# environment: KRAKEN_API_SECRET$", text, re.M)
    assert SECRET not in text
    assert "# note: MAKER_HALF_SPREAD" in text


def test_what_config_show_prints_can_be_read_again(capsys: pytest.CaptureFixture[str],
                                                   here: pathlib.Path) -> None:
    assert main(["config", "show", "--set", "SEED=9", "--set", "ORDER_SIZE_USD=12.5"]) == 0
    first = capsys.readouterr().out
    (here / ".env").write_text(first)
    assert main(["config", "show"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == first.splitlines()[-1]


def test_config_as_json(capsys: pytest.CaptureFixture[str],
                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRAKEN_API_SECRET", SECRET)
    assert main(["config", "show", "--json"]) == 0
    text = capsys.readouterr().out
    shown = json.loads(text)
    assert shown["settings"]["LOOP_INTERVAL_MS"] == {"value": "50", "source": "default"}
    assert shown["settings"]["KRAKEN_API_SECRET"]["value"] == "***"
    assert SECRET not in text
    assert main(["config", "keys", "--json"]) == 0
    keys = json.loads(capsys.readouterr().out)
    assert keys["LOOP_INTERVAL_MS"]["allowed"] == "from 1 to 60000 ms"
    assert main(["config", "keys"]) == 0
    assert "KRAKEN_SPOT_API_KEY" in capsys.readouterr().out


def test_status(capsys: pytest.CaptureFixture[str], here: pathlib.Path) -> None:
    assert "no bot has run here yet" in complaint(capsys, "status", code=1)
    (here / "hftbot-state").mkdir()
    path = here / "hftbot-state" / status.STATUS_FILE
    status.write(path, {"pid": os.getpid(), "state": "running", "fills": 4,
                        "updated_us": 1_700_000_000_000_000})
    assert main(["status"]) == 0
    assert f"running, pid {os.getpid()}" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["alive"] is True
    status.write(path, {"pid": os.getpid(), "state": "stopped"})
    assert main(["status"]) == 1
    assert capsys.readouterr().out.startswith("not running")
    path.write_text("nonsense")
    assert "damaged" in complaint(capsys, "status", code=3)


def test_latency(capsys: pytest.CaptureFixture[str], here: pathlib.Path) -> None:
    assert "no latencies yet" in complaint(capsys, "latency", "--state", "s", code=1)
    (here / "s").mkdir()
    trackers = Trackers()
    trackers.record(LOOP_ITERATION, 2_500)
    latency_log.LatencyLog(here / "s" / "latency.hlog", trackers, 1_000).close(2_000)
    assert main(["latency", "--state", "s"]) == 0
    text = capsys.readouterr().out
    assert "LATENCY REPORT (microseconds)" in text
    assert "  Count: 1 samples (1 total ops)" in text
    assert main(["latency", "--state", "s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loop_iteration"]["count"] == 1


def test_doctor(capsys: pytest.CaptureFixture[str], here: pathlib.Path) -> None:
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    names = {check["name"] for check in answer["checks"]}
    assert names >= {"core", "packages", "clock", "disk", "shared memory", "sockets"}
    (here / "file").write_text("x")
    assert main(["doctor", "--state", "file/below"]) == 1
    text = capsys.readouterr().out
    assert "FAIL state directory" in text
    assert "remedy: choose another with --state" in text
    assert text.endswith("not ready\n")


def test_as_a_process_a_mistake_is_one_line() -> None:
    done = shell("run", "--nope")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet() -> None:
    bot = subprocess.Popen([sys.executable, "-m", "hftbot", "config", "keys"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert bot.stdout is not None
    bot.stdout.close()
    assert bot.stderr is not None
    assert bot.stderr.read() == b""
    bot.stderr.close()
    assert bot.wait(60) == 141


def test_a_narrow_terminal_is_no_error(here: pathlib.Path) -> None:
    (here / "hftbot-state").mkdir()
    trackers = Trackers()
    trackers.record(LOOP_ITERATION, 2_500)
    latency_log.LatencyLog(here / "hftbot-state" / "latency.hlog", trackers, 1_000).close(2_000)
    done = shell("latency", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "Max:   2.50?s" in done.stdout


def test_import_and_help_load_nothing_heavy() -> None:
    heavy = {"numpy", "asyncio", "aiohttp", "picows", "uvloop", "ccxt", "sqlite3", "fastcore",
             "decimal", "dataclasses"}
    for line in ("import hftbot", "import hftbot.app.cli as c; c.main(['run'][:0])"):
        probe = f"import sys; {line}; print(*sorted(set(sys.modules) & {heavy!r}), file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", probe], text=True, capture_output=True,
                              timeout=60, check=True)
        assert done.stderr.strip() == ""

"""`init`: a file that explains every setting and changes none; `markets`, `doctor --live`."""

from __future__ import annotations

import json
import pathlib
import stat

import pytest

from hftbot.app import configuration, markets
from hftbot.app.cli import main
from hftbot.app.load import load
from hftbot.config.schema import Settings, keys
from hftbot.watch import status


@pytest.fixture(autouse=True)
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    for name in (*keys(), "HFTBOT__VENUE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def untouched(here: pathlib.Path) -> Settings:
    """What is in force without any file: the defaults, and the preset of the default strategy."""
    return load(here=here / "empty", environment={}).settings


def test_init_writes_comments_only(here: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As written it is read without complaint and changes nothing."""
    assert main(["init"]) == 0
    file = here / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = file.read_text().splitlines()
    assert all(not line or line.startswith("#") for line in lines)
    assert max(map(len, lines)) <= 100
    assert load(here=here, environment={}).settings == untouched(here)
    assert str(file) in capsys.readouterr().out


def test_init_every_line_can_be_put_in_force(here: pathlib.Path) -> None:
    """Without its # each default is accepted, and is what it was anyway."""
    main(["init"])
    text = (here / ".env").read_text()
    named = [line[1:] for line in text.splitlines() if line[1:].partition("=")[0] in keys()]
    assert len(named) == len(keys())
    (here / ".env").write_text("\n".join(line for line in named if not line.endswith("=")) + "\n")
    assert load(here=here, environment={}).settings == untouched(here)


def test_init_replaces_nothing_unless_forced(here: pathlib.Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    (here / ".env").write_text("SEED=7\n")
    assert main(["init"]) == 2
    assert (here / ".env").read_text() == "SEED=7\n"
    assert "--force replaces a file" in capsys.readouterr().err
    assert main(["init", "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keys"] == len(keys())
    (here / "link").symlink_to(here / ".env")
    assert main(["init", "--out", "link", "--force"]) == 2
    assert main(["init", "--out", "no/where"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert configuration.init_text() == (here / ".env").read_text()


def test_markets_of_the_embedded_exchange(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["markets", "--json", "--quote", "usd"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["venue"] == "embedded"
    rows = {row["symbol"]: row for row in told["markets"]}
    assert rows["BTC/USD"] == {"symbol": "BTC/USD", "base": "BTC", "quote": "USD",
                               "tick_size": "0.1", "qty_min": "0.00005000", "cost_min": "0.5",
                               "status": "online"}
    assert all(row["quote"] == "USD" for row in told["markets"])
    assert main(["markets"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("symbol          tick")
    assert "--live asks the real venue" in out
    assert main(["markets", "--quote", "ZAR"]) == 2
    assert "no market is paid in it" in capsys.readouterr().err
    assert len(markets.embedded()) >= 2


def test_doctor_live_names_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """Without keys nothing is asked, and the check that fails says which key."""
    assert main(["doctor", "--live", "--json"]) == 1
    checks = {row["name"]: row for row in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["live settings"]["ok"] is False
    assert "KRAKEN_API_KEY" in checks["live settings"]["found"]
    assert "venue" not in checks


def test_kill_and_resume_as_json(here: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kill", "--json", "--state", "s", "--reason", "planted"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"exit_code": 0, "halted": True, "verified_none_open": True}
    assert "no bot runs" in err
    assert main(["resume", "--json", "--state", "s"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [halt["reason"] for halt in told["halts"]] == ["killed: planted"]
    assert (told["cleared"], told["kill_waiting"]) == (False, "")
    assert main(["resume", "--json", "--yes", "--state", "s"]) == 0
    assert json.loads(capsys.readouterr().out)["cleared"] is True
    assert main(["resume", "--json", "--state", "s"]) == 0
    assert json.loads(capsys.readouterr().out)["halts"] == []


@pytest.mark.parametrize(("told", "code"), [
    ({"mode": "live", "verified_none_open": True}, 0), ({"mode": "sim"}, 0),
    ({"mode": "live", "verified_none_open": False}, 4), ({"mode": "live"}, 4)])
def test_kill_after_a_live_run_that_did_not_verify(
        here: pathlib.Path, capsys: pytest.CaptureFixture[str], told: dict[str, object],
        code: int) -> None:
    """Nobody is there to cancel: it must not sound as if all were well."""
    (here / "s").mkdir()
    status.write(here / "s" / status.STATUS_FILE, told)
    assert main(["kill", "--json", "--state", "s"]) == code
    assert json.loads(capsys.readouterr().out)["verified_none_open"] is (code == 0)

"""Live mode against the embedded exchange over TLS, and every way found to trade by accident."""

from __future__ import annotations

import json
import signal

import pytest

from hftbot.app.live_venue import owner_name
from hftbot.store.halt_file import Halt, HaltFile
from journeys.bot import clean_up, finish, start, status, wait_condition
from journeys.tls_venue import TlsVenue

REAL = ("--set", "DRY_RUN=0")
GREEDY = """
from hftbot import Side, Strategy, Tif

class Greedy(Strategy):
    name = "greedy"
    def on_start(self, desk):
        self.desk = desk
        self.asked = 0
    def on_book(self, book):
        if self.asked < 3 and not self.desk.open_orders() and not self.desk.position_lots(0):
            self.asked += 1
            self.desk.place(0, Side.BUY, book.best_ask() + 50, 100_000)
"""

RESTING = """
from hftbot import Side, Strategy, Tif

class Resting(Strategy):
    name = "resting"
    def on_book(self, book):
        if not self.desk.open_orders():
            self.desk.place(0, Side.BUY, book.best_bid() - 5000, 100_000, Tif.GTC)
"""


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    (folder / "mine.py").write_text(GREEDY)
    yield TlsVenue(folder)
    clean_up()


@pytest.fixture(autouse=True)
def _same_again(venue):
    venue.write()


def quiet(venue: TlsVenue) -> tuple[int, int]:
    """What an order or a dead man's switch would have changed."""
    told = venue.status()
    return told["orders"], told["dead_man_us"]


@pytest.mark.fault("H2")
def test_dry_run_does_everything_but_send(venue) -> None:
    """--live with DRY_RUN=1, which is the default: the venue sees no order, the journal does."""
    before = quiet(venue)
    done = venue.run("run", "--live", "--strategy", "mine.py:Greedy", "--duration", "1.5", "--json",
                     "--state", "dry")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["mode"], result["orders_sent"], result["fills"]) == ("live-dry", 0, 0)
    assert result["orders_dry"] == result["rejects"] > 0
    assert "DRY RUN: orders are printed and journaled, none is sent" in done.stderr
    assert done.stderr.count("DRY buy 0.00100000 BTC/USD at ") == result["orders_dry"]
    assert quiet(venue) == before
    told = json.loads(venue.run("journal", "show", "--state", "dry", "--json").stdout)
    rows = [row for row in told["records"] if row["kind"] == "DRY"]
    assert len(rows) == result["orders_dry"]
    assert '"method":"add_order"' in rows[0]["request"]
    assert "token" not in rows[0]["request"]
    assert venue.run("journal", "replay", "--state", "dry").returncode == 0


@pytest.mark.parametrize(("words", "variables", "expected"), [
    (("run",), {"VENUE": "live", "DRY_RUN": "0"}, "needs --live on the command line too"),
    (("run", "--set", "VENUE=live", *REAL), {}, "needs --live on the command line too"),
    (("flatten", "--set", "VENUE=live", *REAL), {}, "needs --live on the command line too"),
    (("cancel-all",), {"VENUE": "live", "DRY_RUN": "0"}, "needs --live on the command line too"),
    (("livetest",), {"HFTBOT__VENUE": "live", "DRY_RUN": "0"}, "needs --live"),
    (("run", "--live", "--fresh", *REAL), {}, "--live and --fresh exclude each other"),
    (("run", "--live", "--faults", "seed:1", *REAL), {}, "--live and --faults exclude each other"),
    (("run", "--live", "--replay", "x.npz", *REAL), {}, "--live and --replay exclude each other"),
    (("run", "--live", "--exchange", "http://127.0.0.1:1", *REAL), {}, "--live and --exchange"),
    (("run", "--exchange", "https://api.kraken.com", *REAL), {}, "its host is 127.0.0.1"),
    (("run", "--live", "--set", "DRY_RUN="), {}, "DRY_RUN= (command line: --set) is not allowed"),
    (("run", "--live", "--set", "DRY_RUN=-1"), {}, "DRY_RUN=-1"),
    (("run", "--live"), {"DRY_RUN": "00"}, "DRY_RUN=00"),
    (("run", "--live", "--set", "DRYRUN=0"), {}, "did you mean DRY_RUN?"),
    (("livetest", "--live"), {}, "DRY_RUN=1: `hftbot livetest --live` changes the real account"),
    (("flatten", "--live"), {}, "DRY_RUN=1: `hftbot flatten --live` changes the real account"),
    (("cancel-all", "--live"), {}, "DRY_RUN=1: `hftbot cancel-all --live` changes the real"),
])
@pytest.mark.fault("H2")
def test_no_word_alone_trades_live(venue, words, variables, expected) -> None:
    """Exit code 2, one line, nothing asked of the venue."""
    frames = venue.status()["frames_in"]
    done = venue.run(*words, "--state", "none", **variables)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1
    assert venue.status()["frames_in"] == frames


@pytest.mark.long
def test_dry_run_0_without_live_stays_on_this_machine(venue) -> None:
    """Keys, addresses and DRY_RUN=0 are there; only --live is missing: the simulator trades."""
    before = venue.status()["orders"]
    done = venue.run("run", "--duration", "2", "--json", *REAL, "--state", "sim", "--strategy",
                     "mine.py:Greedy")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mode"] == "sim"
    assert venue.status()["orders"] == before


@pytest.mark.parametrize(("other", "expected"), [
    ({"KRAKEN_API_KEY": ""}, "--live needs KRAKEN_API_KEY"),
    ({"KRAKEN_API_SECRET": ""}, "--live needs KRAKEN_API_SECRET"),
    ({"KRAKEN_REST_URL": "http://127.0.0.1:9"}, "--live needs an encrypted KRAKEN_REST_URL"),
    ({"KRAKEN_WS_AUTH_URL": "ws://127.0.0.1:9/v2"},
     "--live needs an encrypted KRAKEN_WS_AUTH_URL"),
    ({"KRAKEN_WS_AUTH_URL": "wss://ws-auth.kraken.com/v2"},
     "is this machine and the other addresses are not"),
    ({"KRAKEN_CA_FILE": "none.pem"}, "KRAKEN_CA_FILE=none.pem: cannot be used"),
])
def test_settings_that_live_refuses_by_name(venue, other, expected) -> None:
    venue.write(**other)
    done = venue.run("run", "--live", *REAL, "--duration", "1", "--state", "none")
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("name", "dry", "expected"), [
    ("withdrawer", "0", "withdraw right: the key may withdraw-funds"),
    ("reader", "1", "permissions: the key lacks modify-trades, close-trades, create-ws-token"),
])
def test_keys_that_live_refuses_by_their_rights(venue, name, dry, expected) -> None:
    before = quiet(venue)
    venue.write(**venue.key(name))
    done = venue.run("run", "--live", "--set", f"DRY_RUN={dry}", "--duration", "1", "--state",
                     "none")
    assert done.returncode == 7, (done.returncode, done.stderr)
    assert f"--live is refused: {expected}" in done.stderr
    assert done.stderr.count("\n") == 1
    assert quiet(venue) == before


@pytest.mark.long
def test_key_that_is_wrong_and_venue_that_proves_nothing(venue) -> None:
    """An unknown key, and a certificate that nobody signed."""
    venue.write(KRAKEN_API_KEY="abcd")
    done = venue.run("run", "--live", *REAL, "--state", "none")
    assert done.returncode == 7
    assert "permissions: the key's rights are not known: EAPI:Invalid key" in done.stderr
    venue.write(KRAKEN_CA_FILE="")
    done = venue.run("run", "--live", *REAL, "--state", "none")
    assert done.returncode == 7
    assert "venue: cannot be asked" in done.stderr
    assert "certificate" in done.stderr.lower()
    done = venue.run("run", "--live", "--duration", "1", "--state", "none",
                     SSL_CERT_FILE=str(venue.cert))
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_live_trades_is_halted_and_refuses_to_start_again(venue) -> None:
    """With all that it needs, it trades: TLS, guardian, switch; a kill outlives it."""
    before = venue.status()["orders"]
    state = venue.folder / "real"
    bot = start(venue.folder, "run", "--live", *REAL, "--strategy", "mine.py:Greedy", "--state",
                "real", "--json")
    wait_condition(lambda: venue.status()["orders"] > before)
    wait_condition(lambda: status(state)["fills"] > 0)
    assert venue.status()["dead_man_us"] > 0
    assert venue.run("kill", "--state", "real").returncode == 0
    out, err = bot.communicate(timeout=60)
    assert bot.returncode == 5, err
    result = json.loads(out)
    assert (result["mode"], result["open_orders_at_exit"]) == ("live", 0)
    assert "LIVE: REAL MONEY" in err
    assert "USD held, and nothing protects it while no bot runs" in err
    assert venue.status()["dead_man_us"] == 0
    for dry in ("0", "1"):
        again = venue.run("run", "--live", "--set", f"DRY_RUN={dry}", "--state", "real")
        assert again.returncode == 5, again.stderr
        assert "halted since" in again.stderr
    # Positions are still held, and who forgets --live is not told that all is well.
    for name in ("flatten", "cancel-all"):
        forgot = venue.run(name, "--state", "real")
        assert forgot.returncode == 2
        assert "the last bot in" in forgot.stderr
    # A halt keeps a bot from trading, and nobody from closing what it left.
    done = venue.run("flatten", "--live", *REAL, "--state", "real", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["flat"] is True
    assert told["open_orders"] == 0
    assert told["closed"][0]["held_lots"] > 0
    assert (told["closed"][0]["left_lots"], told["closed"][0]["proved"]) == (0, True)
    assert venue.run("run", "--live", *REAL, "--state", "real").returncode == 5
    assert venue.run("resume", "--yes", "--state", "real").returncode == 0


@pytest.mark.long
def test_coins_that_the_bot_did_not_buy_are_never_sold(venue) -> None:
    """Another state directory: it knows of no position, the account holds coins."""
    bot = venue.run("run", "--live", *REAL, "--strategy", "mine.py:Greedy", "--state", "owner",
                    "--duration", "3", "--json")
    assert bot.returncode == 0, bot.stderr
    held = json.loads(bot.stdout)["positions"][0]["size"]
    assert held > 0
    fills = venue.status()["fills"]
    done = venue.run("flatten", "--live", *REAL, "--state", "stranger", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["closed"] == []
    assert f"{held:.8f} BTC on the account are not this bot's: never counted" in done.stderr
    assert venue.status()["fills"] == fills
    done = venue.run("flatten", "--live", *REAL, "--state", "owner", "--json")
    assert done.returncode == 0, done.stderr
    assert venue.status()["fills"] > fills


@pytest.mark.law(7)
def test_halt_under_another_key_of_the_account_refuses_the_start(venue) -> None:
    owner = owner_name(venue.iban())
    state = venue.folder / "rotated"
    state.mkdir()
    HaltFile(state).add(Halt(reason="daily loss", ts_us=1, account="live:the-old-key", own=False,
                             owner=owner))
    done = venue.run("run", "--live", "--state", "rotated", "--duration", "1")
    assert done.returncode == 5, done.stderr
    assert "UTC under another key of the account: daily loss; look into it" in done.stderr
    checked = venue.run("doctor", "--live", "--state", "rotated", "--json")
    assert [row["name"] for row in json.loads(checked.stdout)["checks"] if not row["ok"]] == [
        "halt"]
    assert venue.run("resume", "--yes", "--state", "rotated").returncode == 0
    assert HaltFile(state).read() == ()


def test_livetest_reports_each_latency(venue) -> None:
    before = venue.status()
    done = venue.run("livetest", "--live", *REAL, "--state", "test", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is True
    assert set(told["latency_us"]) == {"place", "amend", "cancel"}
    assert all(value > 0 for value in told["latency_us"].values())
    assert "2.4 % below the market, post-only" in told["order"]
    after = venue.status()
    assert after["orders"] == before["orders"] + 1
    assert (after["fills"], after["open_orders"]) == (before["fills"], 0)


@pytest.mark.long
def test_on_stop_flatten_and_commands_to_a_running_bot(venue) -> None:
    """`flatten` closes while it runs and nothing is bought again; the end closes by itself."""
    state = venue.folder / "stop"
    bot = start(venue.folder, "run", "--live", *REAL, "--strategy", "mine.py:Greedy", "--state",
                "stop", "--set", "ON_STOP=flatten", "--json")
    wait_condition(lambda: status(state)["positions"])
    wrong = venue.run("flatten", "--state", "stop", "--symbol", "ETH/USD")
    assert wrong.returncode == 1
    assert "this bot trades BTC/USD" in wrong.stderr
    done = venue.run("flatten", "--state", "stop", "--symbol", "btc/usd", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["flat"] is True
    assert told["closed"][0]["held_lots"] > 0
    cancelled = venue.run("cancel-all", "--state", "stop", "--json")
    assert cancelled.returncode == 0, cancelled.stderr
    assert json.loads(cancelled.stdout)["open_orders"] == 0
    out, err = finish(bot, signal.SIGINT)
    assert bot.returncode == 0, err
    assert json.loads(out)["positions"] == []
    assert "stop: positions are closed by IOC in the collar (ON_STOP=flatten)" in err
    # And by itself, with nobody asking.
    done = venue.run("run", "--live", *REAL, "--strategy", "mine.py:Greedy", "--state", "stop",
                     "--set", "ON_STOP=flatten", "--json", "--duration", "2")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["fills"] >= 2
    assert result["positions"] == []
    assert "closed by 1 IOC order, the venue's balance agrees" in result["closed"][0]


def test_markets_and_doctor_ask_the_live_venue(venue) -> None:
    done = venue.run("markets", "--live", "--json")
    assert done.returncode == 0, done.stderr
    assert [row["symbol"] for row in json.loads(done.stdout)["markets"]] == ["BTC/USD"]
    assert venue.run("markets", "--live", "--quote", "JPY").returncode == 2
    checked = venue.run("doctor", "--live", "--json")
    assert checked.returncode == 0, checked.stdout
    rows = {row["name"]: row for row in json.loads(checked.stdout)["checks"]}
    assert {"venue", "venue's clock", "permissions", "withdraw right", "fees", "halt", "DRY_RUN",
            "KRAKEN_WS_URL", "KRAKEN_WS_AUTH_URL", "KRAKEN_WS_L3_URL"} <= set(rows)
    assert rows["DRY_RUN"]["found"].startswith("1: `run --live` sends no order")


@pytest.mark.long
def test_doctor_refuses_a_key_that_can_withdraw_and_addresses_that_do_not_answer(venue) -> None:
    venue.write(**venue.key("withdrawer"), KRAKEN_WS_L3_URL="wss://127.0.0.1:9/v2")
    done = venue.run("doctor", "--live", "--json")
    assert done.returncode == 1
    rows = {row["name"]: row for row in json.loads(done.stdout)["checks"]}
    assert "withdraw-funds" in rows["withdraw right"]["found"]
    assert [name for name, row in rows.items() if not row["ok"]] == ["withdraw right",
                                                                     "KRAKEN_WS_L3_URL"]


@pytest.mark.long
def test_live_account_whose_fees_eat_the_target_is_refused(tmp_path) -> None:
    """The account's own fees count, not FEES of the simulator."""
    dear = TlsVenue(tmp_path, "--fees", "kraken")
    done = dear.run("run", "--live", *REAL, "--fees", "free", "--duration", "5")
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "0.4" in done.stderr
    assert dear.status()["orders"] == 0


@pytest.mark.long
@pytest.mark.fault("H3", "P1")
def test_live_bot_that_is_killed_leaves_nothing_open_and_one_account_has_one_bot(tmp_path) -> None:
    """kill -9 over TLS: the guardian cancels; meanwhile no second bot, dry or not, may join."""
    # A venue of its own: what earlier tests left of the REST counter is too little for a guardian
    # that wants its first beat within a second.
    venue = TlsVenue(tmp_path)
    (venue.folder / "rest.py").write_text(RESTING)
    bot = start(venue.folder, "run", "--live", *REAL, "--strategy", "rest.py:Resting", "--state",
                "killed", "--set", "GUARDIAN_LIMIT_S=1")
    wait_condition(lambda: venue.status()["open_orders"] == 1)
    for dry in ("0", "1"):
        second = venue.run("run", "--live", "--set", f"DRY_RUN={dry}", "--state", "second")
        if dry == "1":
            assert second.returncode == 7
            assert "open orders: 1 of an earlier run are open" in second.stderr
        else:
            assert second.returncode == 3, second.stderr
            assert "another bot trades on the account live:" in second.stderr
    bot.kill()
    bot.communicate()
    wait_condition(lambda: venue.status()["open_orders"] == 0)
    log = venue.folder / "killed" / "guardian.log"
    wait_condition(lambda: "proved: no order is open" in log.read_text())

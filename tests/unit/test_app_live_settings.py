"""Settings that move real money: what they must agree on, and what no mistake of one word does."""

from __future__ import annotations

import ast
import asyncio
import base64
import pathlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from hftbot.app import compose, live_venue
from hftbot.app.access import Access, serving_context, tls_context
from hftbot.app.cli import build_parser, load_settings
from hftbot.app.closing import refuse_other_world
from hftbot.app.halting import HaltKeeper
from hftbot.app.load import load
from hftbot.app.options import FLATTEN, LIVETEST, RunOptions, check_run
from hftbot.app.venue import OpenVenue
from hftbot.config.kinds import Flag
from hftbot.config.schema import Settings, keys
from hftbot.errors import ConfigError, Halted
from hftbot.live.dry_run import DryHttp, DryRun
from hftbot.live.preconditions import Found
from hftbot.store.halt_file import HaltFile
from hftbot.watch import status
from hftbot.wire import ws
from hftbot.wire.http import HttpClient
from hftbot.words.secret import Secret

LIVE = [("VENUE", "live", "--live")]
KEYED = {"kraken_api_key": Secret("key"),
         "kraken_api_secret": Secret(base64.b64encode(b"secret").decode())}


@pytest.fixture(autouse=True)
def here(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    for name in keys():
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def real(*, profile: str | None = None, flags: tuple[str, ...] = (), file: str = "",
         config: str = "", **environment: str) -> bool:
    """Whether real orders may leave: --live, and what the sources say of DRY_RUN."""
    folder = pathlib.Path.cwd()
    (folder / ".env").write_text(file)
    if config:
        (folder / "c.toml").write_text(config)
    loaded = load(flags=[*LIVE, *(("DRY_RUN", text, "--set") for text in flags)],
                  environment=environment, here=folder, profile=profile,
                  config=str(folder / "c.toml") if config else None)
    return not loaded.settings.dry_run


@pytest.mark.fault("H2")
def test_live_is_dry_unless_somebody_says_0() -> None:
    """By default, by the packaged profile, by an empty variable."""
    assert Settings().dry_run
    assert not real()
    assert not real(profile="hft")
    assert not real(DRY_RUN="")
    assert not real(file="#DRY_RUN=0\n")
    assert not real(file="DRY_RUN=1\n")
    assert real(flags=("0",))
    assert real(file="DRY_RUN=0\n")
    assert real(DRY_RUN="0")
    assert real(file="DRY_RUN=1\n", flags=("0",), DRY_RUN="1")
    assert real(profile="hft", flags=("off",))


@pytest.mark.parametrize(("told", "other"), [
    ({"file": "DRY_RUN=1\n", "DRY_RUN": "0"}, ".env:1"),
    ({"profile": "hft", "DRY_RUN": "0"}, "packaged profile hft"),
    ({"file": "DRY_RUN=0\n", "config": "DRY_RUN = true\n"}, "c.toml:1"),
    ({"config": "[run]\nDRY_RUN = 1\n", "DRY_RUN": "no"}, "c.toml:2"),
    ({"DRY_RUN": "1", "HFTBOT__DRY_RUN": "0"}, "environment: DRY_RUN"),
    ({"DRY_RUN": "1", "HFTBOT__RUN__DRY_RUN": "0"}, "environment: DRY_RUN"),
    ({"flags": ("1", "0")}, "command line: --set"),
])
@pytest.mark.fault("H2")
def test_live_with_sources_that_contradict_each_other_is_refused(
        told: dict[str, object], other: str) -> None:
    """A variable exported long ago does not overrule the file that says 1."""
    with pytest.raises(ConfigError) as caught:
        real(**told)  # type: ignore[arg-type]
    assert "contradict each other, and --live moves real money" in str(caught.value)
    assert other in str(caught.value)


def test_live_contradictions_do_not_matter_where_no_money_is(here: pathlib.Path) -> None:
    (here / ".env").write_text("DRY_RUN=1\n")
    assert not load(environment={"DRY_RUN": "0"}, here=here).settings.dry_run


@pytest.mark.parametrize("word", ["", " ", "-1", "2", "00", "0.0", "none", "nope", "false!", "O",
                                  "0 1", "\N{FULLWIDTH DIGIT ZERO}", "0x0", "null", "disabled"])
def test_words_that_are_not_0_do_not_switch_the_dry_run_off(word: str) -> None:
    with pytest.raises(ValueError, match="must be 1 or 0"):
        Flag().parse(word)


def settings(**other: object) -> Settings:
    return replace(Settings(**KEYED, venue="live", dry_run=False),  # type: ignore[arg-type]
                   **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(("options", "words"), [
    (RunOptions(), "needs --live on the command line too"),
    (RunOptions(live=True, fresh=True), "--live and --fresh"),
    (RunOptions(live=True, faults_seed=0), "--live and --faults"),
    (RunOptions(live=True, replay="x"), "--live and --replay"),
    (RunOptions(live=True, exchange_url="http://127.0.0.1:1"), "--live and --exchange"),
])
def test_live_flags_that_exclude_each_other(options: RunOptions, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_run(settings(), options)
    check_run(settings(), RunOptions(live=True))


@pytest.mark.parametrize("job", [FLATTEN, LIVETEST, "cancel-all"])
def test_commands_that_change_the_account_need_dry_run_0(job: str) -> None:
    check_run(settings(), RunOptions(live=True, job=job))
    with pytest.raises(ConfigError, match=f"DRY_RUN=1: `hftbot {job} --live`"):
        check_run(settings(dry_run=True), RunOptions(live=True, job=job))
    check_run(settings(dry_run=True), RunOptions(live=True))


def test_live_addresses_are_encrypted_and_of_one_venue() -> None:
    live_venue.check_settings(settings())
    for name in ("kraken_rest_url", "kraken_ws_url", "kraken_ws_auth_url", "kraken_ws_l3_url"):
        plain = "http" if name == "kraken_rest_url" else "ws"
        with pytest.raises(ConfigError, match=f"needs an encrypted {name.upper()}"):
            live_venue.check_settings(settings(**{name: f"{plain}://127.0.0.1:9/v2"}))
        with pytest.raises(ConfigError, match=f"{name.upper()} is this machine and the other"):
            live_venue.check_settings(settings(**{name: f"{plain}s://localhost:9/v2"}))
    for name in KEYED:
        with pytest.raises(ConfigError, match=f"--live needs {name.upper()}"):
            live_venue.check_settings(settings(**{name: Secret("")}))


@pytest.fixture
def opened(here: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OpenVenue]:
    """A live venue that was opened with a key of the account with that name."""
    def opened(key: str, iban: str, **other: object) -> OpenVenue:
        async def look(*_given: object) -> Found:
            return Found((), {}, iban)
        monkeypatch.setattr(live_venue, "look", look)
        return asyncio.run(live_venue.open_live(
            settings(kraken_api_key=Secret(key), **other), here))
    return opened


def test_two_keys_of_one_account_share_a_lock(opened: Callable[..., OpenVenue]) -> None:
    def lock_names(key: str, iban: str) -> tuple[str, ...]:
        return opened(key, iban).lock_names

    first, second = lock_names("one", "AA01 KEEP"), lock_names("two", "AA01 KEEP")
    assert first[0] != second[0]
    assert first[1] == second[1] != lock_names("one", "AA02")[1]
    assert lock_names("one", "") == first[:1]
    assert "KEEP" not in first[1]


@pytest.mark.law(7)
def test_halt_of_a_live_run_bars_every_key_and_one_of_a_dry_run_bars_dry_runs(
        here: pathlib.Path, opened: Callable[..., OpenVenue]) -> None:
    def keep(venue: OpenVenue) -> None:
        HaltKeeper(here, venue.journal_account, venue.own, str, venue.halt_owner).keep("loss", 1)

    def barred(venue: OpenVenue) -> bool:
        return HaltFile(here).of(*venue.halt_names) is not None

    dry = opened("one", "AA01", dry_run=True)
    keep(dry)
    assert barred(dry)
    with pytest.raises(Halted):
        opened("one", "AA01", dry_run=True)
    assert not barred(opened("one", "AA01"))
    keep(opened("one", "AA01"))
    other = opened("two", "AA01", dry_run=True), opened("two", "AA01"), opened("two", "AA02")
    assert [barred(venue) for venue in other] == [True, True, False]
    # Nothing is asked of the venue for a key that is barred by itself; closing is not barred.
    with pytest.raises(Halted):
        opened("one", "AA01")
    assert asyncio.run(live_venue.open_live(settings(kraken_api_key=Secret("one")), here,
                                            halts=False)).owner


def test_dry_run_has_no_guardian_and_fences_every_door() -> None:
    """A guardian's switch would cancel orders that others placed on the account."""
    dry, real_run = settings(dry_run=True), settings()
    assert not live_venue.adjusted(dry).guardian
    assert live_venue.adjusted(real_run) is real_run
    assert live_venue.adjusted(Settings()).guardian
    fence = Access(dry=DryRun())
    assert isinstance(fence.http(HttpClient(), "https://venue"), DryHttp)
    assert fence.connect() is not ws.connect
    assert Access().connect() is ws.connect


def test_certificates_that_cannot_be_used(here: pathlib.Path) -> None:
    (here / "empty.pem").write_text("")
    for name in ("none.pem", "empty.pem"):
        with pytest.raises(ConfigError, match=f"KRAKEN_CA_FILE={name}: cannot be used"):
            tls_context(name)
    assert tls_context("").check_hostname
    assert serving_context("", "") is None
    with pytest.raises(ConfigError, match="belong together"):
        serving_context("cert.pem", "")
    with pytest.raises(ConfigError, match="cannot be used"):
        serving_context("none.pem", "none.pem")


def test_who_forgets_live_after_a_live_run_is_told(here: pathlib.Path) -> None:
    """`flatten` on the simulator would say that nothing is held."""
    refuse_other_world(here, Settings())
    for mode, refused in (("sim", False), ("live-dry", False), ("live", True)):
        status.write(here / status.STATUS_FILE, {"mode": mode})
        if refused:
            with pytest.raises(ConfigError, match="traded live"):
                refuse_other_world(here, Settings())
            refuse_other_world(here, settings())
        else:
            refuse_other_world(here, Settings())


def test_live_flag_of_every_command_is_off_by_default() -> None:
    for command in ("run", "flatten", "cancel-all", "livetest", "markets", "doctor"):
        options = build_parser().parse_args([command])
        assert options.live is False
        assert load_settings(options).settings.venue == "sim"
        assert load_settings(build_parser().parse_args([command, "--live"])).settings.dry_run


def test_every_link_and_client_of_a_run_goes_through_the_fence() -> None:
    """A link of tomorrow that forgets it would send in a dry run, and without KRAKEN_CA_FILE."""
    tree = ast.parse(pathlib.Path(compose.__file__).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    links = [node for node in calls if ast.unparse(node.func) == "Link"]
    assert len(links) >= 2
    for link in links:
        connect = {word.arg: ast.unparse(word.value) for word in link.keywords}["connect"]
        assert connect.startswith("exchange.access.connect("), ast.unparse(link)
    for name, wanted in (("HttpClient", "exchange.access.tls"),
                         ("TokenSource", "exchange.access.http(http, endpoint.rest_url)"),
                         ("discover", "exchange.endpoint.ws_url")):
        found = [node for node in calls if ast.unparse(node.func) == name]
        assert [ast.unparse(node.args[0]) for node in found] == [wanted]
    assert "ws.connect" not in ast.unparse(tree)

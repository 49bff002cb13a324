"""Where keys come from, which files are private enough, and that memory is kept to ourselves."""

from __future__ import annotations

import base64
import copy
import json
import os
import pathlib
import pickle
import subprocess
import sys
import types
from typing import Any

import pytest

from hftbot.app import doctor
from hftbot.app.load import Loaded, load
from hftbot.app.secret_sources import without_secrets
from hftbot.config.schema import Settings, keys
from hftbot.errors import ConfigError
from hftbot.words.secret import Secret

KEY = "the-key-that-nobody-may-see"
OTHER = "another-key-that-nobody-may-see"


def read(here: pathlib.Path, **environment: str) -> Loaded:
    return load(here=here, environment=environment)


def put(path: pathlib.Path, text: str = KEY + "\n", mode: int = 0o600) -> pathlib.Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def refusal(here: pathlib.Path, path: object) -> str:
    with pytest.raises(ConfigError) as error:
        read(here, KRAKEN_API_KEY_FILE=str(path))
    message = str(error.value)
    assert "KRAKEN_API_KEY_FILE (environment: KRAKEN_API_KEY_FILE)" in message
    assert KEY not in message
    assert "\n" not in message
    return message


@pytest.mark.fault("S4")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: pathlib.Path, mode: int) -> None:
    path = put(tmp_path / "my key", mode=mode)
    message = refusal(tmp_path, path)
    assert f"mode {mode:04o}" in message
    assert os.system(message.partition("run: ")[2]) == 0
    assert read(tmp_path, KRAKEN_API_KEY_FILE=str(path)).settings.kraken_api_key.reveal() == KEY


@pytest.mark.fault("S4")
def test_a_key_file_that_is_a_link_is_refused(tmp_path: pathlib.Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(put(tmp_path / "key"))
    assert f"is a link, and a link can be turned elsewhere; name {tmp_path / 'key'} itself" \
        in refusal(tmp_path, link)
    put(tmp_path / "real.env", f"KRAKEN_API_KEY={KEY}\n")
    (tmp_path / ".env").symlink_to(tmp_path / "real.env")
    with pytest.raises(ConfigError, match="holds KRAKEN_API_KEY and is a link"):
        read(tmp_path)
    put(tmp_path / "real.env", "SEED=3\n", 0o644)
    assert read(tmp_path).settings.seed == 3


def test_a_key_in_the_place_of_its_file_is_not_repeated(tmp_path: pathlib.Path) -> None:
    """A mistake that is easily made must not put the key into a terminal or a log."""
    key = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    with pytest.raises(ConfigError, match=r"looks like the key itself") as error:
        read(tmp_path, KRAKEN_API_SECRET_FILE=key)
    assert key[:8] not in str(error.value)
    path = tmp_path / ("k" * 60)
    put(path)
    assert read(tmp_path, KRAKEN_API_KEY_FILE="k" * 60).settings.kraken_api_key.reveal() == KEY


def test_a_login_in_an_address_is_not_repeated(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"KRAKEN_REST_URL=https://\*\*\*@api\.kraken\.com "):
        read(tmp_path, KRAKEN_REST_URL=f"https://me:{KEY}@api.kraken.com")


@pytest.mark.fault("S4")
def test_a_key_file_of_another_owner_is_refused(tmp_path: pathlib.Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "key")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"belongs to user {owner}, not to you" in refusal(tmp_path, path)
    put(tmp_path / ".env", f"KRAKEN_API_KEY={KEY}\n")
    with pytest.raises(ConfigError, match=f"holds KRAKEN_API_KEY and belongs to user {owner}"):
        read(tmp_path)


@pytest.mark.fault("S4")
def test_a_key_file_that_is_no_file_is_refused(tmp_path: pathlib.Path) -> None:
    assert "is not a regular file" in refusal(tmp_path, tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is not a regular file" in refusal(tmp_path, tmp_path / "pipe")
    assert "is not a regular file" in refusal(tmp_path, os.devnull)
    assert "No such file" in refusal(tmp_path, tmp_path / "missing")
    for number, text in enumerate(("", "\n", f"{KEY}\n{KEY}\n", KEY * 400)):
        path = put(tmp_path / f"wrong{number}", text)
        assert "on one line" in refusal(tmp_path, path)


def test_a_value_that_is_no_key_is_not_repeated(tmp_path: pathlib.Path) -> None:
    path = put(tmp_path / "key", "two words\n")
    with pytest.raises(ConfigError) as error:
        read(tmp_path, KRAKEN_API_KEY_FILE=str(path))
    assert f"KRAKEN_API_KEY=*** (file {path}) is not allowed" in str(error.value)
    assert "two words" not in str(error.value)


def test_the_order_of_the_sources(tmp_path: pathlib.Path, ring: dict[str, str]) -> None:
    """Its own file, a file of settings, the keyring, the environment."""
    environment = {"KRAKEN_API_KEY": "from-environment"}

    def now() -> tuple[str, str, str]:
        loaded = read(tmp_path, **environment)
        key = loaded.settings.kraken_api_key.reveal()
        note = next((note for note in loaded.notes if "KRAKEN_API_KEY" in note), "")
        source = loaded.sources["KRAKEN_API_KEY"]
        assert loaded.origin().endswith(f"; KRAKEN_API_KEY from {source}")
        assert key not in loaded.origin() + note
        return key, source, note

    assert now() == ("from-environment", "environment: KRAKEN_API_KEY", "")
    environment["KEYRING"] = "1"
    assert now()[0] == "from-environment"
    ring["KRAKEN_API_KEY"] = "from-keyring"
    assert now() == ("from-keyring", "keyring, service hftbot",
                     "KRAKEN_API_KEY (environment: KRAKEN_API_KEY) is not used: it comes from "
                     "keyring, service hftbot")
    put(tmp_path / ".env", "KRAKEN_API_KEY=from-dot-env\n")
    assert now()[:2] == ("from-dot-env", ".env:1")
    put(tmp_path / "key", "from-file\n")
    environment["KRAKEN_API_KEY_FILE"] = "key"
    assert now()[:2] == ("from-file", f"file {tmp_path / 'key'}")
    del environment["KRAKEN_API_KEY"]
    assert now()[2] == f"KRAKEN_API_KEY (.env:1) is not used: it comes from file {tmp_path/'key'}"


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A keyring with this content."""
    content: dict[str, str] = {}
    module: Any = types.ModuleType("keyring")
    module.get_password = lambda service, name: content.get(name) if service == "hftbot" else None
    monkeypatch.setitem(sys.modules, "keyring", module)
    return content


def test_the_keyring_is_asked_only_when_told(tmp_path: pathlib.Path, ring: dict[str, str],
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    ring["KRAKEN_API_KEY"] = KEY
    assert not read(tmp_path).settings.kraken_api_key
    assert read(tmp_path, KEYRING="1").settings.kraken_api_key.reveal() == KEY
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert not read(tmp_path).settings.kraken_api_key
    with pytest.raises(ConfigError, match=r"run: pip install 'hftbot\[keyring\]'"):
        read(tmp_path, KEYRING="1")

    def locked(service: str, name: str) -> str:
        raise RuntimeError(f"locked {KEY}")
    module: Any = types.ModuleType("keyring")
    module.get_password = locked
    monkeypatch.setitem(sys.modules, "keyring", module)
    with pytest.raises(ConfigError, match=r"does not answer \(RuntimeError\)") as error:
        read(tmp_path, KEYRING="1")
    assert KEY not in str(error.value)


def test_where_keys_are_kept_is_nobodys_business(tmp_path: pathlib.Path) -> None:
    """No child process hears of it, and the configuration is the same one."""
    put(tmp_path / "key")
    settings = read(tmp_path, KRAKEN_API_KEY_FILE="key").settings
    assert settings.digest() == read(tmp_path).settings.digest()
    assert not [name for name in settings.environment() if "KRAKEN_API" in name or "RING" in name]
    kept = without_secrets({
        "KRAKEN_API_KEY": KEY, "KRAKEN_SPOT_API_SECRET": KEY, "HFTBOT__KRAKEN_API_KEY": KEY,
        "HFTBOT__KRAKEN__KRAKEN_API_SECRET": KEY, "POLYMARKET_PK": KEY, "KEYRING": "1",
        "KRAKEN_API_KEY_FILE": "key", "KRAKEN_REST_URL": "u", "PATH": "p", "HFTBOT__SEED": "1"})
    assert kept == {"KRAKEN_REST_URL": "u", "PATH": "p", "HFTBOT__SEED": "1"}


def test_every_key_may_have_a_file_of_its_own(tmp_path: pathlib.Path) -> None:
    secret = [key for key in keys().values() if key.secret]
    assert len(secret) >= 2
    environment = {}
    for key in secret:
        put(tmp_path / key.name, base64.b64encode(key.name.encode()).decode())
        environment[f"{key.name}_FILE"] = key.name
    loaded = read(tmp_path, **environment)
    for key in secret:
        assert loaded.sources[key.name] == f"file {tmp_path / key.name}"
        assert key.name.encode() == base64.b64decode(
            getattr(loaded.settings, key.attribute).reveal())


def test_a_key_file_is_named_by_a_flag_or_a_file_too(tmp_path: pathlib.Path) -> None:
    path = put(tmp_path / "key")
    config = put(tmp_path / "c.toml", f'[secrets]\nkraken_api_key_file = "{path}"\n', 0o644)
    assert load(here=tmp_path, environment={},
                config=str(config)).settings.kraken_api_key.reveal() == KEY
    flags = [("KRAKEN_API_KEY_FILE", str(put(tmp_path / "second", OTHER)), "--set")]
    assert load(here=tmp_path, environment={}, config=str(config),
                flags=flags).settings.kraken_api_key.reveal() == OTHER


def test_doctor_names_the_sources_and_not_the_keys(tmp_path: pathlib.Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = [True]
    monkeypatch.setattr(doctor.hardening, "forbid_dumps", lambda: allowed[0])
    assert "none is needed" in doctor.check_keys(Settings(), {}).found
    put(tmp_path / "key")
    loaded = read(tmp_path, KRAKEN_API_KEY_FILE="key", KRAKEN_API_SECRET="c2VjcmV0")
    check = doctor.check_keys(loaded.settings, loaded.sources)
    assert check.found == (f"KRAKEN_API_KEY from file {tmp_path / 'key'}; KRAKEN_API_SECRET from "
                           "environment: KRAKEN_API_SECRET; kept from core files and debuggers")
    assert "KRAKEN_API_KEY_FILE" in check.remedy
    allowed[0] = False
    assert "does not keep them" in doctor.check_keys(loaded.settings, loaded.sources).remedy


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux has prctl")
def test_a_process_with_a_key_leaves_no_core_file() -> None:
    program = ("import json, resource; from hftbot.app import hardening as h; "
               "before = h.dumpable(); done = h.forbid_dumps(); "
               "print(json.dumps([before, done, h.dumpable(), "
               "resource.getrlimit(resource.RLIMIT_CORE)]))")
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          check=True, timeout=60)
    assert json.loads(told.stdout) == [True, True, False, [0, 0]]


@pytest.mark.law(10)
def test_a_secret_shows_itself_to_nobody() -> None:
    secret = Secret(KEY)
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}",
                 f"{[secret]}", "%s %r" % (secret, secret), repr({"a": (secret,)}),  # noqa: UP031
                 repr(Settings(kraken_api_key=secret)), str(vars(Secret))):
        assert KEY not in text
    for leak in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, "".join, bytes, list,
                 Secret.__getstate__, lambda one: format(one, "d")):
        with pytest.raises((TypeError, ValueError)) as error:
            leak(secret)  # type: ignore[operator]
        assert KEY not in str(error.value)
    assert secret == Secret(KEY)
    assert secret != Secret(OTHER)
    assert secret != KEY
    assert not Secret("")
    with pytest.raises(TypeError):
        hash(secret)

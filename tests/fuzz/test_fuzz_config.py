"""Spoiled settings: every source is refused with a ConfigError, or says the same when told again.

Lines of .env files, TOML, JSON, flags and the environment are mutated; what the loader takes must
survive the round trip through the variables that a child process gets.
"""

from __future__ import annotations

import json
import pathlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fuzz.counts import long_seeds
from fuzz.mutations import bent
from hftbot.app.load import Loaded, load
from hftbot.config.schema import Settings, keys
from hftbot.errors import ConfigError

VALUES = ("", "0", "1", "-1", "1e3", "1E-9", "0.1", "NaN", "inf", "-inf", "0x10", "1_000", "٣", "½",
          "9" * 30, "9" * 5000, "1e999999", "true", "off", "maybe", "hft", "sim", "live",
          "BTC/USD", "BTC/USD,ETH/USD", ",,", "/", "BTC/USD,BTC/USD", "'", '"', '"a', "# no",
          "a # b", "https://x", "ws://127.0.0.1:1/v2", "file:///etc/passwd", "\u202e", "\udcff",
          "\x00", "\x1b[31m", "a\nb", "=", "KEY=1", " 5 ", "+5", "5.", ".5", "-0", "1e-400")
Load = Callable[..., Loaded]


def a_name(rng: random.Random) -> str:
    """A key, an alias, or something like it."""
    name = rng.choice(list(keys()))
    aliases = keys()[name].aliases
    if aliases and rng.randrange(3) == 0:
        name = rng.choice(aliases)
    spoil = rng.randrange(12)
    if spoil == 0:
        name = bent(name.encode(), rng).decode(errors="replace")
    elif spoil == 1:
        name = name.lower()
    return name


def a_value(rng: random.Random, name: str) -> str:
    """Mostly what the key has by default, a little changed."""
    key = keys().get(name)
    if key is None or rng.randrange(3) == 0:
        return rng.choice(VALUES)
    text = key.default
    if rng.randrange(2):
        text = bent(text.encode(), rng).decode(errors="surrogateescape")[:400]
    return text


def pairs(rng: random.Random) -> list[tuple[str, str]]:
    """Some settings."""
    names = [a_name(rng) for _ in range(rng.choice((0, 1, 1, 2, 3, 8)))]
    return [(name, a_value(rng, name)) for name in names]


def written(rng: random.Random, folder: pathlib.Path) -> dict[str, Any]:
    """One call of the loader: files in ``folder`` and its arguments."""
    told: dict[str, Any] = {"here": folder, "environment": {}, "flags": []}
    kind = rng.randrange(5)
    some = pairs(rng)
    if kind == 0:
        lines = [rng.choice(("", "export ", "  ")) + f"{name}={text}" for name, text in some]
        save(rng, folder / ".env", "\n".join(lines))
    elif kind == 1:
        body = "".join(f"{name} = {json.dumps(text)}\n" for name, text in some)
        told["config"] = save(rng, folder / "settings.toml", body)
    elif kind == 2:
        tree: dict[str, Any] = dict(some)
        if rng.randrange(3) == 0:
            tree = {rng.choice(("run", "risk", "nowhere", "fee_free_scalping")): tree}
        told["config"] = save(rng, folder / "settings.json", json.dumps(tree))
    elif kind == 3:
        told["flags"] = [(name, text, "--flag") for name, text in some]
    else:
        prefix = rng.choice(("HFTBOT__", "HFTBOT__RUN__", ""))
        told["environment"] = {prefix + name: text for name, text in some}
    if rng.randrange(6) == 0:
        told["profile"] = rng.choice(("hft", "nope", "../x", ""))
    return told


def save(rng: random.Random, path: pathlib.Path, text: str) -> str:
    """The text in a file, its bytes spoiled now and then."""
    content = text.encode(errors="surrogateescape")
    if rng.randrange(3) == 0:
        content = bent(content, rng)
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


def fuzz(loader: Load, seed: int, count: int, folder: pathlib.Path) -> dict[str, int]:
    """Load spoiled settings; returns how many were refused and taken. Raises AssertionError."""
    rng = random.Random(seed)
    empty = folder / "empty"
    empty.mkdir()
    seen = {"refused": 0, "taken": 0}
    for number in range(count):
        for name in (".env", "settings.toml", "settings.json"):
            (folder / name).unlink(missing_ok=True)
        told = written(rng, folder)
        try:
            settings = loader(**told).settings
        except ConfigError as refusal:
            seen["refused"] += 1
            said = str(refusal)
            assert said, f"seed {seed}, settings {number}: refused without a word"
            assert len(said) < 2_000, f"seed {seed}, settings {number}: {len(said)} characters"
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}, settings {number}: {type(error).__name__}: "
                                 f"{error}: {told!r}") from error
        seen["taken"] += 1
        try:
            again = load(here=empty, environment=settings.environment()).settings
        except ConfigError as refusal:
            raise AssertionError(f"seed {seed}, settings {number}: taken once, then refused: "
                                 f"{refusal}: {told!r}") from refusal
        assert same(settings, again), f"seed {seed}, settings {number}: {told!r}"
    return seen


def same(one: Settings, other: Settings) -> bool:
    """Equal but for the secrets, and called alike."""
    return one == other and one.digest() == other.digest()


@pytest.mark.parametrize("seed", range(2))
def test_spoiled_settings_are_refused_or_say_the_same_again(seed: int, tmp_path: pathlib.Path
                                                            ) -> None:
    seen = fuzz(load, seed, 500, tmp_path)
    assert min(seen.values()) > 50, seen


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", long_seeds(100, 10))
def test_many_spoiled_settings_are_refused_or_say_the_same_again(seed: int,
                                                                 tmp_path: pathlib.Path) -> None:
    fuzz(load, seed, 2_000, tmp_path)


def trusting(**told: Any) -> Loaded:
    """Canary: asks the environment for a number without looking at it."""
    loaded = load(**told)
    for text in told["environment"].values():
        float(text)
    return loaded


def lenient(**told: Any) -> Loaded:
    """Canary: takes an interval that no file may hold."""
    loaded = load(**told)
    return replace(loaded, settings=replace(loaded.settings, loop_interval_us=0))


@pytest.mark.parametrize("canary", [trusting, lenient])
def test_the_canaries_are_caught(canary: Load, tmp_path: pathlib.Path) -> None:
    with pytest.raises(AssertionError, match="seed 0, settings"):
        fuzz(canary, 0, 500, tmp_path)

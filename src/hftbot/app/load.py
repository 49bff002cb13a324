"""Reads settings from flags, the environment, files and presets, and remembers where each is from.

Highest first: command line, environment, ``.env.NAME`` here (else the packaged profile) or
``./.env`` without a profile, the ``--config`` file, the strategy's preset, the default.
Every refusal is a ConfigError that names the key, the value, the place and what is allowed.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from hftbot.app import secret_sources
from hftbot.config.key import Key
from hftbot.config.presets import (
    SCALPING_FLAGS,
    SCALPING_SECTION,
    preset,
    preset_key,
)
from hftbot.config.schema import (
    SECRETS_LATER,
    Settings,
    check,
    find,
    groups,
    keys,
    nearest,
    parse,
    unknown,
)
from hftbot.errors import ConfigError
from hftbot.words.secret import Secret

FILE_BYTES_MAX = 1 << 20
ENVIRONMENT_PREFIX = "HFTBOT__"
_PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as it was found: text, and where."""

    key: Key
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings in force, where each came from, which files were read, and what to tell the user."""

    settings: Settings
    sources: Mapping[str, str]
    files: tuple[str, ...]
    notes: tuple[str, ...]

    def origin(self) -> str:
        """One line for the banner: the files, whether anything else had a say, where keys are from.
        """
        parts = list(self.files)
        if any(source.startswith("environment") for source in self.sources.values()):
            parts.append("environment")
        if any(source.startswith("command line") for source in self.sources.values()):
            parts.append("command line")
        given = [f"{name} from {self.sources[name]}" for name, key in keys().items()
                 if key.secret and self.sources[name] != "default"]
        return "; ".join([", ".join(parts) or "defaults", *given])


def load(*, profile: str | None = None, config: str | None = None,
         flags: Sequence[tuple[str, str, str]] = (),
         environment: Mapping[str, str] | None = None, here: Path | None = None) -> Loaded:
    """Read every source and return the settings in force.

    ``flags`` are (KEY, text, flag as typed); ``environment`` is os.environ unless given; ``here``
    the directory of ``.env`` files. Raises ConfigError.
    """
    folder = here if here is not None else Path.cwd()
    reader = _Reader()
    layers = [
        reader.flags(flags),
        reader.environment(os.environ if environment is None else environment),
        reader.profile(profile, folder) if profile is not None else reader.dot_env(folder),
        reader.config(Path(config)) if config is not None else {},
    ]
    found: dict[str, Entry] = {}
    for layer in reversed(layers):
        found.update(layer)
    _settle_secrets(found, {**layers[3], **layers[2]}, reader, folder)
    strategy = found["STRATEGY"].text if "STRATEGY" in found else keys()["STRATEGY"].default
    for name, text in preset(strategy.strip()).items():
        found.setdefault(preset_key(name).name,
                         Entry(preset_key(name), text, f"preset {strategy.strip()}"))
    values = {entry.key.attribute: parse(entry.key, entry.text, entry.source)
              for entry in found.values()}
    settings = Settings(**values, secrets_later=tuple(reader.secrets_later))
    sources = {name: found[name].source if name in found else "default" for name in keys()}
    check(settings, sources)
    if settings.venue == "live" and not settings.dry_run:
        _agree_to_trade(flags, os.environ if environment is None else environment,
                        layers[2:], sources["DRY_RUN"])
    reader.notes += capped(settings)
    return Loaded(settings, sources, tuple(reader.files), tuple(reader.notes))


def capped(settings: Settings) -> list[str]:
    """Caps that make every entry smaller than its rule says."""
    if settings.order_size_pct_e6:
        return []
    return [f"ORDER_SIZE_USD={settings.order_size_usd} is more than {name}={cap}, which caps it"
            for name, cap in (("MAX_POSITION_SIZE_USD", settings.position_size_usd_max),
                              ("CAPITAL_USD", settings.capital_usd))
            if settings.order_size_usd > cap]


def _agree_to_trade(flags: Sequence[tuple[str, str, str]], environment: Mapping[str, str],
                    files: Sequence[Mapping[str, Entry]], source: str) -> None:
    """Real money moves only if nothing else that was read says DRY_RUN=1.

    The command line may overrule files and the environment, because it was typed for this run; a
    variable that was exported long ago may not overrule a file. Raises ConfigError naming both.
    """
    said = [(text, f"command line: {flag}") for name, text, flag in flags
            if name.strip().upper() == "DRY_RUN"]
    if not source.startswith("command line"):
        said += [(text, f"environment: {name}") for name, text in environment.items()
                 if name == "DRY_RUN" or (name.startswith(ENVIRONMENT_PREFIX)
                                          and name.endswith("__DRY_RUN"))]
        said += [(layer["DRY_RUN"].text, layer["DRY_RUN"].source) for layer in files
                 if "DRY_RUN" in layer]
    kind = keys()["DRY_RUN"].kind
    for text, other in said:
        if text.strip() and kind.parse(text):
            raise ConfigError(f"DRY_RUN=0 ({source}) and DRY_RUN={text.strip()} ({other}) "
                              "contradict each other, and --live moves real money: give "
                              "--set DRY_RUN=0 once, or make both 0")


def _settle_secrets(found: dict[str, Entry], files: Mapping[str, Entry], reader: _Reader,
                    folder: Path) -> None:
    """Secrets have an order of their own: the environment, which children inherit, comes last."""

    def plain(entries: Mapping[str, Entry]) -> dict[str, tuple[str, str]]:
        return {name: (entry.text, entry.source) for name, entry in entries.items()}

    def passed_over(text: str, note: str) -> None:
        # Not used, but still not to be seen in any output.
        reader.secrets_later.append(Secret(text))
        reader.notes.append(note)

    settled = secret_sources.settle(plain(found), plain(files), passed_over, folder)
    for name, (text, source) in settled.items():
        found[name] = Entry(keys()[name], text, source)


class _Reader:
    """Turns each source into entries by key name."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.notes: list[str] = []
        self.secrets_later: list[Secret] = []

    def flags(self, flags: Sequence[tuple[str, str, str]]) -> dict[str, Entry]:
        layer: dict[str, Entry] = {}
        for name, text, flag in flags:
            source = f"command line: {flag}"
            key = _known(name, source)
            if key.secret or name.upper() in SECRETS_LATER:
                raise ConfigError(f"{key.name} is a secret and other users can see a command line; "
                                  "put it into the environment or into a file with mode 600")
            layer[key.name] = Entry(key, text, source)
        return layer

    def environment(self, environment: Mapping[str, str]) -> dict[str, Entry]:
        layer: dict[str, Entry] = {}
        for key in keys().values():
            for name in (*reversed(key.aliases), key.name):
                if environment.get(name):
                    layer[key.name] = Entry(key, environment[name], f"environment: {name}")
        self.secrets_later += [Secret(environment[name]) for name in SECRETS_LATER
                               if environment.get(name)]
        for name, text in sorted(environment.items()):
            if name.startswith(ENVIRONMENT_PREFIX):
                source = f"environment: {name[:60]}"
                key = _sectioned(name.removeprefix(ENVIRONMENT_PREFIX), source)
                layer[key.name] = Entry(key, text, source)
        return layer

    def profile(self, name: str, folder: Path) -> dict[str, Entry]:
        if not _PROFILE_NAME.fullmatch(name):
            raise ConfigError(f"--profile {name[:60]!r}: a profile is a short word, and NAME reads "
                              ".env.NAME")
        own = folder / f".env.{name}"
        if own.exists():
            return self.env_file(own, f".env.{name}")
        packaged = packaged_profiles()
        if name not in packaged:
            guess = nearest(name, list(packaged))
            known = f"did you mean {guess}?" if guess else "packaged: " + ", ".join(packaged)
            raise ConfigError(f"--profile {name}: there is no {own} and no packaged profile of "
                              f"that name; {known}")
        text = packaged[name].read_text(encoding="utf-8")
        self.files.append(f"packaged profile {name}")
        return self._env_lines(text, f"packaged profile {name}")

    def dot_env(self, folder: Path) -> dict[str, Entry]:
        path = folder / ".env"
        return self.env_file(path, ".env") if path.is_file() else {}

    def env_file(self, path: Path, shown: str) -> dict[str, Entry]:
        text, status = read_text(path)
        later = len(self.secrets_later)
        layer = self._env_lines(text, shown)
        self._guard(layer, path, status, later)
        self.files.append(shown)
        return layer

    def _env_lines(self, text: str, shown: str) -> dict[str, Entry]:
        layer: dict[str, Entry] = {}
        ranks: dict[str, int] = {}
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            source = f"{shown}:{number}"
            match = _LINE.fullmatch(line)
            if match is None:
                raise ConfigError(f"{source}: this line is not KEY=VALUE")
            name, value = match.group(1), _unquoted(match.group(2), source)
            self._add(layer, ranks, name, value, source)
        return layer

    def _add(self, layer: dict[str, Entry], ranks: dict[str, int], name: str, value: str,
             source: str) -> None:
        """Put one value of a file into its layer; a key said twice is refused."""
        if name.upper() in SECRETS_LATER:
            if value:
                self.secrets_later.append(Secret(value))
                self.notes.append(f"{name.upper()} ({source}) belongs to a venue that comes later")
            return
        key = _known(name, source)
        rank = (key.name, *key.aliases).index(name.upper())
        if key.name in layer:
            if ranks[key.name] == rank:
                raise ConfigError(f"{key.name} is set twice: {layer[key.name].source} and {source}")
            if ranks[key.name] < rank:
                return
        if key.secret and not value:
            return
        ranks[key.name] = rank
        layer[key.name] = Entry(key, value, source)
        if key.later:
            self.notes.append(f"{key.name} ({source}) {key.later}")

    def _guard(self, layer: Mapping[str, Entry], path: Path, status: os.stat_result,
               later: int) -> None:
        """Refuse a file that holds a secret and that is not ours alone.

        ``later`` is how many secrets of later venues were known before this file was read.
        """
        held = [entry.key.name for entry in layer.values() if entry.key.secret]
        if held or len(self.secrets_later) > later:
            wrong = secret_sources.complaint(path, status)
            if wrong:
                raise ConfigError(f"{path} holds {held[0] if held else 'a secret'} and {wrong}")

    def config(self, path: Path) -> dict[str, Entry]:
        shown = str(path)
        text, status = read_text(path)
        try:
            content = _parsed(path, text)
        except (ValueError, RecursionError) as reason:
            raise ConfigError(f"{shown}: {_one_line(reason)}") from None
        if not isinstance(content, dict):
            raise ConfigError(f"{shown}: must be a table of keys at the top")
        layer: dict[str, Entry] = {}
        ranks: dict[str, int] = {}
        later = len(self.secrets_later)
        for name, value in content.items():
            source = f"{shown}:{_line_of(text, name)}"
            if name == "fee_free_scalping" and isinstance(value, dict):
                self._scalping(layer, ranks, value, text, shown)
            elif isinstance(value, dict):
                for inner, inner_value in value.items():
                    line = f"{shown}:{_line_of(text, inner)}"
                    _in_group(name, inner, line)
                    self._add(layer, ranks, inner, _scalar(inner, inner_value, line), line)
            else:
                self._add(layer, ranks, name, _scalar(name, value, source), source)
        self._guard(layer, path, status, later)
        self.files.append(shown)
        return layer

    def _scalping(self, layer: dict[str, Entry], ranks: dict[str, int],
                  section: Mapping[str, Any], text: str, shown: str) -> None:
        """The fee_free_scalping section of the older config.json."""
        for name, value in section.items():
            source = f"{shown}:{_line_of(text, name)}"
            if name == "enabled":
                if _flag(name, value, source) == "true":
                    self._add(layer, ranks, "STRATEGY", "micro_scalper", source)
            elif name in SCALPING_FLAGS:
                self._add(layer, ranks, SCALPING_FLAGS[name], _flag(name, value, source), source)
            elif name in SCALPING_SECTION:
                ours, factor = SCALPING_SECTION[name]
                self._add(layer, ranks, ours, _times(name, value, factor, source), source)
            else:
                known = [*SCALPING_SECTION, *SCALPING_FLAGS, "enabled"]
                guess = nearest(name, known) or ", ".join(known)
                raise ConfigError(f"unknown key fee_free_scalping.{name[:60]} ({source}); did you "
                                  f"mean {guess}?")


def read_text(path: Path) -> tuple[str, os.stat_result]:
    """A regular, bounded UTF-8 file and its status. Raises ConfigError naming the file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ConfigError(f"{path}: not a regular file")
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as reason:
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        raise ConfigError(f"{path}: {said}") from None
    if len(content) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: longer than {FILE_BYTES_MAX} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        raise ConfigError(f"{path}: not UTF-8 text (byte {reason.start})") from None
    if "\0" in text:
        raise ConfigError(f"{path}: not a text file (it holds a zero byte)")
    return text, status


def packaged_profiles() -> dict[str, Any]:
    """Name to file of the profiles that come with the package."""
    folder = resources.files("hftbot.config") / "profiles"
    return {item.name.removesuffix(".env"): item
            for item in sorted(folder.iterdir(), key=lambda each: each.name)
            if item.name.endswith(".env")}


def _known(name: str, source: str) -> Key:
    key = find(name)
    if key is None:
        raise unknown(name, source)
    return key


def _sectioned(name: str, source: str) -> Key:
    """HFTBOT__KEY and HFTBOT__SECTION__KEY."""
    section, _, inner = name.rpartition("__")
    if section:
        _in_group(section.lower(), inner, source)
    return _known(inner, source)


def _in_group(section: str, name: str, source: str) -> None:
    if section not in groups():
        guess = nearest(section, groups())
        remedy = f"did you mean {guess}?" if guess else "sections: " + ", ".join(groups())
        raise ConfigError(f"unknown section {section[:60]} ({source}); {remedy}")
    key = find(name)
    if key is not None and key.group != section:
        raise ConfigError(f"{key.name} ({source}) belongs to section {key.group}, not {section}")


def _unquoted(value: str, source: str) -> str:
    """The value of a line: quotes removed, or a trailing `` # comment`` removed."""
    if value[:1] in ("'", '"'):
        end = value.find(value[0], 1)
        rest = value[end + 1:].strip() if end > 0 else "?"
        if end < 0 or (rest and not rest.startswith("#")):
            raise ConfigError(f"{source}: the quotes do not match")
        return value[1:end]
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()


def _parsed(path: Path, text: str) -> Any:
    if path.suffix.lower() == ".json":
        return json.loads(text, parse_float=Decimal, parse_int=Decimal,
                          parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    if path.suffix.lower() == ".toml":
        return tomllib.loads(text, parse_float=Decimal)
    raise ValueError("a configuration file ends in .toml or .json")


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name[:60]!r} is there twice")
    return dict(pairs)


def _scalar(name: str, value: Any, source: str) -> str:
    """A TOML or JSON value as the text that a line of a .env file would hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise ConfigError(f"{name[:60]} ({source}): must be a text, a number, true, false or a list of "
                      "texts")


def _flag(name: str, value: Any, source: str) -> str:
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={str(value)[:60]} ({source}) is not allowed: must be true or "
                          "false")
    return "true" if value else "false"


def _times(name: str, value: Any, factor: int, source: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ConfigError(f"{name} ({source}) is not allowed: must be a number")
    try:
        return format(Decimal(value) * factor, "f") if Decimal(value).adjusted() < 30 else "inf"
    except ArithmeticError:
        return "inf"


def _line_of(text: str, name: str) -> int:
    """The line that sets a key in a TOML or JSON text; 1 if the key is written in another way."""
    word = re.escape(name)
    pattern = re.compile(rf"""^\s*\[?\s*["']?{word}["']?\s*[=\]]|"{word}"\s*:""")
    return next((number for number, line in enumerate(text.splitlines(), 1)
                 if pattern.search(line)), 1)


def _one_line(reason: BaseException) -> str:
    if isinstance(reason, RecursionError):
        return "nested too deeply"
    return " ".join(str(reason).split())[:200]

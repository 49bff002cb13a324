"""``hftbot config``: the values in force with their sources, and every key explained."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

from hftbot.app.load import Loaded
from hftbot.config.presets import preset, preset_key
from hftbot.config.schema import groups, keys
from hftbot.errors import ConfigError
from hftbot.store import durable


def show_text(loaded: Loaded, json_wanted: bool) -> str:
    """Every value in force and where it came from; secrets as ***."""
    texts = loaded.settings.texts()
    if json_wanted:
        return json.dumps({
            "digest": loaded.settings.digest(), "files": loaded.files, "notes": loaded.notes,
            "settings": {name: {"value": text, "source": loaded.sources[name]}
                         for name, text in texts.items()}}, indent=2)
    lines = []
    width = max(len(name) + len(text) for name, text in texts.items()) + 1
    for group in groups():
        lines.append(f"# {group}")
        for key in keys().values():
            if key.group == group:
                setting = f"{key.name}={texts[key.name]}"
                lines.append(f"{setting:<{min(width, 48)}}  # {loaded.sources[key.name]}")
        lines.append("")
    lines += [f"# note: {note}" for note in loaded.notes]
    lines.append(f"# configuration {loaded.settings.digest()}")
    return "\n".join(lines)


def keys_text(json_wanted: bool) -> str:
    """Every key with its default, range and meaning."""
    if json_wanted:
        return json.dumps({key.name: {
            "section": key.group, "default": "***" if key.secret and key.default else key.default,
            "allowed": key.kind.expects(), "help": key.help, "later": key.later,
            "aliases": key.aliases, "secret": key.secret} for key in keys().values()}, indent=2)
    lines = []
    for group in groups():
        lines.append(f"[{group}]")
        for key in keys().values():
            if key.group != group:
                continue
            lines.append(f"  {key.name}={key.default}")
            lines.append(f"      {key.help}" + (f"; {key.later}" if key.later else ""))
            lines.append(f"      {key.kind.expects()}"
                         + (f"; also {', '.join(key.aliases)}" if key.aliases else ""))
        lines.append("")
    return "\n".join(lines).rstrip()


def init(target: str, force: bool, json_wanted: bool) -> int:
    """``hftbot init``: write every setting as a comment, so that nothing changes by itself.

    Raises ConfigError if the file is there, or cannot be written.
    """
    path = Path(target).expanduser().absolute()
    if os.path.lexists(path) and not (force and path.is_file() and not path.is_symlink()):
        raise ConfigError(f"--out {target}: something is there already; "
                          + ("choose another name" if force else "--force replaces a file"))
    try:
        durable.replace(path, init_text())
    except OSError as error:
        raise ConfigError(f"--out {target}: cannot be written: {error.strerror or error}") from None
    if json_wanted:
        print(json.dumps({"file": str(path), "keys": len(keys())}))
    else:
        print(f"{path}: {len(keys())} settings, all of them comments. Remove a # to change one; "
              "`hftbot config show` prints what is in force")
    return 0


def init_text() -> str:
    """A .env file in which every line is a comment: what is in force without it."""
    lines = [
        "# hftbot: every setting, with what it does and what is allowed.",
        "# A line without # is in force. As written, nothing is: the simulated market is traded,",
        "# and no order leaves this machine.",
        "#",
        "# To trade on the real Kraken: KRAKEN_API_KEY and KRAKEN_API_SECRET of a key that may",
        "# query and trade and may NOT withdraw, DRY_RUN=0, and `hftbot run --live`. While DRY_RUN",
        "# is 1, that checks everything, and prints and journals what it would have sent."]
    given = preset(keys()["STRATEGY"].default)
    values = {preset_key(name).name: text for name, text in given.items()}
    for group in groups():
        lines += ["", f"# --- {group} " + "-" * (80 - len(group))]
        for key in keys().values():
            if key.group != group:
                continue
            told = key.help + (f"; {key.later}" if key.later else "")
            lines += ["", *textwrap.wrap(f"{told} ({key.kind.expects()})", 92,
                                         initial_indent="# ", subsequent_indent="# "),
                      f"#{key.name}={'' if key.secret else values.get(key.name, key.default)}"]
    return "\n".join(lines) + "\n"

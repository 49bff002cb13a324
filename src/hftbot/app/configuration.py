"""``hftbot config``: the values in force with their sources, and every key explained."""

from __future__ import annotations

import json

from hftbot.app.load import Loaded
from hftbot.config.schema import groups, keys


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

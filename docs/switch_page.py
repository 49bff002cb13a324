"""docs/switches.md: the exchange's switches, from comments and values of their table."""

from __future__ import annotations

import ast
import pathlib

from hftbot.exchange import settings


def comments() -> dict[str, str]:
    """The comment above each switch; one comment may stand above several."""
    text = pathlib.Path(settings.__file__).read_text(encoding="utf-8")
    [switches] = [node for node in ast.parse(text).body
                  if isinstance(node, ast.ClassDef) and node.name == "Switches"]
    lines, found, current = text.splitlines(), {}, ""
    previous = switches.body[0].end_lineno or 0
    for node in switches.body[1:]:
        assert isinstance(node, ast.AnnAssign)
        assert isinstance(node.target, ast.Name)
        above = [line.strip().removeprefix("# ") for line in lines[previous:node.lineno - 1]
                 if line.strip().startswith("#")]
        current = " ".join(above) or current
        found[node.target.id] = current
        previous = node.end_lineno or previous
    return found


def page() -> str:
    """The page's text."""
    told = comments()
    lines = ["# Switches of the embedded exchange", "",
             "Where no source says what Kraken does, or sources disagree, the exchange can do",
             "both: `hftbot exchange --switch NAME=VALUE`, as often as needed; `--switch help`",
             "lists them. Written by `docs/generate.py` from `hftbot.exchange.settings`.", "",
             "| switch | what it decides | values, the default first |", "|---|---|---|"]
    for name, words in settings.switch_values().items():
        lines.append(f"| `{name}` | {told[name].replace('|', ',')} | "
                     f"{', '.join(f'`{word}`' for word in words)} |")
    return "\n".join(lines) + "\n"

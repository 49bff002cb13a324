"""Long lines on a terminal: broken between words, and aligned under the text that they go on."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

# A row of the banner, the summary or the status: its name, at least two spaces, its text.
_NAMED = re.compile(r" *\S+(?: \S+)*? {2,}")
INDENT_MAX = 24
COLUMNS_MIN = 40


def fitted(text: str, stream: TextIO) -> str:
    """The text as it is, or folded if the stream is a terminal that is narrower."""
    try:
        if not stream.isatty():
            return text
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return text
    return folded(text, columns)


def folded(text: str, columns: int) -> str:
    """Each line in at most so many columns. Words that are longer (paths, addresses) stay whole."""
    if columns < COLUMNS_MIN:
        return text
    return "\n".join(_fold(line, columns) for line in text.split("\n"))


def _fold(line: str, columns: int) -> str:
    if len(line) <= columns:
        return line
    named = _NAMED.match(line)
    indent = named.end() if named else len(line) - len(line.lstrip())
    if not 0 < indent <= INDENT_MAX:
        indent = 2
    return textwrap.fill(line, columns, subsequent_indent=" " * indent, drop_whitespace=True,
                         break_long_words=False, break_on_hyphens=False)

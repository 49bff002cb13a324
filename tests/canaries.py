"""Planted secrets, every spelling of them, and the search for them in whatever a run left."""

from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Callable, Iterable
from urllib.parse import quote

ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "hex": lambda plain: plain.encode().hex(),
    "base64": lambda plain: base64.b64encode(plain.encode()).decode().rstrip("="),
    "url": lambda plain: quote(plain, safe=""),
    "json": lambda plain: json.dumps(plain)[1:-1],
    "repr": lambda plain: repr(plain)[1:-1],
}


def canary(name: str) -> str:
    """A secret that every encoding spells in its own way."""
    return f"""canary/{name}+"\\'%&{name[::-1]}="""


def spelt(plain: str) -> str:
    """All spellings in one line, as an error text might hold them."""
    return " , ".join(encode(plain) for encode in ENCODINGS.values())


def hits(outputs: dict[str, bytes], canaries: dict[str, str]) -> list[str]:
    """``output: canary as encoding`` for each one that can be read somewhere."""
    found = []
    for place, content in outputs.items():
        lower = content.lower()
        for name, plain in canaries.items():
            for encoding, encode in ENCODINGS.items():
                needle = encode(plain).encode()
                if needle in content or (encoding == "hex" and needle in lower):
                    found.append(f"{place}: {name} as {encoding}")
    return found


def files(folder: pathlib.Path, but: Iterable[str] = ()) -> dict[str, bytes]:
    """Every file below a folder by its path in it, except those named."""
    return {shown: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
            and (shown := path.relative_to(folder).as_posix()) not in set(but)}

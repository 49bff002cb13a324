"""A value that must not be seen."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Holds a secret; shows itself as *** and refuses to be copied or pickled.

    Two of them compare in a time that does not depend on where they differ. The text is never
    wiped: Python keeps strings as it likes. It lives as long as the process, whose memory is kept
    from core files and debuggers instead (hftbot.app.hardening).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The plain text, for the one place that needs it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __getstate__(self) -> NoReturn:
        self.__reduce__()

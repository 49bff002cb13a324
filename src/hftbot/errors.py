"""Operating errors. Each says what the desk does about it.

::

    HftbotError
    |- ConfigError              refuse to start
    |- VenueError
    |  |- TransportError        retry
    |  |  |- Timeout            retry (an order: DOUBT)
    |  |  |- Disconnected       retry
    |  |  `- StaleFeed          resync
    |  |- VenueReject           see the leaf
    |  |  |- RateLimited        retry later
    |  |  |- NoFunds            drop
    |  |  |- BadNonce           resync
    |  |  |- TokenRefused       resync (a new token)
    |  |  |- PostOnlyWouldTake  drop
    |  |  |- EngineDown         retry later
    |  |  `- Denied             halt
    |  `- ProtocolError         resync
    |     |- BadFrame
    |     |- ChecksumMismatch
    |     `- SequenceGap
    |- UnknownOutcome           ask, never resend
    |- DataError                refuse the file
    |- Halted                   refuse to start until a human resumes
    |- PreconditionError        refuse to trade live
    |- NoBot                    say so, or do it without one
    `- StoreError               halt
       `- InUse                 refuse: another process holds it
"""

from __future__ import annotations

from typing import ClassVar, Literal

Remedy = Literal["refuse", "retry", "resync", "drop", "ask", "halt"]


class HftbotError(Exception):
    """Root of the tree. ``exit_code`` is what the process ends with if nobody handles it."""

    remedy: ClassVar[Remedy] = "halt"
    exit_code: ClassVar[int] = 1


class ConfigError(HftbotError):
    """A setting is wrong: names the key, the value, where it came from and the remedy."""

    remedy: ClassVar[Remedy] = "refuse"
    exit_code: ClassVar[int] = 2


class VenueError(HftbotError):
    """Something between us and a venue."""

    remedy: ClassVar[Remedy] = "retry"


class TransportError(VenueError):
    """The bytes did not get through."""


class Timeout(TransportError):
    """No answer within the deadline."""


class Disconnected(TransportError):
    """The link is down."""


class StaleFeed(TransportError):
    """The link is up and silent."""

    remedy: ClassVar[Remedy] = "resync"


class VenueReject(VenueError):
    """The venue answered no."""

    remedy: ClassVar[Remedy] = "drop"


class RateLimited(VenueReject):
    """Too many requests."""

    remedy: ClassVar[Remedy] = "retry"


class NoFunds(VenueReject):
    """The account cannot pay for it."""


class BadNonce(VenueReject):
    """The nonce was not above the last one."""

    remedy: ClassVar[Remedy] = "resync"


class TokenRefused(VenueReject):
    """The stream's token is missing, unknown or too old."""

    remedy: ClassVar[Remedy] = "resync"


class PostOnlyWouldTake(VenueReject):
    """A post-only order would have traded at once."""


class EngineDown(VenueReject):
    """The venue's engine does not accept this now."""

    remedy: ClassVar[Remedy] = "retry"


class Denied(VenueReject):
    """The key is wrong or lacks a right."""

    remedy: ClassVar[Remedy] = "halt"


class ProtocolError(VenueError):
    """The venue's bytes are not what its protocol says."""

    remedy: ClassVar[Remedy] = "resync"


class BadFrame(ProtocolError):
    """A frame that cannot be read."""


class ChecksumMismatch(ProtocolError):
    """Our book differs from the venue's."""


class SequenceGap(ProtocolError):
    """A message is missing."""


class UnknownOutcome(HftbotError):
    """Sent, and nobody knows what became of it."""

    remedy: ClassVar[Remedy] = "ask"


class DataError(HftbotError):
    """A data file is not what it should be: names the file and the line or offset."""

    remedy: ClassVar[Remedy] = "refuse"
    exit_code: ClassVar[int] = 2


class StoreError(HftbotError):
    """The state directory cannot be used."""

    exit_code: ClassVar[int] = 3


class InUse(StoreError):
    """Another process holds the state directory."""

    remedy: ClassVar[Remedy] = "refuse"


class PreconditionError(HftbotError):
    """Something that live trading needs does not hold: names each one and what mends it."""

    remedy: ClassVar[Remedy] = "refuse"
    exit_code: ClassVar[int] = 7


class NoBot(HftbotError):
    """No bot runs on this state directory."""

    remedy: ClassVar[Remedy] = "refuse"


class Halted(HftbotError):
    """A halt of the venue account is in force; only a human clears it."""

    remedy: ClassVar[Remedy] = "refuse"
    exit_code: ClassVar[int] = 5

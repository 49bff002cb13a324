"""How bytes reach a venue: with which certificates, and through which fence."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from hftbot.errors import ConfigError
from hftbot.live.dry_run import DryHttp, DryRun, fenced
from hftbot.wire import ws
from hftbot.wire.http import HttpClient
from hftbot.words.ports import Http


@dataclass(slots=True)
class Access:
    """``tls`` None means the system's certificates; with ``dry`` nothing that trades passes."""

    tls: ssl.SSLContext | None = None
    dry: DryRun | None = None

    def connect(self, inner: Callable[..., Any] = ws.connect) -> ws.Connect:
        """How a WebSocket is opened."""
        plain: Any = inner if self.tls is None else partial(inner, ssl_context=self.tls)
        return plain if self.dry is None else fenced(plain, self.dry.divert)

    def http(self, client: HttpClient, rest_url: str) -> Http:
        """A client for that address."""
        return client if self.dry is None else DryHttp(client, rest_url)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that checks the venue's certificate and name.

    ``ca_file`` empty: the system's certificates, or those that SSL_CERT_FILE names. Raises
    ConfigError.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"KRAKEN_CA_FILE={ca_file}: cannot be used: "
                          f"{getattr(error, 'strerror', None) or error}; it must hold PEM "
                          "certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def serving_context(cert: str, key: str) -> ssl.SSLContext | None:
    """What the embedded exchange serves TLS with; None without a certificate.

    Raises ConfigError.
    """
    if bool(cert) != bool(key):
        raise ConfigError("--tls-cert and --tls-key belong together")
    if not cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"--tls-cert {cert} --tls-key {key}: cannot be used: "
                          f"{error.strerror or error}") from None
    return context

"""The embedded exchange over TLS, in the place of the real venue, and its keys."""

from __future__ import annotations

import base64
import hashlib
import json
import pathlib
import ssl
import subprocess
import urllib.request
from typing import Any

from hftbot.exchange.api_keys import Gatekeeper
from journeys.bot import command, environment, start


def certificate(folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=venue",
         "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True, timeout=30)
    return cert, key


class TlsVenue:
    """A running `hftbot exchange --tls-cert`, and a .env file that makes it the live venue."""

    def __init__(self, folder: pathlib.Path, *more: str) -> None:
        self.folder = folder
        self.cert, key = certificate(folder)
        self.process = start(folder, "exchange", "--state", "venue", "--json", "--tls-cert",
                             str(self.cert), "--tls-key", str(key), *more)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.told = json.loads(line)
        self.endpoint = json.loads((folder / "venue" / "exchange" / "endpoint.json").read_text())
        self.write()

    def write(self, **other: str) -> None:
        """.env of the folder: the venue's addresses, the trader's key, and what ``other`` says."""
        values = {"KRAKEN_REST_URL": self.endpoint["rest_url"],
                  "KRAKEN_WS_URL": self.endpoint["ws_url"],
                  "KRAKEN_WS_AUTH_URL": self.endpoint["ws_auth_url"],
                  "KRAKEN_WS_L3_URL": self.endpoint["ws_l3_url"],
                  "KRAKEN_API_KEY": self.endpoint["api_key"],
                  "KRAKEN_API_SECRET": self.endpoint["api_secret"],
                  "KRAKEN_CA_FILE": str(self.cert), **other}
        path = self.folder / ".env"
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items() if value))
        path.chmod(0o600)

    def key(self, name: str) -> dict[str, str]:
        """Another key of the account: guardian, reader or withdrawer."""
        if name == "guardian":
            return {"KRAKEN_API_KEY": self.endpoint["guardian_api_key"],
                    "KRAKEN_API_SECRET": self.endpoint["guardian_api_secret"]}
        seed = f"{name} {self.endpoint['api_secret']}".encode()
        secret = base64.b64encode(hashlib.sha512(seed).digest()).decode()
        public = base64.b64encode(hashlib.sha512(b"public " + seed).digest()[:42]).decode()
        return {"KRAKEN_API_KEY": public, "KRAKEN_API_SECRET": secret}

    def iban(self) -> str:
        """The account's name, which all its keys share, as the exchange tells it."""
        saved = {"api_key": "", "api_secret": self.endpoint["api_secret"]}
        return Gatekeeper(None, saved).iban

    def status(self) -> dict[str, Any]:
        """What the exchange says of itself: orders it saw, fills, open ones, its switch."""
        context = ssl.create_default_context(cafile=str(self.cert))
        with urllib.request.urlopen(f"{self.endpoint['rest_url']}/sim/status", timeout=5,
                                    context=context) as answer:
            return json.load(answer)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command in the folder, with more variables in its environment."""
        return subprocess.run(command(*arguments), cwd=self.folder, text=True, timeout=60,
                              env={**environment(), **variables}, capture_output=True)

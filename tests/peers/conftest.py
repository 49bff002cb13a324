"""Other people's clients against the embedded exchange.

Each test starts an exchange (``exchange``) and runs a script beside it by another interpreter
(``peer``): the one that HFTBOT_PEERS names, which has python-kraken-sdk and ccxt. Without it these
tests are skipped. A script gets the path of endpoint.json and the test's own arguments, and prints
one JSON document as its last line; whatever fails in it, it raises.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import fastcore

HERE = pathlib.Path(__file__).resolve().parent
# The exchange is the one that is tested here: the tree's own sources, or what was installed.
SOURCES = pathlib.Path(fastcore.__file__).resolve().parents[1]
PEER_S_MAX = 100.0


@pytest.fixture(scope="session")
def peers_python() -> str:
    """The interpreter with the other clients; the test is skipped if there is none."""
    path = os.environ.get("HFTBOT_PEERS", "")
    if not path:
        pytest.skip("HFTBOT_PEERS names no interpreter with python-kraken-sdk and ccxt")
    if not pathlib.Path(path).exists():
        pytest.fail(f"HFTBOT_PEERS: there is no {path}")
    return path


@pytest.fixture(scope="session")
def hftbacktest_python() -> str:
    """The interpreter that HFTBOT_HFTBACKTEST names, which has hftbacktest; skipped without it."""
    path = os.environ.get("HFTBOT_HFTBACKTEST", "")
    if not path:
        pytest.skip("HFTBOT_HFTBACKTEST names no interpreter with hftbacktest")
    if not pathlib.Path(path).exists():
        pytest.fail(f"HFTBOT_HFTBACKTEST: there is no {path}")
    return path


@pytest.fixture
def exchange(tmp_path: pathlib.Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """``exchange(*flags)`` starts ``hftbot exchange`` and returns its endpoint document.

    The document has ``endpoint_file`` besides: its own path. The process ends with the test.
    """
    with contextlib.ExitStack() as stack:
        started = 0

        def start(*flags: str) -> dict[str, Any]:
            nonlocal started
            started += 1
            state = tmp_path / f"venue{started}"
            process = stack.enter_context(subprocess.Popen(
                [sys.executable, "-m", "hftbot", "exchange", "--json", "--state", str(state),
                 "--seed", "7", "--with-bot", "--linger", "0", *flags],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(SOURCES)}))
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            assert process.stdout is not None
            banner = process.stdout.readline()
            assert banner.startswith("{"), f"the exchange did not start: {banner!r}"
            path = state / "exchange" / "endpoint.json"
            return {**json.loads(path.read_text()), "endpoint_file": str(path)}
        yield start


@pytest.fixture
def peer(peers_python: str, tmp_path: pathlib.Path) -> Callable[..., Any]:
    """``peer(script, facts, *arguments)`` runs a script of this folder, returns what it printed."""
    def run(script: str, facts: dict[str, Any], *arguments: str) -> Any:
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("PYTHON")}
        done = subprocess.run(
            [peers_python, str(HERE / script), facts["endpoint_file"], *arguments],
            capture_output=True, text=True, timeout=PEER_S_MAX, cwd=tmp_path, env=environment)
        assert done.returncode == 0, f"{script} failed:\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])
    return run

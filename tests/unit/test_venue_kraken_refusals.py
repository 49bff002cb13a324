"""venue.kraken.refusals: every error string that is documented, recorded or answered is mapped."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest
from engine_rig import Rig

import hftbot.exchange
from hftbot import errors
from hftbot.engine.guard import HALTED
from hftbot.venue.kraken import codec, refusals
from hftbot.words import events as ev
from kraken_frames import SHARED, fixture_lines, needs_fixtures

REFERENCE = SHARED / "reference" / "venues" / "kraken.md"
LEFT_OPEN = re.compile(r"\[:[a-z]+\]|\s*\([^()]*[ ≈][^()]*\)\s*$|: <unix ts>$")


def documented():
    """Every error string of the reference's section 8."""
    text = REFERENCE.read_text(encoding="utf-8")
    part = text[text.index("## 8. Error strings"):text.index("Suggested client classes")]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| ")][1:]
    lists = [line for line in part.splitlines() if re.match(r"E[A-Z][A-Za-z]+:", line)]
    words = [word.strip() for row in cells + lists for word in re.split(r" · | / ", row)]
    return [LEFT_OPEN.sub("", LEFT_OPEN.sub("", word)).strip() for word in words if word.strip()]


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the shared reference is absent")
def test_every_documented_error_has_a_row():
    found = documented()
    assert len(found) >= 75
    assert not [code for code in found if not refusals.row_of(code)]
    assert {"EOrder:Reduce only:Non-PC", "EService:Throttled", "Invalid timeout argument",
            "Subscription ohlc requires interval", "EGeneral:Internal error"} <= set(found)


@needs_fixtures
def test_every_recorded_error_has_a_row():
    frames = fixture_lines("ws_errors/*.jsonl", "rest/asyncrs_errors.jsonl")
    assert len(frames) > 10
    for line in frames:
        error = codec.parse(line)["error"]
        code = error if isinstance(error, str) else error[0]
        assert refusals.row_of(code), code


def test_every_error_that_the_embedded_exchange_writes_has_a_row():
    folder = pathlib.Path(hftbot.exchange.__file__).parent
    said = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) \
                    and re.match(r"E[A-Z][A-Za-z]+:[A-Z]", node.value):
                said.add(node.value)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused" \
                    and node.args and isinstance(node.args[0], ast.Constant):
                said.add(node.args[0].value)
    assert len(said) > 20
    assert not [code for code in said if not refusals.row_of(code)]


@pytest.mark.parametrize(("code", "expected"), [
    ("EOrder:Insufficient funds", errors.NoFunds),
    ("EOrder:Post only order", errors.PostOnlyWouldTake),
    ("EOrder:Rate limit exceeded", errors.RateLimited),
    ("EService:Market in post_only mode", errors.EngineDown),
    ("EService:Throttled: 1716116000", errors.RateLimited),
    ("EGeneral:Internal error:EX-17", errors.EngineDown),
    ("EGeneral:Invalid arguments:no_mpp order option is only available when ordertype = market",
     errors.VenueReject),
    ("EAPI:Invalid nonce", errors.BadNonce), ("EAPI:Invalid key", errors.Denied),
    ("ESession:Invalid session", errors.TokenRefused),
    ("Currency pair not supported XBT/USD", errors.VenueReject),
    ("Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
     errors.VenueReject),
    ("EOrder:Something new", errors.VenueReject), ("", errors.VenueReject),
    (":", errors.VenueReject), ("   ", errors.VenueReject)])
def test_error_strings_map_to_the_error_tree(code, expected):
    assert refusals.error_for(code) is expected


@pytest.mark.parametrize(("code", "row"), [
    ("EOrder:Something new", ""), ("", ""), ("...", ""), ("EOrder", ""),
    ("order_qty field must be a number_float", ""),
    ("Order_qty field must be a number_float", "<Field> field must be a <type>"),
    ("Limit_price field must be a number_float", "Limit_price field must be a number_float"),
    ("EGeneral:Invalid arguments:Index unavailable",
     "EGeneral:Invalid arguments:Index unavailable"),
    ("EGeneral:Invalid arguments:volume", "EGeneral:Invalid arguments")])
def test_the_longest_row_counts(code, row):
    assert refusals.row_of(code) == row


def test_only_a_lost_answer_is_an_unknown_outcome():
    unknown = {code for code in refusals.ROWS if refusals.outcome_unknown(code)}
    assert unknown == {"EService:Unavailable", "EService:Timeout", "EService:Busy",
                       "EGeneral:Internal error"}
    assert not refusals.outcome_unknown("EService:Deadline elapsed")


def test_token_errors():
    assert {code for code in refusals.ROWS if refusals.token_refused(code)} == {
        "ESession:Invalid session", "EAPI:Invalid token", "Token(s) not found"}


def test_every_row_says_when_and_has_a_remedy():
    for code, (kind, when) in refusals.ROWS.items():
        assert when, code
        assert kind.remedy in ("retry", "resync", "drop", "halt"), code
    assert {code for code in refusals.ROWS if refusals.forbids(code)} == {
        code for code, (kind, _) in refusals.ROWS.items() if kind is errors.Denied}


@pytest.mark.parametrize("event", [
    ev.VenueError("EGeneral:Permission denied", 1), ev.OrderRejected(5, "EAPI:Invalid key", 1),
    ev.CancelRejected(5, "EAuth:Account temporary disabled", 1)])
def test_a_key_that_the_venue_refuses_halts_the_bot(tmp_path, event):
    rig = Rig(tmp_path)
    rig.world.engine.on_events((event,))
    assert rig.world.guard.state == HALTED
    assert rig.world.guard.sticky
    assert event.code in rig.world.guard.reason


def test_any_other_refusal_does_not(tmp_path):
    rig = Rig(tmp_path)
    for code in refusals.ROWS:
        if not refusals.forbids(code):
            rig.world.engine.on_events((ev.VenueError(code, 1), ev.OrderRejected(5, code, 1)))
    assert rig.world.guard.state != HALTED

"""``hftbot journal show``, ``verify`` and ``replay``: the journal for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from fastcore.codec.text import client_id_text
from fastcore.lane import desk
from fastcore.money.journal import row_words
from hftbot.app.recovery import replayed
from hftbot.engine.recover import (
    KIND_DRY,
    KIND_END_TEXT,
    KIND_FILL_TEXT,
    Replay,
    end_text_parse,
    fill_text_parse,
)
from hftbot.errors import HftbotError, StoreError
from hftbot.store.journal_reader import (
    JournalCopy,
    header_words,
    names,
    read_both,
    run_files,
    run_of,
)
from hftbot.store.state_dir import hot_folder
from hftbot.watch import status
from hftbot.words.order import OrderState, Tif, client_id_parts

ROW_BYTES = 64
KINDS = {desk.KIND_ORDER: "ORDER", desk.KIND_FILL: "FILL", desk.KIND_DONE: "DONE",
         desk.KIND_ACK: "ACK", desk.KIND_CANCEL: "CANCEL", desk.KIND_AMEND: "AMEND",
         desk.KIND_DOUBT: "DOUBT", desk.KIND_AMENDED: "AMENDED", desk.KIND_ADOPT: "ADOPT",
         desk.KIND_POSITION: "POSITION", desk.KIND_AMEND_REFUSED: "AMEND_REFUSED",
         desk.KIND_DISCARD: "DISCARD", desk.KIND_STATE: "STATE", desk.KIND_SEEN: "SEEN"}
# What the words behind ClientId and flags mean; the moment stands where it is named at_us.
OTHER = {"DONE": ("state", "filled_lots"), "CANCEL": ("request",), "AMEND": ("ticks", "lots"),
         "AMENDED": ("ticks", "lots")}
WORDS = {"ORDER": ("ticks", "lots", "created_us", "at_us", "deadline_us", "request"),
         "FILL": ("ticks", "lots", "fee_e10", "fill_key", "at_us"),
         "ADOPT": ("ticks", "lots", "filled_lots", "unused", "at_us", "created_us")}
# Rows that are about no order.
ACCOUNT = {"POSITION": ("lots", "cost", "realised", "fees_e10", "at_us", "opened_us"),
           "STATE": ("hash", "day", "day_profit_e10", "counter", "at_us", "mark"),
           "SEEN": ("key_1", "key_2", "key_3", "key_4", "at_us")}
T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def show(state: Path, run: int | None, json_wanted: bool) -> int:
    """Print every record of one run, the last one without ``run``. Raises HftbotError.

    A run that went on in a second file is shown file by file.
    """
    files = []
    good = True
    for name in _chosen(_journals(state), state, run):
        copy, trouble = _read(state, name)
        good = good and not trouble
        header = copy.header.decode("utf-8", "replace")
        symbols = header_words(copy.header).get("symbols", "").split(",")
        records = (record(*row, symbols) for row in copy.rows())
        if json_wanted:
            files.append({"journal": name, "read": str(copy.path), "header": header,
                          "damage": trouble, "records": list(records)})
            continue
        print(f"{copy.path}: {header}")
        for row in records:
            print(line(row))
        if trouble or copy.remark:
            print(f"here it ends: {trouble or copy.remark}")
    if json_wanted:
        print(json.dumps({**files[0], "later": files[1:]}, indent=2))
    return 0 if good else 1


def verify(state: Path, run: int | None, json_wanted: bool) -> int:
    """Check the journals of all runs, or of one: a line each; 1 if any is damaged, else 0."""
    found = _journals(state)
    chosen = found if run is None else _chosen(found, state, run)
    results = []
    for name in chosen:
        copy, trouble = _read(state, name)
        results.append({"journal": name, "ok": not trouble, "read": str(copy.path),
                        "records": copy.records, "bytes": copy.size, "damage": trouble,
                        "remark": copy.remark})
        if not json_wanted:
            extra = trouble or copy.remark
            print(f"{'ok' if not trouble else 'DAMAGED':<8}{name}  {copy.records} records, "
                  f"{copy.size} bytes in {copy.path.parent}" + (f"; {extra}" if extra else ""))
    good = all(result["ok"] for result in results)
    if json_wanted:
        print(json.dumps({"ok": good, "journals": results}, indent=2))
    return 0 if good else 1


def replay(state: Path, run: int | None, json_wanted: bool) -> int:
    """Print the state that a run's journal gives; 1 if a checkpoint in it disagrees, else 0.

    Of a run that went on in a second file each file stands alone, and the last one counts.
    """
    files = []
    good = True
    journals = _journals(state)
    for name in _chosen(journals, state, run):
        copy, trouble = _read(state, name)
        result = replayed(copy)
        good = good and not (result.mismatch or trouble)
        symbols = header_words(copy.header).get("symbols", "").split(",")
        told = {"journal": name, "read": str(copy.path), "damage": trouble,
                "runs_now": name == journals[-1] and _bot_runs(state),
                **_replayed(result, symbols)}
        files.append(told)
        if not json_wanted:
            _print_replay(told)
    if json_wanted:
        print(json.dumps({**files[-1], "earlier": files[:-1]}, indent=2))
    return 0 if good else 1


def _print_replay(told: dict[str, Any]) -> None:
    print(f"{told['read']}: {told['records']} records, {told['orders']} orders named, "
          f"{told['fills']} fills; the run " + (
              "stopped cleanly" if told["clean"] else
              "goes on" if told["runs_now"] else "did not stop cleanly"))
    for row in told["positions"]:
        print(f"position {row['symbol']}: {row['lots']} lots, cost {row['cost']}, realised "
              f"{row['realised']} (ticks * lots), fees {row['fees_e10'] / 1e10:.10f}, held "
              f"since {stamp(row['opened_us']) if row['lots'] else 'never'}")
    for row in told["open_orders"]:
        print(f"open {row['cl_ord_id']} {row['symbol']} {row['side']} {row['lots']} lots at "
              f"{row['ticks']} ticks, {row['filled_lots']} filled: {row['state']}")
    print(f"state hash {told['state_hash']}; {told['checkpoints']} checkpoints, " + (
        f"record {told['mismatch']} does NOT agree" if told["mismatch"] else "all agree"))
    if told["damage"]:
        print(f"here it ends: {told['damage']}")


def _replayed(result: Replay, symbols: Sequence[str]) -> dict[str, Any]:
    return {
        "records": result.records, "orders": result.named, "fills": result.fills,
        "clean": result.clean, "checkpoints": result.checkpoints, "mismatch": result.mismatch,
        "state_hash": result.state_hash(),
        "positions": [{"symbol": symbol, "lots": position.lots, "cost": position.cost,
                       "realised": position.realised, "fees_e10": position.fees_e10,
                       "opened_us": since_us} for symbol, position, since_us in zip(
                           symbols, result.positions, result.opened_us, strict=True)],
        "open_orders": [{
            **_who(order.client_id), "symbol": symbols[order.instrument],
            "side": "SELL" if order.side else "BUY", "ticks": order.ticks, "lots": order.lots,
            "filled_lots": order.filled, "state": OrderState(order.state).name}
            for _, order in sorted(result.orders.items())]}


def copies(state: Path, run: int | None) -> list[JournalCopy]:
    """The files of one run, the last one without ``run``, in their order. Raises HftbotError.

    A damaged file is refused: what follows the damage would be missing.
    """
    found = []
    for name in _chosen(_journals(state), state, run):
        copy, trouble = _read(state, name)
        if trouble:
            raise StoreError(f"{trouble} (see `hftbot journal verify`)")
        found.append(copy)
    return found


def record(sequence: int, kind: int, payload: bytes, symbols: Sequence[str] = ()
           ) -> dict[str, Any]:
    """One record as names and values; a kind or shape that is not known keeps its bytes as hex."""
    if kind == KIND_FILL_TEXT:
        key, maker, fill_id = fill_text_parse(payload)
        return {"sequence": sequence, "kind": "FILL_TEXT", "fill_key": key, "maker": maker,
                "fill_id": fill_id}
    if kind == KIND_DRY:
        return {"sequence": sequence, "kind": "DRY",
                "request": payload.decode("utf-8", "replace").rstrip()}
    if kind == KIND_END_TEXT:
        end = end_text_parse(payload)
        return {"sequence": sequence, "kind": "END_TEXT", **_who(end.client_id),
                "at_us": end.ended_us, "reason": end.reason, "intent": end.intent}
    name = KINDS.get(kind, "")
    if not name or len(payload) != ROW_BYTES:
        return {"sequence": sequence, "kind": name or f"KIND_{kind}", "payload": payload.hex()}
    words = row_words(payload)
    if name in ACCOUNT:
        found = {"sequence": sequence, "kind": name,
                 **dict(zip(ACCOUNT[name], words[2:], strict=False))}
        if name == "POSITION":
            found["instrument"] = symbols[words[1]] if words[1] < len(symbols) else words[1]
        return found
    told: dict[str, Any] = {"sequence": sequence, "kind": name, **_who(words[0])}
    flags = words[1]
    index = flags & 0xFFFF
    tif = flags >> 20 & 0xF
    told["instrument"] = symbols[index] if index < len(symbols) else index
    told["side"] = "SELL" if flags >> 16 & 1 else "BUY"
    told["tif"] = Tif(tif).name if tif in list(Tif) else tif
    told["post_only"] = bool(flags >> 24 & 1)
    if name in WORDS:
        told |= dict(zip(WORDS[name], words[2:], strict=False))
    else:
        told |= dict(zip(OTHER.get(name, ()), words[2:6], strict=False))
        told["at_us"] = words[6]
    state = told.get("state")
    if state in list(OrderState):
        told["state"] = OrderState(state).name
    return told


def line(told: dict[str, Any]) -> str:
    """One record on one line."""
    if "payload" in told:
        return f"{told['sequence']:>7}  {told['kind']}  payload {told['payload']}"
    if told["kind"] == "FILL_TEXT":
        return (f"{told['sequence']:>7}  {'':<27}  FILL_TEXT     fill_key {told['fill_key']} is "
                f"{told['fill_id']}" + (", maker" if told["maker"] else ""))
    if told["kind"] == "DRY":
        return f"{told['sequence']:>7}  {'':<27}  DRY           not sent: {told['request']}"
    begin = f"{told['sequence']:>7}  {stamp(told['at_us'])}  {told['kind']:<14}"
    if told["kind"] == "END_TEXT":
        return (f"{begin}{told['cl_ord_id']} ended: {told['reason'] or 'no reason given'}; wanted: "
                f"{told['intent'] or 'no reason given'}")
    if told["kind"] in ACCOUNT:
        return begin + "  ".join(f"{name} {value}" for name, value in told.items()
                                 if name not in ("sequence", "kind", "at_us"))
    parts = [f"{begin}{told['cl_ord_id']} (strategy {told['strategy']} run {told['run']} "
             f"counter {told['counter']})  {told['instrument']} {told['side']}"]
    for name in ("ticks", "lots", "state", "filled_lots", "fee_e10", "fill_key", "request"):
        if name in told:
            parts.append(f"{name} {told[name]}")
    if told["kind"] == "ORDER":
        parts.append(str(told["tif"]) + (" post-only" if told["post_only"] else ""))
        parts.append(f"created {stamp(told['created_us'])}")
        if told["deadline_us"]:
            parts.append(f"deadline {stamp(told['deadline_us'])}")
    return "  ".join(parts)


def stamp(moment_us: int) -> str:
    """UTC to the microsecond; a moment that no calendar has stays a number."""
    try:
        return (_EPOCH + timedelta(microseconds=moment_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError:
        return f"{moment_us} us"


def _who(client_id: int) -> dict[str, Any]:
    parts = client_id_parts(client_id)
    try:
        text = client_id_text(client_id)
    except ValueError:
        text = "no order of ours"
    return {"client_id": client_id, "cl_ord_id": text, **parts._asdict()}


def _folders(state: Path) -> Iterator[Path]:
    yield state / "journal"
    hot = hot_folder(state)
    if hot is not None:
        yield hot


def _journals(state: Path) -> list[str]:
    found = _guarded(state, lambda: names(*_folders(state)))
    if not found:
        raise HftbotError(f"no journal in {state} (start a bot with `hftbot run`, or name its "
                          "directory with --state)")
    return found


def _bot_runs(state: Path) -> bool:
    try:
        return status.is_alive(status.read(state / status.STATUS_FILE))
    except HftbotError:
        return False


def _chosen(found: Sequence[str], state: Path, run: int | None) -> list[str]:
    """The files of a run, or of the last run that has one."""
    if run is not None:
        files = run_files(found, run)
        if files:
            return files
        raise HftbotError(f"no journal of run {run} in {state}; there are {len(found)}, from "
                          f"{found[0]} to {found[-1]}")
    try:
        # Run numbers come round again: the highest is not always the last.
        last = run_files(found, int((state / "run").read_text(encoding="ascii")))
    except (OSError, ValueError):
        last = []
    return last or run_files(found, run_of(found[-1])) or [found[-1]]


def _read(state: Path, name: str) -> tuple[JournalCopy, str]:
    hot = hot_folder(state)
    return _guarded(state, lambda: read_both(hot / name if hot else None,
                                             state / "journal" / name))


def _guarded(state: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as error:
        raise StoreError(f"cannot read the journal of {state}: "
                         f"{error.filename or ''}: {error.strerror or error}") from None

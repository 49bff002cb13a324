"""Reads the body of a REST request: fields of a form or of a JSON object, and what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from hftbot.exchange.requests import ARGUMENTS, Refused, not_a_number

Fields = dict[str, Any]
# The most fields that a form may have.
FIELDS_MAX = 2_000
# Brackets behind a field's name; no call has more than two.
NESTED_MAX = 8
_NESTED = re.compile(r"\[([^\[\]]*)\]")


def form(body: bytes) -> Fields:
    """Fields of a form-encoded or JSON body; empty if it is neither.

    ``close[price]=1`` and ``orders[0][price]=1`` are nested as in JSON; a name that comes twice
    (``orders=A&orders=B``) holds a list. Values of a form are texts, numbers of JSON are exact.
    """
    try:
        text = body.decode()
        if text.lstrip().startswith("{"):
            message = json.loads(text, parse_float=Decimal, parse_constant=not_a_number)
            return message if isinstance(message, dict) else {}
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except (ValueError, RecursionError, ArithmeticError):
        return {}
    fields: Fields = {}
    for name, value in pairs:
        head, bracket, rest = name.partition("[")
        inside = _NESTED.findall(bracket + rest)
        if len(inside) > NESTED_MAX:
            return {}
        _put(fields, [head, *inside], value)
    return {name: _listed(value) for name, value in fields.items()}


def _put(fields: Fields, path: list[str], value: str) -> None:
    """Put a value at a path of names."""
    at = fields
    for name in path[:-1]:
        inner = at.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        at = inner
    last = path[-1] or str(len(at))
    if last in at and len(path) == 1:
        before = at[last]
        at[last] = [*before, value] if isinstance(before, list) else [before, value]
    else:
        at[last] = value


def _listed(value: Any) -> Any:
    """A mapping whose names are 0, 1, 2... is a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(part) for name, part in value.items()}
    if inner and list(inner) == [str(i) for i in range(len(inner))]:
        return list(inner.values())
    return inner


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A field as text, empty if it is absent."""
    value = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        raise Refused(f"{ARGUMENTS}{name}")
    return str(value)


def flag_of(fields: Mapping[str, Any], name: str) -> bool:
    """A field that is true or false; false if it is absent."""
    text = text_of(fields, name).lower()
    if text not in ("", "true", "false", "1", "0"):
        raise Refused(f"{ARGUMENTS}{name}")
    return text in ("true", "1")


def decimal_of(fields: Mapping[str, Any], name: str) -> Decimal | None:
    """A field as an exact number, or None if it is absent."""
    text = text_of(fields, name)
    if not text:
        return None
    return decimal(text, name)


def decimal(text: str, name: str) -> Decimal:
    """An exact number; Refused names the field."""
    try:
        value = Decimal(text) if "_" not in text else Decimal("NaN")
    except InvalidOperation as error:
        raise Refused(f"{ARGUMENTS}{name}") from error
    if not value.is_finite() or abs(value.adjusted()) > 18:
        raise Refused(f"{ARGUMENTS}{name}")
    return value


def whole_of(fields: Mapping[str, Any], name: str, default: int = 0) -> int:
    """A field as a whole number, not above 18 digits."""
    text = text_of(fields, name)
    if not text:
        return default
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise Refused(f"{ARGUMENTS}{name}")
    return int(text)


def list_of(fields: Mapping[str, Any], name: str) -> list[Any]:
    """A field as a list: JSON's, or texts between commas; empty if it is absent."""
    value = fields.get(name)
    if isinstance(value, list):
        return value
    text = text_of(fields, name)
    if text.startswith("["):
        try:
            found = json.loads(text, parse_float=Decimal, parse_constant=not_a_number)
        except (ValueError, RecursionError, ArithmeticError) as error:
            raise Refused(f"{ARGUMENTS}{name}") from error
        if isinstance(found, list):
            return found
    return [part for part in text.split(",") if part]

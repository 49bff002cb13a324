"""Rows of events as Parquet: one column each, market and grid in the file's own words.

Needs pyarrow (the extra ``parquet``), which is imported here and nowhere else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hftbot.backtest.event_file import refuse
from hftbot.backtest.event_rows import CHUNK_ROWS, EVENT, EventRows, Rows, RowStore
from hftbot.errors import ConfigError

MAGIC = b"PAR1"
WORDS = b"hftbot"
GROUP_ROWS = 1 << 20
SUFFIX = ", parquet"
"""Behind the format that the rows had before."""


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError("Parquet needs the package pyarrow: pip install 'hftbot[parquet]'"
                          ) from None
    return pyarrow, pyarrow.parquet


def require() -> None:
    """Raises ConfigError if pyarrow is missing."""
    _arrow()


def read(path: Path) -> tuple[Rows, dict[str, Any]]:
    """The rows of a file, and what ``write`` noted in it (empty for a file of others).

    Raises DataError naming the file, ConfigError if pyarrow is missing.
    """
    arrow, parquet = _arrow()
    store = RowStore()
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check(path, schema)
            for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=list(EVENT.names or ())):
                rows = np.zeros(batch.num_rows, EVENT)
                for name in EVENT.names or ():
                    column = batch.column(name)
                    if column.null_count:
                        at = column.is_null().to_pylist().index(True)
                        raise refuse(path, f"row {store.rows + at}", f"{name} is missing")
                    rows[name] = column.to_numpy(zero_copy_only=False)
                store.add(rows)
            words = (schema.metadata or {}).get(WORDS, b"{}")
    except (arrow.ArrowInvalid, arrow.ArrowException, OSError) as error:
        raise refuse(path, f"row {store.rows}" if store.rows else "",
                     f"cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    try:
        told = json.loads(words)
    except ValueError:
        told = {}
    return store.finished(), told if isinstance(told, dict) else {}


def _check(path: Path, schema: Any) -> None:
    for name in EVENT.names or ():
        place = schema.get_field_index(name)
        if place < 0:
            raise refuse(path, "", f"not a table of event rows: it lacks {name} (columns "
                                   f"{', '.join(schema.names[:12]) or 'none'})")
        if str(schema.types[place]) != {"f": "double"}.get(EVENT[name].kind, EVENT[name].name):
            raise refuse(path, "", f"column {name} is {schema.types[place]} and should be "
                                   f"{EVENT[name].name}")


def write(path: Path, found: EventRows) -> None:
    """Write rows, with the market, the grid and the notes. Raises OSError, ConfigError."""
    arrow, parquet = _arrow()
    rows = found.array
    told = {"symbol": found.symbol, "format": found.format.removesuffix(SUFFIX),
            "tick_size": f"{found.tick_size:f}", "lot_size": f"{found.lot_size:f}",
            "notes": list(found.notes)}
    names = EVENT.names or ()
    schema = arrow.schema([(name, arrow.from_numpy_dtype(EVENT[name])) for name in names],
                          metadata={WORDS: json.dumps(told).encode()})
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(rows), GROUP_ROWS):
            part = rows[start:start + GROUP_ROWS]
            columns = [arrow.array(np.ascontiguousarray(part[name])) for name in names]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))

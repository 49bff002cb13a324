KIND_COLD: int
KIND_BOOK_UPDATE: int
KIND_BOOK_SNAPSHOT: int
KIND_TRADE: int
KIND_HEARTBEAT: int
BAD_JSON: int
BAD_SHAPE: int
BAD_NUMBER: int
TOO_LARGE: int
INEXACT: int
UNKNOWN_SYMBOL: int
FRAME_MAX: int
DEPTH_MAX: int
PADDING: int

def exact(token: bytes | str, precision: int) -> int: ...

class KrakenDecoder:
    kind: int
    instrument: int
    level_count: int
    trade_count: int
    checksum: int
    ts_us: int
    scanned: int
    parsed: int
    levels: memoryview
    trades: memoryview
    def __init__(self) -> None: ...
    def add_symbol(self, symbol: bytes, price_precision: int, qty_precision: int,
                   tick_units: int = 1, lot_units: int = 1) -> int: ...
    def decode(self, frame: bytes | bytearray | memoryview, padding: int = 0) -> int: ...
    def decode_without_scanner(self, frame: bytes | bytearray | memoryview) -> int: ...

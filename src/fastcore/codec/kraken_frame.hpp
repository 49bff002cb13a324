// What a Kraken market frame is read into, and what reading it needs to know.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "number.hpp"

namespace fastcore {

constexpr int FRAME_MAX = 1 << 20;
constexpr int PADDING = 64;
constexpr int DEPTH_MAX = 16;
constexpr int LEVELS_MAX = 2048;
constexpr int TRADES_MAX = 1024;
constexpr int PAIRS_MAX = 1024;
constexpr int SYMBOL_MAX = 31;

struct Pair {
  char symbol[SYMBOL_MAX + 1];
  int size;
  int price_precision, qty_precision;
  int64_t tick_units, lot_units;
};

struct Frame {
  int64_t instrument, level_count, trade_count, checksum, ts_us;
  int64_t* levels;  // side, ticks, lots
  int64_t* trades;  // side, ticks, lots, trade_id, ts_us
  void clear() { instrument = -1, level_count = trade_count = checksum = ts_us = 0; }
};

struct Pairs {
  Pair rows[PAIRS_MAX];
  int count = 0;
  int last = 0;  // most frames are about the same instrument as the one before

  int find(const char* symbol, size_t size) {
    for (int i = 0; i < count; ++i) {
      const Pair& row = rows[i];
      if (size == static_cast<size_t>(row.size) && !memcmp(symbol, row.symbol, size))
        return last = i;
    }
    return -1;
  }
};

}  // namespace fastcore

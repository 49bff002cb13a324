// The Kraken market frame reader: the scanner first, the parser behind it.
#pragma once
#include <new>

#include "kraken_parse.hpp"
#include "kraken_scan.hpp"

namespace fastcore {

class KrakenReader {
 public:
  Frame frame;
  int64_t scanned = 0, parsed = 0;

  KrakenReader(int64_t* levels, int64_t* trades) {
    frame.levels = levels;
    frame.trades = trades;
    frame.clear();
  }

  // The new pair's index, or -1. Symbols are plain text, so that they need no escapes in JSON.
  int add(const char* symbol, size_t size, int price_precision, int qty_precision,
          int64_t tick_units, int64_t lot_units) {
    bool fits = size >= 1 && size <= SYMBOL_MAX && pairs_.count < PAIRS_MAX;
    fits = fits && price_precision >= 0 && price_precision <= PRECISION_MAX && qty_precision >= 0 &&
           qty_precision <= PRECISION_MAX && tick_units >= 1 && lot_units >= 1;
    for (size_t i = 0; fits && i < size; ++i)
      fits = symbol[i] > ' ' && symbol[i] < 127 && symbol[i] != '"' && symbol[i] != '\\';
    if (!fits || pairs_.find(symbol, size) >= 0) return -1;
    Pair& row = pairs_.rows[pairs_.count];
    memcpy(row.symbol, symbol, size);
    row.symbol[size] = 0;
    row.size = static_cast<int>(size);
    row.price_precision = price_precision;
    row.qty_precision = qty_precision;
    row.tick_units = tick_units;
    row.lot_units = lot_units;
    return pairs_.count++;
  }

  // A kind or a negative error. capacity counts the readable bytes from text on.
  int read(const char* text, size_t size, size_t capacity, bool scan) {
    frame.clear();
    if (size > FRAME_MAX) return TOO_LARGE;
    if (capacity < size + PADDING) {
      memcpy(scratch_, text, size);
      memset(scratch_ + size, 0, PADDING);
      text = scratch_;
    }
    int kind = scan ? scanner_.scan(text, size, pairs_, frame) : GIVE_UP;
    if (kind != GIVE_UP) {
      ++scanned;
      return kind;
    }
    ++parsed;
    frame.clear();
    kind = parser_.parse(text, size, pairs_, frame);
    if (kind <= KIND_COLD) frame.clear();
    return kind;
  }

 private:
  Pairs pairs_;
  KrakenScanner scanner_;
  KrakenParser parser_;
  char scratch_[FRAME_MAX + PADDING];
};

}  // namespace fastcore

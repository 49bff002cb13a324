// Reads the frames that look exactly as Kraken writes them, in one pass without a parser.
//
// Any surprise makes it give up, and the frame goes to the parser: so whatever it accepts must be
// what the parser would have answered. It may read PADDING bytes beyond the end of a frame, never
// more: between two checks of the position it moves on by less than that.
#pragma once
#include "kraken_frame.hpp"

namespace fastcore {

constexpr int GIVE_UP = -100;

#define FASTCORE_EXPECT(literal)                               \
  do {                                                         \
    if (memcmp(p, literal, sizeof(literal) - 1)) return false; \
    p += sizeof(literal) - 1;                                  \
  } while (0)

class KrakenScanner {
 public:
  int scan(const char* frame, size_t size, Pairs& pairs, Frame& out) {
    if (size == 23)
      return memcmp(frame, "{\"channel\":\"heartbeat\"}", 23) ? GIVE_UP : KIND_HEARTBEAT;
    if (size < 120) return GIVE_UP;
    const char* p = frame;
    const char* end = frame + size;
    if (!memcmp(p, "{\"channel\":\"book\",\"type\":\"", 26)) {
      p += 26;
      bool update = *p == 'u';
      return book(p, end, update, pairs, out) ? (update ? KIND_BOOK_UPDATE : KIND_BOOK_SNAPSHOT)
                                              : GIVE_UP;
    }
    return trades(p, end, pairs, out) ? KIND_TRADE : GIVE_UP;
  }

 private:
  char minute_[16] = {0};  // the text of the last stamp's minute
  int64_t minute_us_ = 0;

  // Eight digits at once: value of the text at p if all eight are digits, else -1.
  static int64_t eight(const char* p) {
    uint64_t word;
    memcpy(&word, p, 8);
    if (((word & 0xF0F0F0F0F0F0F0F0ULL) |
         (((word + 0x0606060606060606ULL) & 0xF0F0F0F0F0F0F0F0ULL) >> 4)) != 0x3333333333333333ULL)
      return -1;
    word = (word & 0x0F0F0F0F0F0F0F0FULL) * 2561 >> 8;
    word = (word & 0x00FF00FF00FF00FFULL) * 6553601 >> 16;
    return static_cast<int64_t>((word & 0x0000FFFF0000FFFFULL) * 42949672960001ULL >> 32);
  }

  // At most 18 digits after scaling, so that nothing can overflow.
  static bool number(const char*& p, int precision, int64_t* units) {
    const char* start = p;
    const char* stop = p + (18 - precision);
    uint64_t value = 0;
    unsigned digit;
    while (p < stop && (digit = static_cast<unsigned>(*p - '0')) < 10)
      value = value * 10 + digit, ++p;
    if (p == start || (*start == '0' && p > start + 1)) return false;
    int fraction = 0;
    if (*p == '.') {
      const char* begin = ++p;
      int64_t block;
      if (precision == 8 && (block = eight(p)) >= 0) {
        value = value * 100000000 + static_cast<uint64_t>(block);
        p += 8;
      } else {
        stop = p + precision;
        while (p < stop && (digit = static_cast<unsigned>(*p - '0')) < 10)
          value = value * 10 + digit, ++p;
      }
      fraction = static_cast<int>(p - begin);
      if (fraction == 0) return false;
    }
    *units = static_cast<int64_t>(value * static_cast<uint64_t>(POWERS[precision - fraction]));
    return true;
  }

  static bool steps(const char*& p, int precision, int64_t step, int64_t* count) {
    int64_t units;
    if (!number(p, precision, &units)) return false;
    *count = units;
    if (step == 1) return true;
    *count = units / step;
    return *count * step == units;
  }

  // The symbol and its closing quote.
  static const Pair* symbol(const char*& p, Pairs& pairs, Frame& out) {
    if (pairs.count == 0) return nullptr;
    const Pair* row = &pairs.rows[pairs.last];
    if (memcmp(p, row->symbol, row->size) || p[row->size] != '"') {
      const void* quote = memchr(p, '"', SYMBOL_MAX + 1);
      if (!quote || pairs.find(p, static_cast<const char*>(quote) - p) < 0) return nullptr;
      row = &pairs.rows[pairs.last];
    }
    out.instrument = pairs.last;
    p += row->size + 1;
    return row;
  }

  // "2023-10-06T17:35:55.440295Z": 27 characters.
  bool stamp(const char*& p, int64_t* us) {
    if (memcmp(p, minute_, 16)) {
      int64_t seconds;
      if (!minute_of(p, &seconds)) return false;
      memcpy(minute_, p, 16);
      minute_us_ = seconds * 1000000;
    }
    int second = digits(p + 17, 2), fraction = digits(p + 20, 6);
    if (p[16] != ':' || second < 0 || second > 60 || p[19] != '.' || fraction < 0 || p[26] != 'Z')
      return false;
    *us = minute_us_ + second * 1000000LL + fraction;
    p += 27;
    return true;
  }

  bool book(const char* p, const char* end, bool update, Pairs& pairs, Frame& out) {
    if (update)
      FASTCORE_EXPECT("update\",\"data\":[{\"symbol\":\"");
    else
      FASTCORE_EXPECT("snapshot\",\"data\":[{\"symbol\":\"");
    const Pair* pair = symbol(p, pairs, out);
    if (!pair) return false;
    FASTCORE_EXPECT(",\"bids\":[");
    int64_t* level = out.levels;
    if (!side(p, end, 0, *pair, out.levels, level)) return false;
    FASTCORE_EXPECT(",\"asks\":[");
    if (!side(p, end, 1, *pair, out.levels, level)) return false;
    FASTCORE_EXPECT(",\"checksum\":");
    const char* start = p;
    uint64_t sum = 0;
    while (p < start + 10 && is_digit(*p)) sum = sum * 10 + static_cast<uint64_t>(*p++ - '0');
    if (p == start || (*start == '0' && p > start + 1) || sum > 0xFFFFFFFFULL) return false;
    if (end - p != 45) return false;
    FASTCORE_EXPECT(",\"timestamp\":\"");
    if (!stamp(p, &out.ts_us)) return false;
    FASTCORE_EXPECT("\"}]}");
    out.checksum = static_cast<int64_t>(sum);
    out.level_count = (level - out.levels) / 3;
    return true;
  }

  // Levels up to and including the closing bracket.
  static bool side(const char*& p, const char* end, int64_t side, const Pair& pair, int64_t* first,
                   int64_t*& level) {
    if (*p == ']') return ++p, p < end;
    for (;;) {
      if (p >= end || level == first + 3 * LEVELS_MAX) return false;
      FASTCORE_EXPECT("{\"price\":");
      if (!steps(p, pair.price_precision, pair.tick_units, level + 1) || level[1] == 0)
        return false;
      FASTCORE_EXPECT(",\"qty\":");
      if (!steps(p, pair.qty_precision, pair.lot_units, level + 2) || *p != '}') return false;
      level[0] = side;
      level += 3;
      p += 2;
      if (p[-1] == ']') return p < end;
      if (p[-1] != ',') return false;
    }
  }

  bool trades(const char* p, const char* end, Pairs& pairs, Frame& out) {
    FASTCORE_EXPECT("{\"channel\":\"trade\",\"type\":\"");
    if (*p == 'u')
      FASTCORE_EXPECT("update\",\"data\":[");
    else
      FASTCORE_EXPECT("snapshot\",\"data\":[");
    int64_t instrument = -1;
    for (int64_t* row = out.trades;; row += 5) {
      if (end - p < 64 || row == out.trades + 5 * TRADES_MAX) return false;
      FASTCORE_EXPECT("{\"symbol\":\"");
      const Pair* pair = symbol(p, pairs, out);
      if (!pair || (row != out.trades && out.instrument != instrument)) return false;
      instrument = out.instrument;
      FASTCORE_EXPECT(",\"side\":\"");
      row[0] = *p == 's';
      if (row[0])
        FASTCORE_EXPECT("sell\",\"price\":");
      else
        FASTCORE_EXPECT("buy\",\"price\":");
      if (p >= end || !trade_numbers(p, end, *pair, row)) return false;
      if (end - p < 45) return false;  // the rest of the last trade
      FASTCORE_EXPECT(",\"timestamp\":\"");
      if (!stamp(p, row + 4)) return false;
      FASTCORE_EXPECT("\"}");
      out.trade_count = (row - out.trades) / 5 + 1;
      out.ts_us = row[4];
      if (*p++ == ',') continue;
      return p[-1] == ']' && p + 1 == end && *p == '}';
    }
  }

  static bool trade_numbers(const char*& p, const char* end, const Pair& pair, int64_t* row) {
    if (!steps(p, pair.price_precision, pair.tick_units, row + 1) || row[1] == 0) return false;
    FASTCORE_EXPECT(",\"qty\":");
    if (!steps(p, pair.qty_precision, pair.lot_units, row + 2)) return false;
    if (end - p < 45) return false;
    FASTCORE_EXPECT(",\"ord_type\":\"");
    const char* stop = p + 24;
    while (p < stop && ((*p >= 'a' && *p <= 'z') || *p == '-')) ++p;
    if (end - p < 45) return false;
    FASTCORE_EXPECT("\",\"trade_id\":");
    return number(p, 0, row + 3);
  }
};

#undef FASTCORE_EXPECT

}  // namespace fastcore

// Reads any frame with simdjson: the DOM proves that it is valid JSON and not deep, then On-Demand
// hands over the tokens of the numbers, which must not pass through a double.
#pragma once
#include <simdjson.h>

#include "kraken_frame.hpp"

namespace fastcore {

// Which keys of an object were seen; a second one spoils the object.
struct Seen {
  int mask = 0;
  bool add(int bit) {
    bool fresh = !(mask & bit);
    mask |= bit;
    return fresh;
  }
};

class KrakenParser {
 public:
  KrakenParser() {
    // Enough for a snapshot, so that only a larger frame allocates; a failure shows at parse().
    simdjson::error_code ready = dom_.allocate(1 << 16, DEPTH_MAX);
    if (!ready) ready = reader_.allocate(1 << 16);
    (void)ready;
  }

  // text needs PADDING readable bytes after size.
  int parse(const char* text, size_t size, Pairs& pairs, Frame& out) {
    size_t start = 0;
    while (start < size && strchr(" \t\n\r", text[start]) && text[start]) ++start;
    if (start == size || text[start] != '{') return refuse(text, size);
    simdjson::dom::element root;
    if (dom_.parse(text, size, false).get(root)) return refuse(text, size);
    Seen keys;
    simdjson::dom::element channel, type, data;
    simdjson::dom::object fields;
    if (root.get_object().get(fields)) return refuse(text, size);
    for (simdjson::dom::key_value_pair field : fields) {
      int bit = field.key == "channel" ? 1 : field.key == "type" ? 2 : field.key == "data" ? 4 : 0;
      if (bit && !keys.add(bit)) return BAD_SHAPE;
      if (bit == 1) channel = field.value;
      if (bit == 2) type = field.value;
    }
    if (!(keys.mask & 1)) return KIND_COLD;
    std::string_view name, kind;
    if (channel.get_string().get(name)) return BAD_SHAPE;
    if (name == "heartbeat") return KIND_HEARTBEAT;
    bool book = name == "book";
    if (!book && name != "trade") return KIND_COLD;
    if (keys.mask != 7 || type.get_string().get(kind)) return BAD_SHAPE;
    bool update = kind == "update";
    if (!update && kind != "snapshot") return BAD_SHAPE;
    int code = data_of(text, size, book, pairs, out);
    return code ? (code == 1 ? KIND_COLD : code)
                : book ? (update ? KIND_BOOK_UPDATE : KIND_BOOK_SNAPSHOT) : KIND_TRADE;
  }

 private:
  struct Token {
    const char* begin;
    const char* end;
  };
  struct Row {
    int64_t side;
    Token price, qty, id;
    int64_t ts_us;
  };
  simdjson::dom::parser dom_{FRAME_MAX};
  simdjson::ondemand::parser reader_{FRAME_MAX};
  Row rows_[LEVELS_MAX];
  int count_ = 0;  // rows read; may be more than are kept
  Token checksum_{};
  bool named_ = false;
  std::string_view symbol_;  // lies in reader_

  // Too deep wins over malformed, whatever came first.
  static int refuse(const char* text, size_t size) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; ++i) {
      char c = text[i];
      if (quoted) {
        if (c == '\\')
          ++i;
        else if (c == '"')
          quoted = false;
      } else if (c == '"') {
        quoted = true;
      } else if (c == '{' || c == '[') {
        if (++depth > DEPTH_MAX) return TOO_LARGE;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
    return BAD_JSON;
  }

  // 0, a negative error, or 1 for a frame with no trades.
  int data_of(const char* text, size_t size, bool book, Pairs& pairs, Frame& out) {
    simdjson::ondemand::document document;
    if (reader_.iterate(simdjson::padded_string_view(text, size, size + PADDING)).get(document))
      return BAD_JSON;
    simdjson::ondemand::object root;
    if (document.get_object().get(root)) return BAD_JSON;
    count_ = 0;
    named_ = false;
    int items = 0;
    for (auto entry : root) {
      simdjson::ondemand::field field;
      std::string_view key;
      if (std::move(entry).get(field) || field.unescaped_key().get(key)) return BAD_JSON;
      if (key != "data") continue;
      simdjson::ondemand::array array;
      if (field.value().get_array().get(array)) return BAD_SHAPE;
      for (auto element : array) {
        simdjson::ondemand::object item;
        if (element.get_object().get(item)) return BAD_SHAPE;
        if (book ? !book_item(item, out) : !trade_item(item)) return BAD_SHAPE;
        ++items;
      }
    }
    if (book && items != 1) return BAD_SHAPE;
    if (items == 0) return 1;
    if (count_ > (book ? LEVELS_MAX : TRADES_MAX)) return TOO_LARGE;
    out.instrument = pairs.find(symbol_.data(), symbol_.size());
    if (out.instrument < 0) return UNKNOWN_SYMBOL;
    return numbers(book, pairs.rows[out.instrument], out);
  }

  // All frames of one symbol; false if this one is another.
  bool name(std::string_view symbol) {
    if (named_) return symbol == symbol_;
    named_ = true;
    symbol_ = symbol;
    return true;
  }

  static bool token(simdjson::ondemand::value value, Token* out) {
    simdjson::ondemand::json_type type;
    if (value.type().get(type) || type != simdjson::ondemand::json_type::number) return false;
    std::string_view text = value.raw_json_token();
    const char* end = text.data() + text.size();
    while (end > text.data() && static_cast<unsigned char>(end[-1]) <= ' ') --end;
    *out = {text.data(), end};
    return true;
  }

  static bool stamp(simdjson::ondemand::value value, int64_t* us) {
    std::string_view text;
    return !value.get_string().get(text) && stamp_us(text.data(), text.size(), us);
  }

  bool book_item(simdjson::ondemand::object item, Frame& out) {
    Seen keys;
    for (auto entry : item) {
      simdjson::ondemand::field field;
      std::string_view key, text;
      if (std::move(entry).get(field) || field.unescaped_key().get(key)) return false;
      simdjson::ondemand::value value = field.value();
      if (key == "symbol") {
        if (!keys.add(1) || value.get_string().get(text) || !name(text)) return false;
      } else if (key == "bids") {
        if (!keys.add(2) || !side(value, 0)) return false;
      } else if (key == "asks") {
        if (!keys.add(4) || !side(value, 1)) return false;
      } else if (key == "checksum") {
        if (!keys.add(8) || !token(value, &checksum_)) return false;
      } else if (key == "timestamp") {
        if (!keys.add(16) || !stamp(value, &out.ts_us)) return false;
      }
    }
    return (keys.mask & 15) == 15;  // a snapshot may have no timestamp
  }

  bool side(simdjson::ondemand::value value, int64_t side) {
    simdjson::ondemand::array array;
    if (value.get_array().get(array)) return false;
    for (auto element : array) {
      simdjson::ondemand::object level;
      if (element.get_object().get(level)) return false;
      Row& row = rows_[count_ < LEVELS_MAX ? count_ : 0];
      Seen keys;
      for (auto entry : level) {
        simdjson::ondemand::field field;
        std::string_view key;
        if (std::move(entry).get(field) || field.unescaped_key().get(key)) return false;
        if (key == "price") {
          if (!keys.add(1) || !token(field.value(), &row.price)) return false;
        } else if (key == "qty") {
          if (!keys.add(2) || !token(field.value(), &row.qty)) return false;
        }
      }
      if (keys.mask != 3) return false;
      row.side = side;
      ++count_;
    }
    return true;
  }

  bool trade_item(simdjson::ondemand::object item) {
    Row& row = rows_[count_ < TRADES_MAX ? count_ : 0];
    Seen keys;
    for (auto entry : item) {
      simdjson::ondemand::field field;
      std::string_view key, text;
      if (std::move(entry).get(field) || field.unescaped_key().get(key)) return false;
      simdjson::ondemand::value value = field.value();
      if (key == "symbol") {
        if (!keys.add(1) || value.get_string().get(text) || !name(text)) return false;
      } else if (key == "side") {
        if (!keys.add(2) || value.get_string().get(text)) return false;
        if (text != "buy" && text != "sell") return false;
        row.side = text == "sell";
      } else if (key == "price") {
        if (!keys.add(4) || !token(value, &row.price)) return false;
      } else if (key == "qty") {
        if (!keys.add(8) || !token(value, &row.qty)) return false;
      } else if (key == "trade_id") {
        if (!keys.add(16) || !token(value, &row.id)) return false;
      } else if (key == "timestamp") {
        if (!keys.add(32) || !stamp(value, &row.ts_us)) return false;
      }
    }
    ++count_;
    return keys.mask == 63;
  }

  static int whole(const Token& token, int precision, int64_t step, int64_t* out) {
    int64_t units;
    int code = exact(token.begin, token.end, precision, &units);
    if (code) return code;
    if (units < 0) return BAD_NUMBER;
    *out = units / step;
    return *out * step == units ? 0 : INEXACT;
  }

  // A number that cannot be wins over one that is off the grid.
  int numbers(bool book, const Pair& pair, Frame& out) {
    bool inexact = false;
    int64_t sum = 0;
    int code = book ? whole(checksum_, 0, 1, &sum) : 0;
    if (code == BAD_NUMBER || sum > 0xFFFFFFFFLL) return BAD_NUMBER;
    inexact |= code == INEXACT;
    int64_t* to = book ? out.levels : out.trades;
    for (int i = 0; i < count_; ++i, to += book ? 3 : 5) {
      const Row& row = rows_[i];
      to[0] = row.side;
      code = whole(row.price, pair.price_precision, pair.tick_units, to + 1);
      if (code == BAD_NUMBER || (code == 0 && to[1] == 0)) return BAD_NUMBER;
      inexact |= code == INEXACT;
      code = whole(row.qty, pair.qty_precision, pair.lot_units, to + 2);
      if (code == BAD_NUMBER) return BAD_NUMBER;
      inexact |= code == INEXACT;
      if (book) continue;
      code = whole(row.id, 0, 1, to + 3);
      if (code == BAD_NUMBER) return BAD_NUMBER;
      inexact |= code == INEXACT;
      to[4] = out.ts_us = row.ts_us;
    }
    if (inexact) return INEXACT;
    out.checksum = sum;
    (book ? out.level_count : out.trade_count) = count_;
    return 0;
  }
};

}  // namespace fastcore

// Exact decimal numbers and stamps, read from text.
#pragma once
#include <cstdint>
#include <cstring>

namespace fastcore {

enum Code : int {
  KIND_COLD = 0, KIND_BOOK_UPDATE = 1, KIND_BOOK_SNAPSHOT = 2, KIND_TRADE = 3, KIND_HEARTBEAT = 4,
  BAD_JSON = -1, BAD_SHAPE = -2, BAD_NUMBER = -3, TOO_LARGE = -4, INEXACT = -5, UNKNOWN_SYMBOL = -6
};

constexpr int PRECISION_MAX = 18;
constexpr int64_t POWERS[19] = {
    1LL, 10LL, 100LL, 1000LL, 10000LL, 100000LL, 1000000LL, 10000000LL, 100000000LL, 1000000000LL,
    10000000000LL, 100000000000LL, 1000000000000LL, 10000000000000LL, 100000000000000LL,
    1000000000000000LL, 10000000000000000LL, 100000000000000000LL, 1000000000000000000LL};

inline bool is_digit(char c) { return static_cast<unsigned>(c - '0') < 10; }

// The exact value of a number token in units of 10**-precision. Returns 0, BAD_NUMBER for what is
// not a number or does not fit int64, INEXACT for what is not a whole number of units.
inline int exact(const char* p, const char* end, int precision, int64_t* units) {
  bool minus = p < end && *p == '-';
  if (minus) ++p;
  if (p >= end || !is_digit(*p)) return BAD_NUMBER;
  if (*p == '0' && p + 1 < end && is_digit(p[1])) return BAD_NUMBER;
  // Significant digits: from the first that is not 0 to the last that is not 0.
  int64_t seen = 0, significant = 0, zeros = 0, exponent = precision;
  uint64_t value = 0;  // the first 19 of them
  bool point = false;
  for (; p < end; ++p) {
    if (*p == '.') {
      if (point || p + 1 >= end || !is_digit(p[1])) return BAD_NUMBER;
      point = true;
      continue;
    }
    if (!is_digit(*p)) break;
    exponent -= point;
    unsigned digit = static_cast<unsigned>(*p - '0');
    if (digit == 0) {
      zeros += seen;  // seen is 0 before the first significant digit, 1 after
      continue;
    }
    for (; seen && zeros > 0 && significant < 19; --zeros, ++significant) value *= 10;
    significant += zeros;
    zeros = 0;
    if (significant < 19) value = value * 10 + digit;
    ++significant;
    seen = 1;
  }
  if (p < end) {
    if (*p != 'e' && *p != 'E') return BAD_NUMBER;
    ++p;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) ++p;
    if (p >= end) return BAD_NUMBER;
    int64_t shift = 0;
    for (; p < end; ++p) {
      if (!is_digit(*p)) return BAD_NUMBER;
      if (shift < 100000000) shift = shift * 10 + (*p - '0');
    }
    exponent += negative ? -shift : shift;
  }
  if (!seen) {
    *units = 0;
    return 0;
  }
  exponent += zeros;  // trailing zeros count as a power of ten
  if (significant + exponent > 19) return BAD_NUMBER;
  if (exponent < 0) {
    if (significant + exponent == 19 && value > static_cast<uint64_t>(INT64_MAX)) return BAD_NUMBER;
    return INEXACT;
  }
  while (exponent-- > 0) value *= 10;  // at most 19 digits: fits 64 bits without sign
  if (value > static_cast<uint64_t>(INT64_MAX)) return BAD_NUMBER;
  *units = minus ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  return 0;
}

// Days from 1970-01-01 to a date of the Gregorian calendar.
inline int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  int64_t era = year / 400, of_era = year - era * 400;  // year is not negative here
  int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

inline int digits(const char* p, int count) {  // -1 if not all digits
  int value = 0;
  for (int i = 0; i < count; ++i) {
    if (!is_digit(p[i])) return -1;
    value = value * 10 + (p[i] - '0');
  }
  return value;
}

// "2023-10-06T17:35" to seconds since the epoch; false if it is not that.
inline bool minute_of(const char* p, int64_t* seconds) {
  int year = digits(p, 4), month = digits(p + 5, 2), day = digits(p + 8, 2);
  int hour = digits(p + 11, 2), minute = digits(p + 14, 2);
  if (year < 1 || p[4] != '-' || month < 1 || month > 12 || p[7] != '-' || day < 1 || day > 31 ||
      p[10] != 'T' || hour < 0 || hour > 23 || p[13] != ':' || minute < 0 || minute > 59)
    return false;
  *seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60;
  return true;
}

// "2023-10-06T17:35:55[.1 to 9 digits]Z" to microseconds since the epoch (further digits are cut).
inline bool stamp_us(const char* p, size_t size, int64_t* us) {
  int64_t seconds;
  if (size < 20 || size > 30 || size == 21 || p[size - 1] != 'Z' || !minute_of(p, &seconds))
    return false;
  int second = digits(p + 17, 2);
  if (p[16] != ':' || second < 0 || second > 60 || (size > 20 && p[19] != '.')) return false;
  int64_t fraction = 0;
  for (size_t i = 20, unit = 100000; i + 1 < size; ++i, unit /= 10) {
    if (!is_digit(p[i])) return false;
    fraction += static_cast<int64_t>(unit) * (p[i] - '0');
  }
  *us = (seconds + second) * 1000000 + fraction;
  return true;
}

}  // namespace fastcore

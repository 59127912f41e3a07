#include "grammar/json/spelling.h"

#include <charconv>
#include <cmath>
#include <cstdint>

namespace cachalot {

std::string spelled_text(std::string_view text) {
  constexpr std::string_view kShort = "\"\\bfnrt", kShortMeans = "\"\\\b\f\n\r\t";
  constexpr char kDigits[] = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (const size_t at = kShortMeans.find(c); at != kShortMeans.npos) {
      result += {'\\', kShort[at]};
    } else if (byte < 0x20) {
      result += "\\u00";
      result += {kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      result += c;
    }
  }
  return result;
}

std::string spelled_number(double value) {
  if (value == 0) return "0";
  const bool is_fixed = std::abs(value) >= 1e-6 && std::abs(value) < 1e21;
  char text[64];
  const auto format = is_fixed ? std::chars_format::fixed : std::chars_format::scientific;
  std::string result(text, std::to_chars(text, text + sizeof text, value, format).ptr);
  if (const size_t e = result.find('e'); e != result.npos && result[e + 2] == '0')
    result.erase(e + 2, 1);
  return result;
}

}  // namespace cachalot

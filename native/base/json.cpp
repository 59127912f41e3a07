#include "base/json.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "base/error.h"

namespace cachalot {

namespace {

// A value takes some 30 times the bytes of the shortest text. The largest headers name some 40,000
// tensors, with 8 values each.
constexpr int kMaxValues = 1 << 20;

void append_utf8(std::string* text, uint32_t code) {
  const auto push = [&](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) return push(code);
  if (code < 0x800) {
    push(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      push(0xe0 | code >> 12);
    } else {
      push(0xf0 | code >> 18);
      push(0x80 | (code >> 12 & 0x3f));
    }
    push(0x80 | (code >> 6 & 0x3f));
  }
  push(0x80 | (code & 0x3f));
}

class Parser {
 public:
  Parser(std::span<const uint8_t> text, JsonRules rules)
      : text_(reinterpret_cast<const char*>(text.data()), text.size()), rules_(rules) {}

  JsonValue document() {
    JsonValue value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) fail("the end of the text");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw Error(rules_.code,
                "the JSON is malformed at byte " + std::to_string(at_) + ": expected " + expected);
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) at_++;
  }

  void expect(char c) {
    if (at_ >= text_.size() || text_[at_] != c) fail(std::string("'") + c + "'");
    at_++;
  }

  bool accept(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }

  JsonValue word(std::string_view name, JsonValue value) {
    if (text_.substr(at_, name.size()) != name) fail("a value");
    at_ += name.size();
    return value;
  }

  JsonValue parse_value(int depth) {
    if (depth > rules_.max_depth)
      fail("values nested at most " + std::to_string(rules_.max_depth) + " deep");
    if (++n_values_ > kMaxValues) fail("at most " + std::to_string(kMaxValues) + " values in all");
    skip_space();
    switch (peek()) {
      case '{': return {parse_object(depth)};
      case '[': return {parse_array(depth)};
      case '"': return {parse_string()};
      case 't': return word("true", {true});
      case 'f': return word("false", {false});
      case 'n': return word("null", {nullptr});
      default: return {parse_number()};
    }
  }

  JsonObject parse_object(int depth) {
    JsonObject object;
    expect('{');
    skip_space();
    if (accept('}')) return object;
    do {
      skip_space();
      const size_t start = at_;
      std::string key = parse_string();
      skip_space();
      expect(':');
      const bool is_new = object.emplace(std::move(key), parse_value(depth + 1)).second;
      if (!is_new) {
        at_ = start;
        fail("a key that has not appeared before in this object");
      }
      skip_space();
    } while (accept(','));
    expect('}');
    return object;
  }

  JsonArray parse_array(int depth) {
    JsonArray array;
    expect('[');
    skip_space();
    if (accept(']')) return array;
    do {
      array.push_back(parse_value(depth + 1));
      skip_space();
    } while (accept(','));
    expect(']');
    return array;
  }

  std::string parse_string() {
    std::string result;
    expect('"');
    for (;;) {
      if (at_ >= text_.size()) fail("the end of a string");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) fail("no control character in a string");
      at_++;
      if (c == '"') return result;
      if (c != '\\') result.push_back(c);
      else parse_escape(&result);
    }
  }

  void parse_escape(std::string* result) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kCharacters = "\"\\/\b\f\n\r\t";
    if (accept('u')) return append_utf8(result, parse_code());
    const size_t index = at_ < text_.size() ? kNames.find(text_[at_]) : kNames.npos;
    if (index == kNames.npos) fail("an escape sequence");
    result->push_back(kCharacters[index]);
    at_++;
  }

  uint32_t parse_code() {
    const uint32_t first = parse_hex();
    if (first < 0xd800 || first > 0xdfff) return first;
    if (first > 0xdbff || !accept('\\') || !accept('u')) fail("a pair of surrogates");
    const uint32_t second = parse_hex();
    if (second < 0xdc00 || second > 0xdfff) fail("a low surrogate");
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  uint32_t parse_hex() {
    uint32_t code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() < 4 || error != std::errc() || end != digits.data() + 4) fail("four digits");
    at_ += 4;
    return code;
  }

  void skip_digits() {
    if (peek() < '0' || peek() > '9') fail("a digit");
    while (peek() >= '0' && peek() <= '9') at_++;
  }

  /** JSON's grammar by hand: from_chars would also take "01", "1." and "inf". */
  double parse_number() {
    const size_t start = at_;
    if (peek() != '-' && (peek() < '0' || peek() > '9')) fail("a value");
    accept('-');
    if (!accept('0')) skip_digits();
    if (accept('.')) skip_digits();
    if (accept('e') || accept('E')) {
      if (!accept('+')) accept('-');
      skip_digits();
    }
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + start, text_.data() + at_, value);
    if (error != std::errc() || !std::isfinite(value)) fail("a number that a double can hold");
    return value;
  }

  std::string_view text_;
  JsonRules rules_;
  size_t at_ = 0;
  int n_values_ = 0;
};

}  // namespace

const JsonValue* JsonValue::find(const std::string& key) const {
  const JsonObject* members = object();
  if (members == nullptr) return nullptr;
  const auto found = members->find(key);
  return found == members->end() || found->second.is_null() ? nullptr : &found->second;
}

bool JsonValue::has(const std::string& key) const {
  return object() != nullptr && object()->contains(key);
}

JsonValue parse_json(std::span<const uint8_t> text, JsonRules rules) {
  return Parser(text, rules).document();
}

}  // namespace cachalot

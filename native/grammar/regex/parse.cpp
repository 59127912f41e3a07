#include <algorithm>
#include <string>

#include "base/error.h"
#include "grammar/regex/syntax.h"
#include "grammar/regex/utf8.h"

namespace cachalot {

namespace {

constexpr size_t kMostBytes = size_t{1} << 16;
constexpr int kMostDepth = 200;
constexpr int kMostCount = 1 << 16;

RegexRef node(Regex::Kind kind, std::vector<RegexRef> parts = {}) {
  return std::make_shared<const Regex>(Regex{kind, {}, std::move(parts)});
}
RegexRef set_of(CodePoints set) {
  return std::make_shared<const Regex>(Regex{Regex::Kind::kSet, std::move(set)});
}
RegexRef repeat(RegexRef what, int least, int most) {
  return std::make_shared<const Regex>(
      Regex{Regex::Kind::kRepeat, {}, {std::move(what)}, least, most});
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text.size() > kMostBytes) fail("it is longer than 65,536 bytes");
  }

  RegexRef literal() {
    std::vector<RegexRef> parts;
    while (at_ < text_.size()) parts.push_back(character());
    return node(Regex::Kind::kConcat, std::move(parts));
  }

  RegexRef parse() {
    RegexRef whole = alternation();
    if (at_ < text_.size()) fail("there is no group that \")\" ends");
    return whole;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kInvalidArgument, "the regular expression cannot be used: " + what +
                                                 ", at byte " + std::to_string(at_) + " of " +
                                                 std::to_string(text_.size()));
  }

  bool has(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool take(std::string_view what) {
    if (!has(what)) return false;
    at_ += what.size();
    return true;
  }

  /** The next code point of the pattern, which is UTF-8. */
  uint32_t take_code_point() {
    const auto [value, n_bytes] = first_code_point(text_.substr(at_));
    if (at_ + n_bytes > text_.size()) fail("it is no UTF-8");
    at_ += n_bytes;
    return value;
  }

  RegexRef alternation() {
    if (++depth_ > kMostDepth) fail("its groups are deeper than 200");
    std::vector<RegexRef> parts{concatenation()};
    while (take("|")) parts.push_back(concatenation());
    depth_--;
    return parts.size() == 1 ? parts.front() : node(Regex::Kind::kAlternate, std::move(parts));
  }

  RegexRef concatenation() {
    std::vector<RegexRef> parts;
    while (at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')') {
      RegexRef atom = this->atom();
      const bool is_anchor = atom->kind == Regex::Kind::kBegin || atom->kind == Regex::Kind::kEnd;
      const bool is_again = is_anchor && !parts.empty() && parts.back()->kind == atom->kind;
      if (!is_anchor) atom = quantified(std::move(atom));
      if (!is_again) parts.push_back(std::move(atom));
    }
    return parts.size() == 1 ? parts.front() : node(Regex::Kind::kConcat, std::move(parts));
  }

  RegexRef quantified(RegexRef atom) {
    int least = 0, most = Regex::kUnbounded;
    if (take("*")) {
    } else if (take("+")) {
      least = 1;
    } else if (take("?")) {
      most = 1;
    } else if (has("{")) {
      std::tie(least, most) = counts();
    } else {
      return atom;
    }
    take("?");  // as few as possible: the same texts
    if (has("*") || has("+") || has("?") || has("{")) fail("two quantifiers stand together");
    return repeat(std::move(atom), least, most);
  }

  std::pair<int, int> counts() {
    take("{");
    const int least = count();
    int most = least;
    if (take(",")) most = has("}") ? Regex::kUnbounded : count();
    if (!take("}")) fail("a count is not closed by \"}\"");
    if (most != Regex::kUnbounded && most < least) fail("a count's end is below its beginning");
    return {least, most};
  }

  int count() {
    int value = 0;
    const size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; at_++) {
      value = 10 * value + (text_[at_] - '0');
      if (value > kMostCount) fail("a count is above 65,536");
    }
    if (at_ == begin) fail("a count has no digits (a brace that stands for itself is \"\\{\")");
    return value;
  }

  RegexRef atom() {
    switch (text_[at_]) {
      case '(': return group();
      case '[': return set_of(bracketed());
      case '.': at_++; return set_of(CodePoints::line_ends().complement());
      case '^': at_++; return node(Regex::Kind::kBegin);
      case '$': at_++; return node(Regex::Kind::kEnd);
      case '\\': at_++; return set_of(escape(false));
      case '*':
      case '+':
      case '?': fail("a quantifier has nothing before it");
      default: break;
    }
    return character();
  }

  RegexRef character() {
    const uint32_t value = take_code_point();
    return set_of(CodePoints::one(value));
  }

  RegexRef group() {
    take("(");
    if (take("?")) {
      if (has("=") || has("!") || has("<=") || has("<!")) fail("look-arounds are not supported");
      if (take("<")) {
        const size_t end = text_.find('>', at_);
        if (end == std::string_view::npos) fail("a group's name is not closed by \">\"");
        at_ = end + 1;
      } else if (!take(":")) {
        fail("flags of a group are not supported");
      }
    }
    RegexRef inner = alternation();
    if (!take(")")) fail("a group is not closed by \")\"");
    return inner;
  }

  /** "[...]" */
  CodePoints bracketed() {
    take("[");
    const bool is_negated = take("^");
    CodePoints set;
    for (;;) {
      if (at_ == text_.size()) fail("a set is not closed by \"]\"");
      if (take("]")) break;
      const CodePoints first = member();
      const bool is_range = has("-") && !has("-]") && at_ + 1 < text_.size();
      if (!is_range) {
        set.add(first);
        continue;
      }
      take("-");
      const CodePoints last = member();
      if (!is_single(first) || !is_single(last)) fail("a range of a set has a class at its end");
      const uint32_t from = first.ranges().front().first, to = last.ranges().front().first;
      if (from > to) fail("a range of a set ends before it begins");
      set.add(from, to);
    }
    return is_negated ? set.complement() : set;
  }

  static bool is_single(const CodePoints& set) {
    return set.ranges().size() == 1 && set.ranges().front().first == set.ranges().front().last;
  }

  CodePoints member() {
    if (take("\\")) return escape(true);
    const uint32_t value = take_code_point();
    return CodePoints::one(value);
  }

  /** What follows a backslash. */
  CodePoints escape(bool is_in_set) {
    if (at_ == text_.size()) fail("it ends with a backslash");
    const char letter = text_[at_];
    switch (letter) {
      case 'd': at_++; return CodePoints::digits();
      case 'D': at_++; return CodePoints::digits().complement();
      case 'w': at_++; return CodePoints::word_characters();
      case 'W': at_++; return CodePoints::word_characters().complement();
      case 's': at_++; return CodePoints::spaces();
      case 'S': at_++; return CodePoints::spaces().complement();
      case 'p':
      case 'P': fail("classes of Unicode properties (\\p) are not supported");
      case 'B': fail("word boundaries (\\b, \\B) are not supported");
      case 'k': fail("back references are not supported");
      default: break;
    }
    if (letter >= '1' && letter <= '9') fail("back references are not supported");
    if (letter == 'b' && !is_in_set) fail("word boundaries (\\b, \\B) are not supported");
    const uint32_t value = escaped();
    return CodePoints::one(value);
  }

  /** One code point after a backslash. */
  uint32_t escaped() {
    const char letter = text_[at_];
    constexpr std::pair<char, char> kControls[] = {{'b', '\b'}, {'f', '\f'}, {'n', '\n'},
                                                   {'r', '\r'}, {'t', '\t'}, {'v', '\v'}};
    for (const auto& [name, value] : kControls) {
      if (letter != name) continue;
      at_++;
      return static_cast<uint8_t>(value);
    }
    if (letter == '0') {
      at_++;
      return 0;
    }
    if (take("x")) return hexadecimal(2);
    if (take("u")) return unicode();
    if (take("c")) {
      if (at_ == text_.size() || !is_letter(text_[at_])) fail("\\c needs a letter");
      return static_cast<uint8_t>(text_[at_++]) % 32;
    }
    if (is_letter(letter)) fail(std::string("\\") + letter + " is not known");
    return take_code_point();
  }

  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  uint32_t unicode() {
    if (!take("{")) {
      const uint32_t high = hexadecimal(4);
      if (high < 0xd800 || high > 0xdbff || !take("\\u")) return high;
      const uint32_t low = hexadecimal(4);
      if (low < 0xdc00 || low > 0xdfff) fail("a surrogate pair has no second half");
      return 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
    }
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos || end == at_ || end - at_ > 6)
      fail("\\u{...} needs from 1 to 6 digits");
    const uint32_t value = hexadecimal(static_cast<int>(end - at_));
    if (value > CodePoints::kLast) fail("there is no such code point");
    take("}");
    return value;
  }

  uint32_t hexadecimal(int n) {
    uint32_t value = 0;
    for (int i = 0; i < n; i++, at_++) {
      const char c = at_ < text_.size() ? text_[at_] : 0;
      const bool is_digit = c >= '0' && c <= '9';
      const char lower = static_cast<char>(c | 0x20);
      if (!is_digit && (lower < 'a' || lower > 'f')) fail("a hexadecimal digit is missing");
      value = value * 16 + static_cast<uint32_t>(is_digit ? c - '0' : lower - 'a' + 10);
    }
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

RegexRef parse_regex(std::string_view pattern) { return Parser(pattern).parse(); }
RegexRef regex_of_text(std::string_view text) { return Parser(text).literal(); }

RegexRef behind_gap(std::string_view gap, RegexRef what) {
  return node(Regex::Kind::kConcat, {repeat(regex_of_text(gap), 0, 1), std::move(what)});
}

}  // namespace cachalot

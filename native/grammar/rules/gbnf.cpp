#include "grammar/rules/gbnf.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/error.h"
#include "grammar/regex/utf8.h"

namespace cachalot {

namespace {

using Kind = Regex::Kind;

constexpr size_t kMostBytes = size_t{1} << 20;
constexpr size_t kMostRules = 2000;
constexpr int kMostDepth = 200, kMostCount = 1 << 16;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

RegexRef node(Regex regex) { return std::make_shared<const Regex>(std::move(regex)); }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text.size() > kMostBytes) fail("it has more than 1,048,576 bytes");
    rule_of("root");
  }

  std::vector<GrammarRule> parse() {
    for (skip(true); at_ < text_.size(); skip(true)) parse_rule();
    for (const GrammarRule& rule : rules_)
      if (!rule.body) fail("there is no rule \"" + rule.name + "\"");
    return std::move(rules_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const auto line = 1 + std::ranges::count(text_.substr(0, at_), '\n');
    throw Error(ErrorCode::kInvalidArgument,
                "the grammar cannot be used: " + what + ", in line " + std::to_string(line));
  }

  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void expect(std::string_view what) {
    if (!take(what)) fail("expected \"" + std::string(what) + "\"");
  }

  /** White space and comments; line ends only where a rule may go on behind them. */
  void skip(bool with_lines) {
    for (; at_ < text_.size(); at_++) {
      if (text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      const bool is_line = at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r');
      if (at_ == text_.size() || (is_line ? !with_lines : text_[at_] != ' ' && text_[at_] != '\t'))
        return;
    }
  }

  std::string name() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) at_++;
    if (at_ == begin) fail("expected the name of a rule");
    return std::string(text_.substr(begin, at_ - begin));
  }

  int rule_of(const std::string& name) {
    const auto known = std::ranges::find(rules_, name, &GrammarRule::name);
    const auto place = static_cast<int>(known - rules_.begin());
    if (known == rules_.end()) rules_.push_back({name, nullptr});
    if (rules_.size() > kMostRules) fail("it has more than 2,000 rules");
    return place;
  }

  void parse_rule() {
    const auto rule = static_cast<size_t>(rule_of(name()));
    skip(false);
    expect("::=");
    skip(true);
    if (rules_[rule].body) fail("the rule \"" + rules_[rule].name + "\" is there twice");
    auto body = alternation(false);
    rules_[rule].body = std::move(body);
    skip(false);
    if (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r')
      fail("expected the end of the line");
  }

  /** `inside`: of parentheses, where lines may end. */
  RegexRef alternation(bool inside) {
    if (++depth_ > kMostDepth) fail("its parentheses are deeper than 200");
    std::vector<RegexRef> parts{sequence(inside)};
    while (take("|")) {
      skip(true);
      parts.push_back(sequence(inside));
    }
    depth_--;
    return parts.size() == 1 ? parts.front() : node({Kind::kAlternate, {}, std::move(parts)});
  }

  RegexRef sequence(bool inside) {
    std::vector<RegexRef> parts;
    for (skip(inside); at_ < text_.size() &&
                       std::string_view("|)\n\r").find(text_[at_]) == std::string_view::npos;
         skip(inside)) {
      RegexRef part = item();
      parts.push_back(repeated(std::move(part)));
    }
    return node({Kind::kConcat, {}, std::move(parts)});
  }

  RegexRef item() {
    if (take("\"")) return literal();
    if (take("[")) return set();
    if (take(".")) return node({Kind::kSet, CodePoints().complement()});
    if (take("(")) {
      RegexRef inner = alternation(true);
      skip(true);
      expect(")");
      return inner;
    }
    Regex call{Kind::kRule};
    call.rule = rule_of(name());
    return node(std::move(call));
  }

  RegexRef literal() {
    std::vector<RegexRef> parts;
    while (!take("\"")) parts.push_back(node({Kind::kSet, CodePoints::one(character())}));
    return node({Kind::kConcat, {}, std::move(parts)});
  }

  RegexRef set() {
    const bool is_denied = take("^");
    CodePoints points;
    while (!take("]")) {
      const uint32_t first = character();
      const bool is_range =
          text_.substr(at_).starts_with("-") && !text_.substr(at_).starts_with("-]");
      if (is_range) at_++;
      const uint32_t last = is_range ? character() : first;
      if (last < first) fail("a range ends before it begins");
      points.add(first, last);
    }
    return node({Kind::kSet, is_denied ? points.complement() : std::move(points)});
  }

  uint32_t character() {
    if (at_ >= text_.size()) fail("expected the end of a literal or of a set");
    if (take("\\")) return escape();
    const auto [value, length] = first_code_point(text_.substr(at_));
    if (at_ + length > text_.size()) fail("it is no UTF-8");
    at_ += length;
    return value;
  }

  uint32_t escape() {
    const char c = at_ < text_.size() ? text_[at_++] : '\0';
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'x': return hex(2);
      case 'u': return hex(4);
      case 'U': return hex(8);
      case '"':
      case '\\':
      case '[':
      case ']':
      case '-':
      case '^': return static_cast<uint8_t>(c);
      default: fail("there is no such escape");
    }
  }

  uint32_t hex(size_t n_digits) {
    uint32_t value = 0;
    const std::string_view digits = text_.substr(at_, n_digits);
    const auto* end = digits.data() + digits.size();
    if (digits.size() < n_digits || std::from_chars(digits.data(), end, value, 16).ptr != end ||
        value > CodePoints::kLast)
      fail("expected " + std::to_string(n_digits) + " hexadecimal digits of a code point");
    at_ += n_digits;
    return value;
  }

  RegexRef repeated(RegexRef what) {
    for (;;) {
      int least = 0, most = Regex::kUnbounded;
      if (take("*")) least = 0;
      else if (take("+")) least = 1;
      else if (take("?")) most = 1;
      else if (take("{")) counts(&least, &most);
      else return what;
      what = node({Kind::kRepeat, {}, {std::move(what)}, least, most});
    }
  }

  void counts(int* least, int* most) {
    *least = count();
    *most = *least;
    if (take(",")) *most = text_.substr(at_).starts_with("}") ? Regex::kUnbounded : count();
    expect("}");
    if (*most != Regex::kUnbounded && *most < *least) fail("a count ends before it begins");
  }

  int count() {
    int value = 0;
    const auto* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0 || value > kMostCount)
      fail("expected a count up to 65,536");
    at_ += static_cast<size_t>(end - begin);
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  std::vector<GrammarRule> rules_;
};

}  // namespace

std::vector<GrammarRule> parse_gbnf(std::string_view text) { return Parser(text).parse(); }

}  // namespace cachalot

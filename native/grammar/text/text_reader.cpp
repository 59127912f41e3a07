#include "grammar/text/text_reader.h"

#include <algorithm>
#include <string_view>

#include "grammar/regex/utf8.h"

namespace cachalot {

namespace {

constexpr std::string_view kShort = "\"\\/bfnrt", kShortMeans = "\"\\/\b\f\n\r\t";
constexpr size_t kMostRows = 4096;
constexpr uint32_t kHigh = 0xd800, kLow = 0xdc00, kBeyond = 0x10000;

/** Whether the canonical escape of a code point is \u00XX. */
bool needs_hex(uint32_t code_point) {
  return code_point < 0x20 && kShortMeans.find(static_cast<char>(code_point)) == kShortMeans.npos;
}

int hex_digit(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const int letter = byte | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

bool TextRules::is_empty() const {
  if (!patterns) return least > most;
  return patterns->start() == TextDfa::kDead || patterns->nearest(patterns->start()) > most;
}

bool TextRules::fits(std::string_view text) const {
  int32_t state = patterns ? patterns->start() : 0;
  int64_t n = 0;
  for (size_t i = 0; i < text.size() && state != TextDfa::kDead; n++) {
    const auto [code_point, length] = first_code_point(text.substr(i));
    if (patterns) state = patterns->next(state, code_point);
    i += length;
  }
  if (n > most || (!patterns && n < least) || state == TextDfa::kDead) return false;
  return !patterns || patterns->accepts(state);
}

size_t TextReader::Hash::operator()(const State& state) const {
  uint64_t hash = static_cast<uint64_t>(state.n) * 0x9e3779b97f4a7c15;
  hash = (hash ^ static_cast<uint32_t>(state.at)) * 0x9e3779b97f4a7c15;
  hash ^= state.value + (uint64_t{state.left} << 32) + (static_cast<uint64_t>(state.in) << 40);
  return static_cast<size_t>(hash * 0x9e3779b97f4a7c15 >> 7);
}

TextReader::TextReader(const TextRules& rules) : rules_(rules) {
  if (!rules_.is_empty()) start_ = id_of({.at = rules_.patterns ? rules_.patterns->start() : 0});
}

int32_t TextReader::id_of(const State& state) {
  const auto [at, is_new] = known_.try_emplace(state, static_cast<int32_t>(states_.size()));
  if (!is_new) return at->second;
  states_.push_back(state);
  rows_.emplace_back();
  bytes_ += 2 * sizeof(State) + 64;
  return at->second;
}

int32_t TextReader::find_next(int32_t state, uint8_t byte) {
  const int32_t to = after(states_[static_cast<size_t>(state)], byte);
  if (!rules_.patterns || rows_.size() > kMostRows) return to;
  auto& row = rows_[static_cast<size_t>(state)];
  if (!row) {
    row = std::make_unique<Row>();
    row->fill(kUnknown);
    bytes_ += sizeof(Row);
  }
  return (*row)[byte] = to;
}

int32_t TextReader::after(State state, uint8_t byte) {
  switch (state.in) {
    case In::kBetween: return begin(state, byte);
    case In::kEscape: return escape(state, byte);
    case In::kUtf8: {
      if ((byte & 0xc0) != 0x80) return kDead;
      state.value = state.value << 6 | (byte & 0x3f);
      if (--state.left == 0) return complete(state, state.value);
      if (state.value < (state.left == 1 ? 0x20u : 0x10u)) return kDead;  // longer than needed
      const uint32_t first = state.value << 6 * state.left;
      return partial(state, first, first + (1u << 6 * state.left) - 1);
    }
    case In::kLowEscape:
    case In::kLowU:
      if (byte != (state.in == In::kLowEscape ? '\\' : 'u')) return kDead;
      state.in = state.in == In::kLowEscape ? In::kLowU : In::kLowHex;
      state.left = 4;
      return id_of(state);
    default: return hex(state, byte);
  }
}

int32_t TextReader::begin(State state, uint8_t byte) {
  if (byte == '"') return closes(state) ? kClosed : kDead;
  if (byte < 0x20) return kDead;
  if (byte == '\\') {
    state.in = In::kEscape;
    const bool lives =
        !rules_.is_canonical
            ? can_come(state, 0, CodePoints::kLast)
            : can_come(state, 0, 0x1f) || can_come(state, '"', '"') || can_come(state, '\\', '\\');
    return lives ? id_of(state) : kDead;
  }
  if (byte < 0x80) return complete(state, byte);
  if (byte < 0xc2 || byte > 0xf4) return kDead;
  state.in = In::kUtf8;
  state.left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  state.value = byte & (0x3f >> state.left);
  const uint32_t first = state.value << 6 * state.left;
  constexpr uint32_t kLeast[] = {0, 0x80, 0x800, kBeyond};  // of a longer form
  return partial(state, std::max(first, kLeast[state.left]), first + (1u << 6 * state.left) - 1);
}

int32_t TextReader::escape(State state, uint8_t byte) {
  if (byte == 'u') {
    state.in = In::kHex;
    state.left = 4;
    state.value = 0;
    const bool lives = !rules_.is_canonical || can_come(state, 0, 0x1f);
    return lives ? id_of(state) : kDead;
  }
  const size_t at = kShort.find(static_cast<char>(byte));
  if (at == kShort.npos || (rules_.is_canonical && byte == '/')) return kDead;
  return complete(state, static_cast<uint8_t>(kShortMeans[at]));
}

int32_t TextReader::hex(State state, uint8_t byte) {
  const int digit = hex_digit(byte);
  if (digit < 0 || (rules_.is_canonical && byte < 'a' && byte > '9')) return kDead;
  const bool is_low = state.in == In::kLowHex;
  if (is_low) {  // 0xdc00 to 0xdfff: two bits of the first digits are free
    const bool fits = state.left == 4 ? digit == 0xd : state.left < 3 || digit >= 0xc;
    if (!fits) return kDead;
    if (state.left < 4)
      state.value = state.left == 3 ? state.value << 2 | (digit & 3) : state.value << 4 | digit;
    const int bits = --state.left == 3 ? 10 : 4 * state.left;
    const uint32_t first = kBeyond + (state.value << bits);
    if (state.left == 0) return complete(state, first);
    return partial(state, first, first + (1u << bits) - 1);
  }
  state.value = state.value << 4 | static_cast<uint32_t>(digit);
  state.left--;
  const uint32_t first = state.value << 4 * state.left;
  const uint32_t last = first + (1u << 4 * state.left) - 1;
  if (rules_.is_canonical) {
    for (uint32_t one = first; one <= std::min(last, 0x1fu); one++) {
      if (!needs_hex(one) || !can_come(state, one, one)) continue;
      return state.left == 0 ? complete(state, one) : id_of(state);
    }
    return kDead;
  }
  if (state.left == 0 && first >= kHigh && first < kLow) {
    state.in = In::kLowEscape;
    state.value = first - kHigh;
    const uint32_t pairs = kBeyond + (state.value << 10);
    return partial(state, pairs, pairs + 0x3ff);
  }
  if (state.left == 0) return is_surrogate(first) ? kDead : complete(state, first);
  const uint32_t high = std::max(first, kHigh), highest = std::min(last, kLow - 1);
  const bool lives = can_come(state, first, last) ||
                     (high <= highest && can_come(state, kBeyond + ((high - kHigh) << 10),
                                                  kBeyond + ((highest - kHigh) << 10) + 0x3ff));
  return lives ? id_of(state) : kDead;
}

/** Inside a code point that will be one of a range. */
int32_t TextReader::partial(const State& state, uint32_t first, uint32_t last) {
  return can_come(state, first, last) ? id_of(state) : kDead;
}

int32_t TextReader::complete(State state, uint32_t code_point) {
  if (!can_come(state, code_point, code_point)) return kDead;
  if (rules_.patterns) state.at = rules_.patterns->next(state.at, code_point);
  const bool is_counted = rules_.most != TextDfa::kEndless;
  if (is_counted || (!rules_.patterns && state.n < rules_.least)) state.n++;
  return id_of({.at = state.at, .n = state.n});
}

bool TextReader::closes(const State& state) const {
  return rules_.patterns ? rules_.patterns->accepts(state.at) : state.n >= rules_.least;
}

/** Whether a code point of a range may come next; those between pairs never do. */
bool TextReader::can_come(const State& state, uint32_t first, uint32_t last) const {
  if (is_surrogate(first)) first = kSurrogates.last + 1;
  if (is_surrogate(last)) last = kSurrogates.first - 1;
  last = std::min(last, CodePoints::kLast);
  if (first > last || state.n >= rules_.most) return false;
  return !rules_.patterns ||
         rules_.patterns->goes_on(state.at, {first, last}, rules_.most - state.n - 1);
}

int64_t TextReader::n_any(int32_t state) const {
  const State& one = states_[static_cast<size_t>(state)];
  return rules_.patterns || one.in != In::kBetween ? -1 : rules_.most - one.n;
}

}  // namespace cachalot

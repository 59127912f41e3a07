#include "grammar/vocabulary.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/regex/utf8.h"

namespace cachalot {

namespace {

/** Longer ones are never allowed: no text needs them, as each of their bytes is a token, too. */
constexpr size_t kMostBytes = 1024;
/** Numbers of code points for which a mask is kept. */
constexpr int64_t kKeptLengths = 32;

/** How many code points a token is, if a JSON string may hold it as it is; -1: it may not. */
int64_t plain_length(std::span<const uint8_t> bytes) {
  int64_t n = 0;
  for (size_t i = 0; i < bytes.size(); n++) {
    const uint8_t lead = bytes[i];
    if (lead < 0x20 || lead == '"' || lead == '\\') return -1;
    const size_t left = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left == 0 || lead > 0xf4 || i + left > bytes.size()) return -1;
    for (size_t k = 1; k < left; k++)
      if ((bytes[i + k] & 0xc0) != 0x80) return -1;
    const std::string_view text(reinterpret_cast<const char*>(&bytes[i]), left);
    const uint32_t value = first_code_point(text).value;
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < kLeast[left] || value > CodePoints::kLast || is_surrogate(value)) return -1;
    i += left;
  }
  return n;
}

}  // namespace

Vocabulary::Vocabulary(std::span<const uint8_t> bytes, std::span<const int32_t> ends)
    : bytes_(bytes.begin(), bytes.end()), ends_(ends.begin(), ends.end()) {
  const bool is_ascending = std::ranges::is_sorted(ends_);
  if (!is_ascending || (!ends_.empty() && (ends_.front() < 0 || ends_.back() > std::ssize(bytes))))
    throw Error(ErrorCode::kInvalidArgument, "the bytes of tokens must stand in order");
  std::vector<int32_t> plain, others;
  for (int32_t token = 0; token < vocabulary(); token++) {
    const auto text = bytes_of(token);
    if (text.empty() || text.size() > kMostBytes) continue;
    const int64_t n = plain_length(text);
    (n < 0 ? others : plain).push_back(token);
    if (n >= 0) by_length_.emplace_back(n, token);
  }
  const auto bytes_of_token = [this](int32_t token) { return bytes_of(token); };
  plain_ = TokenTrie(std::move(plain), bytes_of_token);
  others_ = TokenTrie(std::move(others), bytes_of_token);
  std::ranges::sort(by_length_);
  std::vector<uint32_t> mask((ends_.size() + 31) / 32);
  auto next = by_length_.begin();
  for (int64_t n = 0; n <= kKeptLengths; n++) {
    for (; next != by_length_.end() && next->first <= n; ++next) set(next->second, mask.data());
    plain_masks_.push_back(mask);
  }
}

void Vocabulary::allow_plain(int64_t most, uint32_t* mask) const {
  const std::vector<uint32_t>& kept =
      plain_masks_[static_cast<size_t>(std::min(most, kKeptLengths))];
  for (size_t i = 0; i < kept.size(); i++) mask[i] |= kept[i];
  if (most <= kKeptLengths) return;
  auto next = std::ranges::lower_bound(by_length_, std::pair(kKeptLengths + 1, int32_t{0}));
  for (; next != by_length_.end() && next->first <= most; ++next) set(next->second, mask);
}

int32_t Vocabulary::longest(std::span<const uint8_t> text) const {
  const int32_t one = plain_.longest(text), other = others_.longest(text);
  if (one < 0 || other < 0) return std::max(one, other);
  return bytes_of(one).size() > bytes_of(other).size() ? one : other;
}

std::span<const uint8_t> Vocabulary::bytes_of(int32_t token) const {
  const auto end = static_cast<size_t>(ends_[static_cast<size_t>(token)]);
  const auto begin = token == 0 ? 0 : static_cast<size_t>(ends_[static_cast<size_t>(token) - 1]);
  return std::span(bytes_).subspan(begin, end - begin);
}

}  // namespace cachalot

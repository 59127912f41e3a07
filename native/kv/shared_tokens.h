// The first tokens of a text. Ranges of one text share its memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace cachalot {

class SharedTokens {
 public:
  SharedTokens() = default;
  SharedTokens(std::vector<int32_t> tokens)  // NOLINT(google-explicit-constructor): a text is one
      : text_(std::make_shared<const std::vector<int32_t>>(std::move(tokens))), n_(text_->size()) {}

  /** The first n of these. */
  SharedTokens first(size_t n) const {
    SharedTokens tokens = *this;
    tokens.n_ = std::min(n, n_);
    return tokens;
  }

  size_t size() const { return n_; }
  const int32_t* begin() const { return text_ == nullptr ? nullptr : text_->data(); }
  const int32_t* end() const { return begin() + n_; }
  operator std::span<const int32_t>() const {  // NOLINT(google-explicit-constructor): it is one
    return {begin(), n_};
  }

  friend bool operator==(const SharedTokens& a, const SharedTokens& b) {
    if (a.n_ != b.n_) return false;
    return a.text_ == b.text_ || std::equal(a.begin(), a.end(), b.begin());
  }

 private:
  std::shared_ptr<const std::vector<int32_t>> text_;
  size_t n_ = 0;
};

}  // namespace cachalot

#include "grammar/grammar.h"

namespace cachalot {

namespace {

constexpr size_t kMostMaskBytes = size_t{8} << 20;
constexpr size_t kLargeBytes = size_t{12} << 20;
constexpr int kLeastMasks = 1024;  // between two times of forgetting

}  // namespace

Grammar::State Grammar::after(State state, int32_t token) {
  const auto bytes = tokens_->bytes_of(token);
  if (bytes.empty()) return Recognizer::kDead;
  for (const uint8_t byte : bytes) {
    if (state == Recognizer::kDead) return state;
    state = recognizer_->next(state, byte);
  }
  return state;
}

void Grammar::forced(State state, size_t most_bytes, std::vector<int32_t>* tokens) {
  std::vector<uint8_t> text;
  while (text.size() < most_bytes && !recognizer_->accepts(state)) {
    int only = -1, n = 0;
    for (int byte = 0; byte < 256 && n < 2; byte++) {
      if (recognizer_->next(state, static_cast<uint8_t>(byte)) == Recognizer::kDead) continue;
      only = byte;
      n++;
    }
    if (n != 1) break;
    text.push_back(static_cast<uint8_t>(only));
    state = recognizer_->next(state, text.back());
  }
  for (std::span<const uint8_t> left = text; !left.empty();) {
    const int32_t token = tokens_->longest(left);
    if (token < 0) return;
    tokens->push_back(token);
    left = left.subspan(tokens_->bytes_of(token).size());
  }
}

std::span<const uint32_t> Grammar::allowed(State state) {
  const auto found = masks_.find(state);
  if (found != masks_.end()) return found->second;
  std::vector<uint32_t> mask(mask_words());
  recognizer_->allow(*tokens_, state, mask.data());
  const size_t bytes = mask.size() * sizeof(uint32_t);
  if (mask_bytes_ + bytes > kMostMaskBytes) {
    masks_.clear();
    mask_bytes_ = 0;
  }
  mask_bytes_ += bytes;
  n_masks_++;
  return masks_.emplace(state, std::move(mask)).first->second;
}

void Grammar::forget_if_large() {
  if (n_masks_ < kLeastMasks || recognizer_->bytes() < kLargeBytes) return;
  recognizer_ = recognizer_->fresh();
  masks_.clear();
  mask_bytes_ = 0;
  n_masks_ = 0;
  generation_++;
}

}  // namespace cachalot

#include "kv/tree_key.h"

#include <algorithm>
#include <span>

namespace cachalot {

int PreamblePart::n_tokens() const {
  const int n_before = edit && under != nullptr ? under->n_tokens() : 0;
  return n_before + static_cast<int>(tokens.size()) - first;
}

int PreamblePart::begin() const {
  if (edit && under != nullptr && !under->parts.empty())
    return under->parts.front().begin() + shift;
  return position_of(first);
}

int PreamblePart::position_of(int index) const { return first_position(under) + index + shift; }

int Preamble::n_tokens() const {
  int n = 0;
  for (const PreamblePart& part : parts) n += part.n_tokens();
  return n;
}

int Preamble::n_moved() const {
  int n = 0;
  for (size_t i = 0; i < parts.size(); i++) {
    const PreamblePart& part = parts[i];
    const auto& computed_after = parts_of(part.under);
    const bool is_in_place =
        part.first == 0 && part.shift == 0 && part.reading == PartReading{} &&
        std::equal(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i),
                   computed_after.begin(), computed_after.end(), is_same);
    n += is_in_place ? 0 : part.n_tokens();
  }
  return n;
}

bool is_same(const PreamblePart& a, const PreamblePart& b) {
  return a.first == b.first && a.shift == b.shift && a.under == b.under && a.edit == b.edit &&
         a.reading == b.reading && a.tokens == b.tokens;
}

const std::vector<PreamblePart>& parts_of(const PreambleRef& preamble) {
  static const std::vector<PreamblePart> kNone;
  return preamble == nullptr ? kNone : preamble->parts;
}

int room_below(const PreambleRef& preamble, int context_length) {
  if (preamble == nullptr) return context_length;
  int lowest = 0;
  for (const PreamblePart& part : preamble->parts) lowest = std::min(lowest, part.begin());
  return context_length + lowest - preamble->position;
}

}  // namespace cachalot

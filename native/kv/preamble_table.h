// All preambles of an engine. Two of equal content are one object, so keys are compared by address,
// however many preambles stand below one another.
#pragma once

#include <mutex>
#include <unordered_map>
#include <vector>

#include "kv/tree_key.h"

namespace cachalot {

class PreambleTable {
 public:
  PreambleTable() = default;
  PreambleTable(const PreambleTable&) = delete;
  PreambleTable& operator=(const PreambleTable&) = delete;

  /** The preamble of these parts, as they are. Any thread may ask. */
  PreambleRef make(std::vector<PreamblePart> parts, int position,
                   const SequenceWindow& window = {});

 private:
  void forget_unused();

  std::mutex mutex_;
  std::unordered_multimap<uint64_t, std::weak_ptr<const Preamble>> by_hash_;
  size_t n_after_sweep_ = 0;  // how many were in use when unused ones were last forgotten
};

/** A text below a preamble. */
struct PlacedText {
  PreambleRef preamble;
  std::vector<int32_t> tokens;
};

/** What stands before some tokens, in its one form. Neighbours that continue one text with one
 * shift become one part, and empty parts go. If the last part is a text from its beginning,
 * unmoved, below exactly the parts that stand before it, then it is no part: `tokens` are that
 * text, which the other tokens simply continue. */
PlacedText canonical(std::vector<PreamblePart> parts, int position, PreambleTable& table);

}  // namespace cachalot

// Finds where a text has the last tokens of another one, or its own, before: places by the hash of
// some tokens, and the longest equal stretch among those.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cachalot {

class NgramIndex {
 public:
  /** `gram`: the least tokens that must be equal. */
  explicit NgramIndex(int gram = 3) : gram_(gram) {}

  struct Match {
    int next = -1;   // the token of the text that follows the match; -1: there is none
    int length = 0;  // equal tokens before it, as far as they are counted
  };

  /** Takes note of the text's tokens after those that it knows. */
  void follow(std::span<const int32_t> text);
  /** The longest match of the last tokens of `tokens` in the text; among equals the latest. What
   * follows a match must be before `end` of the text. */
  Match find(std::span<const int32_t> text, std::span<const int32_t> tokens, int end) const;
  void clear() { *this = NgramIndex(gram_); }

 private:
  uint64_t hash_of(const int32_t* last) const;
  void insert(std::span<const int32_t> text, int at);

  int gram_;
  std::vector<int32_t> last_;    // of each hash: the latest place, + 1
  std::vector<int32_t> before_;  // of each place: the one before of the same hash, + 1
};

}  // namespace cachalot

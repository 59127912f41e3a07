// Under what a text is stored. Texts of different keys share nothing. What is the same for all
// texts of an engine (its model, the formats of KV, the rotary table) is not in the key.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/edit.h"

namespace cachalot {

struct Preamble;
/** Null: no preamble. */
using PreambleRef = std::shared_ptr<const Preamble>;

struct TreeKey {
  std::string name_space;
  PreambleRef preamble{};  // what stands before everything that is stored under the key
};

/** Rows read the first `n_sinks` positions and the last `size`, their own included; a size of 0:
 * everything. */
struct SequenceWindow {
  int32_t n_sinks = 0, size = 0;
  auto operator<=>(const SequenceWindow&) const = default;
};

/** Tokens [first, tokens.size()) of a stored text, as a sealed part of other contexts.
 *
 * With a recipe it is what an edit leaves of the whole context of that text (first is 0): of its
 * tokens and of those below which it was computed, if these are an edited part, too. */
struct PreamblePart {
  std::vector<int32_t> tokens;  // the text, up to the part's end
  int32_t first = 0;
  int32_t shift = 0;    // how far it is moved from where it was computed
  PreambleRef under{};  // the text's own preamble: it was computed below that
  std::optional<EditRecipe> edit{};
  int32_t n_kept = 0;  // keys of a head that the edit leaves, on average; no part of the key

  int n_tokens() const;
  /** The logical position of the part's first token. */
  int begin() const;
  /** The logical position of token `index` of the text. */
  int position_of(int index) const;
};

/** Sealed parts that stand before everything below a root of the tree (docs/decisions/0020). It is
 * known by its content: two that are equal are one. */
struct Preamble {
  std::vector<PreamblePart> parts;
  int32_t position = 0;     // the logical position of the first token below it
  SequenceWindow window{};  // of all that is computed below it
  uint64_t hash = 0;        // of the rest

  int n_tokens() const;
};

/** A preamble of these parts, as they are. */
PreambleRef make_preamble(std::vector<PreamblePart> parts, int position,
                          const SequenceWindow& window = {});

/** By content. The order has no meaning. */
std::strong_ordering compare(const PreambleRef& a, const PreambleRef& b);
std::strong_ordering operator<=>(const TreeKey& a, const TreeKey& b);
inline bool operator==(const TreeKey& a, const TreeKey& b) { return (a <=> b) == 0; }

/** The window of all that is stored under a key. */
inline SequenceWindow window_below(const PreambleRef& preamble) {
  return preamble == nullptr ? SequenceWindow{} : preamble->window;
}

/** The logical position of the first token that is stored under a key. */
inline int first_position(const PreambleRef& preamble) {
  return preamble == nullptr ? 0 : preamble->position;
}

/** How many tokens there is room for below a preamble, if no key may stand a context's length
 * before a row that reads it. */
int room_below(const PreambleRef& preamble, int context_length);

/** A text below a preamble. */
struct PlacedText {
  PreambleRef preamble;
  std::vector<int32_t> tokens;
};

/** The same context in its one form. Neighbours that continue one text with one shift become one
 * part, and empty parts go. If the last part is a text from its beginning, unmoved, below exactly
 * the parts that stand before it, then it is no part: `tokens` simply continue that text. */
PlacedText canonical(std::vector<PreamblePart> parts, int position, std::vector<int32_t> tokens);

}  // namespace cachalot

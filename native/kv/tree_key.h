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
#include "kv/shared_tokens.h"

namespace cachalot {

struct Preamble;
/** Null: no preamble. Made by a PreambleTable, so two of equal content are one object. */
using PreambleRef = std::shared_ptr<const Preamble>;

struct TreeKey {
  std::string name_space;
  PreambleRef preamble{};  // what stands before everything that is stored under the key

  bool operator==(const TreeKey&) const = default;
  /** The order has no meaning. */
  auto operator<=>(const TreeKey&) const = default;
};

/** Rows read the first `n_sinks` positions and the last `size`, their own included; a size of 0:
 * everything. */
struct SequenceWindow {
  int32_t n_sinks = 0, size = 0;
  auto operator<=>(const SequenceWindow&) const = default;
};

/** How a part is read, besides where it stands; see ContextPart. */
struct PartReading {
  float sharpness = 1.0f;
  int32_t blend = -1;
  float lse_factor = 1.0f;
  bool operator==(const PartReading&) const = default;
};

/** Tokens [first, tokens.size()) of a stored text, as a sealed part of other contexts.
 *
 * With a recipe it is what an edit leaves of the whole context of that text (first is 0): of its
 * tokens and of those below which it was computed, if these are an edited part, too. */
struct PreamblePart {
  SharedTokens tokens;  // the text, up to the part's end
  int32_t first = 0;
  int32_t shift = 0;    // how far it is moved from where it was computed
  PreambleRef under{};  // the text's own preamble: it was computed below that
  std::optional<EditRecipe> edit{};
  int32_t n_kept = 0;  // keys of a head that the edit leaves, on average; no part of the key
  PartReading reading{};

  int n_tokens() const;
  /** The logical position of the part's first token. */
  int begin() const;
  /** The logical position of token `index` of the text. */
  int position_of(int index) const;
};

/** Sealed parts that stand before everything below a root of the tree (docs/decisions/0020). It is
 * known by its content. */
struct Preamble {
  std::vector<PreamblePart> parts;
  int32_t position = 0;     // the logical position of the first token below it
  SequenceWindow window{};  // of all that is computed below it

  int n_tokens() const;
  /** How many of these tokens are read where they were not computed: elsewhere, or without what
   * stands before them here. */
  int n_moved() const;
};

/** By content. */
bool is_same(const PreamblePart& a, const PreamblePart& b);

/** The parts of a preamble, which may be null. */
const std::vector<PreamblePart>& parts_of(const PreambleRef& preamble);

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

}  // namespace cachalot

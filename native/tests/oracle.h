// What the scripted backend must compute, by itself: the right tokens of a text, with nothing
// shared, cut or moved.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kv/tree_key.h"

namespace cachalot::tests {

constexpr int kVocabulary = 997;
constexpr int kLayers = 2;
constexpr int kWindow = 50;  // positions that layer 1 reads, in one KV head; layer 0 reads
                             // everything, in two
constexpr size_t kSlabBytes = 3 * 512;  // three blocks
constexpr int32_t kPoisonedToken = 13;  // its row is not finite

/** The hash of some keys as one row reads them, in order: the value of a polynomial whose
 * coefficients are the keys' terms. */
struct Hash {
  uint32_t value = 0, power = 1;  // of the base: the number of keys

  /** Adds a key that stands `distance` positions before the row. */
  void add(uint32_t key, int distance);
  void append(const Hash& later) {
    value = value * later.power + later.value;
    power *= later.power;
  }
};

/** The number of a key whose log-weight is not 0. */
uint32_t weighted(uint32_t key, float weight);

/** A key as the oracle knows it: the number that it stands for, where it stands, and log2 of how
 * many it stands for. */
struct OracleKey {
  uint32_t value;
  int position;
  float weight = 0;
};

/** The keys of each KV head: two of layer 0, one of layer 1. */
constexpr int kOracleHeads = 3;
using OracleKeys = std::array<std::vector<OracleKey>, kOracleHeads>;

/** What a row makes of the hashes of a layer's two query heads. */
uint32_t both_heads(uint32_t first, uint32_t second);

/** Computes the right next tokens of a text from its hash, one token after the other. */
class Oracle {
 public:
  Oracle() = default;
  /** A text after other keys, in their order; its first token stands at `position`. `edits`: of its
   * context. */
  Oracle(OracleKeys before, int position, std::span<const ScheduledEdit> edits = {},
         const SequenceWindow& window = {})
      : keys_(std::move(before)), position_(position), edits_(edits), window_(window) {}

  void push(int32_t token);
  int32_t next() const { return token_of(hash()); }
  /** The number that stands for the last row's logits. */
  uint32_t hash() const { return hash_; }
  const OracleKeys& keys() const { return keys_; }

  static int32_t token_of(uint32_t hash);

 private:
  void edit(const EditRecipe& recipe);
  uint32_t read(int head, int position) const;

  OracleKeys keys_;
  int position_ = 0;  // of the next token
  std::span<const ScheduledEdit> edits_;
  SequenceWindow window_;
  uint32_t hash_ = 0;
};

}  // namespace cachalot::tests

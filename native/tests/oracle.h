// What the scripted backend must compute, by itself: the right tokens of a text, with nothing
// shared, cut or moved.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

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

/** A key as the oracle knows it: the number that it stands for in each layer, and where it stands.
 */
struct OracleKey {
  uint32_t values[kLayers];
  int position;
};

/** Computes the right next tokens of a text from its hash, one token after the other. */
class Oracle {
 public:
  Oracle() = default;
  /** A text after other keys, in their order; its first token stands at `position`. */
  Oracle(std::vector<OracleKey> before, int position)
      : keys_(std::move(before)), position_(position) {}

  void push(int32_t token);
  int32_t next() const { return token_of(hash()); }
  /** The number that stands for the last row's logits. */
  uint32_t hash() const { return hash_; }
  std::span<const OracleKey> keys() const { return keys_; }

  static int32_t token_of(uint32_t hash);

 private:
  std::vector<OracleKey> keys_;
  int position_ = 0;  // of the next token
  uint32_t hash_ = 0;
};

}  // namespace cachalot::tests

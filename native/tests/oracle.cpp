#include "tests/oracle.h"

#include <bit>

namespace cachalot::tests {

namespace {

constexpr uint32_t kBase = 0x01000193;  // of the polynomial that hashes are

uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352d;
  x = (x ^ (x >> 15)) * 0x846ca68b;
  return x ^ (x >> 16);
}

}  // namespace

void Hash::add(uint32_t key, int distance) {
  append({mix(key ^ mix(static_cast<uint32_t>(distance) + 1)), kBase});
}

uint32_t weighted(uint32_t key, float weight) {
  return weight == 0 ? key : key ^ mix(std::bit_cast<uint32_t>(weight));
}

int32_t Oracle::token_of(uint32_t hash) {
  const auto token = static_cast<int32_t>(hash % kVocabulary);
  return token == kPoisonedToken ? 0 : token;
}

void Oracle::push(int32_t token) {
  OracleKey& own = keys_.emplace_back();
  own.position = position_++;
  hash_ = static_cast<uint32_t>(token);
  for (int layer = 0; layer < kLayers; layer++) {
    own.values[layer] = hash_;
    Hash hash;
    for (const OracleKey& key : keys_) {
      const int distance = own.position - key.position;
      if (layer == 0 || distance < kWindow) hash.add(key.values[layer], distance);
    }
    hash_ = hash.value;
  }
}

}  // namespace cachalot::tests

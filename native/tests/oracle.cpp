#include "tests/oracle.h"

#include <bit>
#include <cmath>

#include "kv/policies/seeded.h"

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

uint32_t both_heads(uint32_t first, uint32_t second) {
  return first == second ? first : mix(first + mix(second));
}

/** The hash of a head's keys, as a row at a position reads them. */
uint32_t Oracle::read(int head, int position) const {
  Hash hash;
  for (const OracleKey& key : keys_[static_cast<size_t>(head)]) {
    const auto& [n_sinks, size] = window_;
    const bool is_sink = size > 0 && key.position < n_sinks && position >= n_sinks + size;
    const int distance = (is_sink ? n_sinks + size - 1 : position) - key.position;
    const bool is_in_layer = head < kOracleHeads - 1 || distance < kWindow;
    const bool is_in_own = size == 0 || key.position < n_sinks || distance < size;
    if (is_in_layer && is_in_own) hash.add(weighted(key.value, key.weight), distance);
  }
  return hash.value;
}

void Oracle::push(int32_t token) {
  while (!edits_.empty() && edits_.front().index == position_) {
    edit(edits_.front().recipe);
    edits_ = edits_.subspan(1);
  }
  const int position = position_++;
  hash_ = static_cast<uint32_t>(token);
  for (const int head : {0, 1}) keys_[static_cast<size_t>(head)].push_back({hash_, position});
  hash_ = both_heads(read(0, position), read(1, position));
  keys_[2].push_back({hash_, position});
  hash_ = read(2, position);
}

void Oracle::edit(const EditRecipe& recipe) {
  std::vector<std::vector<KeyNote>> notes(kOracleHeads);
  for (size_t head = 0; head < kOracleHeads; head++) {
    for (const OracleKey& key : keys_[head]) notes[head].push_back({key.position, key.weight});
  }
  const KvEdit edit = SeededPolicy(recipe).edit_notes({kOracleHeads, notes, 0, 0});
  for (size_t head = 0; head < kOracleHeads; head++) {
    const auto& [keep, scores, merged] = edit.heads[head];
    std::vector<OracleKey> left;
    for (size_t i = 0; i < keep.size(); i++) {
      OracleKey key = keys_[head][static_cast<size_t>(keep[i])];
      Hash hash;
      hash.add(key.value, 0);
      double n_tokens = std::exp2(double{key.weight});
      bool is_merged = false;
      for (const MergedKey& one : merged) {
        if (one.into != static_cast<int32_t>(i)) continue;
        const OracleKey& other = keys_[head][static_cast<size_t>(one.from)];
        hash.add(other.value, 0);
        n_tokens += std::exp2(double{other.weight});
        is_merged = true;
      }
      if (is_merged) key = {hash.value, key.position, static_cast<float>(std::log2(n_tokens))};
      left.push_back(key);
    }
    keys_[head] = std::move(left);
  }
}

}  // namespace cachalot::tests

// The ops of the scripted backend that write, copy and edit keys.

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "tests/scripted_backend.h"
#include "tests/scripted_keys.h"

namespace cachalot::tests {

void ScriptedBackend::kv_write(const KvWriteParams& params) {
  const KvStore& store = params.store;
  const KvTarget* before = nullptr;
  for (const KvTarget& target : step_.targets) {
    // Only a branch goes back to rows that were written before.
    const bool is_again = before != nullptr && target.row < before->row;
    const auto row =
        static_cast<size_t>(fault_ == Fault::kOtherGuess && is_again ? before->row : target.row);
    before = &target;
    for (int head = 0; head < store.n_kv_heads; head++) {
      const size_t at = (row * static_cast<size_t>(store.n_kv_heads) + head) * kHeadDim;
      Key* keys = keys_of(store, target.slab, params.layer, head);
      if (target.slot == 0) std::fill_n(keys, kTileTokens, Key{});
      keys[target.slot] = {numbers(params.k)[at], static_cast<uint32_t>(target.position) + 1};
      if (poisoned_[row] != 0) keys[target.slot].value = kNoNumber;
    }
  }
}

void ScriptedBackend::kv_copy(const KvCopyParams& params) {
  for (const KvCopy& copy : params.copies) {
    if (fault_ == Fault::kDirtyTail && copy.from == copy.to) continue;
    for (const KvStore& store : params.stores) {
      for (int i = 0; i < store.n_layers * store.n_kv_heads; i++) {
        const Key* from = keys_of(store, copy.from, 0, i);
        Key* to = keys_of(store, copy.to, 0, i);
        for (int slot = 0; slot < kTileTokens; slot++) {
          if (slot >= copy.first_slot && slot < copy.end_slot) to[slot] = from[slot];
          else if (fault_ != Fault::kStaleTail) to[slot] = Key{};
        }
      }
    }
  }
}

void ScriptedBackend::kv_gather(const KvGatherParams& params) {
  const KvLayout& layout = params.edited.layout;
  for (const KvMove& move : params.moves) {
    const KvStore& store = move.from.is_edited ? params.edited : params.plain;
    uint8_t* to = kv_block(params.edited, move.to);
    if (move.slot == 0) std::memset(to, 0, kv_block_bytes(layout));
    reinterpret_cast<Key*>(to)[move.slot] =
        reinterpret_cast<const Key*>(kv_block(store, move.from.block))[move.from.slot];
    auto* notes = reinterpret_cast<KeyNotes*>(to + kv_notes_offset(layout));
    notes->index[move.slot] = move.index;
    notes->weight[move.slot] = fault_ == Fault::kLostWeight ? 0 : move.weight;
  }
}

/** What a key's query was is what the key is. */
void ScriptedBackend::keep_queries(const KeepQueriesParams& params) {
  for (const KeptRow& kept : step_.kept_rows) {
    const int width = params.n_heads * params.head_dim;
    std::memcpy(kept.to + params.layer * kept.layer_stride, params.q + kept.row * width,
                static_cast<size_t>(width) * sizeof(float));
  }
}

/** The queries that were kept are those of the last rows of the text, of every layer. */
void ScriptedBackend::kv_signal(const KvSignalParams& params) {
  CHECK(params.signal == KeySignal::kAttention, "tests ask for attention only");
  for (int layer = 0; layer < params.plain.n_layers; layer++) {
    for (int i = 0; i < params.n_rows; i++) {
      const int at = params.first_row + i - params.first_index;
      const uint32_t slab = params.slabs[static_cast<size_t>(at / kTileTokens)];
      const Key& key = keys_of(params.plain, slab, layer, 0)[at % kTileTokens];
      const float* query =
          params.queries + layer * params.layer_stride + i * (params.layer_stride / params.n_rows);
      CHECK(numbers(query)[0] == key.value, "a kept query is of its row");
    }
  }
}

/** The mean of keys is the hash of what they stand for. */
void ScriptedBackend::kv_merge(const KvMergeParams& params) {
  for (const KvMerge& merge : params.merges) {
    Hash hash;
    for (int i = 0; i < merge.n_sources; i++) {
      const KvPlace& from = params.sources[static_cast<size_t>(merge.first_source + i)].from;
      const KvStore& store = from.is_edited ? params.edited : params.plain;
      hash.add(reinterpret_cast<const Key*>(kv_block(store, from.block))[from.slot].value, 0);
    }
    reinterpret_cast<Key*>(kv_block(params.edited, merge.to))[merge.slot].value = hash.value;
  }
}

}  // namespace cachalot::tests

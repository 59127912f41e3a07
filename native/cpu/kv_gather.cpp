// Copies single keys and their values into the blocks of an edited part.

#include <cstring>
#include <vector>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

/** Copies `n` elements that stand `stride` apart. */
template <typename Element>
void copy_strided(const uint8_t* from, uint8_t* to, int n, int stride) {
  const auto* source = reinterpret_cast<const Element*>(from);
  auto* target = reinterpret_cast<Element*>(to);
  for (int i = 0; i < n; i++) target[i * stride] = source[i * stride];
}

/** Where an element of K (or of V) of a block is. */
template <typename Byte>
Byte* place(Byte* elements, KvFormat format, int index) {
  return elements + static_cast<size_t>(index) * kv_element_bytes(format);
}

void copy_key(const KvGatherParams& params, const KvMove& move) {
  const KvLayout& layout = params.edited.layout;
  const KvStore& store = move.from.is_edited ? params.edited : params.plain;
  const uint8_t* from = kv_block(store, move.from.block);
  uint8_t* to = kv_block(params.edited, move.to);
  const int d = layout.head_dim;
  const uint8_t* key = place(from, layout.k, key_index(layout, move.from.slot, 0));
  uint8_t* new_key = place(to, layout.k, key_index(layout, move.slot, 0));
  // In bf16 two dims of a key stand beside each other, and two keys of a dim of V.
  const int n_numbers = layout.k == KvFormat::kF32 ? d : d / 2;
  copy_strided<uint32_t>(key, new_key, n_numbers, kTileTokens);
  const size_t values = kv_value_offset(layout);
  const uint8_t* value = place(from + values, layout.v, value_index(layout, move.from.slot, 0));
  uint8_t* new_value = place(to + values, layout.v, value_index(layout, move.slot, 0));
  if (layout.v == KvFormat::kF32) copy_strided<uint32_t>(value, new_value, d, 1);
  else copy_strided<uint16_t>(value, new_value, d, 2);
  auto* notes = reinterpret_cast<KeyNotes*>(to + kv_notes_offset(layout));
  notes->index[move.slot] = move.index;
  notes->weight[move.slot] = move.weight;
}

}  // namespace

// One thread makes a whole block.
void kv_gather(const OpContext& context, const KvGatherParams& params) {
  const auto moves = params.moves;
  std::vector<size_t> begin;  // of each block
  for (size_t i = 0; i < moves.size(); i++) {
    if (moves[i].slot == 0) begin.push_back(i);
  }
  begin.push_back(moves.size());
  context.pool.parallel_for(static_cast<int>(begin.size()) - 1, [&](int block, int) {
    const auto at = static_cast<size_t>(block);
    std::memset(kv_block(params.edited, moves[begin[at]].to), 0,
                kv_block_bytes(params.edited.layout));
    for (size_t i = begin[at]; i < begin[at + 1]; i++) copy_key(params, moves[i]);
  });
}

}  // namespace cachalot::cpu

// Copies single keys and their values into the blocks of an edited part.

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

/** Where an element of K (or of V) of a block is. */
template <typename Byte>
Byte* place(Byte* elements, KvFormat format, int index) {
  return elements + static_cast<size_t>(index) * kv_element_bytes(format);
}

const uint8_t* source_block(const KvGatherParams& params, const KvMove& move) {
  return kv_block(move.from.is_edited ? params.edited : params.plain, move.from.block);
}

/** Of all moves into one block: a line of it has one number of all its keys. */
void copy_keys(const KvGatherParams& params, std::span<const KvMove> moves, uint8_t* to) {
  const KvLayout& layout = params.edited.layout;
  // In bf16 two dims of a key stand beside each other, and are one number here.
  const int n_numbers = layout.k == KvFormat::kF32 ? layout.head_dim : layout.head_dim / 2;
  std::array<const uint32_t*, kTileTokens> sources;
  for (size_t i = 0; i < moves.size(); i++) {
    const int first = key_index(layout, moves[i].from.slot, 0);
    sources[i] =
        reinterpret_cast<const uint32_t*>(place(source_block(params, moves[i]), layout.k, first));
  }
  auto* target = reinterpret_cast<uint32_t*>(to);
  for (int number = 0; number < n_numbers; number++, target += kTileTokens) {
    for (size_t i = 0; i < moves.size(); i++)
      target[moves[i].slot] = sources[i][number * kTileTokens];
  }
}

template <typename Element>
void copy_strided(const uint8_t* from, uint8_t* to, int n, int stride) {
  const auto* source = reinterpret_cast<const Element*>(from);
  auto* target = reinterpret_cast<Element*>(to);
  for (int i = 0; i < n; i++) target[i * stride] = source[i * stride];
}

void copy_value(const KvGatherParams& params, const KvMove& move, uint8_t* to) {
  const KvLayout& layout = params.edited.layout;
  const size_t values = kv_value_offset(layout);
  const uint8_t* value =
      place(source_block(params, move) + values, layout.v, value_index(layout, move.from.slot, 0));
  uint8_t* new_value = place(to + values, layout.v, value_index(layout, move.slot, 0));
  // In bf16 two keys of a dim stand beside each other.
  if (layout.v == KvFormat::kF32) copy_strided<uint32_t>(value, new_value, layout.head_dim, 1);
  else copy_strided<uint16_t>(value, new_value, layout.head_dim, 2);
}

void fill_block(const KvGatherParams& params, std::span<const KvMove> moves) {
  uint8_t* to = kv_block(params.edited, moves.front().to);
  std::memset(to, 0, kv_block_bytes(params.edited.layout));
  copy_keys(params, moves, to);
  auto* notes = reinterpret_cast<KeyNotes*>(to + kv_notes_offset(params.edited.layout));
  for (const KvMove& move : moves) {
    copy_value(params, move, to);
    notes->index[move.slot] = move.index;
    notes->weight[move.slot] = move.weight;
  }
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
    fill_block(params, moves.subspan(begin[at], begin[at + 1] - begin[at]));
  });
}

}  // namespace cachalot::cpu

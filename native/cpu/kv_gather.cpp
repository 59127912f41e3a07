// Copies single keys and their values into the blocks of an edited part.

#include <cstring>
#include <vector>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

void copy_key(const KvGatherParams& params, const KvMove& move) {
  const KvLayout& layout = params.edited.layout;
  const uint8_t* from =
      kv_block(move.from.is_edited ? params.edited : params.plain, move.from.block);
  uint8_t* to = kv_block(params.edited, move.to);
  const size_t values = kv_value_offset(layout);
  for (int d = 0; d < layout.head_dim; d++) {
    copy_element(layout.k, from, key_index(layout, move.from.slot, d), to,
                 key_index(layout, move.slot, d));
    copy_element(layout.v, from + values, value_index(layout, move.from.slot, d), to + values,
                 value_index(layout, move.slot, d));
  }
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

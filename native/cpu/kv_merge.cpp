// Puts the mean of several keys, and of their values, into a slot of an edited block. Keys are
// stored rotated, and their mean is taken as they are stored.

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

/** The weighted sum of one element of all sources, in their order. `offset`: of K or V in a block;
 * `index_of`: the element's place for a slot. */
template <typename IndexOf>
float mean(const KvMergeParams& params, const KvMerge& merge, KvFormat format, size_t offset,
           const IndexOf& index_of) {
  float sum = 0;
  for (int i = 0; i < merge.n_sources; i++) {
    const auto& [from, share] = params.sources[static_cast<size_t>(merge.first_source + i)];
    const uint8_t* block = kv_block(from.is_edited ? params.edited : params.plain, from.block);
    sum += share * load_element(format, block + offset, index_of(from.slot));
  }
  return sum;
}

void merge_keys(const KvMergeParams& params, const KvMerge& merge) {
  const KvLayout& layout = params.edited.layout;
  uint8_t* to = kv_block(params.edited, merge.to);
  const size_t values = kv_value_offset(layout);
  for (int d = 0; d < layout.head_dim; d++) {
    const auto key = [&](int slot) { return key_index(layout, slot, d); };
    const auto value = [&](int slot) { return value_index(layout, slot, d); };
    store_element(layout.k, to, key(merge.slot), mean(params, merge, layout.k, 0, key));
    store_element(layout.v, to + values, value(merge.slot),
                  mean(params, merge, layout.v, values, value));
  }
}

}  // namespace

void kv_merge(const OpContext& context, const KvMergeParams& params) {
  constexpr int64_t kSmallest = 16;  // merges that are worth handing over
  const auto merge = [&](int64_t first, int64_t end, int) {
    for (int64_t i = first; i < end; i++) merge_keys(params, params.merges[static_cast<size_t>(i)]);
  };
  context.pool.parallel_ranges(static_cast<int64_t>(params.merges.size()), kSmallest, merge);
}

}  // namespace cachalot::cpu

// Puts the mean of several keys, and of their values, into a slot of an edited block. Keys are
// stored rotated, and their mean is taken as they are stored.

#include <algorithm>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

constexpr int kDims = 64;  // whose sums are held at a time

/** The weighted sums of all elements of K, or of V, over the sources in their order. `offset`: of K
 * or V in a block; `index_of`: the place of a slot's dim there. */
template <KvFormat kFormat, typename IndexOf>
void merge_elements(const KvMergeParams& params, const KvMerge& merge, size_t offset,
                    const IndexOf& index_of) {
  const auto sources = params.sources.subspan(static_cast<size_t>(merge.first_source),
                                              static_cast<size_t>(merge.n_sources));
  uint8_t* to = kv_block(params.edited, merge.to) + offset;
  for (int begin = 0; begin < params.edited.layout.head_dim; begin += kDims) {
    const int n = std::min(kDims, params.edited.layout.head_dim - begin);
    float sums[kDims] = {};
    for (const auto& [from, share] : sources) {
      const KvStore& store = from.is_edited ? params.edited : params.plain;
      const uint8_t* elements = kv_block(store, from.block) + offset;
      for (int i = 0; i < n; i++)
        sums[i] += share * load_element(kFormat, elements, index_of(from.slot, begin + i));
    }
    for (int i = 0; i < n; i++)
      store_element(kFormat, to, index_of(merge.slot, begin + i), sums[i]);
  }
}

template <typename IndexOf>
void merge_elements(const KvMergeParams& params, const KvMerge& merge, KvFormat format,
                    size_t offset, const IndexOf& index_of) {
  if (format == KvFormat::kF32) merge_elements<KvFormat::kF32>(params, merge, offset, index_of);
  else merge_elements<KvFormat::kBF16>(params, merge, offset, index_of);
}

void merge_keys(const KvMergeParams& params, const KvMerge& merge) {
  const KvLayout& layout = params.edited.layout;
  merge_elements(params, merge, layout.k, 0,
                 [&](int slot, int d) { return key_index(layout, slot, d); });
  merge_elements(params, merge, layout.v, kv_value_offset(layout),
                 [&](int slot, int d) { return value_index(layout, slot, d); });
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

// Copies the first tokens of a slab into a fresh one: this is the cost of a fork inside a block.

#include <cstring>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

template <typename Element>
void copy_tokens(const KvStore& store, const uint8_t* from, uint8_t* to, int n_tokens) {
  const auto* source = reinterpret_cast<const Element*>(from);
  auto* target = reinterpret_cast<Element*>(to);
  const size_t values = kv_half_bytes(store) / sizeof(Element);
  for (int slot = 0; slot < n_tokens; slot++) {
    for (int d = 0; d < store.head_dim; d++) {
      const auto key = static_cast<size_t>(key_index(store, slot, d));
      const size_t value = values + static_cast<size_t>(value_index(store, slot, d));
      target[key] = source[key];
      target[value] = source[value];
    }
  }
}

}  // namespace

void kv_copy(const OpContext& context, const KvCopyParams& params) {
  const KvStore& store = params.store;
  for (const KvCopy& copy : params.copies) {
    context.pool.parallel_for(store.n_layers, [&](int layer, int) {
      for (int head = 0; head < store.n_kv_heads; head++) {
        const uint8_t* from = kv_block(store, copy.from, layer, head);
        uint8_t* to = kv_block(store, copy.to, layer, head);
        std::memset(to, 0, kv_block_bytes(store));
        if (store.format == KvFormat::kF32) copy_tokens<uint32_t>(store, from, to, copy.n_tokens);
        else copy_tokens<uint16_t>(store, from, to, copy.n_tokens);
      }
    });
  }
}

}  // namespace cachalot::cpu

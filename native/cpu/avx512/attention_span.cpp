// Attention of some queries over the tiles of one span: many at a time where there are many, the
// rest a few at a time. Which way a query goes never changes its bits.

#include "cpu/avx512/attention_few.h"
#include "cpu/avx512/attention_many.h"
#include "cpu/avx512/kernels_avx512.h"
#include "cpu/device/merge_state.h"

namespace cachalot::cpu::avx512 {

namespace {

constexpr int kEnough =
    10;  // queries for which a register of 16 costs less than taking them by four

/** How many of the queries left go together; 0: they are too few. */
int many_of(const AttentionSpan& span, int left) {
  if (span.format == KvFormat::kF32 || span.head_dim > kMaxHeadDim) return 0;
  if (left > 16 + kEnough) return left < 32 ? left : 32;
  return left < kEnough ? 0 : left < 16 ? left : 16;
}

}  // namespace

void attention_span(const AttentionSpan* span) {
  int query = 0;
  while (const int n = many_of(*span, span->n_queries - query)) {
    if (n > 16) ManyQueries<2>(*span, query, n).run();
    else ManyQueries<1>(*span, query, n).run();
    query += n;
  }
  if (query == span->n_queries) return;
  for (int i = 0; i < span->n_tiles; i++) few_queries(tile_of(*span, i, query));
}

void merge_states(AttentionState into, AttentionState later, int32_t n, int32_t head_dim) {
  merge_each_state(into, later, n, head_dim);
}

}  // namespace cachalot::cpu::avx512

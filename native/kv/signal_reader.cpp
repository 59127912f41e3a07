#include "kv/signal_reader.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace cachalot {

namespace {

int most_keys(const EditSource& keys) {
  int most = 0;
  for (int head = 0; head < keys.n_heads(); head++) most = std::max(most, keys.n_keys(head));
  return most;
}

}  // namespace

SignalReader::SignalReader(const KvPool& pool, Backend& backend, EditShape shape)
    : pool_(pool), backend_(backend), shape_(std::move(shape)) {
  for (size_t i = 0; i < shape_.classes.size(); i++) {
    const KvStore& store = pool_.stores()[i];
    for (const int32_t layer : shape_.classes[i].layers)
      layers_.insert(layers_.end(), static_cast<size_t>(store.n_kv_heads), layer);
    n_layers_ += store.n_layers;
    head_dim_ = std::max(head_dim_, store.layout.head_dim);
  }
}

std::unique_ptr<KeptQueries> SignalReader::keep(int n_tokens, int n_rows, int stride) const {
  const int last = (n_tokens - 1) / stride * stride;
  n_rows = std::min(n_rows, last / stride + 1);
  const int64_t layer_stride = int64_t{n_rows} * shape_.n_query_heads * head_dim_;
  return std::make_unique<KeptQueries>(
      KeptQueries{nullptr, layer_stride, last - (n_rows - 1) * stride, n_rows, stride});
}

void SignalReader::make_room(KeptQueries* queries) const {
  if (queries->memory != nullptr) return;
  const auto n = static_cast<size_t>(n_layers_ * queries->layer_stride);
  queries->memory = backend_.allocate(n * sizeof(float));
}

QuerySource SignalReader::read(const EditedPart::Source& source, const KvPolicy& policy,
                               const KeptQueries* queries) const {
  const int n_heads = EditedPart::n_heads(pool_);
  QuerySource keys(EditedPart::notes_of(source, n_heads), layers_, n_layers_);
  if (policy.reads_norms()) keys.norms_ = ask(source, {.signal = KeySignal::kNorm});
  if (const auto shape = policy.matches(most_keys(keys), keys.n_tokens()))
    keys.matches_ = ask(source, {.signal = KeySignal::kMatch, .match = *shape});
  if (policy.n_observed() > 0) {
    CHECK(queries != nullptr, "the rows before an edit are observed, if its policy asks for it");
    if (policy.counts_seldom()) keys.seldom_ = ask(source, {.signal = KeySignal::kSeldom}, queries);
    else keys.attention_ = attention(source, *queries);
  }
  return keys;
}

SignalTable SignalReader::attention(const EditedPart::Source& source,
                                    const KeptQueries& queries) const {
  return ask(source, {.signal = KeySignal::kAttention}, &queries);
}

SignalTable SignalReader::ask(const EditedPart::Source& source, KvSignalParams how,
                              const KeptQueries* queries) const {
  const EditSource keys = EditedPart::notes_of(source, EditedPart::n_heads(pool_));
  how.n_keys = most_keys(keys);
  how.first_index = source.first_index;
  how.n_text = source.n_text;
  how.slabs = source.slabs;
  SignalTable table(keys.n_heads(), n_planes(how.signal), how.n_keys);
  size_t first_entry = 0;
  int first_head = 0, first_layer = 0;
  for (size_t i = 0; i < shape_.classes.size(); i++) {
    how.plain = pool_.stores()[i];
    how.edited = pool_.edited_stores()[i];
    if (source.before != nullptr) how.before = source.before->entries().subspan(first_entry);
    if (queries != nullptr) {
      how.queries = queries->memory->floats() + first_layer * queries->layer_stride;
      how.n_rows = queries->n_rows;
      how.first_row = source.first_index + queries->first_row;
      how.row_stride = queries->stride;
      how.n_heads = shape_.n_query_heads;
      how.window = shape_.classes[i].window;
      how.scale = 1.0f / std::sqrt(static_cast<float>(how.plain.layout.head_dim));
      how.layer_stride = queries->layer_stride;
    }
    how.out = table.of_head(first_head);
    backend_.kv_signal(how);
    first_entry += n_edited_entries(how.edited);
    first_head += how.plain.n_layers * how.plain.n_kv_heads;
    first_layer += how.plain.n_layers;
  }
  return table;
}

}  // namespace cachalot

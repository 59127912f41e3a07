#include "tests/scripted_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/host_buffer.h"
#include "base/check.h"
#include "tests/scripted_keys.h"

namespace cachalot::tests {

namespace {

class NoWeight final : public Weight {
 public:
  explicit NoWeight(const Tensor& tensor) : tensor_(tensor) {}
  int64_t n_rows() const override { return tensor_.n_rows; }
  int64_t n_cols() const override { return tensor_.n_cols; }
  int64_t resident_bytes() const override { return 0; }

 private:
  Tensor tensor_;
};

constexpr float kZeros[kVocabulary * kWidth] = {};

void add_tensor(ModelFiles* model, const std::string& name, int64_t n_rows, int64_t n_cols) {
  StoredTensor stored;
  stored.name = name;
  stored.shape = {static_cast<uint64_t>(n_cols), static_cast<uint64_t>(n_rows)};
  stored.tensor = {reinterpret_cast<const uint8_t*>(kZeros), DType::kF32, n_rows, n_cols};
  model->tensors.emplace(name, stored);
}

}  // namespace

ModelFiles scripted_model(int context_length) {
  ModelFiles model;
  ModelConfig& config = model.config;
  config.architecture = "scripted";
  config.context_length = context_length;
  config.width = config.ffn_width = kWidth;
  config.n_heads = kHeads;
  config.vocabulary = kVocabulary;
  config.norm_epsilon = 1;
  config.rope.dims = kHeadDim;
  config.layers = {{kHeads, kHeadDim, 0}, {1, kHeadDim, kWindow}};
  add_tensor(&model, "token_embd.weight", kVocabulary, kWidth);
  add_tensor(&model, "output_norm.weight", 1, kWidth);
  for (int i = 0; i < kLayers; i++) {
    const std::string block = "blk." + std::to_string(i) + ".";
    for (const char* name : {"attn_norm", "ffn_norm"})
      add_tensor(&model, block + name + ".weight", 1, kWidth);
    for (const char* name : {"attn_q", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      add_tensor(&model, block + name + ".weight", kWidth, kWidth);
    const LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    for (const char* name : {"attn_k", "attn_v"})
      add_tensor(&model, block + name + ".weight", layer.n_kv_heads * layer.head_dim, kWidth);
  }
  return model;
}

std::unique_ptr<Buffer> ScriptedBackend::allocate(size_t bytes) {
  return std::make_unique<HostBuffer>(bytes);
}

std::unique_ptr<Weight> ScriptedBackend::prepare_weight(const Tensor& tensor,
                                                        std::span<const uint8_t>) {
  return std::make_unique<NoWeight>(tensor);
}

std::unique_ptr<Weight> ScriptedBackend::prepare_table(const Tensor& tensor, const Weight*) {
  return std::make_unique<NoWeight>(tensor);
}

void ScriptedBackend::gather_rows(const GatherRowsParams& params) {
  poisoned_.clear();
  float* out = params.out;
  for (const int32_t token : step_.tokens) {
    std::fill_n(out, kWidth, 0.0f);
    numbers(out)[0] = static_cast<uint32_t>(token);
    poisoned_.push_back(token == kPoisonedToken);
    out += kWidth;
  }
}

void ScriptedBackend::select_rows(const SelectRowsParams& params) {
  float* out = params.out;
  for (const int32_t row : step_.output_rows) {
    std::memcpy(out, params.from + row * params.width,
                static_cast<size_t>(params.width) * sizeof(float));
    out += params.width;
  }
}

/** A block's result replaces its input. */
void ScriptedBackend::rms_norm(const RmsNormParams& params) {
  for (int row = 0; row < params.n_rows; row++) {
    const int64_t at = int64_t{row} * params.width;
    if (params.delta != nullptr) numbers(params.x)[at] = numbers(params.delta)[at];
    numbers(params.out)[at] = numbers(params.x)[at];
  }
}

void ScriptedBackend::linear(const LinearParams& params) {
  for (const auto& output : params.outputs) {
    const int64_t n = output.weight->n_rows(), k = output.weight->n_cols();
    for (int64_t row = 0; row < params.n_rows; row++) {
      for (int64_t i = 0; i < std::min<int64_t>(n, kWidth); i++)
        numbers(output.y)[row * n + i] = numbers(params.x)[row * k];
    }
  }
}

void ScriptedBackend::check_finite(const CheckFiniteParams& params) {
  for (int row = 0; row < params.n_rows; row++)
    params.out[row] = poisoned_[static_cast<size_t>(row)] == 0;
}

void ScriptedBackend::silu_mul(const SiluMulParams& params) {
  std::memmove(params.out, params.gate,
               static_cast<size_t>(params.n_rows * params.width) * sizeof(float));
}

void ScriptedBackend::begin_step(const StepTables& tables) {
  step_ = tables;
  if (fault_ == Fault::kNone) return;
  plans_.assign(tables.plans.begin(), tables.plans.end());
  for (AttentionPlan& plan : plans_) plant(&plan);
  step_.plans = plans_;
}

void ScriptedBackend::plant(AttentionPlan* plan) const {
  for (const WorkItem& item : plan->items) {
    const ContextPart& part = plan->parts[static_cast<size_t>(item.part)];
    for (int i = item.first_row; i < item.first_row + item.n_rows; i++) {
      ItemRow& row = plan->item_rows[static_cast<size_t>(i)];
      const bool is_sealed_end = row.end_key == part.end_key && part.end_key % kTileTokens != 0;
      if (fault_ == Fault::kOneKeyTooMany && is_sealed_end) row.end_key++;
      if (fault_ == Fault::kWrongShift && part.shift != 0) row.query_position++;
    }
  }
  for (int row = 0; fault_ == Fault::kOtherOrder && row < plan->n_rows(); row++) {
    const auto first = plan->merge_entries.begin() + plan->merge_begin[static_cast<size_t>(row)];
    const auto end = plan->merge_entries.begin() + plan->merge_begin[static_cast<size_t>(row) + 1];
    const auto second = std::find_if(
        first, end, [&](const MergeEntry& entry) { return entry.span_group != first->span_group; });
    if (second != end) std::swap(*first, *second);
  }
}

/** A partial is the hash of the keys read, and their number. Pieces run one after the other: a span
 * that is resumed before the phase that began it gives a wrong hash. */
void ScriptedBackend::attention(const AttentionParams& params) {
  const AttentionPlan& plan = step_.plans[static_cast<size_t>(params.plan)];
  std::fill_n(numbers(params.partials), int64_t{plan.n_partials} * params.n_heads * (kHeadDim + 2),
              0xdeadbeef);
  for (const AttentionPiece& piece : plan.pieces) {
    const WorkItem& item = plan.items[static_cast<size_t>(piece.item)];
    for (int i = 0; i < piece.n_heads; i++) attend(params, plan, item, piece.first_head + i);
  }
}

/** Slots that a part does not fill must be numbers: a real kernel multiplies them by 0. */
void ScriptedBackend::check_unused_slots(const AttentionParams& params, const AttentionPlan& plan,
                                         const ContextPart& part, int tile, int head) const {
  const Key* keys = reinterpret_cast<const Key*>(
      kv_block(part.table, step_.slabs.data(), tile, params.layer, head));
  const auto holds = [&](const ContextPart& other, int key) {
    return other.table.first == part.table.first && !is_edited(other.table) &&
           key >= other.first_key && key < other.end_key;
  };
  for (int slot = 0; slot < kTileTokens; slot++) {
    const int key = tile * kTileTokens + slot;
    const bool is_used = std::ranges::any_of(
        plan.parts, [&](const ContextPart& other) { return holds(other, key); });
    if (!is_used) CHECK(keys[slot].value != kNoNumber, "slots outside of a part are numbers");
  }
}

/** Visits the keys of a head in the item's tiles: (token of the part, key, log-weight). */
template <typename Visitor>
void ScriptedBackend::for_each_key(const AttentionParams& params, const ContextPart& part,
                                   const WorkItem& item, int head, const Visitor& visitor) const {
  const uint32_t* list = step_.slabs.data();
  const bool edited = is_edited(part.table);
  HeadKeys keys = edited ? head_keys(part.table, list, params.layer, head) : HeadKeys{};
  if (fault_ == Fault::kOtherHead && edited && head > 0)
    keys.n_keys = std::min(keys.n_keys, head_keys(part.table, list, params.layer, head - 1).n_keys);
  const int n_tiles = edited ? (keys.n_keys + kTileTokens - 1) / kTileTokens : item.end_tile;
  for (int tile = item.first_tile; tile < std::min(item.end_tile, n_tiles); tile++) {
    const uint8_t* block = edited ? kv_block(part.table.store, keys.blocks[tile])
                                  : kv_block(part.table, list, tile, params.layer, head);
    const auto* notes =
        reinterpret_cast<const KeyNotes*>(block + kv_notes_offset(part.table.store.layout));
    for (int slot = 0; slot < kTileTokens; slot++) {
      const Key& key = reinterpret_cast<const Key*>(block)[slot];
      const int at = tile * kTileTokens + slot;
      if (!edited) visitor(at, key, 0.0f);
      else if (at < keys.n_keys) visitor(notes->index[slot], key, notes->weight[slot]);
      else CHECK(key.rotation == 0, "slots after the last key are zeros");
    }
  }
}

void ScriptedBackend::attend(const AttentionParams& params, const AttentionPlan& plan,
                             const WorkItem& item, int head) {
  const ContextPart& part = plan.parts[static_cast<size_t>(item.part)];
  const int query_group = params.n_heads / params.n_kv_heads;
  if (!is_edited(part.table)) {
    for (int tile = item.first_tile; tile < item.end_tile; tile++)
      check_unused_slots(params, plan, part, tile, head);
  }
  for (int i = 0; i < item.n_rows * query_group; i++) {
    const ItemRow& row = plan.item_rows[static_cast<size_t>(item.first_row + i / query_group)];
    const auto partial_of = [&](int64_t partial) {
      const int64_t at = partial * params.n_heads + head * query_group + i % query_group;
      return numbers(params.partials) + at * (kHeadDim + 2);
    };
    const uint32_t* begun = row.resumes < 0 ? nullptr : partial_of(row.resumes);
    Hash hash;
    if (begun != nullptr) hash = {begun[0], begun[1]};
    uint32_t n_read = begun == nullptr ? 0 : begun[2];
    for_each_key(params, part, item, head, [&](int index, const Key& stored, float weight) {
      if (index < row.first_key || index >= row.end_key) return;
      const auto rotation = static_cast<uint32_t>(part.position - part.shift + index);
      CHECK(stored.rotation == rotation + 1, "the key of each place is there");
      hash.add(weighted(stored.value, weight), row.query_position - static_cast<int>(rotation));
      n_read++;
    });
    uint32_t* out = partial_of(int64_t{item.first_partial} + i / query_group);
    out[0] = hash.value;
    out[1] = hash.power;
    out[2] = n_read;
  }
}

void ScriptedBackend::attention_merge(const AttentionMergeParams& params) {
  const AttentionPlan& plan = step_.plans[static_cast<size_t>(params.plan)];
  for (int row = 0; row < plan.n_rows(); row++) {
    uint32_t hashes[kHeads];
    for (int head = 0; head < params.n_heads; head++) {
      Hash hash;
      uint32_t n_read = 0;
      for (int i = plan.merge_begin[static_cast<size_t>(row)];
           i < plan.merge_begin[static_cast<size_t>(row) + 1]; i++) {
        const int64_t partial = plan.merge_entries[static_cast<size_t>(i)].partial;
        const uint32_t* in =
            numbers(params.partials) + (partial * params.n_heads + head) * (kHeadDim + 2);
        hash.append({in[0], in[1]});
        n_read += in[2];
      }
      CHECK(n_read > 0, "a row reads its own key");
      hashes[head] = hash.value;
    }
    // The row's result is read where its first head's is.
    numbers(params.out)[int64_t{row} * params.n_heads * kHeadDim] =
        both_heads(hashes[0], hashes[1]);
  }
}

void ScriptedBackend::sample(const SampleParams& params) {
  for (size_t row = 0; row < params.rows.size(); row++) {
    const uint32_t hash = numbers(params.logits)[row * static_cast<size_t>(params.vocabulary)];
    const int32_t forced = params.rows[row].forced_token;
    params.out[row] = {forced >= 0 ? forced : Oracle::token_of(hash),
                       -static_cast<float>(hash % 1024) / 1024};
    for (int i = 0; i < params.rows[row].n_top; i++)
      params.top[row * kMaxTopTokens + static_cast<size_t>(i)] = {
          Oracle::token_of(hash + static_cast<uint32_t>(i)), 0};
  }
}

}  // namespace cachalot::tests

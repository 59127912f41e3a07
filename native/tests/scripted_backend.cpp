#include "tests/scripted_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/host_buffer.h"
#include "base/check.h"

namespace cachalot::tests {

namespace {

constexpr int kHeads = 2, kHeadDim = 2, kWidth = 4;

uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352d;
  x = (x ^ (x >> 15)) * 0x846ca68b;
  return x ^ (x >> 16);
}

/** The term that a key at `position` adds to a hash. */
uint32_t term(uint32_t value, uint32_t position) { return mix(value ^ mix(position + 1)); }

const uint32_t* numbers(const float* values) { return reinterpret_cast<const uint32_t*>(values); }
uint32_t* numbers(float* values) { return reinterpret_cast<uint32_t*>(values); }

/** A slot of a block: the number that K and V stand for, and its position. */
struct Key {
  uint32_t value, position;
};
static_assert(sizeof(Key) == kHeadDim * sizeof(float));

Key* keys_of(const KvStore& store, uint32_t slab, int layer, int head) {
  return reinterpret_cast<Key*>(kv_block(store, slab, layer, head));
}

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
  config.layers = {{kHeads, kHeadDim, 0}, {kHeads, kHeadDim, kWindow}};
  add_tensor(&model, "token_embd.weight", kVocabulary, kWidth);
  add_tensor(&model, "output_norm.weight", 1, kWidth);
  for (int i = 0; i < kLayers; i++) {
    const std::string block = "blk." + std::to_string(i) + ".";
    for (const char* name : {"attn_norm", "ffn_norm"})
      add_tensor(&model, block + name + ".weight", 1, kWidth);
    for (const char* name :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      add_tensor(&model, block + name + ".weight", kWidth, kWidth);
  }
  return model;
}

int32_t token_of(uint32_t hash) {
  const auto token = static_cast<int32_t>(hash % kVocabulary);
  return token == kPoisonedToken ? 0 : token;
}

void Oracle::push(int32_t token) {
  const auto position = static_cast<uint32_t>(sums_.size());
  hash0_ += term(static_cast<uint32_t>(token), position);
  sums_.push_back((sums_.empty() ? 0 : sums_.back()) + term(hash0_, position));
}

uint32_t Oracle::hash() const {
  const size_t n = sums_.size();
  return sums_.back() - (n > kWindow ? sums_[n - 1 - kWindow] : 0);
}

int32_t Oracle::next() const { return token_of(hash()); }

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

void ScriptedBackend::kv_write(const KvWriteParams& params) {
  const KvStore& store = params.store;
  for (size_t row = 0; row < step_.targets.size(); row++) {
    const KvTarget& target = step_.targets[row];
    for (int head = 0; head < store.n_kv_heads; head++) {
      const size_t at = (row * static_cast<size_t>(store.n_kv_heads) + head) * kHeadDim;
      keys_of(store, target.slab, params.layer, head)[target.slot] = {
          numbers(params.k)[at], static_cast<uint32_t>(target.position)};
    }
  }
}

void ScriptedBackend::kv_copy(const KvCopyParams& params) {
  for (const KvCopy& copy : params.copies) {
    for (int layer = 0; layer < params.store.n_layers; layer++) {
      for (int head = 0; head < params.store.n_kv_heads; head++) {
        std::copy_n(keys_of(params.store, copy.from, layer, head), copy.n_tokens,
                    keys_of(params.store, copy.to, layer, head));
      }
    }
  }
}

/** A partial is the sum of the terms of the keys read, and their number. Pieces run one after the
 * other: a span that is resumed before the phase that began it gives a wrong sum. */
void ScriptedBackend::attention(const AttentionParams& params) {
  const AttentionPlan& plan = step_.plans[static_cast<size_t>(params.plan)];
  std::fill_n(numbers(params.partials), int64_t{plan.n_partials} * params.n_heads * (kHeadDim + 2),
              0xdeadbeef);
  for (const AttentionPiece& piece : plan.pieces) {
    const WorkItem& item = plan.items[static_cast<size_t>(piece.item)];
    for (int i = 0; i < piece.n_heads; i++) attend(params, plan, item, piece.first_head + i);
  }
}

/** There are as many heads of KV as of queries. */
void ScriptedBackend::attend(const AttentionParams& params, const AttentionPlan& plan,
                             const WorkItem& item, int head) {
  const ContextPart& part = plan.parts[static_cast<size_t>(item.part)];
  const auto partial_of = [&](int64_t partial) {
    return numbers(params.partials) + (partial * params.n_heads + head) * (kHeadDim + 2);
  };
  for (int i = 0; i < item.n_rows; i++) {
    const ItemRow& row = plan.item_rows[static_cast<size_t>(item.first_row + i)];
    CHECK(row.end_key == row.query_position + 1, "a row reads up to its own token");
    const int first = std::max(row.first_key, item.first_tile * kTileTokens);
    const int end = std::min(row.end_key, item.end_tile * kTileTokens);
    const uint32_t* begun = row.resumes < 0 ? nullptr : partial_of(row.resumes);
    uint32_t sum = begun == nullptr ? 0 : begun[0], n_read = begun == nullptr ? 0 : begun[1];
    for (int key = first; key < end; key++) {
      const Key stored = keys_of(params.store, part.slabs[key / kTileTokens], params.layer,
                                 head)[key % kTileTokens];
      CHECK(stored.position == static_cast<uint32_t>(key), "the key of each place is there");
      sum += term(stored.value, stored.position);
      n_read++;
    }
    uint32_t* out = partial_of(int64_t{item.first_partial} + i);
    out[0] = sum;
    out[1] = n_read;
    out[2] = static_cast<uint32_t>(row.end_key - row.first_key);
  }
}

void ScriptedBackend::attention_merge(const AttentionMergeParams& params) {
  const AttentionPlan& plan = step_.plans[static_cast<size_t>(params.plan)];
  for (int row = 0; row < plan.n_rows(); row++) {
    for (int head = 0; head < params.n_heads; head++) {
      uint32_t sum = 0, n_read = 0, n_wanted = 0;
      for (int i = plan.merge_begin[static_cast<size_t>(row)];
           i < plan.merge_begin[static_cast<size_t>(row) + 1]; i++) {
        const int64_t partial = plan.merge_entries[static_cast<size_t>(i)].partial;
        const uint32_t* in =
            numbers(params.partials) + (partial * params.n_heads + head) * (kHeadDim + 2);
        sum += in[0];
        n_read += in[1];
        n_wanted = in[2];
      }
      CHECK(n_read == n_wanted && n_read > 0, "the plan covers every key of a row once");
      float* out = params.out + (int64_t{row} * params.n_heads + head) * kHeadDim;
      numbers(out)[0] = sum;
      CHECK(sum == numbers(params.out)[int64_t{row} * params.n_heads * kHeadDim],
            "all heads read the same text");
    }
  }
}

void ScriptedBackend::sample(const SampleParams& params) {
  for (size_t row = 0; row < params.rows.size(); row++) {
    const uint32_t hash = numbers(params.logits)[row * static_cast<size_t>(params.vocabulary)];
    const int32_t forced = params.rows[row].forced_token;
    params.out[row] = {forced >= 0 ? forced : token_of(hash),
                       -static_cast<float>(hash % 1024) / 1024};
  }
}

}  // namespace cachalot::tests

// Contexts that a test makes up, in the memory of a backend: parts, edits, and what they share.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "addon/testing/device.h"
#include "attention/plan.h"
#include "kv/pool.h"

namespace cachalot::addon {

/** A case: one layer, contexts of their own, the last rows of each being the step's rows. */
struct Case {
  explicit Case(const Napi::Object& object)
      : n_heads(integer_of(object.Get("heads"))),
        n_kv_heads(integer_of(object.Get("kvHeads"))),
        head_dim(integer_of(object.Get("headDim"))),
        format(object.Get("format").ToString().Utf8Value() == "bf16" ? KvFormat::kBF16
                                                                     : KvFormat::kF32),
        parallelism(integer_of(object.Get("parallelism"))),
        window(integer_of(object.Get("window"))),
        grouping(object.Get("grouped").ToBoolean() ? Grouping::kAlways : Grouping::kNever),
        interleaved(object.Get("interleaved").ToBoolean()),
        cosines(floats_of(object.Get("cosines"))),
        sines(floats_of(object.Get("sines"))) {}

  int n_heads, n_kv_heads, head_dim;
  KvFormat format;
  int parallelism, window;
  Grouping grouping;
  bool interleaved;
  std::vector<float> cosines, sines;
};

/** Contexts in the backend's memory: each has slabs of its own tokens, and parts of others before
 * them. */
class Contexts {
 public:
  Contexts(Backend& backend, const Case& c, const RopeTable& rope, const Napi::Array& given,
           size_t bytes)
      : backend_(backend),
        case_(c),
        rope_(rope),
        pool_(backend,
              std::array{KvShape{kv_layout(c.format, c.format, c.head_dim), 1, c.n_kv_heads}},
              bytes),
        edited_memory_(backend.allocate(2 * bytes)) {
    const KvLayout layout = kv_layout(c.format, c.format, c.head_dim, KvBlockKind::kEdited);
    edited_ = {edited_memory_->data(), layout, 1, c.n_kv_heads};
    edited_memory_->fill(0, edited_memory_->size(), 0xff);
    for (uint32_t i = 0; i < given.Length(); i++) add(given.Get(i).As<Napi::Object>());
    for (size_t i = 0; i < parts_.size(); i++) sequences_.push_back({parts_[i], rows_[i]});
  }

  const KvStore& store() const { return pool_.stores()[0]; }
  const KvStore& edited_store() const { return edited_; }
  std::span<const PlanSequence> sequences() const { return sequences_; }
  const std::vector<uint32_t>& slabs() const { return slabs_; }

 private:
  void add(const Napi::Object& given);
  std::vector<uint32_t> shared_slabs(const Napi::Value& shares) const;
  KvTable table_of(std::span<const uint32_t> slabs);
  ContextPart part_of(const Napi::Object& given);
  /** A part of single keys, for each KV head [{ tokens, weight }]: the first token's, or the mean
   * of them all. Tokens count from the part's first. */
  ContextPart edited_part(const ContextPart& plain, const Napi::Array& heads);
  void add_head(const ContextPart& plain, uint32_t first, int head, const Napi::Array& keys);
  KvPlace place_of(const ContextPart& plain, int index, int head) const;
  /** Tokens [first, end) of another context; slabs that they fill in part are copied. */
  ContextPart sealed_part(const Napi::Object& given);
  /** Writes a whole context into fresh slabs, after those that it shares. */
  std::vector<uint32_t> write(const std::vector<float>& k, const std::vector<float>& v,
                              int n_tokens, int origin, std::vector<uint32_t> slabs);

  struct Own {
    std::vector<uint32_t> slabs;
    int origin;  // the position of its first token
  };

  Backend& backend_;
  const Case& case_;
  const RopeTable& rope_;
  KvPool pool_;
  std::unique_ptr<Buffer> edited_memory_;  // of blocks of edited parts; NaN at first
  KvStore edited_{};
  uint32_t n_edited_ = 0;  // blocks
  std::vector<Own> own_;
  std::vector<uint32_t> slabs_;  // the step's list
  std::vector<std::vector<ContextPart>> parts_;
  std::vector<std::vector<PlanRow>> rows_;
  std::vector<PlanSequence> sequences_;
  int32_t n_rows_ = 0;
};

}  // namespace cachalot::addon

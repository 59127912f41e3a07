// A backend without arithmetic: its result for a token is a hash of all tokens before it, read
// through KV blocks, plan and tree like any key and value. So every token from an engine shows
// whether scheduler, cache and plan did their work, and the right token is known beforehand.
//
// Activations carry a 32-bit number in the first place of each row. Layer 0 hashes tokens, layer 1
// the hashes of layer 0, so that KV is only valid after its own prefix, as in a model. The hash
// depends on the order of the keys and on how far each stands before its reader. It does not depend
// on where work is cut: two neighbouring ranges of keys combine to the hash of both.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/model_files.h"
#include "tests/oracle.h"

namespace cachalot::tests {

/** Configuration and weights to go with it; the weights are never read. */
ModelFiles scripted_model(int context_length);

/** A fault that the tests plant, to see that the oracle finds it. */
enum class Fault {
  kNone,
  kOneKeyTooMany,  // a row reads one key more of a sealed part
  kWrongShift,     // a query is rotated by a position that is off by one
  kStaleTail,      // a copy leaves what stood in the rest of the slab
  kOtherOrder,     // the first two span groups of a row change places
  kOtherHead,      // a head of an edited part reads as many keys as the one before
  kLostWeight,     // an edited part forgets for how many tokens its keys stand
  kWrongEdit,      // a context is edited one token too late
  kDirtyTail,      // keys of wrong guesses that are no numbers are not cleared
  kOtherGuess,     // a branch gets the key of another row
};

class ScriptedBackend final : public Backend {
 public:
  explicit ScriptedBackend(Fault fault = Fault::kNone) : fault_(fault) {}

  DeviceDescription device() const override { return {"scripted", "", "", 1}; }
  int parallelism() const override { return 3; }
  KvFormat preferred_kv_format() const override { return KvFormat::kF32; }
  std::unique_ptr<Buffer> allocate(size_t bytes) override;
  std::string layout() const override { return "scripted"; }
  bool reads_in_place(DType, WeightUse) const override { return true; }
  std::unique_ptr<Weight> prepare_weight(const Tensor& tensor,
                                         std::span<const uint8_t> packed) override;
  std::unique_ptr<Weight> prepare_table(const Tensor& tensor, const Weight* same) override;
  uint64_t memory_for_kv() const override { return uint64_t{1} << 30; }
  uint64_t kv_limit() const override { return UINT64_MAX; }
  void check_kv(KvFormat, int) const override {}
  void begin_step(const StepTables& tables) override;
  void start() override {}
  bool is_async() const override { return false; }
  void wait() override {}
  const float* host_view(const float* values, size_t) override { return values; }
  void gather_rows(const GatherRowsParams& params) override;
  void select_rows(const SelectRowsParams& params) override;
  void rms_norm(const RmsNormParams& params) override;
  void linear(const LinearParams& params) override;
  void check_finite(const CheckFiniteParams& params) override;
  void silu_mul(const SiluMulParams& params) override;
  void kv_write(const KvWriteParams& params) override;
  void kv_copy(const KvCopyParams& params) override;
  void kv_gather(const KvGatherParams& params) override;
  void kv_merge(const KvMergeParams& params) override;
  void keep_queries(const KeepQueriesParams& params) override;
  void kv_signal(const KvSignalParams& params) override;
  void attention(const AttentionParams& params) override;
  void attention_merge(const AttentionMergeParams& params) override;
  void sample(const SampleParams& params) override;

 private:
  void attend(const AttentionParams& params, const AttentionPlan& plan, const WorkItem& item,
              int head);
  template <typename Visitor>
  void for_each_key(const AttentionParams& params, const ContextPart& part, const WorkItem& item,
                    int head, const Visitor& visitor) const;
  void plant(AttentionPlan* plan) const;
  void check_unused_slots(const AttentionParams& params, const AttentionPlan& plan,
                          const ContextPart& part, int tile, int head) const;

  const Fault fault_;
  StepTables step_;
  std::vector<AttentionPlan> plans_;  // of the step, with the fault
  std::vector<uint8_t> poisoned_;     // [R] rows of this step that hold kPoisonedToken
};

}  // namespace cachalot::tests

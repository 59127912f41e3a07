// The ops of the CUDA library: each cuts its work into blocks and launches its kernel on a stream.
// Their arguments are in abi.h.
#pragma once

#include "cuda/abi.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

/** The facts about the device that launchers need. */
struct LaunchContext {
  simt::stream_t stream;
  int n_multiprocessors;
};

void gather_rows(const LaunchContext& context, const GatherRowsArgs& args);
void select_rows(const LaunchContext& context, const SelectRowsArgs& args);
void rms_norm(const LaunchContext& context, const RmsNormArgs& args);
void prepare_rows(const LaunchContext& context, const PrepareRowsArgs& args);
void linear(const LaunchContext& context, const LinearArgs& args);
void check_finite(const LaunchContext& context, const CheckFiniteArgs& args);
void silu_mul(const LaunchContext& context, const SiluMulArgs& args);
void kv_write(const LaunchContext& context, const KvWriteArgs& args);
void kv_copy(const LaunchContext& context, const KvCopyArgs& args);
void kv_gather(const LaunchContext& context, const KvGatherArgs& args);
void kv_merge(const LaunchContext& context, const KvMergeArgs& args);
void keep_queries(const LaunchContext& context, const KeepQueriesArgs& args);
void kv_signal(const LaunchContext& context, const KvSignalArgs& args);
void update_slabs(const LaunchContext& context, const UpdateSlabsArgs& args);
void attention(const LaunchContext& context, const AttentionArgs& args);
void attention_merge(const LaunchContext& context, const AttentionMergeArgs& args);
void sample(const LaunchContext& context, const SampleArgs& args);

}  // namespace cachalot::cuda

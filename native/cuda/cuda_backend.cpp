#include "cuda/cuda_backend.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/cores.h"
#include "base/error.h"
#include "cuda/cuda_library.h"
#include "cuda/pack.h"

namespace cachalot::cuda {

namespace {

constexpr size_t kRoomForSamples = size_t{1} << 20;  // bytes, behind a step's other tables
constexpr size_t kLeastSlabBytes = size_t{1} << 16;
constexpr uint64_t kLeastSpare = uint64_t{512} << 20;  // for the driver, graphs and scratch

std::shared_ptr<const CudaDevice> open_device(const std::string& path, int index) {
  const FoundDevices found = find_devices(path);
  if (found.library == nullptr)
    throw Error(ErrorCode::kDeviceUnavailable, "there is no CUDA device: " + found.reason);
  if (index < 0 || index >= static_cast<int>(found.devices.size())) {
    throw Error(ErrorCode::kDeviceUnavailable, "there is no CUDA device " + std::to_string(index) +
                                                   ": this machine has " +
                                                   std::to_string(found.devices.size()));
  }
  return std::make_shared<const CudaDevice>(*found.library,
                                            found.devices[static_cast<size_t>(index)].ordinal);
}

}  // namespace

CudaBackend::CudaBackend(const std::string& library, int index)
    : device_(open_device(library, index)),
      builder_(device_->info().n_multiprocessors),
      graphs_(device_),
      staging_(device_),
      returned_(device_),
      prepared_{CudaScratch(device_), CudaScratch(device_), CudaScratch(device_),
                CudaScratch(device_), CudaScratch(device_)},
      workspace_(device_),
      counters_(device_),
      attention_counters_(device_),
      finite_(device_),
      sampled_(device_),
      edited_(device_),
      edits_(device_),
      masks_(device_) {
  tables_ = std::make_unique<CudaBuffer>(device_, 2 * kRoomForSamples);
}

DeviceDescription CudaBackend::device() const {
  const DeviceInfo& info = device_->info();
  const std::string instructions = "sm_" + std::to_string(10 * info.major + info.minor);
  return {"cuda", info.name, instructions, info.n_multiprocessors};
}

uint64_t CudaBackend::memory_for_kv() const {
  const uint64_t free = device_->free_bytes(), spare = std::max(kLeastSpare, free / 16);
  return free > spare ? free - spare : 0;
}

std::unique_ptr<Buffer> CudaBackend::allocate(size_t bytes) {
  return std::make_unique<CudaBuffer>(device_, bytes);
}

std::shared_ptr<const DeviceMatrix> CudaBackend::upload(const Tensor& tensor) const {
  auto matrix = std::make_shared<DeviceMatrix>(device_, format_of(tensor.dtype), tensor);
  ThreadPool pool(usable_cores());
  const MemoryRegion packed = pack_weight(tensor, pool);
  matrix->buffer.write(0, std::span<const uint8_t>(packed.data(), packed.size()));
  return matrix;
}

std::unique_ptr<Weight> CudaBackend::prepare_weight(const Tensor& tensor,
                                                    std::span<const uint8_t>) {
  return std::make_unique<CudaWeight>(upload(tensor));
}

std::unique_ptr<Weight> CudaBackend::prepare_table(const Tensor& tensor, const Weight* same) {
  const auto* shared = static_cast<const CudaWeight*>(same);
  return std::make_unique<CudaWeight>(same == nullptr ? upload(tensor) : shared->shared_matrix());
}

void CudaBackend::begin_step(const StepTables& tables) {
  end_step();  // clears what a failed step has left
  device_->check(std::exchange(copy_status_, 0), "copying keys and values");
  builder_.begin(tables);
  // Every launch names the tables' address, so they are moved before the first launch.
  const size_t size = builder_.size() + kRoomForSamples;
  if (size > tables_->size()) tables_ = std::make_unique<CudaBuffer>(device_, 2 * size);
}

const StepHeader* CudaBackend::step() const {
  return reinterpret_cast<const StepHeader*>(tables_->data());
}

/** Makes room for the list of slabs. If it has moved, it is copied whole; else what is new must be
 * written by a launch: true. */
bool CudaBackend::place_slabs() {
  const StepTables& tables = builder_.tables();
  const size_t size = tables.slabs.size_bytes();
  const bool has_room = slabs_ != nullptr && size <= slabs_->size();
  if (!has_room) {
    auto moved = std::make_unique<CudaBuffer>(device_, std::max(kLeastSlabBytes, 2 * size));
    device_->write(moved->data(), tables.slabs.data(), size);
    device_->wait();  // the source is not pinned
    slabs_ = std::move(moved);
  }
  builder_.set_slabs(slabs_->data());
  return has_room && !tables.new_slabs.empty();
}

void CudaBackend::upload_step() {
  const size_t size = builder_.size();
  uint8_t* bytes = staging_.get(size);
  builder_.write(bytes, tables_->data());
  device_->write(tables_->data(), bytes, size);
}

void CudaBackend::start() {
  if (launches_.empty()) return;
  runs_ = true;
  const bool has_new_slabs = place_slabs();
  upload_step();
  if (has_new_slabs) {  // not in the graph: most steps have none
    const Launch update = Launch::of(Op::kUpdateSlabs, UpdateSlabsArgs{step()});
    device_->check(device_->library().run(device_->get(), &update, 1), "launching kernels");
  }
  graphs_.run(launches_);
  launches_.clear();
}

void CudaBackend::wait() {
  size_t n_bytes = 0;
  for (const Result& result : results_) n_bytes += result.bytes;
  uint8_t* bytes = returned_.get(std::max<size_t>(n_bytes, 1));
  start();
  size_t at = 0;
  for (const Result& result : results_) {
    device_->read(bytes + at, result.from, result.bytes);
    at += result.bytes;
  }
  device_->wait();
  runs_ = false;
  at = 0;
  for (const Result& result : results_) {
    std::memcpy(result.to, bytes + at, result.bytes);
    at += result.bytes;
  }
  end_step();
}

void CudaBackend::end_step() {
  if (std::exchange(runs_, false))
    device_->wait();  // it may still read memory that is used again now
  launches_.clear();
  results_.clear();
  for (CudaScratch& scratch : prepared_) scratch.end_step();
  for (CudaScratch* scratch :
       {&workspace_, &counters_, &attention_counters_, &finite_, &sampled_, &edited_, &edits_})
    scratch->end_step();
}

const float* CudaBackend::host_view(const float* values, size_t n) {
  host_floats_.resize(n);
  device_->read(host_floats_.data(), values, n * sizeof(float));
  device_->wait();
  return host_floats_.data();
}

void CudaBackend::gather_rows(const GatherRowsParams& params) {
  const DeviceMatrix& table = static_cast<const CudaWeight*>(params.table)->matrix();
  const auto n_rows = static_cast<int32_t>(builder_.tables().tokens.size());
  record(Op::kGatherRows,
         GatherRowsArgs{step(), table.buffer.data(), params.out, static_cast<int32_t>(table.format),
                        n_rows, static_cast<int32_t>(table.n_cols)});
}

void CudaBackend::select_rows(const SelectRowsParams& params) {
  const auto n_rows = static_cast<int32_t>(builder_.tables().output_rows.size());
  record(Op::kSelectRows, SelectRowsArgs{step(), params.from, params.out, n_rows, params.width});
}

void CudaBackend::rms_norm(const RmsNormParams& params) {
  record(Op::kRmsNorm, RmsNormArgs{params.x,
                                   params.delta,
                                   params.weight,
                                   params.out,
                                   {},
                                   params.epsilon,
                                   params.n_rows,
                                   params.width});
}

void CudaBackend::silu_mul(const SiluMulParams& params) {
  record(Op::kSiluMul,
         SiluMulArgs{params.gate, params.up, params.out, {}, params.n_rows, params.width});
}

void CudaBackend::check_finite(const CheckFiniteParams& params) {
  const auto n = static_cast<size_t>(params.n_rows);
  uint8_t* out = finite_.get(n);
  record(Op::kCheckFinite,
         CheckFiniteArgs{params.x, params.delta, out, params.n_rows, params.width});
  results_.push_back({out, params.out, n});
}

void CudaBackend::check_kv(KvFormat format, int head_dim) const {
  if (format != KvFormat::kBF16) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("expected auto or bf16 for `kv.format` on a GPU, received '") +
                    kv_format_name(format) + "'; device \"cpu\" keeps f32, too");
  }
  if (head_dim % 16 != 0 || head_dim > 256) {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                "heads of " + std::to_string(head_dim) +
                    " dims are not supported on a GPU, only multiples of 16 up to 256; use device "
                    "\"cpu\"");
  }
}

void CudaBackend::kv_write(const KvWriteParams& params) {
  const auto n_targets = static_cast<int32_t>(builder_.tables().targets.size());
  if (n_targets == 0) return;
  record(Op::kKvWrite, KvWriteArgs{step(), params.store, params.rope, params.k, params.v,
                                   params.layer, n_targets});
}

/** Called between steps, so it is launched at once: the next step's ops come after it. The cache
 * calls it in the middle of its own work, which must not end half done. So if the copy fails, the
 * next step reports it. */
void CudaBackend::kv_copy(const KvCopyParams& params) {
  std::vector<Launch> launches;
  for (auto left = params.copies; !left.empty();) {
    const auto some = left.first(std::min(left.size(), size_t{kMaxCopies}));
    left = left.subspan(some.size());
    for (const KvStore& store : params.stores) {
      KvCopyArgs args{store, {}, static_cast<int32_t>(some.size())};
      std::ranges::copy(some, args.copies);
      launches.push_back(Launch::of(Op::kKvCopy, args));
    }
  }
  run_between_steps(launches);
}

void CudaBackend::run_between_steps(std::span<const Launch> launches) {
  const Status status = device_->library().run(device_->get(), launches.data(),
                                               static_cast<int32_t>(launches.size()));
  if (copy_status_ == 0) copy_status_ = status;
}

void CudaBackend::kv_gather(const KvGatherParams& params) {
  if (params.moves.empty()) return;
  const CudaBuffer moves(device_, params.moves.size_bytes());
  device_->write(moves.data(), params.moves.data(), params.moves.size_bytes());
  const Launch launch =
      Launch::of(Op::kKvGather, KvGatherArgs{params.plain, params.edited,
                                             reinterpret_cast<const KvMove*>(moves.data()),
                                             static_cast<int32_t>(params.moves.size())});
  run_between_steps(std::span(&launch, 1));
  device_->wait();  // the moves are read until then
}

void CudaBackend::kv_merge(const KvMergeParams& params) {
  if (params.merges.empty()) return;
  const CudaBuffer merges(device_, params.merges.size_bytes()),
      sources(device_, params.sources.size_bytes());
  device_->write(merges.data(), params.merges.data(), params.merges.size_bytes());
  device_->write(sources.data(), params.sources.data(), params.sources.size_bytes());
  const Launch launch =
      Launch::of(Op::kKvMerge, KvMergeArgs{params.plain, params.edited,
                                           reinterpret_cast<const KvMerge*>(merges.data()),
                                           reinterpret_cast<const KvMergeSource*>(sources.data()),
                                           static_cast<int32_t>(params.merges.size())});
  run_between_steps(std::span(&launch, 1));
  device_->wait();  // the records are read until then
}

void CudaBackend::keep_queries(const KeepQueriesParams& params) {
  const auto n_kept = static_cast<int32_t>(builder_.tables().kept_rows.size());
  if (n_kept == 0) return;
  record(Op::kKeepQueries, KeepQueriesArgs{step(), params.rope, params.q, params.layer, n_kept,
                                           params.n_heads, params.head_dim});
}

void CudaBackend::kv_signal(const KvSignalParams& params) {
  const auto upload = [&](std::span<const uint32_t> entries) {
    auto buffer = std::make_unique<CudaBuffer>(device_, std::max<size_t>(4, entries.size_bytes()));
    if (!entries.empty()) device_->write(buffer->data(), entries.data(), entries.size_bytes());
    return buffer;
  };
  const auto before = upload(params.before), slabs = upload(params.slabs);
  const size_t n_heads = static_cast<size_t>(params.plain.n_layers) * params.plain.n_kv_heads;
  const size_t n = n_heads * static_cast<size_t>(params.n_keys);
  const size_t n_out = n * static_cast<size_t>(n_planes(params.signal));
  const CudaBuffer workspace(device_, 2 * n * sizeof(float)), out(device_, n_out * sizeof(float));
  const auto entries_of = [](const CudaBuffer& buffer) {
    return reinterpret_cast<const uint32_t*>(buffer.data());
  };
  const Launch launch = Launch::of(
      Op::kKvSignal,
      KvSignalArgs{
          params.plain, params.edited, params.before.empty() ? nullptr : entries_of(*before),
          entries_of(*slabs), params.queries, reinterpret_cast<float*>(workspace.data()),
          reinterpret_cast<float*>(out.data()), params.layer_stride, params.match, params.signal,
          params.first_index, params.n_text, params.n_keys, params.n_rows, params.first_row,
          params.row_stride, params.n_heads, params.window, params.scale * kLog2E});
  run_between_steps(std::span(&launch, 1));
  device_->read(params.out, out.data(), n_out * sizeof(float));
  device_->wait();
}

void CudaBackend::attention(const AttentionParams& params) {
  auto* counters = reinterpret_cast<int32_t*>(attention_counters_.get(3 * sizeof(int32_t)));
  record(Op::kAttention, AttentionArgs{step(), params.rope, params.q, params.partials, counters,
                                       params.plan, params.layer, params.n_heads, params.n_kv_heads,
                                       params.head_dim, params.scale * kLog2E});
}

void CudaBackend::attention_merge(const AttentionMergeParams& params) {
  const AttentionPlan& plan = builder_.tables().plans[static_cast<size_t>(params.plan)];
  record(Op::kAttentionMerge, AttentionMergeArgs{step(),
                                                 params.partials,
                                                 params.out,
                                                 {},
                                                 params.plan,
                                                 plan.n_rows(),
                                                 params.n_heads,
                                                 params.head_dim});
}

/** What is apart from the step's tables, because it may be as much as the vocabulary is large. */
template <typename Item>
const Item* CudaBackend::upload(std::span<const Item> items, CudaScratch* memory) {
  if (items.empty()) return nullptr;
  uint8_t* to = memory->get(items.size_bytes());
  device_->write(to, items.data(), items.size_bytes());
  device_->wait();  // the source is not pinned
  return reinterpret_cast<const Item*>(to);
}

void CudaBackend::sample(const SampleParams& params) {
  if (params.rows.empty()) return;
  const size_t n = params.rows.size();
  builder_.add_samples(params.rows);
  CHECK(builder_.size() <= tables_->size(), "a step's tables have room for its samples");
  auto* out =
      reinterpret_cast<SampledToken*>(sampled_.get((1 + kMaxTopTokens) * n * sizeof(SampledToken)));
  float* edited = nullptr;
  if (!params.edits.empty() || !params.masks.empty()) {
    edited = reinterpret_cast<float*>(
        edited_.get(n * static_cast<size_t>(params.vocabulary) * sizeof(float)));
  }
  record(Op::kSample, SampleArgs{step(), upload(params.edits, &edits_),
                                 upload(params.masks, &masks_), params.logits, edited, out, out + n,
                                 static_cast<int32_t>(n), params.vocabulary});
  results_.push_back({out, params.out, n * sizeof(SampledToken)});
  if (params.top != nullptr)
    results_.push_back({out + n, params.top, n * kMaxTopTokens * sizeof(SampledToken)});
}

}  // namespace cachalot::cuda

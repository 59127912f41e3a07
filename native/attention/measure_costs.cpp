#include "attention/measure_costs.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <sstream>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/new_file.h"

namespace cachalot {

namespace {

constexpr int kLeastParts = 64;         // contexts, which share their blocks
constexpr int kPartsPerUnit = 4;        // of what works at the same time
constexpr int kTiles = 2 * kSpanTiles;  // of each
// Half a second-level cache: sequences that read apart find there what the first has read, so
// grouping must win by arithmetic.
constexpr size_t kBytes = size_t{512} << 10;
constexpr double kLeastUs = 0.02;  // a partial is never free
constexpr int kRepetitions = 5;

double now_us() {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/** Contexts whose keys and values are zeros: arithmetic takes as long with any numbers. */
class Bench {
 public:
  Bench(Backend& backend, KvFormat format, int head_dim)
      : backend_(backend),
        head_dim_(head_dim),
        n_parts_(std::max(kLeastParts, kPartsPerUnit * backend.parallelism())) {
    const KvLayout layout = kv_layout(format, format, head_dim);
    const uint32_t units = layout.block_units;
    n_blocks_ = static_cast<int>(kBytes / (units * kKvAddressUnit));
    keys_ = backend.allocate(kBytes);
    store_ = {keys_->data(), layout, 1, 1};
    for (int i = 0; i < n_parts_ * kTiles; i++)
      blocks_.push_back(static_cast<uint32_t>(i % n_blocks_) * units);
    // A first write makes the system supply the pages.
    std::vector<KvTarget> targets;
    for (int i = 0; i < n_blocks_; i++)
      targets.push_back({static_cast<uint32_t>(i) * units, 0, 0, i});
    angles_ = backend.allocate(static_cast<size_t>(head_dim) * sizeof(float));
    rope_ = {angles_->floats(), angles_->floats(), head_dim, 1};
    const size_t floats = static_cast<size_t>(n_blocks_) * static_cast<size_t>(head_dim);
    const auto zeros = backend.allocate(floats * sizeof(float));
    backend.begin_step({.targets = targets});
    backend.kv_write({store_, rope_, 0, zeros->floats(), zeros->floats()});
    backend.wait();
  }

  /** Microseconds of one thread for a tile that n_queries queries read together. */
  double tile(int n_queries) {
    AttentionPlan plan = plan_parts(1, kTiles);
    plan.heads_per_kv_head = n_queries;
    return run(plan, n_queries, false) * backend_.parallelism() / (n_parts_ * kTiles);
  }

  /** Microseconds of one thread for one more partial per query. */
  double partial() {
    constexpr int kRows = 16;
    const AttentionPlan whole = plan_parts(kRows, kTiles), cut = plan_parts(kRows, kSpanTiles);
    const double more = run(cut, 1, true) - run(whole, 1, true);
    return std::max(kLeastUs, more * backend_.parallelism() / (n_parts_ * kRows));
  }

 private:
  /** All rows read every part; every row ends after the last part. */
  AttentionPlan plan_parts(int n_rows, int tiles_per_item) const {
    AttentionPlan plan;
    std::vector<std::vector<MergeEntry>> entries(static_cast<size_t>(n_rows));
    for (int part = 0; part < n_parts_; part++) {
      const auto first = static_cast<uint32_t>(part * kTiles);
      plan.parts.push_back({{store_, first}, 0, kTiles * kTileTokens, 0, 0});
      for (int tile = 0; tile < kTiles; tile += tiles_per_item) {
        plan.pieces.push_back({static_cast<int32_t>(plan.items.size()), 0, 1});
        plan.items.push_back({part, static_cast<int32_t>(plan.item_rows.size()), n_rows, tile,
                              tile + tiles_per_item, plan.n_partials});
        for (int row = 0; row < n_rows; row++) {
          plan.item_rows.push_back({row, 0, kTiles * kTileTokens, 0, -1});
          entries[static_cast<size_t>(row)].push_back({plan.n_partials++, part, -1});
        }
      }
    }
    plan.phase_ends.push_back(static_cast<int32_t>(plan.pieces.size()));
    plan.merge_begin.push_back(0);
    for (const auto& row : entries) {
      plan.merge_entries.insert(plan.merge_entries.end(), row.begin(), row.end());
      plan.merge_begin.push_back(static_cast<int32_t>(plan.merge_entries.size()));
    }
    return plan;
  }

  /** The best of a few times: other processes can only make one longer. */
  double run(const AttentionPlan& plan, int n_heads, bool merges) {
    const auto rows = static_cast<size_t>(plan.n_rows() * n_heads);
    const auto vectors =
        backend_.allocate(2 * rows * static_cast<size_t>(head_dim_) * sizeof(float));
    const auto partials = backend_.allocate(static_cast<size_t>(plan.n_partials * n_heads) *
                                            static_cast<size_t>(head_dim_ + 2) * sizeof(float));
    float* out = vectors->floats() + rows * static_cast<size_t>(head_dim_);
    double best = 1e12;
    for (int i = 0; i <= kRepetitions; i++) {
      const double start = now_us();
      const SlabRange all{0, static_cast<uint32_t>(blocks_.size())};
      backend_.begin_step(
          {.slabs = blocks_, .new_slabs = std::span(&all, 1), .plans = std::span(&plan, 1)});
      backend_.attention({rope_, 0, n_heads, 1, head_dim_, store_.layout.k, 1.0f, vectors->floats(),
                          0, partials->floats()});
      if (merges) backend_.attention_merge({0, partials->floats(), n_heads, head_dim_, out});
      backend_.wait();
      if (i > 0) best = std::min(best, now_us() - start);  // the first run touches its memory
    }
    return best;
  }

  Backend& backend_;
  int head_dim_, n_parts_, n_blocks_ = 0;
  std::unique_ptr<Buffer> keys_, angles_;
  KvStore store_{};
  RopeTable rope_{};
  std::vector<uint32_t> blocks_;
};

std::string file_name(const std::string& key) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return "attention-costs-" + std::to_string(hash) + ".txt";
}

/** Reads the costs of this key only, and only from a file that nobody else can have written. */
std::optional<AttentionCosts> read_costs(const std::string& path, const std::string& key) {
  std::string text;
  try {
    const MappedFile file(path, Writers::kOnlyUs);
    text.assign(file.bytes().begin(), file.bytes().end());
  } catch (const Error&) {
    return std::nullopt;  // then it is measured
  }
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != key) return std::nullopt;
  AttentionCosts costs;
  const auto read = [&](double* value) { return lines >> *value && *value > 0 && *value < 1e6; };
  for (double& value : costs.tile_us) {
    if (!read(&value)) return std::nullopt;
  }
  if (!read(&costs.partial_us)) return std::nullopt;
  return costs;
}

void write_costs(const std::string& path, const std::string& key, const AttentionCosts& costs) {
  std::ostringstream text;
  text << key << '\n';
  for (const double value : costs.tile_us) text << value << '\n';
  text << costs.partial_us << '\n';
  const std::string bytes = text.str();
  try {
    NewFile file(path);
    file.write({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
    file.keep();
  } catch (const Error&) {
    // A folder that cannot be written costs a measurement per load, no more.
  }
}

}  // namespace

AttentionCosts measure_attention_costs(Backend& backend, KvFormat format, int head_dim) {
  Bench bench(backend, format, head_dim);
  AttentionCosts costs;
  for (size_t i = 0; i < costs.tile_us.size(); i++)
    costs.tile_us[i] = bench.tile(AttentionCosts::kQueries[i]);
  costs.partial_us = bench.partial();
  return costs;
}

AttentionCosts load_attention_costs(Backend& backend, KvFormat format, int head_dim,
                                    const std::string& folder, const std::string& machine) {
  if (folder.empty()) return measure_attention_costs(backend, format, head_dim);
  const DeviceDescription device = backend.device();
  const std::string shape = machine + "; " + device.kind + " " + device.name + ", " +
                            device.instructions + ", " + std::to_string(device.threads) + "; " +
                            kv_format_name(format) + "; head size " + std::to_string(head_dim);
  const std::string key = shape + "; kernels " + CACHALOT_KERNEL_HASH;
  // New kernels overwrite it.
  const auto path = (std::filesystem::path(folder) / file_name(shape)).string();
  if (const auto known = read_costs(path, key)) return *known;
  const auto costs = measure_attention_costs(backend, format, head_dim);
  make_private_folder(folder);
  write_costs(path, key, costs);
  return costs;
}

}  // namespace cachalot

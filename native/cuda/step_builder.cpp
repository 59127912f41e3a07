#include "cuda/step_builder.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <numeric>

#include "backend/noise.h"
#include "base/check.h"

namespace cachalot::cuda {

namespace {

constexpr size_t kAlignment = 16;

constexpr int kWarps = 8;         // of a block of threads
constexpr int kWarpQueries = 16;  // that one warp takes

struct Cut {
  std::vector<DevicePiece> pieces;
  std::vector<DeviceBundle> bundles;
};

/** Pieces for one KV head each. Within a phase the costliest come first, so that blocks that get
 * free late have little left to do; those that are one warp's work - few queries, one span - come
 * last, as many together as multiprocessors can share evenly. */
class Cutter {
 public:
  Cutter(const AttentionPlan& plan, int n_multiprocessors)
      : plan_(plan), n_multiprocessors_(n_multiprocessors) {}

  Cut cut() {
    size_t first = 0;
    for (const int32_t end : plan_.phase_ends) {
      const auto begin = static_cast<int32_t>(cut_.pieces.size());
      for (; first < static_cast<size_t>(end); first++) {
        const AttentionPiece& piece = plan_.pieces[first];
        for (int32_t head = 0; head < piece.n_heads; head++)
          cut_.pieces.push_back({piece.item, piece.first_head + head});
      }
      bundle_phase(begin);
    }
    return std::move(cut_);
  }

 private:
  const WorkItem& item_of(const DevicePiece& piece) const {
    return plan_.items[static_cast<size_t>(piece.item)];
  }
  bool is_short(const DevicePiece& piece) const {
    const WorkItem& item = item_of(piece);
    return item.n_rows * plan_.heads_per_kv_head <= kWarpQueries &&
           item.first_tile / kSpanTiles == (item.end_tile - 1) / kSpanTiles;
  }
  /** Fewer queries than a tile cost the same. */
  int64_t cost(const DevicePiece& piece) const {
    const WorkItem& item = item_of(piece);
    const int64_t queries = item.n_rows * plan_.heads_per_kv_head + kWarpQueries;
    return queries * (item.end_tile - item.first_tile);
  }

  /** Pieces from `begin` on; those before are of earlier phases. */
  void bundle_phase(int32_t begin) {
    auto& pieces = cut_.pieces;
    std::stable_sort(pieces.begin() + begin, pieces.end(), [&](const auto& a, const auto& b) {
      return is_short(a) != is_short(b) ? is_short(b) : cost(a) > cost(b);
    });
    const auto n_short = static_cast<int>(std::count_if(
        pieces.begin() + begin, pieces.end(), [&](const auto& piece) { return is_short(piece); }));
    const int together =
        std::clamp((n_short + n_multiprocessors_ - 1) / n_multiprocessors_, 1, kWarps);
    const auto n = static_cast<int32_t>(pieces.size());
    for (int32_t i = begin; i < n;) {
      const bool short_ones = is_short(pieces[static_cast<size_t>(i)]);
      const int32_t taken = short_ones ? std::min(together, n - i) : 1;
      cut_.bundles.push_back({i, taken, begin, short_ones ? 1 : 0});
      i += taken;
    }
  }

  const AttentionPlan& plan_;
  const int n_multiprocessors_;
  Cut cut_;
};

template <typename To, typename From, typename Convert>
std::vector<To> converted(const From& from, const Convert& convert) {
  std::vector<To> to;
  to.reserve(from.size());
  for (const auto& value : from) to.push_back(convert(value));
  return to;
}

}  // namespace

void StepBuilder::point(size_t pointer, size_t target) { pointers_.push_back({pointer, target}); }

/** Appends an array; the pointer at `pointer` will be to it. */
template <typename T>
void StepBuilder::put(size_t pointer, const std::vector<T>& values) {
  bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
  point(pointer, bytes_.size());
  const size_t at = bytes_.size(), size = values.size() * sizeof(T);
  bytes_.resize(at + size);
  if (size > 0) std::memcpy(bytes_.data() + at, values.data(), size);
}

void StepBuilder::begin(const StepTables& tables) {
  CHECK(tables.plans.size() <= kMaxPlans, "a model has at most eight classes of layers");
  plans_ = tables.plans;
  pointers_.clear();
  bytes_.assign(sizeof(StepHeader), 0);
  put(offsetof(StepHeader, tokens), std::vector(tables.tokens.begin(), tables.tokens.end()));
  put(offsetof(StepHeader, output_rows),
      std::vector(tables.output_rows.begin(), tables.output_rows.end()));
  put(offsetof(StepHeader, targets),
      converted<DeviceTarget>(tables.targets, [](const KvTarget& target) {
        return DeviceTarget{target.run, target.slot, target.position};
      }));
  for (size_t i = 0; i < plans_.size(); i++)
    add_plan(plans_[i], offsetof(StepHeader, plans) + i * sizeof(DevicePlan));
}

void StepBuilder::add_plan(const AttentionPlan& plan, size_t header) {
  std::vector<uint32_t> blocks;
  std::vector<size_t> first_blocks;
  for (const ContextRun& run : plan.runs) {
    first_blocks.push_back(blocks.size() * sizeof(uint32_t));
    const int n_blocks = (run.n_tokens + kTileTokens - 1) / kTileTokens;
    blocks.insert(blocks.end(), run.blocks, run.blocks + n_blocks);
  }
  put(header + offsetof(DevicePlan, runs), std::vector<DeviceRun>(plan.runs.size()));
  const size_t runs = pointers_.back().target;
  bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
  const size_t all_blocks = bytes_.size();
  bytes_.resize(all_blocks + blocks.size() * sizeof(uint32_t));
  std::memcpy(bytes_.data() + all_blocks, blocks.data(), blocks.size() * sizeof(uint32_t));
  for (size_t i = 0; i < first_blocks.size(); i++)
    point(runs + i * sizeof(DeviceRun), all_blocks + first_blocks[i]);

  put(header + offsetof(DevicePlan, items),
      converted<DeviceItem>(plan.items, [](const WorkItem& item) {
        return DeviceItem{item.run,        item.first_row, item.n_rows,
                          item.first_tile, item.end_tile,  item.first_partial};
      }));
  put(header + offsetof(DevicePlan, item_rows),
      converted<DeviceItemRow>(plan.item_rows, [](const ItemRow& row) {
        return DeviceItemRow{row.row, row.first_key, row.end_key, row.query_position, row.resumes};
      }));
  const Cut cut = Cutter(plan, n_multiprocessors_).cut();
  put(header + offsetof(DevicePlan, pieces), cut.pieces);
  put(header + offsetof(DevicePlan, bundles), cut.bundles);
  put(header + offsetof(DevicePlan, merge_begin), plan.merge_begin);
  put(header + offsetof(DevicePlan, merges),
      converted<DeviceMerge>(plan.merge_entries, [](const MergeEntry& entry) {
        return DeviceMerge{entry.partial, entry.group};
      }));
  const auto n_bundles = static_cast<int32_t>(cut.bundles.size());
  std::memcpy(bytes_.data() + header + offsetof(DevicePlan, n_bundles), &n_bundles,
              sizeof n_bundles);
  std::memcpy(bytes_.data() + header + offsetof(DevicePlan, n_partials), &plan.n_partials,
              sizeof plan.n_partials);
}

void StepBuilder::add_samples(std::span<const SampleRow> rows) {
  std::vector<DeviceSampleRow> samples;
  int32_t n_edits = 0;
  for (const SampleRow& row : rows) {
    samples.push_back({noise_key(row.seed, row.completion, row.position), row.temperature,
                       row.typical_p, row.top_p, row.min_p, row.top_k, row.forced_token, row.n_top,
                       n_edits, static_cast<int32_t>(row.edits.size())});
    n_edits += samples.back().n_edits;
  }
  put(offsetof(StepHeader, samples), samples);
}

int StepBuilder::plan_index(const AttentionPlan* plan) const {
  CHECK(plan >= plans_.data() && plan < plans_.data() + plans_.size(),
        "an op's plan is one that the step began with");
  return static_cast<int>(plan - plans_.data());
}

void StepBuilder::write(uint8_t* out, uint8_t* device) const {
  std::memcpy(out, bytes_.data(), bytes_.size());
  for (const auto& [at, target] : pointers_) {
    const uint8_t* address = device + target;
    std::memcpy(out + at, &address, sizeof address);
  }
}

}  // namespace cachalot::cuda

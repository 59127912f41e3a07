#include "cuda/step_builder.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <numeric>

#include "base/check.h"

namespace cachalot::cuda {

namespace {

constexpr size_t kAlignment = 16;

constexpr int kWarps = 8;         // of a block of threads
constexpr int kWarpQueries = 16;  // queries that one warp takes

struct Cut {
  std::vector<AttentionPiece> pieces;
  std::vector<DeviceBundle> bundles;
};

/** Cuts a plan into pieces for one KV head each. Within a phase the costliest come first, so that
 * blocks that get free late have little left to do. Pieces for one warp (few queries, one span)
 * come last, as many together as multiprocessors can share evenly. */
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
          cut_.pieces.push_back({piece.item, piece.first_head + head, 1});
      }
      bundle_phase(begin);
    }
    return std::move(cut_);
  }

 private:
  const WorkItem& item_of(const AttentionPiece& piece) const {
    return plan_.items[static_cast<size_t>(piece.item)];
  }
  bool is_short(const AttentionPiece& piece) const {
    const WorkItem& item = item_of(piece);
    return item.n_rows * plan_.heads_per_kv_head <= kWarpQueries &&
           item.first_tile / kSpanTiles == (item.end_tile - 1) / kSpanTiles;
  }
  /** An estimate: a piece costs as much as its queries plus a warp's, for each tile of keys. */
  int64_t cost(const AttentionPiece& piece) const {
    const WorkItem& item = item_of(piece);
    const int64_t queries = item.n_rows * plan_.heads_per_kv_head + kWarpQueries;
    return queries * (item.end_tile - item.first_tile);
  }

  /** Bundles the pieces from `begin` on; those before are of earlier phases. */
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

}  // namespace

void StepBuilder::point(size_t pointer, size_t target) { pointers_.push_back({pointer, target}); }

/** Appends an array; the pointer at `pointer` will be to it. */
template <typename T>
void StepBuilder::put(size_t pointer, std::span<const T> values) {
  const size_t at = (bytes_.size() + kAlignment - 1) / kAlignment * kAlignment;
  point(pointer, at);
  bytes_.resize(at + values.size_bytes());
  if (!values.empty()) std::memcpy(bytes_.data() + at, values.data(), values.size_bytes());
}

/** Writes one value of the header. */
template <typename T>
void StepBuilder::set(size_t at, const T& value) {
  std::memcpy(bytes_.data() + at, &value, sizeof value);
}

void StepBuilder::begin(const StepTables& tables) {
  CHECK(tables.plans.size() <= kMaxPlans, "a model has at most eight classes of layers");
  tables_ = tables;
  pointers_.clear();
  bytes_.assign(sizeof(StepHeader), 0);
  put(offsetof(StepHeader, tokens), tables.tokens);
  put(offsetof(StepHeader, output_rows), tables.output_rows);
  put(offsetof(StepHeader, targets), tables.targets);
  put(offsetof(StepHeader, kept_rows), tables.kept_rows);
  add_new_slabs(tables);
  for (size_t i = 0; i < tables.plans.size(); i++)
    add_plan(tables.plans[i], offsetof(StepHeader, plans) + i * sizeof(DevicePlan));
}

void StepBuilder::add_new_slabs(const StepTables& tables) {
  std::vector<uint32_t> addresses;
  for (const auto& [first, n] : tables.new_slabs) {
    const auto entries = tables.slabs.subspan(first, n);
    addresses.insert(addresses.end(), entries.begin(), entries.end());
  }
  put(offsetof(StepHeader, new_slabs), tables.new_slabs);
  put(offsetof(StepHeader, new_addresses), std::span<const uint32_t>(addresses));
  set(offsetof(StepHeader, n_new_slabs), static_cast<int64_t>(tables.new_slabs.size()));
}

void StepBuilder::set_slabs(uint8_t* address) { set(offsetof(StepHeader, slabs), address); }

void StepBuilder::add_plan(const AttentionPlan& plan, size_t header) {
  put(header + offsetof(DevicePlan, parts), std::span(plan.parts));
  put(header + offsetof(DevicePlan, items), std::span(plan.items));
  put(header + offsetof(DevicePlan, item_rows), std::span(plan.item_rows));
  const Cut cut = Cutter(plan, n_multiprocessors_).cut();
  put(header + offsetof(DevicePlan, pieces), std::span(cut.pieces));
  put(header + offsetof(DevicePlan, bundles), std::span(cut.bundles));
  put(header + offsetof(DevicePlan, merge_begin), std::span(plan.merge_begin));
  put(header + offsetof(DevicePlan, merge_entries), std::span(plan.merge_entries));
  put(header + offsetof(DevicePlan, blend_factors), std::span(plan.blend_factors));
  set(header + offsetof(DevicePlan, n_bundles), static_cast<int32_t>(cut.bundles.size()));
  set(header + offsetof(DevicePlan, n_partials), plan.n_partials);
}

void StepBuilder::add_samples(std::span<const SampleRow> rows) {
  put(offsetof(StepHeader, samples), rows);
}

void StepBuilder::write(uint8_t* out, uint8_t* device) const {
  std::memcpy(out, bytes_.data(), bytes_.size());
  for (const auto& [at, target] : pointers_) {
    const uint8_t* address = device + target;
    std::memcpy(out + at, &address, sizeof address);
  }
}

}  // namespace cachalot::cuda

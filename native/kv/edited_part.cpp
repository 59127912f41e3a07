#include "kv/edited_part.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace cachalot {

namespace {

// A device gets so many records at once, or those of a layer: 28 bytes each.
constexpr size_t kMovesAtOnce = size_t{1} << 18;

}  // namespace

EditedPart::~EditedPart() { give_back(); }

void EditedPart::give_back() {
  for (const uint32_t slab : slabs_) cache_.give_back(slab);
  slabs_.clear();
  units_left_ = 0;
}

int EditedPart::n_heads(const KvPool& pool) {
  int n = 0;
  for (const KvStore& store : pool.stores()) n += store.n_layers * store.n_kv_heads;
  return n;
}

bool EditedPart::make(const Source& source, const KvEdit& edit, Backend& backend) {
  const auto stores = pool_.edited_stores();
  counts_ = edit.counts;
  size_t n_entries = 0;
  for (const KvStore& store : stores) n_entries += n_edited_entries(store);
  entries_.assign(n_entries, 0);
  notes_.resize(edit.heads.size());
  size_t first = 0, index = 0;  // of the class's entries; of a head among all
  for (size_t i = 0; i < stores.size(); i++) {
    Moves moves;
    for (int layer = 0; layer < stores[i].n_layers; layer++) {
      for (int kv_head = 0; kv_head < stores[i].n_kv_heads; kv_head++, index++) {
        const auto in_class = static_cast<uint32_t>(layer * stores[i].n_kv_heads + kv_head);
        const HeadEdit& of_head = edit.heads[index];
        const auto n_keys = static_cast<uint32_t>(of_head.keep.size());
        entries_[first] = std::max(entries_[first], n_keys);
        head_entries_.push_back(first + 1 + 2 * in_class);
        if (!add_head(source, {i, in_class, index}, of_head, head_entries_.back(), &moves)) {
          give_back();
          return false;
        }
      }
      if (moves.moves.size() < kMovesAtOnce && layer + 1 < stores[i].n_layers) continue;
      backend.kv_gather({pool_.stores()[i], stores[i], moves.moves});
      backend.kv_merge({pool_.stores()[i], stores[i], moves.merges, moves.sources});
      moves = {};
    }
    first += n_edited_entries(stores[i]);
  }
  return true;
}

/** The address of a fresh block; nothing if there is no memory. */
std::optional<uint32_t> EditedPart::allocate_block(uint32_t units) {
  const auto slab_units = static_cast<uint32_t>(pool_.slab_bytes() / kKvAddressUnit);
  CHECK(units <= slab_units, "a slab holds an edited block");
  if (units > units_left_) {
    slabs_.reserve(slabs_.size() + 1);  // then nothing is lost
    const auto slab = cache_.take_slab();
    if (!slab) return std::nullopt;
    slabs_.push_back(*slab);
    units_left_ = slab_units;
  }
  const uint32_t block = slabs_.back() + slab_units - units_left_;
  units_left_ -= units;
  bytes_ += units * kKvAddressUnit;
  return block;
}

bool EditedPart::add_head(const Source& source, const Head& head, const HeadEdit& edit,
                          size_t entry, Moves* moves) {
  const KvLayout& layout = pool_.edited_stores()[head.layer_class].layout;
  entries_[entry] = static_cast<uint32_t>(entries_.size() - entry);
  entries_[entry + 1] = static_cast<uint32_t>(edit.keep.size());
  auto merged = std::span(edit.merged);
  for (size_t number = 0; number < edit.keep.size(); number++) {
    if (number % kTileTokens == 0) {
      const auto block = allocate_block(layout.block_units);
      if (!block) return false;
      entries_.push_back(*block);
    }
    size_t n_merged = 0;
    while (n_merged < merged.size() && merged[n_merged].into == static_cast<int32_t>(number))
      n_merged++;
    add_key(source, head, edit, number, entries_.back(), merged.first(n_merged), moves);
    merged = merged.subspan(n_merged);
  }
  CHECK(merged.empty(), "what is merged has a key to go into, in order");
  return true;
}

/** A kept key, which counts for itself and for those that become one with it. */
void EditedPart::add_key(const Source& source, const Head& head, const HeadEdit& edit,
                         size_t number, uint32_t block, std::span<const MergedKey> merged,
                         Moves* moves) {
  const EditSource keys = notes_of(source, static_cast<int>(notes_.size()));
  const auto h = static_cast<int>(head.index);
  const int kept = edit.keep[number];
  const auto slot = static_cast<int32_t>(number % kTileTokens);
  KeyNote note = keys.key(h, kept);
  note.score = edit.scores.empty() ? 0 : edit.scores[number];
  if (!merged.empty()) {
    const auto first = static_cast<int32_t>(moves->sources.size());
    double n_tokens = std::exp2(double{note.weight});
    for (const MergedKey& one : merged) n_tokens += std::exp2(double{keys.key(h, one.from).weight});
    const auto add = [&](int key) {
      const double share = std::exp2(double{keys.key(h, key).weight}) / n_tokens;
      moves->sources.push_back({place_of(source, head, key), static_cast<float>(share)});
    };
    add(kept);
    for (const MergedKey& one : merged) add(one.from);
    moves->merges.push_back({block, slot, first, static_cast<int32_t>(merged.size()) + 1});
    if (counts_) note.weight = static_cast<float>(std::log2(n_tokens));
  }
  moves->moves.push_back({place_of(source, head, kept), block, slot, note.index, note.weight});
  notes_[head.index].push_back(note);
}

/** Where a key of a head lies before the edit. */
KvPlace EditedPart::place_of(const Source& source, const Head& head, int key) const {
  int n_before = 0;
  if (source.before != nullptr) {
    const EditedPart& before = *source.before;
    n_before = static_cast<int>(before.notes_[head.index].size());
    if (key < n_before) {
      const size_t entry = before.head_entries_[head.index];
      const size_t blocks = entry + before.entries_[entry];
      return {before.entries_[blocks + static_cast<size_t>(key / kTileTokens)], key % kTileTokens,
              1};
    }
  }
  const int token = key - n_before;
  const KvStore& store = pool_.stores()[head.layer_class];
  return {source.slabs[static_cast<size_t>(token / kTileTokens)] +
              head.block * store.layout.block_units,
          token % kTileTokens, 0};
}

}  // namespace cachalot

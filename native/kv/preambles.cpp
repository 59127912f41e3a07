#include "kv/preambles.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <new>
#include <tuple>

namespace cachalot {

namespace {

/** Lets a range go, whatever happens. */
struct LetGo {
  KvCache& cache;
  KvCache::HeldRange& range;
  ~LetGo() { cache.let_go(&range); }
};

}  // namespace

HeldPreamble::HeldPreamble(TreeKey key, SlabLists& lists) : key_(std::move(key)) {
  const size_t n = key_.preamble->parts.size();
  is_held_.assign(n, false);
  ranges_.resize(n);
  parts_.resize(n);
  edited_.resize(n);
  lists_.reserve(n);
  for (size_t i = 0; i < n; i++) lists_.emplace_back(lists);
}

size_t HeldPreamble::n_tokens() const {
  size_t n = 0;
  for (size_t i = 0; i < is_held_.size(); i++)
    n += is_held_[i] ? static_cast<size_t>(key_.preamble->parts[i].n_tokens()) : 0;
  return n;
}

int HeldPreamble::n_edited_slabs() const {
  int n = 0;
  for (const auto& edited : edited_) n += edited == nullptr ? 0 : edited->n_slabs();
  return n;
}

HeldPreamble* Preambles::use(const TreeKey& key) {
  if (key.preamble == nullptr) return nullptr;
  auto found = held_.find(key);
  if (found == held_.end()) found = held_.try_emplace(key, key, lists_).first;
  HeldPreamble& held = found->second;
  touch(&held);
  if (held.n_users_++ == 0) cache_.add_idle(-held.n_edited_slabs());
  return &held;
}

void Preambles::leave(HeldPreamble* held) {
  if (held == nullptr || --held->n_users_ > 0) return;
  const bool is_edited =
      std::ranges::all_of(held->is_held_, std::identity{}) &&
      std::ranges::none_of(held->edited_, [](const auto& edited) { return edited == nullptr; });
  if (is_edited && !held->edited_.empty()) {
    touch(held);
    return cache_.add_idle(held->n_edited_slabs());
  }
  for (auto& range : held->ranges_) cache_.let_go(&range);
  held_.erase(held_.find(held->key_));
}

void Preambles::touch(HeldPreamble* held) {
  held->last_used_ = cache_.next_use();
  held->used_ms_ = now_ms_;
}

/** Whether nobody is expected to use it again. */
bool Preambles::is_over(const HeldPreamble& held) const {
  const int64_t ttl_ms = held.retention_.ttl_ms;
  return ttl_ms != 0 && held.used_ms_ + ttl_ms <= now_ms_;
}

/** Lets the idle preamble go that is worth least: those whose time is over come first, then the
 * lowest priority, then the least recently used. False if there is none that is worth less than
 * `text`. */
bool Preambles::reclaim(const Worth* text) {
  const auto rank = [&](const HeldPreamble& held) {
    return std::tuple(!is_over(held), held.retention_.priority, held.last_used_);
  };
  auto least = held_.end();
  for (auto at = held_.begin(); at != held_.end(); ++at) {
    if (at->second.n_users_ > 0) continue;
    if (least == held_.end() || rank(at->second) < rank(least->second)) least = at;
  }
  if (least == held_.end()) return false;
  if (text != nullptr &&
      rank(least->second) > std::tuple(!text->is_demoted, text->priority, text->last_used))
    return false;
  cache_.add_idle(-least->second.n_edited_slabs());
  held_.erase(least);
  return true;
}

bool Preambles::is_held(const TreeKey& key) const {
  const auto found = held_.find(key);
  return found != held_.end() && std::ranges::all_of(found->second.is_held_, std::identity{});
}

KvCache::Hold Preambles::hold(HeldPreamble* held, size_t index, const KeptQueries* queries) {
  const PreamblePart& part = held->key_.preamble->parts[index];
  if (part.edit) return hold_edited(held, index, queries);
  KvCache::HeldRange& range = held->ranges_[index];
  const auto result =
      cache_.hold({held->key_.name_space, part.under}, part.tokens, part.first, &range);
  if (result != KvCache::Hold::kHeld) return result;
  SlabList& list = held->lists_[index];
  for (const uint32_t slab : range.slabs) list.append(slab);
  const int origin = whole_slab_tokens(part.first);  // the index of key 0
  ContextPart& held_part = held->parts_[index];
  held_part.table.first = list.first();
  held_part.first_key = part.first - origin;
  held_part.end_key = static_cast<int32_t>(part.tokens.size()) - origin;
  held_part.position = part.position_of(origin);
  held_part.shift = part.shift;
  held_part.sharpness = part.reading.sharpness;
  held_part.blend = part.reading.blend;
  held_part.lse_factor = part.reading.lse_factor;
  held->is_held_[index] = true;
  return result;
}

/** The plain text is held only until it is edited; then it is ordinary cache. */
KvCache::Hold Preambles::hold_edited(HeldPreamble* held, size_t index, const KeptQueries* queries) {
  const PreamblePart& part = held->key_.preamble->parts[index];
  const bool is_observed = queries != nullptr && queries->is_of(part);
  if (part.edit->n_observed > 0 && !is_observed) return KvCache::Hold::kMissing;
  const EditedPart* before = nullptr;
  if (part.under != nullptr && !part.under->parts.empty()) {
    const auto found = held_.find({held->key_.name_space, part.under});
    if (found == held_.end() || !found->second.is_held_[0]) return KvCache::Hold::kMissing;
    before = found->second.edited_[0].get();
  }
  const int first_index = first_position(part.under) + part.shift - part.begin();
  const auto n_text = static_cast<int>(part.tokens.size());
  KvCache::HeldRange text;
  const auto result = cache_.hold({held->key_.name_space, part.under}, part.tokens, 0, &text);
  if (result != KvCache::Hold::kHeld) return result;
  const LetGo let_go{cache_, text};
  const EditedPart::Source source{before, text.slabs, first_index, n_text};
  const auto begun = std::chrono::steady_clock::now();
  const auto policy = policies_(*part.edit);
  const KvEdit edit = decide(*policy, source, is_observed ? queries : nullptr);
  auto edited = std::make_unique<EditedPart>(cache_, pool_);
  if (!edited->make(source, edit, backend_)) return KvCache::Hold::kNoMemory;
  SlabList& list = held->lists_[index];
  for (const uint32_t entry : edited->entries()) list.append(entry);
  ContextPart& held_part = held->parts_[index];
  held_part.table.store.layout.kind = KvBlockKind::kEdited;
  held_part.table.first = list.first();
  held_part.first_key = 0;
  held_part.end_key = first_index + n_text;
  held_part.position = part.begin();
  held_part.shift = part.shift;
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begun;
  n_edits_++;
  if (tell_) report(*part.edit, *edited, first_index + n_text, taken.count());
  held->edited_[index] = std::move(edited);
  held->is_held_[index] = true;
  return KvCache::Hold::kHeld;
}

std::vector<float> Preambles::attention(const TreeKey& key, std::span<const int32_t> tokens,
                                        const KeptQueries& queries) const {
  KvCache::HeldRange text;
  if (cache_.hold(key, tokens, 0, &text) != KvCache::Hold::kHeld) return {};
  const LetGo let_go{cache_, text};
  const auto n = static_cast<int>(tokens.size());
  return signals_.attention({nullptr, text.slabs, 0, n}, queries).values();
}

uint64_t Preambles::edited_bytes() const {
  uint64_t n = 0;
  for (const auto& [key, held] : held_)
    for (const auto& edited : held.edited_) n += edited == nullptr ? 0 : edited->bytes();
  return n;
}

/** What is too large to look at ends the request that asks for it alone. */
KvEdit Preambles::decide(const KvPolicy& policy, const EditedPart::Source& source,
                         const KeptQueries* queries) const {
  try {
    return policy.edit(signals_.read(source, policy, queries));
  } catch (const std::bad_alloc&) {
    throw out_of_memory();
  }
}

void Preambles::report(const EditRecipe& recipe, const EditedPart& edited, int n_tokens,
                       double ms) const {
  const auto layers = signals_.layers();
  std::vector<double> of_layer(static_cast<size_t>(signals_.n_layers()));
  std::vector<int> n_heads(of_layer.size());
  for (size_t head = 0; head < layers.size(); head++) {
    const auto layer = static_cast<size_t>(layers[head]);
    of_layer[layer] += edited.n_keys(static_cast<int>(head));
    n_heads[layer]++;
  }
  for (size_t layer = 0; layer < of_layer.size(); layer++) of_layer[layer] /= n_heads[layer];
  tell_({recipe, n_tokens,
         static_cast<double>(edited.n_keys()) / static_cast<double>(layers.size()), edited.bytes(),
         ms, std::move(of_layer)});
}

}  // namespace cachalot

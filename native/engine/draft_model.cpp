#include "engine/draft_model.h"

#include <algorithm>
#include <cmath>

namespace cachalot {

namespace {

/** Likeliest tokens that are tried beside the one that was drawn (RSD, Jeon et al. 2024: siblings
 * are different tokens). */
constexpr int kSiblings = 3;

}  // namespace

/** Null if the text is too long for this model. */
DraftModel::Shadow* DraftModel::open(Sequence* sequence, int depth) {
  const auto n = sequence->tokens.size();
  if (static_cast<int>(n) + depth > context_length_) return nullptr;
  auto& slot = shadows_[sequence->id];
  if (slot == nullptr) {
    slot = std::make_unique<Shadow>();
    slot->active.request.sampling = sequence->request->request.sampling;
    slot->active.request.sampling.n_top = kSiblings;
    slot->active.sequence.request = &slot->active;
    slot->active.sequence.key = {sequence->key.name_space, nullptr};
    slot->active.sequence.n_prompt = sequence->n_prompt;
  }
  slot->of = sequence;
  slot->node = -1;
  Sequence& own = slot->active.sequence;
  own.tokens.resize(slot->n_known);
  own.tokens.insert(own.tokens.end(),
                    sequence->tokens.begin() + static_cast<std::ptrdiff_t>(slot->n_known),
                    sequence->tokens.end());
  slot->n_known = n;
  own.demand = Demand::generate(static_cast<int>(n), depth);
  KvSegment* leaf = kv_.cache.open(own.key, std::span(own.tokens).first(n - 1));
  own.context.emplace(kv_.lists, nullptr, leaf);
  return slot.get();
}

/** What was computed stays as cache. */
void DraftModel::close(std::vector<Shadow*>* shadows) {
  for (Shadow* shadow : *shadows) {
    KvSegment* leaf = shadow->active.sequence.context->leaf();
    shadow->active.sequence.context.reset();
    kv_.cache.release(leaf);
  }
  shadows->clear();
}

/** Adds as many of its rows as there is room for. False if there is no memory. */
bool DraftModel::add_rows(Shadow* shadow, Step* step) {
  Sequence& own = shadow->active.sequence;
  const int first = own.n_computed();
  const int n = std::min(own.n_pending(), decoder_->max_rows() - step->n_rows());
  if (n == 0) return true;
  if (!kv_.cache.reserve(own.context->leaf(), n)) return false;
  own.context->update(n);
  const auto tokens =
      std::span(own.tokens).subspan(static_cast<size_t>(first), static_cast<size_t>(n));
  const int row = step->n_rows(), n_outputs = n == own.n_pending() ? 1 : 0;
  step->entries.push_back({&own, row, n, step->n_outputs(), n_outputs});
  step->tokens.insert(step->tokens.end(), tokens.begin(), tokens.end());
  if (n_outputs > 0) step->output_rows.push_back(row + n - 1);
  return true;
}

/** Takes what was drawn as a guess, and what was likely beside it. */
void DraftModel::take(const StepEntry& entry, const StepOutcome& outcome, Shadow* shadow) const {
  const auto output = static_cast<size_t>(entry.first_output);
  const auto [token, logprob] = outcome.samples.tokens[output];
  const auto kind = [](float log) { return graded(kModel, grade_of_share(std::exp(log))); };
  GuessTree& tree = shadow->of->drafter->tree();
  const int parent = shadow->node;
  for (size_t i = 0; i < kSiblings; i++) {
    const SampledToken& other = outcome.samples.top[output * kMaxTopTokens + i];
    if (other.token >= 0 && other.token != token)
      tree.add(parent, other.token, kind(other.logprob));
  }
  shadow->node = tree.add(parent, token, kind(logprob));
  shadow->active.sequence.append(token);
}

/** One step. Returns those that have got a guess; the others are closed. */
std::vector<DraftModel::Shadow*> DraftModel::run(std::vector<Shadow*>* shadows) {
  Step step;
  std::vector<Shadow*> left, running, going_on;
  for (Shadow* shadow : *shadows) (add_rows(shadow, &step) ? running : left).push_back(shadow);
  if (step.entries.empty()) {
    left.insert(left.end(), running.begin(), running.end());
    close(&left);
    return {};
  }
  const StepOutcome outcome =
      execute_step(step, {Grouping::kNever, {}}, *decoder_, backend_, kv_, [] {});
  size_t entry = 0;
  for (Shadow* shadow : running) {
    const Sequence* own = &shadow->active.sequence;
    if (entry == step.entries.size() || step.entries[entry].sequence != own) {
      left.push_back(shadow);
      continue;
    }
    const StepEntry& rows = step.entries[entry++];
    const auto finite = outcome.output.finite.subspan(static_cast<size_t>(rows.first_row),
                                                      static_cast<size_t>(rows.n_rows));
    const bool is_finite = std::ranges::find(finite, 0) == finite.end();
    if (is_finite) kv_.cache.commit(own->context->leaf(), step.tokens_of(rows));
    const bool has_token =
        rows.n_outputs > 0 &&
        outcome.samples.tokens[static_cast<size_t>(rows.first_output)].token >= 0;
    if (is_finite && has_token) take(rows, outcome, shadow);
    (is_finite && has_token && shadow->node >= 0 ? going_on : left).push_back(shadow);
  }
  close(&left);
  return going_on;
}

/** In one call a text is read by one step only: a long one is guessed for when all of it is read.
 */
bool DraftModel::guess(std::span<Sequence* const> sequences, int depth) {
  std::vector<Shadow*> shadows;
  for (Sequence* sequence : sequences)
    if (Shadow* shadow = open(sequence, depth)) shadows.push_back(shadow);
  const bool is_known = std::ranges::all_of(shadows, [](const Shadow* shadow) {
    return shadow->active.sequence.n_pending() <= GuessPace::kMostDepth;
  });
  try {
    for (int i = 0; i < depth && !shadows.empty(); i++) shadows = run(&shadows);
  } catch (...) {
    for (const auto& [id, shadow] : shadows_) shadow->active.sequence.context.reset();
    throw;  // the engine ends: nothing of this cache is used any more
  }
  close(&shadows);
  return is_known;
}

}  // namespace cachalot

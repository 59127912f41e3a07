#include "engine/draft_model.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "sampling/sample_row.h"

namespace cachalot {

namespace {

/** Tokens that are tried beside the one that was drawn. */
constexpr int kSiblings = 3;

}  // namespace

/** With the tokens that the sequence has now. */
DraftModel::Shadow* DraftModel::shadow_of(Sequence* sequence) {
  auto& slot = shadows_[sequence->id];
  const Guide* guide = sequence->guide.get();
  const size_t n_left_out = guide == nullptr ? 0 : static_cast<size_t>(sequence->n_prompt);
  if (slot == nullptr) {
    slot = std::make_unique<Shadow>();
    slot->of = sequence;
    slot->n_known = n_left_out;
    slot->active.request.sampling = sequence->request->request.sampling;
    slot->active.request.sampling.n_top = kMaxTopTokens;
    Sequence& own = slot->active.sequence;
    own.request = &slot->active;
    own.key = {sequence->key.name_space, nullptr};
    own.n_prompt = sequence->n_prompt;
    if (guide != nullptr) {
      own.tokens = guide->context().tokens;
      own.n_prompt = static_cast<int>(own.tokens.size());
      slot->n_own = own.tokens.size();
    }
  }
  std::vector<int32_t>& tokens = slot->active.sequence.tokens;
  tokens.resize(slot->n_own + slot->n_known - n_left_out);  // without guesses
  tokens.insert(tokens.end(), sequence->tokens.begin() + static_cast<std::ptrdiff_t>(slot->n_known),
                sequence->tokens.end());
  slot->n_known = sequence->tokens.size();
  return slot.get();
}

/** To draw so many tokens. Null if the text is too long for this model. */
DraftModel::Shadow* DraftModel::open(Sequence* sequence, int n_tokens) {
  Shadow* shadow = shadow_of(sequence);
  Sequence& own = shadow->active.sequence;
  const auto n = static_cast<int>(own.tokens.size());
  if (sequence->guide == nullptr && n + n_tokens > context_length_) return nullptr;
  shadow->node = -1;
  shadow->n_left = n_tokens;
  own.demand = Demand::generate(n, n_tokens);
  if (sequence->context)
    shadow->active.request.sampling.noise_shift =
        sequence->context->position_of(static_cast<int>(std::ssize(sequence->own_text().tokens))) -
        n;
  KvSegment* leaf = kv_.cache.open(own.key, std::span(own.tokens).first(own.tokens.size() - 1));
  own.context.emplace(kv_.lists, nullptr, leaf);
  return shadow;
}

/** What was computed stays as cache. */
void DraftModel::close(Shadows* shadows) {
  for (Shadow* shadow : *shadows) {
    KvSegment* leaf = shadow->active.sequence.context->leaf();
    shadow->active.sequence.context.reset();
    kv_.cache.release(leaf);
  }
  shadows->clear();
}

void DraftModel::forget(uint64_t id) {
  const auto found = shadows_.find(id);
  if (found == shadows_.end()) return;
  let_go(found->second.get());
  shadows_.erase(found);
}

/** Closes all of them, after an error in the middle. */
void DraftModel::abandon() {
  Shadows open;
  for (const auto& [id, shadow] : shadows_)
    if (shadow->active.sequence.context) open.push_back(shadow.get());
  close(&open);
}

/** Adds as many of its rows as there is room for. False if there is no memory. */
bool DraftModel::add_rows(Shadow* shadow, int most_rows, Step* step) {
  Sequence& own = shadow->active.sequence;
  const int first = own.n_computed();
  const int n = std::min(own.n_pending(), most_rows - step->n_rows());
  if (n == 0) return true;
  if (!kv_.cache.reserve(own.context->leaf(), n)) return false;
  own.context->update(n);
  const auto tokens =
      std::span(own.tokens).subspan(static_cast<size_t>(first), static_cast<size_t>(n));
  const int row = step->n_rows(), n_outputs = n == own.n_pending() && shadow->n_left > 0 ? 1 : 0;
  step->entries.push_back({&own, row, n, step->n_outputs(), n_outputs});
  step->tokens.insert(step->tokens.end(), tokens.begin(), tokens.end());
  if (n_outputs > 0) step->output_rows.push_back(row + n - 1);
  return true;
}

/** The tokens that would be drawn if the one that was did not exist, best first: siblings without
 * replacement (RSD, Jeon et al. 2024), of the same noise. */
void DraftModel::add_siblings(const Shadow& shadow, int32_t drawn,
                              std::span<const SampledToken> top) const {
  const Sequence& own = shadow.active.sequence;
  const SamplingOptions& options = shadow.active.request.sampling;
  const uint64_t key = sample_row(options, static_cast<int>(own.tokens.size())).noise_key;
  std::vector<std::pair<double, SampledToken>> others;
  for (const SampledToken& other : top) {
    if (other.token < 0 || other.token == drawn) continue;
    const double noise =
        options.temperature > 0 ? gumbel(noise_bits(key, other.token)) * options.temperature : 0;
    others.emplace_back(other.logprob + noise, other);
  }
  const auto n = std::min(std::ssize(others), std::ptrdiff_t{kSiblings});
  std::ranges::partial_sort(others, others.begin() + n, std::ranges::greater(),
                            [](const auto& other) { return other.first; });
  others.resize(static_cast<size_t>(n));
  GuessTree& tree = shadow.of->drafter->tree();
  for (const auto& [value, other] : others)
    tree.add(shadow.node, other.token, graded(kModel, grade_of_share(std::exp(other.logprob))));
}

/** Takes what was drawn as a guess, and what was likely beside it. */
void DraftModel::take(const StepEntry& entry, const StepOutcome& outcome, Shadow* shadow) const {
  const auto output = static_cast<size_t>(entry.first_output);
  const auto [token, logprob] = outcome.samples.tokens[output];
  const auto top =
      std::span(outcome.samples.top).subspan(output * kMaxTopTokens, size_t{kMaxTopTokens});
  shadow->n_left--;
  if (Guide* guide = shadow->of->guide.get()) {
    guide->add(token, top);
  } else {
    add_siblings(*shadow, token, top);
    shadow->node = shadow->of->drafter->tree().add(
        shadow->node, token, graded(kModel, grade_of_share(std::exp(logprob))));
    if (shadow->node < 0) shadow->n_left = 0;  // there is no room for more
  }
  shadow->active.sequence.append(token);
}

/** One step. Leaves those that still draw; the others are closed. Returns its rows. */
int DraftModel::run(Shadows* shadows, int most_rows) {
  Step step;
  Shadows left, running, going_on;
  for (Shadow* shadow : *shadows)
    (add_rows(shadow, most_rows, &step) ? running : left).push_back(shadow);
  if (step.entries.empty()) {
    left.insert(left.end(), running.begin(), running.end());
    close(&left);
    shadows->clear();
    return 0;
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
    const bool is_finite =
        std::ranges::find(finite, 0) == finite.end() &&
        (rows.n_outputs == 0 ||
         outcome.samples.tokens[static_cast<size_t>(rows.first_output)].token >= 0);
    if (is_finite) kv_.cache.commit(own->context->leaf(), step.tokens_of(rows));
    if (is_finite && rows.n_outputs > 0) take(rows, outcome, shadow);
    if (!is_finite && shadow->of->guide != nullptr) shadow->of->guide->end_badly();
    const bool goes_on = is_finite && rows.n_outputs > 0 && shadow->n_left > 0;
    (goes_on ? going_on : left).push_back(shadow);
  }
  close(&left);
  *shadows = std::move(going_on);
  return step.n_rows();
}

/** In one call a text is read by one step only: a long one is guessed for when all of it is read.
 * Guesses that cannot be had for want of memory are none. */
bool DraftModel::guess(std::span<Sequence* const> sequences, int depth) {
  bool is_known = true;
  try {
    Shadows shadows;
    for (Sequence* sequence : sequences)
      if (Shadow* shadow = open(sequence, depth)) shadows.push_back(shadow);
    is_known = std::ranges::all_of(shadows, [](const Shadow* shadow) {
      return shadow->active.sequence.n_pending() <= GuessPace::kMostDepth;
    });
    while (!shadows.empty()) run(&shadows, decoder_->max_rows());
  } catch (const std::bad_alloc&) {
    abandon();
  }
  return is_known;
}

}  // namespace cachalot

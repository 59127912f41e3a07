#include "engine/outputs.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "sampling/logit_edits.h"
#include "sampling/sample_row.h"

namespace cachalot {

namespace {

std::vector<std::pair<int32_t, float>> likeliest(const Samples& samples, size_t output, int n) {
  std::vector<std::pair<int32_t, float>> top;
  for (int i = 0; i < n; i++) {
    const SampledToken& token = samples.top[output * kMaxTopTokens + static_cast<size_t>(i)];
    if (token.token >= 0) top.emplace_back(token.token, token.logprob);
  }
  return top;
}

const SampledToken& checked(const Sequence& sequence, const Samples& samples, size_t output) {
  const SampledToken& sampled = samples.tokens[output];
  if (sampled.token == kNothingAllowed) throw sequence.request->constraint->error();
  if (sampled.token < 0) throw not_a_number("the model's output for this request is not a number");
  return sampled;
}

std::optional<FinishReason> accept_token(Sequence* sequence, const Samples& samples, size_t output,
                                         StepEvents* events) {
  ActiveRequest& active = *sequence->request;
  const SampledToken& sampled = checked(*sequence, samples, output);
  if (sequence->n_generated() == 0) active.first_token = Clock::now();
  sequence->append(sampled.token);
  events->tokens.push_back({sequence->id, sampled.token, sampled.logprob,
                            likeliest(samples, output, active.request.sampling.n_top)});
  const auto& stops = active.request.stop_tokens;
  if (std::find(stops.begin(), stops.end(), sampled.token) != stops.end())
    return FinishReason::kStop;
  if (active.constraint && active.constraint->advance(sampled.token)) return FinishReason::kStop;
  const bool is_full = static_cast<int>(sequence->tokens.size()) >= sequence->max_length;
  if (is_full || sequence->n_generated() >= sequence->demand.max_tokens())
    return FinishReason::kLength;
  return std::nullopt;
}

void append_row(const float* row, int vocabulary, size_t n_rows, std::vector<float>* values) {
  if (values->empty()) values->reserve(n_rows * static_cast<size_t>(vocabulary));  // not twice that
  values->insert(values->end(), row, row + vocabulary);
}

class SamplePlanner {
 public:
  explicit SamplePlanner(const Step& step) : step_(step) {}

  SamplePlan plan() {
    for (const StepEntry& entry : step_.entries) add_entry(entry);
    for (const StepDraft& draft : step_.drafts) add_draft(draft);
    return std::move(plan_);
  }

 private:
  void add_entry(const StepEntry& entry) {
    const Sequence& sequence = *entry.sequence;
    const auto first = static_cast<size_t>(entry.first_output);
    for (const int32_t output_row :
         std::span(step_.output_rows).subspan(first, static_cast<size_t>(entry.n_outputs))) {
      // Of its text: the token to draw.
      const int next = sequence.n_computed() + output_row - entry.first_row + 1;
      add(sequence, next, sequence.tokens);
      if (sequence.demand.output() == OutputKind::kLogprob)
        plan_.rows.back().forced_token = sequence.own_text().tokens[static_cast<size_t>(next)];
    }
  }

  /** A guess is drawn after as if all before it were known. */
  void add_draft(const StepDraft& draft) {
    const Sequence& sequence = *step_.entries[static_cast<size_t>(draft.entry)].sequence;
    std::vector<int32_t> tokens;
    for (int node = 0; node < draft.tree.size(); node++) {
      tokens.assign(sequence.tokens.begin(), sequence.tokens.end());
      for (const int one : draft.tree.path_to(node))
        tokens.push_back(draft.tree.tokens[static_cast<size_t>(one)]);
      const auto n_guessed = static_cast<int>(tokens.size() - sequence.tokens.size());
      add(sequence, sequence.n_computed() + n_guessed + 1, tokens);
    }
  }

  /** The token `next` of the sequence's text, after `tokens`. */
  void add(const Sequence& sequence, int next, std::span<const int32_t> tokens) {
    const SamplingOptions& options = sequence.request->request.sampling;
    SampleRow row = sample_row(options, sequence.context->position_of(next));
    if (sequence.drafter != nullptr) row.n_top = std::max(row.n_top, sequence.drafter->n_top());
    const Pull pull = pull_of(sequence, tokens.size());
    if (options.has_edits() || pull.factor != 0) {
      const auto edits = logit_edits(options, tokens, sequence.n_prompt, pull);
      row.first_edit = static_cast<int32_t>(plan_.edits.size());
      row.n_edits = static_cast<int32_t>(edits.size());
      plan_.edits.insert(plan_.edits.end(), edits.begin(), edits.end());
    }
    if (const auto& constraint = sequence.request->constraint)
      constraint->add_mask(tokens.subspan(sequence.tokens.size()), &row, &plan_.masks);
    plan_.wants_top = plan_.wants_top || row.n_top > 0;
    plan_.rows.push_back(row);
  }

  /** What the sequence's guide makes of the token after the first n. */
  static Pull pull_of(const Sequence& sequence, size_t n) {
    const Guide* guide = sequence.guide.get();
    if (guide == nullptr || guide->failure) return {};
    return {guide->likeliest(n - sequence.tokens.size()), guide->context().factor};
  }

  const Step& step_;
  SamplePlan plan_;
};

}  // namespace

Error not_a_number(const char* what) {
  std::string message = what;
  message += "; its weights are probably damaged";
  return {ErrorCode::kNotANumber, message};
}

SamplePlan plan_samples(const Step& step) { return SamplePlanner(step).plan(); }

std::optional<FinishReason> accept_outputs(const StepEntry& entry, const Samples& samples,
                                           const float* logits, int vocabulary,
                                           StepEvents* events) {
  Sequence* sequence = entry.sequence;
  if (sequence->guide != nullptr && sequence->guide->failure)
    throw Error(*sequence->guide->failure);
  Demand& demand = sequence->demand;
  std::vector<float>& values = sequence->request->values;
  for (int i = 0; i < entry.n_outputs; i++) {
    const auto output = static_cast<size_t>(entry.first_output + i);
    const SampledToken& sampled = checked(*sequence, samples, output);
    switch (demand.output()) {
      case OutputKind::kToken: return accept_token(sequence, samples, output, events);
      case OutputKind::kLogprob: values.push_back(sampled.logprob); break;
      case OutputKind::kLogits:
        append_row(logits + output * static_cast<size_t>(vocabulary), vocabulary, demand.n_rows(),
                   &values);
        break;
    }
    demand.deliver();
  }
  if (sequence->computing != nullptr) return std::nullopt;  // its own text comes later
  const bool is_done =
      sequence->text_begin + sequence->n_computed() + entry.n_rows == demand.n_compute();
  return is_done ? std::optional(FinishReason::kDone) : std::nullopt;
}

DraftOutcome accept_draft(const StepEntry& entry, const StepDraft& draft, const Samples& samples,
                          std::span<const uint8_t> finite, StepEvents* events) {
  Sequence* sequence = entry.sequence;
  DraftOutcome outcome;
  for (;;) {
    const int next = draft.tree.find(outcome.node, sequence->tokens.back());
    if (next < 0) return outcome;
    if (finite[static_cast<size_t>(draft.row_of(next, entry))] == 0)
      throw not_a_number("the model computed something that is not a number for this request");
    outcome.node = next;
    outcome.reason =
        accept_token(sequence, samples, static_cast<size_t>(draft.output_of(next, entry)), events);
    if (outcome.reason) return outcome;
  }
}

}  // namespace cachalot

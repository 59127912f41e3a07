// A request as JavaScript gives it.

#include "addon/convert.h"
#include "addon/fields.h"

namespace cachalot::addon {

namespace {

constexpr int kMaxNesting = 8;  // preambles below preambles

RequestKind kind_from(const std::string& name) {
  if (name == "generate") return RequestKind::kGenerate;
  if (name == "score") return RequestKind::kScore;
  if (name == "logits") return RequestKind::kLogits;
  if (name == "prefill") return RequestKind::kPrefill;
  if (name == "attention") return RequestKind::kAttention;
  refuse("kind", "generate, score, logits, prefill or attention");
}

/** What may still be read of one request's preambles: an object may hold another many times. */
struct PreambleBudget {
  int n_parts = 4096;
  size_t n_tokens = size_t{1} << 24;
};

RequestPreamble preamble_from(const Napi::Value& value, PreambleBudget* left, int depth = 0) {
  RequestPreamble preamble;
  if (value.IsUndefined()) return preamble;
  if (depth > kMaxNesting) refuse("preamble", "fewer preambles below preambles");
  const Fields fields(value, "preamble");
  preamble.position = fields.integer("position");
  if (!fields.get("parts").IsArray()) refuse("parts", "an array");
  const auto parts = fields.get("parts").As<Napi::Array>();
  for (uint32_t i = 0; i < parts.Length(); i++) {
    const Fields part(parts.Get(i), "a part");
    auto tokens = part.array("tokens");
    if (left->n_parts-- == 0 || tokens.size() > left->n_tokens)
      refuse("preamble", "at most 4096 parts and 16777216 tokens in all");
    left->n_tokens -= tokens.size();
    preamble.parts.push_back({std::move(tokens), part.integer("first"), part.integer("shift"),
                              preamble_from(part.get("under"), left, depth + 1)});
  }
  return preamble;
}

/** [{ index, policy, options }], or undefined. */
std::vector<ScheduledEdit> edits_from(const Napi::Value& value) {
  constexpr uint32_t kMost = 4096;
  std::vector<ScheduledEdit> edits;
  if (value.IsUndefined()) return edits;
  if (!value.IsArray()) refuse("edits", "an array");
  const auto list = value.As<Napi::Array>();
  if (list.Length() > kMost) refuse("edits", "fewer edits");
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Fields edit(list.Get(i), "an edit");
    const auto options = edit.array("options");
    edits.push_back(
        {edit.integer("index"), {edit.string("policy"), {options.begin(), options.end()}}, 0});
  }
  return edits;
}

}  // namespace

SamplingOptions sampling_from(const Napi::Value& value) {
  const Fields fields(value, "sampling");
  SamplingOptions sampling;
  const auto tokens = fields.array("biasTokens");
  const auto values = fields.array<float>("biasValues");
  if (tokens.size() != values.size()) refuse("biasValues", "as many as `biasTokens`");
  for (size_t i = 0; i < tokens.size(); i++) sampling.bias.emplace_back(tokens[i], values[i]);
  sampling.repetition_penalty = fields.real("repetitionPenalty");
  sampling.frequency_penalty = fields.real("frequencyPenalty");
  sampling.presence_penalty = fields.real("presencePenalty");
  sampling.penalty_window = fields.integer("penaltyWindow");
  sampling.dry.multiplier = fields.real("dryMultiplier");
  sampling.dry.base = fields.real("dryBase");
  sampling.dry.allowed_length = fields.integer("dryAllowedLength");
  sampling.dry.window = fields.integer("dryWindow");
  sampling.dry.breakers = fields.array("dryBreakers");
  sampling.temperature = fields.real("temperature");
  sampling.top_k = fields.integer("topK");
  sampling.typical_p = fields.real("typicalP");
  sampling.top_p = fields.real("topP");
  sampling.min_p = fields.real("minP");
  sampling.seed = fields.integer<uint64_t>("seed");
  sampling.completion = fields.integer<uint32_t>("completion");
  sampling.n_top = fields.integer("topLogprobs");
  return sampling;
}

Request request_from(const Napi::Value& value) {
  const Fields fields(value, "request");
  Request request;
  request.id = fields.integer<uint64_t>("id");
  request.kind = kind_from(fields.string("kind"));
  request.name_space = fields.string("namespace");
  request.tokens = fields.array("tokens");
  PreambleBudget budget;
  request.preamble = preamble_from(fields.get("preamble"), &budget);
  request.edits = edits_from(fields.get("edits"));
  if (!fields.get("window").IsUndefined()) {
    const Fields window(fields.get("window"), "window");
    request.window = {window.integer("sinks"), window.integer("size")};
  }
  request.max_tokens = fields.integer("maxTokens");
  request.sampling = sampling_from(fields.get("sampling"));
  request.stop_tokens = fields.array("stopTokens");
  request.rows = fields.array("rows");
  request.from = fields.integer("from");
  if (!fields.get("observed").IsUndefined()) request.n_observed = fields.integer("observed");
  request.pin = fields.integer<uint64_t>("pin");
  request.priority = fields.integer("priority");
  request.ttl_ms = fields.integer<int64_t>("ttlMs");
  request.deadline_ms = fields.integer<int64_t>("deadlineMs");
  request.batch = fields.integer<uint64_t>("batch");
  request.batch_rank = fields.integer("batchRank");
  request.tells_start = fields.is("tellStart");
  return request;
}

}  // namespace cachalot::addon

// A request as JavaScript gives it.

#include "addon/convert.h"
#include "addon/fields.h"
#include "addon/grammars.h"

namespace cachalot::addon {

namespace {

RequestKind kind_from(const std::string& name) {
  if (name == "generate") return RequestKind::kGenerate;
  if (name == "score") return RequestKind::kScore;
  if (name == "logits") return RequestKind::kLogits;
  if (name == "prefill") return RequestKind::kPrefill;
  if (name == "attention") return RequestKind::kAttention;
  refuse("kind", "generate, score, logits, prefill or attention");
}

Napi::Array list_from(const Fields& fields, const char* name) {
  if (!fields.get(name).IsArray()) refuse(name, "an array");
  return fields.get(name).As<Napi::Array>();
}

template <typename Item>
const Item& item_at(const std::vector<Item>& items, int index, const char* name) {
  if (index < 0 || static_cast<size_t>(index) >= items.size()) refuse(name, "one of the list");
  return items[static_cast<size_t>(index)];
}

std::vector<SharedTokens> texts_from(const Fields& fields) {
  constexpr size_t kMostTokens = size_t{1} << 24;
  std::vector<SharedTokens> texts;
  size_t n_tokens = 0;
  const Napi::Array list = list_from(fields, "texts");
  for (uint32_t i = 0; i < list.Length(); i++) {
    texts.push_back(array_from<int32_t>(list.Get(i), "texts"));
    n_tokens += texts.back().size();
    if (n_tokens > kMostTokens) refuse("texts", "at most 16777216 tokens in all");
  }
  return texts;
}

RequestPart part_from(const Fields& part, const std::vector<SharedTokens>& texts,
                      const std::vector<RequestPreambleRef>& before) {
  const SharedTokens& text = item_at(texts, part.integer("text"), "text");
  const int end = part.integer("end"), under = part.integer("under");
  if (end < 0 || static_cast<size_t>(end) > text.size()) refuse("end", "an end within the text");
  return {text.first(static_cast<size_t>(end)),
          part.integer("first"),
          part.integer("shift"),
          under == -1 ? nullptr : item_at(before, under, "under"),
          {part.real("sharpness"), part.integer("blend"), part.real("lseFactor")}};
}

/** A list, in which each may stand below the ones before it. The last one is the request's. */
RequestPreambleRef preambles_from(const Napi::Value& value) {
  constexpr size_t kMostParts = 65536;
  if (value.IsUndefined()) return nullptr;
  const Fields fields(value, "preambles");
  const auto texts = texts_from(fields);
  std::vector<RequestPreambleRef> preambles;
  const Napi::Array list = list_from(fields, "list");
  size_t n_parts = 0;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Fields given(list.Get(i), "a preamble");
    RequestPreamble preamble;
    preamble.position = given.integer("position");
    const Napi::Array parts = list_from(given, "parts");
    n_parts += parts.Length();
    if (n_parts > kMostParts) refuse("preambles", "at most 65536 parts in all");
    for (uint32_t j = 0; j < parts.Length(); j++)
      preamble.parts.push_back(part_from(Fields(parts.Get(j), "a part"), texts, preambles));
    preambles.push_back(std::make_shared<const RequestPreamble>(std::move(preamble)));
  }
  return preambles.empty() ? nullptr : preambles.back();
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

DraftOptions draft_from(const Napi::Value& value) {
  DraftOptions draft;
  if (value.IsUndefined()) return draft;
  const Fields fields(value, "draft");
  draft.lookup = fields.is("lookup");
  draft.recycle = fields.is("recycle");
  draft.trigram = fields.is("trigram");
  draft.jacobi = fields.is("jacobi");
  draft.model = fields.is("model");
  draft.max_tokens = fields.integer("maxTokens");
  draft.prediction = fields.array("prediction");
  return draft;
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
  request.preamble = preambles_from(fields.get("preambles"));
  request.edits = edits_from(fields.get("edits"));
  if (!fields.get("window").IsUndefined()) {
    const Fields window(fields.get("window"), "window");
    request.window = {window.integer("sinks"), window.integer("size")};
  }
  request.max_tokens = fields.integer("maxTokens");
  request.sampling = sampling_from(fields.get("sampling"));
  request.draft = draft_from(fields.get("draft"));
  if (!fields.get("draftContext").IsUndefined()) {
    const Fields context(fields.get("draftContext"), "draftContext");
    request.draft_context = {context.array("tokens"), context.real("factor")};
  }
  request.grammar = grammar_from(fields.get("grammar"));
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

#include "addon/convert.h"

#include <algorithm>
#include <cstring>

#include "addon/fields.h"

namespace cachalot::addon {

namespace {

const char* reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kDone: return "done";
    case FinishReason::kAborted: return "aborted";
    case FinishReason::kError: return "error";
  }
  return "error";
}

Napi::Float32Array floats_to_js(Napi::Env env, const std::vector<float>& values) {
  auto array = Napi::Float32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(float));
  return array;
}

Napi::Object to_js(Napi::Env env, const FinishEvent& event) {
  auto object = Napi::Object::New(env);
  object.Set("id", static_cast<double>(event.id));
  object.Set("reason", reason_name(event.reason));
  if (event.error) {
    object.Set("errorCode", error_code_name(event.error->code()));
    object.Set("errorMessage", event.error->what());
  }
  object.Set("promptTokens", event.prompt_tokens);
  object.Set("cachedTokens", event.cached_tokens);
  object.Set("generatedTokens", event.generated_tokens);
  object.Set("movedTokens", event.moved_tokens);
  object.Set("queuedMs", event.timings.queued_ms);
  object.Set("prefillMs", event.timings.prefill_ms);
  object.Set("decodeMs", event.timings.decode_ms);
  auto kv = Napi::Object::New(env);
  kv.Set("kept", event.kv.kept);
  kv.Set("of", event.kv.of);
  kv.Set("bytes", static_cast<double>(event.kv.bytes));
  object.Set("kv", kv);
  auto draft = Napi::Object::New(env);
  draft.Set("proposed", event.draft.proposed);
  draft.Set("accepted", event.draft.accepted);
  object.Set("draft", draft);
  object.Set("values", floats_to_js(env, event.values));
  return object;
}

/** Lists of numbers become a Float64Array: a vocabulary has hundreds of thousands. */
Napi::Value elements_to_js(Napi::Env env, const GgufArray& array) {
  if (array.type != GgufType::kString) {
    auto numbers = Napi::Float64Array::New(env, array.numbers.size());
    std::copy(array.numbers.begin(), array.numbers.end(), numbers.Data());
    return numbers;
  }
  auto strings = Napi::Array::New(env, array.text_ends.size());
  size_t start = 0;
  for (uint32_t i = 0; i < array.text_ends.size(); i++) {
    const Napi::HandleScope scope(env);  // else millions of handles would stay until the end
    strings.Set(i, Napi::String::New(env, array.text.data() + start, array.text_ends[i] - start));
    start = array.text_ends[i];
  }
  return strings;
}

Napi::Value array_to_js(Napi::Env env, const GgufArray& array) {
  if (array.is_whole()) return elements_to_js(env, array);
  auto excerpt = Napi::Object::New(env);
  excerpt.Set("type", gguf_type_name(array.type));
  excerpt.Set("length", static_cast<double>(array.n_elements));
  excerpt.Set("first", elements_to_js(env, array));
  return excerpt;
}

struct ValueToJs {
  Napi::Env env;
  Napi::Value operator()(uint64_t value) const {
    return Napi::Number::New(env, static_cast<double>(value));
  }
  Napi::Value operator()(int64_t value) const {
    return Napi::Number::New(env, static_cast<double>(value));
  }
  Napi::Value operator()(double value) const { return Napi::Number::New(env, value); }
  Napi::Value operator()(bool value) const { return Napi::Boolean::New(env, value); }
  Napi::Value operator()(const std::string& value) const { return Napi::String::New(env, value); }
  Napi::Value operator()(const std::shared_ptr<const GgufArray>& value) const {
    return array_to_js(env, *value);
  }
};

}  // namespace

WantedMetadata wanted_metadata_from(const Napi::Value& value) {
  WantedMetadata wanted;
  if (!value.IsObject()) return wanted;
  const auto object = value.As<Napi::Object>();
  const Napi::Value keys = object.Get("keys"), longest = object.Get("longestList");
  if (keys.IsArray()) {
    wanted.prefixes.clear();
    const auto list = keys.As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); i++)
      wanted.prefixes.push_back(string_from(list.Get(i), "keys"));
  }
  if (longest.IsNumber()) wanted.longest_array = integer_from<uint64_t>(longest, "longestList");
  return wanted;
}

/** Undefined: the positions are those of the file. */
RopeOptions rope_options_from(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const Fields fields(value, "rope");
  return {fields.string("scaling"), fields.real("factor"), fields.real("base"),
          fields.array<float>("table")};
}

EngineOptions engine_options_from(const Napi::Value& value) {
  const Fields fields(value, "options");
  EngineOptions options;
  options.device = fields.string("device");
  options.cuda_library = fields.string("cudaLibrary");
  options.instructions = fields.string("instructions");
  options.threads = fields.integer("threads");
  options.context_length = fields.integer("contextLength");
  options.rope = rope_options_from(fields.get("rope"));
  options.step_tokens = fields.integer("stepTokens");
  options.kv_bytes = fields.integer<uint64_t>("kvBytes");
  options.kv_format = fields.string("kvFormat");
  options.max_step_ms = fields.real("maxStepMs");
  options.grouping = fields.string("sharedReads");
  options.costs_folder = fields.string("costsFolder");
  options.layout_path = fields.string("layoutPath");
  options.machine = fields.string("machine");
  options.reuse = fields.is("prefixCache");
  options.check_invariants = fields.is("checkInvariants");
  if (!fields.get("draftModel").IsUndefined()) options.draft_model = fields.string("draftModel");
  options.always_drafts = fields.is("alwaysDrafts");
  options.keep_parts = fields.is("keepParts");
  return options;
}

// Tokens cross as one flat array of (id, token, logprob, n, and n times (token, logprob) of the
// likeliest): one object per step, however many sequences.
Napi::Object to_js(Napi::Env env, const StepEvents& events) {
  size_t length = 0;
  for (const auto& event : events.tokens) length += 4 + 2 * event.top.size();
  auto tokens = Napi::Float64Array::New(env, length);
  double* next = tokens.Data();
  for (const auto& event : events.tokens) {
    *next++ = static_cast<double>(event.id);
    *next++ = event.token;
    *next++ = event.logprob;
    *next++ = static_cast<double>(event.top.size());
    for (const auto& [token, logprob] : event.top) {
      *next++ = token;
      *next++ = logprob;
    }
  }
  auto finished = Napi::Array::New(env, events.finished.size());
  uint32_t i = 0;
  for (const auto& event : events.finished) finished.Set(i++, to_js(env, event));
  auto object = Napi::Object::New(env);
  if (!events.started.empty()) object.Set("started", to_js(env, events.started));
  object.Set("tokens", tokens);
  object.Set("finished", finished);
  if (events.loading) {
    object.Set("loadedBytes", static_cast<double>(events.loading->bytes));
    object.Set("totalBytes", static_cast<double>(events.loading->total_bytes));
  }
  return object;
}

Napi::Object to_js(Napi::Env env, const StoredTensor& tensor) {
  auto shape = Napi::Array::New(env, tensor.shape.size());
  for (uint32_t d = 0; d < tensor.shape.size(); d++)
    shape.Set(d, static_cast<double>(tensor.shape[d]));
  auto object = Napi::Object::New(env);
  object.Set("name", tensor.name);
  object.Set("type", dtype_info(tensor.tensor.dtype).name);
  object.Set("shape", shape);
  object.Set("bytes", static_cast<double>(tensor.bytes()));
  return object;
}

Napi::Object to_js(Napi::Env env, const GgufFile& file) {
  auto metadata = Napi::Object::New(env);
  for (const auto& [key, value] : file.metadata)
    metadata.Set(key, std::visit(ValueToJs{env}, value));
  auto tensors = Napi::Array::New(env, file.tensors.size());
  for (uint32_t i = 0; i < file.tensors.size(); i++) tensors.Set(i, to_js(env, file.tensors[i]));
  auto object = Napi::Object::New(env);
  object.Set("version", file.version);
  object.Set("metadataOffset", static_cast<double>(file.metadata_offset));
  object.Set("metadataEnd", static_cast<double>(file.metadata_end));
  object.Set("dataOffset", static_cast<double>(file.data_offset));
  object.Set("metadata", metadata);
  object.Set("tensors", tensors);
  return object;
}

Napi::Object to_js(Napi::Env env, const ModelFiles& model) {
  const ModelConfig& config = model.config;
  auto tensors = Napi::Array::New(env, model.tensors.size());
  uint32_t i = 0;
  for (const auto& [name, tensor] : model.tensors) tensors.Set(i++, to_js(env, tensor));
  auto object = Napi::Object::New(env);
  object.Set("architecture", config.architecture);
  object.Set("contextLength", config.context_length);
  object.Set("layers", config.n_layers());
  object.Set("width", config.width);
  object.Set("ffnWidth", config.ffn_width);
  object.Set("heads", config.n_heads);
  object.Set("kvHeads", config.key_width() / config.largest_head_dim());
  object.Set("headDim", config.largest_head_dim());
  object.Set("vocabulary", config.vocabulary);
  auto rope = Napi::Object::New(env);
  rope.Set("base", config.rope.base);
  rope.Set("dims", config.rope.dims);
  object.Set("rope", rope);
  object.Set("tensors", tensors);
  return object;
}

Napi::Object to_js(Napi::Env env, const cpu::MachinePeaks& peaks) {
  auto object = Napi::Object::New(env);
  object.Set("instructions", peaks.instructions);
  object.Set("threads", peaks.threads);
  object.Set("readBytesPerSecond", peaks.read_bytes_per_second);
  object.Set("f32", peaks.f32);
  object.Set("bf16", peaks.bf16);
  object.Set("int8", peaks.int8);
  return object;
}

Napi::Error to_js(Napi::Env env, const Error& error) {
  auto result = Napi::Error::New(env, error.what());
  result.Value().Set("code", error_code_name(error.code()));
  return result;
}

}  // namespace cachalot::addon

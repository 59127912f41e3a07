// One op at a time on one instruction path, with the path and the number of threads as first
// arguments.

#include <cstring>

#include "addon/convert.h"
#include "addon/testing/device.h"
#include "backend/block_codes.h"
#include "backend/noise.h"
#include "base/cores.h"
#include "base/system_memory.h"
#include "sampling/logit_edits.h"

namespace cachalot::addon {

namespace {

/** Weight bytes as they stand in a file: (bytes, GGUF type, N, K) from argument `at` on. */
Tensor tensor_of(const Napi::CallbackInfo& info, size_t at) {
  return {info[at].As<Napi::Uint8Array>().Data(), static_cast<DType>(integer_of(info[at + 1])),
          integer_of(info[at + 2]), integer_of(info[at + 3])};
}

// linear(path, threads, weight, type, N, K, x, bias?): y
Napi::Value linear(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const Tensor tensor = tensor_of(info, 2);
  const DeviceFloats x(*backend, floats_of(info[6]));
  const auto n_rows = static_cast<int32_t>(static_cast<int64_t>(x.size()) / tensor.n_cols);
  const DeviceFloats y(*backend,
                       std::vector<float>(static_cast<size_t>(n_rows * tensor.n_rows), -1.0f));
  const auto weight = backend->prepare_weight(tensor, {});
  const bool has_bias = !info[7].IsNull() && !info[7].IsUndefined();
  const DeviceFloats bias(*backend, has_bias ? floats_of(info[7]) : std::vector<float>());
  const LinearOutput output{weight.get(), y.data(), has_bias ? bias.data() : nullptr};
  backend->begin_step({});
  backend->linear({x.data(), n_rows, std::span(&output, 1)});
  return floats_to(info.Env(), y.read());
}

// gatherRows(path, threads, weight, type, N, K, ids): rows
Napi::Value gather_rows(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const Tensor tensor = tensor_of(info, 2);
  const auto ids = integers_of(info[6]);
  const DeviceFloats out(*backend, ids.size() * static_cast<size_t>(tensor.n_cols));
  const auto table = backend->prepare_table(tensor, nullptr);
  backend->begin_step({.tokens = ids});
  backend->gather_rows({table.get(), out.data()});
  return floats_to(info.Env(), out.read());
}

// selectRows(path, threads, x, rows, width): rows
Napi::Value select_rows(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const DeviceFloats x(*backend, floats_of(info[2]));
  const auto rows = integers_of(info[3]);
  const int width = integer_of(info[4]);
  const DeviceFloats out(*backend, rows.size() * static_cast<size_t>(width));
  backend->begin_step({.output_rows = rows});
  backend->select_rows({x.data(), width, out.data()});
  return floats_to(info.Env(), out.read());
}

// checkFinite(path, threads, x, delta, width): a byte per row
Napi::Value check_finite(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const DeviceFloats x(*backend, floats_of(info[2])), delta(*backend, floats_of(info[3]));
  const int width = integer_of(info[4]), n_rows = static_cast<int>(x.size()) / width;
  auto out = Napi::Uint8Array::New(info.Env(), static_cast<size_t>(n_rows));
  backend->begin_step({});
  backend->check_finite({x.data(), delta.data(), n_rows, width, out.Data()});
  backend->wait();
  return out;
}

// rmsNorm(path, threads, x, delta | null, weight, epsilon): { x, out }
Napi::Value rms_norm(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const DeviceFloats x(*backend, floats_of(info[2])), weight(*backend, floats_of(info[4])),
      delta(*backend, info[3].IsNull() ? std::vector<float>() : floats_of(info[3])),
      out(*backend, x.size());
  const auto width = static_cast<int32_t>(weight.size());
  backend->begin_step({});
  backend->rms_norm({x.data(), delta.size() == 0 ? nullptr : delta.data(), weight.data(),
                     info[5].ToNumber().FloatValue(), static_cast<int32_t>(x.size()) / width, width,
                     out.data()});
  auto result = Napi::Object::New(info.Env());
  result.Set("out", floats_to(info.Env(), out.read()));
  result.Set("x", floats_to(info.Env(), x.read()));
  return result;
}

// siluMul(path, threads, gate, up): out
Napi::Value silu_mul(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const DeviceFloats gate(*backend, floats_of(info[2])), up(*backend, floats_of(info[3])),
      out(*backend, gate.size());
  backend->begin_step({});
  backend->silu_mul({gate.data(), up.data(), 1, static_cast<int32_t>(gate.size()), out.data()});
  return floats_to(info.Env(), out.read());
}

// normThenLinear(path, threads, weight, type, N, K, x, norm): y, as a model calls them: the rows
// that the norm prepares for `linear` must be those that `linear` would have prepared itself
Napi::Value norm_then_linear(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const Tensor tensor = tensor_of(info, 2);
  const DeviceFloats x(*backend, floats_of(info[6])), norm(*backend, floats_of(info[7])),
      normed(*backend, x.size());
  const auto width = static_cast<int32_t>(tensor.n_cols);
  const int32_t n_rows = static_cast<int32_t>(x.size()) / width;
  const DeviceFloats y(*backend, static_cast<size_t>(n_rows * tensor.n_rows));
  const auto weight = backend->prepare_weight(tensor, {});
  const LinearOutput output{weight.get(), y.data(), nullptr};
  backend->begin_step({});
  backend->rms_norm({x.data(), nullptr, norm.data(), 1e-5f, n_rows, width, normed.data()});
  backend->linear({normed.data(), n_rows, std::span(&output, 1)});
  return floats_to(info.Env(), y.read());
}

/** Numbers that a test leaves out have their defaults. */
double number_or(const Napi::Object& object, const char* key, double otherwise) {
  const Napi::Value value = object.Get(key);
  return value.IsUndefined() ? otherwise : value.ToNumber().DoubleValue();
}

/** Appends the row's edits to those of all rows. */
void add_edits(const Napi::Object& from, SampleRow* row, std::vector<LogitEdit>* edits) {
  const Napi::Value value = from.Get("edits");
  if (value.IsUndefined()) return;
  const auto list = value.As<Napi::Array>();
  row->first_edit = static_cast<int32_t>(edits->size());
  row->n_edits = static_cast<int32_t>(list.Length());
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto edit = list.Get(i).As<Napi::Object>();
    edits->push_back({integer_of(edit.Get("token")),
                      static_cast<float>(number_or(edit, "repetition", 1)),
                      static_cast<float>(number_or(edit, "add", 0)),
                      static_cast<float>(number_or(edit, "pull", 0))});
  }
}

/** Appends the mask of a row that allows some tokens only. */
void add_mask(const Napi::Object& from, int32_t vocabulary, SampleRow* row,
              std::vector<uint32_t>* masks) {
  const Napi::Value value = from.Get("allowed");
  if (value.IsUndefined()) return;
  const size_t n_words = mask_words(vocabulary);
  row->mask = static_cast<int32_t>(masks->size() / n_words);
  masks->resize(masks->size() + n_words);
  uint32_t* mask = masks->data() + masks->size() - n_words;
  for (const int32_t token : integers_of(value)) mask[token / 32] |= uint32_t{1} << (token % 32);
}

SampleRow sample_row_of(const Napi::Object& row) {
  SampleRow result;
  result.temperature = static_cast<float>(number_or(row, "temperature", 0));
  result.top_k = static_cast<int32_t>(number_or(row, "topK", 0));
  result.typical_p = static_cast<float>(number_or(row, "typicalP", 1));
  result.top_p = static_cast<float>(number_or(row, "topP", 1));
  result.min_p = static_cast<float>(number_or(row, "minP", 0));
  result.noise_key = noise_key(static_cast<uint64_t>(number_or(row, "seed", 0)),
                               static_cast<uint32_t>(number_or(row, "completion", 0)),
                               static_cast<int32_t>(number_or(row, "position", 0)));
  result.forced_token = static_cast<int32_t>(number_or(row, "forcedToken", -1));
  result.n_top = static_cast<int32_t>(number_or(row, "top", 0));
  return result;
}

Napi::Object sampled_to(Napi::Env env, const SampledToken& sampled) {
  auto object = Napi::Object::New(env);
  object.Set("token", sampled.token);
  object.Set("logprob", sampled.logprob);
  return object;
}

// sample(path, threads, logits, [SampleRow of test/testing/ops.ts]): [{ token, logprob, top }]
Napi::Value sample(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const DeviceFloats logits(*backend, floats_of(info[2]));
  const auto rows_js = info[3].As<Napi::Array>();
  std::vector<SampleRow> rows;
  std::vector<LogitEdit> edits;
  std::vector<uint32_t> masks;
  const auto vocabulary = static_cast<int32_t>(logits.size() / rows_js.Length());
  for (uint32_t i = 0; i < rows_js.Length(); i++) {
    rows.push_back(sample_row_of(rows_js.Get(i).As<Napi::Object>()));
    add_edits(rows_js.Get(i).As<Napi::Object>(), &rows.back(), &edits);
    add_mask(rows_js.Get(i).As<Napi::Object>(), vocabulary, &rows.back(), &masks);
  }
  std::vector<SampledToken> sampled(rows.size()), top(rows.size() * kMaxTopTokens);
  backend->begin_step({});
  backend->sample({logits.data(), vocabulary, rows, edits, masks, sampled.data(), top.data()});
  backend->wait();
  auto result = Napi::Array::New(info.Env(), sampled.size());
  for (uint32_t i = 0; i < sampled.size(); i++) {
    auto object = sampled_to(info.Env(), sampled[i]);
    auto likeliest = Napi::Array::New(info.Env());
    for (uint32_t t = 0; t < static_cast<uint32_t>(rows[i].n_top); t++)
      likeliest.Set(t, sampled_to(info.Env(), top[i * kMaxTopTokens + t]));
    object.Set("top", likeliest);
    result.Set(i, object);
  }
  return result;
}

// logitEdits(native sampling options, tokens, n of the prompt): [{ token, repetition, add }]
Napi::Value edits(const Napi::CallbackInfo& info) {
  const auto sampling = sampling_from(info[0]);
  const auto tokens = integers_of(info[1]);
  auto result = Napi::Array::New(info.Env());
  for (const LogitEdit& edit : logit_edits(sampling, tokens, integer_of(info[2]))) {
    auto object = Napi::Object::New(info.Env());
    object.Set("token", edit.token);
    object.Set("repetition", edit.repetition);
    object.Set("add", edit.add);
    result.Set(result.Length(), object);
  }
  return result;
}

// usableCores(root of the file system): physical cores, limited by the container's quota
Napi::Value cores(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), usable_cores(info[0].ToString().Utf8Value()));
}

// systemMemory(root of the file system): bytes that the process can have, and bytes left of them
Napi::Value memory(const Napi::CallbackInfo& info) {
  const SystemMemory found = system_memory(info[0].ToString().Utf8Value());
  auto object = Napi::Object::New(info.Env());
  object.Set("limit", static_cast<double>(found.limit));
  object.Set("left", static_cast<double>(found.left));
  return object;
}

}  // namespace

void export_ops(Napi::Env env, Napi::Object exports) {
  exports.Set("linear", Napi::Function::New(env, linear));
  exports.Set("gatherRows", Napi::Function::New(env, gather_rows));
  exports.Set("selectRows", Napi::Function::New(env, select_rows));
  exports.Set("checkFinite", Napi::Function::New(env, check_finite));
  exports.Set("normThenLinear", Napi::Function::New(env, norm_then_linear));
  exports.Set("rmsNorm", Napi::Function::New(env, rms_norm));
  exports.Set("siluMul", Napi::Function::New(env, silu_mul));
  exports.Set("logitEdits", Napi::Function::New(env, edits));
  exports.Set("usableCores", Napi::Function::New(env, cores));
  exports.Set("systemMemory", Napi::Function::New(env, memory));
  exports.Set("sample", Napi::Function::New(env, sample));
}

}  // namespace cachalot::addon
